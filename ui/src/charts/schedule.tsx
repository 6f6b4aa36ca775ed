// A schedule of transactions, time downwards: one lane each at the left, in it a bar from begin to end and a mark for each
// step; what was sent and answered stands beside it, with room to be read. What is expected (a witness) and what was
// played (a proof) are drawn the same way; the dependencies of the cycle run between the lanes. A pure function.
import type { DependencyKind, Level } from '../api/rest.ts';
import type { Theme } from '../theme.ts';
import { Badge, badgeWidth, Chart, clip, mono, px, sans, textWidth, wrap, type Drawing } from './draw.tsx';
import { LEVEL_SHORT, levelColours } from './programs.tsx';

const NUMBERS = 24;
const LANE = { least: 30, most: 62, share: 0.34 } as const;
const LEGEND = 20;
const HEAD = 24;
const LINE = 14;
const GAP = 9;
const MARK = 6.5;
/** Lines that a statement may take. */
const LINES = 3;

export interface ScheduleLane {
  name: string;
  program: string;
  level: Level;
  arguments: Readonly<Record<string, string>>;
}

export interface ScheduleStep {
  lane: number;
  act: 'begin' | 'statement' | 'commit';
  text: string;
  /** What the server answered. */
  note: string;
  state: 'planned' | 'running' | 'waiting' | 'done' | 'failed';
  hasWaited: boolean;
  /** The last step that had been sent when it ended: until then it waited. */
  until?: number;
}

/** A dependency of the cycle, from the one that comes first in every serial order. */
export interface ScheduleLink {
  /** Indices of steps. */
  from: number;
  to: number;
  kind: DependencyKind;
}

export interface ScheduleData {
  lanes: readonly ScheduleLane[];
  steps: readonly ScheduleStep[];
  links: readonly ScheduleLink[];
}

interface Row {
  y: number;
  lines: string[];
}

interface Frame {
  lane: (index: number) => number;
  textX: number;
  rows: Row[];
  top: number;
  height: number;
}

function frameOf(data: ScheduleData, width: number): Frame {
  const count = Math.max(data.lanes.length, 1);
  const lane = Math.min(LANE.most, Math.max(LANE.least, (width * LANE.share) / count));
  const textX = NUMBERS + count * lane + 4;
  const top = data.lanes.length * LEGEND + HEAD;
  const rows: Row[] = [];
  let y = top + 12;
  for (const step of data.steps) {
    const lines = wrap(step.text, width - textX - 4, LINES);
    rows.push({ y, lines });
    y += (lines.length + (step.note === '' ? 0 : 1)) * LINE + GAP;
  }
  return { lane: (index) => NUMBERS + (index + 0.5) * lane, textX, rows, top, height: y + 4 };
}

const colourOfLane = (index: number, theme: Theme) => theme.series[index % theme.series.length]!;

/** Who plays: the name on the lane, the program, its level and its arguments. */
function Player({ lane, index, width, theme }: { lane: ScheduleLane; index: number; width: number; theme: Theme }) {
  const y = index * LEGEND + 12;
  const short = LEVEL_SHORT[lane.level];
  const name = textWidth(lane.program, 11.5) + 8;
  const level = NUMBERS + 14 + name;
  const values = Object.entries(lane.arguments).map(([parameter, value]) => `${parameter} = ${value}`).join(', ');
  const room = width - level - badgeWidth(short) - 8;
  return (
    <g>
      <text x={4} y={px(y + 3.6)} {...sans} fontSize={11.5} fontWeight={700} fill={colourOfLane(index, theme)}>
        {lane.name}
      </text>
      <text x={NUMBERS + 6} y={px(y + 3.6)} {...sans} fontSize={11.5} fontWeight={600} fill={theme.ink}>
        {lane.program}
      </text>
      <Badge x={level} y={y - 7} text={short} {...levelColours(lane.level, theme)} />
      <text x={px(level + badgeWidth(short) + 6)} y={px(y + 3.6)} {...mono} fontSize={10} fill={theme.muted}>
        <title>{values}</title>
        {room > 30 ? clip(values, room, 10) : ''}
      </text>
    </g>
  );
}

/** The lane: from the first step to the last, with what waited. */
function Lane({ data, index, frame, theme }: { data: ScheduleData; index: number; frame: Frame; theme: Theme }) {
  const colour = colourOfLane(index, theme);
  const own = data.steps.flatMap((step, at) => (step.lane === index ? [at] : []));
  const x = frame.lane(index);
  const y = (at: number) => frame.rows[Math.min(at, frame.rows.length - 1)]!.y;
  return (
    <g>
      <text x={px(x)} y={px(frame.top - 6)} textAnchor="middle" {...sans} fontSize={11} fontWeight={700} fill={colour}>
        {data.lanes[index]!.name}
      </text>
      <path d={`M${px(x)} ${px(frame.top)} V${px(frame.height - 6)}`} stroke={theme.line} />
      {own.length > 1 && <path d={`M${px(x)} ${px(y(own[0]!))} V${px(y(own.at(-1)!))}`} stroke={colour} strokeOpacity={0.38} strokeWidth={6} strokeLinecap="round" />}
      {own.map((at) => {
        const { until } = data.steps[at]!;
        if (until === undefined || until <= at) return null;
        return <path key={at} d={`M${px(x)} ${px(y(at))} V${px(y(until))}`} stroke={theme.wait} strokeWidth={6} strokeDasharray="3 3" />;
      })}
    </g>
  );
}

