// The proof on a server: the witness as it is expected, then played step by step, then gone with each fix; and random
// schedules of what is called safe.
import { useEffect, useReducer, useRef } from 'react';

import { prove, type Proving } from '../../api/prove.ts';
import type { Analysis, ProveMessage, ProveShow, Question, Witness } from '../../api/rest.ts';
import { Schedule, type ScheduleData, type ScheduleLink } from '../../charts/schedule.tsx';
import { useTexts, type Texts } from '../../i18n/index.ts';
import { useWords } from '../Cases.tsx';
import { useTheme, useWorld } from '../../state/context.ts';
import { BEGUN, IDLE, told, type Played, type PlayedStep, type ProofState, type Trial } from '../../state/play.ts';
import { ProblemNote, Wide } from '../../views/parts.tsx';
import { witnessOf } from './DecisionPane.tsx';

/** Random schedules of each set of levels, asked for by the page. */
const SCHEDULES = 100;

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
  const run = (show: ProveShow) => {
    proving.current?.close();
    tell('begin');
    proving.current = prove(question, show, tell, () => tell('lost'));
  };
  return { state, run, cancel: () => proving.current?.cancel() };
}

export function ProofView({ question, analysis }: { question: Question; analysis: Analysis }) {
  const texts = useTexts();
  const { t, code } = texts;
  const words = useWords();
  const { server } = useWorld();
  const { state, run, cancel } = useProof(question);
  const witness = witnessOf(analysis);
  const canRun = !state.isRunning && server?.is_writable !== false;
  // A witness is tried with other rows and values until it shows; the last attempt is what was shown.
  const lastAttempt = state.plays.findLastIndex((play) => !play.fix);
  const isIdle = state.plays.length === 0 && state.trials.length === 0;
  return (
    <>
      {!witness && <p className="muted">{t('advisor.nothingToPlay')}</p>}
      <p className="picker">
        {witness && (
          <>
            <button type="button" className="primary" disabled={!canRun} onClick={() => run('witness')}>
              ▶ {t('advisor.run')}
            </button>
            <button type="button" disabled={!canRun} onClick={() => run('fix')}>
              ▶ {t('advisor.runFixed')}
            </button>
          </>
        )}
        <button type="button" className={witness ? '' : 'primary'} disabled={!canRun} title={t('advisor.runRandomLong', { count: SCHEDULES })} onClick={() => run({ schedules: { count: SCHEDULES } })}>
          ▶ {t('advisor.runRandom')}
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
      {isIdle && witness && <Expected data={expectedData(witness)} />}
      {lastAttempt > 0 && <p className="muted">{t('advisor.attempts', { count: lastAttempt })}</p>}
      {state.plays.map((play, index) => index >= lastAttempt && <PlayView key={index} play={play} witness={witness} texts={texts} isOpen={index === lastAttempt || index === lastAttempt + 1 || (state.isRunning && index === state.plays.length - 1)} />)}
      {state.trials.length > 0 && <Trials trials={state.trials} />}
      <p role="status" data-proof={state.isRunning ? 'running' : state.agrees === undefined ? '' : String(state.agrees)} className={state.agrees === undefined || state.isRunning ? '' : `verdict ${state.agrees ? 'safe' : 'unsafe'}`}>
        {state.isRunning ? t('advisor.running') : state.agrees === undefined ? '' : code('agrees', String(state.agrees))}
      </p>
      {state.seenIn === 'writers' && <p className="muted">{t('advisor.seenInWriters')}</p>}
      {state.notes.map((note) => (
        <p key={note.en} className="muted">
          {words(note)}
        </p>
      ))}
    </>
  );
}

/** The dependencies of the cycle as arrows between steps; `placeOf` finds a transaction's statement among them. */
function linksBetween(witness: Witness, placeOf: (transaction: number, statement: number) => number): ScheduleLink[] {
  const links = witness.cycle.map((each) => ({ from: placeOf(each.from, each.from_statement), to: placeOf(each.to, each.to_statement), kind: each.kind }));
  return links.filter(({ from, to }) => from >= 0 && to >= 0);
}

