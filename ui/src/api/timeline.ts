// What happened in a server, as one log that folds into moments: the page's side of `crates/timeline`. The types are
// those of the server's OpenAPI document; the fold is the same as `Moment::fold`, and tested with the same vectors.
import type { Told } from './rest.ts';
import type { components } from './schema.ts';

type Of<Name extends keyof components['schemas']> = Told<components['schemas'][Name]>;

export type Origin = Of<'Origin'>;
export type Tier = Of<'Tier'>;
export type Server = Of<'Server'>;
export type Session = Of<'Session'>;
export type Transaction = Of<'Transaction'>;
export type RowVersion = Of<'RowVersion'>;
export type Page = Of<'Page'>;
export type Line = Of<'Line'>;
export type Wait = Of<'Wait'>;
export type SerializableTransaction = Of<'SerializableTransaction'>;
export type Conflict = Of<'Conflict'>;
export type Horizon = Of<'Horizon'>;
export type Viewer = Of<'Viewer'>;
export type Verdict = Of<'Verdict'>;

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

export type Cause = Of<'Cause'>;
export type Change = Of<'At'> & Cause & { seq: number; put?: PutItem[]; drop?: string[] };

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
