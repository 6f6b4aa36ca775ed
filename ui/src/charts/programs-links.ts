// Dependencies of transaction programs as lines of a graph: those of the cycle one by one and with their direction, all
// others as one line for each two programs. Pure.
import type { AdvisorEdge, DependencyKind, Witness } from '../api/rest.ts';

/** All dependencies of a kind from one program to another. */
export interface ProgramLink {
  key: string;
  from: string;
  to: string;
  kind: DependencyKind;
  edges: AdvisorEdge[];
  /** Its places in the cycle, from 1. */
  steps: number[];
}

/** Two programs that meet, perhaps one with itself, outside the cycle. */
export interface ProgramPair {
  key: string;
  from: string;
  to: string;
  links: ProgramLink[];
}

/** Dependencies by programs and kind, those of the cycle first. */
export function linksOf(edges: readonly AdvisorEdge[], witness: Witness | undefined): ProgramLink[] {
  const links = new Map<string, ProgramLink>();
  const link = (from: string, to: string, kind: DependencyKind): ProgramLink => {
    const key = `${from}>${to}>${kind}`;
    const found = links.get(key) ?? { key, from, to, kind, edges: [], steps: [] };
    links.set(key, found);
    return found;
  };
  const programOf = (index: number) => witness?.transactions[index]?.program ?? '';
  for (const [index, dependency] of (witness?.cycle ?? []).entries()) {
    link(programOf(dependency.from), programOf(dependency.to), dependency.kind).steps.push(index + 1);
  }
  for (const edge of edges) link(edge.from, edge.to, edge.kind).edges.push(edge);
  return [...links.values()];
}

/** What two programs have with each other outside the cycle; two between which the cycle runs are none. */
export function pairsOf(links: readonly ProgramLink[]): ProgramPair[] {
  const pairs = new Map<string, ProgramPair>();
  for (const link of links) {
    const [from, to] = [link.from, link.to].toSorted() as [string, string];
    const key = `pair/${from}|${to}`;
    const pair = pairs.get(key) ?? { key, from, to, links: [] };
    pairs.set(key, { ...pair, links: [...pair.links, link] });
  }
  return [...pairs.values()].filter((pair) => pair.links.every((link) => link.steps.length === 0));
}

/** The kinds of a pair in words of the field: what is read against a write is a wr one way and an rw the other. */
export function kindsOf(pair: ProgramPair): DependencyKind[] {
  const has = (kind: DependencyKind) => pair.links.some((link) => link.kind === kind);
  const kinds = (['rw', 'ww'] as const).filter(has);
  return kinds.length > 0 ? [...kinds] : ['wr'];
}

/** Whether the first of the two reads what the other overwrites, and the other way round. */
export function readersOf(pair: ProgramPair): { from: boolean; to: boolean } {
  const reads = (from: string, to: string) => pair.links.some((link) => link.kind === 'rw' && link.from === from && link.to === to);
  return { from: reads(pair.from, pair.to), to: reads(pair.to, pair.from) };
}
