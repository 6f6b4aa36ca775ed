// A moment, sorted by kind, for those who draw it.
import type { Kind, Moment, PutItem, PutOf } from '../api/timeline.ts';

export type Sorted = { [K in Kind]: PutOf<K>[] } & {
  seq: number;
  unix_us: number;
  lsn?: string | undefined;
  items: ReadonlyMap<string, PutItem>;
  /** Verdicts of one viewer by version are asked for often. */
  judge: (viewer: string, version: string) => PutOf<'verdict'> | undefined;
};

const KINDS: Kind[] = [
  'server',
  'session',
  'transaction',
  'version',
  'page',
  'line',
  'wait',
  'serializable',
  'conflict',
  'horizon',
  'viewer',
  'verdict',
];

export function sorted(moment: Moment): Sorted {
  const groups = Object.fromEntries(KINDS.map((kind) => [kind, [] as PutItem[]]));
  // A copy: the log goes on under those who look at it.
  const items = new Map(moment.items);
  for (const item of items.values()) groups[item.kind]?.push(item);
  const judge = (viewer: string, version: string) => {
    const found = items.get(`verdict/${viewer}/${version}`);
    return found?.kind === 'verdict' ? found : undefined;
  };
  return { ...(groups as { [K in Kind]: PutOf<K>[] }), seq: moment.seq, unix_us: moment.unix_us, lsn: moment.lsn, items, judge };
}