/** How a step stands, as a shape: a ring is planned, a dot done, a cross failed, two bars wait. */
function Mark({ step, x, y, theme }: { step: ScheduleStep; x: number; y: number; theme: Theme }) {
  const colour = colourOfLane(step.lane, theme);
  const [cx, cy] = [px(x), px(y)];
  if (step.state === 'failed') {
    return (
      <g>
        <circle cx={cx} cy={cy} r={MARK} fill={theme.danger} />
        <path d={`M${px(x - 2.6)} ${px(y - 2.6)} l5.2 5.2 m0 -5.2 l-5.2 5.2`} stroke={theme.surface} strokeWidth={1.8} />
      </g>
    );
  }
  if (step.state === 'waiting') {
    return (
      <g>
        <circle cx={cx} cy={cy} r={MARK} fill={theme.waitSoft} stroke={theme.wait} strokeWidth={1.6} />
        <path d={`M${px(x - 1.8)} ${px(y - 3)} v6 m3.6 -6 v6`} stroke={theme.wait} strokeWidth={1.7} />
      </g>
    );
  }
  const isFull = step.state === 'done';
  return <circle cx={cx} cy={cy} r={step.act === 'statement' ? MARK - 1 : MARK - 2} fill={isFull ? colour : theme.surface} stroke={step.hasWaited ? theme.wait : colour} strokeWidth={step.hasWaited ? 2.2 : 1.8} strokeDasharray={step.state === 'running' ? '2.4 2' : undefined} />;
}

function Step({ step, index, frame, width, theme }: { step: ScheduleStep; index: number; frame: Frame } & Omit<Drawing, 'texts'>) {
  const { y, lines } = frame.rows[index]!;
  const weight = step.act === 'statement' ? theme.ink : theme.muted;
  const isBad = step.state === 'failed';
  return (
    <g>
      <text x={NUMBERS - 8} y={px(y + 3.6)} textAnchor="end" {...sans} fontSize={9.5} fill={theme.muted}>
        {index + 1}
      </text>
      <path d={`M${px(frame.lane(step.lane) + 9)} ${px(y)} H${px(frame.textX - 5)}`} stroke={theme.line} />
      <Mark step={step} x={frame.lane(step.lane)} y={y} theme={theme} />
      <text {...mono} fontSize={11} fill={weight}>
        <title>{step.text}</title>
        {lines.map((line, at) => (
          <tspan key={at} x={px(frame.textX)} y={px(y + 3.8 + at * LINE)}>
            {line}
          </tspan>
        ))}
      </text>
      {step.note !== '' && (
        <text x={px(frame.textX)} y={px(y + 3.8 + lines.length * LINE)} {...mono} fontSize={10.5} fontWeight={isBad ? 700 : 400} fill={isBad ? theme.danger : step.state === 'waiting' ? theme.wait : theme.muted}>
          {clip(step.note, width - frame.textX - 4, 10.5)}
        </text>
      )}
    </g>
  );
}

/** An arrow between two steps, around what stands between them. */
function Dependency({ link, data, frame, theme }: { link: ScheduleLink; data: ScheduleData; frame: Frame; theme: Theme }) {
  const [from, to] = [data.steps[link.from], data.steps[link.to]];
  if (!from || !to || from.lane === to.lane) return null;
  const [x1, y1, x2, y2] = [frame.lane(from.lane), frame.rows[link.from]!.y, frame.lane(to.lane), frame.rows[link.to]!.y];
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [start, end] = [{ x: x1 + ux * (MARK + 1), y: y1 + uy * (MARK + 1) }, { x: x2 - ux * (MARK + 2), y: y2 - uy * (MARK + 2) }];
  const at = { x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  return (
    <g>
      <path d={`M${px(start.x)} ${px(start.y)} L${px(end.x - ux * 6)} ${px(end.y - uy * 6)}`} stroke={theme.danger} strokeWidth={2} strokeDasharray={link.kind === 'rw' ? '5 3' : undefined} />
      {/* No marker: a schedule that is folded up would take it away from the others, which name the same. */}
      <path d={`M${px(end.x)} ${px(end.y)} L${px(end.x - ux * 9 - uy * 4)} ${px(end.y - uy * 9 + ux * 4)} L${px(end.x - ux * 9 + uy * 4)} ${px(end.y - uy * 9 - ux * 4)} Z`} fill={theme.danger} />
      <text x={px(at.x)} y={px(at.y + 3.4)} textAnchor="middle" {...sans} fontSize={9.5} fontWeight={700} fill={theme.danger} stroke={theme.surface} strokeWidth={4} paintOrder="stroke">
        {link.kind}
      </text>
    </g>
  );
}

export function Schedule({ data, width, theme, texts }: { data: ScheduleData } & Drawing) {
  const frame = frameOf(data, width);
  return (
    <Chart label={texts.t('advisor.scheduleLabel', { lanes: data.lanes.length, steps: data.steps.length })} width={width} height={frame.height}>
      {data.lanes.map((lane, index) => (
        <Player key={lane.name} lane={lane} index={index} width={width} theme={theme} />
      ))}
      {data.lanes.map((lane, index) => (
        <Lane key={lane.name} data={data} index={index} frame={frame} theme={theme} />
      ))}
      {data.steps.map((step, index) => (
        <Step key={index} step={step} index={index} frame={frame} width={width} theme={theme} />
      ))}
      {data.links.map((link, index) => (
        <Dependency key={index} link={link} data={data} frame={frame} theme={theme} />
      ))}
    </Chart>
  );
}
