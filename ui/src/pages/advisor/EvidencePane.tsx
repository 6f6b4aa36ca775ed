// The right pane: the verdict with its evidence, the proof on a server, the ranked options, and why not the others.
import { useEffect, useReducer, useRef, useState } from 'react';

import { prove, type Proving } from '../../api/prove.ts';
import type { Analysis, Decision, Estimate, ProveMessage, Question } from '../../api/rest.ts';
import { Schedule, type ScheduleData } from '../../charts/schedule.tsx';
import { useTexts, type Texts } from '../../i18n/index.ts';
import { useTheme, useWorld } from '../../state/context.ts';
import { BEGUN, IDLE, told, type Played, type ProofState } from '../../state/play.ts';
import { Empty, Panel, ProblemNote, Wide } from '../../views/parts.tsx';
import type { Answers } from '../Advisor.tsx';
import { useWords } from '../Cases.tsx';
import { Changes } from './Changes.tsx';
import { CodePanel } from './CodePanel.tsx';
import { witnessOf } from './DecisionPane.tsx';

export function EvidencePane({ question, answers }: { question: Question; answers: Answers }) {
  const { t } = useTexts();
  const analysis = answers.analysed?.analysis;
  const hasPrograms = analysis !== undefined && analysis.programs.length > 0;
  return (
    <div className="pane">
      <Panel title={t('advisor.verdict')} name="advisor-verdict">
        {hasPrograms ? <VerdictView analysis={analysis} /> : <Empty>{t('advisor.noVerdict')}</Empty>}
      </Panel>
      {hasPrograms && (
        <Panel title={t('advisor.proof')} name="advisor-proof">
          <ProofView question={question} analysis={analysis} />
        </Panel>
      )}
      {answers.decision && (
        <Panel title={t('advisor.options')} name="advisor-options">
          <Options decision={answers.decision} />
        </Panel>
      )}
      {hasPrograms && analysis.promotions.length > 0 && (
        <Panel title={t('advisor.changesTitle')} name="advisor-changes">
          <Changes promotions={analysis.promotions} />
        </Panel>
      )}
      {answers.decision && answers.analysed && (
        <Panel title={t('advisor.code')} name="advisor-code">
          <CodePanel question={question} analysis={analysis} decision={answers.decision} id={answers.analysed.id} />
        </Panel>
      )}
    </div>
  );
}

function VerdictView({ analysis }: { analysis: Analysis }) {
  const { t, code } = useTexts();
  const { asked, scopes } = analysis;
  return (
    <>
      <p className={`verdict ${asked.outcome}`} role="status" data-verdict={asked.outcome}>
        <span aria-hidden="true">{asked.outcome === 'safe' ? '✓' : asked.outcome === 'unsafe' ? '✕' : '?'}</span> <strong>{code('verdict', asked.outcome)}</strong> {code('verdictLong', asked.outcome)}
      </p>
      {asked.outcome === 'unknown' && <p lang="en">{asked.why}</p>}
      {asked.outcome === 'unsafe' && (
        <ol className="cycle">
          {asked.witness.cycle.map((dependency, index) => {
            const [from, to] = [asked.witness.transactions[dependency.from], asked.witness.transactions[dependency.to]];
            return (
              <li key={index}>
                <strong>{from?.name}</strong> {from?.program} →<code>{dependency.kind}</code> <strong>{to?.name}</strong> {to?.program}
                <small>
                  <code>
                    {dependency.relation} ({dependency.columns.join(', ')})
                  </code>
                </small>
              </li>
            );
          })}
        </ol>
      )}
      {scopes.map((scope, index) => (
        <p key={index} className="verdict unsafe">
          <span aria-hidden="true">✕</span> {t('advisor.scope', { program: scope.program, first: scope.first + 1, second: scope.second + 1, other: scope.other, relation: scope.relation, columns: scope.columns.join(', '), level: code('level', scope.level_as_one) })}
        </p>
      ))}
    </>
  );
}

type Action = ProveMessage | 'begin' | 'reset' | 'lost';

function proofReducer(state: ProofState, action: Action): ProofState {
  if (action === 'begin') return BEGUN;
  if (action === 'reset') return IDLE;
  if (action === 'lost') return state.isRunning ? { ...state, isRunning: false } : state;
  return told(state, action);
}

