// The dependency graph of transaction programs: who reads what others overwrite, and the cycle that makes a set of levels
// unsafe. Dashed lines are anti-dependencies (rw) with an arrow from the reader, full ones are ww; the cycle is drawn step
// by step with numbers, so that nobody needs to see the colour. A pure function.
import type { AdvisorProgram, Level } from '../api/rest.ts';
import type { Texts } from '../i18n/index.ts';
import type { Theme } from '../theme.ts';
import { Arrow, Badge, badgeWidth, Chart, clip, Pick, px, sans, textWidth, type Drawing, type Picking } from './draw.tsx';
import { BOX, layoutOf, litCurve, pairCurve, type Curve, type Place } from './programs-layout.ts';
import { kindsOf, pairsOf, readersOf, type ProgramLink, type ProgramPair } from './programs-links.ts';

/** Programs that are drawn; more of them are a table, not a picture. */
export const PROGRAMS_DRAWN = 24;

export const LEVEL_SHORT: Record<Level, string> = { read_committed: 'RC', repeatable_read: 'RR', serializable: 'SER' };

/** Sizes of a program's name, pixels: as large as its box lets it be. */
const NAME = { largest: 11.5, smallest: 9 } as const;

interface Look {
  theme: Theme;
  texts: Texts;
}

const relationsOf = (links: readonly ProgramLink[]) => [...new Set(links.flatMap((link) => link.edges.map((edge) => edge.relation)))].join(', ');

/** A step of the cycle, or several between the same two. */
function Step({ link, curve: { path, at }, theme, texts, first, picked, onPick }: { link: ProgramLink; curve: Curve; first: boolean } & Look & Picking) {
  const isPicked = picked === link.key;
  const steps = link.steps.join(' ');
  const width = textWidth(steps, 10) + 10;
  const label = texts.t('advisor.edgeLabel', { kind: texts.code('dependency', link.kind), from: link.from, to: link.to, relations: relationsOf([link]) });
  return (
    <Pick itemKey={link.key} label={`${label} · ${texts.t('advisor.cycleStep', { step: link.steps.join(', ') })}`} first={first} picked={picked} onPick={onPick}>
      <path d={path} fill="none" stroke="transparent" strokeWidth={16} />
      <path d={path} fill="none" stroke={theme.danger} strokeOpacity={isPicked ? 0.34 : 0.18} strokeWidth={9} />
      <path d={path} fill="none" stroke={theme.danger} strokeWidth={2.4} strokeDasharray={link.kind === 'rw' ? '6 4' : undefined} markerEnd="url(#programs-lit)" />
      <rect x={px(at.x - width - 1)} y={px(at.y - 8)} width={px(width)} height={16} rx={8} fill={theme.danger} />
      <text x={px(at.x - width / 2 - 1)} y={px(at.y + 3.6)} textAnchor="middle" {...sans} fontSize={10} fontWeight={700} fill={theme.surface}>
        {steps}
      </text>
      <text x={px(at.x + 3)} y={px(at.y + 3.6)} {...sans} fontSize={10.5} fontWeight={650} fill={theme.danger} stroke={theme.surface} strokeWidth={3.5} paintOrder="stroke">
        {link.kind}
      </text>
    </Pick>
  );
}

/** What two programs have with each other outside the cycle. */
function Meeting({ pair, curve: { path, at }, theme, texts, first, picked, onPick }: { pair: ProgramPair; curve: Curve; first: boolean } & Look & Picking) {
  const kinds = kindsOf(pair);
  const readers = readersOf(pair);
  const isPicked = picked === pair.key || pair.links.some((link) => link.key === picked);
  const colour = isPicked ? theme.ink : theme.muted;
  const arrow = `url(#programs-${isPicked ? 'ink' : 'dim'})`;
  const label = texts.t('advisor.pairLabel', { from: pair.from, to: pair.to, kinds: kinds.join(', '), relations: relationsOf(pair.links) });
  return (
    <Pick itemKey={pair.key} label={label} first={first} picked={isPicked ? pair.key : picked} onPick={onPick}>
      <path d={path} fill="none" stroke="transparent" strokeWidth={16} />
      {isPicked && <path d={path} fill="none" stroke={colour} strokeOpacity={0.18} strokeWidth={9} />}
      <path
        d={path}
        fill="none"
        stroke={colour}
        strokeWidth={isPicked ? 2.2 : 1.2}
        strokeDasharray={kinds.includes('ww') ? undefined : '5 4'}
        markerEnd={readers.from && pair.from !== pair.to ? arrow : undefined}
        markerStart={readers.to && pair.from !== pair.to ? arrow : undefined}
      />
      <text x={px(at.x)} y={px(at.y + 3)} textAnchor="middle" {...sans} fontSize={9.5} fontWeight={isPicked ? 650 : 400} fill={colour} stroke={theme.surface} strokeWidth={4} paintOrder="stroke">
        {kinds.join(' ')}
      </text>
    </Pick>
  );
}

