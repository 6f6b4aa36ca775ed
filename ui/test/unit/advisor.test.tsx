// The advisor's page without a page: links, the fold of a proof, what is drawn.
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, test } from 'vitest';

import type { Question } from '../../src/api/rest.ts';
import { BOX, layoutOf } from '../../src/charts/programs-layout.ts';
import { kindsOf, linksOf, pairsOf, readersOf } from '../../src/charts/programs-links.ts';
import { ProgramGraph } from '../../src/charts/programs.tsx';
import { Schedule } from '../../src/charts/schedule.tsx';
import { textsOf } from '../../src/i18n/index.ts';
import { offsetOf } from '../../src/pages/advisor/Editor.tsx';
import { meetingPlace } from '../../src/pages/advisor/place.ts';
import { expectedData, playedData } from '../../src/pages/advisor/ProofView.tsx';
import { BEGUN, told } from '../../src/state/play.ts';
import { BadLink, canonical, pack, questionOf, unpack } from '../../src/state/question.ts';
import { DARK, LIGHT } from '../../src/theme.ts';
import { BANK, BANK_EDGES, BANK_WITNESS, EDGES, MESSAGES, program, PROGRAMS, WITNESS } from '../fixtures/advisor.ts';

const question = questionOf({ title: 'écrire 偏差', schema: 'create table a (b int)', sources: [{ name: 'a.sql', text: 'select 1' }], levels: { A: 'serializable' } });

