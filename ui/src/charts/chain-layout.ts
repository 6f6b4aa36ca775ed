// Where the versions of rows stand: a row of the table is a band, time goes to the right, and a version that was rolled
// back, or that lost against another child of the same parent, hangs below as a branch. Deterministic: the same
// versions stand at the same places, whatever order they came in.
import type { PutOf } from '../api/timeline.ts';

type Version = PutOf<'version'>;

/** How the edge between a version and its successor is known. */
export type Link = {
  from: string;
  to: string;
  /** `chain`: written in `ctid` or in the log; `guess`: the parent was inferred; `gap`: what was between is gone. */
  how: 'chain' | 'guess' | 'gap';
};

export interface Node {
  key: string;
  version: Version;
  /** Counted from 0, to the right. */
  column: number;
  /** Counted from 0 over all bands, downwards. */
  lane: number;
  /** The version before it, for the comparison of values. */
  before?: Version | undefined;
}

export interface Band {
  row: string;
  lane: number;
  lanes: number;
}

export interface ChainLayout {
  nodes: Node[];
  links: Link[];
  bands: Band[];
  columns: number;
  lanes: number;
}

function lsnNumber(lsn: string | undefined): number {
  if (lsn === undefined) return 0;
  const [high = '0', low = '0'] = lsn.split('/');
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16);
}

function byAge(a: Version, b: Version): number {
  return (
    lsnNumber(a.made) - lsnNumber(b.made) || a.xmin - b.xmin || a.block - b.block || a.offset - b.offset || (a.key < b.key ? -1 : 1)
  );
}

const lost = (version: Version) => version.fate === 'aborted' || version.xmin_state === 'aborted';

/** The bands' order: by number where names are numbers. */
const byRow = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** The version that each one replaced, and how that is known. */
function parents(versions: Version[]): Map<string, { parent: Version; how: 'chain' | 'guess' }> {
  const byKey = new Map(versions.map((version) => [version.key, version]));
  const found = new Map<string, { parent: Version; how: 'chain' | 'guess' }>();
  for (const version of versions) {
    const parent = version.parent === undefined ? undefined : byKey.get(version.parent);
    if (parent && parent !== version) {
      found.set(version.key, { parent, how: version.parent_origin === 'inferred' ? 'guess' : 'chain' });
    }
  }
  // `ctid` of the one before, believed only if its ender is our maker: a line pointer is used again.
  const byPlace = new Map(versions.map((version) => [`${version.relation}/${version.block}/${version.offset}/${version.xmin}`, version]));
  for (const parent of versions) {
    if (!parent.next || parent.xmax === undefined) continue;
    const makers = [parent.xmax, ...(parent.members ?? []).filter((each) => each.is_change).map((each) => each.xid)];
    for (const maker of makers) {
      const child = byPlace.get(`${parent.relation}/${parent.next[0]}/${parent.next[1]}/${maker}`);
      if (child && child !== parent && !found.has(child.key)) found.set(child.key, { parent, how: 'chain' });
    }
  }
  return found;
}

/** Versions by row; one without a known row belongs to that of its parent, else it is a row of its own. */
function byRows(versions: Version[], parentOf: ReturnType<typeof parents>): Map<string, Version[]> {
  const rows = new Map<string, Version[]>();
  for (const version of versions) {
    let ancestor = version;
    // A circle of parents cannot be, but a log can be damaged: no more steps than there are versions.
    for (let step = 0; ancestor.row === undefined && step < versions.length; step++) {
      const parent = parentOf.get(ancestor.key)?.parent;
      if (!parent) break;
      ancestor = parent;
    }
    const row = ancestor.row ?? `(${ancestor.block},${ancestor.offset})`;
    const group = rows.get(row);
    if (group) group.push(version);
    else rows.set(row, [version]);
  }
  return rows;
}

export function chainLayout(all: readonly Version[]): ChainLayout {
  const versions = all.toSorted(byAge);
  const parentOf = parents(versions);
  const layout: ChainLayout = { nodes: [], links: [], bands: [], columns: 0, lanes: 0 };
  for (const [row, members] of [...byRows(versions, parentOf)].toSorted(([a], [b]) => byRow(a, b))) {
    layoutBand(row, members, parentOf, layout);
  }
  return layout;
}

function layoutBand(row: string, members: Version[], parentOf: ReturnType<typeof parents>, layout: ChainLayout): void {
  const here = new Set(members.map((version) => version.key));
  const children = new Map<string, Version[]>();
  const roots: Version[] = [];
  for (const version of members) {
    const parent = parentOf.get(version.key);
    if (parent && here.has(parent.parent.key)) {
      children.set(parent.parent.key, [...(children.get(parent.parent.key) ?? []), version]);
      layout.links.push({ from: parent.parent.key, to: version.key, how: parent.how });
    } else {
      roots.push(version);
    }
  }
  const taken = new Set<number>();
  const place = (lane: number, column: number) => lane * 2 ** 26 + column;
  let lanes = 1;
  const laneFrom = (wanted: number, column: number) => {
    let lane = wanted;
    while (taken.has(place(lane, column))) lane++;
    taken.add(place(lane, column));
    lanes = Math.max(lanes, lane + 1);
    return lane;
  };
  const placed = new Set<string>();
  let tail: Node | undefined;
  for (const root of roots) {
    const column = tail ? tail.column + 1 : 0;
    if (tail) layout.links.push({ from: tail.key, to: root.key, how: 'gap' });
    // Each entry: a version, its column, the least lane for it. A stack, because chains are longer than the call stack.
    const stack: [Version, number, number, Version | undefined][] = [[root, column, lost(root) ? 1 : 0, tail?.version]];
    while (stack.length > 0) {
      const [version, at, wanted, before] = stack.pop()!;
      if (placed.has(version.key)) continue;
      placed.add(version.key);
      const lane = laneFrom(wanted, at);
      const node = { key: version.key, version, column: at, lane: layout.lanes + lane, before };
      layout.nodes.push(node);
      layout.columns = Math.max(layout.columns, at + 1);
      if (!lost(version) && (!tail || at >= tail.column)) tail = node;
      const next = children.get(version.key) ?? [];
      // The one that stayed goes on in the lane; the stack takes it last, so that it is placed first.
      const main = next.findLast((child) => !lost(child));
      for (const child of next.toReversed()) if (child !== main) stack.push([child, at + 1, lane + 1, version]);
      if (main) stack.push([main, at + 1, lane, version]);
    }
  }
  layout.bands.push({ row, lane: layout.lanes, lanes });
  layout.lanes += lanes;
}
