// Signs of buttons, drawn: the letters for them are in few fonts.

const PATHS = {
  first: 'M3 3v10M13 3l-8 5 8 5z',
  back: 'M11 3l-7 5 7 5z',
  play: 'M4.5 2.5l9 5.5-9 5.5z',
  pause: 'M4 3h3v10H4zM9.5 3h3v10h-3z',
  forward: 'M5 3l7 5-7 5z',
  last: 'M13 3v10M3 3l8 5-8 5z',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg width={14} height={14} viewBox="0 0 16 16" aria-hidden="true" fill="currentColor" stroke="currentColor" strokeWidth={1.4} strokeLinejoin="round">
      <path d={PATHS[name]} />
    </svg>
  );
}
