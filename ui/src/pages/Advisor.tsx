// The advisor: what is asked, what the analysis and the engine say of it, and the proof on a server. Three panes over one
// question; whatever changes the question has all three follow.
import { useCallback, useEffect, useState } from 'react';

import { api, problemOf } from '../api/client.ts';
import type { Analysed, Decision, Example, ProblemBody, Question, Remark } from '../api/rest.ts';
import { useTexts } from '../i18n/index.ts';
import { go, hashOf, patchParams, type Route } from '../state/route.ts';
import { BadLink, canonical, emptyQuestion, LINK_LETTERS, pack, questionOf, unpack } from '../state/question.ts';
import { ProblemNote } from '../views/parts.tsx';
import { DecisionPane } from './advisor/DecisionPane.tsx';
import { EvidencePane } from './advisor/EvidencePane.tsx';
import { HistoryPanel } from './advisor/History.tsx';
import { InputPane } from './advisor/InputPane.tsx';
import { TextPanel } from './advisor/TextPanel.tsx';

/** How long nothing must change before the server is asked. */
const QUIET_MS = 250;

export interface Answers {
  analysed: Analysed | undefined;
  decision: Decision | undefined;
  problem: ProblemBody | undefined;
  /** The question has changed since. */
  isStale: boolean;
}

/** What the server says of a question, asked anew when it has been still for a moment. */
function useAnswers(question: Question): Answers {
  const [answers, setAnswers] = useState<Omit<Answers, 'isStale'> & { of: Question | undefined }>({ of: undefined, analysed: undefined, decision: undefined, problem: undefined });
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      Promise.all([api.analyse(question, stop.signal), api.decide(question, stop.signal)]).then(
        ([analysed, decision]) => setAnswers({ of: question, analysed, decision, problem: undefined }),
        (error: unknown) => !stop.signal.aborted && setAnswers((old) => ({ ...old, of: question, problem: problemOf(error) })),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [question]);
  return { ...answers, isStale: answers.of !== question };
}

const localProblem = (code: string, detail: string): ProblemBody => ({ title: code, status: 0, code, detail });

/** The question that the address names: packed in it, kept on the server, or an example. */
function useAddressed(route: Route, onQuestion: (question: Question) => void, onProblem: (problem: ProblemBody) => void): Example[] {
  const [examples, setExamples] = useState<Example[]>([]);
  const [packed, id, example] = [route.params.get('q'), route.params.get('id'), route.params.get('example')];
  useEffect(() => {
    void api.advisorExamples().then(setExamples, (error: unknown) => onProblem(problemOf(error)));
  }, [onProblem]);
  useEffect(() => {
    if (packed === null && id === null) return;
    const read = packed === null ? api.decision(id!).then((kept) => questionOf(kept.question)) : unpack(packed);
    read.then(onQuestion, (error: unknown) => onProblem(error instanceof BadLink ? localProblem('bad-link', error.message) : problemOf(error)));
  }, [packed, id, onQuestion, onProblem]);
  useEffect(() => {
    const found = examples.find((each) => each.name === example);
    if (found) onQuestion(questionOf(found.question));
  }, [example, examples, onQuestion]);
  return examples;
}

export function AdvisorPage({ route }: { route: Route }) {
  const { t } = useTexts();
  const [question, setQuestion] = useState<Question>(emptyQuestion);
  const [problem, setProblem] = useState<ProblemBody>();
  const [picked, setPicked] = useState<string>();
  // A new object each time, so that the same field can be asked for twice.
  const [field, setField] = useState<{ name: string }>();
  // Told once, when something is picked: what is typed later must not be jumped away from.
  const [place, setPlace] = useState<Remark['at']>();
  const load = useCallback((loaded: Question) => {
    setProblem(undefined);
    setPicked(undefined);
    setPlace(undefined);
    setField(undefined);
    // The link of what is shown already changes nothing: what was played stays.
    setQuestion((shown) => (canonical(shown) === canonical(loaded) ? shown : loaded));
  }, []);
  const examples = useAddressed(route, load, setProblem);
  const answers = useAnswers(question);
  const analysis = answers.analysed?.analysis;
  const pick = (key: string) => {
    setPicked(key);
    const program = analysis?.programs.find(({ name }) => key === `program/${name}`);
    if (program) setPlace({ ...program.at });
  };
  return (
    <div className="page advisor">
      <header className="advisor-head">
        <h1>{t('nav.advisor')}</h1>
        <p className="lead">{t('advisor.lead')}</p>
        <label className="title">
          {t('advisor.title')}
          <input value={question.title ?? ''} maxLength={80} onChange={(event) => setQuestion({ ...question, title: event.target.value })} placeholder={t('advisor.untitled')} />
        </label>
        <Share question={question} id={answers.analysed?.id} onProblem={setProblem} />
      </header>
      {problem && <ProblemNote problem={problem} onClose={() => setProblem(undefined)} />}
      {answers.problem && <ProblemNote problem={answers.problem} />}
      <div className="advisor-panes" aria-busy={answers.isStale}>
        <InputPane question={question} onChange={setQuestion} examples={examples} answers={answers} onProblem={setProblem} place={place} field={field} onExample={(name) => go(hashOf('advisor', [], { example: name }))} />
        <DecisionPane question={question} onChange={setQuestion} answers={answers} picked={picked} onPick={pick} onField={(name) => setField({ name })} />
        <EvidencePane question={question} answers={answers} />
      </div>
      {answers.analysed && analysis && analysis.programs.length > 0 && <TextPanel question={question} id={answers.analysed.id} />}
      <HistoryPanel question={question} current={answers.analysed?.id} canKeep={analysis !== undefined && analysis.programs.length > 0} opened={route.params.get('id')} onProblem={setProblem} />
    </div>
  );
}

/** A link to the question: in the link itself while it is small, else to where it is kept. */
function Share({ question, id, onProblem }: { question: Question; id: string | undefined; onProblem: (problem: ProblemBody) => void }) {
  const { t } = useTexts();
  const [said, setSaid] = useState('');
  useEffect(() => setSaid(''), [question]);
  const share = async () => {
    const link = await pack(question);
    const params = link.length <= LINK_LETTERS ? { q: link } : { id: (await api.saveDecision(question)).id };
    patchParams({ q: undefined, id: undefined, example: undefined, ...params });
    // The address is the link; the clipboard may be closed to us.
    const isCopied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    setSaid(t(isCopied ? 'advisor.linkCopied' : 'advisor.linkInAddress'));
  };
  return (
    <p className="share">
      <button type="button" onClick={() => void share().catch((error: unknown) => onProblem(problemOf(error)))}>
        {t('advisor.share')}
      </button>
      <span role="status">{said}</span>
      {id !== undefined && (
        <small className="muted" title={id}>
          {t('advisor.hash')} <code data-hash={id}>{id.slice(0, 12)}</code>
        </small>
      )}
    </p>
  );
}

