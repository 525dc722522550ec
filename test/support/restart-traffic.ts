// Clients of a framegate that is restarted under them: some stay and talk until they are told to go, then come again;
// others come, say a word and leave, one after the other. What must not happen to any of them is written down.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { atTestEnd } from './cleanup.ts';

const SAY_EVERY_MS = 5;
const ARRIVE_EVERY_MS = 20;
const RESTART_CODE = 1012;

/** What a backend has heard of one client, whose name is the path. */
export class CountingBackend {
  /** The last number of each client; NaN once one was missing. */
  readonly heard = new Map<string, number>();
  private readonly server = createServer();
  private readonly sockets = new WebSocketServer({ server: this.server });

  async listen(): Promise<string> {
    this.sockets.on('connection', (socket, { url = '' }) => {
      socket.on('message', (data, binary) => {
        const before = this.heard.get(url) ?? 0;
        this.heard.set(url, Number(data) === before + 1 ? before + 1 : Number.NaN);
        socket.send(data, { binary });
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => this.server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
    atTestEnd(() => this.close());
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

export interface Entrance {
  /** How a URL of it begins. */
  readonly base: string;
  readonly options: ClientOptions;
}

export class RestartTraffic {
  /** What should not have been, in words. */
  readonly faults: string[] = [];
  /** Sessions that were told of a restart. */
  told = 0;
  /** Sessions that opened. */
  opened = 0;
  private readonly backend: CountingBackend;
  private readonly entrances: readonly Entrance[];
  private readonly sayEveryMs: number;
  private readonly running = new Set<Promise<void>>();
  private arrivals: NodeJS.Timeout | undefined;
  private isOver = false;
  private names = 0;

  constructor(backend: CountingBackend, entrances: readonly Entrance[], sayEveryMs = SAY_EVERY_MS) {
    this.backend = backend;
    this.entrances = entrances;
    this.sayEveryMs = sayEveryMs;
  }

  /** On each entrance so many that stay, and so many chains of those that leave again. */
  start(staying: number, passing: number): void {
    for (const entrance of this.entrances) {
      for (let i = 0; i < staying; i++) this.run(this.stay(entrance));
      for (let i = 0; i < passing; i++) this.run(this.pass(entrance));
    }
  }

  /** So many come each second and leave again, on all entrances together, whoever is still there. */
  arrive(perSecond: number): void {
    const startedAt = performance.now();
    let come = 0;
    this.arrivals = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1_000);
      for (; come < due; come++) {
        const entrance = this.entrances[come % this.entrances.length];
        if (entrance !== undefined) this.run(this.session(entrance, (sent) => sent >= 1));
      }
    }, ARRIVE_EVERY_MS);
  }

  /** Lets all of them leave. */
  async stop(): Promise<void> {
    this.isOver = true;
    clearInterval(this.arrivals);
    await Promise.all(this.running);
  }

  private run(client: Promise<void>): void {
    this.running.add(client);
    void client.then(() => this.running.delete(client));
  }

  private async stay(entrance: Entrance): Promise<void> {
    while (!this.isOver) await this.session(entrance, () => this.isOver);
  }

  private async pass(entrance: Entrance): Promise<void> {
    while (!this.isOver) await this.session(entrance, (sent) => sent >= 1);
  }

  /** From its connect to its end. It leaves by itself when `isDone`. */
  private session({ base, options }: Entrance, isDone: (sent: number) => boolean): Promise<void> {
    this.names += 1;
    const name = `/${this.names}`;
    const socket = new WebSocket(`${base}${name}`, options);
    let sent = 0;
    let heard = 0;
    let timer: NodeJS.Timeout | undefined;
    const say = (): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (!isDone(sent)) socket.send(String(++sent));
      else if (heard === sent) socket.close(1000);
    };
    return new Promise((resolve) => {
      socket.on('error', (error) => this.faults.push(`${base}: ${error.message}`));
      socket.on('open', () => {
        this.opened += 1;
        say();
        timer = setInterval(say, this.sayEveryMs);
      });
      socket.on('message', (data) => {
        heard += 1;
        // One that only passes by does not wait for its next word.
        if (isDone(sent)) setImmediate(say);
        if (Number(data) !== heard) this.faults.push(`${base}: ${String(data)} came in place of ${heard}`);
      });
      socket.on('close', (code) => {
        clearInterval(timer);
        if (code === RESTART_CODE) this.told += 1;
        else if (code !== 1000) this.faults.push(`${base}: ended with ${code}`);
        const arrived = this.backend.heard.get(name) ?? 0;
        if (sent > 0 && arrived !== sent) this.faults.push(`${base}: sent ${sent}, the backend has ${arrived}`);
        this.backend.heard.delete(name);
        resolve();
      });
    });
  }
}
