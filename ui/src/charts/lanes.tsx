// Sessions as lanes: transactions, statements, waits and snapshots over the log. The horizontal axis is the clock, or
// the order of what happened: in a scene played by hand the clock is mostly waiting for the hand.
import { scaleLinear } from 'd3-scale';

import type { Lane, Lanes as LanesData, Point, Span, WaitSpan } from '../state/lanes.ts';
import { colourOf, type Theme } from '../theme.ts';
import { Arrow, Chart, clip, Hatch, mono, Pick, px, sans, textWidth, type Drawing, type Picking } from './draw.tsx';

export type Axis = 'order' | 'time';

const LANE = { height: 58, narrowHeight: 74, gap: 6, names: 148, top: 22 } as const;
/** Below this width names stand above the lanes. */
const NARROW = 560;

interface LanesProps extends Drawing, Picking {
  data: LanesData;
  axis: Axis;
  /** The moment that is shown; what comes after it is veiled. */
  now: Point;
}

interface Frame {
  x: (point: Point) => number;
  left: number;
  right: number;
  laneY: (index: number) => number;
  bar: number;
}

function frameOf({ data, axis, width }: LanesProps): Frame {
  const isNarrow = width < NARROW;
  const left = isNarrow ? 6 : LANE.names;
  const right = width - 8;
  const order = new Map(data.points.map((point, index) => [point.seq, index]));
  const byOrder = scaleLinear([0, Math.max(data.points.length - 1, 1)], [left, right]);
  const byTime = scaleLinear([data.from.us, Math.max(data.to.us, data.from.us + 1)], [left, right]);
  const step = (isNarrow ? LANE.narrowHeight : LANE.height) + LANE.gap;
  return {
    x: axis === 'order' ? (point) => byOrder(order.get(point.seq) ?? 0) : (point) => byTime(point.us),
    left,
    right,
    laneY: (index) => LANE.top + index * step,
    bar: isNarrow ? 18 : 0,
  };
}

/** Seconds since the beginning, as short as they can be told apart. */
function seconds(us: number): string {
  const value = us / 1e6;
  return value >= 100 ? `${Math.round(value)} s` : `${Number(value.toFixed(value >= 10 ? 1 : 2))} s`;
}

function TimeAxis({ frame, props }: { frame: Frame; props: LanesProps }) {
  const { data, axis, theme, texts } = props;
  const count = Math.max(Math.floor((frame.right - frame.left) / 90), 2);
  const ticks =
    axis === 'time'
      ? scaleLinear([0, Math.max(data.to.us - data.from.us, 1)], [frame.left, frame.right])
          .ticks(count)
          .map((us) => ({ x: frame.x({ seq: 0, us: data.from.us + us }), label: seconds(us) }))
      : data.points
          .filter((_, index) => index % Math.max(Math.ceil(data.points.length / count), 1) === 0)
          .map((point) => ({ x: frame.x(point), label: `${point.seq}` }));
  return (
    <g>
      <text x={2} y={12} {...sans} fontSize={10} fill={theme.muted}>
        {frame.left > 20 ? texts.t(axis === 'time' ? 'lanes.byTime' : 'lanes.byOrder') : ''}
      </text>
      {ticks.map(({ x, label }) => (
        <g key={label}>
          <path d={`M${px(x)} 16 V${px(frame.laneY(data.lanes.length))}`} stroke={theme.line} />
          <text x={px(Math.min(x, frame.right - textWidth(label, 10)))} y={12} {...mono} fontSize={10} fill={theme.muted}>
            {label}
          </text>
        </g>
      ))}
    </g>
  );
}

/** The two ends of a span, at least so far apart that it can be seen. */
function ends(frame: Frame, span: Span, least = 3): { x: number; width: number } {
  const x = frame.x(span.from);
  return { x, width: Math.max(frame.x(span.to) - x, least) };
}

