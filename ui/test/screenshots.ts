// Pictures of every page in both themes, widths and languages, for people to look at; the best go into README and book.
// Recordings are shown from stories; the other pages by the server that `PGSTRATA_URL` names, or one that is started.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';

import { launch, openPage, serve, sharedFile, type Look, type Workbench } from './browser/harness.ts';
import { request } from './browser/truth.ts';
import { deadlock, everything, many, server, writeSkew } from './fixtures/stories.ts';

const FOLDER = process.env['PGSTRATA_SCREENSHOTS'] ?? new URL('../test-results/screenshots', import.meta.url).pathname;
const LOOKS: Required<Look>[] = [
  { theme: 'light', language: 'en', width: 1280, height: 860 },
  { theme: 'dark', language: 'zh', width: 1280, height: 860 },
  { theme: 'dark', language: 'en', width: 390, height: 844 },
  { theme: 'light', language: 'zh', width: 390, height: 844 },
];
const nameOf = (look: Required<Look>) => `${look.width}-${look.theme}-${look.language}`;

let browser: Browser;
let workbench: Workbench | undefined;
beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  browser = await launch();
  const url = process.env['PGSTRATA_URL'];
  if (url !== undefined) workbench = { address: url, stop: async () => {}, kill: async () => {} };
  else if (process.env['PGSTRATA_BIN'] !== undefined) workbench = await serve();
});
afterAll(async () => {
  await browser?.close();
  await workbench?.stop();
});

async function shoot(name: string, address: string, look: Required<Look>, full = true) {
  const { context, page } = await openPage(browser, look);
  await page.goto(address);
  await page.waitForSelector('main');
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(FOLDER, `${name}-${nameOf(look)}.png`), fullPage: full });
  await context.close();
}

const begin = { moment: { seq: 0, items: [server(6000), ...many(5000)] }, changes: [{ seq: 1, unix_us: 1, cause: 'begin' as const }], name: '5,000' };
const STORIES = [
  { name: 'deadlock', recording: deadlock(), hash: '#/timeline?seq=19&pick=session/4712' },
  { name: 'write-skew', recording: writeSkew(), hash: '#/timeline?seq=18&pick=serializable/4/7' },
  { name: 'versions', recording: everything(), hash: '#/timeline?pick=version/16400/0/5/755' },
  { name: 'page', recording: everything(), hash: '#/timeline?view=page&pick=line/16400/0/1' },
  { name: 'compare', recording: deadlock(), hash: '#/timeline?seq=21&with=16&axis=time' },
  { name: 'field', recording: begin, hash: '#/timeline' },
];

test.each(STORIES)('$name', async ({ name, recording, hash }) => {
  const file = sharedFile(recording);
  for (const look of LOOKS) await shoot(name, `${file.address}${hash}`, look);
  file.remove();
});

test.each(['live', 'timeline', 'consoles', 'cases', 'cases/flash-sale'])('%s', async (page) => {
  if (!workbench) return;
  for (const look of LOOKS) await shoot(page.replace('/', '-'), `${workbench.address}#/${page}`, look);
});

test.each(['smallbank', 'tpcc', 'doctors-on-call', 'flash-sale'])('advisor %s', async (example) => {
  if (!workbench) return;
  for (const look of LOOKS) {
    const { context, page } = await openPage(browser, look);
    await page.goto(`${workbench.address}#/advisor?example=${example}`);
    await page.locator('[data-panel=advisor-path]').waitFor({ timeout: 60_000 });
    if (example === 'smallbank') {
      await page.locator('[data-panel=advisor-proof] button').nth(1).click();
      await page.locator('[data-proof=true], [data-proof=false]').waitFor({ timeout: 120_000 });
    }
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(FOLDER, `advisor-${example}-${nameOf(look)}.png`), fullPage: true });
    await context.close();
  }
});

/** The anomaly as the server has shown it: the part of the page that book and README show. */
test('advisor with its proof', async () => {
  if (!workbench) return;
  const look = { ...LOOKS[0]!, width: 1440, height: 1300 };
  const { context, page } = await openPage(browser, look);
  await page.goto(`${workbench.address}#/advisor?example=smallbank`);
  // At repeatable read it is the published cycle of three programs.
  await page.locator('[data-all=repeatable_read]').click({ timeout: 60_000 });
  await page.locator('.advisor-panes[aria-busy=false]').waitFor({ timeout: 60_000 });
  await page.locator('[data-panel=advisor-proof] button').first().click({ timeout: 60_000 });
  await page.locator('[data-play=witness][data-outcome=anomaly]').waitFor({ timeout: 120_000 });
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(FOLDER, `advisor-proof-${nameOf(look)}.png`) });
  await context.close();
});

/** Scenes as they stand after so many steps on a real server; with the extension (`PGSTRATA_PG_BIN`) they show most. */
const SCENES = [
  { scene: 'write-skew', steps: 7, height: 960 },
  { scene: 'rolled-back', steps: 9, height: 960 },
  { scene: 'deadlock', steps: 12, height: 1150 },
];

test.each(SCENES)('scene $scene', async ({ scene, steps, height }) => {
  if (!workbench) return;
  const look = LOOKS[0]!;
  const { context, page } = await openPage(browser, { ...look, height });
  await page.goto(`${workbench.address}#/live?scene=${scene}`);
  await page.locator('[data-panel=script] li.next').waitFor({ timeout: 60_000 });
  for (let step = 0; step < steps; step++) {
    await page.locator('[data-panel=script] button.primary:not([disabled])').click({ timeout: 60_000 });
    await page.locator(`[data-panel=script] li:nth-child(${step + 2}).next`).waitFor({ timeout: 60_000 });
  }
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(FOLDER, `scene-${scene}-${nameOf(look)}.png`) });
  // Its sessions would be seen, and held against the horizon, in the next one.
  await request(page, 'POST', `api/scenes/${scene}/close`);
  await context.close();
});
