// One golden drawing for each chart and for what only shows in another theme, language or width. `npm test -- -u` makes
// them anew; look at them before they are committed.
import type { ReactElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, test } from 'vitest';

import type { PutItem, PutOf } from '../../src/api/timeline.ts';
import { Chain, sightOf } from '../../src/charts/chain.tsx';
import { Graph, ssiGraph, waitGraph } from '../../src/charts/graph.tsx';
import { HorizonBar, removableWhen } from '../../src/charts/horizon.tsx';
import { Lanes } from '../../src/charts/lanes.tsx';
import { PageMap } from '../../src/charts/page.tsx';
import { Ratios } from '../../src/charts/ratios.tsx';
import { Scrubber } from '../../src/charts/scrubber.tsx';
import { SeriesChart, spread } from '../../src/charts/series.tsx';
import { textsOf } from '../../src/i18n/index.ts';
import { lanesOf } from '../../src/state/lanes.ts';
import type { Log } from '../../src/state/log.ts';
import { sorted } from '../../src/state/moment.ts';
import { sharedLog } from '../../src/state/shared.ts';
import { DARK, LIGHT } from '../../src/theme.ts';
import { BEGIN_US, deadlock, everyVersion, horizon, wait, writeSkew } from '../fixtures/stories.ts';

const en = { theme: LIGHT, texts: textsOf('en') };
const zh = { theme: DARK, texts: textsOf('zh') };

/** One tag a line, so that a difference can be read. */
async function golden(name: string, chart: ReactElement) {
  const svg = renderToStaticMarkup(chart).replaceAll(/></g, '>\n<');
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  await expect(`${svg}\n`).toMatchFileSnapshot(`../goldens/${name}.svg`);
}

const of = <K extends PutItem['kind']>(items: PutItem[], kind: K) => items.filter((item): item is PutOf<K> & PutItem => item.kind === kind) as PutOf<K>[];

/** The moment at which a story first fulfils a condition. */
function when(log: Log, condition: (items: PutItem[]) => boolean): number {
  for (let seq = log.first; seq <= log.last; seq++) if (condition([...log.at(seq).items.values()])) return seq;
  throw new Error('the story never gets there');
}

describe('chain', () => {
  const items = everyVersion();
  const data = { versions: of(items, 'version'), verdicts: new Map(of(items, 'verdict').map((each) => [each.version, each])), redirects: of(items, 'line').filter((line) => line.state === 'redirect') };
  test('every shape of a version', () => golden('chain', <Chain data={data} width={1000} {...en} picked={data.versions[3]!.key} />));
  test('dark, in Chinese', () => golden('chain-dark-zh', <Chain data={data} width={1000} {...zh} />));
  test('the same versions in another order are the same drawing', () => {
    const drawing = (versions: PutOf<'version'>[]) => renderToStaticMarkup(<Chain data={{ ...data, versions }} width={1000} {...en} />);
    expect(drawing(data.versions.toReversed())).toBe(drawing(data.versions));
  });
  test('what cannot be known is neither seen nor unseen', () => {
    expect(sightOf(undefined)).toBe('unjudged');
    expect(data.versions.map((version) => sightOf(data.verdicts.get(version.key)))).toEqual(['unjudged', 'hidden', 'hidden', 'visible', 'hidden', 'visible', 'hidden', 'unknown']);
  });
});

describe('lanes', () => {
  const log = sharedLog(deadlock());
  const lanes = lanesOf(log, log.first, log.last);
  const at = (seq: number) => ({ seq, us: log.at(seq).unix_us });
  const closed = when(log, (items) => items.some((item) => item.kind === 'wait' && item.is_in_cycle));
  test('a deadlock by order', () => golden('lanes-order', <Lanes data={lanes} axis="order" now={at(log.last)} width={1000} {...en} />));
  test('a deadlock by time, at the moment when the circle closes', () => golden('lanes-time', <Lanes data={lanes} axis="time" now={at(closed)} width={1000} {...en} />));
  test('narrow, dark, in Chinese', () => golden('lanes-narrow', <Lanes data={lanes} axis="order" now={at(closed)} width={360} {...zh} />));
  test('of a scene its own sessions are drawn, and with whom they wait', () => {
    const first = lanes.lanes[0]!.pid!;
    const waiting = when(log, (items) => items.some((item) => item.kind === 'wait'));
    const drawn = (to: number) => lanesOf(log, log.first, to, new Set([first])).lanes.map((lane) => lane.pid);
    expect(drawn(waiting - 1)).toEqual([first]);
    expect(drawn(log.last)).toEqual(lanes.lanes.map((lane) => lane.pid));
  });
  test('the circle is seen before the error is heard', () => {
    const error = log.changes.find((change) => change.cause === 'answer' && change.sqlstate === '40P01');
    expect(closed).toBeLessThan(error!.seq);
  });
});

