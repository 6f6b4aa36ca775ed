// Every built-in scene on a real server, played from the page: after each step the page is held against what the server
// says of itself (rows and their places, pages, waits, states of sessions), and each scene against what it is about.
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

import type { Scene, SceneCard } from '../../src/api/rest.ts';
import { openPage, refused, stageWithServer } from './harness.ts';
import { agree, asker, PATIENCE, request, type Ask, type Told } from './truth.ts';

const stage = stageWithServer();

/** What is at hand when a step has been played and page and server agree. */
interface Stand {
  page: Page;
  ask: Ask;
  scene: Scene;
  told: Told;
}

interface Play {
  name: string;
  /** Who fails, with what. */
  errors?: [session: string, sqlstate: string][];
  /** What else must be after so many steps. */
  after?: Record<number, (stand: Stand) => Promise<void>>;
}

const text = (page: Page, panel: string) => page.locator(`[data-panel=${panel}]`).innerText();
/** How many versions carry a badge with these words. */
const badges = (page: Page, words: string) => page.locator('[data-panel=versions] svg [data-key^="version/"]').locator(`text="${words}"`).count();
const number = async (ask: Ask, sql: string) => Number((await ask(sql))[0]![0]);

/** As many versions are said to be held by several as the server has members in their lists. */
async function holders({ page, ask, scene }: Stand) {
  const members = await number(ask, `select count(*) from ${scene.table} as row, pg_get_multixact_members(row.xmax)`);
  expect(members).toBe(2);
  await expect.poll(() => badges(page, `${members} holders`), PATIENCE).toBe(1);
}

/** As many rows are said to be locked as have an `xmax` that runs still. */
async function locked({ page, ask, scene }: Stand) {
  const count = await number(ask, `select count(*) from ${scene.table} where xmax <> 0 and pg_xact_status(xmax::text::xid8) = 'in progress'`);
  expect(count).toBe(2);
  await expect.poll(() => badges(page, 'locked'), PATIENCE).toBe(count);
}

/** The horizon's holder is who has the oldest `backend_xmin`, and what vacuum left behind is what is said to be kept. */
async function held({ page, ask, told }: Stand) {
  const [[oldest, pid]] = (await ask('select application_name, pid from pg_stat_activity where backend_xmin is not null and pid <> pg_backend_pid() order by age(backend_xmin) desc limit 1')) as [[string, string]];
  expect(oldest).toBe('report');
  const dead = told.stored.length - told.seen.length;
  expect(dead).toBe(3);
  await expect.poll(() => text(page, 'horizon'), PATIENCE).toMatch(new RegExp(`Removable when session ${oldest} \\(${pid}\\)[^]*${dead} kept`));
}

/** Nobody holds the horizon, and vacuum left only what is seen. */
async function released({ page, told }: Stand) {
  expect(told.stored.map((each) => each.place)).toEqual(told.seen);
  await expect.poll(() => text(page, 'horizon'), PATIENCE).toContain('has no dead versions');
}

/** The server counts HOT updates itself; it tells them when a session has been idle for a while. */
const hot = (total: number, onPage: number) => async ({ page, ask, scene }: Stand) => {
  await expect.poll(() => number(ask, `select n_tup_hot_upd from pg_stat_all_tables where relid = '${scene.table}'::regclass`), PATIENCE).toBe(total);
  expect(await badges(page, 'HOT')).toBe(onPage);
};

const value = (sql: (table: string) => string, expected: string) => async ({ ask, scene }: Stand) => {
  expect((await ask(sql(scene.table)))[0]![0]).toBe(expected);
};

const PLAYS: Play[] = [
  { name: 'lost-update', after: { 9: value((table) => `select balance from ${table} where id = 1`, '130') } },
  { name: 'write-skew', errors: [['T2', '40001']], after: { 9: value((table) => `select count(*) from ${table} where is_on_call`, '1') } },
  { name: 'deadlock', errors: [['T3', '40P01']], after: { 18: circleBeforeError } },
  { name: 'long-transaction', after: { 6: held, 9: released } },
  {
    name: 'hot-update',
    after: {
      2: hot(2, 2),
      3: async ({ told }) => expect(told.redirects).toEqual(['1>3']),
      4: async ({ told }) => expect(told.stored.find((each) => each.place === told.seen[0])).toMatchObject({ isHeapOnly: false }),
      6: async ({ ask, scene }) => {
        await expect.poll(() => ask(`select n_tup_upd, n_tup_hot_upd from pg_stat_all_tables where relid = '${scene.table}'::regclass`), PATIENCE).toEqual([['4', '3']]);
      },
    },
  },
  { name: 'skip-locked', after: { 4: locked } },
  {
    name: 'freeze',
    after: {
      4: async ({ page, told }) => {
        expect(told.stored.map((each) => each.isFrozen)).toEqual([true, true]);
        expect(await badges(page, 'frozen')).toBe(2);
      },
      6: async ({ told }) => expect(told.stored.filter((each) => !each.isFrozen)).toHaveLength(1),
    },
  },
  {
    name: 'rolled-back',
    after: {
      6: async ({ told }) => expect(told.stored.map((each) => each.isUndone)).toEqual([false, false, true]),
      8: async ({ told }) => expect(told.stored.map((each) => each.isUndone)).toEqual([false, true, true]),
      10: async ({ told }) => expect(told.stored).toHaveLength(1),
    },
  },
  { name: 'shared-lock', after: { 4: holders } },
];

