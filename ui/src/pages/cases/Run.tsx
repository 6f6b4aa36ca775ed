// One run while it goes on: how far it is, throughput and latency of each arm as they are measured.
import { useEffect, useMemo, useState } from 'react';

import { api, problemOf } from '../../api/client.ts';
import type { ProblemBody, Pulse, RunDetail } from '../../api/rest.ts';
import { SeriesChart, type Series } from '../../charts/series.tsx';
import { useTexts } from '../../i18n/index.ts';
import { useLive, useTheme } from '../../state/context.ts';
import { hashOf } from '../../state/route.ts';
import { Panel, ProblemNote, Wide } from '../../views/parts.tsx';
import { Answered } from '../Cases.tsx';

/** Points that a line is drawn with. */
const POINTS = 300;

/** The last trial of each arm as a line. */
export function seriesOf(pulses: readonly Pulse[], figure: (pulse: Pulse) => number | undefined): Series[] {
  const last = new Map<string, number>();
  for (const pulse of pulses) last.set(pulse.arm, Math.max(last.get(pulse.arm) ?? 0, pulse.trial));
  return [...last].map(([name, trial]) => {
    const points: [number, number][] = [];
    for (const pulse of pulses) {
      const value = figure(pulse);
      if (pulse.arm === name && pulse.trial === trial && value !== undefined && value !== null) points.push([pulse.at_ms / 1000, value]);
    }
    const step = Math.ceil(points.length / POINTS);
    return { name, points: step > 1 ? points.filter((_, index) => index % step === 0) : points };
  });
}

export function RunView({ id }: { id: string }) {
  const texts = useTexts();
  const { t, code } = texts;
  const theme = useTheme();
  const live = useLive();
  const [detail, setDetail] = useState<RunDetail>();
  const [problem, setProblem] = useState<ProblemBody>();
  // Asked anew when the connection is there: what happened before that nobody tells.
  const { connection } = live;
  useEffect(() => {
    void api.run(id).then(setDetail, (error: unknown) => setProblem(problemOf(error)));
  }, [id, connection]);
  const newest = live.runs.get(id);
  const run = newest && detail && newest.version > detail.run.version ? newest : detail?.run;
  const pulse = newest?.pulse;
  useEffect(() => {
    if (pulse) setDetail((old) => old && { ...old, pulses: withPulse(old.pulses, pulse) });
  }, [pulse]);
  const state = run?.state;
  useEffect(() => {
    // Charts were made of pulses that may have been missed; at its end the whole is asked for once more.
    if (state === 'done' || state === 'failed') void api.run(id).then(setDetail, () => undefined);
  }, [state, id]);
  const pulses = detail?.pulses;
  const throughput = useMemo(() => seriesOf(pulses ?? [], (each) => each.per_second), [pulses]);
  const latency = useMemo(() => seriesOf(pulses ?? [], (each) => (each.latency_us_p99 === undefined ? undefined : each.latency_us_p99 / 1000)), [pulses]);
  const answer = { ...(run && { value: run }), ...(problem && { problem }) };
  return (
    <Answered answer={answer}>
      {(shown) => (
        <>
          <h1>{shown.request.study}</h1>
          <p className="command">
            <code>{shown.command}</code>
          </p>
          <p className="run-state" role="status">
            <span className={`badge ${shown.state}`}>{code('run', shown.state)}</span>{' '}
            <progress max={Math.max(shown.trials, 1)} value={shown.trials_done} aria-label={t('run.progress')} />{' '}
            {t('run.trials', { done: shown.trials_done, all: shown.trials })} <span className="muted" lang="en">{shown.now}</span>
            {(shown.state === 'running' || shown.state === 'queued') && (
              <button type="button" onClick={() => void api.cancelRun(id).catch((error: unknown) => setProblem(problemOf(error)))}>
                {t('run.cancel')}
              </button>
            )}
          </p>
          {shown.problem && <ProblemNote problem={shown.problem} />}
          {shown.held !== undefined && shown.held !== null && <p className={`verdict ${shown.held ? 'visible' : 'danger'}`}>{t(shown.held ? 'run.held' : 'run.notHeld')}</p>}
          {shown.record && (
            <p>
              <a className="button" href={hashOf('cases', ['record', shown.record])}>
                {t('run.record')}
              </a>
            </p>
          )}
          <Panel title={t('run.charts')} name="charts">
            <Wide>
              {(width) => (
                <>
                  <SeriesChart data={{ title: t('run.throughput'), unit: t('run.perSecond'), series: throughput }} width={width} theme={theme} texts={texts} />
                  <SeriesChart data={{ title: t('run.latency'), unit: 'ms', series: latency }} width={width} theme={theme} texts={texts} />
                </>
              )}
            </Wide>
          </Panel>
        </>
      )}
    </Answered>
  );
}

/** A pulse that came again is not drawn twice. */
function withPulse(pulses: Pulse[], pulse: Pulse): Pulse[] {
  const last = pulses.at(-1);
  const isKnown = last && last.trial === pulse.trial && last.arm === pulse.arm && last.at_ms >= pulse.at_ms;
  return isKnown ? pulses : [...pulses, pulse];
}
