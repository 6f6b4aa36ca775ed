// Arms against the baseline: the ratio with its interval, on a logarithmic axis, so that half and double are as far from
// one. What the interval does not clear of one is drawn hollow.
import { scaleLog } from 'd3-scale';

import { Chart, clip, mono, px, sans, type Drawing } from './draw.tsx';

export interface Ratio {
  name: string;
  ratio: number;
  low: number;
  high: number;
  /** Said after the figures, such as the metric. */
  note?: string;
}

export interface RatiosData {
  title: string;
  baseline: string;
  ratios: readonly Ratio[];
}

const ROW = 26;

/** Round ratios inside the domain, one below and above the other. */
function ticks(low: number, high: number): number[] {
  const all = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 20, 50, 100];
  const inside = all.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  return high / low > 6 ? inside.filter((tick) => tick !== 0.8 && tick !== 1.25) : inside;
}

export function Ratios({ data, width, theme, texts }: Drawing & { data: RatiosData }) {
  const isNarrow = width < 520;
  const left = isNarrow ? 8 : 150;
  const right = isNarrow ? 8 : 132;
  const step = isNarrow ? ROW + 16 : ROW;
  const low = Math.min(0.8, ...data.ratios.map((each) => each.low));
  const high = Math.max(1.25, ...data.ratios.map((each) => each.high));
  const x = scaleLog([low / 1.05, high * 1.05], [left, width - right]);
  const top = 24;
  const height = top + data.ratios.length * step + 24;
  return (
    <Chart label={data.title} width={width} height={height}>
      <text x={0} y={12} {...sans} fontWeight={650} fill={theme.ink}>
        {data.title}
        <tspan fill={theme.muted} fontWeight={400} dx={6}>
          {texts.t('ratios.against', { baseline: data.baseline })}
        </tspan>
      </text>
      {ticks(low, high).map((tick) => (
        <g key={tick}>
          <path d={`M${px(x(tick))} ${top - 4} V${height - 20}`} stroke={tick === 1 ? theme.ink : theme.line} />
          <text x={px(x(tick))} y={height - 7} textAnchor="middle" {...mono} fontSize={10} fill={theme.muted}>
            {`${tick}×`}
          </text>
        </g>
      ))}
      {data.ratios.map((each, index) => {
        const y = top + index * step + (isNarrow ? step - 12 : step / 2);
        const isClear = each.low > 1 || each.high < 1;
        const colour = isClear ? (each.ratio > 1 ? theme.visible : theme.danger) : theme.muted;
        const figures = `${each.ratio.toFixed(2)}× [${each.low.toFixed(2)}, ${each.high.toFixed(2)}]`;
        return (
          <g key={each.name}>
            <text x={isNarrow ? 0 : left - 10} y={px(isNarrow ? y - 12 : y + 4)} textAnchor={isNarrow ? 'start' : 'end'} {...sans} fill={theme.ink}>
              {clip(each.name, isNarrow ? width - 150 : left - 14)}
            </text>
            <path d={`M${px(x(each.low))} ${y} H${px(x(each.high))}`} stroke={colour} strokeWidth={2} />
            <path d={`M${px(x(each.low))} ${y - 4} v8 M${px(x(each.high))} ${y - 4} v8`} stroke={colour} strokeWidth={1.5} />
            <circle cx={px(x(each.ratio))} cy={y} r={4.5} fill={isClear ? colour : theme.surface} stroke={colour} strokeWidth={1.6} />
            <text x={px(isNarrow ? width : width - right + 8)} y={px(isNarrow ? y - 12 : y + 4)} textAnchor={isNarrow ? 'end' : 'start'} {...mono} fontSize={10} fill={colour}>
              {figures}
            </text>
          </g>
        );
      })}
    </Chart>
  );
}
