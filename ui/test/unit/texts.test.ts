// Both languages say the same things; every reason has a sentence; every key that is used exists.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { en } from '../../src/i18n/en.ts';
import { fill, textsOf } from '../../src/i18n/index.ts';
import { notesZh } from '../../src/i18n/notes.ts';
import { reasonsEn, reasonsZh } from '../../src/i18n/reasons.ts';
import { zh } from '../../src/i18n/zh.ts';

const root = new URL('../../', import.meta.url).pathname;
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).toSorted();

function sources(folder: string, ending = /\.tsx?$/): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path, ending);
    return ending.test(entry.name) && !path.includes('/i18n/') ? [readFileSync(path, 'utf8')] : [];
  });
}

test('both languages have the same keys, with the same placeholders', () => {
  expect(Object.keys(zh).toSorted()).toEqual(Object.keys(en).toSorted());
  for (const [key, text] of Object.entries(en)) expect([key, placeholders(zh[key as keyof typeof en])]).toEqual([key, placeholders(text)]);
  for (const [code, text] of Object.entries(reasonsEn)) {
    const other = placeholders(reasonsZh[code as keyof typeof reasonsEn]);
    expect([code, other]).toEqual([code, placeholders(text)]);
  }
});

test('Chinese uses full-width punctuation between Chinese letters', () => {
  for (const [key, text] of [...Object.entries(zh), ...Object.entries(reasonsZh)]) {
    expect([key, /[\u4E00-\u9FFF][,;:!?()]|[,;:!?()][\u4E00-\u9FFF]/.test(text)]).toEqual([key, false]);
  }
});

test('every reason code of crates/tuple has a sentence, and no sentence is left over', () => {
  const rust = readFileSync(join(root, '../crates/tuple/src/visibility/reason.rs'), 'utf8');
  const body = rust.slice(rust.indexOf('fn as_str'));
  const codes = [...body.matchAll(/Self::\w+ => "([a-z-]+)"/g)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(20);
  expect(Object.keys(reasonsEn).toSorted()).toEqual(codes.toSorted());
});

test('every problem code of the server has a sentence', () => {
  const document = JSON.parse(readFileSync(join(root, '../crates/server/openapi.json'), 'utf8')) as { components: { schemas: { Code: { enum?: string[]; oneOf?: { enum: string[] }[] } } } };
  const { Code } = document.components.schemas;
  const codes = Code.enum ?? Code.oneOf?.flatMap((each) => each.enum) ?? [];
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !(`problem.${code}` in en))).toEqual([]);
});

test('every note of the observer has its sentence in Chinese', () => {
  const rust = sources(join(root, '../tools/src/mvcc'), /\.rs$/).join('\n');
  const codes = new Set([...rust.matchAll(/(?:\b(?:or_)?note\(|Some\(\()\s*"([a-z]+(?:-[a-z]+)+)"/g)].map((match) => match[1]!));
  expect(codes.size).toBeGreaterThan(20);
  expect([...codes].filter((code) => !(code in notesZh))).toEqual([]);
  expect(textsOf('zh').note('table-dropped: the table a is gone')).toBe('该表已被删除');
  expect(textsOf('en').note('table-dropped: the table a is gone')).toBe('the table a is gone');
});

test('whatever a proof can have tried has its words', () => {
  const rust = readFileSync(join(root, '../tools/src/advisor/proof/mod.rs'), 'utf8');
  const tried = [...rust.slice(rust.indexOf('fn safe(')).matchAll(/\("(the [a-z ]+)"/g)].map((match) => `tried.${match[1]}`);
  expect(tried.length).toBeGreaterThan(2);
  expect(Object.keys(en).filter((key) => key.startsWith('tried.')).toSorted()).toEqual(tried.toSorted());
});

test('every text is used, and every key that is asked for exists', () => {
  const code = sources(join(root, 'src')).join('\n');
  const asked = [...code.matchAll(/\bt\('([\w.-]+)'/g)].map((match) => match[1]!);
  expect(asked.length).toBeGreaterThan(100);
  expect(asked.filter((key) => !(key in en))).toEqual([]);
  const families = new Set([...code.matchAll(/code\('(\w+)'/g), ...code.matchAll(/t\(`([\w.]+)\.\$\{/g)].map((match) => match[1]!));
  const unused = Object.keys(en).filter((key) => !code.includes(`'${key}'`) && ![...families].some((family) => key.startsWith(`${family}.`)));
  expect(unused).toEqual([]);
});

test('a placeholder without a value stays as it is, and a code without a text is the code', () => {
  expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}');
  const texts = textsOf('en');
  expect(texts.code('state', 'made up')).toBe('made up');
  expect(texts.reason('made-up')).toBe('made-up');
  expect(texts.reason('replaced', { xmax: 7 })).toContain('7');
});
