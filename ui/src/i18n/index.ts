// Texts in two languages. English is the list of keys; the compiler says which one Chinese lacks, and a test which
// placeholder. `{name}` in a text is replaced.
import { createContext, useContext } from 'react';

import { en } from './en.ts';
import { notesZh } from './notes.ts';
import { reasonsEn, reasonsZh } from './reasons.ts';
import { zh } from './zh.ts';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];
export type TextKey = keyof typeof en;
export type Values = Record<string, string | number>;

export interface Texts {
  language: Language;
  /** The text of a key. */
  t: (key: TextKey, values?: Values) => string;
  /** Why a version is or is not seen: the sentence of a reason code, or the code itself if it is unknown. */
  reason: (code: string, values?: Values) => string;
  /** The text of a code that the server sends, such as a state; the code itself if there is none. */
  code: (family: string, code: string) => string;
  /** A note of the server, which comes as `code: sentence` in English. */
  note: (note: string) => string;
  number: (value: number, digits?: number) => string;
}

export function fill(text: string, values: Values = {}): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function textsOf(language: Language): Texts {
  const table: Record<string, string> = language === 'zh' ? zh : en;
  const reasons: Record<string, string> = language === 'zh' ? reasonsZh : reasonsEn;
  const locale = language === 'zh' ? 'zh-CN' : 'en';
  return {
    language,
    t: (key, values) => fill(table[key] ?? key, values),
    reason: (code, values) => fill(reasons[code] ?? code, values),
    code: (family, code) => table[`${family}.${code}`] ?? code,
    note: (note) => {
      const at = note.indexOf(': ');
      const [code, sentence] = at < 0 ? ['', note] : [note.slice(0, at), note.slice(at + 2)];
      return (language === 'zh' && notesZh[code]) || sentence;
    },
    number: (value, digits = 0) =>
      new Intl.NumberFormat(locale, { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value),
  };
}

export const TextsContext = createContext<Texts>(textsOf('en'));

export const useTexts = (): Texts => useContext(TextsContext);
