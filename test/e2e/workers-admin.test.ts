// Real processes behind one admin listener: what an operator sees of all of them, and of one that is killed.

import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { SessionView, StatusView } from '../../src/admin/subject.ts';
import { closed, openClient, WorkerRun } from '../support/worker-run.ts';
import { askAdminAt } from './operating.ts';

const config = `
listeners: [{ name: tcp, address: 127.0.0.1:0 }]
routes: [{ name: main, upstream: "builtin:echo" }]
limits: { handshakes_per_second_per_ip: off }
admin: { address: 127.0.0.1:0 }
log: { level: debug }
drain: { spread: 0s }
`;

test('the admin listener shows and reaches all sessions, and no counter falls with a worker', async () => {
  const run = new WorkerRun(config, { workers: 2 });
  const [port, admin] = [await run.port('tcp'), await run.port('admin')];
  const ask = (line: string) => askAdminAt(admin, line);
  const clients = [];
  for (let i = 0; i < 6; i += 1) clients.push(await openClient(`ws://127.0.0.1:${port}/s${i}`));
  const status = async () => (await ask('GET /api/v1/status')).json as StatusView;
  const pids = [run.pidOf(1), run.pidOf(2)];
  expect(await status()).toMatchObject({
    state: 'ready',
    sessions: { open: 6, total: 6 },
    workers: pids.map((pid, at) => ({ worker: at + 1, pid, state: 'ready', sessions: 3 })),
    routes: [{ name: 'main', sessions: 6, from_client: { messages: 6 } }],
  });
  const listed = async (query: string) =>
    (await ask(`GET /api/v1/sessions?${query}`)).json as { sessions: SessionView[]; next: string; more: number };
  const first = await listed('limit=4');
  const rest = await listed(`limit=4&after=${encodeURIComponent(first.next)}`);
  const paths = [...first.sessions, ...rest.sessions].map(({ path }) => path);
  expect([first.more, rest.more, paths]).toEqual([2, 0, [0, 1, 2, 3, 4, 5].map((i) => `/s${i}`)]);
  const [oldest] = first.sessions;
  const isClosed = closed(clients[0] as WebSocket); // it was opened
  expect((await ask(`POST /api/v1/sessions/${oldest?.id}/close?code=4000`)).json).toEqual({ closing: 1 });
  expect(await isClosed).toBe(4000);
  await until(async () => {
    const why = (await ask(`GET /api/v1/sessions/${oldest?.id}/why`)).json;
    return JSON.stringify(why).includes('"state":"ended"');
  });
  const scraped = async (name: string) => {
    const { body } = await ask('GET /metrics');
    return Number(new RegExp(`^framegate_${name} ([0-9.e+]+)$`, 'm').exec(body)?.[1] ?? Number.NaN);
  };
  expect([await scraped('workers'), await scraped('sessions_total{route="main"}')]).toEqual([2, 6]);
  process.kill(run.pidOf(1), 'SIGKILL');
  await run.cli.waitForLog('worker.exit');
  expect(await scraped('sessions_total{route="main"}')).toBe(6);
  expect(await scraped('worker_exits_total{reason="killed"}')).toBe(1);
  await until(async () => {
    const { workers = [] } = await status();
    return workers.length === 2 && workers.every(({ state }) => state === 'ready');
  });
  const after = await status();
  expect(after.workers?.map(({ worker, pid }) => [worker, pid])).toEqual([
    [1, run.pidOf(1)],
    [2, pids[1]],
  ]);
  expect(after.sessions).toMatchObject({ open: after.workers?.[1]?.sessions, total: 6 });
  expect((await ask('POST /api/v1/sessions/close?route=main')).json).toEqual({ closing: after.sessions.open });
});

/** Asked seldom: each question is work for all of these processes. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 100));
}