export function expectedData(witness: Witness): ScheduleData {
  return {
    lanes: witness.transactions,
    steps: witness.steps.map((step) => ({ lane: step.transaction, act: step.act, text: step.sql, note: '', state: 'planned', hasWaited: step.waits })),
    links: linksBetween(witness, (transaction, statement) => witness.steps.findIndex((step) => step.transaction === transaction && step.statement === statement)),
  };
}

function noteOf(step: PlayedStep, play: Played, { t }: Texts): string {
  const who = step.waitedFor.map((player) => play.players[player]?.name ?? '').join(', ');
  if (step.state === 'waiting') return t('advisor.waitsFor', { who });
  const waited = who === '' ? [] : [t('advisor.waitedFor', { who })];
  if (step.sqlstate !== undefined) return ['✕ ' + step.sqlstate, ...waited].join(' · ');
  const rows = step.rows?.map((row) => row.map((value) => value ?? 'null').join(', ')).join(' | ');
  const answer = rows ?? (step.act === 'statement' ? step.tag : undefined);
  return [...(answer === undefined ? [] : [`→ ${answer}`]), ...waited].join(' · ');
}

/** The place of a player's statement in a play: of the programs as they are, where nothing was put in between. */
function placeIn(steps: readonly PlayedStep[], player: number, statement: number): number {
  let seen = -1;
  return steps.findIndex((step) => step.player === player && step.act === 'statement' && ++seen === statement);
}

const isOf = (play: Played, witness: Witness) => play.players.length === witness.transactions.length && play.players.every((player, index) => player.program === witness.transactions[index]!.program);

/** What an earlier answer is put in for, by its name: whose answer it was is the lane's. */
const readable = (sql: string) => sql.replaceAll(/:'[^'.]+\.([^']+)'/g, ':$1');

export function playedData(play: Played, witness: Witness | undefined, texts: Texts): ScheduleData {
  return {
    lanes: play.players,
    steps: play.steps.map((step) => ({ lane: step.player, act: step.act, text: readable(step.sql), note: noteOf(step, play, texts), state: step.state, hasWaited: step.waitedFor.length > 0, ...(step.waitedFor.length > 0 && step.until !== undefined ? { until: step.until } : {}) })),
    // With a fix there is no cycle, and what is played may be another witness.
    links: witness && !play.fix && isOf(play, witness) ? linksBetween(witness, (player, statement) => placeIn(play.steps, player, statement)) : [],
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

/** Plays that are over and of which there are many are folded up: their outcome stays. */
function PlayView({ play, witness, texts, isOpen }: { play: Played; witness: Witness | undefined; texts: Texts; isOpen: boolean }) {
  const { t } = texts;
  const theme = useTheme();
  const data = playedData(play, witness, texts);
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
  const words = useWords();
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
        <span aria-hidden="true">?</span> {t('advisor.undecided')} {words(outcome.because)}
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

function Trials({ trials }: { trials: Trial[] }) {
  const { t, code } = useTexts();
  return (
    <ul className="trials">
      {trials.map((trial, index) => (
        <li key={index} data-trial={trial.of} data-anomalies={trial.anomalies} data-schedules={trial.schedules}>
          <span>{code('tried', trial.of)}</span>
          <progress max={trial.planned} value={trial.schedules} aria-label={code('tried', trial.of)} />
          <strong className={trial.anomalies > 0 ? 'danger' : ''}>{t('advisor.trial', { schedules: trial.schedules, planned: trial.planned, anomalies: trial.anomalies })}</strong>
        </li>
      ))}
    </ul>
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
            <strong>{data.lanes[step.lane]?.name}</strong> <code>{step.text}</code> <small>{[code('step', step.state), step.note === '' && step.hasWaited ? t('advisor.waited') : '', step.note].filter(Boolean).join(' · ')}</small>
          </li>
        ))}
      </ol>
    </details>
  );
}
