// The script of a scene: its steps by session, what each one did, and the button that plays the next one.
import type { Scene, SceneStep, Statement } from '../api/rest.ts';
import { useTexts } from '../i18n/index.ts';
import { Panel, Prose, withoutCode } from './parts.tsx';

interface ScriptProps {
  scene: Scene;
  /** What came about statements since the scene was asked for. */
  statements: ReadonlyMap<string, Statement>;
  busy: boolean;
  onStep: () => void;
  onRestart: () => void;
  onClose: () => void;
}

type Standing = 'next' | 'later' | 'running' | 'done' | 'failed';

function standingOf(step: SceneStep, index: number, scene: Scene, newest: Statement | undefined): Standing {
  if (index === scene.next) return 'next';
  if (index > scene.next) return 'later';
  const statement = newest && step.statement && newest.number === step.statement.number ? newest : step.statement;
  return statement?.state ?? 'done';
}

const SIGN: Record<Standing, string> = { next: '▸', later: '', running: '…', done: '✓', failed: '✕' };

export function SceneScript({ scene, statements, busy, onStep, onRestart, onClose }: ScriptProps) {
  const { t, code, language } = useTexts();
  const isOver = scene.next >= scene.steps.length;
  const current = scene.steps[Math.max(scene.next - 1, 0)];
  return (
    <Panel
      title={withoutCode(scene.title[language])}
      name="script"
      tools={
        <>
          <button type="button" className="quiet" onClick={onRestart} disabled={busy}>
            {t('scene.restart')}
          </button>
          <button type="button" className="quiet" onClick={onClose} aria-label={t('scene.close')}>
            ✕
          </button>
        </>
      }
    >
      <p className="summary"><Prose text={scene.summary[language]} /></p>
      <ol className="script">
        {scene.steps.map((step, index) => {
          const newest = statements.get(step.statement?.console ?? step.session);
          const standing = standingOf(step, index, scene, newest);
          const lane = Math.max(
            scene.sessions.findIndex((session) => session.name === step.session),
            0,
          );
          const error = (newest?.number === step.statement?.number ? newest?.error : undefined) ?? step.statement?.error;
          return (
            <li key={index} className={`${standing} lane-${lane % 4}`} aria-current={standing === 'next' ? 'step' : undefined}>
              <span className="who">{step.session}</span>
              {step.sql === undefined ? <span className="sql muted">{t('scene.resumes')}</span> : <code className="sql">{step.sql}</code>}
              <span className="standing" role="img" aria-label={code('step', standing)}>
                {SIGN[standing]}
              </span>
              {step.is_as_told === false && <span className="error">{t('scene.notAsTold')}</span>}
              {error && standing === 'failed' && (
                <span className="error" lang="en">
                  {error.sqlstate} {error.message}
                </span>
              )}
            </li>
          );
        })}
      </ol>
      {scene.next > 0 && !isOver && current && <p className="step-note"><Prose text={current.note[language]} /></p>}
      {isOver && <p className="moral"><Prose text={scene.moral[language]} /></p>}
      <p className="actions">
        <button type="button" className="primary" onClick={onStep} disabled={busy || isOver}>
          {isOver ? t('scene.over') : t('scene.step', { n: scene.next + 1, count: scene.steps.length })}
          {!isOver && <kbd>n</kbd>}
        </button>
      </p>
    </Panel>
  );
}
