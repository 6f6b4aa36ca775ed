// The types of the REST interface, by the names that the page uses.
import type { Change, PutItem, Tier } from './timeline.ts';

export interface Words {
  en: string;
  zh: string;
}

export interface ProblemBody {
  title: string;
  status: number;
  code: string;
  detail: string;
  hint?: string;
  sqlstate?: string;
}

export interface Limits {
  consoles: number;
  statement_bytes: number;
  rows: number;
  queued_runs: number;
  import_bytes: number;
}

export interface ServerStatus {
  address: string;
  database: string;
  version: string;
  is_private: boolean;
  is_writable: boolean;
  is_up: boolean;
  tiers: Tier[];
  notes: string[];
}

export interface Status {
  version: string;
  started_us: number;
  now_us: number;
  server: ServerStatus;
  limits: Limits;
  has_book: boolean;
  run?: string;
}

export interface Table {
  oid: number;
  schema: string;
  name: string;
  key: string[];
  rows?: number;
  bytes: number;
  is_readable: boolean;
}

export interface Tables {
  tables: Table[];
  is_cut: boolean;
}

export interface Watch {
  table?: string;
  row?: string;
  viewers?: string[];
}

export interface LiveMoment {
  log: string;
  watch: Watch;
  seq: number;
  at?: { unix_us: number; lsn?: string };
  items: PutItem[];
}

export type TransactionStatus = 'idle' | 'open' | 'failed';
export type StatementState = 'running' | 'done' | 'failed';

export interface Answer {
  tag: string;
  columns: string[];
  rows: (string | null)[][];
  is_cut: boolean;
}

export interface SqlError {
  severity: string;
  sqlstate: string;
  message: string;
  detail?: string;
  hint?: string;
  position?: number;
}

export interface Statement {
  console: string;
  number: number;
  sql: string;
  state: StatementState;
  began_us: number;
  ended_us?: number;
  answers: Answer[];
  error?: SqlError;
}

export interface Console {
  id: string;
  name: string;
  pid: number;
  transaction: TransactionStatus;
  statement?: Statement;
  is_lost: boolean;
}

export interface Scenario {
  file: string;
  text: string;
}

export interface SceneCard {
  name: string;
  title: Words;
  summary: Words;
  sessions: string[];
  steps: number;
  obstacle?: string;
}

export interface SceneStep {
  session: string;
  sql: string;
  note: Words;
  statement?: Statement;
}

export interface Scene {
  name: string;
  title: Words;
  summary: Words;
  sessions: { name: string; pid: number; isolation: string }[];
  table: string;
  row?: string;
  steps: SceneStep[];
  next: number;
  moral: Words;
}

export interface Recording {
  id: string;
  name: string;
  is_recording: boolean;
  watch: Watch;
  server_version: string;
  tiers: Tier[];
  began_us: number;
  ended_us: number;
  first: number;
  last: number;
  bytes: number;
  is_cut: boolean;
}

export interface Changes {
  changes: Change[];
  last: number;
}

export type Expectation = 'broken' | 'naive' | 'textbook' | 'best';

export interface ArmCard {
  name: string;
  title: Words;
  summary: Words;
  kind: Expectation;
  clients: number;
  statements: { file: string; sql: string }[];
}

export interface StudyCard {
  id: string;
  name: string;
  title: Words;
  summary: Words;
  operation: Words;
  baseline: string;
  arms: ArmCard[];
  invariants: { id: string; statement: Words }[];
  claims: { name: string; statement: Words; arm: string; target: number; unit: string }[];
}

export interface Studies {
  studies: StudyCard[];
  faults: { name: string; usage: string; summary: Words }[];
}

export interface RunRequest {
  study: string;
  arms?: string[];
  preset?: 'smoke' | 'ci' | 'full';
  clients?: number;
  rate?: number;
  faults?: string;
  duration_ms?: number;
  seed?: number;
}

export interface Pulse {
  arm: string;
  trial: number;
  at_ms: number;
  per_second: number;
  failed_per_second: number;
  latency_us_p50?: number;
  latency_us_p99?: number;
}

export interface Run {
  id: string;
  request: RunRequest;
  command: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  version: number;
  asked_us: number;
  began_us?: number;
  ended_us?: number;
  trials: number;
  trials_done: number;
  estimate_s: number;
  now: string;
  record?: string;
  held?: boolean;
  problem?: ProblemBody;
  pulse?: Pulse;
}

export interface RunDetail {
  run: Run;
  pulses: Pulse[];
}

export interface RecordEntry {
  id: string;
  study: string;
  preset: string;
  started_at: string;
  host: string;
  is_own: boolean;
}

export interface ArmResult {
  name: string;
  kind: Expectation;
  broken: { invariant: string; found: string; count: number; witnesses: unknown[] }[];
  per_second?: number;
  per_second_interval?: [number, number];
  ratio?: [number, number, number];
  latency_us_p50?: number;
  latency_us_p99?: number;
  retries_per_op?: number;
  server_cpu_us_per_op?: number;
  wal_bytes_per_op?: number;
}

export interface RecordDetail {
  entry: RecordEntry;
  command: string;
  seed: number;
  seconds: number;
  version: string;
  commit: string;
  machine: string;
  servers: string[];
  baseline?: string;
  arms: ArmResult[];
  claims: { name: string; statement: string; target: number; unit: string; outcome: 'held' | 'missed' | 'inconclusive'; measured?: number; why?: string }[];
  invalid: string[];
  charts: ('throughput' | 'latency' | 'timeline' | 'pairs')[];
}

export type ArmSide = { side: 'absent' } | { side: 'violated'; invariants: string } | { side: 'unmeasured' } | { side: 'measured'; per_second: number };

export interface RecordComparison {
  before: RecordEntry;
  after: RecordEntry;
  arms: { arm: string; before: ArmSide; after: ArmSide; ratio?: [number, number, number] }[];
  changes: { what: string; before: string; after: string }[];
}

export type ClientMessage = ({ type: 'watch'; log?: string; after?: number } & Watch) | { type: 'ping' };

export type ServerMessage =
  | ({ type: 'moment' } & LiveMoment)
  | ({ type: 'change' } & Change)
  | { type: 'resumed'; log: string; after: number }
  | { type: 'lagged' }
  | ({ type: 'problem' } & ProblemBody)
  | ({ type: 'run' } & Run)
  | ({ type: 'statement' } & Statement)
  | { type: 'pong' };
