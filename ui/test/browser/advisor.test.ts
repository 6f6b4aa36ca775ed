// The advisor on a real server: from opening the page to an answer that the server has confirmed; links and the history,
// also after the program was killed.
import { rmSync } from 'node:fs';

import type { Page } from 'playwright-core';
import { afterAll, expect, onTestFinished, test } from 'vitest';

import { keepFolder, openPage, refused, serveIn, stageWithServer } from './harness.ts';

const keep = keepFolder();
// Hooks of the end run in reverse: when this one does, the workbench has ended.
afterAll(() => rmSync(keep, { recursive: true, force: true }));
const stage = stageWithServer(() => serveIn(keep));

/** Far more than it takes; what it takes is said, and not asserted on a machine that others use. */
const PATIENCE = { timeout: 150_000 };

async function open(hash: string) {
  const watched = await openPage(stage.browser, { height: 1000 });
  onTestFinished(() => watched.context.close());
  await watched.page.goto(`${stage.workbench.address}#/${hash}`);
  await watched.page.locator('[data-panel=advisor-input]').waitFor(PATIENCE);
  return watched;
}

const hashShown = (page: Page) => page.locator('[data-hash]').getAttribute('data-hash', PATIENCE);

test('SmallBank from the open page to an answer that PostgreSQL has confirmed', async () => {
  const began = performance.now();
  const { page, faults } = await open('advisor');
  await page.locator('[data-example=smallbank]').click(PATIENCE);
  await page.locator('[data-verdict=unsafe]').waitFor(PATIENCE);
  const answered = performance.now();
  const proof = page.locator('[data-panel=advisor-proof]');
  await proof.getByRole('button', { name: 'Run on PostgreSQL' }).click(PATIENCE);
  await proof.locator('[data-play=witness][data-outcome=anomaly]').first().waitFor(PATIENCE);
  await proof.getByRole('button', { name: 'Run with fix' }).click(PATIENCE);
  await proof.locator('[data-proof=true]').waitFor(PATIENCE);
  const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(1);
  process.stdout.write(`SmallBank: page to verdict ${((answered - began) / 1000).toFixed(1)} s, to a verified answer ${seconds(began)} s (goal 60 s)\n`);
  const outcomes = await proof.locator('[data-play]').evaluateAll((plays) => plays.map((play) => [play.getAttribute('data-play'), play.getAttribute('data-outcome')]));
  expect(outcomes.filter(([play]) => play === 'witness').map(([, outcome]) => outcome)).toContain('anomaly');
  expect(outcomes.filter(([play]) => play === 'fixed').length).toBeGreaterThan(0);
  expect(outcomes.filter(([play]) => play === 'fixed').every(([, outcome]) => outcome === 'serial')).toBe(true);
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test('the recommended levels are safe, and the weaker ones of the published result are not', async () => {
  const { page } = await open('advisor?example=smallbank');
  await page.locator('[data-verdict=unsafe]').waitFor(PATIENCE);
  const levels = page.locator('[data-panel=advisor-levels]');
  await levels.locator('[data-all=repeatable_read]').click(PATIENCE);
  await page.locator('[data-verdict=unsafe]').waitFor(PATIENCE);
  await levels.locator('[data-all=optimal]').click(PATIENCE);
  await page.locator('[data-verdict=safe]').waitFor(PATIENCE);
});

test('a mistake is shown at its line and column, and nothing is run', async () => {
  const { page } = await open('advisor');
  await page.locator('[data-tab=sql]').click(PATIENCE);
  const area = page.locator('.code-area textarea');
  await area.fill('begin;\nselect balance\n  form account;\ncommit;');
  const remark = page.locator('.remarks li').first();
  await remark.waitFor(PATIENCE);
  expect(await remark.innerText()).toMatch(/programs\.sql:3:\d+/);
  await remark.locator('button').click();
  expect(await area.evaluate((element: HTMLTextAreaElement) => element.value.slice(0, element.selectionStart).split('\n').length)).toBe(3);
  expect(await page.locator('[data-panel=advisor-proof]').count()).toBe(0);
});

test('a shared link opens the same question with the same hash', async () => {
  const { page } = await open('advisor?example=bank-transfer');
  await page.locator('[data-verdict]').waitFor(PATIENCE);
  const hash = await hashShown(page);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await page.waitForURL(/[?]q=1[.]/, PATIENCE);
  await page.locator('.share [role=status]', { hasText: /link/ }).waitFor(PATIENCE);
  const link = new URL(page.url()).hash;
  const other = await open(link.replace('#/', ''));
  await other.page.locator('[data-verdict]').waitFor(PATIENCE);
  expect(await hashShown(other.page)).toBe(hash);
});

test.each(['q=1.AAAA', 'q=1.%3Cscript%3Ealert(1)%3C%2Fscript%3E', `q=1.${'A'.repeat(20_000)}`, 'q=2.abc', 'id=..%2F..%2Fetc%2Fpasswd', `id=${'0'.repeat(64)}`])('a hostile link (%s) is refused and changes nothing', async (query) => {
  const { page, faults } = await open(`advisor?${query}`);
  await page.locator('.problem').first().waitFor(PATIENCE);
  expect(await page.locator('[data-verdict]').count()).toBe(0);
  expect(faults).toEqual([]);
});

test('decisions are there again after a restart, and after the program was killed', async () => {
  const { page } = await open('advisor?example=doctors-on-call');
  await page.locator('[data-verdict]').waitFor(PATIENCE);
  const hash = await hashShown(page);
  await page.getByRole('button', { name: 'Keep this decision' }).click(PATIENCE);
  await page.locator(`[data-decision="${hash}"]`).waitFor(PATIENCE);
  for (const end of [() => stage.workbench.stop(), () => stage.workbench.kill()]) {
    await end();
    stage.workbench = await serveIn(keep);
    const again = await open(`advisor?id=${hash}`);
    await again.page.locator('[data-verdict]').waitFor(PATIENCE);
    expect(await hashShown(again.page)).toBe(hash);
    await again.page.locator(`[data-decision="${hash}"]`).waitFor(PATIENCE);
    const record = await again.page.request.get(`${stage.workbench.address}api/advisor/decisions/${hash}/export?as=md&lang=zh`);
    expect(await record.text()).toContain('## 决定');
  }
});

test('a line of the graph is picked by keyboard, and shows the statements that meet; a program is found in its text', async () => {
  const { page, faults } = await open('advisor?example=smallbank');
  await page.locator('[data-verdict=unsafe]').waitFor(PATIENCE);
  const graph = page.locator('[data-panel=advisor-graph] svg[role=listbox]');
  await graph.locator('[tabindex="0"]').first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const detail = page.locator('.link-detail');
  await detail.locator('.meeting pre').first().waitFor(PATIENCE);
  expect(await graph.locator('[data-key][aria-selected=true]').count()).toBe(1);
  expect((await detail.locator('.meeting').first().locator('pre').allInnerTexts()).every((text) => /select|update/i.test(text))).toBe(true);
  await graph.locator('[data-key="program/Balance"]').focus();
  await page.keyboard.press('Enter');
  const area = page.locator('.code-area textarea');
  await expect.poll(() => area.evaluate((element: HTMLTextAreaElement) => element.value.slice(element.selectionStart, element.selectionEnd)), PATIENCE).toMatch(/select balance from savings/);
  expect(faults).toEqual([]);
});

test('every option that was rejected says why', async () => {
  const { page } = await open('advisor?example=smallbank');
  const why = page.locator('.why-not select');
  await why.waitFor(PATIENCE);
  const rejected = await why.locator('option').evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value).filter(Boolean));
  expect(rejected.length).toBeGreaterThan(5);
  for (const option of rejected) {
    await why.selectOption(option);
    const because = page.locator('[data-panel=advisor-options] .because li');
    await because.first().waitFor(PATIENCE);
    expect([option, (await because.allInnerTexts()).every((text) => text.trim().length > 20)]).toEqual([option, true]);
  }
});

