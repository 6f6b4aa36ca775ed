// Where things stand: nothing on top of anything, circles found, long chains laid out without hanging.
import { describe, expect, test } from 'vitest';

import type { PutOf } from '../../src/api/timeline.ts';
import { chainLayout } from '../../src/charts/chain-layout.ts';
import { graphLayout, onCircles } from '../../src/charts/graph-layout.ts';
import { everyVersion, keyOf, many, version } from '../fixtures/stories.ts';

const versions = (items = everyVersion()) => items.filter((item) => item.kind === 'version') as PutOf<'version'>[];

describe('chains', () => {
  const layout = chainLayout(versions());
  const node = (block: number, offset: number, xmin: number) => layout.nodes.find((each) => each.key === keyOf(block, offset, xmin))!;

  test('a row is a band, and its versions follow each other', () => {
    expect(layout.bands.map((band) => band.row)).toEqual(['1', '2', '3', '4']);
    expect([node(0, 1, 740), node(0, 3, 744), node(0, 5, 755), node(0, 6, 758)].map((each) => each.column)).toEqual([0, 1, 2, 3]);
  });

  test('what was rolled back hangs below its parent as a branch', () => {
    expect(node(0, 4, 751).lane).toBe(1);
    expect(node(0, 4, 751).column).toBe(2);
    expect(layout.links).toContainEqual({ from: keyOf(0, 3, 744), to: keyOf(0, 4, 751), how: 'chain' });
  });

  test('a guessed parent is a guess, a ctid is a chain', () => {
    expect(layout.links).toContainEqual({ from: keyOf(0, 5, 755), to: keyOf(0, 6, 758), how: 'guess' });
    expect(layout.links).toContainEqual({ from: keyOf(0, 3, 744), to: keyOf(0, 5, 755), how: 'chain' });
  });

  test('a line pointer that is used again is not taken for the next version', () => {
    const reused = [version('1', 0, 1, 700, { xmax: 701, xmax_kind: 'update', xmax_state: 'committed', next: [0, 2], fate: 'replaced' }), version('2', 0, 2, 799)];
    expect(chainLayout(versions(reused)).links).toEqual([]);
  });

  test('versions between which something is gone are joined by a gap', () => {
    const apart = [version('1', 0, 1, 700, { fate: 'replaced' }), version('1', 0, 9, 740)];
    expect(chainLayout(versions(apart)).links).toEqual([{ from: keyOf(0, 1, 700), to: keyOf(0, 9, 740), how: 'gap' }]);
  });

  test('parents in a circle do not hang it', () => {
    const circle = [version('1', 0, 1, 700, { parent: keyOf(0, 2, 701) }), version('1', 0, 2, 701, { parent: keyOf(0, 1, 700) })].map((each) => ({ ...each, row: undefined }));
    expect(() => chainLayout(circle as unknown as PutOf<'version'>[])).not.toThrow();
  });

  test('no two versions share a place, among 100,000 of one row as well', () => {
    for (const all of [versions(), versions(many(5000)), versions(many(100_000, 100_000))]) {
      const places = new Set(chainLayout(all).nodes.map((each) => `${each.lane}/${each.column}`));
      expect(places.size).toBe(all.length);
    }
  });
});

describe('graphs', () => {
  const edge = (from: string, to: string) => ({ from, to });
  test('finds circles and what does not belong to them', () => {
    const edges = [edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('d', 'a'), edge('e', 'f'), edge('f', 'e')];
    expect(onCircles(['a', 'b', 'c', 'd', 'e', 'f'], edges).map((group) => group.join('')).toSorted()).toEqual(['abc', 'ef']);
  });

  test('nodes never overlap and never leave the width', () => {
    for (const count of [1, 2, 3, 5, 12, 24]) {
      const ids = Array.from({ length: count }, (_, index) => `n${index}`);
      for (const edges of [[], ids.map((id, index) => edge(id, ids[(index + 1) % count]!)), ids.slice(1).map((id) => edge(id, 'n0'))]) {
        const { places, width } = graphLayout(ids, edges, { width: 348, nodeWidth: 118, nodeHeight: 40, gap: 44 });
        expect(places.size).toBe(count);
        const list = [...places.values()];
        for (const [index, one] of list.entries()) {
          expect(one.x - 59).toBeGreaterThanOrEqual(-0.5);
          expect(one.x + 59).toBeLessThanOrEqual(width + 0.5);
          for (const other of list.slice(index + 1)) expect(Math.abs(one.x - other.x) >= 117 || Math.abs(one.y - other.y) >= 39).toBe(true);
        }
      }
    }
  });
});
