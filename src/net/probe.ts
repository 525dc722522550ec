// Whether handles carry bytes on this Node as we use them, found out by doing so over loopback. Anything unexpected is
// a no. It decides nothing.

import { createServer, type Server } from 'node:net';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import type { TlsFacts, TlsFault } from './secure-accept.ts';
import type { TlsTerms } from './server-tls.ts';
import type { Transport } from './transport.ts';

const PROBE_MS = 2_000;
/** Without a name to prove TLS needs no certificate; nothing of worth is said. */
const TLS = { maxVersion: 'TLSv1.2', ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0' } as const;
/** More than a record, in a buffer that is overwritten as soon as it is written. */
const LONG_BYTES = 20_000;

interface SecureOptions {
  readonly terms: TlsTerms;
  onSecure(transport: Transport, facts: TlsFacts): void;
  onFailed(fault: TlsFault, code: string): void;
}

interface Carriers {
  connect(
    to: { address: string; port: number; localAddress: null },
    done: (transport: Transport) => void,
    fail: (error: Error) => void,
  ): () => void;
  serve(server: Server, onConnection: (transport: Transport) => void): void;
  carrySecure(socket: TLSSocket): Transport;
  acceptSecure(transport: Transport, read: Buffer, options: SecureOptions): () => void;
}

/** What one probe has open, and its answer. */
class Probe {
  readonly server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  private readonly open: { destroy(): void }[] = [];
  private readonly resolve: (works: boolean) => void;
  private readonly deadline = setTimeout(() => this.finish(false), PROBE_MS);

  constructor(resolve: (works: boolean) => void) {
    this.resolve = resolve;
    this.server.on('error', () => this.finish(false));
  }

  listen(onPort: (port: number) => void): void {
    this.server.listen(0, '127.0.0.1', () => {
      const address = this.server.address();
      if (address === null || typeof address === 'string') this.finish(false);
      else onPort(address.port);
    });
  }

  finish(works: boolean): void {
    clearTimeout(this.deadline);
    for (const one of this.open) one.destroy();
    this.server.close();
    this.resolve(works);
  }

  keep<T extends { destroy(): void }>(one: T): T {
    this.open.push(one);
    return one;
  }

  /** The end that answers all that it hears, and the FIN with its own. */
  answer(transport: Transport): void {
    this.watch(
      transport,
      (text) => say(transport, text),
      () => transport.end(),
    );
  }

  /** The end that asks: two writes in one turn, the FIN when both are back. */
  ask(transport: Transport): void {
    let heard = '';
    const expected = `probe${'!'.repeat(LONG_BYTES)}`;
    const onText = (text: string) => {
      heard += text;
      if (heard.length === expected.length) transport.end();
    };
    this.watch(transport, onText, () => this.finish(heard === expected));
    say(transport, 'probe');
    say(transport, '!'.repeat(LONG_BYTES));
  }

  private watch(transport: Transport, onText: (text: string) => void, onEnd: () => void): void {
    this.keep(transport).reader = {
      onBytes: (bytes, start, end) => onText(bytes.toString('latin1', start, end)),
      onEnd,
      onLost: () => this.finish(false),
      onTaken() {},
    };
  }
}

function say(transport: Transport, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  transport.write(bytes, 0, bytes.length, false);
  bytes.fill(0);
}

/** One connection over loopback: bytes both ways, then a FIN both ways. */
export function carriesBytes(carrier: Carriers): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = new Probe(resolve);
    probe.listen((port) => {
      carrier.serve(probe.server, (accepted) => probe.answer(accepted));
      const to = { address: '127.0.0.1', port, localAddress: null };
      carrier.connect(
        to,
        (dialed) => probe.ask(dialed),
        () => probe.finish(false),
      );
    });
  });
}

/** The same over TLS: a client below TLSSocket, and a server that begins with what was read of a ClientHello. */
export function carriesTls(carrier: Carriers): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = new Probe(resolve);
    const context = createSecureContext({ ...TLS, ca: [] });
    const plain = { clientAuth: 'none', authorities: null, alpn: null, isChallenge: false } as const;
    const terms = { ...plain, context, wallNow: Date.now };
    const secure = (accepted: Transport, read: Buffer) => {
      accepted.pause();
      carrier.acceptSecure(accepted, read, {
        terms,
        onSecure: (transport) => probe.answer(transport),
        onFailed: () => probe.finish(false),
      });
    };
    probe.listen((port) => {
      carrier.serve(probe.server, (accepted) => {
        probe.keep(accepted).reader = {
          // Copied: the read buffer is for the next read.
          onBytes: (bytes, start, end) => secure(accepted, Buffer.from(bytes.subarray(start, end))),
          onEnd: () => probe.finish(false),
          onLost: () => probe.finish(false),
          onTaken() {},
        };
      });
      const to = { host: '127.0.0.1', port, allowHalfOpen: true, autoSelectFamily: false };
      const socket = connectTls({ ...to, secureContext: context, rejectUnauthorized: false });
      probe.keep(socket).on('error', () => probe.finish(false));
      socket.once('secureConnect', () => probe.ask(carrier.carrySecure(socket)));
    });
  });
}
