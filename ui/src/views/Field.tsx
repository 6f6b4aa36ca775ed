// A canvas with thousands of versions: dragged, zoomed, picked from. The keyboard moves the window; the versions
// themselves are reached through the list beside it.
import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type WheelEvent } from 'react';

import type { PutOf } from '../api/timeline.ts';
import { chainLayout } from '../charts/chain-layout.ts';
import { extentOf, type ChainData } from '../charts/chain.tsx';
import type { Picking } from '../charts/draw.tsx';
import { fieldOf, hit, paint, type Window } from '../charts/field.ts';
import { useTexts } from '../i18n/index.ts';
import { useTheme } from '../state/context.ts';

const HEIGHT = 380;
const SCALE = { least: 0.04, most: 2 } as const;
/** A press that moved less than this is a click, pixels. */
const CLICK = 4;

export function Field({ data, width, picked, onPick }: { data: ChainData; width: number } & Picking) {
  const theme = useTheme();
  const texts = useTexts();
  const canvas = useRef<HTMLCanvasElement>(null);
  const layout = useMemo(() => chainLayout(data.versions), [data.versions]);
  const field = useMemo(() => fieldOf(layout, data.verdicts as ReadonlyMap<string, PutOf<'verdict'>>), [layout, data.verdicts]);
  const extent = useMemo(() => extentOf(layout), [layout]);
  const [view, setView] = useState<Window>(() => ({ x: 0, y: 0, scale: Math.max(Math.min(width / extent.width, 1), 0.12) }));
  const drag = useRef<{ x: number; y: number; moved: number } | undefined>(undefined);

  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      const element = canvas.current;
      const context = element?.getContext('2d', { alpha: false });
      if (!element || !context) return;
      const ratio = devicePixelRatio;
      if (element.width !== Math.round(width * ratio)) element.width = Math.round(width * ratio);
      if (element.height !== Math.round(HEIGHT * ratio)) element.height = Math.round(HEIGHT * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const painted = paint(context, field, view, { width, height: HEIGHT }, theme, picked);
      element.dataset['boxes'] = String(painted.boxes);
    });
    return () => cancelAnimationFrame(frame);
  }, [field, view, width, theme, picked]);

  const zoom = useCallback(
    (factor: number, at: { x: number; y: number }) =>
      setView((old) => {
        const scale = Math.min(Math.max(old.scale * factor, SCALE.least), SCALE.most);
        return { scale, x: old.x + at.x / old.scale - at.x / scale, y: old.y + at.y / old.scale - at.y / scale };
      }),
    [],
  );
  const move = (dx: number, dy: number) => setView((old) => ({ ...old, x: old.x + dx / old.scale, y: old.y + dy / old.scale }));

  const local = (event: PointerEvent | WheelEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onPointerDown = (event: PointerEvent) => {
    canvas.current?.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, y: event.clientY, moved: 0 };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!drag.current) return;
    const [dx, dy] = [drag.current.x - event.clientX, drag.current.y - event.clientY];
    drag.current = { x: event.clientX, y: event.clientY, moved: drag.current.moved + Math.abs(dx) + Math.abs(dy) };
    move(dx, dy);
  };
  const onPointerUp = (event: PointerEvent) => {
    const isClick = drag.current !== undefined && drag.current.moved < CLICK;
    drag.current = undefined;
    const key = isClick ? hit(field, view, local(event)) : undefined;
    if (key !== undefined) onPick?.(key);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = 60;
    const moves: Record<string, [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const centre = { x: width / 2, y: HEIGHT / 2 };
    if (event.key in moves) move(...moves[event.key]!);
    else if (event.key === '+' || event.key === '=') zoom(1.25, centre);
    else if (event.key === '-') zoom(0.8, centre);
    else if (event.key === 'Home') setView((old) => ({ ...old, x: 0, y: 0 }));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="field">
      <canvas
        ref={canvas}
        role="img"
        tabIndex={0}
        aria-label={texts.t('field.label', { count: data.versions.length })}
        className="field-canvas"
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onWheel={(event) => zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, local(event))}
        onKeyDown={onKeyDown}
      />
      <div className="field-tools">
        <button type="button" onClick={() => zoom(1.4, { x: width / 2, y: HEIGHT / 2 })} aria-label={texts.t('field.in')}>
          +
        </button>
        <button type="button" onClick={() => zoom(1 / 1.4, { x: width / 2, y: HEIGHT / 2 })} aria-label={texts.t('field.out')}>
          −
        </button>
        <button type="button" onClick={() => setView({ x: 0, y: 0, scale: Math.max(Math.min(width / extent.width, HEIGHT / extent.height, 1), SCALE.least) })}>
          {texts.t('field.fit')}
        </button>
      </div>
    </div>
  );
}
