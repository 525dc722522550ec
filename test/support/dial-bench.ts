// A dialer with everything that it needs, and the plainest servers to dial.

import type { AddressInfo, Server, Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer, type DialOptions, type SocketFactory } from '../../src/net/dial.ts';
import { DialError } from '../../src/net/dial-error.ts';
import { type Lookup, Resolver } from '../../src/net/resolve.ts';
import type { Transport } from '../../src/net/transport.ts';
import { GOOD_NAME } from './certs.ts';
import { FakeClock } from './fake-clock.ts';
import { transportMode } from './transport-mode.ts';

/** A dialer whose names all resolve to loopback, on a clock of its own. */
export class Bench {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly abort = new AbortController();
  /** How much later than now certificates are looked at. */
  wallOffset = 0;
  lookup: Lookup = async () => ['127.0.0.1'];
  readonly dialer: Dialer;

  constructor(sockets?: SocketFactory) {
    const resolver = new Resolver(this.clock, (host) => this.lookup(host));
    const options = {
      resolver,
      wheel: this.wheel,
      clock: this.clock,
      carrier: new Carrier(transportMode),
      wallClock: () => Date.now() + this.wallOffset,
    };
    this.dialer = new Dialer(sockets === undefined ? options : { ...options, sockets });
  }

  async dial(endpoint: DialOptions['endpoint'], options: Partial<DialOptions> = {}): Promise<Transport> {
    const transport = await this.dialer.dial({
      endpoint,
      tls: null,
      localAddress: null,
      preamble: null,
      timeoutMs: 5_000,
      signal: this.abort.signal,
      ...options,
    });
    onTestFinished(() => transport.destroy());
    return transport;
  }

  /** How the dial failed; nothing of it may be left in the wheel. */
  async failure(endpoint: DialOptions['endpoint'], options: Partial<DialOptions> = {}): Promise<DialError> {
    const error = await this.dial(endpoint, options).then(
      () => new Error('it connected'),
      (reason: unknown) => reason,
    );
    if (!(error instanceof DialError)) throw error;
    expect(this.wheel.size).toBe(0);
    return error;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }
}

export function tcp(port: number, host = GOOD_NAME, secure = false): DialOptions['endpoint'] {
  return { kind: 'tcp', host, port, secure, base: '' };
}

/** Listen on a free port of loopback; every accepted socket is destroyed when the test is over. */
export async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** All bytes that arrive until the peer's FIN, as latin1 text. */
export function readAll(transport: Transport): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    transport.reader = {
      onBytes: (bytes, start, end) => {
        text += bytes.toString('latin1', start, end);
      },
      onEnd: () => resolve(text),
      onLost: reject,
      onTaken: () => {},
    };
  });
}
