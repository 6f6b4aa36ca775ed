// A page of a table, to scale: header, line pointers, free space, tuples. Eight bytes of a page are as wide everywhere,
// so that what is full looks full. Above it the line pointers as cells that can be hit.
import type { PutOf } from '../api/timeline.ts';
import { colourOf, type Theme } from '../theme.ts';
import { Chart, clip, Hatch, mono, Pick, px, sans, type Drawing, type Picking } from './draw.tsx';
import type { Texts } from '../i18n/index.ts';

/** `PageHeaderData` (`src/include/storage/bufpage.h`) and one `ItemIdData`, bytes. */
const HEADER_BYTES = 24;
const LINE_BYTES = 4;
/** Rows into which the page is folded. */
const ROWS = 8;
const CELL = 24;
/** Line pointers that are drawn as cells. */
const LINES_DRAWN = 320;

export interface PageData {
  page: PutOf<'page'>;
  lines: readonly PutOf<'line'>[];
  versions: ReadonlyMap<string, PutOf<'version'>>;
}

interface Piece {
  at: number;
  bytes: number;
  fill: string;
  stroke: string;
  key?: string | undefined;
  name: string;
}

function pieces({ page, lines, versions }: PageData, theme: Theme, texts: Texts): Piece[] {
  const list: Piece[] = [
    { at: 0, bytes: HEADER_BYTES, fill: theme.edge, stroke: theme.edge, name: texts.t('page.header') },
    { at: HEADER_BYTES, bytes: Math.max(page.lower - HEADER_BYTES, 0), fill: 'url(#page-lines)', stroke: theme.edge, name: texts.t('page.lines') },
  ];
  for (const line of lines) {
    if (line.state !== 'normal' && line.bytes === 0) continue;
    const version = line.version === undefined ? undefined : versions.get(line.version);
    const isDead = line.state === 'dead' || (version !== undefined && version.fate !== 'live' && version.fate !== 'pending' && version.fate !== 'unknown');
    const colour = version ? colourOf(version.xmin, theme) : theme.muted;
    list.push({
      at: line.at,
      bytes: line.bytes,
      fill: isDead ? 'url(#page-dead)' : version?.fate === 'pending' ? theme.waitSoft : theme.visibleSoft,
      stroke: colour,
      key: line.key,
      name: `${line.offset}`,
    });
  }
  return list;
}

/** One piece may run over the end of a row: a rectangle for each row that it touches. */
function cut(piece: Piece, perRow: number): { row: number; from: number; to: number }[] {
  const parts = [];
  for (let from = piece.at; from < piece.at + piece.bytes; ) {
    const row = Math.floor(from / perRow);
    const to = Math.min(piece.at + piece.bytes, (row + 1) * perRow);
    parts.push({ row, from: from - row * perRow, to: to - row * perRow });
    from = to;
  }
  return parts;
}

function lineLabel(line: PutOf<'line'>, version: PutOf<'version'> | undefined, texts: Texts): string {
  const what = line.state === 'redirect' ? texts.t('page.redirectTo', { to: line.to ?? '?' }) : texts.code('line', line.state);
  const parts = [texts.t('page.lineLabel', { offset: line.offset, state: what })];
  if (line.bytes > 0) parts.push(texts.t('page.bytesAt', { bytes: line.bytes, at: line.at }));
  if (version) parts.push(texts.code('fate', version.fate));
  return parts.join(' · ');
}

function Lines({ data, width, theme, texts, picked, onPick }: Drawing & Picking & { data: PageData }) {
  const perLine = Math.max(Math.floor(width / (CELL + 2)), 1);
  return data.lines.slice(0, LINES_DRAWN).map((line, index) => {
    const [x, y] = [(index % perLine) * (CELL + 2), Math.floor(index / perLine) * (CELL + 4)];
    const version = line.version === undefined ? undefined : data.versions.get(line.version);
    const isDead = version !== undefined && !['live', 'pending', 'unknown'].includes(version.fate);
    const colour = line.state === 'normal' && version ? colourOf(version.xmin, theme) : theme.edge;
    const fill = line.state === 'dead' || isDead ? 'url(#page-dead)' : line.state === 'normal' ? theme.visibleSoft : 'none';
    const text = line.state === 'redirect' ? `↪${line.to ?? ''}` : String(line.offset);
    return (
      <Pick key={line.key} itemKey={line.key} label={lineLabel(line, version, texts)} first={index === 0} picked={picked} onPick={onPick}>
        <rect
          className="body"
          x={x + 0.5}
          y={y + 0.5}
          width={CELL - 1}
          height={CELL - 1}
          rx={line.state === 'redirect' ? 11 : 3}
          fill={fill}
          stroke={colour}
          strokeWidth={picked === line.key || (line.version !== undefined && picked === line.version) ? 2.4 : 1}
          strokeDasharray={line.state === 'unused' ? '2 2' : undefined}
        />
        <text x={x + CELL / 2} y={y + 15.5} textAnchor="middle" {...mono} fontSize={9.5} fill={line.state === 'unused' ? theme.muted : theme.ink} textDecoration={line.state === 'dead' ? 'line-through' : undefined}>
          {clip(text, CELL, 9) || line.offset}
        </text>
      </Pick>
    );
  });
}

