// The middle pane: where programs meet, the levels they need, and the path of rules that led to the answer.
import { useMemo } from 'react';

import type { AdvisorProgram, Analysis, Level, Question, Requirement, Witness } from '../../api/rest.ts';
import { linksOf, pairsOf, type ProgramLink } from '../../charts/programs-links.ts';
import { LEVEL_SHORT, ProgramGraph, PROGRAMS_DRAWN } from '../../charts/programs.tsx';
import { useTexts } from '../../i18n/index.ts';
import { useTheme } from '../../state/context.ts';
import { LEVELS } from '../../state/question.ts';
import { Empty, Panel, Wide } from '../../views/parts.tsx';
import type { Answers } from '../Advisor.tsx';
import { Path } from './Path.tsx';
import { meetingPlace } from './place.ts';

interface DecisionProps {
  question: Question;
  onChange: (question: Question) => void;
  answers: Answers;
  picked: string | undefined;
  onPick: (key: string) => void;
  onField: (field: string) => void;
}

export function witnessOf(analysis: Analysis | undefined): Witness | undefined {
  return analysis?.asked.outcome === 'unsafe' ? analysis.asked.witness : undefined;
}

export function DecisionPane({ question, onChange, answers, picked, onPick, onField }: DecisionProps) {
  const { t } = useTexts();
  const analysis = answers.analysed?.analysis;
  const hasPrograms = analysis !== undefined && analysis.programs.length > 0;
  return (
    <div className="pane">
      <Panel title={t('advisor.graph')} name="advisor-graph" tools={<Switches question={question} onChange={onChange} />}>
        {hasPrograms ? <Dependencies analysis={analysis} picked={picked} onPick={onPick} /> : <Empty>{t('advisor.noPrograms')}</Empty>}
      </Panel>
      {hasPrograms && (
        <Panel title={t('advisor.levels')} name="advisor-levels">
          <Levels question={question} onChange={onChange} analysis={analysis} />
        </Panel>
      )}
      {answers.decision && (
        <Panel title={t('advisor.path')} name="advisor-path">
          <Path decision={answers.decision} onField={onField} />
        </Panel>
      )}
    </div>
  );
}

/** The two answers that change most, beside the picture that they change. */
function Switches({ question, onChange }: { question: Question; onChange: (question: Question) => void }) {
  const { t } = useTexts();
  const requirement: Partial<Requirement> = question.requirement ?? {};
  const give = (change: Partial<Requirement>) => onChange({ ...question, requirement: { ...requirement, ...change } as Requirement });
  return (
    <>
      <label>
        <input type="checkbox" checked={requirement.may_retry ?? true} onChange={(event) => give({ may_retry: event.target.checked })} /> {t('advisor.mayRetry')}
      </label>
      <label>
        <input type="checkbox" checked={requirement.may_change_sql ?? true} onChange={(event) => give({ may_change_sql: event.target.checked })} /> {t('advisor.mayChangeSql')}
      </label>
    </>
  );
}

function Dependencies({ analysis, picked, onPick }: { analysis: Analysis; picked: string | undefined; onPick: (key: string) => void }) {
  const texts = useTexts();
  const { t } = texts;
  const theme = useTheme();
  const links = useMemo(() => linksOf(analysis.edges, witnessOf(analysis)), [analysis]);
  const shown = useMemo(() => pairsOf(links).find((pair) => pair.key === picked)?.links ?? links.filter((link) => link.key === picked), [links, picked]);
  return (
    <>
      <p className="legend">
        <span>
          <svg width={26} height={8} aria-hidden="true">
            <path d="M0 4 H26" stroke={theme.muted} strokeWidth={1.6} strokeDasharray="5 4" />
          </svg>{' '}
          {t('advisor.legendRw')}
        </span>
        <span>
          <svg width={26} height={8} aria-hidden="true">
            <path d="M0 4 H26" stroke={theme.muted} strokeWidth={1.6} />
          </svg>{' '}
          {t('advisor.legendWw')}
        </span>
        {links.some((link) => link.steps.length > 0) && (
          <span>
            <svg width={26} height={8} aria-hidden="true">
              <path d="M0 4 H26" stroke={theme.danger} strokeWidth={2.4} />
            </svg>{' '}
            {t('advisor.legendCycle')}
          </span>
        )}
      </p>
      <Wide>{(width) => <ProgramGraph data={{ programs: analysis.programs, levels: analysis.asked_levels, links }} width={Math.max(width, 300)} theme={theme} texts={texts} picked={picked} onPick={onPick} />}</Wide>
      {analysis.programs.length > PROGRAMS_DRAWN && <p className="muted">{t('more', { count: analysis.programs.length - PROGRAMS_DRAWN })}</p>}
      {shown.length > 0 ? <LinkDetail links={shown} programs={analysis.programs} /> : <p className="muted">{t('advisor.pickEdge')}</p>}
      <EdgeTable links={links} onPick={onPick} />
    </>
  );
}

/** Meetings of a dependency that are shown; the table has all. */
const MEETINGS = 4;

