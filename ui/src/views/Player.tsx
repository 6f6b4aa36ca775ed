// The strip to move along a log with: play, pause, step, scrub, speed; what made the moment, in words.
import { useEffect, type ReactNode } from 'react';

import { Scrubber } from '../charts/scrubber.tsx';
import type { Change } from '../api/timeline.ts';
import { useTexts, type Texts } from '../i18n/index.ts';
import { useTheme } from '../state/context.ts';
import type { Log } from '../state/log.ts';
import { Icon } from './icons.tsx';
import { clock, Wide } from './parts.tsx';

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8] as const;
/** A pause between two changes that is longer is shortened to this, milliseconds; else a night would be played as one. */
const PAUSE_MOST_MS = 1500;
const PAUSE_LEAST_MS = 40;

/** Why the picture changed, in a sentence. */
export function causeText(change: Change | undefined, texts: Texts): string {
  const { t } = texts;
  if (!change) return t('cause.begin');
  switch (change.cause) {
    case 'begin':
      return t('cause.begin');
    case 'sample':
      return sampleText(change, texts);
    case 'record':
      return t('cause.record', { name: change.name, xid: change.xid });
    case 'statement':
      return t('cause.statement', { console: change.console, sql: change.sql });
    case 'answer':
      return t(change.sqlstate ? 'cause.error' : 'cause.answer', { console: change.console, text: change.text, sqlstate: change.sqlstate ?? '' });
    case 'connection':
      return t(change.is_up ? 'cause.up' : 'cause.down', { reason: change.reason });
  }
}

/** What a sample brought, by its most telling item. */
function sampleText(change: Change, { t }: Texts): string {
  const waits = change.put?.filter((item) => item.kind === 'wait') ?? [];
  if (waits.some((wait) => wait.kind === 'wait' && wait.is_in_cycle)) return t('cause.cycle');
  if (waits.length > 0) return t('cause.waits', { count: waits.length });
  const doomed = change.put?.some((item) => item.kind === 'serializable' && item.is_doomed);
  if (doomed) return t('cause.doomed');
  const versions = change.put?.filter((item) => item.kind === 'version').length ?? 0;
  if (versions > 0) return t('cause.versions', { count: versions });
  return t('cause.sample');
}

interface PlayerProps {
  log: Log;
  seq: number;
  /** Whether the last moment is followed as it comes. */
  following: boolean;
  isLive: boolean;
  playing: boolean;
  speed: number;
  compared: number | undefined;
  onSeek: (seq: number) => void;
  onFollow: () => void;
  onPlay: (playing: boolean) => void;
  onSpeed: (speed: number) => void;
  tools?: ReactNode;
}

export function Player(props: PlayerProps) {
  const { log, seq, following, isLive, playing, speed, compared, onSeek, onFollow, onPlay, onSpeed, tools } = props;
  const texts = useTexts();
  const { t } = texts;
  const theme = useTheme();
  const change = log.change(seq);

  useEffect(() => {
    if (!playing) return;
    const here = log.change(seq);
    const next = log.change(seq + 1);
    if (!next) {
      onPlay(false);
      return;
    }
    const gap = here ? (next.unix_us - here.unix_us) / 1000 : PAUSE_LEAST_MS;
    const timer = setTimeout(() => onSeek(seq + 1), Math.min(Math.max(gap / speed, PAUSE_LEAST_MS), PAUSE_MOST_MS / Math.min(speed, 2)));
    return () => clearTimeout(timer);
  }, [playing, seq, speed, log, onSeek, onPlay]);

  const isLast = seq >= log.last;
  return (
    <div className="player" role="group" aria-label={t('player.label')}>
      <div className="controls">
        <button type="button" onClick={() => onSeek(log.first)} disabled={seq <= log.first} aria-label={t('player.first')} title={t('player.first')}>
          <Icon name="first" />
        </button>
        <button type="button" onClick={() => onSeek(seq - 1)} disabled={seq <= log.first} aria-label={t('player.back')} title={`${t('player.back')} (,)`}>
          <Icon name="back" />
        </button>
        <button type="button" className="play" onClick={() => onPlay(!playing)} disabled={!playing && isLast && log.last === log.first} aria-label={t(playing ? 'player.pause' : 'player.play')} title={`${t(playing ? 'player.pause' : 'player.play')} (k)`}>
          <Icon name={playing ? 'pause' : 'play'} />
        </button>
        <button type="button" onClick={() => onSeek(seq + 1)} disabled={isLast} aria-label={t('player.forward')} title={`${t('player.forward')} (.)`}>
          <Icon name="forward" />
        </button>
        <button type="button" className={isLive && following ? 'live on' : 'live'} onClick={onFollow} aria-pressed={isLive ? following : undefined} aria-label={isLive ? t('player.live') : t('player.last')}>
          {isLive ? <><span className="dot" aria-hidden="true" />{t('player.live')}</> : <Icon name="last" />}
        </button>
        <select value={speed} onChange={(event) => onSpeed(Number(event.target.value))} aria-label={t('player.speed')}>
          {SPEEDS.map((each) => (
            <option key={each} value={each}>{`${each}×`}</option>
          ))}
        </select>
      </div>
      <div className="strip">
        <Wide>
          {(width) => <Scrubber data={{ changes: log.changes, first: log.first, last: log.last, now: seq, compared }} width={width} theme={theme} texts={texts} />}
        </Wide>
        <input
          type="range"
          min={log.first}
          max={Math.max(log.last, log.first + 1)}
          value={seq}
          onChange={(event) => onSeek(Number(event.target.value))}
          aria-label={t('player.scrub')}
          aria-valuetext={`${seq}: ${causeText(change, texts)}`}
        />
      </div>
      <p className="now" aria-live="polite">
        <span className="seq">
          {seq}/{log.last}
        </span>{' '}
        {change && <time>{clock(change.unix_us)}</time>} <span className="cause">{causeText(change, texts)}</span>
      </p>
      {tools !== undefined && <div className="tools">{tools}</div>}
    </div>
  );
}
