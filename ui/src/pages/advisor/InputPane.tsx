// The left pane: what is asked. Described, pasted, from a log, or an example; all four fill the same question.
import { useEffect, useState } from 'react';

import { api, problemOf } from '../../api/client.ts';
import type { AdvisorLog, Example, ProblemBody, Question, Remark } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { Panel, Tabs } from '../../views/parts.tsx';
import type { Answers } from '../Advisor.tsx';
import { useWords } from '../Cases.tsx';
import { Describe } from './Describe.tsx';
import { Editor } from './Editor.tsx';

const TABS = ['sql', 'describe', 'log', 'examples'] as const;
type Tab = (typeof TABS)[number];

interface InputProps {
  question: Question;
  onChange: (question: Question) => void;
  examples: Example[];
  answers: Answers;
  onProblem: (problem: ProblemBody) => void;
  onExample: (name: string) => void;
  /** What was picked in the graph, to be shown. */
  place: Remark['at'] | undefined;
  /** The field of the wizard that was asked for. */
  field: { name: string } | undefined;
}

export function InputPane(props: InputProps) {
  const { t, code } = useTexts();
  const isEmpty = (props.question.sources ?? []).every((source) => source.text.trim() === '');
  const [chosen, setChosen] = useState<Tab>();
  const tab = chosen ?? (isEmpty ? 'examples' : 'sql');
  const { field, place } = props;
  useEffect(() => {
    if (field) setChosen('describe');
  }, [field]);
  useEffect(() => {
    if (place) setChosen('sql');
  }, [place]);
  return (
    <Panel title={t('advisor.input')} name="advisor-input">
      <Tabs name="input" label={t('advisor.input')} all={TABS.map((each) => [each, code('advisorTab', each)] as const)} chosen={tab} onChoose={setChosen} />
      <div role="tabpanel" id="input-shown" aria-labelledby={`input-${tab}`}>
        {tab === 'sql' && <Editor question={props.question} onChange={props.onChange} answers={props.answers} place={place} />}
        {tab === 'describe' && <Describe question={props.question} onChange={props.onChange} field={field} />}
        {tab === 'log' && <FromLog {...props} onDone={() => setChosen('sql')} />}
        {tab === 'examples' && (
          <Examples
            examples={props.examples}
            onExample={(name) => {
              setChosen('sql');
              props.onExample(name);
            }}
          />
        )}
      </div>
    </Panel>
  );
}

function Examples({ examples, onExample }: { examples: Example[]; onExample: (name: string) => void }) {
  const words = useWords();
  return (
    <ul className="examples">
      {examples.map((example) => (
        <li key={example.name}>
          <button type="button" data-example={example.name} onClick={() => onExample(example.name)}>
            <strong>{words(example.title)}</strong>
            <span>{words(example.summary)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The name of the source that a log's programs are put into. */
const LOG_SOURCE = 'log.sql';

function FromLog({ question, onChange, onProblem, onDone }: InputProps & { onDone: () => void }) {
  const { t, number } = useTexts();
  const [isReading, setReading] = useState(false);
  const [read, setRead] = useState<AdvisorLog>();
  const take = async (file: Blob | undefined) => {
    if (!file) return;
    setReading(true);
    try {
      setRead(await api.advisorLog(file));
    } catch (error) {
      onProblem(problemOf(error));
    }
    setReading(false);
  };
  const use = (log: AdvisorLog) => {
    const others = (question.sources ?? []).filter((source) => source.name !== LOG_SOURCE && source.text.trim() !== '');
    onChange({ ...question, sources: [...others, { name: LOG_SOURCE, text: log.sql }] });
    onDone();
  };
  return (
    <div className="from-log">
      <label className="drop">
        <span>{t(isReading ? 'advisor.logReading' : 'advisor.logDrop')}</span>
        <input type="file" accept=".json,.csv,.log" onChange={(event) => void take(event.target.files?.[0])} />
      </label>
      <p className="muted">{t('advisor.logAbout')}</p>
      {read && (
        <>
          <p role="status">{t('advisor.logRead', { entries: number(read.entries), transactions: number(read.transactions), programs: read.programs.length, garbled: number(read.garbled) })}</p>
          <table className="list">
            <thead>
              <tr>
                <th scope="col">{t('advisor.program')}</th>
                <th scope="col" className="number">{t('advisor.frequency')}</th>
                <th scope="col" className="number">{t('advisor.failures')}</th>
              </tr>
            </thead>
            <tbody>
              {read.programs.slice(0, 50).map((program) => (
                <tr key={program.name}>
                  <td>{program.name}</td>
                  <td className="number">{number(program.frequency * 100, 1)}</td>
                  <td className="number">{number(program.failures)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <button type="button" className="primary" onClick={() => use(read)}>
            {t('advisor.logUse')}
          </button>
        </>
      )}
    </div>
  );
}
