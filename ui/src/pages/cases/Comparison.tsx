// Two records of one case side by side: ratios with intervals, and what else differs between the runs.
import { api } from '../../api/client.ts';
import type { ArmSide, RecordComparison } from '../../api/rest.ts';
import { Ratios } from '../../charts/ratios.tsx';
import { useTexts } from '../../i18n/index.ts';
import { useTheme } from '../../state/context.ts';
import { hashOf } from '../../state/route.ts';
import { Panel, Wide } from '../../views/parts.tsx';
import { Answered, useAnswer } from '../Cases.tsx';

export function ComparisonView({ before, after }: { before: string; after: string }) {
  const answer = useAnswer(() => api.compare(before, after), `${before}/${after}`);
  return <Answered answer={answer}>{(comparison) => <Shown comparison={comparison} />}</Answered>;
}

function Shown({ comparison }: { comparison: RecordComparison }) {
  const texts = useTexts();
  const { t, number } = texts;
  const theme = useTheme();
  const ratios = comparison.arms.flatMap((arm) => (arm.ratio ? [{ name: arm.arm, ratio: arm.ratio[0], low: arm.ratio[1], high: arm.ratio[2] }] : []));
  const side = (each: ArmSide) => {
    if (each.side === 'measured') return number(each.per_second);
    return each.side === 'violated' ? `✕ ${each.invariants}` : texts.code('side', each.side);
  };
  return (
    <>
      <h1>{comparison.before.study}</h1>
      <p className="lead">
        <a href={hashOf('cases', ['record', comparison.before.id])}>{comparison.before.started_at}</a> → <a href={hashOf('cases', ['record', comparison.after.id])}>{comparison.after.started_at}</a>
      </p>
      {ratios.length > 0 && (
        <Panel title={t('record.ratios')} name="ratios">
          <Wide>{(width) => <Ratios data={{ title: t('run.throughput'), baseline: t('comparison.older'), ratios }} width={width} theme={theme} texts={texts} />}</Wide>
        </Panel>
      )}
      <Panel title={t('record.arms')} name="arms">
        <div className="scroll" tabIndex={0} role="region" aria-label={t('record.arms')}>
          <table className="list">
            <thead>
              <tr>
                <th scope="col">{t('record.arm')}</th>
                <th scope="col" className="number">{t('comparison.older')}</th>
                <th scope="col" className="number">{t('comparison.newer')}</th>
              </tr>
            </thead>
            <tbody>
              {comparison.arms.map((arm) => (
                <tr key={arm.arm}>
                  <th scope="row">{arm.arm}</th>
                  <td className="number">{side(arm.before)}</td>
                  <td className="number">{side(arm.after)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      {comparison.changes.length > 0 && (
        <Panel title={t('comparison.changes')} name="changes">
          <ul className="differences">
            {comparison.changes.map((each) => (
              <li key={each.what}>
                <strong lang="en">{each.what}</strong> <del>{each.before}</del> → <ins>{each.after}</ins>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </>
  );
}
