// An edge without sockets: clients in memory, the built-in echo or a backend in memory behind it.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { Config } from '../../src/config/types.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import type { Check } from '../../src/edge/admission.ts';
import { CHECKS } from '../../src/edge/checks/all.ts';
import { Edge } from '../../src/edge/edge.ts';
import type { MemoryUsage } from '../../src/edge/memory-watch.ts';
import type { Route } from '../../src/edge/snapshot.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import type { DialError } from '../../src/net/dial-error.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import type { Tally } from '../../src/observe/tally.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { Target } from '../../src/upstream/target.ts';
import { arrivalOf } from '../support/arrival.ts';
import { fromNothing } from '../support/auth.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { upstreamMeans } from '../support/upstreams.ts';
import { acceptFor, exampleKey, upgradeRequest } from '../support/wire.ts';

export const SWITCHED = 'HTTP/1.1 101 Switching Protocols';
/** When the fake clock says 0. */
export const WALL_AT_START = Date.UTC(2026, 0, 1);
export const NOTHING = Buffer.alloc(0);

/** Connects at once, to backends that the test plays. */
class MemoryDialer extends Dialer {
  readonly backends: MemoryTransport[] = [];
  /** What the next dials fail with, in order. */
  readonly failures: Promise<DialError>[] = [];

  override async dial(): Promise<MemoryTransport> {
    const failure = this.failures.shift();
    if (failure !== undefined) throw await failure;
    const backend = new MemoryTransport({ name: 'backend', stable: true });
    this.backends.push(backend);
    return backend;
  }
}

export class Rig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly tap = new LogTap();
  readonly dialer: MemoryDialer;
  readonly edge: Edge;
  /** What the process takes. */
  memory: MemoryUsage | null = { rss: 0, external: 0 };
  /** What is taken once garbage is collected; null: as much. */
  whenCollected: MemoryUsage | null = null;
  collections = 0;
  /** By how much the wall clock was set. */
  wallSetMs = 0;
  private readonly sessionsMax: number;

  constructor(config: Partial<ConfigInput> = {}, sessionsMax = 100, checks: readonly Check[] = CHECKS) {
    const { clock, wheel, tap } = this;
    const log = new Log({ level: 'debug', format: 'json', lines_per_second: 1e6, clock, destination: tap });
    const carrier = new Carrier('stream');
    this.dialer = new MemoryDialer({ resolver: new Resolver(clock), wheel, clock, carrier });
    this.sessionsMax = sessionsMax;
    const means = upstreamMeans({ clock, wheel, log, dialer: this.dialer });
    const snapshot = buildSnapshot(
      configOf(config),
      fromNothing(means, () => this.wallNow()),
    );
    snapshot.upstreams.start();
    const memory = () => this.memory;
    const collect = () => {
      this.collections += 1;
      this.memory = this.whenCollected ?? this.memory;
    };
    this.edge = new Edge({ ...means, carrier, snapshot, sessionsMax, checks, memory, collect });
  }

  /** Backends that were dialed, those of `ws://` targets, in order. */
  get backends(): MemoryTransport[] {
    return this.dialer.backends;
  }

  route(name = 'echo'): Route {
    const route = this.edge.snapshot.routes.get(name);
    if (route === undefined) throw new Error(`no route ${name}`);
    return route;
  }

  target(at = 0, route = 'echo'): Target {
    const target = this.route(route).upstream.targets[at];
    if (target === undefined) throw new Error(`no target ${at}`);
    return target;
  }

  /** Milliseconds since 1970. */
  wallNow(): number {
    return WALL_AT_START + this.clock.now() + this.wallSetMs;
  }

  /** Another config is in force. */
  reload(config: Partial<ConfigInput>): void {
    this.edge.apply(buildSnapshot(configOf(config), this.edge.snapshot), this.sessionsMax);
  }

  /** The next of the backends takes the request that came, and answers. */
  async switchBackend(at: number): Promise<MemoryTransport> {
    await this.until(() => (this.backends[at]?.receivedBytes ?? 0) > 0);
    const backend = this.backends[at] as MemoryTransport; // waited for
    const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(exampleKey)}`;
    backend.send(Buffer.from(`${SWITCHED}\r\n${fields}\r\n\r\n`));
    backend.pump();
    return backend;
  }

  accept(client: MemoryTransport): void {
    this.edge.accept(client, arrivalOf(this.edge.snapshot.config, 1));
  }

  connect(request: Buffer = upgradeRequest({ path: '/echo' }), address = ''): MemoryTransport {
    const client = new MemoryTransport({ name: 'client', stable: true, address });
    this.accept(client);
    if (request.length > 0) client.send(request);
    client.pump();
    return client;
  }

  /** The status line that the client was answered, now or in one of the next turns. */
  async answer(client: MemoryTransport): Promise<string> {
    await this.until(() => client.receivedBytes > 0);
    return client.received.toString('latin1').split('\r\n')[0] ?? '';
  }

  async open(): Promise<MemoryTransport> {
    const client = this.connect();
    expect(await this.answer(client)).toBe(SWITCHED);
    return client;
  }

  /** The built-in echo answers in a later turn. */
  async until(isSo: () => boolean): Promise<void> {
    for (let turn = 0; turn < 100 && !isSo(); turn += 1) await nextTurn();
    expect(isSo()).toBe(true);
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await nextTurn();
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  get listener(): unknown[] {
    const { connectionsAccepted, connectionsOpen, rejected } = this.edge.metrics.listener('in');
    return [connectionsAccepted, connectionsOpen, Object.fromEntries(rejected.entries())];
  }

  /** Results of handshakes: with a route, and without one. */
  get handshakes(): unknown[] {
    const counts = (tally: Tally) => Object.fromEntries(tally.entries());
    return [counts(this.edge.metrics.route('echo').handshakes), counts(this.edge.metrics.unrouted.handshakes)];
  }
}

function configOf(config: Partial<ConfigInput>): Config {
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' }];
  return loadObject({ listeners: [{ name: 'in' }], routes, ...config }, { baseDir: '.' }).config;
}
