// Everything that is drawn of one moment of one log. Live, a recording, and a shared file are the same picture.
import { useMemo, type ReactNode } from 'react';

import type { PutOf } from '../api/timeline.ts';
import { Chain, CHAIN_DRAWN, type ChainData } from '../charts/chain.tsx';
import type { Axis } from '../charts/lanes.tsx';
import { Graph, ssiGraph, waitGraph } from '../charts/graph.tsx';
import { HorizonBar, removableWhen } from '../charts/horizon.tsx';
import { Lanes } from '../charts/lanes.tsx';
import { PageMap } from '../charts/page.tsx';
import { useTexts } from '../i18n/index.ts';
import { useTheme } from '../state/context.ts';
import { CHANGES_DRAWN, lanesOf } from '../state/lanes.ts';
import type { Log } from '../state/log.ts';
import { sorted, type Sorted } from '../state/moment.ts';
import { patchParams, type Route } from '../state/route.ts';
import { Difference } from './Difference.tsx';
import { Field } from './Field.tsx';
import { Inspector, viewerName } from './Inspector.tsx';
import { Empty, Panel, Wide } from './parts.tsx';

/** Waits shorter than this are not drawn where there are many, microseconds. */
const TRIVIAL_WAIT_US = 50_000;
/** Above so many waits the trivial ones are left out. */
const MANY_WAITS = 8;
/** Pages that can be chosen from. */
const PAGES_LISTED = 200;

interface StageProps {
  log: Log;
  /** Grows when the log does, for what is remembered of it. */
  version: number;
  seq: number;
  route: Route;
  /** Verdicts of another moment that are laid over this one. */
  overlay?: Sorted | undefined;
  /** Processes of the scene that is played: others have no lane. */
  cast?: ReadonlySet<number> | undefined;
  /** What stands above the inspector: the script of a scene. */
  aside?: ReactNode;
  /** What is said where no table is watched. */
  noTable?: ReactNode;
}

/** Who looks, if the address does not say: a session's own eyes are a choice, a new transaction is what everybody has. */
export function chosenViewer(moment: Sorted, asked: string | null): string | undefined {
  const ids = moment.viewer.map((viewer) => viewer.id);
  if (asked !== null && ids.includes(asked)) return asked;
  return ids.find((id) => id === 'new') ?? ids[0];
}

export function Stage({ log, version, seq, route, overlay, cast, aside, noTable }: StageProps) {
  const texts = useTexts();
  const { t } = texts;
  const moment = useMemo(() => {
    void version;
    const here = sorted(log.at(seq));
    return overlay ? withOverlay(here, overlay) : here;
  }, [log, seq, version, overlay]);
  const picked = route.params.get('pick') ?? undefined;
  const viewer = chosenViewer(moment, route.params.get('viewer'));
  const onPick = (key: string | undefined) => patchParams({ pick: key === picked ? undefined : key });
  const compared = route.params.get('with');
  const shared = { log, version, moment, seq, route, viewer, picked, onPick };
  return (
    <div className="stage">
      <ServerNote moment={moment} />
      <div className="main">
        <LanesPanel {...shared} cast={cast} />
        <VersionsPanel {...shared} noTable={noTable} />
        <div className="two">
          <WaitsPanel {...shared} />
          <SsiPanel {...shared} />
        </div>
        {compared !== null && <Difference log={log} from={Number(compared)} to={seq} onPick={onPick} />}
      </div>
      <div className="side">
        {aside}
        <Panel title={t('panel.inspector')} name="inspector" tools={picked !== undefined && <button type="button" className="quiet" onClick={() => onPick(undefined)}>{t('clear')}</button>}>
          <Inspector moment={moment} log={log} picked={picked} viewer={viewer} onPick={onPick} />
        </Panel>
        <HorizonPanel {...shared} />
      </div>
    </div>
  );
}

interface Shared {
  log: Log;
  version: number;
  moment: Sorted;
  seq: number;
  route: Route;
  viewer: string | undefined;
  picked: string | undefined;
  onPick: (key: string | undefined) => void;
}

