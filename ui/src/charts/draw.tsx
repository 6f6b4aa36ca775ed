// What the charts share: sizes of text, cutting of text, origins as shapes, elements that can be picked by mouse and by
// key. Charts are pure functions of data, size, theme and texts; nothing here reads the document.
import type { KeyboardEvent, ReactNode } from 'react';

import type { Origin } from '../api/timeline.ts';
import type { Texts } from '../i18n/index.ts';
import { MONO, SANS, type Theme } from '../theme.ts';

export interface Size {
  width: number;
  height: number;
}

/** What every chart is given beside its data. */
export interface Drawing {
  width: number;
  theme: Theme;
  texts: Texts;
}

/** Which item is picked, and who is told when another one is. */
export interface Picking {
  picked?: string | undefined;
  onPick?: ((key: string) => void) | undefined;
}

/** Width of a letter of the monospaced face at 11 px; letters of Chinese are twice as wide. */
const LETTER = 6.7;

const isWide = (letter: string) => /[\u2E80-\u9FFF\uF900-\uFAFF\uFF00-\uFF60]/u.test(letter);

export function textWidth(text: string, size = 11): number {
  let letters = 0;
  for (const letter of text) letters += isWide(letter) ? 1.75 : 1;
  return letters * LETTER * (size / 11);
}

/** As much of a text as fits into `width` pixels; nothing if not even two letters do. */
export function clip(text: string, width: number, size = 11): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (textWidth(line, size) <= width) return line;
  let kept = '';
  for (const letter of line) {
    if (textWidth(`${kept}${letter}…`, size) > width) break;
    kept += letter;
  }
  return kept.length < 2 ? '' : `${kept.trimEnd()}…`;
}

/** A text in at most so many lines of `width` pixels, broken between words; what is left over is cut off. */
export function wrap(text: string, width: number, most: number, size = 11): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replaceAll(/\s+/g, ' ').trim().split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || lines.length === most - 1 || textWidth(longer, size) <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((each) => clip(each, width, size));
}

export const mono = { fontFamily: MONO, fontSize: 11 } as const;
export const sans = { fontFamily: SANS, fontSize: 11 } as const;

/** Rounds for SVG: a golden file does not change with the last bit of a float. */
export const px = (value: number): number => Math.round(value * 10) / 10;

/** Moves the focus between the things of a chart that can be picked, in the order in which they are drawn. */
function walk(event: KeyboardEvent<SVGSVGElement>): void {
  const steps: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const all = [...event.currentTarget.querySelectorAll<SVGGElement>('[data-key]')];
  const here = all.findIndex((each) => each === document.activeElement);
  if (here < 0) return;
  let next: SVGGElement | undefined;
  if (event.key in steps) next = all[Math.min(Math.max(here + steps[event.key]!, 0), all.length - 1)];
  else if (event.key === 'Home') next = all[0];
  else if (event.key === 'End') next = all.at(-1);
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  next.focus();
}

interface ChartProps extends Size {
  label: string;
  children: ReactNode;
  /** Whether things in it can be picked. */
  list?: boolean;
}

/** The root element of a chart. */
export function Chart({ label, width, height, children, list }: ChartProps) {
  const role = list ? 'listbox' : 'img';
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      className="chart"
      role={role}
      aria-label={label}
      width={px(width)}
      height={px(height)}
      viewBox={`0 0 ${px(width)} ${px(height)}`}
      onKeyDown={list ? walk : undefined}
    >
      {children}
    </svg>
  );
}

interface PickProps extends Picking {
  itemKey: string;
  label: string;
  /** Whether the tabulator comes here: one thing of each chart. */
  first: boolean;
  children: ReactNode;
}

/** A thing of a chart that can be picked. */
export function Pick({ itemKey, label, first, picked, onPick, children }: PickProps) {
  const isPicked = picked === itemKey;
  return (
    <g
      role="option"
      className="pick"
      data-key={itemKey}
      aria-label={label}
      aria-selected={isPicked}
      tabIndex={isPicked || first ? 0 : -1}
      onClick={() => onPick?.(itemKey)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        onPick?.(itemKey);
      }}
    >
      <title>{label}</title>
      {children}
    </g>
  );
}

/** How a datum is known, as a shape: a full dot is exact, a ring is sampled, a dashed ring with a dot is inferred. */
export function OriginMark({ origin, x, y, colour }: { origin: Origin; x: number; y: number; colour: string }) {
  if (origin === 'exact') return <circle cx={px(x)} cy={px(y)} r={3} fill={colour} />;
  const dash = origin === 'inferred' ? { strokeDasharray: '1.6 1.4' } : {};
  return (
    <g>
      <circle cx={px(x)} cy={px(y)} r={2.8} fill="none" stroke={colour} strokeWidth={1.4} {...dash} />
      {origin === 'inferred' && <circle cx={px(x)} cy={px(y)} r={0.9} fill={colour} />}
    </g>
  );
}

/** Slanted lines in a colour, as a pattern to fill with. */
export function Hatch({ id, colour, ground }: { id: string; colour: string; ground: string }) {
  return (
    <pattern id={id} width={6} height={6} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect width={6} height={6} fill={ground} />
      <rect width={1.6} height={6} fill={colour} fillOpacity={0.45} />
    </pattern>
  );
}

/** The head of an arrow, as a marker. */
export function Arrow({ id, colour }: { id: string; colour: string }) {
  return (
    <marker id={id} viewBox="0 0 8 8" refX={7} refY={4} markerWidth={7} markerHeight={7} orient="auto-start-reverse">
      <path d="M0 0.8 L7.4 4 L0 7.2 Z" fill={colour} />
    </marker>
  );
}

/** A small word in a box. Returns its width too, so that the next one can stand beside it. */
export function badgeWidth(text: string): number {
  return Math.ceil(textWidth(text, 9.5)) + 8;
}

export function Badge({ x, y, text, colour, ground }: { x: number; y: number; text: string; colour: string; ground: string }) {
  return (
    <g>
      <rect x={px(x)} y={px(y)} width={badgeWidth(text)} height={14} rx={3} fill={ground} stroke={colour} strokeOpacity={0.5} />
      <text x={px(x + 4)} y={px(y + 10.3)} {...sans} fontSize={9.5} fill={colour}>
        {text}
      </text>
    </g>
  );
}
