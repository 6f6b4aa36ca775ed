// The path of the decision: every rule that was tried, what it asked and found, and what follows. Rules that applied are
// lit and lead to the answer; each of the others says which of its questions was answered otherwise.
import type { Decision } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { useWords } from '../Cases.tsx';

type Step = Decision['trace'][number];

interface PathProps {
  decision: Decision;
  /** Opens the wizard at a field of the requirement. */
  onField: (field: string) => void;
}

export function Path({ decision, onField }: PathProps) {
  const { t } = useTexts();
  const words = useWords();
  const taken = decision.trace.filter((step) => step.taken);
  const others = decision.trace.filter((step) => !step.taken);
  const best = decision.ranked[0];
  const list = (steps: Step[], isTaken: boolean) => (
    <ol className={isTaken ? 'path taken' : 'path'}>
      {steps.map((step) => (
        <Rule key={step.rule} step={step} decision={decision} onField={onField} />
      ))}
    </ol>
  );
  return (
    <>
      {list(taken, true)}
      <p className="leads-to">
        → <strong>{best ? words(best.name) : t('advisor.nothingFits')}</strong>
      </p>
      <details>
        <summary>{t('advisor.notTaken', { count: others.length })}</summary>
        {list(others, false)}
      </details>
    </>
  );
}

function Rule({ step, decision, onField }: { step: Step } & PathProps) {
  const words = useWords();
  return (
    <li data-rule={step.rule}>
      <span aria-hidden="true">{step.taken ? '●' : '○'}</span>
      <div>
        <strong>{words(step.because)}</strong>
        {step.observed.length > 0 && (
          <ul className="observed">
            {step.observed.map((observed, index) => (
              <li key={index} className={observed.holds ? 'holds' : ''}>
                <span aria-hidden="true">{observed.holds ? '✓' : '✕'}</span>
                {observed.field === undefined ? (
                  <span>{words(observed.what)}</span>
                ) : (
                  <button type="button" className="link" onClick={() => onField(observed.field!)}>
                    {words(observed.what)}
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
        {step.taken && <Effects step={step} decision={decision} />}
        <small className="muted">
          <code>{step.rule}</code> · <span lang="en">{step.source}</span>
        </small>
      </div>
    </li>
  );
}

/** What follows from a rule that applied. */
function Effects({ step, decision }: { step: Step; decision: Decision }) {
  const { t } = useTexts();
  const words = useWords();
  const solutions = [...decision.ranked, ...decision.rejected, ...decision.suggested];
  const solution = (id: string) => {
    const found = solutions.find((each) => each.solution === id);
    return found ? words(found.name) : id;
  };
  const need = (name: string) => {
    const found = decision.needs.find((each) => each.need === name);
    return found ? words(found.text) : name;
  };
  const effects = [
    step.requires.length > 0 && t('advisor.requires', { what: step.requires.map(need).join(', ') }),
    step.excludes.length > 0 && t('advisor.excludes', { what: step.excludes.map(solution).join(', ') }),
    step.suggests.length > 0 && t('advisor.suggests', { what: step.suggests.map(solution).join(', ') }),
  ].filter((effect) => effect !== false);
  return effects.map((effect) => <small key={effect}>→ {effect}</small>);
}
