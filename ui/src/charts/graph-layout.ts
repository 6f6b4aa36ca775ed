// Places for the nodes of small directed graphs, without chance: nodes of circles stand on a circle, the others in
// layers by how far they are from those that wait for nobody.

export interface GraphNode {
  id: string;
}

export interface GraphEdge {
  from: string;
  to: string;
}

export interface Place {
  x: number;
  y: number;
}

export interface GraphLayout {
  places: Map<string, Place>;
  width: number;
  height: number;
}

interface Spacing {
  width: number;
  nodeWidth: number;
  nodeHeight: number;
  gap: number;
}

/** The nodes that lie on a circle: each one reaches itself. Kosaraju's two passes, without recursion. */
export function onCircles(ids: readonly string[], edges: readonly GraphEdge[]): string[][] {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  const into = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of edges) {
    if (!out.has(from) || !out.has(to)) continue;
    out.get(from)!.push(to);
    into.get(to)!.push(from);
  }
  const order: string[] = [];
  visitAll(ids, out, (id) => order.push(id));
  const groups: string[][] = [];
  const seen = new Set<string>();
  for (const root of order.toReversed()) {
    if (seen.has(root)) continue;
    const group: string[] = [];
    const stack = [root];
    seen.add(root);
    while (stack.length > 0) {
      const id = stack.pop()!;
      group.push(id);
      for (const next of into.get(id)!) {
        if (seen.has(next)) continue;
        seen.add(next);
        stack.push(next);
      }
    }
    if (group.length > 1 || out.get(root)!.includes(root)) groups.push(group.toSorted());
  }
  return groups;
}

/** Depth first; `leave` is called when all that follows a node was visited. */
function visitAll(ids: readonly string[], out: Map<string, string[]>, leave: (id: string) => void): void {
  const seen = new Set<string>();
  for (const root of ids) {
    if (seen.has(root)) continue;
    seen.add(root);
    const stack: [string, number][] = [[root, 0]];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = out.get(top[0])![top[1]++];
      if (next === undefined) {
        leave(top[0]);
        stack.pop();
      } else if (!seen.has(next)) {
        seen.add(next);
        stack.push([next, 0]);
      }
    }
  }
}

/** The circle in the order in which its edges run, as far as they do. */
function around(group: string[], edges: readonly GraphEdge[]): string[] {
  const left = new Set(group);
  const path: string[] = [];
  let here: string | undefined = group[0];
  while (here !== undefined) {
    left.delete(here);
    path.push(here);
    const from: string = here;
    here = edges.find((edge) => edge.from === from && left.has(edge.to))?.to;
  }
  return [...path, ...[...left].toSorted()];
}

function placeCircle(group: string[], edges: readonly GraphEdge[], top: number, spacing: Spacing, places: Map<string, Place>): number {
  const ids = around(group, edges);
  const { width, nodeWidth, nodeHeight } = spacing;
  if (ids.length === 2) {
    const apart = Math.min(Math.max(width - nodeWidth - 16, nodeWidth + 46), nodeWidth + 150) / 2;
    places.set(ids[0]!, { x: width / 2 - apart, y: top + nodeHeight / 2 + 26 });
    places.set(ids[1]!, { x: width / 2 + apart, y: top + nodeHeight / 2 + 26 });
    return top + nodeHeight + 52;
  }
  if (ids.length > 4) return placeTrack(ids, top, spacing, places);
  const radiusX = Math.min((width - nodeWidth) / 2 - 6, 70 + ids.length * 18);
  const radiusY = Math.max((ids.length * (nodeHeight + 20)) / 4, nodeHeight * 1.5);
  for (const [index, id] of ids.entries()) {
    const angle = (index / ids.length) * 2 * Math.PI - Math.PI / 2;
    places.set(id, { x: width / 2 + radiusX * Math.cos(angle), y: top + nodeHeight / 2 + radiusY * (1 + Math.sin(angle)) });
  }
  return top + nodeHeight + 2 * radiusY;
}

/** Many nodes on a circle: down on the right, up on the left, so that each has room. */
function placeTrack(ids: string[], top: number, { width, nodeWidth, nodeHeight }: Spacing, places: Map<string, Place>): number {
  const half = Math.ceil(ids.length / 2);
  const step = nodeHeight + 26;
  const apart = Math.min((width - nodeWidth) / 2, nodeWidth * 1.1);
  for (const [index, id] of ids.entries()) {
    const isRight = index < half;
    // One fewer on the left stands between those on the right.
    const line = isRight ? index : ids.length - 1 - index + (half * 2 - ids.length) / 2;
    places.set(id, { x: width / 2 + (isRight ? apart : -apart), y: top + nodeHeight / 2 + line * step });
  }
  return top + nodeHeight + (half - 1) * step;
}

/** How many steps a node is from those that nothing leads on from. */
function depths(ids: readonly string[], edges: readonly GraphEdge[]): Map<string, number> {
  const depth = new Map(ids.map((id) => [id, 0]));
  // A relaxation per node is enough where there is no circle; where there is one, it is cut off there.
  for (let round = 0; round < Math.min(ids.length, 24); round++) {
    let changed = false;
    for (const { from, to } of edges) {
      if (!depth.has(from) || !depth.has(to) || from === to) continue;
      const wanted = Math.min(depth.get(to)! + 1, 24);
      if (wanted > depth.get(from)!) {
        depth.set(from, wanted);
        changed = true;
      }
    }
    if (!changed) break;
  }
  return depth;
}

/** Circles first, one below the other; then the rest in layers, those who wait for nobody lowest. */
export function graphLayout(ids: readonly string[], edges: readonly GraphEdge[], spacing: Spacing): GraphLayout {
  const places = new Map<string, Place>();
  const sortedIds = ids.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  let top = 6;
  const circles = onCircles(sortedIds, edges);
  for (const group of circles) top = placeCircle(group, edges, top, spacing, places) + spacing.gap;
  const rest = sortedIds.filter((id) => !places.has(id));
  const depth = depths(rest, edges);
  const layers = new Map<number, string[]>();
  for (const id of rest) layers.set(depth.get(id)!, [...(layers.get(depth.get(id)!) ?? []), id]);
  const perLine = Math.max(Math.floor((spacing.width + 12) / (spacing.nodeWidth + 12)), 1);
  for (const [, layer] of [...layers].toSorted(([a], [b]) => b - a)) {
    for (let from = 0; from < layer.length; from += perLine) {
      const line = layer.slice(from, from + perLine);
      const total = line.length * spacing.nodeWidth + (line.length - 1) * 12;
      for (const [index, id] of line.entries()) {
        places.set(id, { x: (spacing.width - total) / 2 + spacing.nodeWidth / 2 + index * (spacing.nodeWidth + 12), y: top + spacing.nodeHeight / 2 });
      }
      top += spacing.nodeHeight + spacing.gap;
    }
  }
  return { places, width: spacing.width, height: Math.max(top - spacing.gap + 6, spacing.nodeHeight) };
}
