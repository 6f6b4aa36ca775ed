// What is picked, in full: every field in words, how it is known, who sees it and why.
import type { ReactNode } from 'react';

import type { PutItem, PutOf } from '../api/timeline.ts';
import { reasonOf, sightOf, valueText } from '../charts/chain.tsx';
import { useTexts, type Texts } from '../i18n/index.ts';
import type { Log } from '../state/log.ts';
import type { Sorted } from '../state/moment.ts';
import { clock, Empty, OriginTag } from './parts.tsx';
import { SightSign } from './SightSign.tsx';

interface InspectorProps {
  moment: Sorted;
  log: Log;
  picked: string | undefined;
  viewer: string | undefined;
  onPick: (key: string | undefined) => void;
}

export function Inspector({ moment, log, picked, viewer, onPick }: InspectorProps) {
  const texts = useTexts();
  if (picked === undefined) return <Empty>{texts.t('inspector.nothing')}</Empty>;
  if (picked.startsWith('statement/')) return <StatementFacts seq={Number(picked.slice(10))} log={log} />;
  const item = moment.items.get(picked);
  if (!item) return <Empty>{texts.t('inspector.gone', { key: picked })}</Empty>;
  return (
    <div className="inspector">
      <p className="kind">
        <strong>{texts.code('kind', item.kind)}</strong> <OriginTag origin={item.origin} />
      </p>
      <ItemFacts item={item} moment={moment} viewer={viewer} onPick={onPick} />
    </div>
  );
}

type Fact = [string, ReactNode];

function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Go({ to, onPick, moment, children }: { to: string | undefined; onPick: (key: string) => void; moment: Sorted; children: ReactNode }) {
  if (to === undefined || !moment.items.has(to)) return children;
  return (
    <button type="button" className="link" onClick={() => onPick(to)}>
      {children}
    </button>
  );
}

interface FactsProps {
  item: PutItem;
  moment: Sorted;
  viewer: string | undefined;
  onPick: (key: string) => void;
}

function ItemFacts(props: FactsProps) {
  const { item } = props;
  switch (item.kind) {
    case 'version':
      return <VersionFacts {...props} version={item} />;
    case 'session':
      return <SessionFacts {...props} session={item} />;
    case 'wait':
      return <WaitFacts {...props} wait={item} />;
    case 'line':
      return <LineFacts {...props} line={item} />;
    case 'serializable':
      return <SerializableFacts {...props} transaction={item} />;
    default:
      return <RawFacts item={item} />;
  }
}

const mono = (text: ReactNode) => <code>{text}</code>;

function xidFact(xid: number | undefined, state: string | undefined, moment: Sorted, onPick: (key: string) => void, texts: Texts): ReactNode {
  if (xid === undefined) return undefined;
  return (
    <>
      <Go to={`transaction/${xid}`} moment={moment} onPick={onPick}>
        {mono(xid)}
      </Go>
      {state && ` ${texts.code('transaction', state)}`}
    </>
  );
}

