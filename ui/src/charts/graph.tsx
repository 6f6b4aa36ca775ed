// Who waits for whom, and which serializable transaction did not see which: two graphs of one look.
import type { PutOf } from '../api/timeline.ts';
import type { Texts } from '../i18n/index.ts';
import { colourOf, type Theme } from '../theme.ts';
import { Arrow, Chart, clip, mono, OriginMark, Pick, px, sans, textWidth, type Drawing, type Picking } from './draw.tsx';
import { graphLayout, type GraphEdge, type Place } from './graph-layout.ts';

/** Nodes that are drawn; thousands of waits are a queue, not a picture. */
export const NODES_DRAWN = 24;

const NODE = { width: 118, height: 40, gap: 44 } as const;

export interface Drawn {
  id: string;
  /** What is picked when the node is. */
  key: string;
  title: string;
  subtitle: string;
  colour: string;
  lit: boolean;
  flag?: string | undefined;
  label: string;
  origin?: PutOf<'wait'>['origin'] | undefined;
}

export interface DrawnEdge extends GraphEdge {
  text: string;
  lit: boolean;
  dashed: boolean;
}

interface GraphProps extends Drawing, Picking {
  name: string;
  label: string;
  nodes: Drawn[];
  edges: DrawnEdge[];
}

/** Where a line towards `to` leaves the box around `from`. */
function border(from: Place, to: Place): Place {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const scale = Math.min(Math.abs((NODE.width / 2 + 3) / (dx || 1e-9)), Math.abs((NODE.height / 2 + 3) / (dy || 1e-9)));
  return { x: from.x + dx * scale, y: from.y + dy * scale };
}

function Edge({ edge, from, to, both, name, theme }: { edge: DrawnEdge; from: Place; to: Place; both: boolean; name: string; theme: Theme }) {
  const [start, end] = [border(from, to), border(to, from)];
  const length = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  // Two that wait for each other: their lines bend apart.
  const bend = both ? Math.min(length * 0.32, 26) : 0;
  const middle = { x: (start.x + end.x) / 2 - ((end.y - start.y) / length) * bend, y: (start.y + end.y) / 2 + ((end.x - start.x) / length) * bend };
  const colour = edge.lit ? theme.danger : theme.muted;
  const text = clip(edge.text, 150, 9.5);
  // On a level line the words stand above it, where they do not cover its head.
  const beside = both ? (middle.y > start.y ? 13 : -6) : Math.abs(end.y - start.y) < 14 ? -7 : 3;
  const at = { x: (start.x + 2 * middle.x + end.x) / 4, y: (start.y + 2 * middle.y + end.y) / 4 };
  return (
    <g>
      <path
        d={`M${px(start.x)} ${px(start.y)} Q${px(middle.x)} ${px(middle.y)} ${px(end.x)} ${px(end.y)}`}
        fill="none"
        stroke={colour}
        strokeWidth={edge.lit ? 2.6 : 1.3}
        strokeDasharray={edge.dashed ? '4 3' : undefined}
        markerEnd={`url(#${name}-${edge.lit ? 'lit' : 'dim'})`}
      />
      <text x={px(at.x)} y={px(at.y + beside)} textAnchor="middle" {...sans} fontSize={9.5} fill={edge.lit ? theme.danger : theme.muted} stroke={theme.surface} strokeWidth={3} paintOrder="stroke">
        {text}
      </text>
    </g>
  );
}

/** Bold letters of the text face are wider than those that `textWidth` knows. */
const flagWidth = (flag: string) => textWidth(flag, 10) * 1.15 + 12;

