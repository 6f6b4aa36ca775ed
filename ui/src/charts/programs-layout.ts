// Where the programs of a dependency graph stand and how the lines between them run. Pure geometry, without drawing.
import { px } from './draw.tsx';
import type { ProgramLink } from './programs-links.ts';

export const BOX = { height: 42, widest: 136 } as const;
/** Between two boxes beside each other: room for a line with its words, where there is any. */
const GAP = { usual: 38, narrow: 12, below: 380 } as const;
/** Up to so many programs stand in a ring; more of them in two columns. */
const RING = 6;
/** Room at the sides and above for lines from a program to itself. */
const MARGIN = { side: 8, top: 48 } as const;

export interface Place {
  x: number;
  y: number;
}

export interface Layout {
  places: ReadonlyMap<string, Place>;
  /** Width of a program's box. */
  box: number;
  width: number;
  height: number;
}

/** As wide as two boxes beside each other at the narrowest part of the ring let it be. */
function ringBox(count: number, width: number): number {
  const share = count < 3 ? 1 : Math.sin(Math.PI / count);
  const gap = width < GAP.below ? GAP.narrow : GAP.usual;
  return Math.min(BOX.widest, (share * (width - 2 * MARGIN.side) - gap) / (1 + share));
}

/** The programs in a ring, the first at the top, or in two columns, from left to right and down. */
export function layoutOf(names: readonly string[], width: number): Layout {
  const count = Math.max(names.length, 1);
  if (count > RING) {
    const box = Math.min(BOX.widest, (width - 2 * MARGIN.side) * 0.36);
    const [left, right] = [MARGIN.side + box / 2, width - MARGIN.side - box / 2];
    const places = names.map((name, index) => [name, { x: index % 2 === 0 ? left : right, y: MARGIN.top + BOX.height / 2 + index * 34 }] as const);
    return { places: new Map(places), box, width, height: MARGIN.top * 2 + BOX.height + (count - 1) * 34 };
  }
  const box = ringBox(count, width);
  const radiusX = count === 1 ? 0 : (width - box) / 2 - MARGIN.side;
  const radiusY = count < 3 ? 0 : Math.min(90 + count * 14, radiusX * 1.3);
  // Two stand beside each other; of others the first is at the top.
  const turn = count === 2 ? Math.PI : -Math.PI / 2;
  const ring = names.map((name, index) => {
    const angle = (2 * Math.PI * index) / count + turn;
    return [name, { x: width / 2 + Math.cos(angle) * radiusX, y: Math.sin(angle) * radiusY }] as const;
  });
  const [highest, lowest] = [Math.min(...ring.map(([, { y }]) => y)), Math.max(...ring.map(([, { y }]) => y))];
  const down = MARGIN.top + BOX.height / 2 - highest;
  const places = ring.map(([name, { x, y }]) => [name, { x, y: y + down }] as const);
  return { places: new Map(places), box, width, height: lowest - highest + BOX.height + 2 * MARGIN.top };
}

export interface Curve {
  path: string;
  /** Where its words stand. */
  at: Place;
}

/** Where a line towards `to` leaves the box around `from`. */
function border(from: Place, to: Place, box: number): Place {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const scale = Math.min(Math.abs((box / 2 + 4) / (dx || 1e-9)), Math.abs((BOX.height / 2 + 4) / (dy || 1e-9)), 1);
  return { x: from.x + dx * scale, y: from.y + dy * scale };
}

/** A line that bends aside by so many pixels; its words stand at a share of its way. */
function curve(from: Place, to: Place, box: number, bend: number, share: number): Curve {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const aside = { x: -((to.y - from.y) / length) * bend, y: ((to.x - from.x) / length) * bend };
  const middle = { x: (from.x + to.x) / 2 + aside.x, y: (from.y + to.y) / 2 + aside.y };
  const [start, end] = [border(from, middle, box), border(to, middle, box)];
  const on = (axis: 'x' | 'y') => (1 - share) ** 2 * start[axis] + 2 * share * (1 - share) * middle[axis] + share ** 2 * end[axis];
  return { path: `M${px(start.x)} ${px(start.y)} Q${px(middle.x)} ${px(middle.y)} ${px(end.x)} ${px(end.y)}`, at: { x: on('x'), y: on('y') } };
}

/** A line from a program to itself, on the side of its box that looks away from the others. */
function loop(place: Place, layout: Layout, index: number): Curve {
  const up = place.y <= layout.height / 2 + 1 ? -1 : 1;
  const outward = place.x < layout.width / 2 - 1 ? -1 : 1;
  const x = place.x + outward * (layout.box / 2 - 24 - index * 46);
  const y = place.y + up * (BOX.height / 2 + 3);
  return { path: `M${px(x - 9)} ${px(y)} C${px(x - 20)} ${px(y + up * 32)} ${px(x + 20)} ${px(y + up * 32)} ${px(x + 9)} ${px(y)}`, at: { x, y: y + up * 31 } };
}

/** How far the line between two programs must bend around what stands between them, to the side of `from`. */
function detour(from: Place, to: Place, layout: Layout): number {
  const inColumn = layout.places.size > RING && Math.abs(from.x - to.x) < 1;
  if (!inColumn) return 0;
  const towardsMiddle = from.x < layout.width / 2 ? -1 : 1;
  return towardsMiddle * Math.sign(to.y - from.y) * Math.min(layout.box * 0.7 + Math.abs(to.y - from.y) * 0.22, layout.width * 0.42);
}

/** The line of a step of the cycle. Where others run between the same two it bends further, and its words are nearer to its beginning. */
export function litCurve(link: ProgramLink, layout: Layout, isAnswered: boolean, others: number): Curve | undefined {
  const [from, to] = [layout.places.get(link.from), layout.places.get(link.to)];
  if (!from || !to) return undefined;
  if (link.from === link.to) return loop(from, layout, others);
  return curve(from, to, layout.box, detour(from, to, layout) + (isAnswered ? 22 : 8) + others * 22, isAnswered ? 0.3 : 0.44);
}

/** The line between two programs outside the cycle. */
export function pairCurve(from: string, to: string, layout: Layout): Curve | undefined {
  const [here, there] = [layout.places.get(from), layout.places.get(to)];
  if (!here || !there) return undefined;
  if (from === to) return loop(here, layout, 0);
  // In a ring of an even number all diagonals meet in the middle: there no word could be read.
  const share = layout.places.size % 2 === 0 ? 0.34 : 0.5;
  return curve(here, there, layout.box, detour(here, there, layout), share);
}
