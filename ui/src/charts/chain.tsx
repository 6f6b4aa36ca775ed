// The versions of rows as a chain with branches, coloured by what the chosen viewer sees. Above `CHAIN_DRAWN` versions
// the page takes `field.ts`, which paints the same layout on a canvas.
import type { PutOf } from '../api/timeline.ts';
import type { Texts } from '../i18n/index.ts';
import { colourOf, type Theme } from '../theme.ts';
import { chainLayout, type ChainLayout, type Link, type Node } from './chain-layout.ts';
import { Arrow, Badge, badgeWidth, Chart, clip, Hatch, mono, OriginMark, Pick, px, sans, textWidth, type Drawing, type Picking } from './draw.tsx';

/** Versions that are drawn as elements; more are painted. */
export const CHAIN_DRAWN = 240;

export const BOX = { width: 176, height: 66, gapX: 30, gapY: 10, bandGap: 6, left: 8, rowName: 20 } as const;

export interface ChainData {
  versions: readonly PutOf<'version'>[];
  /** Verdicts of the chosen viewer, by version. */
  verdicts: ReadonlyMap<string, PutOf<'verdict'>>;
  /** Line pointers that lead elsewhere: the roots of pruned chains. */
  redirects: readonly PutOf<'line'>[];
}

export type Sight = 'visible' | 'hidden' | 'unknown' | 'unjudged';

export function sightOf(verdict: PutOf<'verdict'> | undefined): Sight {
  if (!verdict) return 'unjudged';
  if (verdict.is_visible === undefined || verdict.is_visible === null) return 'unknown';
  return verdict.is_visible ? 'visible' : 'hidden';
}

export function sightColours(sight: Sight, theme: Theme): { line: string; fill: string } {
  switch (sight) {
    case 'visible':
      return { line: theme.visible, fill: theme.visibleSoft };
    case 'hidden':
      return { line: theme.hidden, fill: theme.hiddenSoft };
    case 'unknown':
      return { line: theme.unknown, fill: theme.unknownSoft };
    case 'unjudged':
      return { line: theme.muted, fill: theme.surface };
  }
}

/** `full`: seen; `barred`: not seen; `asked`: cannot be known. A shape, so that colour is not needed to read it. */
function SightMark({ sight, x, y, theme }: { sight: Sight; x: number; y: number; theme: Theme }) {
  const { line } = sightColours(sight, theme);
  if (sight === 'unjudged') return null;
  if (sight === 'visible') {
    return (
      <g>
        <circle cx={x} cy={y} r={7} fill={line} />
        <path d={`M${x - 3.2} ${y + 0.2} l2.3 2.4 l4.2 -4.8`} fill="none" stroke={theme.visibleSoft} strokeWidth={1.7} />
      </g>
    );
  }
  if (sight === 'hidden') {
    return (
      <g>
        <circle cx={x} cy={y} r={6.3} fill="none" stroke={line} strokeWidth={1.4} />
        <path d={`M${x - 3.6} ${y + 3.6} l7.2 -7.2`} stroke={line} strokeWidth={1.4} />
      </g>
    );
  }
  return (
    <g>
      <circle cx={x} cy={y} r={6.3} fill="none" stroke={line} strokeWidth={1.4} strokeDasharray="2 1.6" />
      <text x={x} y={y + 3.6} textAnchor="middle" {...sans} fontSize={10} fontWeight={700} fill={line}>
        ?
      </text>
    </g>
  );
}

export function positionOf(node: { column: number; lane: number }, layout: ChainLayout): { x: number; y: number } {
  const bandsAbove = layout.bands.findLastIndex((band) => band.lane <= node.lane);
  return {
    x: BOX.left + node.column * (BOX.width + BOX.gapX),
    y: node.lane * (BOX.height + BOX.gapY) + (bandsAbove + 1) * BOX.rowName + bandsAbove * BOX.bandGap,
  };
}

