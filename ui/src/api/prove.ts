// One proof over one WebSocket: what happens on the server, message by message. It knows nothing of React.
import type { ProveMessage, ProveRequest, ProveShow, Question } from './rest.ts';

/** What a test puts in place of the browser's own. */
export type Opener = () => WebSocket;

const openHere: Opener = () => {
  const address = new URL('api/advisor/prove', document.baseURI);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  return new WebSocket(address);
};

export interface Proving {
  /** Asks for its end; the last message says that it is over. */
  cancel: () => void;
  /** Ends it without a word. */
  close: () => void;
}

/** Has a verdict proved. `end` is told once, with whether the server said its last word. */
export function prove(question: Question, show: ProveShow, told: (message: ProveMessage) => void, end: (isWhole: boolean) => void, open: Opener = openHere): Proving {
  const socket = open();
  const say = (request: ProveRequest) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(request));
  let isWhole = false;
  let isClosed = false;
  socket.addEventListener('open', () => say({ type: 'prove', question, show }));
  socket.addEventListener('message', (event: MessageEvent<string>) => {
    if (isClosed) return;
    const message = JSON.parse(event.data) as ProveMessage;
    isWhole ||= message.type === 'done' || message.type === 'problem';
    told(message);
  });
  socket.addEventListener('close', () => !isClosed && end(isWhole));
  return {
    cancel: () => say({ type: 'cancel' }),
    close: () => {
      isClosed = true;
      socket.close();
    },
  };
}
