// The frame of every page: where one is, which server this is, how much of it can be seen, language, theme, keys.
import { useEffect, useState, type ReactNode } from 'react';

import type { ServerStatus } from '../api/rest.ts';
import type { Tier } from '../api/timeline.ts';
import { useTexts } from '../i18n/index.ts';
import { hashOf, PAGES, type Route } from '../state/route.ts';
import { THEMES, type Settings } from '../state/settings.ts';
import { handleKey, ShortcutSheet } from './Shortcuts.tsx';

export const TIERS: Tier[] = ['sql', 'pageinspect', 'extension', 'preloaded', 'wal'];

interface ShellProps {
  route: Route;
  settings: Settings;
  server: ServerStatus | undefined;
  hasBook: boolean;
  /** A shared file has one page and no server. */
  isShared: boolean;
  connection: string;
  children: ReactNode;
}

export function Shell({ route, settings, server, hasBook, isShared, connection, children }: ShellProps) {
  const { t, code } = useTexts();
  const [sheet, setSheet] = useState(false);
  const nextTheme = () => settings.setThemeChoice(settings.theme.name === 'dark' ? 'light' : 'dark');
  const nextLanguage = () => settings.setLanguage(settings.language === 'en' ? 'zh' : 'en');
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => handleKey(event, { help: () => setSheet(true), theme: nextTheme, language: nextLanguage });
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
  useEffect(() => {
    document.title = `${t(`nav.${route.page}`)} · pgstrata`;
  }, [route.page, t]);
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('main')?.focus(); }}>
        {t('skip')}
      </a>
      <header className="shell">
        <a className="brand" href={hashOf('live')} aria-label="pgstrata">
          <svg width={20} height={18} viewBox="0 0 20 18" aria-hidden="true">
            <rect className="layer one" x={0} y={1} width={13} height={4} rx={1.3} />
            <rect className="layer two" x={3.5} y={7} width={13} height={4} rx={1.3} />
            <rect className="layer three" x={7} y={13} width={13} height={4} rx={1.3} />
          </svg>
          pgstrata
        </a>
        {!isShared && (
          <nav aria-label={t('nav.label')}>
            {PAGES.map((page) => (
              <a key={page} href={hashOf(page)} aria-current={route.page === page ? 'page' : undefined}>
                {t(`nav.${page}`)}
              </a>
            ))}
            {hasBook && (
              <a href={settings.language === 'zh' ? 'docs/zh/' : 'docs/'} target="_blank" rel="noreferrer">
                {t('nav.docs')}
              </a>
            )}
          </nav>
        )}
        <div className="spacer" />
        {server && <ServerBadge server={server} connection={connection} />}
        <div className="choices">
          <button type="button" className="quiet" onClick={nextLanguage} lang={settings.language === 'en' ? 'zh-CN' : 'en'} aria-label={settings.language === 'en' ? '切换到简体中文' : 'Switch to English'}>
            {settings.language === 'en' ? '中文' : 'EN'}
          </button>
          <select value={settings.themeChoice} onChange={(event) => settings.setThemeChoice(event.target.value as Settings['themeChoice'])} aria-label={t('theme.label')}>
            {THEMES.map((each) => (
              <option key={each} value={each}>
                {code('theme', each)}
              </option>
            ))}
          </select>
          <button type="button" className="quiet" onClick={() => setSheet(true)} aria-label={t('keys.title')} title={`${t('keys.title')} (?)`}>
            ?
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <ShortcutSheet open={sheet} onClose={() => setSheet(false)} />
    </>
  );
}

function ServerBadge({ server, connection }: { server: ServerStatus; connection: string }) {
  const { t, code, note } = useTexts();
  // The server's log is followed or not, however well pages and sessions can be looked at: two things to know at a glance.
  const best = [TIERS.filter((tier) => tier !== 'wal'), TIERS.filter((tier) => tier === 'wal')]
    .map((tiers) => tiers.findLast((tier) => server.tiers.includes(tier)))
    .filter((tier) => tier !== undefined);
  const isUp = server.is_up && connection !== 'lost';
  return (
    <details className="server">
      <summary>
        <span className={isUp ? 'lamp up' : 'lamp down'} aria-hidden="true" />
        <span className="name">
          PostgreSQL {server.version.split(' ')[0]}
          <span className="visually-hidden">, {t(isUp ? 'server.isUp' : 'server.isDown')}</span>
        </span>
        {best.map((tier) => (
          <span key={tier} className="badge">
            {code('tier', tier)}
          </span>
        ))}
      </summary>
      <div className="pop">
        <p>
          <code>{server.address}</code> · {server.database}
          <br />
          {t(server.is_private ? 'server.private' : 'server.attached')} · {t(server.is_writable ? 'server.writable' : 'server.readOnly')}
        </p>
        <ul className="tiers">
          {TIERS.map((tier) => {
            const has = server.tiers.includes(tier);
            return (
              <li key={tier} className={has ? 'has' : 'lacks'}>
                <span aria-hidden="true">{has ? '●' : '○'}</span>
                <span>
                  <strong>{code('tier', tier)}</strong> <small>{t(has ? 'tier.has' : 'tier.lacks')}</small>
                  <br />
                  {code('tierShows', tier)}
                </span>
              </li>
            );
          })}
        </ul>
        {server.notes.map((each) => (
          <p key={each} className="note">
            {note(each)}
          </p>
        ))}
      </div>
    </details>
  );
}