function useProof(question: Question) {
  const [state, tell] = useReducer(proofReducer, IDLE);
  const proving = useRef<Proving>(undefined);
  // Another question: what was played is of the old one.
  useEffect(() => {
    tell('reset');
    return () => proving.current?.close();
  }, [question]);
  const run = (withFix: boolean) => {
    proving.current?.close();
    tell('begin');
    proving.current = prove(question, withFix, tell, () => tell('lost'));
  };
  return { state, run, cancel: () => proving.current?.cancel() };
}

function ProofView({ question, analysis }: { question: Question; analysis: Analysis }) {
  const texts = useTexts();
  const { t, code } = texts;
  const { server } = useWorld();
  const { state, run, cancel } = useProof(question);
  const witness = witnessOf(analysis);
  if (!witness && state.plays.length === 0) return <Empty>{t('advisor.nothingToPlay')}</Empty>;
  const canRun = witness !== undefined && !state.isRunning && server?.is_writable !== false;
  return (
    <>
      <p className="picker">
        <button type="button" className="primary" disabled={!canRun} onClick={() => run(false)}>
          ▶ {t('advisor.run')}
        </button>
        <button type="button" disabled={!canRun} onClick={() => run(true)}>
          ▶ {t('advisor.runFixed')}
        </button>
        {state.isRunning && (
          <button type="button" onClick={cancel}>
            {t('advisor.cancel')}
          </button>
        )}
        <span className="muted">{state.server ? t('advisor.onServer', { version: state.server.split(' ')[0]! }) : t('advisor.scratch')}</span>
      </p>
      {server?.is_writable === false && <p className="muted">{t('advisor.readOnly')}</p>}
      {state.problem && <ProblemNote problem={state.problem} />}
      {state.plays.length === 0 && witness && <Expected data={expected(witness)} />}
      {state.plays.map((play, index) => (
        <PlayView key={index} play={play} texts={texts} isOpen={index === 0 || index === state.plays.length - 1} />
      ))}
      <p role="status" data-proof={state.isRunning ? 'running' : state.agrees === undefined ? '' : String(state.agrees)} className={state.agrees === true ? 'verdict safe' : ''}>
        {state.isRunning ? t('advisor.running') : state.agrees === undefined ? '' : code('agrees', String(state.agrees))}
      </p>
      {state.notes.map((note) => (
        <p key={note} className="muted" lang="en">
          {note}
        </p>
      ))}
    </>
  );
}

function expected(witness: NonNullable<ReturnType<typeof witnessOf>>): ScheduleData {
  return {
    lanes: witness.transactions,
    steps: witness.steps.map((step) => ({ lane: step.transaction, text: step.sql, note: '', state: 'planned', hasWaited: step.waits })),
  };
}

function Expected({ data }: { data: ScheduleData }) {
  const texts = useTexts();
  const theme = useTheme();
  return (
    <>
      <h3>{texts.t('advisor.expected')}</h3>
      <Wide>{(width) => <Schedule data={data} width={Math.max(width, 280)} theme={theme} texts={texts} />}</Wide>
      <StepTable data={data} />
    </>
  );
}

function noteOf(step: Played['steps'][number]): string {
  if (step.sqlstate !== undefined) return `→ ${step.sqlstate}`;
  const rows = step.rows?.map((row) => row.map((value) => value ?? 'null').join(', ')).join(' | ');
  return rows ? `→ ${rows}` : '';
}

export function playedData(play: Played): ScheduleData {
  return {
    lanes: play.players,
    steps: play.steps.map((step) => ({ lane: step.player, text: step.sql, note: noteOf(step), state: step.state, hasWaited: step.hasWaited })),
  };
}

/** Plays that are over and of which there are many are folded up: their outcome stays. */
function PlayView({ play, texts, isOpen }: { play: Played; texts: Texts; isOpen: boolean }) {
  const { t } = texts;
  const theme = useTheme();
  const data = playedData(play);
  const outcome = play.outcome;
  return (
    <section className={`play ${outcome?.outcome ?? 'open'}`} data-play={play.fix ? 'fixed' : 'witness'} data-outcome={outcome?.outcome ?? ''}>
      <details open={isOpen}>
        <summary>{play.fix ? t(play.fix.changed > 0 ? 'advisor.withChanges' : 'advisor.withLevels', { count: play.fix.changed }) : t('advisor.asItIs')}</summary>
        <Wide>{(width) => <Schedule data={data} width={Math.max(width, 280)} theme={theme} texts={texts} />}</Wide>
        <StepTable data={data} />
      </details>
      <OutcomeView play={play} texts={texts} />
    </section>
  );
}

