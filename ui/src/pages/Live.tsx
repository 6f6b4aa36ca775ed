// What happens now: a table or a built-in scene is chosen, and everything about it is drawn as it changes.
import { useCallback, useEffect, useMemo, useState } from 'react';

import { api, problemOf } from '../api/client.ts';
import type { ProblemBody, Scene, SceneCard, Table, Watch } from '../api/rest.ts';
import { useTexts } from '../i18n/index.ts';
import { useLive, useWorld } from '../state/context.ts';
import { usePosition } from '../state/player.ts';
import { go, hashOf, patchParams, type Route } from '../state/route.ts';
import { Empty, ProblemNote, Prose, withoutCode } from '../views/parts.tsx';
import { Player } from '../views/Player.tsx';
import { SceneScript } from '../views/SceneScript.tsx';
import { useKeys } from '../views/Shortcuts.tsx';
import { Stage } from '../views/Stage.tsx';

export function watchOf(params: URLSearchParams, scene: Scene | undefined): Watch {
  const table = scene?.table ?? params.get('table') ?? undefined;
  const row = params.get('row') ?? undefined;
  const watch: Watch = { viewers: 'all' };
  if (table) watch.table = table;
  if (row) watch.row = row;
  return watch;
}

/** The scene that the address names, as it stands on the server. */
function useScene(name: string | null) {
  const [scene, setScene] = useState<Scene>();
  const [problem, setProblem] = useState<ProblemBody>();
  const [busy, setBusy] = useState(false);
  const act = useCallback(async (work: () => Promise<Scene | undefined>) => {
    setBusy(true);
    try {
      setScene(await work());
      setProblem(undefined);
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  }, []);
  useEffect(() => {
    if (name === null) {
      setScene(undefined);
      setProblem(undefined);
      return;
    }
    // A page that is loaded anew finds the scene where it was.
    void act(() => api.scene(name).catch(() => api.openScene(name)));
  }, [name, act]);
  return { scene: name === null ? undefined : scene, problem, busy, act, forget: () => setProblem(undefined) };
}

export function LivePage({ route }: { route: Route }) {
  const { t } = useTexts();
  const live = useLive();
  const { server } = useWorld();
  const sceneName = route.params.get('scene');
  const { scene, problem, busy, act, forget } = useScene(sceneName);
  const position = usePosition(live.log, route);
  const watch = JSON.stringify(watchOf(route.params, scene));
  const cast = useMemo(() => scene && new Set(scene.sessions.map((session) => session.pid)), [scene]);
  const isWaiting = sceneName !== null && scene === undefined;
  useEffect(() => {
    if (!isWaiting) live.watch(JSON.parse(watch) as Watch);
  }, [live, watch, isWaiting]);
  const step = useCallback(() => {
    if (!scene || scene.next >= scene.steps.length) return;
    position.follow();
    void act(() => api.playStep(scene.name, scene.next));
  }, [scene, act, position]);
  useKeys({
    n: step,
    k: () => position.play(!position.playing),
    ',': () => position.seek(position.seq - 1),
    '.': () => position.seek(position.seq + 1),
    '[': () => position.seek(live.log.first),
    ']': position.follow,
  });
  return (
    <div className="page live">
      <h1 className="visually-hidden">{t('nav.live')}</h1>
      <Picker route={route} />
      {problem && <ProblemNote problem={problem} onClose={forget} />}
      {live.problem && <ProblemNote problem={live.problem} />}
      {live.connection === 'lost' && <p className="server-note down" role="alert">{t('live.lost')}</p>}
      <Stage
        log={live.log}
        version={live.version}
        seq={position.seq}
        route={route}
        cast={cast}
        aside={
          scene && (
            <SceneScript
              scene={scene}
              statements={live.statements}
              busy={busy}
              onStep={step}
              onRestart={() => void act(() => api.openScene(scene.name))}
              onClose={() => {
                void api.closeScene(scene.name).catch(() => undefined);
                patchParams({ scene: undefined, seq: undefined, pick: undefined });
              }}
            />
          )
        }
        noTable={<Welcome hasServer={server !== undefined} hasTable={route.params.has('table') || sceneName !== null} />}
      />
      <Player
        log={live.log}
        isLive
        {...position}
        onSeek={position.seek}
        onFollow={position.follow}
        onPlay={position.play}
        onSpeed={position.setSpeed}
        tools={<MomentTools seq={position.seq} compared={position.compared} />}
      />
    </div>
  );
}

/** Compare with this moment; copy a link to it. */
export function MomentTools({ seq, compared }: { seq: number; compared: number | undefined }) {
  const { t } = useTexts();
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    patchParams({ seq: String(seq) });
    void navigator.clipboard?.writeText(location.href).then(() => setCopied(true));
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <>
      <button type="button" aria-pressed={compared !== undefined} onClick={() => patchParams({ with: compared === undefined ? String(seq) : undefined })}>
        {t(compared === undefined ? 'compare.pin' : 'compare.end')}
      </button>
      <button type="button" onClick={copy}>
        {t(isCopied ? 'link.copied' : 'link.copy')}
      </button>
    </>
  );
}

