// The wizard: the engine's own questions, each with what its answer changes. It fills the same requirement as the switches.
import { useEffect, useId, useRef } from 'react';

import { api } from '../../api/client.ts';
import type { FormQuestion, Question, Requirement } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { Answered, useAnswer, useWords } from '../Cases.tsx';

interface DescribeProps {
  question: Question;
  onChange: (question: Question) => void;
  /** The field that was asked for, to be shown. */
  field: { name: string } | undefined;
}

type Given = Record<string, unknown>;

export function Describe({ question, onChange, field }: DescribeProps) {
  const words = useWords();
  const form = useAnswer(api.advisorForm, 'advisor-form');
  const sheet = useRef<HTMLFormElement>(null);
  const isThere = form.value !== undefined;
  useEffect(() => {
    if (isThere && field) sheet.current?.querySelector<HTMLElement>(`[data-field="${CSS.escape(field.name)}"] :is(input, select)`)?.focus();
  }, [isThere, field]);
  const given = (question.requirement ?? {}) as Given;
  const give = (name: string, value: unknown) => onChange({ ...question, requirement: { ...given, [name]: value } as Requirement });
  return (
    <Answered answer={form}>
      {({ questions }) => {
        const groups = [...new Set(questions.map((each) => words(each.group)))];
        return (
          <form ref={sheet} className="describe" onSubmit={(event) => event.preventDefault()}>
            {groups.map((group) => (
              <fieldset key={group}>
                <legend>{group}</legend>
                {questions
                  .filter((each) => words(each.group) === group)
                  .map((each) => (
                    <Field key={each.field} question={each} value={given[each.field]} onGive={(value) => give(each.field, value)} />
                  ))}
              </fieldset>
            ))}
          </form>
        );
      }}
    </Answered>
  );
}

function Field({ question, value, onGive }: { question: FormQuestion; value: unknown; onGive: (value: unknown) => void }) {
  const { t } = useTexts();
  const words = useWords();
  const id = useId();
  const { answer } = question;
  const about = `${id}-about`;
  return (
    <div className="field" data-field={question.field}>
      {answer.kind === 'many' ? <span id={id}>{words(question.ask)}</span> : <label htmlFor={id}>{words(question.ask)}</label>}
      {answer.kind === 'flag' && <input id={id} type="checkbox" checked={typeof value === 'boolean' ? value : answer.default} onChange={(event) => onGive(event.target.checked)} aria-describedby={about} />}
      {answer.kind === 'number' && (
        <span className="with-unit">
          <input
            id={id}
            type="number"
            min={answer.least}
            max={answer.most}
            step={answer.whole ? 1 : 'any'}
            defaultValue={typeof value === 'number' ? value : answer.default}
            aria-describedby={about}
            onChange={(event) => {
              const number = event.target.valueAsNumber;
              if (Number.isFinite(number) && number >= answer.least && number <= answer.most) onGive(answer.whole ? Math.round(number) : number);
            }}
          />
          {answer.unit}
        </span>
      )}
      {answer.kind === 'one' && (
        <select id={id} value={typeof value === 'string' ? value : answer.default} onChange={(event) => onGive(event.target.value)} aria-describedby={about}>
          {answer.options.map((option) => (
            <option key={option.value} value={option.value}>
              {words(option.words)}
            </option>
          ))}
        </select>
      )}
      {answer.kind === 'many' && (
        <div role="group" aria-labelledby={id} aria-describedby={about}>
          {answer.options.map((option) => {
            const chosen = Array.isArray(value) ? (value as unknown[]) : [];
            return (
              <label key={option.value}>
                <input type="checkbox" checked={chosen.includes(option.value)} onChange={(event) => onGive(event.target.checked ? [...chosen, option.value] : chosen.filter((each) => each !== option.value))} />
                {words(option.words)}
              </label>
            );
          })}
        </div>
      )}
      <small id={about} className="muted">
        {words(question.help)} {t('advisor.changes')} {words(question.changes)}
      </small>
    </div>
  );
}
