// Language and theme: from the address if it says so, else as they were chosen last, else as the browser has it.
import { useEffect, useMemo, useState } from 'react';

import { LANGUAGES, textsOf, type Language, type Texts } from '../i18n/index.ts';
import { applyTheme, DARK, LIGHT, type Theme } from '../theme.ts';
import { parseRoute } from './route.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEMES)[number];

function kept(name: string): string | null {
  try {
    return localStorage.getItem(`pgstrata.${name}`);
  } catch {
    // A page from a disk may have no storage.
    return null;
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`pgstrata.${name}`, value);
  } catch {
    // Then it is asked again next time.
  }
}

function chosen<Value extends string>(name: string, allowed: readonly Value[], otherwise: Value): Value {
  const asked = parseRoute(location.hash).params.get(name) ?? kept(name);
  return allowed.find((each) => each === asked) ?? otherwise;
}

export interface Settings {
  language: Language;
  setLanguage: (language: Language) => void;
  themeChoice: ThemeChoice;
  setThemeChoice: (choice: ThemeChoice) => void;
  theme: Theme;
  texts: Texts;
}

export function useSettings(): Settings {
  const [language, setLanguage] = useState(() => chosen('lang', LANGUAGES, navigator.language.startsWith('zh') ? 'zh' : 'en'));
  const [themeChoice, setThemeChoice] = useState(() => chosen('theme', THEMES, 'system'));
  const [systemIsDark, setSystemIsDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => setSystemIsDark(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  const theme = themeChoice === 'dark' || (themeChoice === 'system' && systemIsDark) ? DARK : LIGHT;
  const texts = useMemo(() => textsOf(language), [language]);
  useEffect(() => {
    applyTheme(theme, document.documentElement);
  }, [theme]);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  return {
    language,
    setLanguage: (value) => {
      keep('lang', value);
      setLanguage(value);
    },
    themeChoice,
    setThemeChoice: (value) => {
      keep('theme', value);
      setThemeChoice(value);
    },
    theme,
    texts,
  };
}
