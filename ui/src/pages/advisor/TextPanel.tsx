// All of the answer as text: the record that a kept decision is exported as, for readers and screen readers, to be copied
// and compared line by line.
import { useState } from 'react';

import { api } from '../../api/client.ts';
import type { Question } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { Panel } from '../../views/parts.tsx';
import { Answered, useAnswer } from '../Cases.tsx';
import { Copy } from './Changes.tsx';

export function TextPanel({ question, id }: { question: Question; id: string }) {
  const { t } = useTexts();
  // How often it was opened: what was proved meanwhile is in it the next time.
  const [opened, setOpened] = useState(0);
  const [isOpen, setOpen] = useState(false);
  const toggle = () => {
    setOpen(!isOpen);
    setOpened(opened + 1);
  };
  return (
    <Panel
      title={t('advisor.asText')}
      name="advisor-text"
      tools={
        <button type="button" aria-expanded={isOpen} onClick={toggle}>
          {t(isOpen ? 'advisor.hide' : 'advisor.show')}
        </button>
      }
    >
      {isOpen ? <Record question={question} id={id} opened={opened} /> : <p className="muted">{t('advisor.asTextAbout')}</p>}
    </Panel>
  );
}

function Record({ question, id, opened }: { question: Question; id: string; opened: number }) {
  const { t, language } = useTexts();
  const answer = useAnswer(() => api.advisorRecord(question, language), `${id}/${language}/${opened}`);
  return (
    <Answered answer={answer}>
      {(text) => (
        <figure className="template">
          <figcaption>
            <Copy text={text} />
            <a className="button" download={`decision-${id.slice(0, 12)}.md`} href={`data:text/markdown;charset=utf-8,${encodeURIComponent(text)}`}>
              {t('advisor.downloadMarkdown')}
            </a>
          </figcaption>
          <pre tabIndex={0} role="region" aria-label={t('advisor.asText')}>
            {text}
          </pre>
        </figure>
      )}
    </Answered>
  );
}