function Transactions({ lane, y, frame, theme }: { lane: Lane; y: number; frame: Frame; theme: Theme }) {
  return lane.transactions.map((span) => {
    const { x, width } = ends(frame, span, 4);
    const colour = span.xid === undefined ? theme.muted : colourOf(span.xid, theme);
    const sign = span.end === 'committed' ? '✓' : span.end === 'aborted' ? '✕' : '';
    const name = span.xid === undefined ? '' : `${span.xid}${sign}`;
    return (
      <g key={`t${span.from.seq}`}>
        <rect x={px(x)} y={y} width={px(width)} height={40} rx={4} fill={colour} fillOpacity={0.11} stroke={colour} strokeOpacity={0.55} strokeDasharray={span.end === 'aborted' ? '4 3' : undefined} />
        {span.open && <path d={`M${px(x + width)} ${y + 1} v38`} stroke={theme.surface} strokeWidth={2} strokeDasharray="3 3" />}
        <text x={px(x + 5)} y={y + 36} {...mono} fontSize={10} fontWeight={700} fill={colour}>
          {clip(name, width - 8, 10)}
        </text>
      </g>
    );
  });
}

function Statements({ lane, y, frame, theme, texts, picked, onPick, first }: { lane: Lane; y: number; frame: Frame; first: boolean } & Drawing & Picking) {
  return lane.statements.map((span, index) => {
    const { x, width } = ends(frame, span);
    const next = lane.statements[index + 1];
    const room = (next ? frame.x(next.from) : frame.right) - x - 4;
    const isError = span.sqlstate !== undefined;
    const colour = isError ? theme.danger : theme.ink;
    const key = `statement/${span.from.seq}`;
    const text = clip(isError ? `${span.sqlstate} ${span.sql}` : span.sql, Math.max(room, width) - 8, 10.5);
    // The box is as wide as its words; the line below it is as long as the statement took.
    const shown = Math.max(width, Math.min(text === '' ? 0 : textWidth(text, 10.5) + 8, room));
    const label = [lane.name, span.sql, span.answer, texts.code('origin', span.origin)].filter(Boolean).join(' · ');
    return (
      <Pick key={key} itemKey={key} label={label} first={first && index === 0} picked={picked} onPick={onPick}>
        <rect className="body" x={px(x)} y={y + 3} width={px(shown)} height={16} rx={2.5} fill={isError ? theme.dangerSoft : theme.surface} stroke={isError ? theme.danger : theme.line} strokeDasharray={span.origin === 'sampled' ? '3 2' : undefined} />
        <path d={`M${px(x + 1)} ${y + 18.5} h${px(Math.max(width - 2, 2))}`} stroke={isError ? theme.danger : span.open ? theme.wait : theme.edge} strokeWidth={2} />
        <text x={px(x + 4)} y={y + 14.2} {...mono} fontSize={10.5} fill={colour}>
          {text}
        </text>
      </Pick>
    );
  });
}

function Waits({ lane, index, frame, props }: { lane: Lane; index: number; frame: Frame; props: LanesProps }) {
  const { data, theme, picked, onPick, texts } = props;
  const y = frame.laneY(index) + frame.bar + 20;
  return lane.waits.map((span) => {
    const { x, width } = ends(frame, span);
    const colour = span.isInCycle ? theme.danger : theme.wait;
    const label = texts.t('lanes.waitLabel', { name: lane.name, mode: span.mode, object: span.object, blockers: span.blockers.join(', ') });
    return (
      <Pick key={span.key} itemKey={span.key} label={label} first={false} picked={picked} onPick={onPick}>
        <rect className="body" x={px(x)} y={y} width={px(width)} height={9} rx={2} fill={`url(#lanes-${span.isInCycle ? 'cycle' : 'wait'})`} stroke={colour} />
        {span.blockers.map((pid) => {
          const other = data.lanes.findIndex((each) => each.pid === pid);
          return other < 0 || other === index ? null : <BlockedBy key={pid} span={span} from={y} to={frame.laneY(other) + frame.bar + (other > index ? 2 : 38)} frame={frame} colour={colour} />;
        })}
      </Pick>
    );
  });
}

/** From the beginning of a wait to the lane of whom it waits for. */
function BlockedBy({ span, from, to, frame, colour }: { span: WaitSpan; from: number; to: number; frame: Frame; colour: string }) {
  const x = px(frame.x(span.from) + 1.5);
  return <path d={`M${x} ${px(to > from ? from + 9 : from)} V${px(to)}`} stroke={colour} strokeWidth={1.3} fill="none" markerEnd={`url(#lanes-${span.isInCycle ? 'to-cycle' : 'to'})`} />;
}

