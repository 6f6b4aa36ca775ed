// What every view may need: the colours, the live connection, what the server said of itself.
import { createContext, useContext, useSyncExternalStore } from 'react';

import type { Live } from '../api/live.ts';
import type { ServerStatus, Status } from '../api/rest.ts';
import { LIGHT, type Theme } from '../theme.ts';

export const ThemeContext = createContext<Theme>(LIGHT);
export const useTheme = (): Theme => useContext(ThemeContext);

export interface World {
  live: Live;
  /** Undefined until the server has answered; forever in a shared file. */
  status: Status | undefined;
  server: ServerStatus | undefined;
}

export const WorldContext = createContext<World | undefined>(undefined);

export function useWorld(): World {
  const world = useContext(WorldContext);
  if (!world) throw new Error('there is no world around this view');
  return world;
}

/** The live connection, drawn again when something came; at most once a frame. */
export function useLive(): Live {
  const { live } = useWorld();
  useSyncExternalStore(
    (listener) => {
      let frame = 0;
      const later = () => {
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          listener();
        });
      };
      const leave = live.subscribe(later);
      return () => {
        cancelAnimationFrame(frame);
        leave();
      };
    },
    () => live.version,
  );
  return live;
}