function VersionFacts({ version, moment, viewer, onPick }: FactsProps & { version: PutOf<'version'> }) {
  const texts = useTexts();
  const { t, code } = texts;
  const verdicts = moment.verdict.filter((each) => each.version === version.key);
  const mine = verdicts.find((each) => each.viewer === viewer);
  const next = moment.version.find((each) => each.relation === version.relation && version.next && each.block === version.next[0] && each.offset === version.next[1] && each.xmin === version.xmax);
  const parent = version.parent === undefined ? undefined : moment.items.get(version.parent);
  const before = parent?.kind === 'version' ? parent : undefined;
  return (
    <>
      {mine && (
        <p className={`verdict ${sightOf(mine)}`}>
          <SightSign sight={sightOf(mine)} /> {code('sight', sightOf(mine))}
          {texts.language === 'zh' ? '：' : ': '}
          {reasonOf(mine, version, texts)}
        </p>
      )}
      <Facts
        facts={[
          [t('fact.place'), mono(`(${version.block},${version.offset})`)],
          [t('fact.row'), version.row],
          [t('fact.fate'), code('fate', version.fate)],
          [t('fact.xmin'), xidFact(version.xmin, version.is_frozen ? 'frozen' : version.xmin_state, moment, onPick, texts)],
          [t('fact.xmax'), version.xmax_kind === 'none' ? undefined : xidFact(version.xmax, version.xmax_state, moment, onPick, texts)],
          [t('fact.xmaxKind'), code('xmax', version.xmax_kind)],
          [t('fact.command'), commandText(version, texts)],
          [t('fact.parent'), version.parent && <ParentFact version={version} moment={moment} onPick={onPick} />],
          [t('fact.next'), version.next && (next ? <Go to={next.key} moment={moment} onPick={onPick}>{mono(`(${version.next.join(',')})`)}</Go> : mono(`(${version.next.join(',')})`))],
          [t('fact.index'), t(version.is_heap_only ? 'fact.heapOnly' : 'fact.indexed')],
          [t('fact.bytes'), texts.number(version.bytes)],
          [t('fact.made'), version.made && mono(version.made)],
          [t('fact.removed'), version.removed && mono(version.removed)],
        ]}
      />
      <Values version={version} before={before} />
      <Members version={version} moment={moment} onPick={onPick} />
      {verdicts.length > 0 && <Verdicts verdicts={verdicts} version={version} moment={moment} />}
      {version.flags.length > 0 && (
        <p className="flags">
          {version.flags.map((flag) => (
            <code key={flag}>{flag}</code>
          ))}
        </p>
      )}
    </>
  );
}

function commandText(version: PutOf<'version'>, texts: Texts): ReactNode {
  if (!version.command) return undefined;
  return 'id' in version.command ? mono(version.command.id) : texts.t('fact.combo', { index: version.command.combo });
}

function ParentFact({ version, moment, onPick }: { version: PutOf<'version'>; moment: Sorted; onPick: (key: string) => void }) {
  const [, , block, offset] = version.parent!.split('/');
  return (
    <>
      <Go to={version.parent} moment={moment} onPick={onPick}>
        {mono(`(${block},${offset})`)}
      </Go>{' '}
      {version.parent_origin && <OriginTag origin={version.parent_origin} />}
    </>
  );
}

