// A proxy with something to see: routes, upstreams with targets in several states, sessions that talk, others that have
// ended in different ways, limits that were hit.

import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { ConfigInput } from '../../src/proxy.ts';
import type { Identity } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { type HarnessOptions, type RunningProxy, startProxy } from '../support/harness.ts';

export interface Scene {
  readonly running: RunningProxy;
  readonly sessions: readonly WebSocket[];
  /** Of the first of those that a limit has ended. */
  readonly ended: string;
}

interface SceneOptions {
  readonly open?: number;
  readonly token?: string;
  readonly tls?: Identity;
  readonly config?: Partial<ConfigInput>;
  readonly harness?: HarnessOptions;
}

/** Everything it opens is closed when the test ends. */
export async function startScene({
  open = 12,
  token,
  tls,
  config = {},
  harness = {},
}: SceneOptions = {}): Promise<Scene> {
  const [first, second] = [await echoing(), await echoing()];
  const secure = tls === undefined ? [] : [{ name: 'secure', address: '127.0.0.1:0', tls: { certificates: [tls] } }];
  const running = await startProxy(
    {
      listeners: [{ name: 'public', address: '127.0.0.1:0' }, ...secure],
      routes: [
        { name: 'chat', match: { path: '/chat/*' }, upstream: 'chat' },
        { name: 'live', match: { path: '/live' }, upstream: 'live' },
        { name: 'old', match: { path: '/old' }, upstream: 'old' },
      ],
      upstreams: {
        chat: {
          targets: [
            { name: 'chat-1', url: first },
            { name: 'chat-2', url: second },
          ],
        },
        live: {
          targets: [
            { name: 'live-1', url: first },
            { name: 'live-2', url: second },
          ],
        },
        // Where nobody listens.
        old: { targets: [{ name: 'old-1', url: 'ws://127.0.0.1:1' }] },
      },
      limits: { from_client: { max_message_size: '64KiB' } },
      record: { frames: 32 },
      admin: { address: '127.0.0.1:0', ...(token === undefined ? {} : { token }) },
      ...config,
    },
    harness,
  );
  const sessions: WebSocket[] = [];
  for (let i = 0; i < open; i += 1) sessions.push(await joined(running, i % 3 === 0 ? '/live' : `/chat/room-${i}`));
  for (const [i, socket] of sessions.entries())
    for (let n = 0; n < 3 + i; n += 1) socket.send('x'.repeat(40 * (n + 1)));
  await joined(running, '/old').catch(() => {});
  const tooLarge = await joined(running, '/chat/large');
  tooLarge.send(Buffer.alloc(70_000));
  const { session } = await running.waitForLog('session.end', ({ reason }) => reason === 'client_message_too_big');
  (await joined(running, '/chat/short')).close(1000, 'done');
  (await joined(running, '/chat/own')).close(4001, 'own');
  await running.waitForLog('session.end', ({ close_code_client: code }) => code === 4001);
  return { running, sessions, ended: String(session) };
}

/** A backend that says everything back. */
export async function echoing(): Promise<string> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => void server.once('listening', resolve));
  atTestEnd(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An open session. */
export function joined(
  { port }: Pick<RunningProxy, 'port'>,
  path: string,
  headers: Record<string, string> = {},
): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  atTestEnd(() => socket.terminate());
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('close', (code) => reject(new Error(`${path} was not opened: ${code}`)));
  });
}
