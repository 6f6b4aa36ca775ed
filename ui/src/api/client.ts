// Requests to the server. A refusal is a `Problem`, which carries what the server says to do about it.
import type * as Rest from './rest.ts';

/** A request that was refused, or did not arrive. */
export class Problem extends Error {
  readonly body: Rest.ProblemBody;

  constructor(body: Rest.ProblemBody) {
    super(body.detail);
    this.name = 'Problem';
    this.body = body;
  }
}

export function problemOf(error: unknown): Rest.ProblemBody {
  if (error instanceof Problem) return error.body;
  const detail = error instanceof Error ? error.message : String(error);
  return { title: 'no answer', status: 0, code: 'no-answer', detail };
}

/** A key that makes a request safe to send twice. */
export function drawKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What the server answers, as the text that it is. */
async function sendForText(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<string> {
  const isBytes = body instanceof Blob;
  const headers: Record<string, string> = body === undefined ? {} : { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' };
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (body !== undefined) init.body = isBytes ? body : JSON.stringify(body);
  if (signal) init.signal = signal;
  const response = await fetch(path, init);
  const text = await response.text();
  if (!response.ok) throw new Problem(problemIn(text, response.status));
  return text;
}

async function send<Body>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Body> {
  const text = await sendForText(method, path, body, signal);
  return (text === '' ? undefined : JSON.parse(text)) as Body;
}

function problemIn(text: string, status: number): Rest.ProblemBody {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'detail' in body) return body as Rest.ProblemBody;
  } catch {
    // Something between us and the server answered; its text is all there is.
  }
  return { title: `HTTP ${status}`, status, code: 'http', detail: text.slice(0, 300) || `HTTP ${status}` };
}

const at = (...parts: (string | number)[]) => `api/${parts.map((part) => encodeURIComponent(part)).join('/')}`;

export const api = {
  status: (signal?: AbortSignal) => send<Rest.Status>('GET', at('status'), undefined, signal),
  tables: () => send<Rest.Tables>('GET', at('tables')),

  scenes: () => send<Rest.SceneCard[]>('GET', at('scenes')),
  scene: (name: string) => send<Rest.Scene>('GET', at('scenes', name)),
  openScene: (name: string) => send<Rest.Scene>('POST', at('scenes', name, 'open')),
  playStep: (name: string, step: number) => send<Rest.Scene>('POST', at('scenes', name, 'step'), { step }),
  closeScene: (name: string) => send<undefined>('POST', at('scenes', name, 'close')),

  consoles: () => send<Rest.Console[]>('GET', at('consoles')),
  openConsole: (name: string) => send<Rest.Console>('POST', at('consoles'), { key: drawKey(), name }),
  runStatement: (id: string, sql: string) => send<Rest.Statement>('POST', at('consoles', id, 'run'), { key: drawKey(), sql, wait_ms: 400 }),
  statement: (id: string, number: number, wait_ms: number) => send<Rest.Statement>('GET', `${at('consoles', id, 'statements', number)}?wait_ms=${wait_ms}`),
  cancelStatement: (id: string) => send<undefined>('POST', at('consoles', id, 'cancel')),
  closeConsole: (id: string) => send<undefined>('DELETE', at('consoles', id)),
  scenario: () => send<Rest.Scenario>('GET', at('consoles', 'scenario')),

  recordings: () => send<Rest.Recording[]>('GET', at('recordings')),
  recording: (id: string) => send<Rest.Recording>('GET', at('recordings', id)),
  startRecording: (name: string, watch: Rest.Watch) => send<Rest.Recording>('POST', at('recordings'), { name, watch }),
  stopRecording: (id: string) => send<Rest.Recording>('POST', at('recordings', id, 'stop')),
  removeRecording: (id: string) => send<undefined>('DELETE', at('recordings', id)),
  changes: (id: string, after: number) => send<Rest.Changes>('GET', `${at('recordings', id, 'changes')}?after=${after}&limit=1000`),
  recordedMoment: (id: string, seq: number) => send<Rest.LiveMoment>('GET', `${at('recordings', id, 'moment')}?seq=${seq}`),
  seen: (id: string, lsn: string) => send<Rest.LiveMoment>('GET', `${at('recordings', id, 'seen')}?lsn=${encodeURIComponent(lsn)}`),
  importRecording: (file: Blob) => send<Rest.Recording>('POST', at('recordings', 'import'), file),
  exportAddress: (id: string) => at('recordings', id, 'export'),
  fileAddress: (id: string) => at('recordings', id, 'file'),

  advisorExamples: () => send<Rest.Example[]>('GET', at('advisor', 'examples')),
  advisorForm: () => send<Rest.AdvisorForm>('GET', at('advisor', 'form')),
  analyse: (question: Rest.Question, signal?: AbortSignal) => send<Rest.Analysed>('POST', at('advisor', 'analyse'), question, signal),
  decide: (question: Rest.Question, signal?: AbortSignal) => send<Rest.Decision>('POST', at('advisor', 'decide'), question, signal),
  advisorLog: (file: Blob) => send<Rest.AdvisorLog>('POST', at('advisor', 'log'), file),
  advisorCode: (wanted: Rest.AdvisorCodeRequest) => send<Rest.AdvisorCode>('POST', at('advisor', 'code'), wanted),
  advisorRecord: (question: Rest.Question, language: string) => sendForText('POST', `${at('advisor', 'record')}?lang=${language}`, question),
  decisions: () => send<Rest.DecisionEntry[]>('GET', at('advisor', 'decisions')),
  decision: (id: string) => send<Rest.DecisionDetail>('GET', at('advisor', 'decisions', id)),
  saveDecision: (question: Rest.Question) => send<Rest.DecisionDetail>('POST', at('advisor', 'decisions'), question),
  noteDecision: (id: string, body: string) => send<Rest.DecisionDetail>('POST', at('advisor', 'decisions', id, 'notes'), { key: drawKey(), body }),
  decisionAddress: (id: string, as: 'md' | 'json', language: string) => `${at('advisor', 'decisions', id, 'export')}?as=${as}&lang=${language}`,

  studies: () => send<Rest.Studies>('GET', at('studies')),
  runs: () => send<Rest.Run[]>('GET', at('runs')),
  run: (id: string) => send<Rest.RunDetail>('GET', at('runs', id)),
  startRun: (request: Rest.RunRequest) => send<Rest.Run>('POST', at('runs'), request),
  cancelRun: (id: string) => send<Rest.Run>('DELETE', at('runs', id)),
  records: () => send<Rest.RecordEntry[]>('GET', at('records')),
  record: (id: string) => send<Rest.RecordDetail>('GET', at('records', id)),
  reportAddress: (id: string, language: string) => `${at('records', id, 'report')}?lang=${language}`,
  chartAddress: (id: string, chart: string, language: string) => `${at('records', id, 'charts', chart)}?lang=${language}`,
  compare: (before: string, after: string) => send<Rest.RecordComparison>('GET', `${at('records', 'compare')}?${new URLSearchParams({ before, after })}`),
};
