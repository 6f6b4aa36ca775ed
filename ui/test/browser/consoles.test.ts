// Two consoles by hand on a real server: one changes a row, the other waits for it and the page says for whom; a statement
// is cancelled; what was done is saved as a scenario file.
import { readFileSync } from 'node:fs';

import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

import type { Console } from '../../src/api/rest.ts';
import { openPage, refused, stageWithServer, type Watched } from './harness.ts';
import { asker, PATIENCE, request } from './truth.ts';

const stage = stageWithServer();

const UPDATE = 'update purse set coins = coins - 1 where id = 1';

/** The page with its two consoles, and a table made through the first. */
async function twoConsoles(): Promise<Watched> {
  const watched = await openPage(stage.browser, { height: 1000 });
  const { page } = watched;
  onTestFinished(() => watched.context.close());
  await page.goto(`${stage.workbench.address}#/consoles`);
  await console(page, 'B').locator('textarea').waitFor(PATIENCE);
  onTestFinished(async () => {
    for (const { id } of await request<Console[]>(page, 'GET', 'api/consoles')) await request(page, 'DELETE', `api/consoles/${id}`);
  });
  await run(page, 'A', 'drop table if exists purse; create table purse (id int primary key, coins int); insert into purse values (1, 10)');
  await ended(page, 'A');
  return watched;
}

const console = (page: Page, name: string) => page.locator(`section[data-console="${name}"]`);
const ended = (page: Page, name: string, state = 'done') => console(page, name).locator(`article.statement:last-of-type.${state}`).waitFor(PATIENCE);

/** Types a statement and sends it, as a person would. */
async function run(page: Page, name: string, sql: string): Promise<void> {
  await console(page, name).locator('textarea').fill(sql);
  await console(page, name).getByRole('button', { name: 'Run', exact: true }).click(PATIENCE);
  await console(page, name).locator('article.statement pre', { hasText: sql }).last().waitFor(PATIENCE);
}

test('one updates and the other waits: the page says for whom, as the server does, and the wait ends with the commit', async () => {
  const { page, faults } = await twoConsoles();
  const { ask } = await asker(page);
  await run(page, 'A', 'begin');
  await ended(page, 'A');
  await run(page, 'A', UPDATE);
  await ended(page, 'A');
  await run(page, 'B', UPDATE);
  const waitsFor = console(page, 'B').locator('.waits-for');
  await waitsFor.waitFor(PATIENCE);
  const blocked = "select b.application_name, a.application_name, a.pid from pg_stat_activity b, unnest(pg_blocking_pids(b.pid)) as blocker join pg_stat_activity a on a.pid = blocker where b.application_name = 'B'";
  const [[waiter, holder, pid]] = (await ask(blocked)) as [[string, string, string]];
  expect([waiter, holder]).toEqual(['B', 'A']);
  await expect.poll(() => waitsFor.innerText(), PATIENCE).toContain(`held up by ${holder} (${pid})`);
  await expect.poll(() => page.locator('[data-panel=waits] svg [data-key^="wait/"]').count(), PATIENCE).toBe(1);

  await run(page, 'A', 'commit');
  await ended(page, 'B');
  await expect.poll(() => waitsFor.count(), PATIENCE).toBe(0);
  expect(await console(page, 'B').locator('article.statement').last().locator('.tag').innerText()).toBe('UPDATE 1');
  expect(await ask('select coins from purse')).toEqual([['8']]);
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test('a statement that waits is cancelled from the page, and fails with 57014', async () => {
  const { page, faults } = await twoConsoles();
  const { ask } = await asker(page);
  for (const sql of ['begin', UPDATE]) {
    await run(page, 'A', sql);
    await ended(page, 'A');
  }
  await run(page, 'B', UPDATE);
  await console(page, 'B').locator('.waits-for').waitFor(PATIENCE);
  await console(page, 'B').getByRole('button', { name: 'Cancel', exact: true }).click(PATIENCE);
  await ended(page, 'B', 'failed');
  expect(await console(page, 'B').locator('article.statement').last().locator('.error code').innerText()).toBe('57014');
  expect(await ask('select pid from pg_locks where not granted')).toEqual([]);
  await run(page, 'A', 'rollback');
  await ended(page, 'A');
  expect(await ask('select coins from purse')).toEqual([['10']]);
  expect(faults).toEqual([]);
});

test('what was done by hand is saved as a scenario file with the statements of both, in order', async () => {
  const { page, faults } = await twoConsoles();
  for (const [name, sql] of [['A', 'begin'], ['A', UPDATE]] as const) {
    await run(page, name, sql);
    await ended(page, name);
  }
  const second = UPDATE.replace('- 1', '- 2');
  await run(page, 'B', second);
  await console(page, 'B').locator('.waits-for').waitFor(PATIENCE);
  await run(page, 'A', 'commit');
  await ended(page, 'B');
  await page.getByRole('button', { name: 'Save as scenario' }).click(PATIENCE);
  const sheet = page.locator('dialog[open]');
  await sheet.locator('pre').waitFor(PATIENCE);
  const [download] = await Promise.all([page.waitForEvent('download'), sheet.getByRole('button', { name: 'Download' }).click(PATIENCE)]);
  expect(download.suggestedFilename()).toMatch(/\.scenario$/);
  const text = readFileSync(await download.path(), 'utf8');
  expect(text).toBe(await sheet.locator('pre').textContent());
  const order = [`A: ${UPDATE}`, `B: ${second}\n  -> blocks`, 'A: commit', 'B: resumes\n  -> 1 row'].map((each) => text.indexOf(each));
  expect(order.every((at) => at > 0), text).toBe(true);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(faults).toEqual([]);
});
