// Figures over time: one line for each arm, named at its end. Used for throughput and for latency of running cases.
import { extent, max } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';

import { Chart, clip, mono, px, sans, textWidth, type Drawing } from './draw.tsx';

export interface Series {
  name: string;
  /** Seconds since the start, and the figure; in order. */
  points: readonly (readonly [number, number])[];
}

export interface SeriesData {
  title: string;
  unit: string;
  series: readonly Series[];
  /** What happened to the system: vertical lines. */
  marks?: readonly { at: number; name: string }[];
}

const MARGIN = { top: 22, right: 84, bottom: 20, left: 46 } as const;

/** A figure as short as an axis needs it: `1.2k`. */
export function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)}k`;
  if (value >= 1e3) return `${Number((value / 1e3).toFixed(1))}k`;
  return String(Number(value.toPrecision(2)));
}

/** Pixels from one name at the end of a line to the next. */
const NAME_HEIGHT = 13;

/** Names at the ends of lines, pushed apart so that each can be read: down, and up again where that would leave the chart. */
export function spread(ys: readonly number[], least: number, bottom: number): number[] {
  const order = ys.map((y, index) => ({ y, index })).toSorted((a, b) => a.y - b.y);
  const places = [...ys];
  let floor = -Infinity;
  for (const { y, index } of order) {
    floor = Math.max(y, floor + least);
    places[index] = floor;
  }
  let ceiling = bottom;
  for (const { index } of order.toReversed()) {
    places[index] = Math.min(places[index]!, ceiling);
    ceiling = places[index]! - least;
  }
  return places;
}

export function SeriesChart({ data, width, height: wanted = 180, theme, texts }: Drawing & { data: SeriesData; height?: number }) {
  // Room for all names, however many arms there are.
  const height = Math.max(wanted, MARGIN.top + MARGIN.bottom + (data.series.length - 1) * NAME_HEIGHT);
  const right = data.series.length > 1 ? MARGIN.right : 14;
  const xs = extent(data.series.flatMap((each) => each.points.map(([x]) => x)));
  const top = max(data.series, (each) => max(each.points, ([, y]) => y)) ?? 1;
  const x = scaleLinear([xs[0] ?? 0, Math.max(xs[1] ?? 1, (xs[0] ?? 0) + 1)], [MARGIN.left, width - right]);
  const y = scaleLinear([0, top > 0 ? top : 1], [height - MARGIN.bottom, MARGIN.top]).nice(4);
  const path = line<readonly [number, number]>(
    (point) => px(x(point[0])),
    (point) => px(y(point[1])),
  );
  const last = data.series.map((each) => y(each.points.at(-1)?.[1] ?? 0));
  const nameY = spread(last, NAME_HEIGHT, height - MARGIN.bottom);
  return (
    <Chart label={`${data.title} (${data.unit})`} width={width} height={height}>
      <text x={0} y={12} {...sans} fontWeight={650} fill={theme.ink}>
        {data.title}
        <tspan fill={theme.muted} fontWeight={400} dx={6}>
          {data.unit}
        </tspan>
      </text>
      {y.ticks(4).map((tick) => (
        <g key={tick}>
          <path d={`M${MARGIN.left} ${px(y(tick))} H${px(width - right)}`} stroke={theme.line} />
          <text x={MARGIN.left - 6} y={px(y(tick) + 3.5)} textAnchor="end" {...mono} fontSize={10} fill={theme.muted}>
            {short(tick)}
          </text>
        </g>
      ))}
      {x.ticks(Math.max(Math.floor(width / 110), 2)).map((tick) => (
        <text key={tick} x={px(x(tick))} y={height - 6} textAnchor="middle" {...mono} fontSize={10} fill={theme.muted}>
          {`${tick} s`}
        </text>
      ))}
      {(data.marks ?? []).map((mark) => (
        <g key={`${mark.name}/${mark.at}`}>
          <path d={`M${px(x(mark.at))} ${MARGIN.top} V${height - MARGIN.bottom}`} stroke={theme.danger} strokeDasharray="3 3" />
          <text x={px(x(mark.at) + 3)} y={MARGIN.top + 8} {...sans} fontSize={10} fill={theme.danger}>
            {clip(mark.name, 120, 10)}
          </text>
        </g>
      ))}
      {data.series.map((each, index) => {
        const colour = theme.series[index % theme.series.length]!;
        return (
          <g key={each.name}>
            <path d={path(each.points) ?? ''} fill="none" stroke={colour} strokeWidth={1.6} strokeDasharray={index >= theme.series.length ? '4 2' : undefined} />
            {data.series.length > 1 && each.points.length > 0 && (
              <text x={px(width - right + 5)} y={px(nameY[index]! + 3.5)} {...sans} fontSize={10.5} fill={colour}>
                {clip(each.name, right - 8, 10.5)}
              </text>
            )}
          </g>
        );
      })}
      {data.series.every((each) => each.points.length === 0) && (
        <text x={px(width / 2 - textWidth(texts.t('series.waiting')) / 2)} y={height / 2} {...sans} fill={theme.muted}>
          {texts.t('series.waiting')}
        </text>
      )}
    </Chart>
  );
}
