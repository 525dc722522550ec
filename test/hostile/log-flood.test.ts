// More ends in a second than any other event gets lines: each session still has its own, or is counted by its reason.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { until } from '../e2e/operating.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';

/** Above the hundred lines of one event in a second. */
const SESSIONS = 150;

/** All of them are lost by their backend at once. */
async function manyEnds(log: ConfigInput['log']): Promise<RunningProxy> {
  const backend = await RawBackend.listen();
  const running = await startProxy(oneRoute(backend.url, {}, { log, timeouts: { close: '100ms' } }));
  const servers: { destroy(): void }[] = [];
  for (let i = 0; i < SESSIONS; i += 1) {
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest());
    const server = await backend.nextConnection();
    await server.head();
    await server.accept();
    await client.readHead();
    servers.push(server);
  }
  for (const server of servers) server.destroy();
  return running;
}

test('F43: every session has its line, however many end at once', async () => {
  const running = await manyEnds({});
  await until('each has its line', () => running.logsOf('session.end').length === SESSIONS);
  expect(new Set(running.logsOf('session.end').map(({ session }) => session)).size).toBe(SESSIONS);
  await running.stop();
  expect(running.logsOf('log.suppressed').filter(({ of }) => of === 'session.end')).toEqual([]);
});

test('F43: lines_per_second holds them back, and tells how many it left out, by their reason', async () => {
  const running = await manyEnds({ lines_per_second: 20 });
  const count = (): number => {
    const leftOut = running.logsOf('log.suppressed').filter(({ of }) => of === 'session.end');
    expect(new Set(leftOut.map(({ reason }) => reason))).toEqual(new Set(leftOut.length > 0 ? ['backend_lost'] : []));
    return leftOut.reduce((sum, one) => sum + Number(one.count), running.logsOf('session.end').length);
  };
  await until('each is written or counted', () => count() === SESSIONS);
  expect(running.logsOf('session.end').length).toBeLessThan(SESSIONS);
});
