// The listeners of the config in force: binds them, and moves to those of the next config without a gap.

import type { ListenerConfig } from '../config/types.ts';
import type { LiveListener } from '../edge/arrival.ts';
import type { Edge } from '../edge/edge.ts';
import type { Carrier } from '../net/carrier.ts';
import { addressText, type BoundAddress, type ListeningSocket } from '../net/listen.ts';
import { HandedSockets, listenerKey } from './handed-sockets.ts';
import { type Acceptor, Listener, type ListenerOptions } from './listener.ts';

/** Listeners of the next config that were bound already, and what becomes of the others. */
export interface Move {
  /** From here on the next config's listeners are the ones; those that are gone accept no more. */
  commit(): void;
  /** Stay with what was; what was bound for this accepts no more. */
  abort(): void;
}

/** Other processes, which carry whoever comes in. */
interface Elsewhere {
  readonly acceptor: Acceptor;
  /** Those that are bound now. Whoever comes in by another one is not taken there. */
  setListeners(listeners: readonly LiveListener[]): void;
}

/** An address that cannot be bound. */
export class BindError extends Error {
  readonly index: number;

  constructor(message: string, index: number, options: ErrorOptions) {
    super(message, options);
    this.name = 'BindError';
    this.index = index;
  }
}

export class Listeners {
  private readonly edge: Edge;
  private readonly elsewhere: () => Elsewhere | null;
  private readonly options: ListenerOptions;
  private bound: readonly Listener[] = [];
  private closed = false;

  constructor(edge: Edge, carrier: Carrier, handed = new HandedSockets(), elsewhere: () => Elsewhere | null = nowhere) {
    this.edge = edge;
    this.elsewhere = elsewhere;
    this.options = { carrier, handed, acceptor: () => elsewhere()?.acceptor ?? acceptorOf(edge) };
  }

  /** In the order of the config. */
  get all(): readonly Listener[] {
    return this.bound;
  }

  /** Of that name, or the first. */
  addressOf(name?: string): BoundAddress | string {
    const one = this.bound.find(({ config }) => name === undefined || config.name === name);
    if (one === undefined) throw new Error(`no listener ${name ?? ''} is bound`);
    return one.address;
  }

  /** The listening sockets, by their keys. */
  get sockets(): ReadonlyMap<string, ListeningSocket> {
    return new Map(
      this.bound.flatMap(({ config, socket }) => (socket === null ? [] : [[listenerKey(config), socket]])),
    );
  }

  /** Bind every listener of `configs` that is not bound yet. Rejects with BindError; nothing has changed then. */
  async prepare(configs: readonly ListenerConfig[]): Promise<Move> {
    const next: Listener[] = [];
    const isStart = this.bound.length === 0;
    const fresh: Listener[] = [];
    const abort = () => closeAll(fresh);
    for (const [index, config] of this.inOrder(configs)) {
      const known = this.find(config, next);
      try {
        const one = known ?? (await Listener.bind(config, this.options));
        if (known === undefined) fresh.push(one);
        next[index] = one;
        if (this.closed) throw new Error('stopped meanwhile');
        // At the start there is nothing that a failure would leave in force: what is bound is told at once.
        if (isStart) this.announce(one);
      } catch (error) {
        abort();
        const why = error instanceof Error ? error.message : String(error);
        throw new BindError(`cannot listen on ${config.address_text}: ${why}`, index, { cause: error });
      }
    }
    const commit = () => {
      if (this.closed) return abort();
      const gone = this.bound.filter((one) => !next.includes(one));
      for (const [index, one] of next.entries()) one.retune(configs[index] ?? one.config);
      this.bound = next;
      this.elsewhere()?.setListeners(next.map(({ live }) => live));
      this.edge.ports = new Map(next.map(({ config, port }) => [config.name, port]));
      if (!isStart) for (const one of fresh) this.announce(one);
      closeAll(gone);
      // Clients that wait with their next request would bring it by a listener that is gone.
      if (gone.length > 0) for (const one of this.edge.plain.idleOnes) one.retune();
    };
    return { abort, commit };
  }

  /** Stop accepting everywhere, and for good. */
  async close(): Promise<void> {
    await Promise.all(this.letGo().map((one) => one.close()));
  }

  /** The same where another process goes on with the sockets. */
  async leave(): Promise<void> {
    await Promise.all(this.letGo().map((one) => one.leave()));
  }

  private letGo(): readonly Listener[] {
    this.closed = true;
    const { bound } = this;
    this.bound = [];
    return bound;
  }

  /** What was handed over comes last: whoever is let in there would be lost if another one cannot be bound. */
  private inOrder(configs: readonly ListenerConfig[]): readonly (readonly [number, ListenerConfig])[] {
    const { handed } = this.options;
    const isHanded = ([, config]: readonly [number, ListenerConfig]) => Number(handed.has(listenerKey(config)));
    return [...configs.entries()].sort((a, b) => isHanded(a) - isHanded(b));
  }

  /** The bound one with this address; several may have port 0, so the one of this name comes first. */
  private find(config: ListenerConfig, taken: readonly Listener[]): Listener | undefined {
    const fitting = this.bound.filter((one) => !taken.includes(one) && one.isOf(config));
    return fitting.find((one) => one.config.name === config.name) ?? fitting[0];
  }

  private announce({ config, address }: Listener): void {
    this.edge.log.event('info', 'listening', { listener: config.name, address: addressText(address) });
  }
}

function nowhere(): null {
  return null;
}

function acceptorOf(edge: Edge): Acceptor {
  return { carried: 'here', accept: (client, listener) => edge.accept(client, listener) };
}

/** Nobody waits for the connections that came in by them. */
function closeAll(listeners: readonly Listener[]): void {
  for (const one of listeners) void one.close();
}
