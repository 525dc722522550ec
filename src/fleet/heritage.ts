// What a new generation has from the old one: the listening sockets, and a channel by which it says that it is ready,
// or why it will not be, and hears who is still there before it.

import { setTimeout as delay } from 'node:timers/promises';
import type { GenerationView } from '../admin/generations.ts';
import type { KeptSecret } from '../net/ticket-secrets.ts';
import { HANDOVER_VARIABLE, readDownward, readHandover, type Upward } from './generation-messages.ts';

/** Of what a process that fails has said, the end is told to the old one. */
const SAID_CHARACTERS_MAX = 4_000;

/** For the old one to tell what to go on with. It does so at once. */
const KEPT_MS = 10_000;

/** `revoked`: lines of the file for that. */
interface Kept {
  readonly tickets: KeptSecret;
  readonly revoked: readonly string[];
}

/** A process with a channel to its parent, such as Node's `process`. */
interface Channel {
  readonly env: Record<string, string | undefined>;
  readonly connected?: boolean;
  send?(message: unknown, handle: undefined, options: undefined, done: (error: Error | null) => void): boolean;
  on(name: 'message', listener: (message: unknown) => void): unknown;
  on(name: 'disconnect', listener: () => void): unknown;
}

export class Heritage {
  /** By what they are for; null: an old one of another version says it in another way. */
  readonly sockets: ReadonlyMap<string, number> | null;
  /** Those before this one that are still there. */
  before: readonly GenerationView[] = [];
  /** Resolves when the old one is. */
  readonly gone: Promise<void>;
  private readonly channel: Channel;
  private readonly revoked: string[] = [];
  private readonly whole: Promise<Kept>;
  private said = '';
  private isReady = false;

  private constructor(text: string, channel: Channel) {
    this.sockets = readHandover(text);
    this.channel = channel;
    this.whole = new Promise((resolve) => {
      channel.on('message', (message) => {
        const told = readDownward(message);
        if (told?.kind === 'before') this.before = told.generations;
        else if (told?.kind === 'revoked') this.revoked.push(...told.lines);
        else if (told?.kind === 'kept') resolve({ tickets: told.tickets, revoked: this.revoked });
      });
    });
    this.gone = new Promise((resolve) => {
      const gone = (): void => {
        this.before = [];
        resolve();
      };
      channel.on('disconnect', gone);
      channel.on('message', (message) => {
        if (readDownward(message)?.kind === 'gone') gone();
      });
    });
  }

  /** Null: this one has nothing from anybody. The variable is gone from the environment then. */
  static of(channel: Channel): Heritage | null {
    const { [HANDOVER_VARIABLE]: text } = channel.env;
    delete channel.env[HANDOVER_VARIABLE];
    return text === undefined ? null : new Heritage(text, channel);
  }

  /** What to go on with; null: the old one has not told it in time. */
  kept(): Promise<Kept | null> {
    return Promise.race([this.whole, delay(KEPT_MS, null)]);
  }

  /** What this process complains of, in case it does not become ready. */
  note(text: string): void {
    this.said = `${this.said}${text}`.slice(-SAID_CHARACTERS_MAX);
  }

  /** Resolves when the old one has it. */
  ready(): Promise<void> {
    this.isReady = true;
    return this.tell({ kind: 'ready' });
  }

  failed(): Promise<void> {
    const why = this.said.trim();
    return why === '' || this.isReady ? Promise.resolve() : this.tell({ kind: 'failed', why });
  }

  private tell(message: Upward): Promise<void> {
    const { channel } = this;
    if (channel.connected !== true) return Promise.resolve();
    return new Promise((resolve) => {
      if (channel.send === undefined) resolve();
      else channel.send(message, undefined, undefined, () => resolve());
    });
  }
}
