// Decisions that were kept: under the hash of their question, with notes, and as files.
import { useCallback, useEffect, useState } from 'react';

import { api, problemOf } from '../../api/client.ts';
import type { DecisionDetail, DecisionEntry, ProblemBody, Question } from '../../api/rest.ts';
import { useTexts } from '../../i18n/index.ts';
import { hashOf } from '../../state/route.ts';
import { Empty, Panel } from '../../views/parts.tsx';

interface HistoryProps {
  question: Question;
  current: string | undefined;
  canKeep: boolean;
  opened: string | null;
  onProblem: (problem: ProblemBody) => void;
}

export function HistoryPanel({ question, current, canKeep, opened, onProblem }: HistoryProps) {
  const { t, language } = useTexts();
  const [entries, setEntries] = useState<DecisionEntry[]>();
  const [isOpen, setOpen] = useState(opened !== null);
  const [isKeeping, setKeeping] = useState(false);
  const fail = useCallback((error: unknown) => onProblem(problemOf(error)), [onProblem]);
  const refresh = useCallback(() => void api.decisions().then(setEntries, fail), [fail]);
  useEffect(() => {
    if (isOpen) refresh();
  }, [isOpen, refresh]);
  const keep = async () => {
    setKeeping(true);
    try {
      await api.saveDecision(question);
      setOpen(true);
      refresh();
    } catch (error) {
      fail(error);
    }
    setKeeping(false);
  };
  return (
    <Panel
      title={t('advisor.history')}
      name="advisor-history"
      tools={
        <>
          <button type="button" disabled={!canKeep || isKeeping} onClick={() => void keep()}>
            {t(isKeeping ? 'advisor.keeping' : 'advisor.keep')}
          </button>
          <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {t(isOpen ? 'advisor.hide' : 'advisor.show')}
          </button>
        </>
      }
    >
      {!isOpen && <p className="muted">{t('advisor.historyAbout')}</p>}
      {isOpen && entries?.length === 0 && <Empty>{t('advisor.noHistory')}</Empty>}
      {isOpen && entries && entries.length > 0 && (
        <div className="scroll" tabIndex={0} role="region" aria-label={t('advisor.decision')}>
          <table className="list">
            <thead>
              <tr>
                <th scope="col">{t('advisor.decision')}</th>
                <th scope="col">{t('cases.when')}</th>
                <th scope="col">{t('advisor.verdict')}</th>
                <th scope="col">{t('advisor.proof')}</th>
                <th scope="col">{t('advisor.notes')}</th>
                <th scope="col">{t('advisor.files')}</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.id} data-decision={entry.id} aria-current={entry.id === current ? 'true' : undefined}>
                  <td>
                    <a href={hashOf('advisor', [], { id: entry.id })}>{entry.title || t('advisor.untitled')}</a> <code>{entry.id.slice(0, 12)}</code>
                  </td>
                  <td>{new Date(entry.made_us / 1000).toLocaleString(language === 'zh' ? 'zh-CN' : 'en')}</td>
                  <Outcome entry={entry} />
                  <td className="number">{entry.notes}</td>
                  <td>
                    <a href={api.decisionAddress(entry.id, 'md', language)} download>
                      Markdown
                    </a>{' '}
                    <a href={api.decisionAddress(entry.id, 'json', language)} download>
                      JSON
                    </a>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {isOpen && opened !== null && <Notes key={opened} id={opened} onProblem={fail} onNoted={refresh} />}
    </Panel>
  );
}

function Outcome({ entry: { summary } }: { entry: DecisionEntry }) {
  const { code } = useTexts();
  const safe = summary?.is_safe;
  const proved = summary?.is_proved;
  return (
    <>
      <td>{safe === undefined ? '–' : `${safe ? '✓' : '✕'} ${code('verdict', safe ? 'safe' : 'unsafe')}`}</td>
      <td>{proved === undefined ? '–' : code('agrees', String(proved))}</td>
    </>
  );
}

function Notes({ id, onProblem, onNoted }: { id: string; onProblem: (error: unknown) => void; onNoted: () => void }) {
  const { t, language } = useTexts();
  const [kept, setKept] = useState<DecisionDetail>();
  const [body, setBody] = useState('');
  useEffect(() => void api.decision(id).then(setKept, onProblem), [id, onProblem]);
  const note = () =>
    void api.noteDecision(id, body).then((saved) => {
      setKept(saved);
      setBody('');
      onNoted();
    }, onProblem);
  return (
    <section className="notes" aria-label={t('advisor.notes')}>
      <ul>
        {kept?.notes.map((each, index) => (
          <li key={index}>
            <small className="muted">{new Date(each.made_us / 1000).toLocaleString(language === 'zh' ? 'zh-CN' : 'en')}</small> {each.body}
          </li>
        ))}
      </ul>
      <form
        className="picker"
        onSubmit={(event) => {
          event.preventDefault();
          note();
        }}
      >
        <input value={body} onChange={(event) => setBody(event.target.value)} aria-label={t('advisor.note')} placeholder={t('advisor.note')} maxLength={4000} />
        <button type="submit" disabled={body.trim() === ''}>
          {t('advisor.addNote')}
        </button>
      </form>
    </section>
  );
}
