// What the page shows and what the server says of itself, in one form, so that the one can be held against the other. The
// server is asked through a console of the workbench; nothing here judges.
import { isDeepStrictEqual } from 'node:util';

import type { Page } from 'playwright-core';
import { expect } from 'vitest';

import type { Console, Statement } from '../../src/api/rest.ts';

/** Something happens on a real server within this, or not at all. */
export const PATIENCE = { timeout: 60_000 };

/** A request of the page itself: with its cookie, from its origin. */
export async function request<Body>(page: Page, method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await page.evaluate(
    async ([how, where, what]) => {
      const init = what === undefined ? { method: how } : { method: how, body: what, headers: { 'content-type': 'application/json' } };
      const response = await fetch(where, init);
      return { ok: response.ok, text: await response.text() };
    },
    [method, path, body === undefined ? undefined : JSON.stringify(body)] as [string, string, string | undefined],
  );
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.text}`);
  return (answer.text === '' ? undefined : JSON.parse(answer.text)) as Body;
}

let keys = 0;
/** A key that no request before had. */
const drawKey = () => `${Date.now().toString(16)}${(keys++).toString(16)}`.padStart(24, '0');

/** Rows of an answer as PostgreSQL prints them. */
export type Ask = (sql: string) => Promise<(string | null)[][]>;

/** Opens a console of the page's browser to ask the server with. */
export async function asker(page: Page, name = 'asker'): Promise<{ ask: Ask; close: () => Promise<void> }> {
  const { id } = await request<Console>(page, 'POST', 'api/consoles', { key: drawKey(), name });
  const ask: Ask = async (sql) => {
    const sent = await request<Statement>(page, 'POST', `api/consoles/${id}/run`, { key: drawKey(), sql, wait_ms: 20_000 });
    if (sent.state !== 'done') throw new Error(`${sql}: ${sent.state} ${sent.error?.message ?? ''}`);
    return sent.answers.at(-1)!.rows;
  };
  return { ask, close: () => request(page, 'DELETE', `api/consoles/${id}`) };
}

/** A version on its page. */
interface Stored {
  place: string;
  xmin: number;
  isHeapOnly: boolean;
  isFrozen: boolean;
  isUndone: boolean;
}

/** The same of both: the picture of a table and of some sessions. */
export interface Told {
  stored: Stored[];
  /** Places of what a transaction begun now sees. */
  seen: string[];
  /** Line pointers that lead elsewhere: `1>3`. */
  redirects: string[];
  /** Processes that wait for a lock, and for whom. */
  waits: Record<string, number[]>;
  states: Record<string, string>;
}

/** HEAP_ONLY_TUPLE of `t_infomask2` and HEAP_XMIN_FROZEN of `t_infomask` (src/include/access/htup_details.h). */
const [HEAP_ONLY, FROZEN] = [0x8000, 0x0300];

const TRUTH = (table: string, sessions: string[]) => `
with item as (
  select block, lp, lp_off, lp_flags, t_xmin, t_infomask, t_infomask2
  from generate_series(0, pg_relation_size('${table}')::int / current_setting('block_size')::int - 1) as block,
       heap_page_items(get_raw_page('${table}', block))
)
select json_build_object(
  'stored', coalesce((select json_agg(json_build_object(
      'place', format('(%s,%s)', block, lp),
      'xmin', t_xmin::text::int,
      'isHeapOnly', t_infomask2 & ${HEAP_ONLY} <> 0,
      'isFrozen', t_infomask & ${FROZEN} = ${FROZEN},
      'isUndone', pg_xact_status(t_xmin::text::xid8) = 'aborted') order by block, lp)
    from item where lp_flags = 1), '[]'),
  'seen', coalesce((select json_agg(ctid::text order by ctid) from ${table}), '[]'),
  'redirects', coalesce((select json_agg(format('%s>%s', lp, lp_off) order by lp) from item where lp_flags = 2), '[]'),
  'waits', coalesce((select json_object_agg(pid, pg_blocking_pids(pid)) from (select distinct pid from pg_locks where not granted) as waiting), '{}'),
  'states', coalesce((
    select json_object_agg(application_name, case when exists (select from pg_locks where pg_locks.pid = activity.pid and not granted) then 'waiting' else state end)
    from pg_stat_activity as activity where application_name = any ('{${sessions.join(',')}}')), '{}'))`;

export async function said(ask: Ask, table: string, sessions: string[]): Promise<Told> {
  return JSON.parse((await ask(TRUTH(table, sessions)))[0]![0]!) as Told;
}

/** Reads the picture off the elements, by what is drawn and by what is said to those who cannot see. */
export async function shown(page: Page, sessions: string[]): Promise<Told> {
  return page.evaluate((names) => {
    const all = (selector: string) => [...document.querySelectorAll(selector)];
    const texts = (element: Element) => [...element.querySelectorAll('text')].map((text) => text.textContent);
    const told: Told = { stored: [], seen: [], redirects: [], waits: {}, states: {} };
    for (const box of all('[data-panel=versions] svg [data-key^="version/"]')) {
      const [, place = '', line, offset = '', xmin, fate, sight] = /^version (\((\d+),(\d+)\)) made by (\d+), ([^·]+) · ([^·]+?)(?: · |$)/.exec(box.getAttribute('aria-label') ?? '') ?? [];
      if (fate === 'no longer on disk' || line === undefined) continue;
      const words = texts(box);
      told.stored.push({ place, xmin: Number(xmin), isHeapOnly: words.includes('HOT'), isFrozen: words.includes('frozen'), isUndone: words.includes('aborted') && fate === 'rolled back' });
      if (sight === 'visible') told.seen.push(place);
      for (const word of words) if (word.startsWith('↪')) told.redirects.push(`${word.split(' ').at(-1)}>${offset}`);
    }
    for (const node of all('[data-panel=waits] svg [data-key^="wait/"]')) {
      const key = node.getAttribute('data-key')!;
      const label = all('[data-panel=lanes] svg [data-key^="wait/"]').find((each) => each.getAttribute('data-key') === key)?.getAttribute('aria-label') ?? '';
      told.waits[key.split('/')[1]!] = (/held up by (.*)$/.exec(label)?.[1] ?? '').split(', ').filter(Boolean).map(Number);
    }
    const lanes = all('[data-panel=lanes] svg g').map((group) => [...group.children].filter((child) => child.tagName === 'text').map((text) => text.textContent));
    const states = ['waiting', 'active', 'idle in transaction', 'idle'];
    for (const lane of lanes) {
      if (lane.length !== 3 || !names.includes(lane[0]!)) continue;
      const start = lane[2]!.replace(/…$/, '');
      const state = start === 'failed transaction' ? 'idle in transaction (aborted)' : start;
      told.states[lane[0]!] = lane[2]!.endsWith('…') ? (states.find((each) => each.startsWith(start)) ?? state) : state;
    }
    const places = (place: string) => place.slice(1, -1).split(',').map(Number);
    const byPlace = (a: string, b: string) => places(a)[0]! - places(b)[0]! || places(a)[1]! - places(b)[1]!;
    told.stored.sort((a, b) => byPlace(a.place, b.place));
    told.seen.sort(byPlace);
    told.redirects.sort();
    return told;
  }, sessions);
}

/** Waits until the page and the server say the same. Sessions that did nothing yet have no lane, and are not compared. */
export async function agree(page: Page, ask: Ask, table: string, sessions: string[], when: string): Promise<Told> {
  let last: Told | undefined;
  const compare = async () => {
    const server = await said(ask, table, sessions);
    const picture = await shown(page, sessions);
    const states = Object.fromEntries(Object.entries(server.states).filter(([name]) => name in picture.states));
    last = server;
    const expected = { ...server, states };
    return isDeepStrictEqual(picture, expected) ? 'the same' : { shown: picture, said: expected };
  };
  await expect.poll(compare, { ...PATIENCE, message: `page and server ${when}` }).toBe('the same');
  return last!;
}