/** Both statements of each dependency between two programs, with the columns in which they meet. */
function LinkDetail({ links, programs }: { links: ProgramLink[]; programs: AdvisorProgram[] }) {
  const texts = useTexts();
  const { t, code } = texts;
  const sqlOf = (name: string, statement: number) => programs.find((program) => program.name === name)?.statements[statement]?.sql ?? '';
  return (
    <section className="link-detail" aria-live="polite">
      {links.map((link) => (
        <details key={link.key} open={links.length === 1 || link.kind !== 'wr'}>
          <summary>
            {link.from} → {link.to} · {link.kind} {link.steps.length > 0 && <span className="badge on">{t('advisor.cycleStep', { step: link.steps.join(', ') })}</span>}
          </summary>
          <p className="muted">{code('dependencyLong', link.kind)}</p>
          {link.edges.slice(0, MEETINGS).map((edge, index) => (
            <div key={index} className="meeting">
              <p>
                <code>{meetingPlace(edge.relation, edge.columns, texts)}</code>
              </p>
              <figure>
                <figcaption>{t('advisor.statementOf', { program: edge.from, number: edge.from_statement + 1 })}</figcaption>
                <pre>{sqlOf(edge.from, edge.from_statement)}</pre>
              </figure>
              <figure>
                <figcaption>{t('advisor.statementOf', { program: edge.to, number: edge.to_statement + 1 })}</figcaption>
                <pre>{sqlOf(edge.to, edge.to_statement)}</pre>
              </figure>
            </div>
          ))}
          {link.edges.length > MEETINGS && <p className="muted">{t('more', { count: link.edges.length - MEETINGS })}</p>}
        </details>
      ))}
    </section>
  );
}

function EdgeTable({ links, onPick }: { links: ProgramLink[]; onPick: (key: string) => void }) {
  const texts = useTexts();
  const { t } = texts;
  return (
    <details className="as-table">
      <summary>{t('advisor.asTable', { count: links.length })}</summary>
      <div className="scroll" tabIndex={0} role="region" aria-label={t('advisor.asTable', { count: links.length })}>
        <table className="list">
          <thead>
            <tr>
              <th scope="col">{t('advisor.from')}</th>
              <th scope="col">{t('advisor.kind')}</th>
              <th scope="col">{t('advisor.to')}</th>
              <th scope="col">{t('advisor.columns')}</th>
              <th scope="col">{t('advisor.cycle')}</th>
            </tr>
          </thead>
          <tbody>
            {links.map((link) => (
              <tr key={link.key}>
                <td>
                  <button type="button" className="link" onClick={() => onPick(link.key)}>
                    {link.from}
                  </button>
                </td>
                <td>{link.kind}</td>
                <td>{link.to}</td>
                <td>
                  <code>{[...new Set(link.edges.map((edge) => meetingPlace(edge.relation, edge.columns, texts)))].join('; ')}</code>
                </td>
                <td>{link.steps.join(', ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** The level of each program: what it runs at, what it needs. */
function Levels({ question, onChange, analysis }: { question: Question; onChange: (question: Question) => void; analysis: Analysis }) {
  const { t, code } = useTexts();
  const set = (levels: Record<string, Level>) => onChange({ ...question, levels });
  const all = (level: Level) => set(Object.fromEntries(analysis.programs.map((program) => [program.name, level])));
  return (
    <>
      <p className="picker">
        <span>{t('advisor.judge')}</span>
        {LEVELS.map((level) => (
          <button key={level} type="button" data-all={level} onClick={() => all(level)}>
            {t('advisor.allAt', { level: LEVEL_SHORT[level] })}
          </button>
        ))}
        <button type="button" data-all="optimal" onClick={() => set(analysis.optimal as Record<string, Level>)}>
          {t('advisor.asRecommended')}
        </button>
        <button type="button" onClick={() => set({})}>
          {t('advisor.asDeclared')}
        </button>
      </p>
      <div className="scroll" tabIndex={0} role="region" aria-label={t('advisor.needs')}>
        <table className="list levels">
          <thead>
            <tr>
              <th scope="col">{t('advisor.program')}</th>
              <th scope="col">{t('advisor.judged')}</th>
              <th scope="col">{t('advisor.needs')}</th>
            </tr>
          </thead>
          <tbody>
            {analysis.programs.map((program) => {
              const asked = (analysis.asked_levels as Record<string, Level>)[program.name] ?? 'read_committed';
              return (
                <tr key={program.name}>
                  <th scope="row">
                    {program.name} <Remarks program={program} />
                  </th>
                  <td>
                    <select value={asked} aria-label={t('advisor.levelOf', { name: program.name })} onChange={(event) => set({ ...(question.levels as Record<string, Level>), [program.name]: event.target.value as Level })}>
                      {LEVELS.map((level) => (
                        <option key={level} value={level}>
                          {LEVEL_SHORT[level]} · {code('level', level)}
                        </option>
                      ))}
                    </select>
                  </td>
                  <td>
                    <span className={`level ${program.recommended}`} data-recommended={program.recommended}>
                      {LEVEL_SHORT[program.recommended]}
                    </span>{' '}
                    <span className="words">{code('level', program.recommended)}</span>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <Uniform analysis={analysis} />
    </>
  );
}

/** What else is to be known of a program. */
function Remarks({ program }: { program: AdvisorProgram }) {
  const { t } = useTexts();
  return (
    <>
      {program.is_involved && <span className="badge on">{t('advisor.inCycle')}</span>} {!program.is_one_transaction && <span className="badge">{t('advisor.separate')}</span>}{' '}
      {program.has_unanalysed && <span className="badge">{t('advisor.unanalysed')}</span>} {program.accepted && <span className="badge">{t('advisor.accepted')}</span>}
    </>
  );
}

function Uniform({ analysis }: { analysis: Analysis }) {
  const { t, code } = useTexts();
  return (
    <ul className="uniform">
      {analysis.uniform.map(({ level, verdict }) => (
        <li key={level} className={verdict.outcome}>
          <span aria-hidden="true">{verdict.outcome === 'safe' ? '✓' : verdict.outcome === 'unsafe' ? '✕' : '?'}</span> {t('advisor.allAt', { level: code('level', level) })} · {code('verdict', verdict.outcome)}
        </li>
      ))}
    </ul>
  );
}