function Box({ node, place, first, theme, picked, onPick }: { node: Drawn; place: Place; first: boolean; theme: Theme } & Picking) {
  const [x, y] = [place.x - NODE.width / 2, place.y - NODE.height / 2];
  return (
    <Pick itemKey={node.key} label={node.label} first={first} picked={picked} onPick={onPick}>
      <rect
        className="body"
        x={px(x)}
        y={px(y)}
        width={NODE.width}
        height={NODE.height}
        rx={6}
        fill={node.lit ? theme.dangerSoft : theme.raised}
        stroke={node.lit ? theme.danger : theme.edge}
        strokeWidth={picked === node.key ? 2.6 : node.lit ? 1.8 : 1}
      />
      <rect x={px(x)} y={px(y)} width={4} height={NODE.height} rx={2} fill={node.colour} />
      <text x={px(x + 11)} y={px(y + 16)} {...sans} fontSize={12} fontWeight={650} fill={theme.ink}>
        {clip(node.title, NODE.width - 30, 12)}
      </text>
      <text x={px(x + 11)} y={px(y + 31)} {...mono} fontSize={10} fill={theme.muted}>
        {clip(node.subtitle, NODE.width - 16, 10)}
      </text>
      {node.origin && <OriginMark origin={node.origin} x={x + NODE.width - 10} y={y + 11} colour={theme.muted} />}
      {node.flag && (
        <g>
          <rect x={px(place.x - flagWidth(node.flag) / 2)} y={px(y - 9)} width={px(flagWidth(node.flag))} height={15} rx={7.5} fill={theme.danger} />
          <text x={px(place.x)} y={px(y + 2)} textAnchor="middle" {...sans} fontSize={10} fontWeight={650} fill={theme.surface}>
            {node.flag}
          </text>
        </g>
      )}
    </Pick>
  );
}

export function Graph({ name, label, nodes, edges, theme, width, picked, onPick }: GraphProps) {
  const layout = graphLayout(
    nodes.map((node) => node.id),
    edges,
    { width, nodeWidth: NODE.width, nodeHeight: NODE.height, gap: NODE.gap },
  );
  const top = nodes.some((node) => node.flag) ? 8 : 0;
  const place = (id: string) => {
    const found = layout.places.get(id)!;
    return { x: found.x, y: found.y + top };
  };
  const isKnown = (edge: DrawnEdge) => layout.places.has(edge.from) && layout.places.has(edge.to) && edge.from !== edge.to;
  const hasBack = (edge: DrawnEdge) => edges.some((other) => other.from === edge.to && other.to === edge.from);
  return (
    <Chart label={label} width={width} height={layout.height + top} list>
      <defs>
        <Arrow id={`${name}-lit`} colour={theme.danger} />
        <Arrow id={`${name}-dim`} colour={theme.muted} />
      </defs>
      {edges.filter(isKnown).map((edge) => (
        <Edge key={`${edge.from}>${edge.to}>${edge.text}`} edge={edge} from={place(edge.from)} to={place(edge.to)} both={hasBack(edge)} name={name} theme={theme} />
      ))}
      {nodes.map((node, index) => (
        <Box key={node.id} node={node} place={place(node.id)} first={index === 0} theme={theme} picked={picked} onPick={onPick} />
      ))}
    </Chart>
  );
}

export interface WaitData {
  waits: readonly PutOf<'wait'>[];
  sessions: readonly PutOf<'session'>[];
  /** Waits shorter than this are left out, microseconds, unless they are part of a circle. */
  threshold_us: number;
  now_us: number;
}

