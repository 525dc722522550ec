// An edge put together from its parts, whose accepted sockets fail on demand as a bug of our own would: by an exception
// out of the code that handles one session. Everything else is real: sockets, backends, timers, the log.

import * as net from 'node:net';
import { loadObject } from '../../src/config/load.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { Edge } from '../../src/edge/edge.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { StreamTransport } from '../../src/net/stream-transport.ts';
import { Log } from '../../src/observe/log.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { arrivalOf } from '../support/arrival.ts';
import { fromNothing } from '../support/auth.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { oneRoute } from '../support/harness.ts';
import { type LogLine, LogTap } from '../support/log-tap.ts';
import { transportMode } from '../support/transport-mode.ts';
import { upstreamMeans } from '../support/upstreams.ts';

const DRIVE_MS = 20;

/** A socket's transport that throws instead of writing, as often as `poison` says. */
export class PoisonedTransport extends StreamTransport {
  poison = 0;

  override write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    if (this.poison > 0) {
      this.poison -= 1;
      throw new Error('poisoned write');
    }
    super.write(bytes, start, end, stable);
  }
}

export interface PoisonedEdge {
  readonly port: number;
  readonly edge: Edge;
  /** Every client's transport, in order of arrival. */
  readonly clients: readonly PoisonedTransport[];
  logsOf(event: string): LogLine[];
  waitForLog(event: string): Promise<LogLine>;
}

export async function startPoisoned(backendUrl: string, config: Partial<ConfigInput> = {}): Promise<PoisonedEdge> {
  const tap = new LogTap();
  const loaded = loadObject(oneRoute(backendUrl, {}, config), { baseDir: '.' }).config;
  const clock = { now: () => performance.now() };
  const wheel = new TimerWheel(clock, DRIVE_MS);
  const carrier = new Carrier(transportMode);
  const means = upstreamMeans({
    clock,
    wheel,
    log: new Log({ ...loaded.log, clock, destination: { write: (line) => tap.write(line) } }),
    dialer: new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier }),
  });
  const edge = new Edge({
    ...means,
    carrier,
    snapshot: buildSnapshot(loaded, fromNothing(means)),
    sessionsMax: 100,
  });
  const clients: PoisonedTransport[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const transport = new PoisonedTransport(socket);
    clients.push(transport);
    edge.accept(transport, arrivalOf(loaded));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const driver = setInterval(() => wheel.advance(), DRIVE_MS);
  atTestEnd(() => {
    clearInterval(driver);
    for (const client of clients) client.destroy();
    for (const { session } of [...edge.sessions]) session.cut();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    edge,
    clients,
    logsOf: (event) => tap.lines.filter((line) => line.event === event),
    waitForLog: (event) => tap.waitFor(event),
  };
}
