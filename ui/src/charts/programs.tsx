// The dependency graph of transaction programs: who reads what others overwrite, and the cycle that makes a set of levels
// unsafe. Dashed lines are anti-dependencies (rw), full ones are ww and wr; the cycle has a second line beside it and its
// steps are numbered, so that nobody needs to see the colour. A pure function.
import type { AdvisorEdge, AdvisorProgram, DependencyKind, Level, Witness } from '../api/rest.ts';
import type { Texts } from '../i18n/index.ts';
import type { Theme } from '../theme.ts';
import { Arrow, Badge, badgeWidth, Chart, clip, Pick, px, sans, textWidth, type Drawing, type Picking } from './draw.tsx';

const NODE = { width: 128, height: 42 } as const;
/** Programs that are drawn; more of them are a table, not a picture. */
export const PROGRAMS_DRAWN = 24;

export const LEVEL_SHORT: Record<Level, string> = { read_committed: 'RC', repeatable_read: 'RR', serializable: 'SER' };

/** All dependencies of a kind from one program to another. */
export interface ProgramLink {
  key: string;
  from: string;
  to: string;
  kind: DependencyKind;
  edges: AdvisorEdge[];
  /** Its places in the cycle, from 1. */
  steps: number[];
}

/** Dependencies by programs and kind, those of the cycle first. */
export function linksOf(edges: readonly AdvisorEdge[], witness: Witness | undefined): ProgramLink[] {
  const links = new Map<string, ProgramLink>();
  const link = (from: string, to: string, kind: DependencyKind): ProgramLink => {
    const key = `${from}>${to}>${kind}`;
    const found = links.get(key) ?? { key, from, to, kind, edges: [], steps: [] };
    links.set(key, found);
    return found;
  };
  const programOf = (index: number) => witness?.transactions[index]?.program ?? '';
  for (const [index, dependency] of (witness?.cycle ?? []).entries()) {
    link(programOf(dependency.from), programOf(dependency.to), dependency.kind).steps.push(index + 1);
  }
  for (const edge of edges) link(edge.from, edge.to, edge.kind).edges.push(edge);
  return [...links.values()];
}

interface Place {
  x: number;
  y: number;
}

/** On an oval, the programs of the cycle beside each other. */
export function placesOf(names: readonly string[], width: number): { places: Map<string, Place>; height: number } {
  const count = Math.max(names.length, 1);
  const radiusX = Math.max((width - NODE.width - 24) / 2, 1);
  const radiusY = count < 3 ? 60 : Math.max(110, count * 26);
  const [middleX, middleY] = [width / 2, radiusY + NODE.height / 2 + 30];
  const places = new Map(
    names.map((name, index) => {
      const angle = (2 * Math.PI * index) / count - Math.PI / 2;
      return [name, { x: middleX + Math.cos(angle) * radiusX, y: middleY + Math.sin(angle) * radiusY }];
    }),
  );
  const lowest = Math.max(...[...places.values()].map((place) => place.y), NODE.height);
  return { places, height: lowest + NODE.height / 2 + 24 };
}

/** Where a line towards `to` leaves the box around `from`. */
function border(from: Place, to: Place): Place {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const scale = Math.min(Math.abs((NODE.width / 2 + 4) / (dx || 1e-9)), Math.abs((NODE.height / 2 + 4) / (dy || 1e-9)), 1);
  return { x: from.x + dx * scale, y: from.y + dy * scale };
}

interface Curve {
  path: string;
  at: Place;
}

/** A line that bends aside, the further the more lines run between the same two. */
function curve(from: Place, to: Place, bend: number): Curve {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const aside = { x: -((to.y - from.y) / length) * bend, y: ((to.x - from.x) / length) * bend };
  const middle = { x: (from.x + to.x) / 2 + aside.x, y: (from.y + to.y) / 2 + aside.y };
  const [start, end] = [border(from, middle), border(to, middle)];
  return {
    path: `M${px(start.x)} ${px(start.y)} Q${px(middle.x)} ${px(middle.y)} ${px(end.x)} ${px(end.y)}`,
    // Nearer to where it begins: words of two lines that run against each other do not meet.
    at: { x: 0.42 * start.x + 0.455 * middle.x + 0.125 * end.x, y: 0.42 * start.y + 0.455 * middle.y + 0.125 * end.y },
  };
}

/** A line from a program to itself, above its box. */
function loop(place: Place, index: number): Curve {
  const [x, y] = [place.x - NODE.width / 2 + 26 + index * 30, place.y - NODE.height / 2 - 4];
  return { path: `M${px(x)} ${px(y)} C${px(x - 12)} ${px(y - 30)} ${px(x + 26)} ${px(y - 30)} ${px(x + 14)} ${px(y)}`, at: { x: x + 7, y: y - 22 } };
}

function curvesOf(links: readonly ProgramLink[], places: ReadonlyMap<string, Place>): Map<string, Curve> {
  const seen = new Map<string, number>();
  const curves = new Map<string, Curve>();
  for (const link of links) {
    const [from, to] = [places.get(link.from), places.get(link.to)];
    if (!from || !to) continue;
    const pair = [link.from, link.to].toSorted().join('\n');
    const index = seen.get(pair) ?? 0;
    seen.set(pair, index + 1);
    if (link.from === link.to) curves.set(link.key, loop(from, index));
    else {
      // To both sides in turn; the side is that of the pair, not of the direction.
      const side = (index % 2 === 0 ? 1 : -1) * (link.from < link.to ? 1 : -1);
      curves.set(link.key, curve(from, to, side * (18 + Math.floor(index / 2) * 28)));
    }
  }
  return curves;
}

