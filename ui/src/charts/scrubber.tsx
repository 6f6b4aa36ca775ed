// The log as a strip to move along: how much happened when, where somebody waited, where something failed.
import type { Change } from '../api/timeline.ts';
import { Chart, px, type Drawing } from './draw.tsx';

/** Bars of the strip are at least this wide, pixels. */
const BAR = 3;
export const SCRUBBER_HEIGHT = 34;

export interface ScrubberData {
  /** The changes that are there, oldest first. */
  changes: readonly Change[];
  first: number;
  last: number;
  now: number;
  /** The moment that it is compared with. */
  compared?: number | undefined;
}

interface Bin {
  changes: number;
  statements: number;
  errors: number;
  waits: number;
}

/** Counts what happened, in as many bins as there is room for. */
export function bins({ changes, first, last }: ScrubberData, count: number): Bin[] {
  const list: Bin[] = Array.from({ length: count }, () => ({ changes: 0, statements: 0, errors: 0, waits: 0 }));
  const span = Math.max(last - first, 1);
  for (const change of changes) {
    const bin = list[Math.min(Math.floor(((change.seq - first - 1) / span) * count), count - 1)];
    if (!bin) continue;
    bin.changes += (change.put?.length ?? 0) + (change.drop?.length ?? 0);
    if (change.cause === 'statement' || change.cause === 'record') bin.statements += 1;
    if (change.cause === 'answer' && change.sqlstate) bin.errors += 1;
    bin.waits += change.put?.filter((item) => item.kind === 'wait').length ?? 0;
  }
  return list;
}

export function Scrubber({ data, width, theme, texts }: Drawing & { data: ScrubberData }) {
  const span = Math.max(data.last - data.first, 1);
  const count = Math.max(Math.min(Math.floor(width / BAR), span), 1);
  const list = bins(data, count);
  const highest = Math.max(...list.map((bin) => Math.log1p(bin.changes)), 1);
  const step = width / count;
  const x = (seq: number) => ((seq - data.first) / span) * width;
  const base = SCRUBBER_HEIGHT - 6;
  return (
    <Chart label={texts.t('scrubber.label', { count: data.changes.length })} width={width} height={SCRUBBER_HEIGHT}>
      <rect x={0} y={base} width={px(width)} height={1} fill={theme.edge} />
      {list.map((bin, index) => {
        const height = (Math.log1p(bin.changes) / highest) * (base - 6);
        const colour = bin.errors > 0 ? theme.danger : bin.waits > 0 ? theme.wait : bin.statements > 0 ? theme.accent : theme.edge;
        return (
          <g key={index}>
            {height > 0 && <rect x={px(index * step)} y={px(base - height)} width={px(Math.max(step - 0.8, 0.8))} height={px(height)} fill={colour} />}
            {bin.errors > 0 && <path d={`M${px(index * step + step / 2 - 3)} 0 h6 l-3 4.5 z`} fill={theme.danger} />}
          </g>
        );
      })}
      {data.compared !== undefined && <path d={`M${px(x(data.compared))} 0 V${SCRUBBER_HEIGHT}`} stroke={theme.unknown} strokeWidth={2} strokeDasharray="3 2" />}
      <path d={`M${px(x(data.now))} 0 V${SCRUBBER_HEIGHT}`} stroke={theme.focus} strokeWidth={2} />
      <circle cx={px(Math.min(Math.max(x(data.now), 4), width - 4))} cy={base} r={4.5} fill={theme.focus} stroke={theme.surface} strokeWidth={1.5} />
    </Chart>
  );
}
