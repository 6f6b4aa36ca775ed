// Changes of the SQL that make weaker levels safe: each statement before and after, to be copied.
import { useState } from 'react';

import type { Level, Promotion } from '../../api/rest.ts';
import { LEVEL_SHORT } from '../../charts/programs.tsx';
import { useTexts } from '../../i18n/index.ts';

/** Alternatives that are shown. */
const SHOWN = 4;

export function Changes({ promotions }: { promotions: Promotion[] }) {
  const { t, code, number } = useTexts();
  return (
    <ol className="options">
      {promotions.slice(0, SHOWN).map((promotion, index) => (
        <li key={index}>
          <details open={index === 0}>
          <summary>
            {promotion.changes.map((change) => `${change.program}: ${code('promotion', change.kind)}`).join(' + ')}{' '}
            {Object.entries(promotion.levels as Record<string, Level>).map(([program, level]) => (
              <span key={program} className={`level ${level}`} title={`${program}: ${code('level', level)}`}>
                {program} {LEVEL_SHORT[level]}
              </span>
            ))}
          </summary>
          <p className="muted">{t('advisor.levelCost', { cost: number(promotion.level_cost * 100) })}</p>
          {promotion.changes.map((change, place) => (
            <figure key={place}>
              <figcaption>
                {change.program} · {change.relation} <Copy text={`${change.after.join(';\n')};`} />
              </figcaption>
              <pre>
                <del>{change.before}</del>
              </pre>
              <pre>
                <ins>{change.after.join(';\n')}</ins>
              </pre>
            </figure>
          ))}
          </details>
        </li>
      ))}
    </ol>
  );
}

export function Copy({ text }: { text: string }) {
  const { t } = useTexts();
  const [isDone, setDone] = useState(false);
  return (
    <button type="button" className="quiet" onClick={() => void navigator.clipboard?.writeText(text).then(() => setDone(true), () => setDone(false))}>
      {t(isDone ? 'advisor.copied' : 'advisor.copy')}
    </button>
  );
}
