// Between a TLS client and a listener: changes what the client sends, or puts bytes between, below TLS.

import * as net from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { atTestEnd } from './cleanup.ts';
import { u8, u16 } from './client-hello.ts';

const RECORD_HEADER_BYTES = 5;

export interface RelayRules {
  /** What goes on instead of a chunk of the client; `isFirst`: that with its ClientHello. */
  readonly up?: (chunk: Buffer, isFirst: boolean) => Buffer;
  /** Bytes of the listener that go on to the client: what comes later is swallowed, and it is never answered. */
  readonly downMax?: number;
  /** The client's FIN does not go on. */
  readonly swallowsFin?: boolean;
}

export interface TlsRelay {
  readonly port: number;
  /** To the listener, of the newest connection. */
  inject(bytes: Buffer): void;
  /** RST to the listener. */
  reset(): void;
}

export async function relayTls(target: number, rules: RelayRules = {}): Promise<TlsRelay> {
  let newest: net.Socket | null = null;
  const server = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, noDelay: true });
    newest = far;
    let isFirst = true;
    let down = 0;
    near.on('data', (chunk: Buffer) => {
      if (far.writable) far.write(rules.up?.(chunk, isFirst) ?? chunk);
      isFirst = false;
    });
    far.on('data', (chunk: Buffer) => {
      const rest = chunk.subarray(0, Math.max(0, (rules.downMax ?? Number.POSITIVE_INFINITY) - down));
      down += chunk.length;
      if (rest.length > 0 && near.writable) near.write(rest);
    });
    near.on('end', () => rules.swallowsFin === true || far.end());
    far.on('end', () => near.end());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
      atTestEnd(() => void one.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('listens on TCP');
  return {
    port: address.port,
    inject: (bytes) => void newest?.write(bytes),
    reset: () => void newest?.resetAndDestroy(),
  };
}

/** Records of TLS cut into such of one byte each. */
export function recordsOfOneByte(bytes: Buffer): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt16BE(at + 3);
    for (const byte of bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + size)) {
      records.push(bytes.subarray(at, at + 3), u16(1), u8(byte));
    }
    at += RECORD_HEADER_BYTES + size;
  }
  return Buffer.concat(records);
}

/** The ClientHello of a Node client, in its record. */
export function realHello(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once('data', (hello: Buffer) => {
        socket.destroy();
        server.close();
        resolve(hello);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo; // TCP
      const client = connect({ host: '127.0.0.1', port, servername: 'a.test', ...options });
      client.on('error', () => {});
    });
  });
}
