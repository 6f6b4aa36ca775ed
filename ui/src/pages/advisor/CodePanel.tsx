// Code for the best solution, or for one of the programs at the level that it needs: with retries, to be copied.
import { useState } from 'react';

import { api } from '../../api/client.ts';
import type { AdvisorLanguage, Analysis, Decision, Question } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { Tabs } from '../../views/parts.tsx';
import { Answered, useAnswer, useWords } from '../Cases.tsx';
import { Copy } from './Changes.tsx';

/** Names of languages and of their drivers are the same in every language of people. */
const LANGUAGES: Record<AdvisorLanguage, string> = {
  sql: 'SQL',
  'rust-tokio-postgres': 'Rust · tokio-postgres',
  'rust-sqlx': 'Rust · sqlx',
  python: 'Python · psycopg',
  java: 'Java · JDBC',
  go: 'Go · pgx',
  typescript: 'TypeScript · pg',
};
const TABS = Object.entries(LANGUAGES) as [AdvisorLanguage, string][];

interface CodeProps {
  question: Question;
  analysis: Analysis | undefined;
  decision: Decision;
  /** The question's hash: code is asked for anew when it changes. */
  id: string;
}

export function CodePanel({ question, analysis, decision, id }: CodeProps) {
  const { t } = useTexts();
  const words = useWords();
  const [language, setLanguage] = useState<AdvisorLanguage>('python');
  const [subject, setSubject] = useState('best');
  const best = decision.ranked[0]?.solution;
  const programs = analysis?.programs ?? [];
  const program = programs.find((each) => `program/${each.name}` === subject)?.name;
  const option = decision.ranked.find((each) => `solution/${each.solution}` === subject)?.solution ?? best;
  if (program === undefined && option === undefined) return null;
  return (
    <>
      <p className="picker">
        <label>
          {t('advisor.codeOf')}
          <select value={program === undefined ? `solution/${option}` : subject} onChange={(event) => setSubject(event.target.value)}>
            {decision.ranked.map((each) => (
              <option key={each.solution} value={`solution/${each.solution}`}>
                {words(each.name)}
              </option>
            ))}
            {programs.map((each) => (
              <option key={each.name} value={`program/${each.name}`}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
      </p>
      <Tabs name="code" label={t('advisor.language')} all={TABS} chosen={language} onChoose={setLanguage} />
      <Code question={question} program={program} option={option} language={language} of={`${program === undefined ? option : `${id}/${program}`}/${language}`} />
    </>
  );
}

interface OneCodeProps {
  question: Question;
  program: string | undefined;
  option: Decision['ranked'][number]['solution'] | undefined;
  language: AdvisorLanguage;
  of: string;
}

function Code({ question, program, option, language, of }: OneCodeProps) {
  const words = useWords();
  const answer = useAnswer(() => api.advisorCode({ language, of: program === undefined ? { of: 'solution', solution: option! } : { of: 'program', question, program } }), of);
  return (
    <div role="tabpanel" id="code-shown" aria-labelledby={`code-${language}`} data-code={answer.value === undefined ? '' : language}>
      <Answered answer={answer}>
        {({ file, code, note }) => (
          <figure className="template">
            <figcaption>
              <code>{file}</code> <Copy text={code} />
            </figcaption>
            {note && <p className="muted">{words(note)}</p>}
            <pre tabIndex={0} role="region" aria-label={file}>
              {code}
            </pre>
          </figure>
        )}
      </Answered>
    </div>
  );
}
