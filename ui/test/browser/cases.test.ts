// A run of a case from the page on a real server: its charts move while it goes on, and it ends when it is cancelled.
import { expect, onTestFinished, test } from 'vitest';

import type { RunDetail, Studies } from '../../src/api/rest.ts';
import { openPage, refused, stageWithServer } from './harness.ts';
import { PATIENCE, request } from './truth.ts';

const stage = stageWithServer();

/** A run makes a server of its own before it measures anything; on a loaded machine that takes its time. */
const START = { timeout: 120_000 };

test('a smoke run of one arm of the flash sale: the charts move, and it is cancelled from the page', async () => {
  const { context, page, faults } = await openPage(stage.browser, { height: 1000 });
  onTestFinished(() => context.close());
  await page.goto(`${stage.workbench.address}#/cases/flash-sale`);
  const form = page.locator('form.run-form');
  await form.waitFor(PATIENCE);
  const { studies } = await request<Studies>(page, 'GET', 'api/studies');
  const study = studies.find((each) => each.name === 'flash-sale')!;
  for (const arm of study.arms) if (arm.name !== study.baseline) await form.locator(`input[name=arm][value="${arm.name}"]`).uncheck();
  await form.locator('select[name=preset]').selectOption('smoke');
  await form.getByRole('button', { name: 'Start' }).click(PATIENCE);
  await page.locator('.run-state').waitFor(PATIENCE);
  const id = /cases\/run\/([^?]+)/.exec(page.url())![1]!;
  const run = () => request<RunDetail>(page, 'GET', `api/runs/${id}`);
  onTestFinished(async () => {
    if (['queued', 'running'].includes((await run()).run.state)) await request(page, 'DELETE', `api/runs/${id}`);
  });
  expect((await run()).run.request).toMatchObject({ study: 'flash-sale', preset: 'smoke', arms: [study.baseline] });
  await page.locator('.run-state .badge.running').waitFor(START);

  // A line appears, then becomes another: what is drawn follows what is measured.
  const line = page.locator('[data-panel=charts] svg path[fill=none][stroke-width]').first();
  await expect.poll(() => line.count(), START).toBeGreaterThan(0);
  const before = await line.getAttribute('d');
  await expect.poll(() => line.getAttribute('d'), START).not.toBe(before);
  expect((await run()).pulses.length).toBeGreaterThan(1);

  await page.getByRole('button', { name: 'Cancel', exact: true }).click(PATIENCE);
  await page.locator('.run-state .badge.cancelled').waitFor(START);
  expect((await run()).run.state).toBe('cancelled');
  expect(await page.getByRole('button', { name: 'Cancel', exact: true }).count()).toBe(0);
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
});
