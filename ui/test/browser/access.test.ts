// Every page in both themes and both widths: axe finds nothing, nothing is wider than the window, the content security
// policy refuses nothing.
import AxeBuilder from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { deadlock, everything, writeSkew } from '../fixtures/stories.ts';
import { launch, openPage, refused, serve, sharedFile, type Look, type Workbench } from './harness.ts';

let browser: Browser;
let workbench: Workbench;
beforeAll(async () => {
  [browser, workbench] = await Promise.all([launch(), serve()]);
});
afterAll(async () => {
  await browser?.close();
  await workbench?.stop();
});

const LOOKS: Look[] = [
  { theme: 'light', language: 'en', width: 1280 },
  { theme: 'dark', language: 'zh', width: 1280 },
  { theme: 'light', language: 'zh', width: 390 },
  { theme: 'dark', language: 'en', width: 390 },
];

async function judge(address: string, look: Look) {
  const { context, page, faults } = await openPage(browser, look);
  await page.goto(address);
  await page.waitForSelector('main h1, main .page');
  await page.waitForLoadState('networkidle');
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).join('; ')}`);
  expect(found).toEqual([]);
  const widest = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(widest).toBeLessThanOrEqual(0);
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
}

const name = (look: Look) => `${look.width} ${look.theme} ${look.language}`;

describe.each(LOOKS.map((look) => ({ look, as: name(look) })))('$as', ({ look }) => {
  test.each(['live', 'timeline', 'consoles', 'cases', 'cases/flash-sale'])('%s', (page) => judge(`${workbench.address}#/${page}`, look));

  test.each([
    { story: 'deadlock', recording: deadlock(), hash: '#/timeline?seq=23&with=10' },
    { story: 'write skew', recording: writeSkew(), hash: '#/timeline?seq=18&pick=serializable/4/7' },
    { story: 'versions', recording: everything(), hash: '#/timeline?pick=version/16400/0/5/755' },
    { story: 'page', recording: everything(), hash: '#/timeline?view=page' },
  ])('$story', async ({ recording, hash }) => {
    const file = sharedFile(recording);
    await judge(`${file.address}${hash}`, look);
    file.remove();
  });
});