function Values({ version, before }: { version: PutOf<'version'>; before: PutOf<'version'> | undefined }) {
  const { t } = useTexts();
  const values = Object.entries(version.values ?? {});
  if (values.length === 0) return null;
  return (
    <table className="values">
      <caption>{t('inspector.values')}</caption>
      <tbody>
        {values.map(([name, value]) => {
          const old = before?.values?.[name];
          const isChanged = before?.values !== undefined && JSON.stringify(old) !== JSON.stringify(value);
          return (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                {isChanged && (
                  <>
                    <del>{valueText(old)}</del> →{' '}
                  </>
                )}
                <code className={isChanged ? 'changed' : ''}>{valueText(value)}</code>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Members({ version, moment, onPick }: { version: PutOf<'version'>; moment: Sorted; onPick: (key: string) => void }) {
  const texts = useTexts();
  const members = version.members ?? [];
  if (members.length === 0) return null;
  return (
    <table className="values">
      <caption>{texts.t('inspector.members')}</caption>
      <tbody>
        {members.map((member) => (
          <tr key={`${member.xid}/${member.mode}`}>
            <th scope="row">{xidFact(member.xid, undefined, moment, onPick, texts)}</th>
            <td>
              {texts.code('lockMode', member.mode)} · {texts.code('transaction', member.state)}
              {member.is_change && ` · ${texts.t('inspector.changes')}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The name of a viewer: its session's where it has one. */
export function viewerName(id: string, moment: Sorted, texts: Texts): string {
  if (id === 'new') return texts.t('viewer.new');
  if (id.startsWith('lsn:')) return texts.t('viewer.lsn', { lsn: id.slice(4) });
  const pid = Number(id.replace(/^pid:/, ''));
  const session = moment.session.find((each) => each.pid === pid);
  return session?.name ? `${session.name} (${pid})` : `${pid}`;
}

function Verdicts({ verdicts, version, moment }: { verdicts: PutOf<'verdict'>[]; version: PutOf<'version'>; moment: Sorted }) {
  const texts = useTexts();
  return (
    <table className="values verdicts">
      <caption>{texts.t('inspector.whoSees')}</caption>
      <tbody>
        {verdicts.map((verdict) => (
          <tr key={verdict.viewer}>
            <th scope="row">{viewerName(verdict.viewer, moment, texts)}</th>
            <td>
              <SightSign sight={sightOf(verdict)} /> {reasonOf(verdict, version, texts)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A snapshot in words: what had ended, what had not, what ran. */
export function SnapshotText({ snapshot }: { snapshot: string }) {
  const { t } = useTexts();
  const [xmin = '', xmax = '', list = ''] = snapshot.split(':');
  return (
    <span className="snapshot">
      {mono(snapshot)}
      <small>{t(list === '' ? 'snapshot.plain' : 'snapshot.running', { xmin, xmax, list: list.replaceAll(',', ', ') })}</small>
    </span>
  );
}

function SessionFacts({ session, moment, onPick }: FactsProps & { session: PutOf<'session'> }) {
  const texts = useTexts();
  const { t, code } = texts;
  const wait = moment.wait.find((each) => each.pid === session.pid && each.until_us === undefined);
  return (
    <>
      <Facts
        facts={[
          [t('fact.name'), session.name],
          [t('fact.pid'), mono(session.pid)],
          [t('fact.user'), `${session.user}@${session.database}`],
          [t('fact.state'), code('state', session.state)],
          [t('fact.isolation'), session.isolation && code('isolation', session.isolation)],
          [t('fact.xid'), xidFact(session.xid, undefined, moment, onPick, texts)],
          [t('fact.backendXmin'), session.backend_xmin && mono(session.backend_xmin)],
          [t('fact.since'), session.transaction_since_us && clock(session.transaction_since_us)],
          [t('fact.waitsFor'), wait ? <Go to={wait.key} moment={moment} onPick={onPick}>{wait.object}</Go> : session.waits_for && code('waitEvent', session.waits_for)],
          [t('fact.snapshot'), session.snapshot && <SnapshotText snapshot={session.snapshot.snapshot} />],
          [t('fact.snapshotCommand'), session.snapshot && mono(session.snapshot.command)],
          [t('fact.suboverflowed'), session.snapshot?.is_suboverflowed ? t('yes') : undefined],
        ]}
      />
      {session.query !== '' && <pre className="sql">{session.query}</pre>}
    </>
  );
}

function WaitFacts({ wait, moment, onPick }: FactsProps & { wait: PutOf<'wait'> }) {
  const texts = useTexts();
  const { t } = texts;
  return (
    <>
      {wait.is_in_cycle && <p className="verdict danger">{t('waits.cycleLong')}</p>}
      <Facts
        facts={[
          [t('fact.who'), <Go key="who" to={`session/${wait.pid}`} moment={moment} onPick={onPick}>{viewerName(`pid:${wait.pid}`, moment, texts)}</Go>],
          [t('fact.object'), wait.object],
          [t('fact.lockType'), mono(wait.lock_type)],
          [t('fact.lockMode'), mono(wait.mode)],
          [t('fact.since'), clock(wait.since_us)],
          [t('fact.until'), wait.until_us && clock(wait.until_us)],
          [
            t('fact.blockers'),
            wait.blockers.map((blocker) => (
              <div key={blocker.pid}>
                <Go to={`session/${blocker.pid}`} moment={moment} onPick={onPick}>
                  {blocker.pid === 0 ? t('waits.prepared') : viewerName(`pid:${blocker.pid}`, moment, texts)}
                </Go>{' '}
                {t(blocker.holds ? 'waits.holds' : 'waits.queued')}
              </div>
            )),
          ],
        ]}
      />
    </>
  );
}

function LineFacts({ line, moment, onPick }: FactsProps & { line: PutOf<'line'> }) {
  const { t, code, number } = useTexts();
  const target = line.to === undefined ? undefined : `line/${line.relation}/${line.block}/${line.to}`;
  return (
    <Facts
      facts={[
        [t('fact.line'), mono(`(${line.block},${line.offset})`)],
        [t('fact.state'), code('line', line.state)],
        [t('fact.offset'), number(line.at)],
        [t('fact.bytes'), number(line.bytes)],
        [t('fact.leadsTo'), target && <Go to={target} moment={moment} onPick={onPick}>{mono(line.to)}</Go>],
        [t('fact.root'), line.root && mono(line.root)],
        [t('fact.version'), line.version && <Go to={line.version} moment={moment} onPick={onPick}>{mono(line.version.split('/').slice(2).join('/'))}</Go>],
      ]}
    />
  );
}

function SerializableFacts({ transaction, moment, onPick }: FactsProps & { transaction: PutOf<'serializable'> }) {
  const texts = useTexts();
  const { t } = texts;
  const conflicts = (end: 'reader' | 'writer') => moment.conflict.filter((each) => each[end] === transaction.id).map((each) => each[end === 'reader' ? 'writer' : 'reader']);
  return (
    <>
      {transaction.is_doomed && <p className="verdict danger">{t('ssi.doomedLong')}</p>}
      {!transaction.is_doomed && transaction.is_pivot && <p className="verdict unknown">{t('ssi.pivotLong')}</p>}
      <Facts
        facts={[
          [t('fact.virtualXid'), mono(transaction.id)],
          [t('fact.who'), <Go key="who" to={`session/${transaction.pid}`} moment={moment} onPick={onPick}>{viewerName(`pid:${transaction.pid}`, moment, texts)}</Go>],
          [t('fact.xid'), xidFact(transaction.xid, undefined, moment, onPick, texts)],
          [t('fact.state'), texts.code('transaction', transaction.state)],
          [t('ssi.didNotSee'), conflicts('reader').join(', ')],
          [t('ssi.notSeenBy'), conflicts('writer').join(', ')],
        ]}
      />
    </>
  );
}

function RawFacts({ item }: { item: PutItem }) {
  const { key: _, kind: __, origin: ___, ...fields } = item;
  return <Facts facts={Object.entries(fields).map(([name, value]): Fact => [name, mono(typeof value === 'string' ? value : JSON.stringify(value))])} />;
}

function StatementFacts({ seq, log }: { seq: number; log: Log }) {
  const { t, code } = useTexts();
  const change = log.change(seq);
  const sampled = change?.put?.find((item) => item.kind === 'session' && item.state === 'active');
  const statement = change?.cause === 'statement' ? { pid: change.pid, who: change.console, sql: change.sql } : sampled?.kind === 'session' ? { pid: sampled.pid, who: sampled.name, sql: sampled.query } : undefined;
  if (!change || !statement) return <Empty>{t('inspector.gone', { key: String(seq) })}</Empty>;
  let answer;
  for (let next = seq + 1; next <= log.last && answer === undefined; next++) {
    const each = log.change(next);
    if (each?.cause === 'answer' && each.pid === statement.pid) answer = each;
    if (each?.cause === 'statement' && each.pid === statement.pid) break;
  }
  return (
    <div className="inspector">
      <p className="kind">
        <strong>{code('kind', 'statement')}</strong> <OriginTag origin={change.cause === 'statement' ? 'exact' : 'sampled'} />
      </p>
      <pre className="sql">{statement.sql}</pre>
      <Facts
        facts={[
          [t('fact.who'), statement.who],
          [t('fact.sent'), clock(change.unix_us)],
          [t('fact.ended'), answer && clock(answer.unix_us)],
          [t('fact.answer'), answer?.cause === 'answer' ? `${answer.sqlstate ?? ''} ${answer.text}`.trim() : undefined],
        ]}
      />
    </div>
  );
}

