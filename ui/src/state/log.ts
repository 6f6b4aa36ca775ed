// The log that a page looks at, live or recorded: changes in order, with moments kept at intervals so that any moment
// is a short fold away. Bounded: of a live log the oldest changes are let go.
import { copyOf, emptyMoment, fold, type Change, type Moment } from '../api/timeline.ts';

/** A moment is kept every so many changes. */
const KEYFRAME_EVERY = 64;
/** Changes that are kept of a live log; at ten a second, more than half an hour. */
export const CHANGES_KEPT = 20_000;
/** Items in all kept moments together; above, every second one is let go. */
const KEYFRAME_ITEMS = 2_000_000;

export class Log {
  /** In order, without gaps; the first follows `keyframes[0]`. */
  readonly changes: Change[] = [];
  private keyframes: Moment[];
  private readonly head: Moment;
  private cached: Moment;
  private spacing = KEYFRAME_EVERY;

  constructor(begin: Moment = emptyMoment()) {
    this.keyframes = [copyOf(begin)];
    this.head = copyOf(begin);
    this.cached = copyOf(begin);
  }

  /** The oldest moment that can be shown. */
  get first(): number {
    return this.keyframes[0]!.seq;
  }

  get last(): number {
    return this.head.seq;
  }

  /** Appends a change; false if one is missing before it. */
  push(change: Change): boolean {
    if (change.seq <= this.head.seq) return true;
    if (!fold(this.head, change)) return false;
    this.changes.push(change);
    if (change.seq - this.keyframes.at(-1)!.seq >= this.spacing) this.keep();
    if (this.changes.length > CHANGES_KEPT) this.forget();
    return true;
  }

  /** The moment after the change `seq`; the nearest one if that is not kept. The caller must not change it. */
  at(seq: number): Moment {
    const wanted = Math.min(Math.max(seq, this.first), this.last);
    if (wanted === this.last) return { ...this.head };
    const keyframe = this.keyframes[this.keyframeBefore(wanted)]!;
    // Playing forward goes on from where the last question ended.
    if (this.cached.seq > wanted || this.cached.seq < keyframe.seq) this.cached = copyOf(keyframe);
    while (this.cached.seq < wanted) fold(this.cached, this.change(this.cached.seq + 1)!);
    return { ...this.cached };
  }

  /** The change with this number, if it is kept. */
  change(seq: number): Change | undefined {
    return this.changes[seq - this.first - 1];
  }

  /** The number of the last change at or before this time. */
  seqAt(unix_us: number): number {
    let [low, high] = [0, this.changes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.changes[middle]!.unix_us <= unix_us) low = middle + 1;
      else high = middle;
    }
    return this.first + low;
  }

  private keyframeBefore(seq: number): number {
    let [low, high] = [0, this.keyframes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keyframes[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }

  private keep() {
    this.keyframes.push(copyOf(this.head));
    const items = this.keyframes.reduce((sum, moment) => sum + moment.items.size, 0);
    if (items > KEYFRAME_ITEMS && this.keyframes.length > 2) {
      this.keyframes = this.keyframes.filter((_, index) => index % 2 === 0);
      this.spacing *= 2;
    }
  }

  /** Lets the changes before the second kept moment go. */
  private forget() {
    if (this.keyframes.length < 2) return;
    const gone = this.keyframes[1]!.seq - this.keyframes[0]!.seq;
    this.keyframes.shift();
    this.changes.splice(0, gone);
    if (this.cached.seq < this.first) this.cached = copyOf(this.keyframes[0]!);
  }
}
