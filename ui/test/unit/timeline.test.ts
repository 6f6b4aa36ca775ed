// The fold and the log: the same moments whichever way one comes to them.
import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { emptyMoment, fold, type Change, type PutItem } from '../../src/api/timeline.ts';
import { Log } from '../../src/state/log.ts';
import { sharedLog } from '../../src/state/shared.ts';
import { deadlock, session } from '../fixtures/stories.ts';

const put = (pid: number, query: string): PutItem => session(pid, 'A', { query });
const change = (seq: number, more: Partial<Change> = {}): Change => ({ seq, unix_us: seq * 1000, cause: 'sample', ...more }) as Change;

describe('fold', () => {
  test('puts and drops items, drops first', () => {
    const moment = emptyMoment();
    expect(fold(moment, change(1, { put: [put(1, 'a'), put(2, 'b')] }))).toBe(true);
    expect(fold(moment, change(2, { drop: ['session/1', 'session/2'], put: [put(2, 'c')] }))).toBe(true);
    expect([...moment.items.keys()]).toEqual(['session/2']);
    expect(moment.items.get('session/2')).toMatchObject({ query: 'c' });
    expect(moment.seq).toBe(2);
    expect(moment.unix_us).toBe(2000);
  });

  test('passes over what was folded in already', () => {
    const moment = emptyMoment();
    fold(moment, change(1, { put: [put(1, 'a')] }));
    expect(fold(moment, change(1, { drop: ['session/1'] }))).toBe(true);
    expect(moment.items.size).toBe(1);
  });

  test('changes nothing when a change is missing between', () => {
    const moment = emptyMoment();
    expect(fold(moment, change(2, { put: [put(1, 'a')] }))).toBe(false);
    expect(moment).toEqual(emptyMoment());
  });
});

/** Vectors that the fold in Rust makes and is held against too. */
interface Vector {
  name: string;
  changes: Change[];
  moment: { seq: number; items: Record<string, PutItem> };
}

describe('vectors of the fold in Rust', () => {
  const vectors = JSON.parse(readFileSync(new URL('../../../fixtures/timeline/fold.json', import.meta.url), 'utf8')) as Vector[];
  test('there are some', () => expect(vectors.length).toBeGreaterThan(2));
  test.each(vectors)('$name', ({ changes, moment }) => {
    const folded = emptyMoment();
    for (const each of changes) fold(folded, each);
    expect(folded.seq).toBe(moment.seq);
    expect(Object.fromEntries(folded.items)).toEqual(moment.items);
  });
});

/** A log in which each change renews one session and takes another away. */
function longLog(count: number): Log {
  const log = new Log();
  for (let seq = 1; seq <= count; seq++) log.push(change(seq, { put: [put(seq % 50, `q${seq}`)], drop: [`session/${(seq + 25) % 50}`] }));
  return log;
}

const shown = (log: Log, seq: number) => [...log.at(seq).items].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe('log', () => {
  test('the moment after a change is the same forwards, backwards and by leaps', () => {
    const forwards = longLog(1000);
    const leaping = longLog(1000);
    const expected = new Map<number, unknown>();
    for (let seq = 0; seq <= 1000; seq++) expected.set(seq, shown(forwards, seq));
    for (let seq = 1000; seq >= 0; seq -= 7) expect(shown(leaping, seq)).toEqual(expected.get(seq));
    for (let step = 0; step < 300; step++) {
      const seq = (step * 617) % 1001;
      expect(shown(leaping, seq)).toEqual(expected.get(seq));
    }
  });

  test('a change that is missing is refused, one that is known is passed over', () => {
    const log = longLog(10);
    expect(log.push(change(12))).toBe(false);
    expect(log.push(change(4))).toBe(true);
    expect(log.last).toBe(10);
  });

  test('forgets its oldest changes and still folds right', () => {
    const whole = longLog(20_500);
    expect(whole.changes.length).toBeLessThanOrEqual(20_000);
    expect(whole.first).toBeGreaterThan(0);
    const last = whole.at(20_000);
    const fresh = longLog(20_000);
    expect(Object.fromEntries(last.items)).toEqual(Object.fromEntries(fresh.at(20_000).items));
    expect(whole.at(1).seq).toBe(whole.first);
    expect(whole.change(whole.first + 1)?.seq).toBe(whole.first + 1);
  });

  test('finds the change at a time', () => {
    const log = longLog(100);
    expect(log.seqAt(0)).toBe(0);
    expect(log.seqAt(50_000)).toBe(50);
    expect(log.seqAt(50_999)).toBe(50);
    expect(log.seqAt(1e9)).toBe(100);
  });

  test('a shared recording whose beginning was cut off begins where it begins', () => {
    const { changes } = deadlock();
    const log = sharedLog({ moment: { seq: 4, at: { unix_us: 1 }, items: [] }, changes: changes.slice(4) });
    expect(log.first).toBe(4);
    expect(log.last).toBe(changes.length);
    expect(sharedLog({ changes: changes.slice(2) }).first).toBe(2);
  });
});