/** The graph of waits: what is drawn, and how many waits are not. */
export function waitGraph({ waits, sessions, threshold_us, now_us }: WaitData, texts: Texts, theme: Theme) {
  const running = waits.filter((wait) => wait.until_us === undefined || wait.until_us === null);
  const long = running.filter((wait) => wait.is_in_cycle || now_us - wait.since_us >= threshold_us);
  const worst = long.toSorted((a, b) => Number(b.is_in_cycle) - Number(a.is_in_cycle) || a.since_us - b.since_us || a.pid - b.pid);
  const ids = new Set<string>();
  const kept: PutOf<'wait'>[] = [];
  for (const wait of worst) {
    const more = [wait.pid, ...wait.blockers.map((blocker) => blocker.pid)].map(String).filter((id) => !ids.has(id));
    if (ids.size + more.length > NODES_DRAWN) continue;
    for (const id of more) ids.add(id);
    kept.push(wait);
  }
  const byPid = new Map(sessions.map((session) => [session.pid, session]));
  const inCycle = new Set(kept.filter((wait) => wait.is_in_cycle).map((wait) => String(wait.pid)));
  const waitOf = new Map(kept.map((wait) => [String(wait.pid), wait]));
  const nodes: Drawn[] = [...ids].map((id) => {
    const session = byPid.get(Number(id));
    const wait = waitOf.get(id);
    const title = id === '0' ? texts.t('waits.prepared') : session?.name || id;
    const subtitle = wait ? `${wait.mode}` : texts.code('state', session?.state ?? 'unknown');
    return {
      id,
      key: wait?.key ?? `session/${id}`,
      title,
      subtitle: wait ? subtitle : [session?.xid, subtitle].filter(Boolean).join(' '),
      colour: session?.xid === undefined ? theme.edge : colourOf(session.xid, theme),
      lit: inCycle.has(id),
      label: wait ? texts.t('waits.nodeLabel', { name: title, mode: wait.mode, object: wait.object }) : `${title} · ${subtitle}`,
      origin: wait?.origin,
    };
  });
  const edges: DrawnEdge[] = kept.flatMap((wait) =>
    wait.blockers.map((blocker) => ({
      from: String(wait.pid),
      to: String(blocker.pid),
      text: wait.object,
      lit: wait.is_in_cycle && inCycle.has(String(blocker.pid)),
      dashed: !blocker.holds,
    })),
  );
  return { nodes, edges, more: running.length - kept.length, cycle: inCycle.size };
}

export interface SsiData {
  transactions: readonly PutOf<'serializable'>[];
  conflicts: readonly PutOf<'conflict'>[];
  sessions: readonly PutOf<'session'>[];
}

/** The graph of read-write conflicts: the dangerous structure lit, the doomed one flagged. */
export function ssiGraph({ transactions, conflicts, sessions }: SsiData, texts: Texts, theme: Theme) {
  const touched = new Set(conflicts.flatMap((conflict) => [conflict.reader, conflict.writer]));
  const rank = (each: PutOf<'serializable'>) => Number(each.is_doomed) * 4 + Number(each.is_pivot) * 2 + Number(touched.has(each.id));
  const worst = transactions.toSorted((a, b) => rank(b) - rank(a) || a.id.localeCompare(b.id, 'en', { numeric: true }));
  const kept = worst.slice(0, NODES_DRAWN);
  const names = new Map(sessions.map((session) => [session.pid, session.name]));
  const dangerous = new Set(conflicts.filter((each) => each.is_dangerous).flatMap((each) => [each.reader, each.writer]));
  const nodes: Drawn[] = kept.map((each) => {
    const title = names.get(each.pid) || String(each.pid);
    const facts = [each.xid ?? each.id, texts.code('transaction', each.state), each.is_read_only ? texts.t('ssi.readOnly') : undefined];
    const flag = each.is_doomed ? texts.t('ssi.doomed') : each.is_pivot ? texts.t('ssi.pivot') : undefined;
    return {
      id: each.id,
      key: each.key,
      title,
      subtitle: facts.filter(Boolean).join(' '),
      colour: each.xid === undefined ? theme.edge : colourOf(each.xid, theme),
      lit: dangerous.has(each.id) || each.is_doomed,
      flag,
      label: [title, ...facts, flag].filter(Boolean).join(' · '),
      origin: each.origin,
    };
  });
  const edges: DrawnEdge[] = conflicts.map((conflict) => ({ from: conflict.reader, to: conflict.writer, text: 'rw', lit: conflict.is_dangerous, dashed: false }));
  return { nodes, edges, more: transactions.length - kept.length };
}