/** Lays viewers and verdicts of another fold over a moment: how one at a point of the log would have seen it. */
function withOverlay(here: Sorted, overlay: Sorted): Sorted {
  const items = new Map(here.items);
  for (const item of [...overlay.viewer, ...overlay.verdict, ...overlay.version]) items.set(item.key, item);
  return sorted({ seq: here.seq, unix_us: here.unix_us, lsn: here.lsn, items });
}

function ServerNote({ moment }: { moment: Sorted }) {
  const { t, note: noteText } = useTexts();
  const server = moment.server[0];
  if (!server || (server.is_up && server.notes.length === 0)) return null;
  return (
    <div className={server.is_up ? 'server-note' : 'server-note down'} role={server.is_up ? 'note' : 'alert'}>
      {!server.is_up && <strong>{t('server.down')}</strong>}
      {server.notes.map((note) => (
        <span key={note}>{noteText(note)}</span>
      ))}
    </div>
  );
}

function LanesPanel({ log, version, moment, seq, route, picked, onPick, cast }: Shared & { cast: ReadonlySet<number> | undefined }) {
  const texts = useTexts();
  const theme = useTheme();
  const axis: Axis = route.params.get('axis') === 'time' ? 'time' : 'order';
  // The whole log where it is short; else a stretch around the moment.
  const from = Math.max(log.first, Math.min(seq - CHANGES_DRAWN / 2, log.last - CHANGES_DRAWN));
  const to = Math.min(log.last, from + CHANGES_DRAWN);
  const data = useMemo(() => {
    void version;
    return lanesOf(log, from, to, cast);
  }, [log, from, to, version, cast]);
  const { t } = texts;
  return (
    <Panel
      title={t('panel.sessions')}
      name="lanes"
      note={data.more > 0 ? t('more', { count: data.more }) : undefined}
      tools={
        <fieldset className="switch">
          <legend>{t('lanes.axis')}</legend>
          {(['order', 'time'] as const).map((each) => (
            <button key={each} type="button" aria-pressed={axis === each} onClick={() => patchParams({ axis: each === 'order' ? undefined : each })}>
              {t(`lanes.${each}`)}
            </button>
          ))}
        </fieldset>
      }
    >
      {data.lanes.length === 0 ? (
        <Empty>{t('lanes.none')}</Empty>
      ) : (
        <Wide>{(width) => <Lanes data={data} axis={axis} now={{ seq: moment.seq, us: moment.unix_us }} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />}</Wide>
      )}
    </Panel>
  );
}

function VersionsPanel({ moment, route, viewer, picked, onPick, noTable }: Shared & { noTable?: ReactNode }) {
  const texts = useTexts();
  const { t } = texts;
  const view = route.params.get('view') === 'page' ? 'page' : 'chain';
  const hasPages = moment.page.length > 0;
  const tools = (
    <>
      <ViewerSelect moment={moment} viewer={viewer} />
      <fieldset className="switch">
        <legend>{t('panel.as')}</legend>
        <button type="button" aria-pressed={view === 'chain'} onClick={() => patchParams({ view: undefined })}>
          {t('view.chain')}
        </button>
        <button type="button" aria-pressed={view === 'page'} disabled={!hasPages} onClick={() => patchParams({ view: 'page' })}>
          {t('view.page')}
        </button>
      </fieldset>
    </>
  );
  const count = moment.version.length;
  return (
    <Panel title={t('panel.versions')} name="versions" note={count > 0 ? t('versions.count', { count: texts.number(count) }) : undefined} tools={tools}>
      {count === 0 && !hasPages ? (
        <Empty>{noTable ?? t('versions.none')}</Empty>
      ) : view === 'page' && hasPages ? (
        <PageView moment={moment} route={route} picked={picked} onPick={onPick} />
      ) : (
        <ChainView moment={moment} viewer={viewer} picked={picked} onPick={onPick} />
      )}
    </Panel>
  );
}

