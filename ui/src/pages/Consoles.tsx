// SQL consoles side by side on real sessions, so that a person interleaves by hand and watches what happens.
import { useCallback, useEffect, useRef, useState, type KeyboardEvent } from 'react';

import { api, problemOf } from '../api/client.ts';
import type { Answer, Console, ProblemBody, Scenario, Statement, Watch } from '../api/rest.ts';
import { Graph, waitGraph } from '../charts/graph.tsx';
import { Lanes } from '../charts/lanes.tsx';
import { useTexts } from '../i18n/index.ts';
import { useLive, useTheme, useWorld } from '../state/context.ts';
import { CHANGES_DRAWN, lanesOf } from '../state/lanes.ts';
import { sorted, type Sorted } from '../state/moment.ts';
import { patchParams, type Route } from '../state/route.ts';
import { viewerName } from '../views/Inspector.tsx';
import { Empty, Panel, ProblemNote, Wide } from '../views/parts.tsx';

/** Consoles that a fresh page opens. */
const FIRST_CONSOLES = 2;
const NAMES = 'ABCDEFGHIJKLMNOP';
/** Statements that a console remembers. */
const HISTORY = 100;
/** How long one request waits for a statement that waits for a lock; then it asks again. */
const WAIT_MS = 20_000;

interface Entry {
  statement: Statement;
}

export function ConsolesPage({ route }: { route: Route }) {
  const { t } = useTexts();
  const live = useLive();
  const { server } = useWorld();
  const [consoles, setConsoles] = useState<Console[]>();
  const [problem, setProblem] = useState<ProblemBody>();
  const opening = useRef(false);
  const table = route.params.get('table') ?? '';
  useEffect(() => {
    const watch: Watch = { viewers: 'all' };
    if (table !== '') watch.table = table;
    live.watch(watch);
  }, [live, table]);

  const fail = useCallback((error: unknown) => setProblem(problemOf(error)), []);
  const add = useCallback(async (there: Console[], count: number) => {
    const names = [...NAMES].filter((name) => !there.some((each) => each.name === name)).slice(0, count);
    const all = [...there];
    for (const name of names) {
      all.push(await api.openConsole(name));
      setConsoles([...all]);
    }
  }, []);
  useEffect(() => {
    if (!server || opening.current) return;
    opening.current = true;
    void api
      .consoles()
      .then((there) => {
        setConsoles(there);
        return there.length === 0 && server.is_writable ? add([], FIRST_CONSOLES) : undefined;
      })
      .catch(fail);
  }, [server, add, fail]);
  const close = (id: string) =>
    void api.closeConsole(id).then(() => setConsoles((old) => old?.filter((each) => each.id !== id)), fail);

  const moment = sorted(live.log.at(live.log.last));
  return (
    <div className="page consoles-page">
      <div className="picker">
        <h1>{t('nav.consoles')}</h1>
        <button type="button" disabled={!consoles} onClick={() => void add(consoles ?? [], 1).catch(fail)}>
          {t('consoles.add')}
        </button>
        <SaveScenario onProblem={fail} />
        <label>
          {t('consoles.watch')}
          <TablePick table={table} />
        </label>
      </div>
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
      {server && !server.is_writable && <p className="server-note">{t('consoles.readOnly')}</p>}
      <div className="consoles">
        {(consoles ?? []).map((console) => (
          <ConsoleView key={console.id} console={console} moment={moment} live={live.statements.get(console.id) ?? live.statements.get(console.name)} onClose={() => close(console.id)} onProblem={fail} />
        ))}
        {consoles?.length === 0 && <Empty>{t('consoles.none')}</Empty>}
      </div>
      <Below moment={moment} />
    </div>
  );
}

