// A schedule of transactions: one lane each, one row a step, time downwards. What is expected (a witness) and what was
// played (a proof) are drawn the same way. A pure function.
import type { Level } from '../api/rest.ts';
import { Chart, clip, mono, px, sans, type Drawing } from './draw.tsx';
import { LEVEL_SHORT } from './programs.tsx';

const ROW = 26;
const HEAD = 40;
const NUMBERS = 24;

export interface ScheduleLane {
  name: string;
  program: string;
  level: Level;
}

export interface ScheduleStep {
  lane: number;
  text: string;
  /** A word beside it: what the server answered. */
  note: string;
  state: 'planned' | 'running' | 'waiting' | 'done' | 'failed';
  hasWaited: boolean;
}

export interface ScheduleData {
  lanes: readonly ScheduleLane[];
  steps: readonly ScheduleStep[];
}

/** Signs that say the same as the colours. */
const SIGNS: Record<ScheduleStep['state'], string> = { planned: '', running: '…', waiting: '‖', done: '✓', failed: '✕' };

export function Schedule({ data, width, theme, texts }: { data: ScheduleData } & Drawing) {
  const count = Math.max(data.lanes.length, 1);
  const lane = (width - NUMBERS) / count;
  const x = (index: number) => NUMBERS + index * lane;
  const height = HEAD + Math.max(data.steps.length, 1) * ROW + 8;
  const colours = {
    planned: [theme.raised, theme.edge],
    running: [theme.raised, theme.accent],
    waiting: [theme.waitSoft, theme.wait],
    done: [theme.visibleSoft, theme.visible],
    failed: [theme.dangerSoft, theme.danger],
  } as const;
  return (
    <Chart label={texts.t('advisor.scheduleLabel', { lanes: data.lanes.length, steps: data.steps.length })} width={width} height={height}>
      {data.lanes.map((each, index) => (
        <g key={each.name}>
          <text x={px(x(index) + lane / 2)} y={15} textAnchor="middle" {...sans} fontSize={12} fontWeight={650} fill={theme.ink}>
            {clip(`${each.name} · ${LEVEL_SHORT[each.level]}`, lane - 8, 12)}
          </text>
          <text x={px(x(index) + lane / 2)} y={30} textAnchor="middle" {...sans} fontSize={10.5} fill={theme.muted}>
            {clip(each.program, lane - 8, 10.5)}
          </text>
          <path d={`M${px(x(index) + lane / 2)} ${HEAD - 4} V${px(height - 4)}`} stroke={theme.line} strokeWidth={1} />
        </g>
      ))}
      {data.steps.map((step, index) => {
        const [ground, edge] = colours[step.state];
        const [left, top] = [x(step.lane) + 3, HEAD + index * ROW];
        const sign = SIGNS[step.state];
        const text = [sign, step.hasWaited && step.state !== 'waiting' ? '‖' : '', step.text, step.note].filter(Boolean).join(' ');
        return (
          <g key={index}>
            <text x={NUMBERS - 6} y={px(top + 15.5)} textAnchor="end" {...sans} fontSize={9.5} fill={theme.muted}>
              {index + 1}
            </text>
            <rect x={px(left)} y={px(top)} width={px(lane - 6)} height={ROW - 5} rx={4} fill={ground} stroke={edge} strokeDasharray={step.state === 'waiting' ? '3 3' : undefined} />
            <text x={px(left + 6)} y={px(top + 14.5)} {...mono} fontSize={10.5} fill={theme.ink}>
              <title>{text}</title>
              {clip(text, lane - 18, 10.5)}
            </text>
          </g>
        );
      })}
    </Chart>
  );
}
