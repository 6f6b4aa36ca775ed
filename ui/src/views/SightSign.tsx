// Whether a version is seen, as a sign: the same shapes as in the chain.
import type { Sight } from '../charts/chain.tsx';
import { useTexts } from '../i18n/index.ts';

const SIGNS: Record<Sight, string> = { visible: '✓', hidden: '⊘', unknown: '?', unjudged: '·' };

export function SightSign({ sight }: { sight: Sight }) {
  const { code } = useTexts();
  return (
    <span className={`sign ${sight}`} role="img" aria-label={code('sight', sight)}>
      {SIGNS[sight]}
    </span>
  );
}
