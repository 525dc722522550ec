// What an operator does, for tests: asks the admin listener of a proxy, and waits for what only shows from outside.

import * as net from 'node:net';
import { parseReply, readAll } from '../support/admin.ts';
import { atTestEnd } from '../support/cleanup.ts';
import type { RunningProxy } from '../support/harness.ts';
import { defaultDeadlineMs } from '../support/raw-peer.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
  /** The body parsed; null when it is no JSON. */
  readonly json: unknown;
}

/** A request line without its version, such as `GET /readyz`. */
export function askAdmin(running: Pick<RunningProxy, 'proxy'>, line: string): Promise<AdminAnswer> {
  const address = running.proxy.adminAddress();
  return askAdminAt(typeof address === 'string' ? 0 : address.port, line);
}

/** `headers`: whole lines without their ends, besides Host and Connection. */
export async function askAdminAt(port: number, line: string, ...headers: string[]): Promise<AdminAnswer> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  atTestEnd(() => {
    socket.destroy();
  });
  const fields = ['Host: localhost', ...headers, 'Connection: close'];
  socket.write(`${line} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
  const { status, body } = parseReply(await readAll(socket));
  return { status, body, json: body.startsWith('{') || body.startsWith('[') ? JSON.parse(body) : null };
}

/** Whether somebody accepts connections there. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Asks again and again until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endAt = performance.now() + 2 * defaultDeadlineMs;
  while (!(await isSo())) {
    if (performance.now() > endAt) throw new Error(`not so in time: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
