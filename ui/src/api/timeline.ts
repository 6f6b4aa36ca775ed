// What happened in a server, as one log that folds into moments: the page's side of `crates/timeline`. The types are
// those of the server's OpenAPI document; the fold is the same as `Moment::fold`, and tested with the same vectors.

export type Origin = 'exact' | 'sampled' | 'inferred';
export type Tier = 'sql' | 'pageinspect' | 'extension' | 'preloaded' | 'wal';
export type TransactionState = 'in-progress' | 'prepared' | 'committed' | 'aborted' | 'unknown';
export type LockMode = 'key-share' | 'share' | 'no-key-update' | 'update';
export type XmaxKind = 'none' | 'update' | 'delete' | 'lock' | 'multi';
export type Fate = 'live' | 'pending' | 'aborted' | 'replaced' | 'deleted' | 'removed' | 'unknown';
export type LineState = 'unused' | 'normal' | 'redirect' | 'dead';
export type HolderKind = 'session' | 'prepared' | 'slot' | 'standby' | 'none';

export interface Server {
  version: string;
  tiers: Tier[];
  is_up: boolean;
  notes: string[];
  lsn?: string;
  next_xid: number;
  sessions: number;
}

export interface SessionSnapshot {
  snapshot: string;
  command: number;
  is_suboverflowed: boolean;
}

export interface Session {
  pid: number;
  name: string;
  user: string;
  database: string;
  state: string;
  backend_type: string;
  isolation?: string;
  xid?: number;
  backend_xmin?: number;
  transaction_since_us?: number;
  query: string;
  waits_for?: string;
  snapshot?: SessionSnapshot;
}

export interface Transaction {
  xid: number;
  top?: number;
  state: TransactionState;
  pid?: number;
  began?: string;
  ended?: string;
  ended_us?: number;
}

export interface Member {
  xid: number;
  mode: LockMode;
  is_change: boolean;
  state: TransactionState;
}

export type Command = { id: number } | { combo: number };

export interface RowVersion {
  relation: number;
  block: number;
  offset: number;
  xmin: number;
  xmin_state: TransactionState;
  is_frozen: boolean;
  xmax?: number;
  xmax_kind: XmaxKind;
  xmax_state?: TransactionState;
  members?: Member[];
  command?: Command;
  next?: [number, number];
  parent?: string;
  parent_origin?: Origin;
  is_hot_updated: boolean;
  is_heap_only: boolean;
  flags: string[];
  row?: string;
  values?: Record<string, unknown>;
  bytes: number;
  fate: Fate;
  made?: string;
  removed?: string;
}

export interface Page {
  relation: number;
  block: number;
  lsn: string;
  lower: number;
  upper: number;
  special: number;
  prune_xid: number;
  is_all_visible?: boolean;
  is_all_frozen?: boolean;
}

export interface Line {
  relation: number;
  block: number;
  offset: number;
  state: LineState;
  at: number;
  bytes: number;
  to?: number;
  root?: number;
  version?: string;
}

export interface Blocker {
  pid: number;
  holds: boolean;
}

export interface Wait {
  pid: number;
  since_us: number;
  until_us?: number;
  lock_type: string;
  mode: string;
  object: string;
  blockers: Blocker[];
  is_in_cycle: boolean;
}

export interface SerializableTransaction {
  id: string;
  pid: number;
  xid?: number;
  state: TransactionState;
  is_doomed: boolean;
  is_read_only: boolean;
  is_pivot: boolean;
}

export interface Conflict {
  reader: string;
  writer: string;
  is_dangerous: boolean;
}

export interface Holder {
  kind: HolderKind;
  name: string;
  pid?: number;
  xmin: number;
  since_us?: number;
}

export interface Horizon {
  relation: number;
  name: string;
  xid: number;
  holders: Holder[];
  removable: number;
  kept: number;
  kept_bytes: number;
}

export interface Viewer {
  id: string;
  snapshot: string;
  is_own: boolean;
}

export interface Verdict {
  viewer: string;
  version: string;
  is_visible?: boolean;
  reason: string;
}

/** What an item is, by its kind. */
export interface Kinds {
  server: Server;
  session: Session;
  transaction: Transaction;
  version: RowVersion;
  page: Page;
  line: Line;
  wait: Wait;
  serializable: SerializableTransaction;
  conflict: Conflict;
  horizon: Horizon;
  viewer: Viewer;
  verdict: Verdict;
}

export type Kind = keyof Kinds;
export type PutOf<K extends Kind> = { [Each in K]: { key: string; origin: Origin; kind: Each } & Kinds[Each] }[K];
export type PutItem = PutOf<Kind>;

export type Cause =
  | { cause: 'begin' }
  | { cause: 'sample' }
  | { cause: 'record'; record_lsn: string; name: string; xid: number }
  | { cause: 'statement'; console: string; sql: string }
  | { cause: 'answer'; console: string; text: string; sqlstate?: string }
  | { cause: 'connection'; is_up: boolean; reason: string };

export type Change = Cause & {
  seq: number;
  /** Microseconds since 1970. */
  unix_us: number;
  lsn?: string;
  put?: PutItem[];
  drop?: string[];
};

/** All that is known of one point of time. `items` is changed in place by `fold`; copy it to keep it. */
export interface Moment {
  seq: number;
  unix_us: number;
  lsn?: string | undefined;
  items: Map<string, PutItem>;
}

export function emptyMoment(): Moment {
  return { seq: 0, unix_us: 0, items: new Map() };
}

/** A moment as the server sends it, made ready to be folded on. */
export function momentOf(seq: number, unix_us: number, items: PutItem[], lsn?: string): Moment {
  return { seq, unix_us, lsn, items: new Map(items.map((item) => [item.key, item])) };
}

export function copyOf(moment: Moment): Moment {
  return { ...moment, items: new Map(moment.items) };
}

/**
 * Folds one change in, in place. Changes that were folded in already are passed over. Returns false, and changes
 * nothing, if a change is missing between: the reader must ask for a moment.
 */
export function fold(moment: Moment, change: Change): boolean {
  if (change.seq <= moment.seq) return true;
  if (change.seq !== moment.seq + 1) return false;
  for (const key of change.drop ?? []) moment.items.delete(key);
  for (const put of change.put ?? []) moment.items.set(put.key, put);
  moment.seq = change.seq;
  moment.unix_us = change.unix_us;
  moment.lsn = change.lsn;
  return true;
}