export function extentOf(layout: ChainLayout): { width: number; height: number } {
  return {
    width: BOX.left * 2 + Math.max(layout.columns, 1) * (BOX.width + BOX.gapX) - BOX.gapX + 8,
    height: Math.max(layout.lanes, 1) * (BOX.height + BOX.gapY) + layout.bands.length * (BOX.rowName + BOX.bandGap) - BOX.bandGap + 4,
  };
}

/** What a version says of itself in a line: `balance 90`, what changed first. */
export function summary(node: Node): { text: string; changed: boolean }[] {
  const values = Object.entries(node.version.values ?? {});
  const before = node.before?.values;
  const isChanged = ([name, value]: [string, unknown]) => before !== undefined && JSON.stringify(before[name]) !== JSON.stringify(value);
  return values
    .map((entry) => ({ text: `${entry[0]} ${valueText(entry[1])}`, changed: isChanged(entry) }))
    .toSorted((a, b) => Number(b.changed) - Number(a.changed));
}

export function valueText(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && '$toast' in value) return '⟨toast⟩';
  return JSON.stringify(value);
}

/** A transaction's standing as one sign. */
const STATE_SIGN: Record<string, string> = { 'in-progress': '…', prepared: '‖', committed: '✓', aborted: '✕', unknown: '?' };

function badges({ version }: Node, texts: Texts, theme: Theme): { text: string; colour: string; ground: string }[] {
  const list: { text: string; colour: string; ground: string }[] = [];
  const add = (text: string, colour: string, ground: string) => list.push({ text, colour, ground });
  if (version.fate === 'removed') add(texts.t('chain.removed'), theme.muted, theme.surface);
  if (version.fate === 'aborted') add(texts.t('chain.aborted'), theme.danger, theme.dangerSoft);
  if (version.is_frozen) add(texts.t('chain.frozen'), theme.frozen, theme.frozenSoft);
  if (version.is_heap_only) add('HOT', theme.accent, theme.surface);
  // The page keeps who locked it long after they ended; they hold nothing then.
  const members = version.members ?? [];
  const holders = members.filter((member) => member.state !== 'committed' && member.state !== 'aborted').length;
  if (version.xmax_kind === 'multi' && holders > 0) add(texts.t('chain.multi', { count: holders }), theme.wait, theme.waitSoft);
  if (version.xmax_kind === 'lock' && (holders > 0 || members.length === 0)) add(texts.t('chain.lock'), theme.wait, theme.waitSoft);
  return list;
}

/** How a version was ended, as a sign of ten by ten: an arrow on; an arrow into a wall; a lock. */
const ENDS: Record<string, string> = {
  none: 'M0 5h7',
  update: 'M0 5h8M5 2l3 3-3 3',
  delete: 'M0 5h7M4 2l3 3-3 3M9.5 1v8',
  lock: 'M1 5h8v4.5H1zM2.8 5V3a2.2 2.2 0 0 1 4.4 0v2',
  multi: 'M1 5h8v4.5H1zM2.8 5V3a2.2 2.2 0 0 1 4.4 0v2',
};

/** The line about the transactions that made and ended the version. */
function Makers({ x, y, version, texts, theme }: { x: number; y: number; version: Node['version']; texts: Texts; theme: Theme }) {
  const maker = `${version.xmin}${STATE_SIGN[version.xmin_state] ?? ''}`;
  const hasEnd = version.xmax !== undefined && version.xmax_kind !== 'none';
  const ender = hasEnd ? `${version.xmax}${STATE_SIGN[version.xmax_state ?? ''] ?? ''}` : '—';
  const path = ENDS[version.xmax_kind];
  const at = x + textWidth(maker) + 14;
  return (
    <g {...mono}>
      <text x={px(x)} y={y} fill={colourOf(version.xmin, theme)} fontWeight={600}>
        {maker}
      </text>
<path d={path} transform={`translate(${px(at)} ${y - 9})`} fill="none" stroke={theme.muted} strokeWidth={1.3}>
        <title>{texts.code('xmax', version.xmax_kind)}</title>
      </path>
      <text x={px(at + 15)} y={y} fill={hasEnd && version.xmax_kind !== 'multi' ? colourOf(version.xmax!, theme) : theme.muted} fontWeight={hasEnd ? 600 : 400}>
        {ender}
      </text>
    </g>
  );
}

