// A scene recorded from the page on a real server: the recording opened, scrubbed to its first change and back, seen as of
// a point of the server's log; and exported as one file that plays the same without any server.
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

import type { LiveMoment, Recording, Scene } from '../../src/api/rest.ts';
import { openPage, refused, stageWithServer } from './harness.ts';
import { asker, PATIENCE, request, said, shown, type Told } from './truth.ts';

const stage = stageWithServer();

const SCENE = 'lost-update';
const SESSIONS = ['T1', 'T2'];

/** Plays the whole scene from the page while it is recorded; what the server says in the end. */
async function record(page: Page): Promise<Told> {
  await page.goto(`${stage.workbench.address}#/live?scene=${SCENE}`);
  await page.locator('[data-panel=script] li.next').waitFor(PATIENCE);
  const scene = await request<Scene>(page, 'GET', `api/scenes/${SCENE}`);
  const { ask, close } = await asker(page);
  onTestFinished(() => Promise.all([close(), request(page, 'POST', `api/scenes/${SCENE}/close`)]).then(() => undefined));
  await page.locator('[data-panel=versions] svg [data-key^="version/"]').first().waitFor(PATIENCE);
  await page.locator('button.record').click(PATIENCE);
  await page.locator('button.record.on').waitFor(PATIENCE);
  for (const _ of scene.steps) {
    await page.locator('[data-panel=script] button.primary:not([disabled])').press('Enter', PATIENCE);
    await page.locator('[data-panel=script] li.running').waitFor({ ...PATIENCE, state: 'detached' });
  }
  await page.locator('[data-panel=script] .moral').waitFor(PATIENCE);
  const last = await said(ask, scene.table, SESSIONS);
  await expect.poll(async () => (await shown(page, SESSIONS)).seen, PATIENCE).toEqual(last.seen);
  await page.locator('button.record.on').click(PATIENCE);
  await page.locator('.picker h1', { hasText: SCENE }).waitFor(PATIENCE);
  return last;
}

/** Moves to a moment by the slider, and waits until it is shown. */
async function scrub(page: Page, seq: number): Promise<void> {
  await page.locator('.player input[type=range]').fill(String(seq));
  await page.locator('.player .seq', { hasText: new RegExp(`^${seq}/`) }).waitFor(PATIENCE);
}

const bounds = (page: Page) => page.locator('.player input[type=range]').evaluate((input: HTMLInputElement) => [Number(input.min), Number(input.max)] as [number, number]);

test('a scene is recorded, scrubbed, seen as of a point of the log, and exported; every way folds to the same moment', async () => {
  const { context, page, faults } = await openPage(stage.browser, { width: 1600, height: 1200 });
  onTestFinished(() => context.close());
  const end = await record(page);
  const id = /timeline\/([^?]+)/.exec(page.url())![1]!;
  const recording = await request<Recording>(page, 'GET', `api/recordings/${id}`);
  const [first, last] = await bounds(page);
  expect([first, last, recording.is_recording]).toEqual([recording.first, recording.last, false]);

  // The last moment is what the server said at the end, the first change tells what was before any step: one version of each row.
  await scrub(page, last);
  const picture = async () => {
    const { seen, stored, redirects } = await shown(page, SESSIONS);
    return { seen, stored, redirects };
  };
  const atEnd = { seen: end.seen, stored: end.stored, redirects: end.redirects };
  expect(await picture()).toEqual(atEnd);
  const change = first + 1;
  await scrub(page, change);
  const atBegin = await picture();
  expect(atBegin.seen).toEqual(['(0,1)', '(0,2)']);
  expect(atBegin.stored).toHaveLength(2);
  await page.keyboard.press(']');
  await expect.poll(picture, PATIENCE).toEqual(atEnd);

  // A moment in the middle, by the page's fold and by the server's.
  const middle = Math.floor((first + last) / 2);
  await scrub(page, middle);
  const folded = await request<LiveMoment>(page, 'GET', `api/recordings/${id}/moment?seq=${middle}`);
  const keys = folded.items.filter((item) => item.kind === 'version').map((item) => item.key);
  const drawn = () => page.locator('[data-panel=versions] svg [data-key^="version/"]').evaluateAll((boxes) => boxes.map((box) => box.getAttribute('data-key')).toSorted());
  expect(await drawn()).toEqual(keys.toSorted());
  const atMiddle = await picture();

  // As seen by one that begins here: the verdicts are those that the server gives for this point of its log.
  await page.getByRole('button', { name: 'As seen by one begun here' }).click(PATIENCE);
  await page.locator('.viewer select option:checked', { hasText: 'a transaction begun at' }).waitFor({ ...PATIENCE, state: 'attached' });
  const lsn = new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('seen')!;
  const seen = await request<LiveMoment>(page, 'GET', `api/recordings/${id}/seen?lsn=${encodeURIComponent(lsn)}`);
  const verdicts = seen.items.filter((item) => item.kind === 'verdict' && item.viewer === `lsn:${lsn}`);
  expect(verdicts.length).toBeGreaterThan(0);
  const visible = verdicts.filter((item) => item.kind === 'verdict' && item.is_visible === true).length;
  expect(visible).toBe(2);
  await expect.poll(async () => (await picture()).seen.length, PATIENCE).toBe(visible);
  await page.getByRole('button', { name: /^Seen from/ }).click(PATIENCE);
  await expect.poll(picture, PATIENCE).toEqual(atMiddle);

  // The file: no server, the same moments.
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Share as HTML' }).click(PATIENCE)]);
  expect(download.suggestedFilename()).toMatch(/\.html$/);
  const alone = await openPage(stage.browser, { width: 1600, height: 1200 });
  onTestFinished(() => alone.context.close());
  const requests: string[] = [];
  alone.page.on('request', (asked) => requests.push(asked.url()));
  await alone.context.route(/^https?:/, (route) => route.abort());
  const file = `${await download.path()}.html`;
  await download.saveAs(file);
  await alone.page.goto(`file://${file}`);
  await alone.page.locator('.player').waitFor(PATIENCE);
  expect(await bounds(alone.page)).toEqual([first, last]);
  for (const [seq, expected] of [[last, atEnd], [middle, atMiddle], [change, atBegin]] as const) {
    await scrub(alone.page, seq);
    const { seen: places, stored, redirects } = await shown(alone.page, SESSIONS);
    expect({ seen: places, stored, redirects }).toEqual(expected);
  }
  expect(requests.filter((url) => !/^(file|data|blob):/.test(url))).toEqual([]);
  expect([...faults, ...alone.faults, ...(await refused(page)), ...(await refused(alone.page))]).toEqual([]);
});
