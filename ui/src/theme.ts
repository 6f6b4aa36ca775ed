// Colours, once: the style sheet's custom properties and the charts' attributes are both made of these, and a test
// holds every pair of text and ground against WCAG AA.

export interface Theme {
  name: 'light' | 'dark';
  /** The ground of the page. */
  ground: string;
  /** The ground of panels. */
  surface: string;
  /** The ground of what stands on panels: headers of tables, lanes, inputs. */
  raised: string;
  ink: string;
  muted: string;
  /** Borders that only separate. */
  line: string;
  /** Borders that say where a control is: at least 3:1. */
  edge: string;
  accent: string;
  /** Text on `accent`. */
  onAccent: string;
  focus: string;
  visible: string;
  visibleSoft: string;
  hidden: string;
  hiddenSoft: string;
  unknown: string;
  unknownSoft: string;
  danger: string;
  dangerSoft: string;
  wait: string;
  waitSoft: string;
  frozen: string;
  frozenSoft: string;
  /** One for each of eight transactions in a row, readable as text. */
  series: readonly string[];
}

export const LIGHT: Theme = {
  name: 'light',
  ground: '#f6f6f3',
  surface: '#ffffff',
  raised: '#f1f1ed',
  ink: '#1b1e22',
  muted: '#575d64',
  line: '#dedfd9',
  edge: '#7d838a',
  accent: '#0b6660',
  onAccent: '#ffffff',
  focus: '#1457c8',
  visible: '#0a6847',
  visibleSoft: '#dcf1e6',
  hidden: '#5d636a',
  hiddenSoft: '#ebebe7',
  unknown: '#7d5200',
  unknownSoft: '#fbf0d2',
  danger: '#ad2018',
  dangerSoft: '#fce4e1',
  wait: '#9a4600',
  waitSoft: '#fde8d4',
  frozen: '#2355a4',
  frozenSoft: '#e1eafb',
  series: ['#0b6660', '#6a3bbd', '#9a4600', '#1d5bb8', '#a0165a', '#4a6600', '#764526', '#00627a'],
};

export const DARK: Theme = {
  name: 'dark',
  ground: '#0f1113',
  surface: '#171a1d',
  raised: '#20242a',
  ink: '#e9eaec',
  muted: '#a7aeb6',
  line: '#2c3137',
  edge: '#737b85',
  accent: '#5cc9ba',
  onAccent: '#0c1514',
  focus: '#8ab6ff',
  visible: '#6fd3a4',
  visibleSoft: '#15332a',
  hidden: '#a7aeb6',
  hiddenSoft: '#23272c',
  unknown: '#e6bd62',
  unknownSoft: '#352b14',
  danger: '#ff948a',
  dangerSoft: '#401d1b',
  wait: '#f4a766',
  waitSoft: '#3a2716',
  frozen: '#93b8f5',
  frozenSoft: '#1c2a42',
  series: ['#5cc9ba', '#b99cf5', '#f4a766', '#86b3f7', '#f091bf', '#b4cf65', '#d6a988', '#6ac7e0'],
};

export const SANS =
  'ui-sans-serif, system-ui, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
export const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono", monospace';

/** The colour of a transaction: the same everywhere and always, different from its neighbours'. */
export function colourOf(xid: number, theme: Theme): string {
  return theme.series[xid % theme.series.length]!;
}

/** Custom properties for the style sheet. Set through the object model, which a content security policy lets pass. */
export function applyTheme(theme: Theme, root: HTMLElement): void {
  root.dataset['theme'] = theme.name;
  root.style.colorScheme = theme.name;
  for (const [name, value] of Object.entries(theme)) {
    if (typeof value === 'string' && name !== 'name') {
      root.style.setProperty(`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, value);
    }
  }
  root.style.setProperty('--sans', SANS);
  root.style.setProperty('--mono', MONO);
}

function luminance(colour: string): number {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

/** The ratio of contrast of two colours as `#rrggbb` (WCAG 2.2, 1.4.3). */
export function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}