function Values({ node, x, y, width, theme }: { node: Node; x: number; y: number; width: number; theme: Theme }) {
  let at = x;
  const parts = [];
  for (const [index, part] of summary(node).entries()) {
    const text = clip(part.text, x + width - at);
    if (text === '') break;
    parts.push(
      <text key={index} x={px(at)} y={y} {...mono} fill={part.changed ? theme.ink : theme.muted} fontWeight={part.changed ? 700 : 400}>
        {text}
      </text>,
    );
    at += textWidth(text) + 10;
  }
  return <>{parts}</>;
}

interface BoxProps extends Picking {
  node: Node;
  at: { x: number; y: number };
  first: boolean;
  sight: Sight;
  redirect?: number | undefined;
  label: string;
  theme: Theme;
  texts: Texts;
}

function Box({ node, at: { x, y }, first, sight, redirect, label, theme, texts, picked, onPick }: BoxProps) {
  const { version } = node;
  const { line, fill } = sightColours(sight, theme);
  const isGone = version.fate === 'removed';
  const isLost = version.fate === 'aborted';
  const list = badges(node, texts, theme);
  const badgeAt = list.map((_, index) => x + 12 + list.slice(0, index).reduce((sum, each) => sum + badgeWidth(each.text) + 4, 0));
  const valuesAt = x + 12 + list.reduce((sum, each) => sum + badgeWidth(each.text) + 4, 0);
  return (
    <Pick itemKey={node.key} label={label} first={first} picked={picked} onPick={onPick}>
      <rect
        className="body"
        x={x}
        y={y}
        width={BOX.width}
        height={BOX.height}
        rx={5}
        fill={isGone ? 'none' : fill}
        stroke={isLost ? theme.danger : line}
        strokeWidth={picked === node.key ? 2.4 : 1}
        strokeDasharray={isLost || isGone ? '4 3' : version.fate === 'pending' ? '1.5 2.5' : undefined}
      />
      <rect x={x} y={y} width={4} height={BOX.height} rx={2} fill={colourOf(version.xmin, theme)} />
      <text x={x + 12} y={y + 17} {...mono} fontWeight={700} fill={theme.ink} textDecoration={isLost ? 'line-through' : undefined}>
        {`(${version.block},${version.offset})`}
      </text>
      {redirect !== undefined && (
        <text x={x + 16 + textWidth(`(${version.block},${version.offset})`)} y={y + 17} {...mono} fontSize={10} fill={theme.muted}>
          {`↪ ${texts.t('chain.line')} ${redirect}`}
        </text>
      )}
      <OriginMark origin={version.origin} x={x + BOX.width - 28} y={y + 13} colour={theme.muted} />
      <SightMark sight={sight} x={x + BOX.width - 13} y={y + 13} theme={theme} />
      <Makers x={x + 12} y={y + 33} version={version} texts={texts} theme={theme} />
      {list.map((badge, index) => (
        <Badge key={badge.text} x={badgeAt[index]!} y={y + 43} {...badge} />
      ))}
      <Values node={node} x={list.length === 0 ? x + 12 : valuesAt + 3} y={y + 53} width={x + BOX.width - valuesAt - 10} theme={theme} />
    </Pick>
  );
}

