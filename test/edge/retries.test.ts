import { describe, expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import { Rig } from './rig.ts';

const BAD_GATEWAY = 'HTTP/1.1 502 Bad Gateway';

function rigOf(over: Record<string, unknown> = {}, count = 3): Rig {
  const targets = Array.from({ length: count }, (_, at) => ({ name: `t${at}`, url: `ws://192.0.2.${at + 1}:1` }));
  const u = { targets, balance: 'round_robin' as const, health: { passive: 'off' as const }, ...over };
  return new Rig({ upstreams: { u }, routes: [{ name: 'echo', upstream: 'u' }] });
}

/** The next `count` dials fail. */
function fail(rig: Rig, count: number): void {
  for (let at = 0; at < count; at += 1) {
    rig.dialer.failures.push(Promise.resolve(new DialError('backend_unreachable', 'ECONNREFUSED', 'refused')));
  }
}

const retriesOf = (rig: Rig) => Object.fromEntries(rig.edge.metrics.upstream('u').retries.entries());

/** What so many clients were answered whose dials all fail, and how many dials that took. */
async function storm(rig: Rig, clients: number): Promise<{ answers: string[]; dials: number }> {
  fail(rig, 3 * clients);
  const answers: string[] = [];
  for (let at = 0; at < clients; at += 1) answers.push(await rig.answer(rig.connect()));
  const dials = 3 * clients - rig.dialer.failures.splice(0).length;
  return { answers, dials };
}

describe('the retry budget', () => {
  test('has three retries for the first handshakes; then the first failure is answered', async () => {
    const rig = rigOf();
    const { answers, dials } = await storm(rig, 3);
    expect([new Set(answers), dials]).toEqual([new Set([BAD_GATEWAY]), 3 + 3]);
    expect(retriesOf(rig)).toEqual({ failed: 3, over_budget: 2 });
    const told = rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ tries }) => tries);
    expect(told).toEqual([3, 2, 1]);
  });

  test('has 20 % of the handshakes of the last ten seconds', async () => {
    const rig = rigOf();
    const { dials } = await storm(rig, 50);
    expect(dials).toBe(50 + 10);
    rig.pass(11_000);
    const later = await storm(rig, 5);
    expect(later.dials).toBe(5 + 3);
  });

  test('off: each has its retries', async () => {
    const rig = rigOf({ retry_budget: 'off' });
    const { dials } = await storm(rig, 20);
    expect([dials, retriesOf(rig)]).toEqual([60, { failed: 40 }]);
  });

  test('a retry that works is counted, one that nobody waits for is not, and none without another target', async () => {
    const rig = rigOf();
    fail(rig, 1);
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    expect(retriesOf(rig)).toEqual({ ok: 1 });
    client.rst();
    client.pump();
    const alone = rigOf({}, 1);
    fail(alone, 1);
    expect(await alone.answer(alone.connect())).toBe(BAD_GATEWAY);
    expect(retriesOf(alone)).toEqual({});
  });
});
