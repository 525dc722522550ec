// The bound listeners: binds those of a config, and moves to those of the next config without a gap. A listener is
// its address: what else changes is taken on by the one that is bound. It reads nothing; edge.ts gets the connections.

import type { ListenerConfig } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import { LiveListener } from '../edge/live-listener.ts';
import type { Carrier } from '../net/carrier.ts';
import { type BoundAddress, type Listening, listen } from '../net/listen.ts';

interface Bound {
  config: ListenerConfig;
  readonly listening: Listening;
  /** What connections are told they came in by. */
  readonly live: LiveListener;
}

/** Listeners of the next config that were bound already, and what becomes of the others. */
export interface Move {
  /** From here on the next config's listeners are the ones; those that are gone accept no more. */
  commit(): void;
  /** Stay with what was; what was bound for this accepts no more. */
  abort(): void;
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
  private readonly carrier: Carrier;
  private bound: readonly Bound[] = [];
  private closed = false;

  constructor(edge: Edge, carrier: Carrier) {
    this.edge = edge;
    this.carrier = carrier;
  }

  /** In the order of the config. */
  *entries(): Generator<{ readonly config: ListenerConfig; readonly address: BoundAddress | string }> {
    for (const { config, listening } of this.bound) yield { config, address: listening.address };
  }

  /** Bind every listener of `configs` that is not bound yet. Rejects with BindError; nothing has changed then. */
  async prepare(configs: readonly ListenerConfig[]): Promise<Move> {
    const next: Bound[] = [];
    const isStart = this.bound.length === 0;
    const fresh: Bound[] = [];
    const abort = () => closeAll(fresh);
    for (const [index, config] of configs.entries()) {
      const known = this.find(config, next);
      try {
        const one = known ?? (await this.bind(config));
        if (known === undefined) fresh.push(one);
        next.push(one);
        if (this.closed) throw new Error('stopped meanwhile');
        // At the start there is nothing that a failure would leave in force: what is bound is told at once.
        if (isStart) this.announce(one);
      } catch (error) {
        abort();
        const why = error instanceof Error ? error.message : String(error);
        throw new BindError(`cannot listen on ${config.address_text}: ${why}`, index, { cause: error });
      }
    }
    return { abort, commit: () => this.replace(next, fresh, configs, isStart) };
  }

  /** Stop accepting everywhere, and for good. */
  async close(): Promise<void> {
    this.closed = true;
    const { bound } = this;
    this.bound = [];
    await Promise.all(bound.map(({ listening }) => listening.close()));
  }

  /** The bound one with this address; several may have port 0, so the one of this name comes first. */
  private find(config: ListenerConfig, taken: readonly Bound[]): Bound | undefined {
    const fitting = this.bound.filter((one) => !taken.includes(one) && addressKey(one.config) === addressKey(config));
    return fitting.find((one) => one.config.name === config.name) ?? fitting[0];
  }

  private async bind(config: ListenerConfig): Promise<Bound> {
    const { address, backlog } = config;
    let bound: Bound | null = null;
    const listening = await listen({
      address,
      backlog,
      carrier: this.carrier,
      onConnection: (client) => {
        if (bound === null) client.destroy();
        else this.edge.accept(client, bound.live);
      },
    });
    const port = typeof listening.address === 'string' ? 0 : listening.address.port;
    bound = { config, listening, live: new LiveListener(config, port) };
    return bound;
  }

  private announce({ config, listening }: Bound): void {
    const address = addressText(listening.address);
    this.edge.log.event('info', 'listening', { listener: config.name, address });
  }

  private replace(
    next: readonly Bound[],
    fresh: readonly Bound[],
    configs: readonly ListenerConfig[],
    isAnnounced: boolean,
  ): void {
    if (this.closed) {
      closeAll(fresh);
      return;
    }
    const gone = this.bound.filter((one) => !next.includes(one));
    for (const [index, one] of next.entries()) {
      one.config = configs[index] ?? one.config;
      one.live.config = one.config;
    }
    this.bound = next;
    if (!isAnnounced) for (const one of fresh) this.announce(one);
    closeAll(gone);
  }
}

/** The addresses are free at once; nobody waits for the connections that came in by them. */
function closeAll(bound: readonly Bound[]): void {
  for (const { listening } of bound) void listening.close();
}

export function addressKey({ address }: ListenerConfig): string {
  return address.kind === 'unix' ? `unix:${address.path}` : `${address.host}\n${address.port}`;
}

export function addressText(address: BoundAddress | string): string {
  if (typeof address === 'string') return `unix:${address}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
