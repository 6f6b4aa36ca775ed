// A stretch of the log as lanes: one for each session, with its transactions, statements, waits and snapshots as spans.
import type { Change, PutOf } from '../api/timeline.ts';
import type { Log } from './log.ts';

/** Lanes that are drawn; the most eventful ones come first. */
export const LANES_DRAWN = 12;
/** Changes that are laid out at once. */
export const CHANGES_DRAWN = 600;

/** From one change to another. A point of both axes: by order and by the clock. */
export interface Span {
  from: Point;
  to: Point;
  /** Whether it goes on beyond what is drawn. */
  open: boolean;
}

export interface Point {
  seq: number;
  us: number;
}

export interface TransactionSpan extends Span {
  xid?: number | undefined;
  end?: 'committed' | 'aborted' | undefined;
  isolation?: string | undefined;
}

export interface StatementSpan extends Span {
  sql: string;
  answer?: string | undefined;
  sqlstate?: string | undefined;
  /** Whether the client said it, or a sample happened to find it. */
  origin: 'exact' | 'sampled';
}

export interface WaitSpan extends Span {
  key: string;
  mode: string;
  object: string;
  blockers: number[];
  isInCycle: boolean;
}

export interface SnapshotSpan extends Span {
  snapshot: string;
  isSuboverflowed: boolean;
}

export interface Lane {
  /** The session's key. */
  key: string;
  pid?: number | undefined;
  name: string;
  state: string;
  isolation?: string | undefined;
  transactions: TransactionSpan[];
  statements: StatementSpan[];
  waits: WaitSpan[];
  snapshots: SnapshotSpan[];
  /** How much happened: what decides who is drawn. */
  weight: number;
}

export interface Lanes {
  lanes: Lane[];
  /** Sessions that had no place. */
  more: number;
  from: Point;
  to: Point;
  /** Every change in between, for the axis by order. */
  points: Point[];
}

interface Open {
  lane: Lane;
  transaction?: TransactionSpan | undefined;
  statement?: StatementSpan | undefined;
  snapshot?: SnapshotSpan | undefined;
  since?: number | undefined;
}

class Weaver {
  private readonly open = new Map<string, Open>();
  private readonly waits = new Map<string, { span: WaitSpan; owner: string }>();
  private readonly ends = new Map<number, 'committed' | 'aborted'>();

  lanes(): Lane[] {
    return [...this.open.values()].map(({ lane }) => lane);
  }

  session(item: PutOf<'session'>, at: Point, isFirst: boolean): void {
    const open = this.laneOf(item.key, item.name, item.pid);
    const { lane } = open;
    lane.state = item.state;
    lane.isolation = item.isolation;
    lane.name = item.name === '' ? String(item.pid) : item.name;
    if (!isFirst) lane.weight += 1;
    if (open.since !== item.transaction_since_us && open.transaction) this.endTransaction(open, at);
    if (item.transaction_since_us !== undefined && !open.transaction) {
      open.transaction = { from: at, to: at, open: true, xid: item.xid, isolation: item.isolation };
      lane.transactions.push(open.transaction);
      lane.weight += isFirst ? 5 : 1;
    }
    open.since = item.transaction_since_us;
    if (open.transaction) {
      open.transaction.xid = item.xid ?? open.transaction.xid;
      open.transaction.isolation = item.isolation ?? open.transaction.isolation;
    }
    this.snapshot(open, item, at);
    this.sampledStatement(open, item, at);
  }

  private snapshot(open: Open, item: PutOf<'session'>, at: Point): void {
    const held = item.snapshot;
    if (open.snapshot && open.snapshot.snapshot !== held?.snapshot) {
      close(open.snapshot, at);
      open.snapshot = undefined;
    }
    if (held && !open.snapshot) {
      open.snapshot = { from: at, to: at, open: true, snapshot: held.snapshot, isSuboverflowed: held.is_suboverflowed };
      open.lane.snapshots.push(open.snapshot);
    }
  }

  /** What a sample found running, unless the client itself said what it sent. */
  private sampledStatement(open: Open, item: PutOf<'session'>, at: Point): void {
    if (open.statement?.origin === 'exact') return;
    const isActive = item.state === 'active' && item.backend_type === 'client backend';
    if (open.statement && (!isActive || open.statement.sql !== item.query)) {
      close(open.statement, at);
      open.statement = undefined;
    }
    // A picture may be older than the answer that came before it.
    const last = open.lane.statements.at(-1);
    const isAnswered = last?.origin === 'exact' && last.sql === item.query;
    if (isActive && !open.statement && !isAnswered) {
      open.statement = { from: at, to: at, open: true, sql: item.query, origin: 'sampled' };
      open.lane.statements.push(open.statement);
    }
  }

  wait(item: PutOf<'wait'>, at: Point): void {
    const known = this.waits.get(item.key);
    const owner = `session/${item.pid}`;
    const { lane } = this.laneOf(owner, String(item.pid), item.pid);
    const span = known?.span ?? { key: item.key, from: at, to: at, open: true, mode: '', object: '', blockers: [], isInCycle: false };
    span.mode = `${item.lock_type} ${item.mode}`;
    span.object = item.object;
    span.blockers = item.blockers.map((blocker) => blocker.pid);
    span.isInCycle ||= item.is_in_cycle;
    if (item.until_us !== undefined) close(span, at);
    if (known) return;
    lane.waits.push(span);
    lane.weight += 4;
    this.waits.set(item.key, { span, owner });
    for (const pid of span.blockers) if (pid > 0) this.laneOf(`session/${pid}`, String(pid), pid).lane.weight += 3;
  }

