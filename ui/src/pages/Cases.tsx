// The cases: what they are, runs with live charts, records, and records compared.
import { useEffect, useState, type ReactNode } from 'react';

import { api, problemOf } from '../api/client.ts';
import type { ProblemBody, RecordEntry, Run, StudyCard, Words } from '../api/rest.ts';
import { useTexts } from '../i18n/index.ts';
import { useLive } from '../state/context.ts';
import { go, hashOf, type Route } from '../state/route.ts';
import { Empty, Panel, ProblemNote } from '../views/parts.tsx';
import { ComparisonView } from './cases/Comparison.tsx';
import { RecordView } from './cases/Record.tsx';
import { RunView } from './cases/Run.tsx';
import { StudyView } from './cases/Study.tsx';

/** What a request came to. */
export function useAnswer<Value>(ask: () => Promise<Value>, key: string): { value?: Value; problem?: ProblemBody } {
  const [state, setState] = useState<{ key: string; value?: Value; problem?: ProblemBody }>({ key: '' });
  useEffect(() => {
    let isGone = false;
    ask().then(
      (value) => !isGone && setState({ key, value }),
      (error: unknown) => !isGone && setState({ key, problem: problemOf(error) }),
    );
    return () => {
      isGone = true;
    };
    // oxlint-disable-next-line react/exhaustive-deps -- the key stands for the question
  }, [key]);
  return state.key === key ? state : {};
}

export function Answered<Value>({ answer, children }: { answer: { value?: Value; problem?: ProblemBody }; children: (value: Value) => ReactNode }) {
  const { t } = useTexts();
  if (answer.problem) return <ProblemNote problem={answer.problem} />;
  if (answer.value === undefined) return <Empty>{t('loading')}</Empty>;
  return children(answer.value);
}

export function CasesPage({ route }: { route: Route }) {
  const [kind, id, other] = route.rest;
  const { t } = useTexts();
  const live = useLive();
  useEffect(() => live.join(), [live]);
  const view = () => {
    if (kind === 'run' && id !== undefined) return <RunView key={id} id={id} />;
    if (kind === 'record' && id !== undefined) return <RecordView key={id} id={id} />;
    if (kind === 'compare' && id !== undefined && other !== undefined) return <ComparisonView key={`${id}/${other}`} before={id} after={other} />;
    if (kind !== undefined) return <StudyView key={kind} name={kind} />;
    return <List />;
  };
  return (
    <div className="page">
      {kind !== undefined && (
        <p className="crumbs">
          <a href={hashOf('cases')}>{t('nav.cases')}</a>
        </p>
      )}
      {view()}
    </div>
  );
}

export function useWords(): (words: Words) => string {
  const { language } = useTexts();
  return (words) => words[language];
}

function List() {
  const { t } = useTexts();
  const words = useWords();
  const studies = useAnswer(api.studies, 'studies');
  return (
    <>
      <h1>{t('nav.cases')}</h1>
      <p className="lead">{t('cases.lead')}</p>
      <Answered answer={studies}>
        {({ studies: list }) => (
          <ul className="cards">
            {list.map((study) => (
              <li key={study.name}>
                <a href={hashOf('cases', [study.name])}>
                  <small>{study.id}</small>
                  <strong>{words(study.title)}</strong>
                  <span>{words(study.summary)}</span>
                  <small>{t('cases.facts', { arms: study.arms.length, invariants: study.invariants.length, claims: study.claims.length })}</small>
                </a>
              </li>
            ))}
          </ul>
        )}
      </Answered>
      <Runs />
      <Records />
    </>
  );
}

/** The runs of this workbench; what comes over the live connection is newer than what was asked for. */
export function Runs({ study }: { study?: StudyCard }) {
  const { t, code } = useTexts();
  const live = useLive();
  const answer = useAnswer(api.runs, 'runs');
  const all = new Map<string, Run>((answer.value ?? []).map((run) => [run.id, run]));
  for (const run of live.runs.values()) if ((all.get(run.id)?.version ?? -1) < run.version) all.set(run.id, run);
  const list = [...all.values()].filter((run) => !study || run.request.study === study.name).toSorted((a, b) => b.asked_us - a.asked_us);
  if (list.length === 0) return null;
  return (
    <Panel title={t('cases.runs')} name="runs">
      <ul className="plain">
        {list.map((run) => (
          <li key={run.id}>
            <a href={hashOf('cases', ['run', run.id])}>{run.command}</a> <span className={`badge ${run.state}`}>{code('run', run.state)}</span>{' '}
            {run.state === 'running' && `${run.trials_done}/${run.trials}`}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Records({ study }: { study?: StudyCard }) {
  const { t } = useTexts();
  const answer = useAnswer(api.records, 'records');
  const [chosen, setChosen] = useState<string[]>([]);
  const list = (answer.value ?? []).filter((record) => !study || record.study === study.name);
  const choose = (id: string) => setChosen((old) => (old.includes(id) ? old.filter((each) => each !== id) : [...old, id].slice(-2)));
  const [one, two] = list.filter((record) => chosen.includes(record.id)).toSorted((a, b) => (a.started_at < b.started_at ? -1 : 1));
  const canCompare = one !== undefined && two !== undefined && one.study === two.study;
  return (
    <Panel
      title={t('cases.records')}
      name="records"
      tools={
        <button type="button" disabled={!canCompare} onClick={() => one && two && go(hashOf('cases', ['compare', one.id, two.id]))}>
          {t('cases.compare')}
        </button>
      }
    >
      <Answered answer={answer}>{() => (list.length === 0 ? <Empty>{t('cases.noRecords')}</Empty> : <RecordTable list={list} chosen={chosen} onChoose={choose} />)}</Answered>
    </Panel>
  );
}

function RecordTable({ list, chosen, onChoose }: { list: RecordEntry[]; chosen: string[]; onChoose: (id: string) => void }) {
  const { t, language } = useTexts();
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={t('cases.records')}>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">{t('cases.choose')}</th>
            <th scope="col">{t('cases.study')}</th>
            <th scope="col">{t('cases.when')}</th>
            <th scope="col">{t('cases.preset')}</th>
            <th scope="col">{t('cases.host')}</th>
          </tr>
        </thead>
        <tbody>
          {list.map((record) => (
            <tr key={record.id}>
              <td>
                <input type="checkbox" checked={chosen.includes(record.id)} onChange={() => onChoose(record.id)} aria-label={`${t('cases.choose')} ${record.study} ${record.started_at}`} />
              </td>
              <td>
                <a href={hashOf('cases', ['record', record.id])}>{record.study}</a>
              </td>
              <td>{new Date(record.started_at).toLocaleString(language === 'zh' ? 'zh-CN' : 'en')}</td>
              <td>{record.preset}</td>
              <td>
                {record.host} {record.is_own && <span className="badge">{t('cases.own')}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