function Snapshots({ lane, y, frame, theme, texts }: { lane: Lane; y: number; frame: Frame } & Drawing) {
  return lane.snapshots.map((span) => {
    const { x, width } = ends(frame, span);
    const room = width - 12;
    return (
      <g key={`s${span.from.seq}`}>
        <title>{`${texts.t('lanes.snapshot')} ${span.snapshot}`}</title>
        <path d={`M${px(x)} ${y + 48} h${px(width)}`} stroke={theme.frozen} strokeWidth={1.4} strokeDasharray={span.isSuboverflowed ? '3 2' : undefined} />
        <path d={`M${px(x)} ${y + 44.5} l3.5 3.5 l-3.5 3.5 l-3.5 -3.5 z`} fill={theme.frozen} />
        {room > 50 && (
          <text x={px(x + 7)} y={y + 57} {...mono} fontSize={9.5} fill={theme.frozen}>
            {clip(span.snapshot, room, 9.5)}
          </text>
        )}
      </g>
    );
  });
}

function Name({ lane, y, frame, theme, texts }: { lane: Lane; y: number; frame: Frame } & Drawing) {
  const isNarrow = frame.left < 20;
  const sub = [lane.pid, lane.isolation ? texts.code('isolation', lane.isolation) : undefined].filter(Boolean).join(' · ');
  if (isNarrow) {
    return (
      <text x={frame.left} y={y + 13} {...sans} fill={theme.ink}>
        <tspan fontWeight={650}>{clip(lane.name, 130)}</tspan>
        <tspan dx={6} fill={theme.muted} fontSize={10}>
          {clip([sub, texts.code('state', lane.state)].join(' · '), frame.right - 150, 10)}
        </tspan>
      </text>
    );
  }
  return (
    <g {...sans}>
      <text x={2} y={y + 14} fontSize={12} fontWeight={650} fill={theme.ink}>
        {clip(lane.name, LANE.names - 12, 12)}
      </text>
      <text x={2} y={y + 28} fontSize={10} fill={theme.muted}>
        {clip(sub, LANE.names - 12, 10)}
      </text>
      <text x={2} y={y + 41} fontSize={10} fill={lane.waits.some((wait) => wait.open) ? theme.wait : theme.muted}>
        {clip(texts.code('state', lane.waits.some((wait) => wait.open) ? 'waiting' : lane.state), LANE.names - 12, 10)}
      </text>
    </g>
  );
}

export function lanesHeight(lanes: number, width: number): number {
  return LANE.top + Math.max(lanes, 1) * ((width < NARROW ? LANE.narrowHeight : LANE.height) + LANE.gap) + 4;
}

export function Lanes(props: LanesProps) {
  const { data, theme, texts, width, now } = props;
  const frame = frameOf(props);
  const height = lanesHeight(data.lanes.length, width);
  const cursor = frame.x(now);
  // A list without anything to choose from is none.
  const isList = data.lanes.some((lane) => lane.statements.length > 0 || lane.waits.length > 0);
  return (
    <Chart label={texts.t('lanes.label', { count: data.lanes.length })} width={width} height={height} list={isList}>
      <defs>
        <Hatch id="lanes-wait" colour={theme.wait} ground={theme.waitSoft} />
        <Hatch id="lanes-cycle" colour={theme.danger} ground={theme.dangerSoft} />
        <Arrow id="lanes-to" colour={theme.wait} />
        <Arrow id="lanes-to-cycle" colour={theme.danger} />
      </defs>
      <TimeAxis frame={frame} props={props} />
      {data.lanes.map((lane, index) => {
        const y = frame.laneY(index);
        return (
          <g key={lane.key}>
            {index > 0 && <path d={`M0 ${px(y - LANE.gap / 2)} H${px(width)}`} stroke={theme.line} />}
            <Name lane={lane} y={y} frame={frame} {...props} />
            <Transactions lane={lane} y={y + frame.bar} frame={frame} theme={theme} />
            <Snapshots lane={lane} y={y + frame.bar} frame={frame} theme={theme} texts={texts} width={width} />
            <Statements lane={lane} y={y + frame.bar} frame={frame} first={index === 0} {...props} />
          </g>
        );
      })}
      {data.lanes.map((lane, index) => (
        <Waits key={lane.key} lane={lane} index={index} frame={frame} props={props} />
      ))}
      {now.seq < data.to.seq && <rect className="future" x={px(cursor)} y={0} width={px(Math.max(frame.right - cursor, 0) + 8)} height={height} fill={theme.surface} fillOpacity={0.66} pointerEvents="none" />}
      <path d={`M${px(cursor)} 14 V${px(height - 2)}`} stroke={theme.focus} strokeWidth={1.5} pointerEvents="none" />
    </Chart>
  );
}
