// One listener from its binding to its close. It is its address: what else the next config says of it, it takes on. It
// reads nothing; whoever binds it gets its connections.

import type { ListenerConfig } from '../config/types.ts';
import { LiveListener } from '../edge/arrival.ts';
import type { Carrier } from '../net/carrier.ts';
import { type BoundAddress, type Clients, type Listening, type ListeningSocket, listen } from '../net/listen.ts';
import type { RawClient } from '../net/raw-client.ts';
import type { Transport } from '../net/transport.ts';
import { bindKey } from '../protocol/addresses/bind-address.ts';
import { type HandedSockets, listenerKey } from './handed-sockets.ts';

export interface ListenerOptions {
  readonly carrier: Carrier;
  /** What another process has bound for this one. */
  readonly handed: HandedSockets;
  /** Asked when one is bound. */
  readonly acceptor: () => Acceptor;
}

/** Who takes clients that came in by `listener`, which connections may hold on to. */
export type Acceptor =
  | { readonly carried: 'here'; readonly accept: (client: Transport, listener: LiveListener) => void }
  | { readonly carried: 'elsewhere'; readonly accept: (client: RawClient, listener: LiveListener) => void };

export class Listener {
  private readonly listening: Listening;
  readonly live: LiveListener;

  private constructor(listening: Listening, live: LiveListener) {
    this.listening = listening;
    this.live = live;
  }

  /** Accepts from then on. Rejects with the system's error. */
  static async bind(config: ListenerConfig, { carrier, handed, acceptor }: ListenerOptions): Promise<Listener> {
    let live: LiveListener | null = null;
    const listening = await listen({
      address: config.address,
      backlog: config.backlog,
      inherited: handed.take(listenerKey(config)),
      carrier,
      clients: clientsOf(acceptor(), () => live),
    });
    live = new LiveListener(config, typeof listening.address === 'string' ? 0 : listening.address.port);
    return new Listener(listening, live);
  }

  /** In force now. */
  get config(): ListenerConfig {
    return this.live.config;
  }

  /** Where it is bound: host and real port, or the path of a unix socket. */
  get address(): BoundAddress | string {
    return this.listening.address;
  }

  /** Its listening socket; null where this Node does not tell it. */
  get socket(): ListeningSocket | null {
    return this.listening.socket;
  }

  /** 0 for a unix socket. */
  get port(): number {
    return this.live.port;
  }

  /** Whether `config` is one of the same listener. */
  isOf(config: ListenerConfig): boolean {
    return bindKey(this.config.address) === bindKey(config.address);
  }

  /** For whoever comes in from now on. Those of before keep the name that they were counted by. */
  retune(config: ListenerConfig): void {
    this.live.config = config;
  }

  /** Accepts no more; its address is free at once. Connections that came in by it stay. */
  close(): Promise<void> {
    this.live.isGone = true;
    return this.listening.close();
  }

  /** The same where another process goes on with its socket. */
  leave(): Promise<void> {
    this.live.isGone = true;
    return this.listening.leave();
  }
}

/** Who comes before the listener is there is closed. */
function clientsOf(acceptor: Acceptor, live: () => LiveListener | null): Clients {
  if (acceptor.carried === 'elsewhere') {
    const take = (client: RawClient): void => {
      const listener = live();
      if (listener === null) client.close();
      else acceptor.accept(client, listener);
    };
    return { carried: 'elsewhere', take };
  }
  const take = (client: Transport): void => {
    const listener = live();
    if (listener === null) client.destroy();
    else acceptor.accept(client, listener);
  };
  return { carried: 'here', take };
}
