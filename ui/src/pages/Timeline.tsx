// Recordings: played, scrubbed, compared, linked to, shared; and what a transaction begun at a point would have seen.
import { useCallback, useEffect, useState } from 'react';

import { api, problemOf } from '../api/client.ts';
import type { ProblemBody, Recording } from '../api/rest.ts';
import { momentOf } from '../api/timeline.ts';
import { bytes } from '../charts/horizon.tsx';
import { useTexts } from '../i18n/index.ts';
import { Log } from '../state/log.ts';
import { sorted, type Sorted } from '../state/moment.ts';
import { usePosition } from '../state/player.ts';
import { go, hashOf, patchParams, type Route } from '../state/route.ts';
import { clock, Empty, Panel, ProblemNote } from '../views/parts.tsx';
import { Player } from '../views/Player.tsx';
import { useKeys } from '../views/Shortcuts.tsx';
import { Stage } from '../views/Stage.tsx';
import { MomentTools } from './Live.tsx';

/** Changes of a recording that are loaded into the page. */
const CHANGES_LOADED = 20_000;

export function TimelinePage({ route }: { route: Route }) {
  const id = route.rest[0];
  return id === undefined ? <Recordings /> : <Play key={id} id={id} route={route} />;
}

function Recordings() {
  const texts = useTexts();
  const { t } = texts;
  const [list, setList] = useState<Recording[]>();
  const [problem, setProblem] = useState<ProblemBody>();
  const load = useCallback(() => {
    void api.recordings().then(setList, (error: unknown) => setProblem(problemOf(error)));
  }, []);
  useEffect(load, [load]);
  const act = (work: Promise<unknown>) => void work.then(load, (error: unknown) => setProblem(problemOf(error)));
  return (
    <div className="page">
      <h1>{t('nav.timeline')}</h1>
      <p className="lead">{t('timeline.lead')}</p>
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
      <Panel
        title={t('timeline.recordings')}
        name="recordings"
        tools={
          <label className="button">
            {t('timeline.import')}
            <input type="file" className="visually-hidden" onChange={(event) => event.target.files?.[0] && act(api.importRecording(event.target.files[0]))} />
          </label>
        }
      >
        {list?.length === 0 && <Empty>{t('timeline.none')}</Empty>}
        {list && list.length > 0 && (
          <div className="scroll" tabIndex={0} role="region" aria-label={t('timeline.recordings')}>
            <table className="list">
              <thead>
                <tr>
                  <th scope="col">{t('timeline.name')}</th>
                  <th scope="col">{t('timeline.began')}</th>
                  <th scope="col" className="number">{t('timeline.length')}</th>
                  <th scope="col" className="number">{t('timeline.changes')}</th>
                  <th scope="col" className="number">{t('timeline.size')}</th>
                  <th scope="col">{t('timeline.server')}</th>
                  <th scope="col">{t('timeline.actions')}</th>
                </tr>
              </thead>
              <tbody>
                {list.map((each) => (
                  <tr key={each.id}>
                    <td>
                      <a href={hashOf('timeline', [each.id])}>{each.name}</a> {each.is_recording && <span className="badge on">{t('timeline.recording')}</span>}
                    </td>
                    <td>{new Date(each.began_us / 1000).toLocaleString(texts.language === 'zh' ? 'zh-CN' : 'en')}</td>
                    <td className="number">{texts.number((each.ended_us - each.began_us) / 1e6, 1)} s</td>
                    <td className="number">{texts.number(each.last - each.first)}</td>
                    <td className="number">{bytes(each.bytes, texts)}</td>
                    <td>{each.server_version}</td>
                    <td className="actions">
                      {each.is_recording && <button type="button" onClick={() => act(api.stopRecording(each.id))}>{t('record.end')}</button>}
                      <a href={api.exportAddress(each.id)} download={`${each.name}.html`}>{t('timeline.share')}</a>
                      <a href={api.fileAddress(each.id)} download>{t('timeline.file')}</a>
                      <button type="button" className="quiet" onClick={() => act(api.removeRecording(each.id))} aria-label={t('timeline.remove', { name: each.name })}>✕</button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </div>
  );
}

interface Loaded {
  recording: Recording;
  log: Log;
  /** Counts what was loaded. */
  version: number;
}

/** A recording, loaded in parts; one that is being made is followed. */
function useRecording(id: string): { loaded: Loaded | undefined; problem: ProblemBody | undefined } {
  const [loaded, setLoaded] = useState<Loaded>();
  const [problem, setProblem] = useState<ProblemBody>();
  useEffect(() => {
    let isGone = false;
    const load = async () => {
      const recording = await api.recording(id);
      const begin = await api.recordedMoment(id, recording.first);
      const log = new Log(momentOf(begin.seq, begin.at?.unix_us ?? recording.began_us, begin.items, begin.at?.lsn));
      let version = 0;
      for (;;) {
        const part = await api.changes(id, log.last);
        for (const change of part.changes) log.push(change);
        version += 1;
        if (isGone) return;
        setLoaded({ recording, log, version });
        if (part.changes.length === 0 || log.last >= part.last || log.changes.length >= CHANGES_LOADED) break;
      }
    };
    load().catch((error: unknown) => setProblem(problemOf(error)));
    return () => {
      isGone = true;
    };
  }, [id]);
  return { loaded, problem };
}

function Play({ id, route }: { id: string; route: Route }) {
  const { t } = useTexts();
  const { loaded, problem } = useRecording(id);
  if (problem) return <div className="page"><h1>{t('nav.timeline')}</h1><ProblemNote problem={problem} /></div>;
  if (!loaded) return <div className="page"><h1>{t('nav.timeline')}</h1><Empty>{t('loading')}</Empty></div>;
  return <Replay log={loaded.log} version={loaded.version} route={route} name={loaded.recording.name} id={id} />;
}

interface ReplayProps {
  log: Log;
  version: number;
  route: Route;
  name: string;
  /** Its id on the server; none in a shared file. */
  id?: string;
}

/** Plays a log, wherever it came from. */
export function Replay({ log, version, route, name, id }: ReplayProps) {
  const { t } = useTexts();
  const position = usePosition(log, route);
  const moment = log.at(position.seq);
  const { overlay, problem, forget } = useSeen(id, route.params.get('seen'));
  useKeys({
    k: () => position.play(!position.playing),
    ',': () => position.seek(position.seq - 1),
    '.': () => position.seek(position.seq + 1),
    '[': () => position.seek(log.first),
    ']': () => position.seek(log.last),
  });
  const seen = route.params.get('seen');
  return (
    <div className="page live">
      <div className="picker">
        <h1>{name}</h1>
        {id !== undefined && <a href={hashOf('timeline')}>{t('timeline.all')}</a>}
        {id !== undefined && (
          <a className="button" href={api.exportAddress(id)} download={`${name}.html`}>
            {t('timeline.share')}
          </a>
        )}
        <span className="muted">{clock(moment.unix_us)}{moment.lsn && <> · LSN <code>{moment.lsn}</code></>}</span>
        {id !== undefined && moment.lsn !== undefined && seen === null && (
          <button type="button" onClick={() => patchParams({ seen: moment.lsn, viewer: `lsn:${moment.lsn}` })}>
            {t('timeline.seen')}
          </button>
        )}
        {seen !== null && (
          <button type="button" aria-pressed onClick={() => patchParams({ seen: undefined, viewer: undefined })}>
            {t('timeline.seenEnd', { lsn: seen })}
          </button>
        )}
      </div>
      {problem && <ProblemNote problem={problem} onClose={forget} />}
      <Stage log={log} version={version} seq={position.seq} route={route} overlay={overlay} />
      <Player
        log={log}
        isLive={false}
        {...position}
        onSeek={position.seek}
        onFollow={() => position.seek(log.last)}
        onPlay={position.play}
        onSpeed={position.setSpeed}
        tools={<MomentTools seq={position.seq} compared={position.compared} />}
      />
    </div>
  );
}

/** The verdicts of one who had begun at a point of the server's log. */
function useSeen(id: string | undefined, lsn: string | null) {
  const [overlay, setOverlay] = useState<Sorted>();
  const [problem, setProblem] = useState<ProblemBody>();
  useEffect(() => {
    setOverlay(undefined);
    if (id === undefined || lsn === null) return;
    void api.seen(id, lsn).then(
      (seen) => setOverlay(sorted(momentOf(seen.seq, seen.at?.unix_us ?? 0, seen.items))),
      (error: unknown) => setProblem(problemOf(error)),
    );
  }, [id, lsn]);
  return { overlay, problem, forget: () => { setProblem(undefined); go(hashOf('timeline', id === undefined ? [] : [id])); } };
}
