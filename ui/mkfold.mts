import { writeFileSync } from 'node:fs';
import { emptyMoment, fold } from '/work/ui/ui/src/api/timeline.ts';
import { deadlock, everything, writeSkew, session } from '/work/ui/ui/test/fixtures/stories.ts';
const vec = (name: string, changes: any[]) => { const m = emptyMoment(); for (const c of changes) fold(m, c); return { name, changes, moment: { seq: m.seq, items: Object.fromEntries([...m.items].sort(([a],[b]) => a < b ? -1 : 1)) } }; };
const c = (seq: number, put: any[], drop: string[] = [], more: any = { cause: 'sample' }) => ({ seq, unix_us: seq * 1000, ...more, put, drop });
const clean = (v: any) => JSON.parse(JSON.stringify(v, (k, x) => (k === 'put' || k === 'drop') && Array.isArray(x) && x.length === 0 ? undefined : x));
const out = [
  vec('a deadlock of three', deadlock().changes),
  vec('write skew', writeSkew().changes),
  vec('every shape of a version', everything().changes),
  vec('an item that is dropped and put by one change stays', [c(1, [session(1,'A',{query:'a'})]), c(2, [session(1,'A',{query:'b'})], ['session/1'])]),
  vec('a change that comes again is passed over', [c(1, [session(1,'A',{query:'a'})]), c(1, [], ['session/1'])]),
  vec('nothing is folded after a gap', [c(1, [session(1,'A',{query:'a'})]), c(3, [], ['session/1'])]),
];
writeFileSync('/work/ui/fixtures/timeline/fold.json', JSON.stringify(clean(out), null, 1) + '\n');