function Link({ link, curve: { path, at }, theme, first, texts, picked, onPick }: { link: ProgramLink; curve: Curve; theme: Theme; first: boolean; texts: Texts } & Picking) {
  const isLit = link.steps.length > 0;
  const isPicked = picked === link.key;
  const colour = isLit ? theme.danger : isPicked ? theme.ink : theme.muted;
  const text = isLit ? `${link.steps.join(' ')} ${link.kind}` : link.kind;
  const relations = [...new Set(link.edges.map((edge) => edge.relation))].join(', ');
  const label = texts.t('advisor.edgeLabel', { kind: texts.code('dependency', link.kind), from: link.from, to: link.to, relations });
  return (
    <Pick itemKey={link.key} label={isLit ? `${label} · ${texts.t('advisor.cycleStep', { step: link.steps.join(', ') })}` : label} first={first} picked={picked} onPick={onPick}>
      <path d={path} fill="none" stroke="transparent" strokeWidth={14} />
      {(isLit || isPicked) && <path d={path} fill="none" stroke={colour} strokeOpacity={0.22} strokeWidth={8} />}
      <path d={path} fill="none" stroke={colour} strokeWidth={isLit || isPicked ? 2.4 : 1.2} strokeDasharray={link.kind === 'rw' ? '5 4' : undefined} markerEnd={`url(#programs-${isLit ? 'lit' : isPicked ? 'ink' : 'dim'})`} />
      {isLit ? (
        <g>
          <rect x={px(at.x - textWidth(text, 10) / 2 - 5)} y={px(at.y - 8)} width={px(textWidth(text, 10) + 10)} height={16} rx={8} fill={theme.danger} />
          <text x={px(at.x)} y={px(at.y + 3.6)} textAnchor="middle" {...sans} fontSize={10} fontWeight={650} fill={theme.surface}>
            {text}
          </text>
        </g>
      ) : (
        <text x={px(at.x)} y={px(at.y + 3)} textAnchor="middle" {...sans} fontSize={9.5} fill={colour} stroke={theme.surface} strokeWidth={3} paintOrder="stroke">
          {text}
        </text>
      )}
    </Pick>
  );
}

export function levelColours(level: Level, theme: Theme): { colour: string; ground: string } {
  if (level === 'read_committed') return { colour: theme.visible, ground: theme.visibleSoft };
  if (level === 'repeatable_read') return { colour: theme.frozen, ground: theme.frozenSoft };
  return { colour: theme.wait, ground: theme.waitSoft };
}

function Box({ program, level, place, isLit, theme, texts, picked, onPick }: { program: AdvisorProgram; level: Level; place: Place; isLit: boolean; theme: Theme; texts: Texts } & Picking) {
  const key = `program/${program.name}`;
  const [x, y] = [place.x - NODE.width / 2, place.y - NODE.height / 2];
  const short = LEVEL_SHORT[level];
  const label = texts.t('advisor.programLabel', { name: program.name, level: texts.code('level', level), count: program.statements.length });
  return (
    <Pick itemKey={key} label={label} first={false} picked={picked} onPick={onPick}>
      <rect className="body" x={px(x)} y={px(y)} width={NODE.width} height={NODE.height} rx={7} fill={isLit ? theme.dangerSoft : theme.raised} stroke={isLit ? theme.danger : theme.edge} strokeWidth={picked === key ? 2.6 : isLit ? 1.8 : 1} />
      <text x={px(x + 10)} y={px(y + 17)} {...sans} fontSize={12} fontWeight={650} fill={theme.ink}>
        {clip(program.name, NODE.width - 20, 12)}
      </text>
      <Badge x={x + 10} y={y + 23} text={short} {...levelColours(level, theme)} />
      <text x={px(x + 16 + badgeWidth(short))} y={px(y + 33.5)} {...sans} fontSize={9.5} fill={theme.muted}>
        {clip(texts.t('advisor.statementCount', { count: program.statements.length }), NODE.width - 30 - badgeWidth(short), 9.5)}
      </text>
    </Pick>
  );
}

export interface ProgramGraphData {
  programs: readonly AdvisorProgram[];
  levels: Readonly<Record<string, Level>>;
  links: readonly ProgramLink[];
}

export function ProgramGraph({ data, width, theme, texts, picked, onPick }: { data: ProgramGraphData } & Drawing & Picking) {
  const lit = new Set(data.links.filter((link) => link.steps.length > 0).flatMap((link) => [link.from, link.to]));
  const ordered = [...data.programs.filter((program) => lit.has(program.name)), ...data.programs.filter((program) => !lit.has(program.name))];
  const drawn = ordered.slice(0, PROGRAMS_DRAWN);
  const { places, height } = placesOf(drawn.map((program) => program.name), width);
  const curves = curvesOf(data.links, places);
  // What is lit is drawn over what is not.
  const links = data.links.filter((link) => curves.has(link.key)).toSorted((a, b) => a.steps.length - b.steps.length);
  return (
    <Chart label={texts.t('advisor.graphLabel', { programs: data.programs.length, links: links.length })} width={width} height={height} list>
      <defs>
        <Arrow id="programs-lit" colour={theme.danger} />
        <Arrow id="programs-dim" colour={theme.muted} />
        <Arrow id="programs-ink" colour={theme.ink} />
      </defs>
      {links.map((link, index) => (
        <Link key={link.key} link={link} curve={curves.get(link.key)!} theme={theme} texts={texts} first={index === 0} picked={picked} onPick={onPick} />
      ))}
      {drawn.map((program) => (
        <Box key={program.name} program={program} level={data.levels[program.name] ?? program.recommended} place={places.get(program.name)!} isLit={lit.has(program.name)} theme={theme} texts={texts} picked={picked} onPick={onPick} />
      ))}
    </Chart>
  );
}