  ended(item: PutOf<'transaction'>): void {
    if (item.state !== 'committed' && item.state !== 'aborted') return;
    this.ends.set(item.xid, item.state);
    for (const { lane } of this.open.values()) {
      for (const span of lane.transactions) if (span.xid === item.xid) span.end = item.state;
    }
  }

  cause(change: Change, at: Point): void {
    if (change.cause === 'statement') {
      const open = this.laneOf(`session/${change.pid}`, change.console, change.pid);
      if (open.statement) close(open.statement, at);
      open.statement = { from: at, to: at, open: true, sql: change.sql, origin: 'exact' };
      open.lane.statements.push(open.statement);
      open.lane.weight += 6;
    } else if (change.cause === 'answer') {
      const open = this.laneOf(`session/${change.pid}`, change.console, change.pid);
      if (!open.statement) return;
      open.statement.answer = change.text;
      open.statement.sqlstate = change.sqlstate;
      close(open.statement, at);
      open.statement = undefined;
    }
  }

  dropped(key: string, at: Point): void {
    const wait = this.waits.get(key);
    if (wait) {
      close(wait.span, at);
      this.waits.delete(key);
    }
    const open = this.open.get(key);
    if (!open) return;
    if (open.transaction) this.endTransaction(open, at);
    if (open.snapshot) close(open.snapshot, at);
    if (open.statement) close(open.statement, at);
    [open.snapshot, open.statement, open.since] = [undefined, undefined, undefined];
    open.lane.state = 'gone';
  }

  /** Lets what is open go on to the end. */
  finish(at: Point): void {
    for (const { lane } of this.open.values()) {
      for (const span of [...lane.transactions, ...lane.statements, ...lane.waits, ...lane.snapshots]) if (span.open) span.to = at;
    }
  }

  private endTransaction(open: Open, at: Point): void {
    if (!open.transaction) return;
    close(open.transaction, at);
    if (open.transaction.xid !== undefined) open.transaction.end = this.ends.get(open.transaction.xid);
    open.transaction = undefined;
  }

  private laneOf(key: string, name: string, pid?: number): Open {
    const known = this.open.get(key);
    if (known) return known;
    const lane: Lane = { key, pid, name, state: '', transactions: [], statements: [], waits: [], snapshots: [], weight: 0 };
    const open: Open = { lane };
    this.open.set(key, open);
    return open;
  }
}

function close(span: Span, at: Point): void {
  span.to = at;
  span.open = false;
}

/** Background processes get a lane only if they hold something back. */
function isShown(item: PutOf<'session'>): boolean {
  return item.backend_type === 'client backend' || item.backend_xmin !== undefined;
}

/** Those of the cast, whoever waits for one of them, and whom they wait for. */
function playing(lanes: Lane[], cast: ReadonlySet<number>): Lane[] {
  const related = new Set(cast);
  for (const { pid, waits } of lanes) {
    const blockers = waits.flatMap((wait) => wait.blockers);
    if (pid !== undefined && cast.has(pid)) for (const each of blockers) related.add(each);
    else if (pid !== undefined && blockers.some((each) => cast.has(each))) related.add(pid);
  }
  return lanes.filter(({ pid }) => pid !== undefined && related.has(pid));
}

/** Lays the changes `from + 1 ..= to` out as lanes. With a cast (the processes of a scene), others have none. */
export function lanesOf(log: Log, from: number, to: number, cast?: ReadonlySet<number>): Lanes {
  const begin = log.at(from);
  const first = { seq: begin.seq, us: begin.unix_us };
  const weaver = new Weaver();
  for (const item of begin.items.values()) {
    if (item.kind === 'session' && isShown(item)) weaver.session(item, first, true);
    if (item.kind === 'wait' && item.until_us === undefined) weaver.wait(item, first);
  }
  const points: Point[] = first.us === 0 ? [] : [first];
  let at: Point = first;
  for (let seq = begin.seq + 1; seq <= to; seq++) {
    const change = log.change(seq);
    if (!change) break;
    at = { seq, us: change.unix_us };
    points.push(at);
    for (const key of change.drop ?? []) weaver.dropped(key, at);
    for (const item of change.put ?? []) {
      if (item.kind === 'session' && isShown(item)) weaver.session(item, at, false);
      else if (item.kind === 'wait') weaver.wait(item, at);
      else if (item.kind === 'transaction') weaver.ended(item);
    }
    weaver.cause(change, at);
  }
  weaver.finish(at);
  const everybody = weaver.lanes();
  // Who did nothing at all while others did has no lane.
  const busy = everybody.filter((lane) => lane.weight > 0);
  const wanted = cast ? playing(everybody, cast) : busy;
  const all = wanted.length > 0 ? wanted : everybody;
  const kept = all.toSorted((a, b) => b.weight - a.weight).slice(0, LANES_DRAWN);
  const lanes = kept.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  return { lanes, more: all.length - lanes.length, from: points[0] ?? first, to: at, points };
}