function ChainView({ moment, viewer, picked, onPick }: Pick<Shared, 'moment' | 'viewer' | 'picked' | 'onPick'>) {
  const texts = useTexts();
  const theme = useTheme();
  const data = useMemo(
    (): ChainData => ({
      versions: moment.version,
      verdicts: new Map(moment.verdict.filter((each) => each.viewer === viewer).map((each) => [each.version, each])),
      redirects: moment.line.filter((line) => line.state === 'redirect'),
    }),
    [moment, viewer],
  );
  return (
    <>
      <Wide>
        {(width) =>
          data.versions.length > CHAIN_DRAWN ? (
            <Field data={data} width={width} picked={picked} onPick={onPick} />
          ) : (
            <Chain data={data} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />
          )
        }
      </Wide>
      <SightLegend data={data} />
    </>
  );
}

/** What the signs mean, with how many there are. */
function SightLegend({ data }: { data: ChainData }) {
  const { t, code } = useTexts();
  const count = { visible: 0, hidden: 0, unknown: 0 };
  for (const verdict of data.verdicts.values()) {
    if (verdict.is_visible === true) count.visible += 1;
    else if (verdict.is_visible === false) count.hidden += 1;
    else count.unknown += 1;
  }
  return (
    <p className="legend">
      {(['visible', 'hidden', 'unknown'] as const).map((sight) => (
        <span key={sight} className={`sight ${sight}`}>
          <span aria-hidden="true">{{ visible: '✓', hidden: '⊘', unknown: '?' }[sight]}</span> {code('sight', sight)} {count[sight]}
        </span>
      ))}
      <span>{t('legend.hot')}</span>
      <span>{t('legend.aborted')}</span>
    </p>
  );
}

function PageView({ moment, route, picked, onPick }: Pick<Shared, 'moment' | 'route' | 'picked' | 'onPick'>) {
  const texts = useTexts();
  const theme = useTheme();
  const { t } = texts;
  const pages = moment.page.toSorted((a, b) => a.block - b.block);
  const pickedBlock = picked?.startsWith('version/') || picked?.startsWith('line/') ? picked.split('/')[2] : undefined;
  const asked = Number(route.params.get('block') ?? pickedBlock ?? pages[0]!.block);
  const page = pages.find((each) => each.block === asked) ?? pages[0]!;
  const versions = useMemo(() => new Map(moment.version.map((version): [string, PutOf<'version'>] => [version.key, version])), [moment]);
  const lines = moment.line.filter((line) => line.block === page.block && line.relation === page.relation).toSorted((a, b) => a.offset - b.offset);
  return (
    <>
      <p className="page-facts">
        <label>
          {t('page.block')}{' '}
          <select value={page.block} onChange={(event) => patchParams({ block: event.target.value })}>
            {pages.slice(0, PAGES_LISTED).map((each) => (
              <option key={each.block} value={each.block}>
                {each.block}
              </option>
            ))}
          </select>
        </label>
        <span>
          LSN <code>{page.lsn}</code>
        </span>
        <span>{t('page.free', { bytes: texts.number(Math.max(page.upper - page.lower, 0)) })}</span>
        {page.prune_xid > 0 && (
          <span>
            prune_xid <code>{page.prune_xid}</code>
          </span>
        )}
        {page.is_all_visible && <span className="badge">{t('page.allVisible')}</span>}
        {page.is_all_frozen && <span className="badge">{t('page.allFrozen')}</span>}
      </p>
      <Wide>{(width) => <PageMap data={{ page, lines, versions }} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />}</Wide>
    </>
  );
}

