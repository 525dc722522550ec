// Rows about the workers of one framegate as its admin listener sees them: silent ones, and those that are gone.

import { expect, test } from 'vitest';
import type { StatusView } from '../../src/admin/subject.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { type FakeFleet, startFleet } from '../e2e/fleet-rig.ts';
import { askAdmin } from '../e2e/operating.ts';
import { connectWs } from '../e2e/ws-pair.ts';
import { oneRoute } from '../support/harness.ts';

const config: ConfigInput = oneRoute(
  'builtin:echo',
  { name: 'chat', match: { path: '/chat' } },
  { drain: { spread: '0s' }, admin: { address: '127.0.0.1:0' } },
);

/** It stands. */
const clock = { now: () => 5_000 };

/** Past the two seconds of a question. */
async function outwait<T>(several: FakeFleet, asked: Promise<T>): Promise<T> {
  let isOver = false;
  const over = asked.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    several.time.advance(500);
    several.wheel.advance(several.time.now());
    await new Promise((resolve) => setImmediate(resolve));
  }
  return over;
}

const totalOf = (text: string) => Number(/^framegate_sessions_total\{route="chat"\} (\d+)$/m.exec(text)?.[1]);
const openOf = (text: string) => Number(/^framegate_sessions_open\{route="chat"\} (\d+)$/m.exec(text)?.[1]);

test('K40: a worker that does not answer stands as it did, is told of, and holds up nothing', async () => {
  const several = await startFleet(config, 2, { clock });
  const { primary, workers } = several;
  for (const { running } of workers) await connectWs(running.port, { path: '/chat' });
  const scrape = () => outwait(several, askAdmin(primary, 'GET /metrics'));
  expect(totalOf((await scrape()).body)).toBe(2);
  workers[1]?.hang();
  await connectWs(workers[0]?.running.port ?? 0, { path: '/chat' });
  const { body } = await scrape();
  expect([totalOf(body), openOf(body)]).toEqual([3, 3]);
  expect(body).toContain('framegate_workers 1\n');
  const status = (await outwait(several, askAdmin(primary, 'GET /api/v1/status'))).json as StatusView;
  expect(status.workers).toMatchObject([
    { worker: 1, state: 'ready', sessions: 2 },
    { worker: 2, state: 'silent', sessions: 1 },
  ]);
  const closed = await outwait(several, askAdmin(primary, 'POST /api/v1/sessions/close?route=chat'));
  expect(closed.json).toEqual({ closing: 2 });
  // Once of what is only looked at, though it was asked for that twice.
  const silent = (question: string) => ['worker.silent', expect.objectContaining({ worker: 2, pid: 102, question })];
  expect(several.events).toEqual([silent('counts'), silent('closeSessions')]);
  workers[1]?.wake();
  expect((await askAdmin(primary, 'GET /metrics')).body).toContain('framegate_workers 2\n');
});

test('K42: a session that a silent worker may have is neither found nor not found', async () => {
  const several = await startFleet(config, 2, { clock });
  const { primary, workers } = several;
  for (const { running } of workers) await connectWs(running.port, { path: '/chat' });
  const [one, other] = workers.map(({ composition }) => [...composition.edge.sessions][0]?.facts.session);
  workers[1]?.hang();
  const ask = (line: string) => outwait(several, askAdmin(primary, line));
  expect((await ask(`GET /api/v1/sessions/${one}`)).json).toMatchObject({ id: one });
  const lines = ['GET /api/v1/sessions/ID', 'GET /api/v1/sessions/ID/why', 'POST /api/v1/sessions/ID/close'];
  for (const line of [...lines, 'POST /api/v1/sessions/ID/extend?until=99999999999']) {
    const { status, json } = await ask(line.replace('ID', `${other}`));
    expect([line, status, json]).toEqual([line, 503, expect.objectContaining({ error: 'unanswered' })]);
  }
  workers[1]?.wake();
  expect((await ask('GET /api/v1/sessions/nobody')).status).toBe(404);
});

test('K41: of a worker that is gone nothing is open, and nothing that it has counted is lost', async () => {
  const several = await startFleet(config, 2, { clock });
  const { primary, workers } = several;
  for (const { running } of [...workers, ...workers]) await connectWs(running.port, { path: '/chat' });
  const scrape = async () => (await askAdmin(primary, 'GET /metrics')).body;
  const [before] = [await scrape()];
  expect([totalOf(before), openOf(before)]).toEqual([4, 4]);
  const [lost] = workers;
  if (lost !== undefined) several.lose(lost);
  const after = await scrape();
  expect([totalOf(after), openOf(after)]).toEqual([4, 2]);
  expect(after).toContain('framegate_workers 1\n');
  // Of all families the counters are what they were.
  const counters = (text: string) =>
    text
      .split('\n')
      .filter((line) => /_(total|count|sum|bucket)[{ ]/.test(line))
      .sort();
  expect(counters(after)).toEqual(counters(before));
});
