// On a real server: the deadlock is made from the page; the circle is seen before the error is told; going back shows it
// again. What the page says is held against what the server says of itself.
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import type { Scene } from '../../src/api/rest.ts';
import { openPage, refused, stageWithServer } from './harness.ts';

const stage = stageWithServer();

/** Something happens on a real server within this, or not at all. */
const PATIENCE = { timeout: 60_000 };

/** How the scene stands, by the server's own word. */
async function sceneOf(page: Page, name: string): Promise<Scene> {
  return page.evaluate(async (address) => (await fetch(address)).json() as Promise<Scene>, `api/scenes/${name}`);
}

/** Plays the step that comes next, as a person would, and waits until the server has taken it. */
async function step(page: Page, name: string): Promise<Scene> {
  const before = (await sceneOf(page, name)).next;
  await page.locator('[data-panel=script] button.primary:not([disabled])').press('Enter', PATIENCE);
  await expect.poll(async () => (await sceneOf(page, name)).next, PATIENCE).toBe(before + 1);
  return sceneOf(page, name);
}

test('the deadlock is made from the page, its circle is seen before the error, and going back shows it again', async () => {
  const { context, page, faults } = await openPage(stage.browser, { height: 1000 });
  await page.goto(`${stage.workbench.address}#/live?scene=deadlock`);
  await page.locator('[data-panel=script] li.next').waitFor(PATIENCE);
  const alarm = page.locator('[data-panel=waits].alarm');
  const failed = page.locator('[data-panel=script] li.failed');
  let scene = await sceneOf(page, 'deadlock');
  let circleAt: number | undefined;
  while (scene.next < scene.steps.length && circleAt === undefined) {
    scene = await step(page, 'deadlock');
    const waiting = scene.steps.slice(0, scene.next).filter((each) => each.statement?.state === 'running').length;
    if (waiting === scene.sessions.length) {
      await alarm.waitFor(PATIENCE);
      // The one who will be told has not been told: every step that was played runs still, or is done.
      if ((await failed.count()) === 0) circleAt = Number((await page.locator('.player .seq').innerText()).split('/')[0]);
      break;
    }
  }
  expect(circleAt, 'the circle was on the page before any step had failed').toBeGreaterThan(0);
  const nodes = await alarm.locator('svg [data-key^="wait/"]').count();
  expect(nodes).toBe(scene.sessions.length);
  await failed.filter({ hasText: '40P01' }).waitFor(PATIENCE);
  await expect.poll(() => alarm.count(), PATIENCE).toBe(0);

  // Back to where the circle was.
  const at = await page.locator('.player input[type=range]');
  await at.focus();
  await at.fill(String(circleAt));
  await alarm.waitFor(PATIENCE);
  expect(new URL(page.url()).hash).toContain(`seq=${circleAt}`);
  // A link to the moment is a link to the moment.
  await page.keyboard.press('[');
  await expect.poll(() => alarm.count(), PATIENCE).toBe(0);
  await page.keyboard.press(']');
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});
