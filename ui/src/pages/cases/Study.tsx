// One case: what is at stake, its arms with their SQL, what must hold, what is claimed; and the form that runs it.
import { useState, type FormEvent } from 'react';

import { api, problemOf } from '../../api/client.ts';
import type { ProblemBody, RunRequest, Studies, StudyCard } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { go, hashOf } from '../../state/route.ts';
import { Empty, Panel, ProblemNote } from '../../views/parts.tsx';
import { Answered, Records, Runs, useAnswer, useWords } from '../Cases.tsx';

export function StudyView({ name }: { name: string }) {
  const { t } = useTexts();
  const answer = useAnswer(api.studies, 'studies');
  return (
    <Answered answer={answer}>
      {(all) => {
        const study = all.studies.find((each) => each.name === name);
        return study ? <Card study={study} faults={all.faults} /> : <Empty>{t('cases.unknown', { name })}</Empty>;
      }}
    </Answered>
  );
}

function Card({ study, faults }: { study: StudyCard; faults: Studies['faults'] }) {
  const { t, code, number } = useTexts();
  const words = useWords();
  return (
    <>
      <h1>
        <small>{study.id}</small> {words(study.title)}
      </h1>
      <p className="lead">{words(study.summary)}</p>
      <p className="muted">
        {t('cases.operation')} {words(study.operation)}
      </p>
      <RunForm study={study} faults={faults} />
      <Runs study={study} />
      <Panel title={t('cases.arms')} name="arms">
        {study.arms.map((arm) => (
          <details key={arm.name} className="arm">
            <summary>
              <strong>{words(arm.title)}</strong> <span className={`badge ${arm.kind}`}>{code('expectation', arm.kind)}</span>{' '}
              {arm.name === study.baseline && <span className="badge">{t('cases.baseline')}</span>}
              <span className="muted">{words(arm.summary)}</span>
            </summary>
            {arm.statements.map((statement) => (
              <figure key={statement.file}>
                <figcaption>
                  <code>{statement.file}</code>
                </figcaption>
                <pre className="sql" tabIndex={0}>{statement.sql}</pre>
              </figure>
            ))}
          </details>
        ))}
      </Panel>
      <div className="two">
        <Panel title={t('cases.invariants')} name="invariants">
          <dl className="facts">
            {study.invariants.map((each) => (
              <div key={each.id}>
                <dt>{each.id}</dt>
                <dd>{words(each.statement)}</dd>
              </div>
            ))}
          </dl>
        </Panel>
        <Panel title={t('cases.claims')} name="claims">
          <dl className="facts">
            {study.claims.map((each) => (
              <div key={each.name}>
                <dt>
                  {number(each.target, 2)} {each.unit}
                </dt>
                <dd>{words(each.statement)}</dd>
              </div>
            ))}
          </dl>
        </Panel>
      </div>
      <Records study={study} />
    </>
  );
}

function RunForm({ study, faults }: { study: StudyCard; faults: Studies['faults'] }) {
  const { t, code } = useTexts();
  const words = useWords();
  const [problem, setProblem] = useState<ProblemBody>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const request: RunRequest = { study: study.name, preset: form.get('preset') as NonNullable<RunRequest['preset']> };
    const arms = form.getAll('arm').map(String);
    if (arms.length > 0 && arms.length < study.arms.length) request.arms = arms;
    const clients = Number(form.get('clients'));
    if (clients > 0) request.clients = clients;
    const wanted = String(form.get('faults') ?? '').trim();
    if (wanted !== '') request.faults = wanted;
    setBusy(true);
    try {
      const run = await api.startRun(request);
      go(hashOf('cases', ['run', run.id]));
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <Panel title={t('cases.run')} name="run">
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
      <form className="run-form" onSubmit={(event) => void submit(event)}>
        <fieldset>
          <legend>{t('cases.arms')}</legend>
          {study.arms.map((arm) => (
            <label key={arm.name}>
              <input type="checkbox" name="arm" value={arm.name} defaultChecked /> {words(arm.title)}
            </label>
          ))}
        </fieldset>
        <label>
          {t('cases.preset')}
          <select name="preset" defaultValue="smoke">
            {(['ci', 'smoke', 'full'] as const).map((preset) => (
              <option key={preset} value={preset}>
                {code('preset', preset)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t('cases.clients')}
          <input name="clients" type="number" min={1} max={1000} placeholder={t('cases.asOnCard')} />
        </label>
        <label>
          {t('cases.faults')}
          <input name="faults" list="faults" placeholder={t('cases.faultsHint')} />
          <datalist id="faults">
            {faults.map((fault) => (
              <option key={fault.name} value={fault.name}>
                {words(fault.summary)}
              </option>
            ))}
          </datalist>
        </label>
        <button type="submit" className="primary" disabled={busy}>
          {t('cases.start')}
        </button>
      </form>
    </Panel>
  );
}
