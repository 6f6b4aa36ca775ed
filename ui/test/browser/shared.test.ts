// A shared file: the page with a recording inside, opened from the disk, without any server.
import { describe, expect, test } from 'vitest';

import { deadlock, everything, many, server } from '../fixtures/stories.ts';
import { openPage, sharedFile, stageWithoutServer } from './harness.ts';

const stage = stageWithoutServer();

describe('a shared deadlock', () => {
  test('plays without a server: the circle closes before the error is told, and comes back when one goes back', async () => {
    const file = sharedFile(deadlock());
    const { context, page, faults } = await openPage(stage.browser);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${file.address}#/timeline?seq=1`);
    // A key that is pressed before the page is there is lost.
    await page.locator('.player .seq', { hasText: '1/' }).waitFor();
    const alarm = page.locator('[data-panel=waits].alarm');
    const error = page.locator('.player .cause', { hasText: '40P01' });
    let [circleAt, errorAt] = [0, 0];
    for (let seq = 2; seq <= 31; seq++) {
      await page.keyboard.press('.');
      await page.locator('.player .seq', { hasText: `${seq}/` }).waitFor();
      if (circleAt === 0 && (await alarm.count()) > 0) circleAt = seq;
      if (errorAt === 0 && (await error.count()) > 0) errorAt = seq;
    }
    expect(circleAt).toBeGreaterThan(0);
    expect(errorAt).toBe(circleAt + 1);
    expect(await alarm.count()).toBe(0);
    for (let seq = 30; seq >= circleAt; seq--) await page.keyboard.press(',');
    await alarm.waitFor();
    expect(await alarm.locator('svg [data-key^="wait/"]').count()).toBe(3);
    expect(new URL(page.url()).hash).toContain(`seq=${circleAt}`);
    expect(requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
    file.remove();
  });

  test('a link to a moment, an item and a view opens just that', async () => {
    const file = sharedFile(everything());
    const { context, page, faults } = await openPage(stage.browser, { language: 'zh', theme: 'dark' });
    await page.goto(`${file.address}#/timeline?seq=2&pick=version/16400/0/4/751`);
    await page.locator('.inspector .verdict', { hasText: '创建它的事务 751 已回滚' }).waitFor();
    expect(await page.getAttribute('html', 'lang')).toBe('zh-CN');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
    await page.goto(`${file.address}#/timeline?view=page&pick=line/16400/0/1`);
    await page.locator('[data-panel=versions] [data-key="line/16400/0/1"][aria-selected=true]').waitFor();
    expect(faults).toEqual([]);
    await context.close();
    file.remove();
  });
});

test('everything can be reached and picked by keyboard, and the sheet of keys opens and closes', async () => {
  const file = sharedFile(everything());
  const { context, page } = await openPage(stage.browser);
  await page.goto(`${file.address}#/timeline`);
  const first = page.locator('[data-panel=versions] [role=option]').first();
  await first.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.locator('.inspector', { hasText: '(0,5)' }).waitFor();
  // One stop of the tabulator for each chart.
  expect(await page.locator('[data-panel=versions] svg [tabindex="0"]').count()).toBeLessThanOrEqual(2);
  await page.keyboard.press('Shift+?');
  await page.locator('dialog[open] kbd').first().waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' }).catch(() => undefined);
  expect(await page.locator('dialog[open]').count()).toBe(0);
  await page.keyboard.press('t');
  expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
  await page.keyboard.press('l');
  expect(await page.getAttribute('html', 'lang')).toBe('zh-CN');
  await context.close();
  file.remove();
});

/** Frames are counted for so long, milliseconds. */
const MEASURED_MS = 3000;

test('5,000 versions are painted in every frame of a drag; the rate is measured and told', async () => {
  const file = sharedFile({ name: '5,000', moment: { seq: 0, items: [server(6000), ...many(5000, 100)] }, changes: [{ seq: 1, unix_us: 1, cause: 'begin' }] });
  const { context, page, faults } = await openPage(stage.browser);
  await page.goto(`${file.address}#/timeline`);
  const canvas = page.locator('canvas.field-canvas');
  await canvas.waitFor();
  await page.getByRole('button', { name: 'All', exact: true }).click();
  const measured = await page.evaluate(async (ms) => {
    const element = document.querySelector<HTMLCanvasElement>('canvas.field-canvas')!;
    const frames: number[] = [];
    const boxes: number[] = [];
    const box = element.getBoundingClientRect();
    const point = (type: string, x: number) => element.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: box.left + 200 + x, clientY: box.top + 100, bubbles: true }));
    // A synthetic pointer cannot be captured.
    element.setPointerCapture = () => undefined;
    point('pointerdown', 0);
    await new Promise<void>((resolve) => {
      let start = 0;
      const frame = (now: number) => {
        start ||= now;
        frames.push(now);
        boxes.push(Number(element.dataset['boxes']));
        point('pointermove', 10 * Math.sin(frames.length / 10));
        if (now - start < ms) requestAnimationFrame(frame);
        else resolve();
      };
      requestAnimationFrame(frame);
    });
    return { frames, boxes };
  }, MEASURED_MS);
  const gaps = measured.frames.slice(1).map((time, index) => time - measured.frames[index]!).toSorted((a, b) => a - b);
  const at = (part: number) => gaps[Math.floor(part * (gaps.length - 1))]!;
  const seconds = (measured.frames.at(-1)! - measured.frames[0]!) / 1000;
  process.stdout.write(`      5,000 versions: ${(gaps.length / seconds).toFixed(1)} frames/s, a frame ${at(0.5).toFixed(1)} ms (median), ${at(0.99).toFixed(1)} ms (99 %)\n`);
  expect(Math.min(...measured.boxes.slice(2))).toBeGreaterThan(4_000);
  expect(faults).toEqual([]);
  await context.close();
  file.remove();
});