function Edge({ link, from, to, theme }: { link: Link; from: Node & { x: number; y: number }; to: Node & { x: number; y: number }; theme: Theme }) {
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x - 2, to.y + BOX.height / 2];
  const bend = (x1 + x2) / 2;
  const isLost = to.version.fate === 'aborted';
  const dash = link.how === 'gap' ? '1 4' : link.how === 'guess' ? '4 3' : undefined;
  const colour = isLost ? theme.danger : to.version.is_heap_only ? theme.accent : theme.muted;
  return (
    <path
      d={y1 === y2 ? `M${px(x1)} ${px(y1)} H${px(x2)}` : `M${px(x1)} ${px(y1)} C${px(bend)} ${px(y1)} ${px(bend)} ${px(y2)} ${px(x2)} ${px(y2)}`}
      fill="none"
      stroke={colour}
      strokeWidth={link.how === 'gap' ? 1.2 : 1.5}
      strokeDasharray={dash}
      markerEnd={link.how === 'gap' ? undefined : isLost ? 'url(#chain-lost)' : to.version.is_heap_only ? 'url(#chain-hot)' : 'url(#chain-next)'}
    />
  );
}

/** A sentence for those who cannot see the box, and for the tooltip. */
export function versionLabel(node: Node, verdict: PutOf<'verdict'> | undefined, texts: Texts): string {
  const { version } = node;
  const parts = [
    texts.t('chain.versionLabel', { place: `(${version.block},${version.offset})`, xmin: version.xmin, fate: texts.code('fate', version.fate) }),
    texts.code('sight', sightOf(verdict)),
  ];
  if (verdict) parts.push(reasonOf(verdict, version, texts));
  return parts.join(' · ');
}

export function reasonOf(verdict: PutOf<'verdict'>, version: PutOf<'version'> | undefined, texts: Texts): string {
  return texts.reason(verdict.reason, { xmin: version?.xmin ?? '?', xmax: version?.xmax ?? '?' });
}

export function Chain({ data, theme, texts, width, picked, onPick }: Drawing & Picking & { data: ChainData }) {
  const layout = chainLayout(data.versions);
  const extent = extentOf(layout);
  const roots = new Map(data.redirects.map((line) => [`${line.block}/${line.to}`, line.offset]));
  const placed = new Map(layout.nodes.map((node) => [node.key, { ...node, ...positionOf(node, layout) }]));
  const full = Math.max(extent.width, width);
  return (
    <Chart label={texts.t('chain.label', { count: data.versions.length })} width={full} height={extent.height} list>
      <defs>
        <Arrow id="chain-next" colour={theme.muted} />
        <Arrow id="chain-hot" colour={theme.accent} />
        <Arrow id="chain-lost" colour={theme.danger} />
        <Hatch id="chain-hatch" colour={theme.unknown} ground={theme.unknownSoft} />
      </defs>
      {layout.bands.map((band, index) => {
        const { y } = positionOf({ column: 0, lane: band.lane }, layout);
        return (
          <g key={band.row}>
            {index > 0 && <path d={`M0 ${px(y - BOX.rowName - 6)} H${px(full)}`} stroke={theme.line} />}
            <text x={BOX.left} y={px(y - 6)} {...mono} fill={theme.muted}>
              {clip(`${texts.t('chain.row')} ${band.row}`, 400)}
            </text>
          </g>
        );
      })}
      {layout.links.map((link) => {
        const [from, to] = [placed.get(link.from), placed.get(link.to)];
        return from && to && <Edge key={`${link.from}>${link.to}`} link={link} from={from} to={to} theme={theme} />;
      })}
      {layout.nodes.map((node, index) => {
        const verdict = data.verdicts.get(node.key);
        return (
          <Box
            key={node.key}
            node={node}
            at={positionOf(node, layout)}
            first={index === 0}
            sight={sightOf(verdict)}
            redirect={roots.get(`${node.version.block}/${node.version.offset}`)}
            label={versionLabel(node, verdict, texts)}
            theme={theme}
            texts={texts}
            picked={picked}
            onPick={onPick}
          />
        );
      })}
    </Chart>
  );
}
