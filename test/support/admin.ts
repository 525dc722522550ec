// An admin server on a free port in front of a fake subject, and a client that sends exactly the bytes it is given.

import { connect, type Socket } from 'node:net';
import type { AdminSettings } from '../../src/admin/guard.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { atTestEnd } from './cleanup.ts';
import { FakeAdminSubject } from './fake-admin-subject.ts';
import { FakePageSource } from './fake-page-source.ts';

export interface AdminReplyHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface AdminHarness {
  readonly subject: FakeAdminSubject;
  readonly page: FakePageSource;
  readonly server: AdminServer;
  readonly logs: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[];
  readonly port: number;
  readonly time: { now: number };
  /** A whole request, Host localhost and Connection: close added; each header line without its end. */
  ask(line: string, ...headers: string[]): Promise<AdminReplyHead>;
  /** Exactly these bytes; resolves with all that came until the end of the connection. */
  raw(bytes: string): Promise<string>;
  open(): Socket;
  /** Resolves when so many are open. */
  connections(count: number): Promise<void>;
  connectionCount(): Promise<number>;
}

export const localSettings: AdminSettings = {
  address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  token: null,
  hosts: [],
  public: ['health'],
  page: true,
};

/** On the real loop and clock. */
export function testSlices(): Slices {
  return new Slices({ now: () => performance.now(), nextTurn: (run) => setImmediate(run) });
}

export async function startAdmin(
  settings: Partial<AdminSettings> = {},
  { subject = new FakeAdminSubject(), ...options }: { timeoutMs?: number; subject?: FakeAdminSubject } = {},
): Promise<AdminHarness> {
  const page = new FakePageSource();
  const logs: AdminHarness['logs'] = [];
  const time = { now: 0 };
  // The clock of the harness stands; deadlines come all the same, counted from here.
  const startedAt = performance.now();
  const wheel = new TimerWheel({ now: () => time.now });
  const drive = setInterval(() => wheel.advance(time.now + performance.now() - startedAt), 20);
  atTestEnd(() => clearInterval(drive));
  const server = new AdminServer({
    settings: { ...localSettings, ...settings },
    subject,
    page,
    log: { event: (level, event, fields) => logs.push({ level, event, fields }) },
    clock: { now: () => time.now },
    wheel,
    slices: testSlices(),
    ...options,
  });
  await server.start();
  atTestEnd(() => server.stop());
  const address = server.address();
  const port = typeof address === 'string' ? 0 : address.port;
  const open = () => {
    const socket = typeof address === 'string' ? connect(address) : connect(port, '127.0.0.1');
    socket.on('error', () => {});
    atTestEnd(() => {
      socket.destroy();
    });
    return socket;
  };
  const raw = async (bytes: string): Promise<string> => {
    const socket = open();
    socket.write(bytes);
    return readAll(socket);
  };
  const ask = async (line: string, ...headers: string[]): Promise<AdminReplyHead> => {
    const hasHost = headers.some((header) => /^host:/i.test(header));
    const fields = [...(hasHost ? [] : ['Host: localhost']), ...headers, 'Connection: close'];
    return parseReply(await raw(`${line} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`));
  };
  const connectionCount = () => server.connections();
  const connections = async (count: number): Promise<void> => {
    while ((await connectionCount()) !== count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { subject, page, server, logs, port, time, ask, raw, open, connections, connectionCount };
}

export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
  });
}

export function parseReply(text: string): AdminReplyHead {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: new Map(headers), body: text.slice(end + 4) };
}