function Welcome({ hasServer, hasTable }: { hasServer: boolean; hasTable: boolean }) {
  const { t } = useTexts();
  if (hasTable) return t('versions.none');
  return t(hasServer ? 'live.choose' : 'live.connecting');
}

function Picker({ route }: { route: Route }) {
  const texts = useTexts();
  const { t, language } = texts;
  const { server } = useWorld();
  const [tables, setTables] = useState<Table[]>([]);
  const [scenes, setScenes] = useState<SceneCard[]>([]);
  const [problem, setProblem] = useState<ProblemBody>();
  const refresh = useCallback(() => {
    void api.tables().then(
      (answer) => setTables(answer.tables),
      (error: unknown) => setProblem(problemOf(error)),
    );
  }, []);
  useEffect(() => {
    if (!server) return;
    refresh();
    void api.scenes().then(setScenes, (error: unknown) => setProblem(problemOf(error)));
  }, [server, refresh]);
  const table = route.params.get('table') ?? '';
  const known = tables.find((each) => `${each.schema}.${each.name}` === table);
  return (
    <>
      <form className="picker" onSubmit={(event) => event.preventDefault()}>
        <label>
          {t('live.scene')}
          <select
            value={route.params.get('scene') ?? ''}
            onChange={(event) => go(hashOf('live', [], event.target.value ? { scene: event.target.value } : {}))}
          >
            <option value="">{t('live.noScene')}</option>
            {scenes.map((scene) => (
              <option key={scene.name} value={scene.name} disabled={scene.obstacle !== undefined}>
                {withoutCode(scene.title[language])}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t('live.table')}
          <select value={table} onFocus={refresh} onChange={(event) => go(hashOf('live', [], event.target.value ? { table: event.target.value } : {}))}>
            <option value="">{t('live.noTable')}</option>
            {table !== '' && !known && <option value={table}>{table}</option>}
            {tables.map((each) => (
              <option key={each.oid} value={`${each.schema}.${each.name}`} disabled={!each.is_readable}>
                {`${each.schema}.${each.name}`}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t('live.row')}
          <input
            key={route.params.get('row') ?? ''}
            defaultValue={route.params.get('row') ?? ''}
            placeholder={known && known.key.length > 0 ? known.key.join(', ') : t('live.rowHint')}
            size={16}
            onBlur={(event) => patchParams({ row: event.target.value.trim() })}
            onKeyDown={(event) => event.key === 'Enter' && patchParams({ row: event.currentTarget.value.trim() })}
          />
        </label>
        <RecordButton route={route} />
      </form>
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
      {!route.params.has('scene') && !route.params.has('table') && scenes.length > 0 && (
        <ul className="scenes" aria-label={t('live.scene')}>
          {scenes.map((scene) => (
            <li key={scene.name}>
              <a href={hashOf('live', [], { scene: scene.name })} aria-disabled={scene.obstacle !== undefined}>
                <strong><Prose text={scene.title[language]} /></strong>
                <span><Prose text={scene.summary[language]} /></span>
                <small>
                  {scene.obstacle ? scene.obstacle[language] : t('live.sceneFacts', { sessions: scene.sessions.length, steps: scene.steps })}
                </small>
              </a>
            </li>
          ))}
        </ul>
      )}
      {scenes.length === 0 && tables.length === 0 && server && !problem && <Empty>{t('live.nothing')}</Empty>}
    </>
  );
}

/** Begins a recording of what is watched, and ends it. */
function RecordButton({ route }: { route: Route }) {
  const { t } = useTexts();
  const live = useLive();
  const [id, setId] = useState<string>();
  const [problem, setProblem] = useState<ProblemBody>();
  const server = live.log.at(live.log.last).items.get('server');
  const name = route.params.get('scene') ?? route.params.get('table') ?? (server?.kind === 'server' ? server.version : 'pgstrata');
  const begin = async () => {
    try {
      setId((await api.startRecording(name, live.watching)).id);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  const end = async () => {
    try {
      if (id !== undefined) await api.stopRecording(id);
      if (id !== undefined) go(hashOf('timeline', [id]));
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return (
    <>
      <button type="button" className={id === undefined ? 'record' : 'record on'} aria-pressed={id !== undefined} onClick={() => void (id === undefined ? begin() : end())}>
        <span className="dot" aria-hidden="true" />
        {t(id === undefined ? 'record.begin' : 'record.end')}
      </button>
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
    </>
  );
}