/** What came of a play, beside all serial orders. */
function OutcomeView({ play: { outcome, fix }, texts: { t } }: { play: Played; texts: Texts }) {
  if (!outcome) return null;
  if (outcome.outcome === 'serial') {
    return (
      <p className={fix ? 'verdict safe' : 'verdict'} role="status">
        <span aria-hidden="true">✓</span> {t(outcome.order.length > 0 ? 'advisor.isSerial' : 'advisor.noneCommitted', { order: outcome.order.join(' → ') })}
      </p>
    );
  }
  if (outcome.outcome === 'undecided') {
    return (
      <p className="verdict unknown" role="status">
        <span aria-hidden="true">?</span> {t('advisor.undecided')} <span lang="en">{outcome.because}</span>
      </p>
    );
  }
  return (
    <div className="verdict unsafe" role="status">
      <p>
        <span aria-hidden="true">✕</span> <strong>{t('advisor.isAnomaly', { orders: outcome.orders })}</strong>
      </p>
      <p>{t('advisor.nearest', { order: outcome.nearest.join(' → ') })}</p>
      <pre lang="en">{outcome.difference}</pre>
    </div>
  );
}

function StepTable({ data }: { data: ScheduleData }) {
  const { t, code } = useTexts();
  return (
    <details className="as-table">
      <summary>{t('advisor.asList', { count: data.steps.length })}</summary>
      <ol className="step-list">
        {data.steps.map((step, index) => (
          <li key={index}>
            <strong>{data.lanes[step.lane]?.name}</strong> <code>{step.text}</code> <small>{[code('step', step.state), step.hasWaited ? t('advisor.waited') : '', step.note].filter(Boolean).join(' · ')}</small>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Figure({ name, estimate }: { name: string; estimate: Estimate | undefined }) {
  const { t, number } = useTexts();
  const words = useWords();
  if (!estimate) return null;
  const { basis } = estimate;
  const isMeasured = basis.basis === 'measured';
  const about = isMeasured ? `${basis.study}, ${basis.arm}: ${words(basis.conditions)}` : words(basis.about);
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>
        <strong>{estimate.unit === '' ? `${number(estimate.value * 100, 1)} %` : `${number(estimate.value, estimate.value < 10 ? 1 : 0)} ${estimate.unit}`}</strong> <span className={isMeasured ? 'badge best' : 'badge'}>{t(isMeasured ? 'advisor.measured' : 'advisor.modelled')}</span>
        <small className="muted">{about}</small>
      </dd>
    </div>
  );
}

function Options({ decision }: { decision: Decision }) {
  const { t } = useTexts();
  const words = useWords();
  const [asked, setAsked] = useState<string>();
  const by = decision.ranked_by;
  const rejected = decision.rejected.find((each) => each.solution === asked);
  return (
    <>
      {decision.warnings.map((warning) => (
        <p key={warning.rule} className="warn">
          ⚠ {words(warning.text)}
        </p>
      ))}
      <ol className="options">
        {decision.ranked.map((option, place) => (
          <li key={option.solution} data-option={option.solution}>
            <h3>
              {words(option.name)} {place === 0 && <span className="badge best">{t('advisor.best')}</span>}
            </h3>
            <dl>
              <Figure name={t('advisor.throughput')} estimate={option.estimates.throughput} />
              <Figure name={t('advisor.latency')} estimate={option.estimates.latency} />
              <Figure name={t('advisor.retried')} estimate={option.estimates.retried} />
            </dl>
            {option.beside.length > 0 && <p>{t('advisor.beside', { what: option.beside.map((each) => words(each.name)).join(', ') })}</p>}
            <ul>
              {option.why.map((why) => (
                <li key={why.because.rule}>
                  {why.points > 0 ? '+' : '−'} {words(why.because.text)}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      {decision.ranked.length === 0 && <p className="verdict unsafe">{t('advisor.nothingFits')}</p>}
      <p className="muted">{words(by.because)}</p>
      <label className="why-not">
        {t('advisor.whyNot')}
        <select value={asked ?? ''} onChange={(event) => setAsked(event.target.value)}>
          <option value="">…</option>
          {decision.rejected.map((each) => (
            <option key={each.solution} value={each.solution}>
              {words(each.name)}
            </option>
          ))}
        </select>
      </label>
      <div role="status">
        {rejected && (
          <ul className="because">
            {rejected.because.map((because, index) => (
              <li key={index}>
                {words(because.text)} <small className="muted" lang="en">{because.source}</small>
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}
