// The SQL of a question, text by text, with what is wrong in it by line and column, and what was understood of each block.
import { useEffect, useRef, useState } from 'react';

import type { Question, Remark } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import type { Answers } from '../Advisor.tsx';
import { useWords } from '../Cases.tsx';

/** What the server calls the text with the tables. */
const SCHEMA = 'schema';

interface EditorProps {
  question: Question;
  onChange: (question: Question) => void;
  answers: Answers;
  place: Remark['at'] | undefined;
}

/** The place of a line and column in a text; columns count letters, as the server's do. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  return Math.min(before + [...(lines[line - 1] ?? '')].slice(0, column - 1).join('').length, text.length);
}

/** A free name for one more text. */
function newName(names: readonly string[]): string {
  for (let number = 2; ; number++) if (!names.includes(`programs-${number}.sql`)) return `programs-${number}.sql`;
}

export function Editor({ question, onChange, answers, place }: EditorProps) {
  const { t } = useTexts();
  const sources = question.sources ?? [];
  const [chosen, setChosen] = useState<string>();
  const name = chosen === SCHEMA || sources.some((source) => source.name === chosen) ? chosen! : (sources[0]?.name ?? SCHEMA);
  const text = name === SCHEMA ? (question.schema ?? '') : (sources.find((source) => source.name === name)?.text ?? '');
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  const [goal, setGoal] = useState<Remark['at']>();
  useEffect(() => setGoal(place), [place]);
  useEffect(() => {
    if (goal) setChosen(goal.source);
  }, [goal]);
  useEffect(() => {
    const here = area.current;
    if (!goal || !here || goal.source !== name) return;
    here.setSelectionRange(offsetOf(text, goal.line, goal.column), offsetOf(text, goal.to_line, goal.to_column));
    here.scrollTop = Math.max((goal.line - 4) * 17, 0);
    // oxlint-disable-next-line react/exhaustive-deps -- only when a place is asked for, not when the text changes
  }, [goal, name]);
  const change = (value: string) => {
    if (name === SCHEMA) onChange({ ...question, schema: value });
    else onChange({ ...question, sources: sources.map((source) => (source.name === name ? { ...source, text: value } : source)) });
  };
  const errors = answers.analysed?.errors ?? [];
  const bad = new Set(errors.filter((error) => error.at.source === name).map((error) => error.at.line));
  const lines = text.split('\n').length;
  const show = (at: Remark['at']) => {
    setGoal({ ...at });
    area.current?.focus();
  };
  return (
    <div className="editor">
      <div className="picker">
        <label>
          {t('advisor.text')}
          <select value={name} onChange={(event) => setChosen(event.target.value)}>
            <option value={SCHEMA}>{t('advisor.schema')}</option>
            {sources.map((source) => (
              <option key={source.name}>{source.name}</option>
            ))}
          </select>
        </label>
        <button
          type="button"
          onClick={() => {
            const added = newName(sources.map((source) => source.name));
            onChange({ ...question, sources: [...sources, { name: added, text: '' }] });
            setChosen(added);
          }}
        >
          {t('advisor.addText')}
        </button>
        {name !== SCHEMA && sources.length > 1 && (
          <button type="button" onClick={() => onChange({ ...question, sources: sources.filter((source) => source.name !== name) })}>
            {t('advisor.removeText')}
          </button>
        )}
      </div>
      <div className="code-area">
        <pre ref={gutter} aria-hidden="true">
          {Array.from({ length: lines }, (_, index) => (
            <span key={index} className={bad.has(index + 1) ? 'bad' : ''}>
              {bad.has(index + 1) ? `✕${index + 1}` : index + 1}
              {'\n'}
            </span>
          ))}
        </pre>
        <textarea
          ref={area}
          value={text}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          aria-label={name === SCHEMA ? t('advisor.schema') : name}
          aria-invalid={bad.size > 0}
          placeholder={t(name === SCHEMA ? 'advisor.schemaHint' : 'advisor.sqlHint')}
          onChange={(event) => change(event.target.value)}
          onScroll={(event) => gutter.current?.scrollTo({ top: event.currentTarget.scrollTop })}
        />
      </div>
      <div role="status" className="editor-status">
        {answers.isStale ? <span className="muted">{t('advisor.reading')}</span> : <Understood answers={answers} onShow={show} />}
      </div>
    </div>
  );
}

function Understood({ answers: { analysed }, onShow }: { answers: Answers; onShow: (at: Remark['at']) => void }) {
  const { t, number } = useTexts();
  const words = useWords();
  if (!analysed) return null;
  const { errors, analysis } = analysed;
  const remarks = errors.length > 0 ? errors : (analysis?.unanalysed ?? []);
  return (
    <>
      {errors.length > 0 && <strong className="danger">{t('advisor.mistakes', { count: errors.length })}</strong>}
      {errors.length === 0 && analysis && <span>{t('advisor.understood', { programs: analysis.programs.length, ms: number(analysed.took_us / 1000, 1) })}</span>}
      {errors.length === 0 && remarks.length > 0 && <strong className="warn">{t('advisor.notUnderstood', { count: remarks.length })}</strong>}
      <ul className="remarks">
        {remarks.slice(0, 20).map((remark, index) => (
          <li key={index}>
            <button type="button" className="link" onClick={() => onShow(remark.at)}>
              <code>
                {remark.at.source}:{remark.at.line}:{remark.at.column}
              </code>
            </button>{' '}
            <span>{words(remark.message)}</span>
            {remark.hint && (
              <small>
                {t('hint')} {words(remark.hint)}
              </small>
            )}
          </li>
        ))}
      </ul>
      {errors.length === 0 && analysis && analysis.programs.length > 0 && (
        <ul className="blocks">
          {analysis.programs.map((program) => (
            <li key={program.name}>
              <button type="button" className="link" onClick={() => onShow(program.at)}>
                {program.has_unanalysed ? '⚠' : '✓'} {program.name}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
