// Clients in a process of their own, thousands of sessions at once: they send numbered messages until their Close,
// or messages that must come back byte for byte.

import { answerMessages } from '../../bench/support/child-process.ts';
import { Random } from '../support/random.ts';
import { binary, closeFrame, closeOf, type Frame, frame, Opcode, text } from '../support/wire.ts';
import { PeerSocket } from './peer-socket.ts';

export type ClientRequest =
  /** Opens `count` sessions, each on `path` and its index. With `returns` whoever is told 1012 opens another. */
  | {
      readonly kind: 'open';
      readonly port: number;
      readonly path: string;
      readonly count: number;
      readonly seed: number;
      readonly returns?: boolean;
    }
  /** Every session sends in turn, each once in `everyMs`. */
  | { readonly kind: 'load'; readonly load: 'numbers' | 'echo'; readonly everyMs: number }
  /** No more messages; answers once every echo is back. */
  | { readonly kind: 'rest' }
  /** Answers once no session is open, or after `deadlineMs`. */
  | { readonly kind: 'ended'; readonly deadlineMs: number }
  | { readonly kind: 'tally' };

export interface ClientSession {
  readonly path: string;
  /** Messages sent, all of them before its own Close; echoes that came back. */
  readonly sent: number;
  readonly echoes: number;
  readonly fault: string | null;
  readonly closeCode: number | null;
  /** When the Close came, in milliseconds since 1970, with fractions. */
  readonly closeAt: number | null;
  readonly ended: string | null;
}

export interface ClientReply {
  readonly sessions: readonly ClientSession[];
}

const AT_ONCE = 64;
const TURN_MS = 10;
const ECHO_BYTES_MAX = 4096;
const MASK = { mask: true } as const;

/** One session. The only reader and writer of its socket. */
class Client {
  readonly state: { -readonly [Key in keyof ClientSession]: ClientSession[Key] };
  awaited: Buffer | null = null;
  onClose: (code: number) => void = () => {};
  private readonly peer: PeerSocket;
  private readonly random: Random;

  constructor(peer: PeerSocket, path: string, random: Random) {
    this.peer = peer;
    this.random = random;
    this.state = { path, sent: 0, echoes: 0, fault: null, closeCode: null, closeAt: null, ended: null };
    peer.onFrame = (received) => this.take(received);
    peer.onEnded = () => {
      this.state.ended = peer.ended;
    };
  }

  get isOpen(): boolean {
    return this.state.ended === null && this.state.closeCode === null;
  }

  sendNumber(): void {
    this.peer.write(this.nextNumber());
  }

  /** One at a time: the next goes when the last is back. */
  sendEcho(): void {
    if (this.awaited !== null) return;
    this.awaited = this.random.bytes(this.random.between(0, ECHO_BYTES_MAX));
    this.state.sent += 1;
    this.peer.write(binary(this.awaited, MASK));
  }

  private nextNumber(): Buffer {
    const message = text(String(this.state.sent), MASK);
    this.state.sent += 1;
    return message;
  }

  private take(received: Frame): void {
    switch (received.opcode) {
      case Opcode.Close:
        this.answerClose(closeOf(received).code ?? 1005);
        return;
      case Opcode.Ping:
        this.peer.write(frame({ opcode: Opcode.Pong, payload: received.payload, mask: true }));
        return;
      case Opcode.Binary:
        if (this.awaited === null || !received.payload.equals(this.awaited)) {
          this.state.fault ??= `an echo of ${received.payload.length} bytes, not ${this.awaited?.length ?? 'any'}`;
        }
        this.awaited = null;
        this.state.echoes += 1;
        return;
      default:
    }
  }

  /** Some have a last word in the same write, some in one before, some none. */
  private answerClose(code: number): void {
    if (this.state.closeCode !== null) return;
    this.state.closeCode = code;
    this.state.closeAt = performance.timeOrigin + performance.now();
    this.onClose(code);
    const last = this.state.sent === 0 ? 0 : this.random.between(0, 3);
    const words = Array.from({ length: last }, () => this.nextNumber());
    const answer = closeFrame(code === 1005 ? null : code, '', MASK);
    if (this.random.chance(0.5)) {
      for (const bytes of [...words, answer]) this.peer.write(bytes);
    } else this.peer.write(Buffer.concat([...words, answer]));
  }
}

const RESTART = 1012;

// At most the sessions that were asked for, and as many as came back.
const clients: Client[] = [];
let timer: NodeJS.Timeout | undefined;

answerMessages<ClientRequest, ClientReply>(async (request) => {
  switch (request.kind) {
    case 'open':
      await open(request);
      break;
    case 'load':
      startLoad(request.load, request.everyMs);
      break;
    case 'rest':
      clearInterval(timer);
      await until(30_000, () => clients.every(({ awaited, isOpen }) => awaited === null || !isOpen));
      break;
    case 'ended':
      await until(request.deadlineMs, () => clients.every(({ state }) => state.ended !== null));
      clearInterval(timer);
      break;
    default:
  }
  return { sessions: request.kind === 'open' ? [] : clients.map(({ state }) => state) };
});

async function open(request: ClientRequest & { kind: 'open' }): Promise<void> {
  const { port, path, count, seed, returns = false } = request;
  let next = 0;
  const openOne = async (index: number): Promise<void> => {
    const peer = await PeerSocket.open(port, `${path}${index}`);
    const client = new Client(peer, `${path}${index}`, new Random(Random.caseSeed(seed, index)));
    clients.push(client);
    if (!returns) return;
    client.onClose = (code) => {
      if (code === RESTART) void openOne(index);
    };
  };
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await openOne(index);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** By the clock, so that a turn that came late is made up for. */
function startLoad(load: 'numbers' | 'echo', everyMs: number): void {
  const startedAt = performance.now();
  let turns = 0;
  timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / everyMs) * clients.length);
    // Behind by more than all of them, it leaves some out.
    turns = Math.max(turns, due - clients.length);
    for (; turns < due; turns += 1) {
      const client = clients[turns % clients.length];
      if (client === undefined || !client.isOpen) continue;
      if (load === 'numbers') client.sendNumber();
      else client.sendEcho();
    }
  }, TURN_MS);
}

async function until(deadlineMs: number, isSo: () => boolean): Promise<void> {
  const endAt = performance.now() + deadlineMs;
  while (!isSo() && performance.now() < endAt) await new Promise((resolve) => setTimeout(resolve, TURN_MS));
}