/** Along the log of what happened: the circle is lit at some moment, and the error is told after it. */
async function circleBeforeError({ page, scene }: Stand) {
  const alarm = page.locator('[data-panel=waits].alarm');
  const place = page.locator('.player .seq');
  const [first, last] = await page.locator('.player input[type=range]').evaluate((input: HTMLInputElement) => [Number(input.min), Number(input.max)] as const);
  let [circleAt, errorAt] = [0, 0];
  for (let seq = first; seq <= last && errorAt === 0; seq++) {
    await page.locator('.player input[type=range]').fill(String(seq));
    await place.filter({ hasText: new RegExp(`^${seq}/`) }).waitFor(PATIENCE);
    if (circleAt === 0 && (await alarm.count()) > 0) {
      circleAt = seq;
      expect(await alarm.locator('svg [data-key^="wait/"]').count()).toBe(scene.sessions.length);
    }
    if ((await page.locator('.player .cause', { hasText: '40P01' }).count()) > 0) errorAt = seq;
  }
  expect(circleAt).toBeGreaterThan(first);
  expect(errorAt).toBeGreaterThan(circleAt);
  expect(await alarm.count()).toBe(0);
}

const sceneOf = (page: Page, name: string) => request<Scene>(page, 'GET', `api/scenes/${name}`);

/** Plays the step that comes next, as a person would, and waits until the server has taken it. */
async function step(page: Page, name: string): Promise<Scene> {
  const before = (await sceneOf(page, name)).next;
  // By key, as a click may land beside a button that moves while the page takes in what happened.
  await page.locator('[data-panel=script] button.primary:not([disabled])').press('Enter', PATIENCE);
  await expect.poll(async () => (await sceneOf(page, name)).next, PATIENCE).toBe(before + 1);
  await expect.poll(() => page.locator('[data-panel=script] ol > li').nth(before).getAttribute('class'), PATIENCE).not.toMatch(/\b(next|later)\b/);
  return sceneOf(page, name);
}

test('every scene that there is has its play here', async () => {
  const { context, page } = await openPage(stage.browser);
  await page.goto(`${stage.workbench.address}#/live`);
  const cards = await request<SceneCard[]>(page, 'GET', 'api/scenes');
  expect(cards.map((card) => card.name).toSorted()).toEqual(PLAYS.map((play) => play.name).toSorted());
  await expect.poll(() => page.locator('ul.scenes > li').count(), PATIENCE).toBe(cards.length);
  await context.close();
});

test.each(PLAYS)('the scene $name shows after each step what the server says', async ({ name, errors = [], after = {} }) => {
  const { context, page, faults } = await openPage(stage.browser, { height: 1400, width: 1600 });
  onTestFinished(() => context.close());
  await page.goto(`${stage.workbench.address}#/live`);
  await page.locator(`ul.scenes a[href*="scene=${name}"]`).click(PATIENCE);
  await page.locator('[data-panel=script] li.next').waitFor(PATIENCE);
  const { ask, close } = await asker(page);
  // What a scene left open would hold vacuum back in the next one.
  onTestFinished(() => Promise.all([close(), request(page, 'POST', `api/scenes/${name}/close`)]).then(() => undefined));
  let scene = await sceneOf(page, name);
  const sessions = scene.sessions.map((session) => session.name);
  await agree(page, ask, scene.table, sessions, `${name} before its first step`);
  while (scene.next < scene.steps.length) {
    scene = await step(page, name);
    const told = await agree(page, ask, scene.table, sessions, `${name} after step ${scene.next}`);
    expect(scene.steps[scene.next - 1]!.is_as_told, `${name}, step ${scene.next}`).not.toBe(false);
    await after[scene.next]?.({ page, ask, scene, told });
  }
  const failed = await page.locator('[data-panel=script] li.failed').evaluateAll((list) => list.map((each) => [each.querySelector('.who')?.textContent, each.querySelector('.error')?.textContent?.split(' ')[0]]));
  expect(failed).toEqual(errors);
  expect(await page.locator('[data-panel=script] .moral').innerText()).toBe(scene.moral.en.replaceAll('`', ''));
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
});
