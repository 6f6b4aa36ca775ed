// The right pane: the verdict with its evidence, the proof on a server, the ranked options, and why not the others.
import { useState } from 'react';

import type { Analysis, Decision, Estimate, Question } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { Empty, Panel } from '../../views/parts.tsx';
import type { Answers } from '../Advisor.tsx';
import { useWords } from '../Cases.tsx';
import { Changes } from './Changes.tsx';
import { CodePanel } from './CodePanel.tsx';
import { columnNames, meetingPlace } from './place.ts';
import { ProofView } from './ProofView.tsx';

export function EvidencePane({ question, answers }: { question: Question; answers: Answers }) {
  const { t } = useTexts();
  const analysis = answers.analysed?.analysis;
  const hasPrograms = analysis !== undefined && analysis.programs.length > 0;
  return (
    <div className="pane">
      <Panel title={t('advisor.verdict')} name="advisor-verdict">
        {hasPrograms ? <VerdictView analysis={analysis} /> : <Empty>{t('advisor.noVerdict')}</Empty>}
      </Panel>
      {hasPrograms && (
        <Panel title={t('advisor.proof')} name="advisor-proof">
          <ProofView question={question} analysis={analysis} />
        </Panel>
      )}
      {answers.decision && (
        <Panel title={t('advisor.options')} name="advisor-options">
          <Options decision={answers.decision} />
        </Panel>
      )}
      {hasPrograms && analysis.promotions.length > 0 && (
        <Panel title={t('advisor.changesTitle')} name="advisor-changes">
          <Changes promotions={analysis.promotions} />
        </Panel>
      )}
      {answers.decision && answers.analysed && (
        <Panel title={t('advisor.code')} name="advisor-code">
          <CodePanel question={question} analysis={analysis} decision={answers.decision} id={answers.analysed.id} />
        </Panel>
      )}
    </div>
  );
}

function VerdictView({ analysis }: { analysis: Analysis }) {
  const texts = useTexts();
  const { t, code } = texts;
  const words = useWords();
  const { asked, scopes } = analysis;
  return (
    <>
      <p className={`verdict ${asked.outcome}`} role="status" data-verdict={asked.outcome}>
        <span aria-hidden="true">{asked.outcome === 'safe' ? '✓' : asked.outcome === 'unsafe' ? '✕' : '?'}</span> <strong>{code('verdict', asked.outcome)}</strong> {code('verdictLong', asked.outcome)}
      </p>
      {asked.outcome === 'unknown' && <p>{words(asked.why)}</p>}
      {asked.outcome === 'unsafe' && (
        <ol className="cycle">
          {asked.witness.cycle.map((dependency, index) => {
            const [from, to] = [asked.witness.transactions[dependency.from], asked.witness.transactions[dependency.to]];
            return (
              <li key={index}>
                <strong>{from?.name}</strong> {from?.program} →<code>{dependency.kind}</code> <strong>{to?.name}</strong> {to?.program}
                <small>
                  <code>{meetingPlace(dependency.relation, dependency.columns, texts)}</code>
                </small>
              </li>
            );
          })}
        </ol>
      )}
      {scopes.map((scope, index) => (
        <p key={index} className="verdict unsafe">
          <span aria-hidden="true">✕</span> {t('advisor.scope', { program: scope.program, first: scope.first + 1, second: scope.second + 1, other: scope.other, relation: scope.relation, columns: columnNames(scope.columns, texts), level: code('level', scope.level_as_one) })}
        </p>
      ))}
    </>
  );
}

function Figure({ name, estimate }: { name: string; estimate: Estimate | undefined }) {
  const { t, number } = useTexts();
  const words = useWords();
  if (!estimate) return null;
  const { basis } = estimate;
  const isMeasured = basis.basis === 'measured';
  const about = isMeasured ? `${basis.study}, ${basis.arm}: ${words(basis.conditions)}` : words(basis.about);
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>
        <strong>{estimate.unit === '' ? `${number(estimate.value * 100, 1)} %` : `${number(estimate.value, estimate.value < 10 ? 1 : 0)} ${estimate.unit}`}</strong> <span className={isMeasured ? 'badge best' : 'badge'}>{t(isMeasured ? 'advisor.measured' : 'advisor.modelled')}</span>
        <small className="muted">{about}</small>
      </dd>
    </div>
  );
}

function Options({ decision }: { decision: Decision }) {
  const { t } = useTexts();
  const words = useWords();
  const [asked, setAsked] = useState<string>();
  const by = decision.ranked_by;
  const rejected = decision.rejected.find((each) => each.solution === asked);
  return (
    <>
      {decision.warnings.map((warning) => (
        <p key={warning.rule} className="warn">
          ⚠ {words(warning.text)}
        </p>
      ))}
      <ol className="options">
        {decision.ranked.map((option, place) => (
          <li key={option.solution} data-option={option.solution}>
            <h3>
              {words(option.name)} {place === 0 && <span className="badge best">{t('advisor.best')}</span>}
            </h3>
            <dl>
              <Figure name={t('advisor.throughput')} estimate={option.estimates.throughput} />
              <Figure name={t('advisor.latency')} estimate={option.estimates.latency} />
              <Figure name={t('advisor.retried')} estimate={option.estimates.retried} />
            </dl>
            {option.beside.length > 0 && <p>{t('advisor.beside', { what: option.beside.map((each) => words(each.name)).join(', ') })}</p>}
            <ul>
              {option.why.map((why) => (
                <li key={why.because.rule}>
                  {why.points > 0 ? '+' : '−'} {words(why.because.text)}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      {decision.ranked.length === 0 && <p className="verdict unsafe">{t('advisor.nothingFits')}</p>}
      <p className="muted">{words(by.because)}</p>
      {decision.suggested.length > 0 && (
        <section>
          <h3>{t('advisor.suggested')}</h3>
          <ul className="because">
            {decision.suggested.map((each) => (
              <li key={each.solution}>
                <strong>{words(each.name)}</strong> {words(each.because)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <label className="why-not">
        {t('advisor.whyNot')}
        <select value={asked ?? ''} onChange={(event) => setAsked(event.target.value)}>
          <option value="">…</option>
          {decision.rejected.map((each) => (
            <option key={each.solution} value={each.solution}>
              {words(each.name)}
            </option>
          ))}
        </select>
      </label>
      <div role="status">
        {rejected && (
          <ul className="because">
            {rejected.because.map((because, index) => (
              <li key={index}>
                {words(because.text)} <small className="muted" lang="en">{because.source}</small>
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}
