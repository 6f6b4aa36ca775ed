// What the keyboard can do: one list, used by the handler and by the sheet that shows it.
import { useEffect, useRef } from 'react';

import { useTexts, type TextKey } from '../i18n/index.ts';
import { go, hashOf, type PageName } from '../state/route.ts';

export const SHORTCUTS: { keys: string; text: TextKey }[] = [
  { keys: '?', text: 'keys.help' },
  { keys: '1 2 3 4 5', text: 'keys.pages' },
  { keys: 'k', text: 'keys.play' },
  { keys: ', .', text: 'keys.step' },
  { keys: '[ ]', text: 'keys.ends' },
  { keys: 'n', text: 'keys.next' },
  { keys: 't', text: 'keys.theme' },
  { keys: 'l', text: 'keys.language' },
  { keys: '← →', text: 'keys.walk' },
  { keys: 'Enter', text: 'keys.pick' },
  { keys: 'Esc', text: 'keys.close' },
  { keys: 'Ctrl Enter', text: 'keys.run' },
];

const PAGE_KEYS: Record<string, PageName> = { 1: 'live', 2: 'timeline', 3: 'consoles', 4: 'cases', 5: 'advisor' };

/** Actions of the page that is open, by key. */
export const actions = new Map<string, () => void>();

/** Lets a page answer to keys while it is open. */
export function useKeys(keys: Record<string, () => void>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  const names = Object.keys(keys).join(' ');
  useEffect(() => {
    const mine = names.split(' ');
    for (const key of mine) actions.set(key, () => latest.current[key]?.());
    return () => {
      for (const key of mine) actions.delete(key);
    };
  }, [names]);
}

/** Whether a key belongs to what has the focus. */
function isTyping(target: EventTarget | null): boolean {
  // A slider or a box to tick takes arrows and space, no letters.
  if (target instanceof HTMLInputElement) return !/^(range|checkbox)$/.test(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}

export function handleKey(event: KeyboardEvent, all: { help: () => void; theme: () => void; language: () => void }): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const page = PAGE_KEYS[event.key];
  const action = page ? () => go(hashOf(page)) : { '?': all.help, t: all.theme, l: all.language }[event.key] ?? actions.get(event.key);
  if (!action) return;
  event.preventDefault();
  action();
}

export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="sheet" aria-labelledby="keys-title" onClose={onClose}>
      <header>
        <h2 id="keys-title">{t('keys.title')}</h2>
        <button type="button" className="quiet" onClick={onClose} aria-label={t('close')}>
          ✕
        </button>
      </header>
      <dl>
        {SHORTCUTS.map(({ keys, text }) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{t(text)}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
