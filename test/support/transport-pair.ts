// A transport with a raw peer at its other end, over TCP or TLS, and what a transport says.

import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { Carrier } from '../../src/net/carrier.ts';
import type { Transport, TransportReader } from '../../src/net/transport.ts';
import { type Identity, makeCertificates } from './certs.ts';
import { transportMode } from './transport-mode.ts';

export const FULL_CHUNK = 65_536;

/** Which end of which connection the transport is. */
export const OVER = ['TCP', 'TLS 1.2, a server', 'TLS 1.3, a server', 'TLS 1.3, a client'] as const;
type Over = (typeof OVER)[number];

/** Keeps what a transport says, and lets a test wait for it. */
export class Recorder implements TransportReader {
  readonly calls: string[] = [];
  bytes = 0;
  readonly chunks: Buffer[] = [];
  onChunk: (chunk: Buffer) => void = () => {};
  private waiting: { isOver: () => boolean; resolve: () => void }[] = [];

  onBytes(bytes: Buffer, start: number, end: number): void {
    const chunk = Buffer.from(bytes.subarray(start, end));
    this.bytes += chunk.length;
    this.chunks.push(chunk);
    this.calls.push('bytes');
    this.onChunk(chunk);
    this.wake();
  }

  onEnd(): void {
    this.note('end');
  }

  onLost(error: NodeJS.ErrnoException): void {
    this.note(`lost ${error.code ?? error.message}`);
  }

  onTaken(): void {
    this.note('taken');
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  count(call: string): number {
    return this.calls.filter((one) => one.startsWith(call)).length;
  }

  /** Resolves once `isOver` is true after some call; the test's own time limit bounds it. */
  until(isOver: () => boolean): Promise<void> {
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ isOver, resolve }));
  }

  private note(call: string): void {
    this.calls.push(call);
    this.wake();
  }

  private wake(): void {
    for (const one of this.waiting) if (one.isOver()) one.resolve();
  }
}

export interface Pair {
  readonly carrier: Carrier;
  readonly transport: Transport;
  readonly reader: Recorder;
  /** The other end, as raw as Node has it. */
  readonly peer: net.Socket;
  /** What is below its TLS, if any. */
  readonly raw: net.Socket;
  /** Of TLS, by the names of the key log. */
  readonly secrets: ReadonlyMap<string, Buffer>;
  /** The other end sends RST. */
  reset(): void;
}

export async function connectOver(over: Over): Promise<Pair> {
  const carrier = new Carrier(transportMode);
  const reader = new Recorder();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const to = { port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true };
  const ends: net.Socket[] = [];
  const secrets = new Map<string, Buffer>();
  const keep = <S extends net.Socket>(socket: S): S => {
    socket.on('error', () => {});
    ends.push(socket);
    return socket;
  };
  let transport: Transport | null = null;
  onTestFinished(() => {
    transport?.destroy();
    // What is below TLS comes last: the other way round Node crashed.
    for (const end of ends.toReversed()) end.destroy();
    server.close();
  });
  if (over === 'TCP') {
    const accepted = new Promise<Transport>((resolve) => {
      carrier.serve(server, (one) => {
        one.reader = reader;
        resolve(one);
      });
    });
    const peer = keep(net.connect(to));
    transport = await accepted;
    return { carrier, secrets, transport, reader, peer, raw: peer, reset: () => peer.resetAndDestroy() };
  }
  const below = keep(net.connect(to));
  const [accepted] = (await once(server, 'connection')) as [net.Socket]; // what Node says of it
  keep(accepted);
  const certificate = await identity();
  const maxVersion = over === 'TLS 1.2, a server' ? 'TLSv1.2' : 'TLSv1.3';
  const context = { secureContext: tls.createSecureContext({ ...certificate, maxVersion }), allowHalfOpen: true };
  const serving = keep(new tls.TLSSocket(accepted, { ...context, isServer: true }));
  const dialing = keep(tls.connect({ ...context, socket: below, rejectUnauthorized: false }));
  dialing.on('keylog', (line: Buffer) => {
    const [name = '', , secret = ''] = line.toString().trim().split(' ');
    secrets.set(name, Buffer.from(secret, 'hex'));
  });
  const [ours, theirs, raw] = over === 'TLS 1.3, a client' ? [dialing, serving, accepted] : [serving, dialing, below];
  theirs.pause();
  const secured = new Promise<Transport>((resolve) => {
    ours.once(ours === serving ? 'secure' : 'secureConnect', () => {
      const one = carrier.carrySecure(ours);
      one.reader = reader;
      resolve(one);
    });
  });
  const secure = once(theirs, theirs === serving ? 'secure' : 'secureConnect');
  transport = await secured;
  await secure;
  return { carrier, secrets, transport, reader, peer: theirs, raw, reset: () => raw.resetAndDestroy() };
}

let made: Promise<Identity> | null = null;

/** One for all: making it costs more than a test. */
function identity(): Promise<Identity> {
  made ??= makeCertificates().then(({ good }) => good);
  return made;
}

/** One turn of the event loop, sockets included. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));
export const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await turn();
};

/** Collects what the raw end receives until it has `bytes`. */
export async function collect(peer: net.Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const done = new Promise<void>((resolve) => {
    peer.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= bytes) resolve();
    });
  });
  peer.resume();
  await done;
  return Buffer.concat(chunks);
}

/** Write to a peer that does not read until its kernel takes no more; returns what was written. */
export async function fill(transport: Transport, piece: (i: number) => Buffer): Promise<Buffer> {
  const written: Buffer[] = [];
  for (let i = 0; transport.pending === 0; i++) {
    const bytes = piece(i);
    written.push(Buffer.from(bytes));
    transport.write(bytes, 0, bytes.length, true);
    // Over TLS what is only joined with the write before it is gone soon.
    if (transport.pending > 0) await turns(3);
  }
  return Buffer.concat(written);
}
