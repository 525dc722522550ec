// What a new generation has from the old one: the listening sockets, and a channel by which it says that it is ready,
// or why it will not be, and hears who is still there before it.

import type { GenerationView } from '../admin/generations.ts';
import { HANDOVER_VARIABLE, readDownward, readHandover, type Upward } from './generation-messages.ts';

/** Of what a process that fails has said, the end is told to the old one. */
const SAID_CHARACTERS_MAX = 4_000;

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
  private readonly channel: Channel;
  private said = '';
  private isReady = false;

  private constructor(text: string, channel: Channel) {
    this.sockets = readHandover(text);
    this.channel = channel;
    channel.on('message', (message) => {
      this.before = readDownward(message)?.generations ?? this.before;
    });
    channel.on('disconnect', () => {
      this.before = [];
    });
  }

  /** Null: this one has nothing from anybody. The variable is gone from the environment then. */
  static of(channel: Channel): Heritage | null {
    const { [HANDOVER_VARIABLE]: text } = channel.env;
    delete channel.env[HANDOVER_VARIABLE];
    return text === undefined ? null : new Heritage(text, channel);
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
