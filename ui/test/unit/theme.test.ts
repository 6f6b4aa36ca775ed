// Every pair of text and ground that the page uses can be read (WCAG 2.2 AA).
import { describe, expect, test } from 'vitest';

import { colourOf, contrast, DARK, LIGHT, type Theme } from '../../src/theme.ts';

/** What is written on what. */
const PAIRS: [keyof Theme, keyof Theme][] = [
  ...(['ground', 'surface', 'raised'] as const).flatMap((ground): [keyof Theme, keyof Theme][] => [
    ['ink', ground],
    ['muted', ground],
    ['accent', ground],
    ['danger', ground],
  ]),
  ['onAccent', 'accent'],
  ['surface', 'ink'],
  ['visible', 'surface'],
  ['visible', 'visibleSoft'],
  ['hidden', 'hiddenSoft'],
  ['unknown', 'unknownSoft'],
  ['danger', 'dangerSoft'],
  ['wait', 'surface'],
  ['wait', 'waitSoft'],
  ['frozen', 'surface'],
  ['frozen', 'frozenSoft'],
  ['ink', 'visibleSoft'],
  ['ink', 'unknownSoft'],
  ['ink', 'dangerSoft'],
  ['muted', 'visibleSoft'],
  ['muted', 'unknownSoft'],
  ['surface', 'danger'],
];

describe.each([LIGHT, DARK])('$name', (theme) => {
  test.each(PAIRS)('%s on %s', (text, ground) => {
    expect(contrast(theme[text] as string, theme[ground] as string)).toBeGreaterThanOrEqual(4.5);
  });

  test('every transaction can be read on every ground of a version', () => {
    for (const colour of theme.series) {
      for (const ground of [theme.surface, theme.visibleSoft, theme.hiddenSoft, theme.unknownSoft]) expect([colour, ground, contrast(colour, ground) >= 4.5]).toEqual([colour, ground, true]);
    }
  });

  test('edges of controls stand out from their grounds', () => {
    for (const ground of [theme.surface, theme.ground, theme.raised]) expect(contrast(theme.edge, ground)).toBeGreaterThanOrEqual(3);
    expect(contrast(theme.focus, theme.surface)).toBeGreaterThanOrEqual(3);
  });

  test('neighbouring transactions have different colours', () => {
    for (let xid = 700; xid < 720; xid++) expect(colourOf(xid, theme)).not.toBe(colourOf(xid + 1, theme));
  });
});
