// The built command with one process and with two workers: the same clients are told the same and counted the same.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { StatusView, UpstreamView } from '../../src/admin/subject.ts';
import type { Advice } from '../../src/observe/advice.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { deadUrl } from '../support/dead.ts';
import { RawClient } from '../support/raw-client.ts';
import { closed, openClient, WorkerRun } from '../support/worker-run.ts';
import { askAdminAt, until } from './operating.ts';

const config = `
listeners: [{ name: tcp, address: 127.0.0.1:0 }]
auth: { keys: { api_key: { keys: [{ name: a, sha256: ${createHash('sha256').update('secret').digest('hex')} }] } } }
routes:
  - { name: main, match: { path: /main/* }, upstream: app, limits: { max_sessions: 5 } }
  - { name: small, match: { path: /small }, upstream: app, limits: { from_client: { max_message_size: 100B } } }
  - { name: dead, match: { path: /dead }, upstream: "${deadUrl}" }
  - { name: keys, match: { path: /keys }, upstream: app, auth: [keys] }
upstreams: { app: { targets: [{ name: one, url: "builtin:echo" }] } }
limits: { handshakes_per_second_per_ip: off, max_sessions_per_ip: off, max_sessions: 1000 }
admin: { address: 127.0.0.1:0 }
`;

/** 101, and it stays open, or the status of a refusal. */
function statusOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    atTestEnd(() => socket.terminate());
    socket.on('error', () => {});
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
}

/** The same for each number of workers. */
async function seenWith(workers: number): Promise<object> {
  const run = new WorkerRun(config, { workers });
  const [port, admin] = [await run.port('tcp'), await run.port('admin')];
  const base = `ws://127.0.0.1:${port}`;
  const view = async <T>(name: string) => (await askAdminAt(admin, `GET /api/v1/${name}`)).json as T;
  const open = (count: number) =>
    until(`${count} connections`, async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return (await view<StatusView>('status')).listeners[0]?.connections === count;
    });
  const told: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    const client = await openClient(`${base}/${i % 2 === 0 ? 'main/x' : 'small'}`);
    const code = closed(client);
    if (i % 2 === 0) client.close(1000);
    else client.send('x'.repeat(200));
    told.push(await code);
  }
  await open(0);
  for (const path of ['/none', '/dead', '/keys', '/none', '/dead']) told.push(await statusOf(base + path));
  told.push(await statusOf(`${base}/keys`, { 'X-API-Key': 'secret' }));
  const plain = await RawClient.connect(port);
  plain.send('GET /main/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await plain.closed;
  // Who was refused lingers for a moment.
  await open(1);
  for (let i = 0; i < 3; i += 1) await openClient(`${base}/main/${i}`);
  await open(4);
  told.push(...(await Promise.all(Array.from({ length: 8 }, () => statusOf(`${base}/main/m`)))).sort());
  await open(6);
  const { body } = await askAdminAt(admin, 'GET /metrics');
  const { sessions, handshakes_open, refusals, routes } = await view<StatusView>('status');
  const { upstreams } = await view<{ upstreams: UpstreamView[] }>('upstreams');
  return {
    told,
    // Without what is measured, and what tells of processes.
    counts: body
      .split('\n')
      .filter((line) => /^framegate_/.test(line) && !MEASURED.test(line))
      .sort(),
    status: { sessions, handshakes_open, refusals, routes },
    targets: upstreams.flatMap(({ targets }) =>
      targets.map((one) => [one.sessions, one.sessions_total, one.dials_failed]),
    ),
    // Without their peaks: how many of those who come together are there at a time is a matter of chance.
    caps: (await view<Advice>('advice')).caps.map(({ key, value, refused, verdict }) => ({
      key,
      value,
      refused,
      verdict,
    })),
  };
}

const MEASURED = /_(bucket|sum|timestamp_seconds)\b|^framegate_(workers|worker_|backpressure)/;

test('two workers tell and count what one process does, and no limit is wider', { timeout: 30_000 }, async () => {
  const [one, two] = await Promise.all([seenWith(1), seenWith(2)]);
  expect(two).toEqual(one);
  expect(one).toMatchObject({
    told: [1000, 1009, 1000, 1009, 404, 502, 401, 404, 502, 101, 101, 101, 503, 503, 503, 503, 503, 503],
    status: { sessions: { open: 6, total: 10 } },
  });
});