describe('links', () => {
  test('a question survives its way into a link and back', async () => {
    expect(await unpack(await pack(question))).toEqual(question);
  });
  test('the same question is the same link, whatever the order of its keys', async () => {
    const other = Object.fromEntries(Object.entries(question).toReversed()) as Question;
    expect(await pack(other)).toBe(await pack(question));
    expect(canonical({ b: [1, { d: null, c: 'x' }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}');
  });
  test('a link of 200 kB of SQL that says the same again and again is small, and opens', async () => {
    const large = { ...question, schema: 'create table a (b int);\n'.repeat(8000) };
    const link = await pack(large);
    expect(link.length).toBeLessThan(6000);
    expect(await unpack(link)).toEqual(large);
  });
  const deflated = async (value: unknown) => pack(value as Question);
  test.each([
    ['nothing', async () => ''],
    ['another version', async () => '9.abc'],
    ['letters that no link has', async () => '1.<script>alert(1)</script>'],
    ['something torn', async () => (await pack(question)).slice(0, -8)],
    ['something too long', async () => `1.${'A'.repeat(20_000)}`],
    ['a bomb', () => deflated({ title: 'x'.repeat(4_000_000) })],
    ['a list', () => deflated([1, 2])],
    ['a field too many', () => deflated({ title: '', run: 'drop table a' })],
    ['a source with more in it', () => deflated({ sources: [{ name: 'a', text: 'b', run: true }] })],
    ['sources that are none', () => deflated({ sources: 'select 1' })],
    ['a level that there is not', () => deflated({ levels: { A: 'read uncommitted' } })],
    ['a title that is no text', () => deflated({ title: { toString: 1 } })],
  ])('a hostile link with %s is refused', async (_, make) => {
    await expect(unpack(await make())).rejects.toThrow(BadLink);
  });
});

describe('a proof', () => {
  const state = MESSAGES.reduce(told, BEGUN);
  test('folds into plays with their outcomes', () => {
    expect(state).toMatchObject({ isRunning: false, agrees: true, server: '15.18 (Debian)' });
    expect(state.plays.map((play) => [play.fix === undefined, play.outcome?.outcome])).toEqual([
      [true, 'anomaly'],
      [false, 'serial'],
    ]);
    expect(state.plays[0]!.steps.map((step) => [step.player, step.state, step.waitedFor, step.until])).toEqual([
      [0, 'done', [], 0],
      [0, 'done', [], 1],
      // It was answered when the other had committed.
      [1, 'done', [0], 3],
      [0, 'done', [], 3],
    ]);
    expect(state.plays[1]!.steps.map((step) => [step.state, step.isAgain])).toEqual([
      ['failed', false],
      ['running', true],
    ]);
  });
  test('random schedules are counted for each thing that was tried, one after the other', () => {
    const random = (of: string, schedules: number, anomalies = 0) => ({ type: 'random', of, schedules, planned: 20, anomalies }) as const;
    const tried = [random('a', 10), random('a', 20), random('b', 10), random('b', 20), random('b', 10, 1)].reduce(told, BEGUN);
    expect(tried.trials.map(({ of, schedules, anomalies }) => [of, schedules, anomalies])).toEqual([
      ['a', 20, 0],
      ['b', 20, 0],
      ['b', 10, 1],
    ]);
  });
  test('an answer without its step, or before any play, changes nothing', () => {
    expect(told(BEGUN, { type: 'step-done', player: 0, act: 'commit', tag: 'COMMIT' })).toEqual(BEGUN);
    expect(told(state, { type: 'blocked', player: 7, by: [] }).plays).toEqual(state.plays);
  });
});

describe('dependencies', () => {
  const links = linksOf(EDGES, WITNESS);
  test('the cycle is found among the dependencies, with its steps', () => {
    expect(links.filter((link) => link.steps.length > 0).map((link) => [link.key, link.steps])).toEqual([
      ['FromSavings>FromChecking>rw', [1]],
      ['FromChecking>FromSavings>rw', [2]],
    ]);
    expect(links.find((link) => link.key === 'FromSavings>FromChecking>rw')!.edges).toHaveLength(1);
  });
  test('two programs outside the cycle have one line, with the kinds and who reads', () => {
    const pairs = pairsOf(links);
    expect(pairs.map((pair) => [pair.key, kindsOf(pair), readersOf(pair)])).toEqual([
      ['pair/FromSavings|Report', ['rw'], { from: false, to: true }],
      ['pair/FromSavings|FromSavings', ['ww'], { from: false, to: false }],
    ]);
    expect(pairsOf(linksOf(EDGES, undefined)).map((pair) => pair.key)).toContain('pair/FromChecking|FromSavings');
  });
  test.each([300, 346, 420, 700])('no two programs stand on each other in %i pixels, whatever their number', (width) => {
    for (const count of [1, 2, 3, 4, 5, 6, 7, 12, 24]) {
      const { places, box, height } = layoutOf(Array.from({ length: count }, (_, index) => `p${index}`), width);
      const all = [...places.values()];
      expect(all).toHaveLength(count);
      for (const [index, { x, y }] of all.entries()) {
        expect(x - box / 2).toBeGreaterThanOrEqual(0);
        expect(x + box / 2).toBeLessThanOrEqual(width);
        expect(y + BOX.height / 2).toBeLessThan(height);
        for (const other of all.slice(index + 1)) expect([count, Math.abs(other.x - x) >= box || Math.abs(other.y - y) >= BOX.height]).toEqual([count, true]);
      }
    }
  });
});

async function golden(name: string, svg: string) {
  const text = svg.replaceAll(/></g, '>\n<');
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
  await expect(`${text}\n`).toMatchFileSnapshot(`../goldens/${name}.svg`);
}

describe('drawings', () => {
  const en = { theme: LIGHT, texts: textsOf('en') };
  const zh = { theme: DARK, texts: textsOf('zh') };
  const data = { programs: PROGRAMS, levels: { FromSavings: 'repeatable_read' as const, FromChecking: 'read_committed' as const }, links: linksOf(EDGES, WITNESS) };
  test('programs', () => golden('programs', renderToStaticMarkup(<ProgramGraph data={data} width={520} {...en} picked="Report>FromSavings>rw" />)));
  test('programs, dark and in Chinese', () => golden('programs-dark-zh', renderToStaticMarkup(<ProgramGraph data={data} width={360} {...zh} />)));
  test('a ring of five with a cycle of three, and no cycle at all', async () => {
    const five = { programs: BANK, levels: {}, links: linksOf(BANK_EDGES, BANK_WITNESS) };
    await golden('programs-five', renderToStaticMarkup(<ProgramGraph data={five} width={420} {...en} picked="pair/Amalgamate|WriteCheck" />));
    const safe = { ...five, links: linksOf(BANK_EDGES, undefined) };
    await golden('programs-five-safe-zh', renderToStaticMarkup(<ProgramGraph data={safe} width={346} {...zh} />));
  });
  test('more programs than a ring holds, in two columns', () => {
    const nine = Array.from({ length: 9 }, (_, index) => program(`Program${index}`, 'select 1'));
    const edges = nine.slice(1).map(({ name }) => ({ ...EDGES[2]!, from: 'Program0', to: name }));
    return golden('programs-columns', renderToStaticMarkup(<ProgramGraph data={{ programs: nine, levels: {}, links: linksOf(edges, undefined) }} width={420} {...en} />));
  });
  const plays = MESSAGES.reduce(told, BEGUN).plays;
  test('where statements meet is said in the language of the page, rows that come or go too', () => {
    expect(meetingPlace('order_line', ['(existence)'], zh.texts)).toBe('order_line (行的出现与消失)');
    expect(meetingPlace('order_line', ['ol_w_id', '(existence)'], en.texts)).toBe('order_line (ol_w_id, rows come or go)');
    expect(meetingPlace('order_line', [], en.texts)).toBe('order_line');
  });

  test('a statement that was played names what an earlier one found as its author did', () => {
    const play = { ...plays[0]!, steps: plays[0]!.steps.map((step) => ({ ...step, sql: "select 1 where id = :'T1.customer_id'" })) };
    expect(playedData(play, WITNESS, en.texts).steps[0]!.text).toBe('select 1 where id = :customer_id');
  });
  test('a schedule as it is expected, with the cycle', () => golden('schedule-expected', renderToStaticMarkup(<Schedule data={expectedData(WITNESS)} width={420} {...en} />)));
  test('a schedule that was played', () => golden('schedule', renderToStaticMarkup(<Schedule data={playedData(plays[0]!, WITNESS, en.texts)} width={420} {...en} />)));
  test('a schedule that was played with a fix, narrow, dark and in Chinese', () => golden('schedule-fixed-zh', renderToStaticMarkup(<Schedule data={playedData(plays[1]!, WITNESS, zh.texts)} width={300} {...zh} />)));
});

test('lines and columns are letters, also where a letter is two units', () => {
  const text = 'ab\n😀x y\nlast';
  expect([offsetOf(text, 1, 1), offsetOf(text, 2, 1), offsetOf(text, 2, 2), offsetOf(text, 3, 99), offsetOf(text, 9, 1)]).toEqual([0, 3, 5, text.length, text.length]);
});