export function PageMap({ data, width, theme, texts, picked, onPick }: Drawing & Picking & { data: PageData }) {
  const { page } = data;
  const perLine = Math.max(Math.floor(width / (CELL + 2)), 1);
  const shown = Math.min(data.lines.length, LINES_DRAWN);
  const top = Math.ceil(shown / perLine) * (CELL + 4) + (shown < data.lines.length ? 30 : 14);
  const size = page.special > 0 ? page.special : 8192;
  const perRow = Math.ceil(size / ROWS);
  const scale = width / perRow;
  const rowHeight = 20;
  const freeFrom = page.lower;
  return (
    <Chart label={texts.t('page.label', { block: page.block, lines: data.lines.length, free: page.upper - page.lower })} width={width} height={top + ROWS * (rowHeight + 2) + 2} list>
      <defs>
        <Hatch id="page-dead" colour={theme.hidden} ground={theme.hiddenSoft} />
        <pattern id="page-lines" width={px(LINE_BYTES * scale)} height={rowHeight} patternUnits="userSpaceOnUse">
          <rect width={px(LINE_BYTES * scale)} height={rowHeight} fill={theme.raised} />
          <rect width={0.7} height={rowHeight} fill={theme.edge} />
        </pattern>
      </defs>
      <Lines data={data} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />
      {shown < data.lines.length && (
        <text x={0} y={top - 12} {...sans} fill={theme.muted}>
          {texts.t('more', { count: data.lines.length - shown })}
        </text>
      )}
      <g transform={`translate(0 ${top})`}>
        {Array.from({ length: ROWS }, (_, row) => (
          <rect key={row} x={0.5} y={row * (rowHeight + 2) + 0.5} width={px(width - 1)} height={rowHeight - 1} fill={theme.surface} stroke={theme.line} />
        ))}
        {pieces(data, theme, texts).flatMap((piece) =>
          cut(piece, perRow).map(({ row, from, to }) => (
            <g key={`${piece.at}/${row}`} onClick={piece.key ? () => onPick?.(piece.key!) : undefined} className={piece.key ? 'hit' : undefined}>
              <rect
                x={px(from * scale + 0.5)}
                y={row * (rowHeight + 2) + 0.5}
                width={px(Math.max((to - from) * scale - 1, 0.6))}
                height={rowHeight - 1}
                fill={piece.fill}
                stroke={piece.stroke}
                strokeWidth={piece.key !== undefined && piece.key === picked ? 2.2 : 0.8}
              />
              {piece.key && (to - from) * scale > 16 && (
                <text x={px(((from + to) / 2) * scale)} y={row * (rowHeight + 2) + 14} textAnchor="middle" {...mono} fontSize={9.5} fill={theme.ink} pointerEvents="none">
                  {piece.name}
                </text>
              )}
            </g>
          )),
        )}
        <FreeSpace from={freeFrom} to={page.upper} perRow={perRow} scale={scale} rowHeight={rowHeight} theme={theme} text={texts.t('page.free', { bytes: texts.number(Math.max(page.upper - page.lower, 0)) })} />
      </g>
    </Chart>
  );
}

/** The word for free space, in the widest row of it. */
function FreeSpace({ from, to, perRow, scale, rowHeight, theme, text }: { from: number; to: number; perRow: number; scale: number; rowHeight: number; theme: Theme; text: string }) {
  const parts = cut({ at: from, bytes: Math.max(to - from, 0), fill: '', stroke: '', name: '' }, perRow);
  const widest = parts.toSorted((a, b) => b.to - b.from - (a.to - a.from) || a.row - b.row).at(0);
  if (!widest) return null;
  const room = (widest.to - widest.from) * scale;
  return (
    <text x={px(((widest.from + widest.to) / 2) * scale)} y={widest.row * (rowHeight + 2) + 14} textAnchor="middle" {...sans} fontSize={10} fill={theme.muted}>
      {clip(text, room - 8, 10)}
    </text>
  );
}
