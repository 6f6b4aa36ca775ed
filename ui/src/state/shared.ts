// A recording inside the page itself, in `<script type="application/json" id="pgstrata-recording">`.
import { momentOf, type Change, type PutItem } from '../api/timeline.ts';
import { Log } from './log.ts';

export const RECORDING_ID = 'pgstrata-recording';

/** What such an element holds. */
export interface SharedRecording {
  name?: string;
  /** The moment before the first change; an empty one if absent. */
  moment?: { seq: number; at?: { unix_us: number; lsn?: string }; items: PutItem[] };
  changes: Change[];
}

export interface Shared {
  name: string;
  log: Log;
}

export function sharedLog(recording: SharedRecording): Log {
  const { moment, changes } = recording;
  const first = changes[0];
  // Without a moment the log begins with the first change that is there, whatever its number.
  const begin = moment ? momentOf(moment.seq, moment.at?.unix_us ?? 0, moment.items, moment.at?.lsn) : momentOf((first?.seq ?? 1) - 1, first?.unix_us ?? 0, []);
  const log = new Log(begin);
  for (const change of changes) log.push(change);
  return log;
}

export function sharedRecording(page: Document): Shared | undefined {
  const text = page.getElementById(RECORDING_ID)?.textContent;
  if (!text) return undefined;
  const recording = JSON.parse(text) as SharedRecording;
  return { name: recording.name ?? 'pgstrata', log: sharedLog(recording) };
}
