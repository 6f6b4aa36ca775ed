// Small parts of which pages are made: panels, problems, the width of an element, how a datum is known.
import { useCallback, useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';

import type { ProblemBody } from '../api/rest.ts';
import type { Origin } from '../api/timeline.ts';
import { OriginMark } from '../charts/draw.tsx';
import { useTexts } from '../i18n/index.ts';
import { useTheme } from '../state/context.ts';

interface PanelProps {
  title: string;
  /** A name for tests and for anchors. */
  name: string;
  tools?: ReactNode;
  /** A line beside the title. */
  note?: ReactNode;
  children: ReactNode;
  className?: string;
}

export function Panel({ title, name, tools, note, children, className }: PanelProps) {
  return (
    <section className={`panel ${className ?? ''}`} data-panel={name} aria-labelledby={`panel-${name}`}>
      <header>
        <h2 id={`panel-${name}`}>{title}</h2>
        {note !== undefined && <span className="note">{note}</span>}
        {tools !== undefined && <div className="tools">{tools}</div>}
      </header>
      <div className="content">{children}</div>
    </section>
  );
}

/** A sentence with pieces of code between backticks. */
export function Prose({ text }: { text: string }) {
  return <>{text.split('`').map((piece, index) => (index % 2 === 1 ? <code key={index}>{piece}</code> : piece))}</>;
}

/** The same where only letters can stand. */
export const withoutCode = (text: string): string => text.replaceAll('`', '');

/** The width of an element, followed. */
export function useWidth(): [(element: HTMLElement | null) => void, number] {
  const [width, setWidth] = useState(0);
  const observer = useRef<ResizeObserver>(undefined);
  const follow = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!element) return;
    setWidth(element.clientWidth);
    observer.current = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.current.observe(element);
  }, []);
  useEffect(() => () => observer.current?.disconnect(), []);
  return [follow, width];
}

/** Gives its children the width that there is; scrolls sideways what is wider. */
export function Wide({ children }: { children: (width: number) => ReactNode }) {
  const [follow, width] = useWidth();
  return (
    <div className="wide" ref={follow}>
      {width > 0 && children(width)}
    </div>
  );
}

interface TabsProps<Name extends string> {
  /** A prefix for ids, and the id of what the tabs show is `${name}-shown`. */
  name: string;
  label: string;
  all: readonly (readonly [Name, string])[];
  chosen: Name;
  onChoose: (name: Name) => void;
}

/** A list of tabs; arrow keys go from one to the next. */
export function Tabs<Name extends string>({ name, label, all, chosen, onChoose }: TabsProps<Name>) {
  const list = useRef<HTMLDivElement>(null);
  const walk = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = all.findIndex(([each]) => each === chosen);
    const next = all[(at + step + all.length) % all.length]![0];
    onChoose(next);
    list.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" tabIndex={-1} aria-label={label} ref={list} onKeyDown={walk}>
      {all.map(([each, words]) => (
        <button key={each} type="button" role="tab" id={`${name}-${each}`} data-tab={each} aria-selected={chosen === each} aria-controls={`${name}-shown`} tabIndex={chosen === each ? 0 : -1} onClick={() => onChoose(each)}>
          {words}
        </button>
      ))}
    </div>
  );
}

export function ProblemNote({ problem, onClose }: { problem: ProblemBody; onClose?: () => void }) {
  const { t, code, language } = useTexts();
  const known = code('problem', problem.code);
  const sentence = (en: string, zh: string | undefined) => (language === 'zh' && zh ? <span>{zh}</span> : <span lang="en">{en}</span>);
  return (
    <div className="problem" role="alert">
      <strong>{known === problem.code ? problem.title : known}</strong>
      {sentence(problem.detail, problem.zh?.detail)}
      {problem.hint && (
        <span className="hint">
          {t('hint')} {sentence(problem.hint, problem.zh?.hint)}
        </span>
      )}
      {onClose && (
        <button type="button" className="quiet" onClick={onClose} aria-label={t('close')}>
          ✕
        </button>
      )}
    </div>
  );
}

/** How a datum is known, by shape and by word. */
export function OriginTag({ origin }: { origin: Origin }) {
  const { code } = useTexts();
  const theme = useTheme();
  return (
    <span className="origin" title={code('originLong', origin)}>
      <svg width={10} height={10} aria-hidden="true">
        <OriginMark origin={origin} x={5} y={5} colour={theme.muted} />
      </svg>
      {code('origin', origin)}
    </span>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{children}</p>;
}

const two = (value: number) => String(value).padStart(2, '0');

/** A moment's time of day with milliseconds. */
export function clock(unix_us: number): string {
  const date = new Date(unix_us / 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
