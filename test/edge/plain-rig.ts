// One plain request between a client and a backend in memory, by the clock of the test.

import type { ConfigInput } from '../../src/proxy.ts';
import type { Target } from '../../src/upstream/target.ts';
import type { LogLine } from '../support/log-tap.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { Rig } from './rig.ts';

/** Turns of the loop that anything takes here: Node's streams hand on in several of them. */
const TURNS = 8;

type Route = ConfigInput['routes'][number];
type Upstream = NonNullable<ConfigInput['upstreams']>[string];

export class PlainRig extends Rig {
  constructor(route: Partial<Route> = {}, upstream: Partial<Upstream> = {}, config: Partial<ConfigInput> = {}) {
    super(plainConfig(route, upstream, config));
  }

  /** A client whose request, or what there is of it, has gone as far as it can. */
  async ask(...request: readonly string[]): Promise<MemoryTransport> {
    const client = this.connect(Buffer.from(request.join('\r\n'), 'latin1'), '192.0.2.1');
    await this.turns(TURNS);
    return client;
  }

  /** What was sent is read by whoever is to read it, and what comes of that is done. */
  async say(peer: MemoryTransport, ...texts: readonly string[]): Promise<void> {
    peer.send(...texts.map((text) => Buffer.from(text, 'latin1')));
    await this.settle(peer);
  }

  async settle(...peers: readonly MemoryTransport[]): Promise<void> {
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const peer of peers) peer.pump();
      await this.turns(1);
    }
  }

  backend(at = 0): MemoryTransport {
    const backend = this.backends[at];
    if (backend === undefined) throw new Error(`backend ${at} was not dialed`);
    return backend;
  }

  /** Time passes, and what comes of it is done. */
  async wait(ms: number): Promise<void> {
    this.pass(ms);
    await this.turns(TURNS);
  }

  get page(): Target {
    const target = this.route().http?.targets[0];
    if (target === undefined) throw new Error('the route has http');
    return target;
  }

  /** The lines of requests that are over. */
  get requests(): LogLine[] {
    return this.tap.lines.filter(({ event }) => event === 'http.request');
  }

  /** What is held now: requests open; slots of the target, of them handshakes, requests; entries in the wheel. */
  get held(): readonly number[] {
    const { sessions, handshakes, requests } = this.page;
    return [this.edge.metrics.process.httpRequestsOpen, sessions, handshakes, requests];
  }
}

export const NOTHING_HELD = [0, 0, 0, 0];

export function plainConfig(
  route: Partial<Route> = {},
  upstream: Partial<Upstream> = {},
  config: Partial<ConfigInput> = {},
): Partial<ConfigInput> {
  return {
    routes: [{ name: 'echo', match: { path: '/*' }, http: 'pages', ...route }],
    upstreams: { pages: { targets: [{ url: 'http://127.0.0.1:1' }], ...upstream } },
    ...config,
  };
}

export function text(peer: MemoryTransport): string {
  return peer.received.toString('latin1');
}
