// What an operator does, for tests: asks the admin listener of a proxy, and waits for what only shows from outside.

import * as net from 'node:net';
import { parseReply, readAll } from '../support/admin.ts';
import { atTestEnd } from '../support/cleanup.ts';
import type { RunningProxy } from '../support/harness.ts';
import { defaultDeadlineMs } from '../support/raw-peer.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** The body parsed; null when it is no JSON. */
  readonly json: unknown;
}

/** A request line without its version, such as `GET /readyz`. */
export function askAdmin(running: Pick<RunningProxy, 'proxy'>, line: string): Promise<AdminAnswer> {
  const address = running.proxy.adminAddress();
  return askAdminAt(typeof address === 'string' ? 0 : address.port, line);
}

/** A port of this machine or the path of a unix socket; each of the `fields` is a line. */
export async function askAdminAt(where: number | string, line: string, ...fields: string[]): Promise<AdminAnswer> {
  const socket = typeof where === 'string' ? net.connect(where) : net.connect(where, '127.0.0.1');
  socket.on('error', () => {});
  atTestEnd(() => {
    socket.destroy();
  });
  const named = fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: localhost'];
  socket.write(`${[`${line} HTTP/1.1`, ...named, ...fields, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  const { status, headers, body } = parseReply(await readAll(socket));
  return { status, headers, body, json: body.startsWith('{') || body.startsWith('[') ? JSON.parse(body) : null };
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
