// What all clients of a soak share: where the proxy is, who watches, what was counted, and whether it is time to leave.

import type * as net from 'node:net';
import type { RunWatch } from '../support/invariants.ts';
import type { Random } from '../support/random.ts';
import { type Endpoint, openClient } from './endpoint.ts';

/** The ways to the proxy: straight, over a line that is bad but honest, over one that fails. */
export interface Ports {
  readonly straight: number;
  readonly rough: number;
  readonly failing: number;
  readonly vanishing: number;
  readonly admin: number;
}

export class World {
  readonly ports: Ports;
  readonly watch: RunWatch;
  /** What happened, by name, for the summary. */
  readonly counts = new Map<string, number>();
  /** Resolves when clients that wait for nothing but time are to leave. */
  readonly stopped: Promise<void>;
  isStopping = false;
  private resolveStopped: () => void = () => {};

  constructor(ports: Ports, watch: RunWatch) {
    this.ports = ports;
    this.watch = watch;
    this.stopped = new Promise((resolve) => {
      this.resolveStopped = resolve;
    });
  }

  stop(): void {
    this.isStopping = true;
    this.resolveStopped();
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** That long, or until it is time to leave. */
  async pass(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([passed, this.stopped]);
    clearTimeout(timer);
  }
}

/** One client: its name in every path, its choices, the sockets that end with it. */
export class Visit {
  readonly world: World;
  readonly random: Random;
  readonly id: string;
  private readonly sockets: net.Socket[] = [];

  constructor(world: World, random: Random, id: string) {
    this.world = world;
    this.random = random;
    this.id = id;
  }

  own(socket: net.Socket): void {
    this.sockets.push(socket);
  }

  /** Whatever is left of it. */
  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  fault(text: string): void {
    this.world.watch.fault(`${this.id}: ${text}`);
  }

  /** A session on `/route/...`, watched from now on; a status instead when it was refused, 0 without an answer. */
  async open(
    route: string,
    options: { readonly port: number; readonly lossy?: boolean; readonly early?: Buffer },
  ): Promise<Endpoint | number> {
    const path = `/${route}/${this.id}`;
    const payloads = { sent: 0, received: 0 };
    const { watch } = this.world;
    watch.clientBegins(path, payloads, options.lossy);
    const opened = await openClient(options.port, path, {
      mask: this.random.bytes(4),
      payloads,
      onSocket: (socket) => this.own(socket),
      ...(options.early === undefined ? {} : { early: options.early }),
    });
    if (typeof opened === 'number') {
      watch.clientEnds(path, false);
      return opened;
    }
    opened.onIllegal = (received) => this.fault(`an illegal frame came: ${received.bytes.toString('hex', 0, 20)}`);
    void opened.over.then(() => watch.clientEnds(path, true));
    return opened;
  }
}
