// Thousands of versions, painted: the layout of `chain-layout.ts` on a canvas, only what is in view, with as much text
// as the scale can carry. Painting is a function of its arguments; who holds the canvas is `views/Field.tsx`.
import type { PutOf } from '../api/timeline.ts';
import { colourOf, MONO, type Theme } from '../theme.ts';
import { BOX, positionOf, sightColours, sightOf, summary } from './chain.tsx';
import type { ChainLayout, Node } from './chain-layout.ts';
import { clip } from './draw.tsx';

/** Below these scales boxes are bare, or have their place alone. */
const SCALE_OF_PLACES = 0.34;
const SCALE_OF_ALL = 0.62;

/** What part of the layout is seen: its point at the upper left corner, and pixels for each unit. */
export interface Window {
  x: number;
  y: number;
  scale: number;
}

export interface FieldData {
  layout: ChainLayout;
  /** Nodes by lane, by column: made once, read in each frame. */
  places: readonly (Node & { x: number; y: number })[];
  verdicts: ReadonlyMap<string, PutOf<'verdict'>>;
}

export function fieldOf(layout: ChainLayout, verdicts: ReadonlyMap<string, PutOf<'verdict'>>): FieldData {
  const places = layout.nodes.map((node) => ({ ...node, ...positionOf(node, layout) }));
  return { layout, places: places.toSorted((a, b) => a.y - b.y || a.x - b.x), verdicts };
}

/** The first place that is not above `y`: what is above the window is not even looked at. */
function firstBelow(places: FieldData['places'], y: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]!.y + BOX.height < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The version under a point of the canvas. */
export function hit(data: FieldData, window: Window, at: { x: number; y: number }): string | undefined {
  const [x, y] = [window.x + at.x / window.scale, window.y + at.y / window.scale];
  return data.places.find((each) => x >= each.x && x <= each.x + BOX.width && y >= each.y && y <= each.y + BOX.height)?.key;
}

export interface Painted {
  boxes: number;
}

/** Paints what is in view. Returns how many boxes that were. */
export function paint(context: CanvasRenderingContext2D, data: FieldData, window: Window, size: { width: number; height: number }, theme: Theme, picked?: string): Painted {
  context.save();
  context.fillStyle = theme.surface;
  context.fillRect(0, 0, size.width, size.height);
  context.scale(window.scale, window.scale);
  context.translate(-window.x, -window.y);
  const [right, bottom] = [window.x + size.width / window.scale, window.y + size.height / window.scale];
  let boxes = 0;
  context.textBaseline = 'alphabetic';
  for (let index = firstBelow(data.places, window.y); index < data.places.length; index++) {
    const node = data.places[index]!;
    if (node.y > bottom) break;
    if (node.x > right || node.x + BOX.width < window.x) continue;
    paintBox(context, node, data, window.scale, theme, node.key === picked);
    boxes += 1;
  }
  context.restore();
  return { boxes };
}

function paintBox(context: CanvasRenderingContext2D, node: FieldData['places'][number], data: FieldData, scale: number, theme: Theme, isPicked: boolean): void {
  const { version, x, y } = node;
  const { line, fill } = sightColours(sightOf(data.verdicts.get(node.key)), theme);
  const isLost = version.fate === 'aborted';
  if (version.fate !== 'removed') {
    context.fillStyle = fill;
    context.fillRect(x, y, BOX.width, BOX.height);
  }
  context.lineWidth = isPicked ? 5 : Math.max(1, 0.6 / scale);
  context.strokeStyle = isPicked ? theme.focus : isLost ? theme.danger : line;
  context.strokeRect(x, y, BOX.width, BOX.height);
  context.fillStyle = colourOf(version.xmin, theme);
  context.fillRect(x, y, scale < SCALE_OF_PLACES ? 12 : 4, BOX.height);
  if (node.column > 0 && scale >= 0.2) {
    context.fillStyle = isLost ? theme.danger : theme.muted;
    context.fillRect(x - BOX.gapX + 2, y + BOX.height / 2 - 1, BOX.gapX - 4, 2);
  }
  if (scale < SCALE_OF_PLACES) return;
  context.fillStyle = theme.ink;
  context.font = `700 ${scale < SCALE_OF_ALL ? 18 : 11}px ${MONO}`;
  context.fillText(`(${version.block},${version.offset})`, x + 12, y + (scale < SCALE_OF_ALL ? 24 : 17));
  if (scale < SCALE_OF_ALL) return;
  context.font = `600 11px ${MONO}`;
  context.fillStyle = colourOf(version.xmin, theme);
  context.fillText(String(version.xmin), x + 12, y + 33);
  if (version.xmax !== undefined) {
    context.fillStyle = colourOf(version.xmax, theme);
    context.fillText(`→ ${version.xmax}`, x + 82, y + 33);
  }
  context.fillStyle = theme.muted;
  context.font = `400 11px ${MONO}`;
  context.fillText(clip(summary(node)[0]?.text ?? '', BOX.width - 20), x + 12, y + 53);
}
