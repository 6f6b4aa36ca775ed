// The live connection: resumes where it was, asks for a moment when something is missing, begins anew for another log.
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { Live } from '../../src/api/live.ts';
import type { ClientMessage, ServerMessage } from '../../src/api/rest.ts';
import { session } from '../fixtures/stories.ts';

/** A socket of which the test is the other end. */
class Wire extends EventTarget {
  readyState = 0;
  sent: ClientMessage[] = [];
  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientMessage);
  }
  close() {
    this.drop();
  }
  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  say(message: ServerMessage) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }
  drop() {
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }
}

const moment = (log: string, seq: number): ServerMessage => ({ type: 'moment', log, watch: {}, seq, items: [session(1, 'A')] });
const change = (seq: number): ServerMessage => ({ type: 'change', seq, unix_us: seq, cause: 'sample', put: [session(1, `A${seq}`)] });

describe('live', () => {
  let wires: Wire[];
  let live: Live;
  const wire = () => wires.at(-1)!;
  beforeEach(() => {
    vi.useFakeTimers();
    wires = [];
    live = new Live(() => {
      wires.push(new Wire());
      return wire() as unknown as WebSocket;
    });
    live.watch({ table: 'public.account' });
    wire().open();
    wire().say(moment('one', 5));
    return () => {
      live.close();
      vi.useRealTimers();
    };
  });

  test('asks for what is watched, and folds what comes', () => {
    expect(wire().sent).toEqual([{ type: 'watch', table: 'public.account' }]);
    wire().say(change(6));
    expect(live.log.last).toBe(6);
    expect(live.log.at(6).items.get('session/1')).toMatchObject({ name: 'A6' });
  });

  test('a change that comes twice is folded once; a gap is mended by a moment', () => {
    wire().say(change(6));
    wire().say(change(6));
    expect(live.log.changes.length).toBe(1);
    wire().say(change(8));
    expect(live.log.last).toBe(6);
    expect(wire().sent.at(-1)).toEqual({ type: 'watch', table: 'public.account' });
    wire().say(moment('one', 8));
    expect(live.log.last).toBe(8);
  });

  test('a lost connection comes back where it was, later each time', () => {
    wire().say(change(6));
    wire().drop();
    expect(live.connection).toBe('lost');
    vi.advanceTimersByTime(400);
    expect(wires.length).toBe(2);
    wire().drop();
    vi.advanceTimersByTime(400);
    expect(wires.length).toBe(2);
    vi.advanceTimersByTime(400);
    wire().open();
    expect(wire().sent[0]).toEqual({ type: 'watch', table: 'public.account', log: 'one', after: 6 });
    wire().say({ type: 'resumed', log: 'one', after: 6 });
    wire().say(change(7));
    expect(live.log.changes.map((each) => each.seq)).toEqual([6, 7]);
    expect(live.connection).toBe('open');
  });

  test('another watch begins another log', () => {
    live.watch({ table: 'public.other' });
    expect(wire().sent.at(-1)).toEqual({ type: 'watch', table: 'public.other' });
    wire().say(moment('two', 0));
    expect(live.log.last).toBe(0);
    expect(live.log.changes).toEqual([]);
  });

  test('of runs and statements the newest is kept', () => {
    const run = (version: number) => ({ type: 'run', run: { id: 'r', version, state: 'running' } }) as unknown as ServerMessage;
    wire().say(run(3));
    wire().say(run(2));
    expect(live.runs.get('r')?.version).toBe(3);
  });
});
