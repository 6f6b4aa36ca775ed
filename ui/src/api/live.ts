// The WebSocket: one for the whole page. It watches one thing at a time, comes back after a loss where it was, and asks
// for a moment when something is missing. It knows nothing of React; whoever listens is told that there is something new.
import { Log } from '../state/log.ts';
import type { ClientMessage, ProblemBody, Run, ServerMessage, Statement, Watch } from './rest.ts';
import { momentOf } from './timeline.ts';

const RETRY_FIRST_MS = 400;
const RETRY_MOST_MS = 8000;
/** A connection that says nothing for so long is asked whether it is there. */
const PING_EVERY_MS = 20_000;

export type Connection = 'idle' | 'connecting' | 'open' | 'lost';

/** What a test puts in place of the browser's own. */
export type Opener = () => WebSocket;

const openHere: Opener = () => {
  const address = new URL('api/live', document.baseURI);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  return new WebSocket(address);
};

export class Live {
  log = new Log();
  connection: Connection = 'idle';
  problem: ProblemBody | undefined;
  /** What came about runs and consoles, by id; the newest of each. */
  readonly runs = new Map<string, Run>();
  readonly statements = new Map<string, Statement>();
  /** Counts what was told. */
  version = 0;

  private socket: WebSocket | undefined;
  private watched: Watch = {};
  private logName: string | undefined;
  private retryMs = RETRY_FIRST_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pinging: ReturnType<typeof setInterval> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly open: Opener = openHere) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Looks at this from now on. */
  watch(watch: Watch): void {
    if (this.socket && JSON.stringify(watch) === JSON.stringify(this.watched)) return;
    this.watched = watch;
    this.problem = undefined;
    this.logName = undefined;
    if (this.connection === 'open') this.ask();
    else if (!this.socket) this.connect();
  }

  /** Connects without a wish of its own: runs and consoles are told of whatever is looked at. */
  join(): void {
    if (!this.socket) this.connect();
  }

  /** What is looked at. */
  get watching(): Watch {
    return this.watched;
  }

  close(): void {
    clearTimeout(this.timer);
    clearInterval(this.pinging);
    const socket = this.socket;
    this.socket = undefined;
    this.connection = 'idle';
    socket?.close();
  }

  private connect(): void {
    clearTimeout(this.timer);
    this.connection = this.connection === 'lost' ? 'lost' : 'connecting';
    const socket = this.open();
    this.socket = socket;
    socket.addEventListener('open', () => {
      if (this.socket !== socket) return;
      this.connection = 'open';
      this.retryMs = RETRY_FIRST_MS;
      this.ask();
      this.pinging = setInterval(() => this.send({ type: 'ping' }), PING_EVERY_MS);
      this.tell();
    });
    socket.addEventListener('message', (event) => {
      if (this.socket === socket) this.take(JSON.parse(String(event.data)) as ServerMessage);
    });
    socket.addEventListener('close', () => {
      if (this.socket !== socket) return;
      clearInterval(this.pinging);
      this.connection = 'lost';
      this.timer = setTimeout(() => this.connect(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MOST_MS);
      this.tell();
    });
  }

  /** Asks to go on after the last change that is here; for a moment if the log is another one. */
  private ask(): void {
    const resume = this.logName === undefined ? {} : { log: this.logName, after: this.log.last };
    this.send({ type: 'watch', ...this.watched, ...resume });
  }

  private send(message: ClientMessage): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  private take(message: ServerMessage): void {
    switch (message.type) {
      case 'moment':
        this.takeMoment(message);
        break;
      case 'change':
        if (!this.log.push(message)) {
          // Something is missing between: a moment mends it.
          this.logName = undefined;
          this.ask();
        }
        break;
      case 'resumed':
        // The watch was set anew meanwhile: what follows belongs to what is no longer watched.
        if (message.log !== this.logName) return;
        break;
      case 'problem':
        this.problem = message.problem;
        break;
      case 'run': {
        const { run } = message;
        if ((this.runs.get(run.id)?.version ?? -1) < run.version) this.runs.set(run.id, run);
        break;
      }
      case 'statement': {
        const { statement } = message;
        if ((this.statements.get(statement.console)?.number ?? 0) <= statement.number) this.statements.set(statement.console, statement);
        break;
      }
      case 'lagged':
      case 'pong':
        return;
    }
    this.tell();
  }

  /** A moment of the log that is here goes on from it, and keeps what came before; one of another begins anew. */
  private takeMoment(message: Extract<ServerMessage, { type: 'moment' }>): void {
    const moment = momentOf(message.seq, message.at?.unix_us ?? 0, message.items, message.at?.lsn);
    if (message.log === this.logName && message.seq === this.log.last) return;
    this.log = new Log(moment);
    this.logName = message.log;
    this.problem = undefined;
  }

  private tell(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}
