// What a proof has told so far, folded: who plays, what each step came to, and how it ended. A pure function of messages.
import type { Level, PlayOutcome, ProblemBody, ProveMessage, Words } from '../api/rest.ts';

export type StepState = 'running' | 'waiting' | 'done' | 'failed';

export interface PlayedStep {
  player: number;
  act: 'begin' | 'statement' | 'commit';
  sql: string;
  state: StepState;
  /** For whom it waited for a while, whatever came of it. */
  waitedFor: number[];
  /** The last step that had been sent when it ended. */
  until?: number;
  tag?: string;
  rows?: (string | null)[][];
  sqlstate?: string;
  message?: string;
  /** The transaction had lost before, and began again. */
  isAgain: boolean;
}

export interface Played {
  /** Levels and changes, where it is not the program as it is. */
  fix: { levels: Record<string, Level>; changed: number } | undefined;
  players: { name: string; program: string; level: Level; arguments: Record<string, string> }[];
  steps: PlayedStep[];
  outcome: PlayOutcome | undefined;
}

/** Random schedules of what is called safe. */
export interface Trial {
  /** Of what, in English. */
  of: string;
  schedules: number;
  planned: number;
  anomalies: number;
}

export interface ProofState {
  server: string | undefined;
  plays: Played[];
  trials: Trial[];
  isRunning: boolean;
  agrees: boolean | undefined;
  /** In what the witness was seen. */
  seenIn: 'values' | 'writers' | undefined;
  notes: Words[];
  problem: ProblemBody | undefined;
}

export const IDLE: ProofState = { server: undefined, plays: [], trials: [], isRunning: false, agrees: undefined, seenIn: undefined, notes: [], problem: undefined };
export const BEGUN: ProofState = { ...IDLE, isRunning: true };

/** The last step of a player that has not ended. */
function lastOf(steps: readonly PlayedStep[], player: number): number {
  return steps.findLastIndex((step) => step.player === player && (step.state === 'running' || step.state === 'waiting'));
}

function withPlay(state: ProofState, change: (play: Played) => Played): ProofState {
  const last = state.plays.at(-1);
  return last ? { ...state, plays: [...state.plays.slice(0, -1), change(last)] } : state;
}

function withStep(state: ProofState, player: number, change: (step: PlayedStep, sent: number) => PlayedStep): ProofState {
  return withPlay(state, (play) => {
    const index = lastOf(play.steps, player);
    return index < 0 ? play : { ...play, steps: play.steps.map((step, at) => (at === index ? change(step, play.steps.length - 1) : step)) };
  });
}

export function told(state: ProofState, message: ProveMessage): ProofState {
  switch (message.type) {
    case 'prepared':
      return { ...state, server: message.server };
    case 'began':
      return { ...state, plays: [...state.plays, { fix: message.fix as Played['fix'], players: message.players as Played['players'], steps: [], outcome: undefined }] };
    case 'step-began':
      return withPlay(state, (play) => {
        const isAgain = play.steps.some((step) => step.player === message.player && step.state === 'failed');
        return { ...play, steps: [...play.steps, { player: message.player, act: message.act, sql: message.sql, state: 'running', waitedFor: [], isAgain }] };
      });
    case 'blocked':
      return withStep(state, message.player, (step) => ({ ...step, state: 'waiting', waitedFor: message.by }));
    case 'step-done': {
      const rows = message.rows as (string | null)[][] | undefined;
      return withStep(state, message.player, (step, until) => ({ ...step, state: 'done', until, tag: message.tag, ...(rows ? { rows } : {}) }));
    }
    case 'failed':
      return withStep(state, message.player, (step, until) => ({ ...step, state: 'failed', until, sqlstate: message.sqlstate, message: message.message }));
    case 'compared':
      return withPlay(state, (play) => ({ ...play, outcome: message.outcome }));
    case 'done':
      return { ...state, isRunning: false, agrees: message.agrees, seenIn: message.seen_in, notes: message.notes };
    case 'problem':
      return { ...state, isRunning: false, problem: message.problem as ProblemBody };
    case 'random': {
      const { of, schedules, planned, anomalies } = message;
      const last = state.trials.at(-1);
      // Two trials may be of the same: the next begins when the one before is through.
      const isSame = last !== undefined && last.of === of && last.schedules < schedules;
      return { ...state, trials: [...(isSame ? state.trials.slice(0, -1) : state.trials), { of, schedules, planned, anomalies }] };
    }
    case 'retried':
      // What its lost transaction had been sent still came to nothing.
      return withStep(state, message.player, (step, until) => ({ ...step, state: 'failed', until }));
  }
}