function ViewerSelect({ moment, viewer }: { moment: Sorted; viewer: string | undefined }) {
  const texts = useTexts();
  const { t } = texts;
  if (moment.viewer.length === 0) return null;
  return (
    <label className="viewer">
      {t('viewer.as')}{' '}
      <select value={viewer} onChange={(event) => patchParams({ viewer: event.target.value })}>
        {moment.viewer.map((each) => (
          <option key={each.id} value={each.id}>
            {viewerName(each.id, moment, texts)}
            {each.is_own ? '' : ` ${t('viewer.nearest')}`}
          </option>
        ))}
      </select>
    </label>
  );
}

function WaitsPanel({ moment, picked, onPick }: Shared) {
  const texts = useTexts();
  const theme = useTheme();
  const { t } = texts;
  const running = moment.wait.filter((wait) => wait.until_us === undefined || wait.until_us === null);
  const threshold_us = running.length > MANY_WAITS ? TRIVIAL_WAIT_US : 0;
  const graph = waitGraph({ waits: moment.wait, sessions: moment.session, threshold_us, now_us: moment.unix_us }, texts, theme);
  const note = graph.cycle > 0 ? <strong className="danger">{t('waits.cycle', { count: graph.cycle })}</strong> : running.length > 0 ? t('waits.count', { count: running.length }) : undefined;
  return (
    <Panel title={t('panel.waits')} name="waits" note={note} className={graph.cycle > 0 ? 'alarm' : ''}>
      {graph.nodes.length === 0 ? (
        <Empty>{t(running.length > 0 ? 'waits.trivial' : 'waits.none')}</Empty>
      ) : (
        <Wide>{(width) => <Graph name="waits" label={t('waits.label', { count: graph.nodes.length })} nodes={graph.nodes} edges={graph.edges} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />}</Wide>
      )}
      {graph.more > 0 && <p className="more">{t('more', { count: graph.more })}</p>}
    </Panel>
  );
}

function SsiPanel({ moment, picked, onPick }: Shared) {
  const texts = useTexts();
  const theme = useTheme();
  const { t } = texts;
  if (moment.serializable.length === 0) return null;
  const graph = ssiGraph({ transactions: moment.serializable, conflicts: moment.conflict, sessions: moment.session }, texts, theme);
  const isDoomed = moment.serializable.some((each) => each.is_doomed);
  const isDangerous = moment.conflict.some((each) => each.is_dangerous);
  const note = isDoomed ? <strong className="danger">{t('ssi.doomedNote')}</strong> : isDangerous ? <strong className="danger">{t('ssi.dangerous')}</strong> : undefined;
  return (
    <Panel title={t('panel.ssi')} name="ssi" note={note} className={isDoomed || isDangerous ? 'alarm' : ''}>
      <Wide>{(width) => <Graph name="ssi" label={t('ssi.label', { count: graph.nodes.length })} nodes={graph.nodes} edges={graph.edges} width={width} theme={theme} texts={texts} picked={picked} onPick={onPick} />}</Wide>
      {graph.more > 0 && <p className="more">{t('more', { count: graph.more })}</p>}
    </Panel>
  );
}

function HorizonPanel({ moment }: Shared) {
  const texts = useTexts();
  const theme = useTheme();
  const { t } = texts;
  const server = moment.server[0];
  const next_xid = server?.next_xid ?? 0;
  if (moment.horizon.length === 0) return null;
  return (
    <Panel title={t('panel.horizon')} name="horizon">
      {moment.horizon.map((told) => {
        // The server names a session by its process; people know it by its name.
        const holders = told.holders.map((holder) => (holder.kind === 'session' && holder.pid !== undefined ? { ...holder, name: viewerName(`pid:${holder.pid}`, moment, texts) } : holder));
        const horizon = { ...told, holders };
        const data = { horizon, next_xid: Math.max(next_xid, horizon.xid), now_us: moment.unix_us };
        return (
          <div key={horizon.key} className="horizon">
            <p>
              <strong>{horizon.name}</strong> {removableWhen(data, texts)}
            </p>
            <Wide>{(width) => <HorizonBar data={data} width={width} theme={theme} texts={texts} />}</Wide>
          </div>
        );
      })}
    </Panel>
  );
}
