// The pages in their frame, with what all of them need around them.
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';

import { api } from './api/client.ts';
import { Live } from './api/live.ts';
import type { ServerStatus, Status } from './api/rest.ts';
import { TextsContext } from './i18n/index.ts';
import { AdvisorPage } from './pages/Advisor.tsx';
import { CasesPage } from './pages/Cases.tsx';
import { ConsolesPage } from './pages/Consoles.tsx';
import { LivePage } from './pages/Live.tsx';
import { Replay, TimelinePage } from './pages/Timeline.tsx';
import { ThemeContext, WorldContext, type World } from './state/context.ts';
import { useRoute, type Route } from './state/route.ts';
import { useSettings } from './state/settings.ts';
import type { Shared } from './state/shared.ts';
import { Shell } from './views/Shell.tsx';

/** How often the server is asked how it is; the live connection says what is urgent. */
const STATUS_EVERY_MS = 10_000;

function useStatus(isShared: boolean): Status | undefined {
  const [status, setStatus] = useState<Status>();
  useEffect(() => {
    if (isShared) return;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      await api.status().then(setStatus, () => setStatus((old) => old && { ...old, server: { ...old.server, is_up: false } }));
      timer = setTimeout(() => void ask(), STATUS_EVERY_MS);
    };
    void ask();
    return () => clearTimeout(timer);
  }, [isShared]);
  return status;
}

/** The server as the live log last told it: sooner than the next time it is asked for. */
function useConnection(live: Live): string {
  return useSyncExternalStore(live.subscribe, () => live.connection);
}

export function App({ shared }: { shared: Shared | undefined }) {
  const settings = useSettings();
  const route = useRoute();
  const live = useMemo(() => new Live(), []);
  const status = useStatus(shared !== undefined);
  const connection = useConnection(live);
  const world: World = useMemo(() => ({ live, status, server: status?.server }), [live, status]);
  return (
    <ThemeContext value={settings.theme}>
      <TextsContext value={settings.texts}>
        <WorldContext value={world}>
          <Shell route={route} settings={settings} server={shared ? sharedServer(shared) : status?.server} hasBook={status?.has_book ?? false} isShared={shared !== undefined} connection={connection}>
            {shared ? <Replay log={shared.log} version={0} route={route} name={shared.name} /> : <Page route={route} />}
          </Shell>
        </WorldContext>
      </TextsContext>
    </ThemeContext>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case 'live':
      return <LivePage route={route} />;
    case 'timeline':
      return <TimelinePage route={route} />;
    case 'consoles':
      return <ConsolesPage route={route} />;
    case 'cases':
      return <CasesPage route={route} />;
    case 'advisor':
      return <AdvisorPage route={route} />;
  }
}

/** What a shared recording says of the server that it was made of. */
function sharedServer(shared: Shared): ServerStatus | undefined {
  const item = shared.log.at(shared.log.last).items.get('server');
  if (item?.kind !== 'server') return undefined;
  return { address: shared.name, database: '', version: item.version, is_private: false, is_writable: false, is_up: true, tiers: item.tiers, notes: [] };
}
