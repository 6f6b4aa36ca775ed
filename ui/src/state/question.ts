// The question of the advisor's page, and its way into a link and back. A link may come from anybody: what is in it is
// looked at field by field, and nothing of it is run.
import type { Level, Question, Requirement } from '../api/rest.ts';

export const LEVELS = ['read_committed', 'repeatable_read', 'serializable'] as const satisfies readonly Level[];

/** Letters of a link beyond which it is kept on the server instead. */
export const LINK_LETTERS = 6000;
/** Letters of a link that are looked at at all. */
const LINK_MOST = 16_000;
/** Bytes that a link may unpack to. */
const TEXT_MOST = 256 * 1024;
/** Marks how a link is packed. */
const FORMAT = '1.';

export function emptyQuestion(): Question {
  return { title: '', schema: '', sources: [{ name: 'programs.sql', text: '' }], requirement: {}, levels: {} } as Question;
}

/** A link that is none of ours. */
export class BadLink extends Error {}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts: BlobPart[] = [];
  let size = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    size += value.byteLength;
    if (size > most) {
      void reader.cancel();
      throw new BadLink('it unpacks to more than a question can be');
    }
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
}

/** JSON with the keys in order: the same question is the same text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return `{${entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

export async function pack(question: Question): Promise<string> {
  const text = new TextEncoder().encode(canonical(question));
  const bytes = await through(text, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  let letters = '';
  for (const byte of bytes) letters += String.fromCodePoint(byte);
  return FORMAT + btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export async function unpack(link: string): Promise<Question> {
  if (link.length > LINK_MOST) throw new BadLink('it is too long');
  if (!link.startsWith(FORMAT)) throw new BadLink('it is of another version, or none of ours');
  const letters = link.slice(FORMAT.length);
  if (!/^[\w-]+$/.test(letters)) throw new BadLink('it holds letters that no link of ours has');
  let value: unknown;
  try {
    const bytes = Uint8Array.from(atob(letters.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.codePointAt(0)!);
    const text = await through(bytes, new DecompressionStream('deflate-raw'), TEXT_MOST);
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (error) {
    if (error instanceof BadLink) throw error;
    throw new BadLink('it is damaged');
  }
  return questionOf(value);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes a field that must be of a kind, or not be there. */
function take<Value>(from: Record<string, unknown>, name: string, is: (value: unknown) => value is Value, absent: Value): Value {
  const value = from[name];
  if (value === undefined) return absent;
  if (!is(value)) throw new BadLink(`“${name}” is not what it should be`);
  return value;
}

function only(from: Record<string, unknown>, names: readonly string[]): void {
  const other = Object.keys(from).find((name) => !names.includes(name));
  if (other !== undefined) throw new BadLink(`it holds “${other.slice(0, 40)}”, which a question has not`);
}

/** A question of what came from outside. */
export function questionOf(value: unknown): Question {
  if (!isObject(value)) throw new BadLink('it holds no question');
  only(value, ['title', 'schema', 'sources', 'requirement', 'levels']);
  const sources = take(value, 'sources', Array.isArray as (list: unknown) => list is unknown[], []).map((source) => {
    if (!isObject(source) || !isText(source['name']) || !isText(source['text'])) throw new BadLink('a source has no name or no text');
    only(source, ['name', 'text']);
    return { name: source['name'], text: source['text'] };
  });
  const levels: Record<string, Level> = {};
  for (const [program, level] of Object.entries(take(value, 'levels', isObject, {}))) {
    const known = LEVELS.find((each) => each === level);
    if (!known) throw new BadLink('it names a level that there is not');
    levels[program] = known;
  }
  return {
    title: take(value, 'title', isText, ''),
    schema: take(value, 'schema', isText, ''),
    sources: sources.length > 0 ? sources : emptyQuestion().sources!,
    // Its fields are the server's to judge.
    requirement: take(value, 'requirement', isObject, {}) as Requirement,
    levels,
  };
}
