// Where the page is: everything that a link must carry is in the address, after `#`, so that one file opened from a disk
// has addresses too. `#/live?table=public.account&seq=12`.
import { useSyncExternalStore } from 'react';

export const PAGES = ['live', 'timeline', 'consoles', 'cases', 'advisor'] as const;
export type PageName = (typeof PAGES)[number];

export interface Route {
  page: PageName;
  /** What follows the page: a recording, a case, a run. */
  rest: string[];
  params: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [page, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent);
  const known = PAGES.find((each) => each === page);
  return { page: known ?? 'live', rest: known ? rest : [], params: new URLSearchParams(query) };
}

export function hashOf(page: PageName, rest: string[] = [], params?: URLSearchParams | Record<string, string>): string {
  const query = new URLSearchParams(params).toString();
  const path = [page, ...rest.map(encodeURIComponent)].join('/');
  return `#/${path}${query ? `?${query}` : ''}`;
}

/** What is changed in the address; `undefined` takes a parameter away. */
export type Patch = Record<string, string | undefined>;

/** Changes parameters. `replace` leaves no entry in the history: for what moves with the mouse. */
export function patchParams(patch: Patch, replace = true): void {
  const { page, rest, params } = parseRoute(location.hash);
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined || value === '') params.delete(name);
    else params.set(name, value);
  }
  go(hashOf(page, rest, params), replace);
}

export function go(hash: string, replace = false): void {
  if (hash === location.hash) return;
  if (replace) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
  globalThis.dispatchEvent(new HashChangeEvent('hashchange'));
}

const subscribe = (listener: () => void) => {
  globalThis.addEventListener('hashchange', listener);
  globalThis.addEventListener('popstate', listener);
  return () => {
    globalThis.removeEventListener('hashchange', listener);
    globalThis.removeEventListener('popstate', listener);
  };
};

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return parseRoute(hash);
}
