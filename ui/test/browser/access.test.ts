// Every page in both themes and both widths: axe finds nothing, nothing is wider than the window, the content security
// policy refuses nothing.
import { AxeBuilder } from '@axe-core/playwright';
import { describe, expect, test } from 'vitest';

import { deadlock, everything, writeSkew } from '../fixtures/stories.ts';
import { openPage, refused, sharedFile, stageWithServer, type Look } from './harness.ts';

const stage = stageWithServer();

const LOOKS = [
  { theme: 'light', width: 1280 },
  { theme: 'dark', width: 1280 },
  { theme: 'dark', width: 390 },
  { theme: 'light', width: 390 },
] as const;

async function judge(address: string, language: Look['language'] & string) {
  const { context, page, faults } = await openPage(stage.browser, { language });
  await page.goto(address);
  await page.waitForSelector('main h1, main .page');
  for (const { theme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: 800 });
    await page.locator(`html[data-theme=${theme}]`).waitFor();
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).join('; ')}`);
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect({ theme, width, found, tooWide }).toEqual({ theme, width, found: [], tooWide: 0 });
  }
  expect(await refused(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
}

describe.each(['en', 'zh'] as const)('in %s', (language) => {
  test.each(['live', 'timeline', 'consoles', 'cases', 'cases/flash-sale', 'advisor', 'advisor?example=smallbank'])('%s', (page) => judge(`${stage.workbench.address}#/${page}`, language));
});

test.each([
  { story: 'deadlock', recording: deadlock(), hash: '#/timeline?seq=23&with=10' },
  { story: 'write skew', recording: writeSkew(), hash: '#/timeline?seq=18&pick=serializable/4/7' },
  { story: 'versions', recording: everything(), hash: '#/timeline?pick=version/16400/0/5/755' },
  { story: 'page', recording: everything(), hash: '#/timeline?view=page' },
])('the shared story $story', async ({ recording, hash }) => {
  const file = sharedFile(recording);
  await judge(`${file.address}${hash}`, 'en');
  file.remove();
});
