// A real browser and a real server for tests. The browser is Debian's Chromium, or whatever `PGSTRATA_CHROMIUM` names; the
// server is the program that `PGSTRATA_BIN` names, with a private PostgreSQL; both end with the test. `PGSTRATA_UI` names
// a folder with a page to be tested in place of the one that is built into the program.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

import type { SharedRecording } from '../../src/state/shared.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
/** A private PostgreSQL is made first; on a loaded machine that takes its time. */
const START_MS = 180_000;

export function browserPath(): string {
  const found = [process.env['PGSTRATA_CHROMIUM'], ...CHROMIUM].find((path) => path !== undefined && existsSync(path));
  if (!found) throw new Error('no Chromium was found; install the package chromium, or set PGSTRATA_CHROMIUM');
  return found;
}

export function launch(): Promise<Browser> {
  const args = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--force-color-profile=srgb', '--font-render-hinting=none'];
  // Chromium's sandbox refuses root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return chromium.launch({ executablePath: browserPath(), args });
}

export interface Workbench {
  /** With a slash at its end. */
  address: string;
  stop: () => Promise<void>;
  /** Kills the program as a power cut would. */
  kill: () => Promise<void>;
}

/** A folder for what a workbench keeps; the user that runs a server may pass through it. */
export function keepFolder(): string {
  const keep = mkdtempSync(join(tmpdir(), 'pgstrata-ui-'));
  chmodSync(keep, 0o755);
  return keep;
}

/** Starts `pgstrata serve` on a free port. */
export async function serve(...more: string[]): Promise<Workbench> {
  const keep = keepFolder();
  const workbench = await serveIn(keep, ...more);
  const stop = async () => {
    await workbench.stop();
    rmSync(keep, { recursive: true, force: true });
  };
  return { ...workbench, stop };
}

/** The same, with what it keeps in a folder that stays. */
export async function serveIn(keep: string, ...more: string[]): Promise<Workbench> {
  const program = process.env['PGSTRATA_BIN'];
  if (!program) throw new Error('PGSTRATA_BIN must name the program; `cargo xtask ui test` sets it');
  const child = spawn(program, ['serve', '--port', '0', '--no-open', '--keep', keep, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  const address = await addressOf(child);
  const end = async (signal: 'SIGINT' | 'SIGKILL') => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  return { address, stop: () => end('SIGINT'), kill: () => end('SIGKILL') };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`pgstrata said no address:\n${said}`)), START_MS);
    const read = (part: Buffer) => {
      said += part.toString();
      const found = /http:\/\/\S+/.exec(said);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[0].endsWith('/') ? found[0] : `${found[0]}/`);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`pgstrata ended with ${code}:\n${said}`));
    });
  });
}

/** What all tests of a file have at hand: there when the first begins, gone after the last. */
export interface Stage {
  browser: Browser;
  /** One with a private server. */
  workbench: Workbench;
}

/** A browser for the tests of the file that calls this. */
export function stageWithoutServer(): Pick<Stage, 'browser'> {
  const stage = {} as Pick<Stage, 'browser'>;
  beforeAll(async () => {
    stage.browser = await launch();
  });
  // Not there if it could not be started.
  afterAll(() => (stage as Partial<Stage>).browser?.close());
  return stage;
}

/** A browser and a workbench for the tests of the file that calls this. A test may put another workbench in its place. */
export function stageWithServer(open: () => Promise<Workbench> = serve): Stage {
  const stage = stageWithoutServer() as Stage;
  beforeAll(async () => {
    stage.workbench = await open();
  });
  afterAll(() => (stage as Partial<Stage>).workbench?.stop());
  return stage;
}

export interface Look {
  theme?: 'light' | 'dark';
  language?: 'en' | 'zh';
  width?: number;
  height?: number;
}

/** Puts the script and the style of the page in `dist` in place of those inside the program, which may be older. */
async function replacePage(context: BrowserContext, dist: string): Promise<void> {
  const folder = join(dist, 'assets');
  const files = readdirSync(folder);
  // The document stays the server's own, with its headers: what they refuse is what is tested.
  for (const ending of ['.js', '.css']) {
    const file = files.find((each) => each.endsWith(ending));
    if (file) await context.route(({ protocol, pathname }) => protocol === 'http:' && pathname.startsWith('/assets/') && pathname.endsWith(ending), (route) => route.fulfill({ path: join(folder, file) }));
  }
}

/** A page that notes everything that must not happen on it. */
export interface Watched {
  context: BrowserContext;
  page: Page;
  /** Errors, and what the content security policy refused. */
  faults: string[];
}

export async function openPage(browser: Browser, look: Look = {}): Promise<Watched> {
  const { theme = 'light', language = 'en', width = 1280, height = 800 } = look;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale: language === 'zh' ? 'zh-CN' : 'en-GB', reducedMotion: 'reduce' });
  if (process.env['PGSTRATA_UI'] !== undefined) await replacePage(context, process.env['PGSTRATA_UI']);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // A refused request (404, 501) is said on the page; the console repeats it.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const list = ((globalThis as unknown as { refused?: string[] }).refused ??= []);
      list.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return { context, page, faults };
}

/** What the content security policy refused on a page. */
export async function refused(page: Page): Promise<string[]> {
  return page.evaluate(() => (globalThis as unknown as { refused?: string[] }).refused ?? []);
}

const DIST = new URL('../../dist/', import.meta.url).pathname;

/** A shared file with this recording, on disk; its address. */
export function sharedFile(recording: SharedRecording): { address: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'pgstrata-share-'));
  const page = readFileSync(join(DIST, 'share.html'), 'utf8');
  const json = JSON.stringify(recording).replaceAll('<', String.raw`\u003c`);
  const at = page.indexOf('</head>');
  const path = join(folder, 'share.html');
  writeFileSync(path, `${page.slice(0, at)}<script type="application/json" id="pgstrata-recording">${json}</script>${page.slice(at)}`);
  return { address: `file://${path}`, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