describe('graphs', () => {
  const log = sharedLog(deadlock());
  const closed = when(log, (items) => items.some((item) => item.kind === 'wait' && item.is_in_cycle));
  const moment = sorted(log.at(closed));
  const waits = (more: PutOf<'wait'>[], threshold_us = 0) => waitGraph({ waits: more, sessions: moment.session, threshold_us, now_us: moment.unix_us }, en.texts, LIGHT);
  test('a circle of three', () => {
    const graph = waits(moment.wait);
    expect(graph.cycle).toBe(3);
    return golden('waits-cycle', <Graph name="waits" label="waits" nodes={graph.nodes} edges={graph.edges} width={348} {...en} />);
  });
  test('a queue without a circle', () => {
    const queue = [wait(11, 1, [10], 'transaction 9'), wait(12, 2, [10, 11], 'public.account (0,3)'), wait(13, 3, [12], 'relation public.account')] as PutOf<'wait'>[];
    const graph = waits(queue);
    return golden('waits-queue', <Graph name="waits" label="waits" nodes={graph.nodes} edges={graph.edges} width={348} {...zh} />);
  });
  test('ten thousand waits are a picture of the worst, and a number', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => wait(20_000 + index, BEGIN_US - index, [20_000 + ((index * 7) % 10_000)], 'x') as PutOf<'wait'>);
    const graph = waits([...all, ...moment.wait]);
    expect(graph.nodes.length).toBeLessThanOrEqual(24);
    expect(graph.nodes.filter((node) => node.lit).map((node) => node.title)).toEqual(['A', 'B', 'C']);
    expect(graph.more).toBeGreaterThan(9_900);
  });
  test('waits below the threshold are left out, those in a circle never', () => {
    const now = moment.unix_us;
    const short = wait(99, now - 10, [98], 'x') as PutOf<'wait'>;
    expect(waits([short], 50_000).nodes).toEqual([]);
    expect(waits([short, ...moment.wait.map((each) => ({ ...each, since_us: now }))], 50_000).nodes.length).toBe(3);
  });
  test('a dangerous structure with a doomed transaction', () => {
    const skew = sharedLog(writeSkew());
    const doomed = sorted(skew.at(when(skew, (items) => items.some((item) => item.kind === 'serializable' && item.is_doomed))));
    const graph = ssiGraph({ transactions: doomed.serializable, conflicts: doomed.conflict, sessions: doomed.session }, en.texts, LIGHT);
    expect(graph.edges.every((edge) => edge.lit)).toBe(true);
    expect(graph.nodes.map((node) => node.flag)).toContain('doomed');
    return golden('ssi-doomed', <Graph name="ssi" label="ssi" nodes={graph.nodes} edges={graph.edges} width={348} {...en} />);
  });
});

describe('page', () => {
  const items = everyVersion();
  const data = { page: of(items, 'page')[0]!, lines: of(items, 'line'), versions: new Map(of(items, 'version').map((version) => [version.key, version])) };
  test('line pointers and tuples to scale', () => golden('page', <PageMap data={data} width={720} {...en} />));
  test('narrow, dark, in Chinese', () => golden('page-narrow', <PageMap data={data} width={340} {...zh} />));
});

describe('horizon', () => {
  const bar = { horizon: horizon(), next_xid: 759, now_us: BEGIN_US };
  test('who holds what back', () => golden('horizon', <HorizonBar data={bar} width={348} {...en} />));
  test('in Chinese', () => golden('horizon-zh', <HorizonBar data={bar} width={348} {...zh} />));
  test('says when the rest can go', () => {
    expect(removableWhen(bar, en.texts)).toBe('Removable when session report ends its transaction (open for 12 min)');
    const nobody = { ...bar, horizon: { ...bar.horizon, holders: [], kept: 0 } };
    expect(removableWhen(nobody, en.texts)).toContain('next vacuum');
    expect(removableWhen({ ...nobody, horizon: { ...nobody.horizon, removable: 0 } }, en.texts)).toContain('no dead versions');
  });
});

describe('strip, series and ratios', () => {
  const log = sharedLog(deadlock());
  test('what happened when', () => golden('scrubber', <Scrubber data={{ changes: log.changes, first: log.first, last: log.last, now: 20, compared: 8 }} width={600} {...en} />));
  const line = (name: string, height: number) => ({ name, points: Array.from({ length: 30 }, (_, index) => [index / 2, height + Math.round(height * 0.1 * Math.sin(index))] as const) });
  test('throughput of three arms with a fault', () =>
    golden('series', <SeriesChart data={{ title: 'Throughput', unit: 'operations/s', series: [line('naive', 900), line('textbook', 2400), line('best', 14_800)], marks: [{ at: 6, name: 'kill-postmaster' }] }} width={720} {...en} />));
  test('names of many arms stand below each other, within the chart', () => {
    for (const ys of [Array<number>(9).fill(158), [158, 157, 40, 156, 22, 158, 155, 30, 158], [22, 22, 22]]) {
      const places = spread(ys, 13, 158).toSorted((a, b) => a - b);
      for (const [index, place] of places.entries()) {
        expect(place).toBeLessThanOrEqual(158);
        if (index > 0) expect(place - places[index - 1]!).toBeGreaterThanOrEqual(13);
      }
    }
    expect(spread([100, 20], 13, 158)).toEqual([100, 20]);
    const arms = Array.from({ length: 20 }, (_, index) => line(`arm-${index}`, 10));
    const svg = renderToStaticMarkup(<SeriesChart data={{ title: 'Throughput', unit: 'operations/s', series: arms }} width={720} {...en} />);
    const places = [...svg.matchAll(/<text x="[\d.]+" y="([\d.]+)"[^>]*>arm-\d+/g)].map((match) => Number(match[1]));
    expect(new Set(places).size).toBe(20);
    expect(Math.min(...places)).toBeGreaterThan(0);
  });
  test('nothing measured yet', () => golden('series-empty', <SeriesChart data={{ title: '吞吐量', unit: '次/秒', series: [] }} width={360} {...zh} />));
  const ratios = [
    { name: 'select for update', ratio: 1.01, low: 0.93, high: 1.09 },
    { name: 'optimistic', ratio: 0.42, low: 0.4, high: 0.45 },
    { name: 'group flush', ratio: 6.3, low: 5.9, high: 6.8 },
  ];
  test('arms against the baseline', () => golden('ratios', <Ratios data={{ title: 'Throughput', baseline: 'naive', ratios }} width={720} {...en} />));
  test('narrow, dark, in Chinese', () => golden('ratios-narrow', <Ratios data={{ title: '吞吐量', baseline: 'naive', ratios }} width={340} {...zh} />));
});
