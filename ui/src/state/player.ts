// Where in a log one is: in the address, so that a moment can be linked to; playing is not, it is something one does.
import { useCallback, useState } from 'react';

import type { Log } from './log.ts';
import { patchParams, type Route } from './route.ts';

export interface Position {
  seq: number;
  /** No moment is asked for: the newest is shown as it comes. */
  following: boolean;
  playing: boolean;
  speed: number;
  compared: number | undefined;
  seek: (seq: number) => void;
  follow: () => void;
  play: (playing: boolean) => void;
  setSpeed: (speed: number) => void;
}

export function usePosition(log: Log, route: Route): Position {
  const asked = route.params.get('seq');
  const following = asked === null;
  const seq = following ? log.last : Math.min(Math.max(Number(asked) || 0, log.first), log.last);
  const speed = Number(route.params.get('speed')) || 1;
  const [playing, setPlaying] = useState(false);
  const compared = route.params.get('with');
  const seek = useCallback(
    (to: number) => {
      patchParams({ seq: String(Math.min(Math.max(to, log.first), log.last)) });
    },
    [log],
  );
  const follow = useCallback(() => {
    setPlaying(false);
    patchParams({ seq: undefined });
  }, []);
  const play = useCallback(
    (wanted: boolean) => {
      // At the end there is nothing to play: begin anew.
      if (wanted && seq >= log.last) patchParams({ seq: String(log.first) });
      setPlaying(wanted);
    },
    [log, seq],
  );
  const setSpeed = useCallback((value: number) => patchParams({ speed: value === 1 ? undefined : String(value) }), []);
  return { seq, following, playing, speed, compared: compared === null ? undefined : Number(compared), seek, follow, play, setSpeed };
}