function TablePick({ table }: { table: string }) {
  const { t } = useTexts();
  const [names, setNames] = useState<string[]>([]);
  const load = () => void api.tables().then((all) => setNames(all.tables.map((each) => `${each.schema}.${each.name}`)), () => setNames([]));
  return (
    <select value={table} onFocus={load} onPointerDown={load} onChange={(event) => patchParams({ table: event.target.value })}>
      <option value="">{t('live.noTable')}</option>
      {table !== '' && !names.includes(table) && <option value={table}>{table}</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** The sessions and their waits, under the consoles. */
function Below({ moment }: { moment: Sorted }) {
  const texts = useTexts();
  const theme = useTheme();
  const live = useLive();
  const { t } = texts;
  const { log } = live;
  const from = Math.max(log.first, log.last - CHANGES_DRAWN / 2);
  const lanes = lanesOf(log, from, log.last);
  const graph = waitGraph({ waits: moment.wait, sessions: moment.session, threshold_us: 0, now_us: moment.unix_us }, texts, theme);
  return (
    <div className="below">
      <Panel title={t('panel.sessions')} name="lanes">
        {lanes.lanes.length === 0 ? <Empty>{t('lanes.none')}</Empty> : <Wide>{(width) => <Lanes data={lanes} axis="order" now={lanes.to} width={width} theme={theme} texts={texts} />}</Wide>}
      </Panel>
      <Panel title={t('panel.waits')} name="waits" className={graph.cycle > 0 ? 'alarm' : ''} note={graph.cycle > 0 ? <strong className="danger">{t('waits.cycle', { count: graph.cycle })}</strong> : undefined}>
        {graph.nodes.length === 0 ? <Empty>{t('waits.none')}</Empty> : <Wide>{(width) => <Graph name="waits" label={t('waits.label', { count: graph.nodes.length })} nodes={graph.nodes} edges={graph.edges} width={width} theme={theme} texts={texts} />}</Wide>}
      </Panel>
    </div>
  );
}

function SaveScenario({ onProblem }: { onProblem: (error: unknown) => void }) {
  const { t } = useTexts();
  const [scenario, setScenario] = useState<Scenario>();
  const dialog = useRef<HTMLDialogElement>(null);
  const show = () =>
    void api.scenario().then((answer) => {
      setScenario(answer);
      dialog.current?.showModal();
    }, onProblem);
  const download = () => {
    if (!scenario) return;
    const address = URL.createObjectURL(new Blob([scenario.text], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = address;
    link.download = scenario.file;
    link.click();
    URL.revokeObjectURL(address);
  };
  return (
    <>
      <button type="button" onClick={show}>
        {t('consoles.save')}
      </button>
      <dialog ref={dialog} className="sheet" aria-label={t('consoles.save')}>
        <header>
          <h2>{scenario?.file ?? t('consoles.save')}</h2>
          <button type="button" className="quiet" onClick={() => dialog.current?.close()} aria-label={t('close')}>
            ✕
          </button>
        </header>
        <pre className="sql" tabIndex={0}>{scenario?.text}</pre>
        <p className="actions">
          <button type="button" className="primary" onClick={download}>
            {t('consoles.download')}
          </button>
        </p>
      </dialog>
    </>
  );
}

/** The statements of a console: sent, and asked after until they end. */
function useStatements(console: Console, live: Statement | undefined, onProblem: (error: unknown) => void) {
  const [entries, setEntries] = useState<Entry[]>(() => (console.statement ? [{ statement: console.statement }] : []));
  const put = useCallback((statement: Statement) => {
    setEntries((old) => {
      const rest = old.filter((each) => each.statement.number !== statement.number);
      const known = old.find((each) => each.statement.number === statement.number);
      // What says that it ended is not undone by what was said before.
      const newest = known && known.statement.state !== 'running' ? known.statement : statement;
      return [...rest, { statement: newest }].toSorted((a, b) => a.statement.number - b.statement.number).slice(-HISTORY);
    });
  }, []);
  const isMine = live !== undefined && (live.console === console.id || live.console === console.name);
  useEffect(() => {
    if (isMine && live) put(live);
  }, [isMine, live, put]);
  const follow = useCallback(
    async (statement: Statement) => {
      let current = statement;
      put(current);
      while (current.state === 'running') {
        current = await api.statement(console.id, current.number, WAIT_MS);
        put(current);
      }
    },
    [console.id, put],
  );
  const run = useCallback((sql: string) => void api.runStatement(console.id, sql).then(follow).catch(onProblem), [console.id, follow, onProblem]);
  const unfinished = console.statement?.state === 'running' ? console.statement : undefined;
  useEffect(() => {
    if (unfinished) void follow(unfinished).catch(onProblem);
  }, [unfinished, follow, onProblem]);
  return { entries, run };
}

interface ConsoleProps {
  console: Console;
  moment: Sorted;
  live: Statement | undefined;
  onClose: () => void;
  onProblem: (error: unknown) => void;
}

function ConsoleView({ console, moment, live, onClose, onProblem }: ConsoleProps) {
  const texts = useTexts();
  const { t, code } = texts;
  const [sql, setSql] = useState('');
  const [recalled, setRecalled] = useState(0);
  const { entries, run } = useStatements(console, live, onProblem);
  const end = useRef<HTMLDivElement>(null);
  const last = entries.at(-1)?.statement;
  const isRunning = last?.state === 'running';
  useEffect(() => {
    end.current?.scrollTo({ top: end.current.scrollHeight });
  }, [entries]);
  const session = moment.session.find((each) => each.pid === console.pid);
  const wait = moment.wait.find((each) => each.pid === console.pid && each.until_us === undefined);
  const send = () => {
    if (sql.trim() === '' || isRunning) return;
    run(sql);
    setSql('');
    setRecalled(0);
  };
  const recall = (step: number) => {
    const sent = entries.map((each) => each.statement.sql);
    const next = Math.min(Math.max(recalled + step, 0), sent.length);
    setRecalled(next);
    setSql(next === 0 ? '' : (sent.at(-next) ?? ''));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const isOneLine = !sql.includes('\n');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || (isOneLine && /;\s*$/.test(sql)))) send();
    else if (event.key === 'ArrowUp' && isOneLine) recall(1);
    else if (event.key === 'ArrowDown' && isOneLine && recalled > 0) recall(-1);
    else return;
    event.preventDefault();
  };
  const state = console.is_lost ? 'lost' : wait ? 'waiting' : isRunning ? 'active' : (session?.state ?? 'idle');
  return (
    <section className={`console ${wait ? 'waiting' : ''}`} aria-label={t('consoles.name', { name: console.name })} data-console={console.name}>
      <header>
        <h2>{console.name}</h2>
        <span className="muted">pid {console.pid}</span>
        <span className={`state ${state.replaceAll(' ', '-')}`}>{code('state', state)}</span>
        {session?.xid !== undefined && <code>xid {session.xid}</code>}
        <span className="spacer" />
        {isRunning && (
          <button type="button" onClick={() => void api.cancelStatement(console.id).catch(onProblem)}>
            {t('consoles.cancel')}
          </button>
        )}
        <button type="button" className="quiet" onClick={onClose} aria-label={t('consoles.close', { name: console.name })}>
          ✕
        </button>
      </header>
      {wait && (
        <p className={wait.is_in_cycle ? 'waits-for danger' : 'waits-for'} role="status">
          {t('consoles.waitsFor', { object: wait.object, who: wait.blockers.map((each) => viewerName(`pid:${each.pid}`, moment, texts)).join(', ') })}
        </p>
      )}
      <div className="log" ref={end} tabIndex={0} role="log" aria-label={t('consoles.log', { name: console.name })}>
        {entries.map(({ statement }) => (
          <StatementView key={statement.number} statement={statement} />
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea value={sql} rows={Math.min(Math.max(sql.split('\n').length, 2), 10)} onChange={(event) => setSql(event.target.value)} onKeyDown={onKeyDown} spellCheck={false} autoCapitalize="off" placeholder={t('consoles.hint')} aria-label={t('consoles.sql', { name: console.name })} />
        <button type="submit" className="primary" disabled={sql.trim() === '' || isRunning || console.is_lost}>
          {t('consoles.run')}
        </button>
      </form>
    </section>
  );
}

function StatementView({ statement }: { statement: Statement }) {
  const texts = useTexts();
  const { t } = texts;
  const took = statement.ended_us === undefined || statement.ended_us === null ? undefined : (statement.ended_us - statement.began_us) / 1000;
  return (
    <article className={`statement ${statement.state}`}>
      <pre className="sql">{statement.sql}</pre>
      {statement.answers.map((answer, index) => (
        <AnswerView key={index} answer={answer} />
      ))}
      {statement.error && (
        <p className="error" lang="en">
          <code>{statement.error.sqlstate}</code> {statement.error.severity}: {statement.error.message}
          {statement.error.detail && <small>{statement.error.detail}</small>}
          {statement.error.hint && <small>{statement.error.hint}</small>}
        </p>
      )}
      <p className="took">{statement.state === 'running' ? t('consoles.running') : took === undefined ? '' : `${texts.number(took, took < 10 ? 1 : 0)} ms`}</p>
    </article>
  );
}

function AnswerView({ answer }: { answer: Answer }) {
  const { t } = useTexts();
  return (
    <>
      {answer.columns.length > 0 && (
        <div className="scroll">
          <table className="rows">
            <thead>
              <tr>
                {answer.columns.map((column, index) => (
                  <th key={index} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {answer.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((value, column) => (
                    <td key={column}>{value === null ? <em className="null">null</em> : value}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p className="tag">
        {answer.tag}
        {answer.is_cut && ` · ${t('consoles.cut')}`}
      </p>
    </>
  );
}