test('what the wizard and the switches are told changes the path and the options', async () => {
  const { page } = await open('advisor?example=smallbank');
  const options = () => page.locator('[data-option]').evaluateAll((all) => all.map((option) => option.getAttribute('data-option')));
  await page.locator('[data-option]').first().waitFor(PATIENCE);
  const before = await options();
  await page.locator('[data-panel=advisor-graph]').getByLabel('retry allowed').uncheck();
  await expect.poll(options, PATIENCE).not.toEqual(before);
  await page.locator('[data-tab=describe]').click();
  const retry = page.locator('[data-field=may_retry] input');
  expect(await retry.isChecked()).toBe(false);
  await retry.check();
  await expect.poll(options, PATIENCE).toEqual(before);
  const taken = await page.locator('.path.taken li').count();
  expect(taken).toBeGreaterThan(1);
});

test('code is there in all seven languages, for a solution and for a program, and can be copied', async () => {
  const { page, context, faults } = await open('advisor?example=smallbank');
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const panel = page.locator('[data-panel=advisor-code]');
  await panel.locator('pre').waitFor(PATIENCE);
  const languages = await panel.locator('[role=tab]').evaluateAll((tabs) => tabs.map((tab) => tab.getAttribute('data-tab')!));
  expect(languages).toHaveLength(7);
  for (const subject of [0, 'program/WriteCheck'] as const) {
    await panel.locator('select').selectOption(subject === 0 ? { index: 0 } : subject);
    const seen = new Set<string>();
    for (const language of languages) {
      await panel.locator(`[data-tab="${language}"]`).click();
      await panel.locator(`[data-code="${language}"] pre`).waitFor(PATIENCE);
      const text = (await panel.locator('pre').textContent())!;
      seen.add(text);
      await panel.getByRole('button', { name: 'Copy', exact: true }).click();
      await expect.poll(() => page.evaluate(() => navigator.clipboard.readText()), PATIENCE).toBe(text);
    }
    expect(seen.size).toBe(7);
  }
  expect(faults).toEqual([]);
});