export function levelColours(level: Level, theme: Theme): { colour: string; ground: string } {
  if (level === 'read_committed') return { colour: theme.visible, ground: theme.visibleSoft };
  if (level === 'repeatable_read') return { colour: theme.frozen, ground: theme.frozenSoft };
  return { colour: theme.wait, ground: theme.waitSoft };
}

interface BoxProps extends Look, Picking {
  program: AdvisorProgram;
  level: Level;
  place: Place;
  width: number;
  isLit: boolean;
  first: boolean;
}

function Box({ program, level, place, width, isLit, first, theme, texts, picked, onPick }: BoxProps) {
  const key = `program/${program.name}`;
  const [x, y] = [place.x - width / 2, place.y - BOX.height / 2];
  const short = LEVEL_SHORT[level];
  const label = texts.t('advisor.programLabel', { name: program.name, level: texts.code('level', level), count: program.statements.length });
  const room = width - 22 - badgeWidth(short);
  const size = Math.max(NAME.smallest, Math.min(NAME.largest, ((width - 14) / textWidth(program.name, 10)) * 10));
  return (
    <Pick itemKey={key} label={label} first={first} picked={picked} onPick={onPick}>
      <rect className="body" x={px(x)} y={px(y)} width={px(width)} height={BOX.height} rx={7} fill={isLit ? theme.dangerSoft : theme.raised} stroke={isLit ? theme.danger : theme.edge} strokeWidth={picked === key ? 2.6 : isLit ? 1.8 : 1} />
      <text x={px(x + 8)} y={px(y + 17)} {...sans} fontSize={px(size)} fontWeight={650} fill={theme.ink}>
        {clip(program.name, width - 13, size)}
      </text>
      <Badge x={x + 8} y={y + 23} text={short} {...levelColours(level, theme)} />
      <text x={px(x + 14 + badgeWidth(short))} y={px(y + 33.5)} {...sans} fontSize={9.5} fill={theme.muted}>
        {clip(texts.t('advisor.statementCount', { count: program.statements.length }), room, 8.5)}
      </text>
    </Pick>
  );
}

export interface ProgramGraphData {
  programs: readonly AdvisorProgram[];
  levels: Readonly<Record<string, Level>>;
  links: readonly ProgramLink[];
}

/** The programs of the cycle beside each other and in its order, then the others. */
function ordered(data: ProgramGraphData, lit: readonly ProgramLink[]): AdvisorProgram[] {
  const steps = lit.toSorted((a, b) => Math.min(...a.steps) - Math.min(...b.steps));
  const names = [...new Set(steps.flatMap((link) => [link.from, link.to]))];
  const inCycle = names.flatMap((name) => data.programs.filter((program) => program.name === name));
  return [...inCycle, ...data.programs.filter((program) => !names.includes(program.name))].slice(0, PROGRAMS_DRAWN);
}

export function ProgramGraph({ data, width, theme, texts, picked, onPick }: { data: ProgramGraphData } & Drawing & Picking) {
  const lit = data.links.filter((link) => link.steps.length > 0);
  const inCycle = new Set(lit.flatMap((link) => [link.from, link.to]));
  const programs = ordered(data, lit);
  const layout = layoutOf(programs.map((program) => program.name), width);
  const common = { theme, texts, picked, onPick };
  const pairs = pairsOf(data.links).flatMap((pair) => {
    const curve = pairCurve(pair.from, pair.to, layout);
    return curve ? [{ pair, curve }] : [];
  });
  const steps = lit.flatMap((link, index) => {
    // Steps that run between the same two stand apart, whichever way they run.
    const others = lit.slice(0, index).filter((other) => other.from === link.from && other.to === link.to).length;
    const isAnswered = lit.some((other) => other.from === link.to && other.to === link.from);
    const curve = litCurve(link, layout, isAnswered, others);
    return curve ? [{ link, curve }] : [];
  });
  return (
    <Chart label={texts.t('advisor.graphLabel', { programs: data.programs.length, links: data.links.length })} width={width} height={layout.height} list>
      <defs>
        <Arrow id="programs-lit" colour={theme.danger} />
        <Arrow id="programs-dim" colour={theme.muted} />
        <Arrow id="programs-ink" colour={theme.ink} />
      </defs>
      {pairs.map(({ pair, curve }, index) => (
        <Meeting key={pair.key} pair={pair} curve={curve} first={index === 0} {...common} />
      ))}
      {steps.map(({ link, curve }, index) => (
        <Step key={link.key} link={link} curve={curve} first={pairs.length === 0 && index === 0} {...common} />
      ))}
      {programs.map((program, index) => (
        <Box
          key={program.name}
          program={program}
          level={data.levels[program.name] ?? program.recommended}
          place={layout.places.get(program.name)!}
          width={layout.box}
          isLit={inCycle.has(program.name)}
          first={pairs.length + steps.length === 0 && index === 0}
          {...common}
        />
      ))}
    </Chart>
  );
}
