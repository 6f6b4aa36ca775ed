// Two moments compared: what came, what went, what is different, field by field.
import { useMemo } from 'react';

import type { PutItem } from '../api/timeline.ts';
import { useTexts } from '../i18n/index.ts';
import type { Log } from '../state/log.ts';
import { patchParams } from '../state/route.ts';
import { Empty, Panel } from './parts.tsx';

/** Differences that are listed. */
const LISTED = 200;

export interface ItemDifference {
  key: string;
  kind: PutItem['kind'];
  how: 'came' | 'went' | 'differs';
  fields: { name: string; before: unknown; after: unknown }[];
}

/** What must be told to come from one moment to another. Verdicts follow from the rest, and are left out. */
export function differences(before: ReadonlyMap<string, PutItem>, after: ReadonlyMap<string, PutItem>): ItemDifference[] {
  const list: ItemDifference[] = [];
  for (const [key, item] of after) {
    const old = before.get(key);
    if (item.kind === 'verdict') continue;
    if (!old) list.push({ key, kind: item.kind, how: 'came', fields: [] });
    else if (old !== item) {
      const fields = changedFields(old, item);
      if (fields.length > 0) list.push({ key, kind: item.kind, how: 'differs', fields });
    }
  }
  for (const [key, item] of before) {
    if (!after.has(key) && item.kind !== 'verdict') list.push({ key, kind: item.kind, how: 'went', fields: [] });
  }
  return list.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function changedFields(before: PutItem, after: PutItem): ItemDifference['fields'] {
  const [old, young] = [before as unknown as Record<string, unknown>, after as unknown as Record<string, unknown>];
  const names = new Set([...Object.keys(old), ...Object.keys(young)]);
  return [...names].filter((name) => JSON.stringify(old[name]) !== JSON.stringify(young[name])).map((name) => ({ name, before: old[name], after: young[name] }));
}

/** What is made of parts, without the signs of JSON. */
export function plain(value: unknown): string {
  if (value === undefined || value === null) return '—';
  if (Array.isArray(value)) return value.map(plain).join(', ');
  if (typeof value !== 'object') return String(value);
  const parts = Object.entries(value).filter(([, part]) => part !== null && part !== false);
  return parts.map(([name, part]) => `${name} ${plain(part)}`).join(', ');
}

function short(value: unknown): string {
  const text = plain(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export function Difference({ log, from, to, onPick }: { log: Log; from: number; to: number; onPick: (key: string) => void }) {
  const { t, code } = useTexts();
  const list = useMemo(() => {
    const before = new Map(log.at(Math.min(from, to)).items);
    return differences(before, log.at(Math.max(from, to)).items);
  }, [log, from, to]);
  const title = t('compare.title', { from: Math.min(from, to), to: Math.max(from, to) });
  return (
    <Panel
      title={title}
      name="difference"
      note={t('compare.count', { count: list.length })}
      tools={
        <button type="button" className="quiet" onClick={() => patchParams({ with: undefined })}>
          {t('close')}
        </button>
      }
    >
      {list.length === 0 ? (
        <Empty>{t('compare.same')}</Empty>
      ) : (
        <ul className="differences">
          {list.slice(0, LISTED).map((each) => (
            <li key={each.key} className={each.how}>
              <span className="how">{code('how', each.how)}</span>{' '}
              <button type="button" className="link" onClick={() => onPick(each.key)}>
                {code('kind', each.kind)} <code>{each.key.split('/').slice(1).join('/')}</code>
              </button>
              {each.fields.map((field) => (
                <span key={field.name} className="field-change">
                  {field.name} <del>{short(field.before)}</del> → <ins>{short(field.after)}</ins>
                </span>
              ))}
            </li>
          ))}
          {list.length > LISTED && <li>{t('more', { count: list.length - LISTED })}</li>}
        </ul>
      )}
    </Panel>
  );
}