test('levels that are called safe are tried with random schedules, and no order of their commits is missed', async () => {
  const { page, faults } = await open('advisor?example=doctors-on-call');
  await page.locator('[data-all=optimal]').click(PATIENCE);
  await page.locator('[data-verdict=safe]').waitFor(PATIENCE);
  const proof = page.locator('[data-panel=advisor-proof]');
  expect(await proof.getByRole('button', { name: 'Run on PostgreSQL' }).count()).toBe(0);
  await proof.getByRole('button', { name: 'Try what is safe' }).click(PATIENCE);
  await proof.locator('[data-proof=true]').waitFor(PATIENCE);
  const trials = await proof.locator('[data-trial]').evaluateAll((all) => all.map((trial) => [trial.getAttribute('data-schedules'), trial.getAttribute('data-anomalies')]));
  expect(trials.length).toBeGreaterThan(0);
  expect(trials.every(([schedules, anomalies]) => Number(schedules) > 0 && anomalies === '0')).toBe(true);
  // It is in the text, too.
  await page.locator('[data-panel=advisor-text]').getByRole('button', { name: 'Show' }).click();
  await page.locator('[data-panel=advisor-text] pre', { hasText: /server .*agrees/ }).waitFor(PATIENCE);
  expect(faults).toEqual([]);
});

test('a log of the server becomes programs', async () => {
  const { page } = await open('advisor');
  await page.locator('[data-tab=log]').click(PATIENCE);
  const statements = ['begin', 'select on_call from doctor where id = 7', 'update doctor set on_call = false where id = 7', 'commit'];
  const entries = statements.map((sql, index) => JSON.stringify({ timestamp: '2026-01-01 00:00:00.000 UTC', dbname: 'shop', session_id: 'a.1', line_num: index + 1, vxid: '3/1', error_severity: 'LOG', message: `statement: ${sql}`, backend_type: 'client backend' }));
  await page.locator('.from-log input[type=file]').setInputFiles({ name: 'postgresql.json', mimeType: 'application/json', buffer: Buffer.from(`${entries.join('\n')}\n`) });
  await page.locator('.from-log tbody tr').waitFor(PATIENCE);
  expect(await page.locator('.from-log tbody tr').count()).toBe(1);
  await page.getByRole('button', { name: 'Use these programs' }).click();
  await expect.poll(() => page.locator('.code-area textarea').inputValue(), PATIENCE).toContain('update doctor set on_call');
});
