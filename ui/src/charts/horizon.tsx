// What vacuum may remove of a table, what it must keep, and for whom: a bar of dead versions to scale, and an axis of
// transaction ids with those who hold the horizon back.
import type { PutOf } from '../api/timeline.ts';
import type { Texts } from '../i18n/index.ts';
import { Chart, clip, Hatch, mono, px, sans, textWidth, type Drawing } from './draw.tsx';

/** Holders that are drawn. */
const HOLDERS_DRAWN = 5;

export interface HorizonData {
  horizon: PutOf<'horizon'>;
  next_xid: number;
  now_us: number;
}

export function age(us: number, texts: Texts): string {
  const seconds = Math.max(us / 1e6, 0);
  if (seconds < 60) return texts.t('age.seconds', { n: texts.number(seconds, seconds < 10 ? 1 : 0) });
  if (seconds < 3600) return texts.t('age.minutes', { n: texts.number(Math.floor(seconds / 60)) });
  return texts.t('age.hours', { n: texts.number(seconds / 3600, 1) });
}

export function bytes(count: number, texts: Texts): string {
  if (count < 1024) return `${texts.number(count)} B`;
  if (count < 1024 ** 2) return `${texts.number(count / 1024, 1)} KiB`;
  return `${texts.number(count / 1024 ** 2, 1)} MiB`;
}

/** "Removable when console A ends": what has to happen before the kept versions can go. */
export function removableWhen({ horizon, now_us }: HorizonData, texts: Texts): string {
  const worst = horizon.holders[0];
  if (horizon.kept === 0) return texts.t(horizon.removable > 0 ? 'horizon.allRemovable' : 'horizon.nothing');
  if (!worst || worst.kind === 'none') return texts.t('horizon.nobody');
  const since = worst.since_us === undefined || worst.since_us === null ? '' : texts.t('horizon.since', { age: age(now_us - worst.since_us, texts) });
  return `${texts.t(`horizon.when.${worst.kind}`, { name: worst.name })}${since}`;
}

export function HorizonBar({ data, width, theme, texts }: Drawing & { data: HorizonData }) {
  const { horizon, next_xid } = data;
  const dead = horizon.removable + horizon.kept;
  const holders = horizon.holders.filter((holder) => holder.kind !== 'none').slice(0, HOLDERS_DRAWN);
  const lowest = Math.min(horizon.xid, ...holders.map((holder) => holder.xmin));
  const span = Math.max(next_xid - lowest, 1);
  const x = (xid: number) => 4 + ((xid - lowest) / span) * (width - 8);
  const removableWidth = dead === 0 ? 0 : (horizon.removable / dead) * (width - 2);
  const axisY = 62;
  const height = axisY + 20 + holders.length * 18;
  const when = removableWhen(data, texts);
  return (
    <Chart label={`${horizon.name} · ${when}`} width={width} height={height}>
      <defs>
        <Hatch id="horizon-kept" colour={theme.wait} ground={theme.waitSoft} />
      </defs>
      <rect x={0.5} y={0.5} width={px(width - 1)} height={21} rx={3} fill={theme.raised} stroke={theme.line} />
      {removableWidth > 0 && <rect x={1} y={1} width={px(removableWidth)} height={20} rx={3} fill={theme.visibleSoft} stroke={theme.visible} />}
      {horizon.kept > 0 && <rect x={px(removableWidth + 1)} y={1} width={px(width - 2 - removableWidth)} height={20} rx={3} fill="url(#horizon-kept)" stroke={theme.wait} />}
      <g {...sans}>
        <text x={2} y={36} fill={horizon.removable > 0 ? theme.visible : theme.muted}>
          {texts.t('horizon.removable', { count: texts.number(horizon.removable) })}
        </text>
        <text x={px(width - 2)} y={36} textAnchor="end" fill={horizon.kept > 0 ? theme.wait : theme.muted}>
          {texts.t('horizon.kept', { count: texts.number(horizon.kept), bytes: bytes(horizon.kept_bytes, texts) })}
        </text>
      </g>
      <path d={`M4 ${axisY} H${px(width - 4)}`} stroke={theme.edge} />
      <path d={`M${px(x(horizon.xid))} ${axisY} H${px(width - 4)}`} stroke={theme.wait} strokeWidth={3} />
      <path d={`M${px(x(horizon.xid))} ${axisY - 8} v16`} stroke={theme.wait} strokeWidth={2} />
      <text x={px(Math.min(Math.max(x(horizon.xid), 4), width - textWidth(String(horizon.xid), 10) - 60))} y={axisY - 11} {...mono} fontSize={10} fill={theme.wait}>
        {horizon.xid}
      </text>
      <text x={px(width - 4)} y={axisY - 11} textAnchor="end" {...mono} fontSize={10} fill={theme.muted}>
        {`${texts.t('horizon.next')} ${next_xid}`}
      </text>
      {holders.map((holder, index) => {
        const y = axisY + 24 + index * 18;
        const at = x(holder.xmin);
        const text = clip(`${holder.xmin} ${texts.code('holder', holder.kind)} ${holder.name}`, width - 12, 10);
        const room = textWidth(text, 10) + 12;
        // Right of its mark, else left of it, else as far right as the chart goes.
        const isLeft = at + room > width && at >= room;
        const textX = isLeft ? at - 8 : Math.max(Math.min(at + 8, width - room), 4);
        return (
          <g key={`${holder.kind}/${holder.name}`}>
            <path d={`M${px(at)} ${axisY} V${y - 4}`} stroke={theme.muted} strokeDasharray="2 2" />
            <circle cx={px(at)} cy={y - 4} r={3} fill={theme.wait} />
            <text x={px(textX)} y={y} textAnchor={isLeft ? 'end' : undefined} {...mono} fontSize={10} fill={theme.ink} stroke={theme.surface} strokeWidth={3} paintOrder="stroke">
              {text}
            </text>
          </g>
        );
      })}
    </Chart>
  );
}
