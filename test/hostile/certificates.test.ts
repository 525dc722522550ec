// Certificates of listeners as they end, and as reloads replace them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin } from '../e2e/operating.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { restFaults } from '../support/invariants.ts';
import { RawClient } from '../support/raw-client.ts';
import { visit } from '../support/tls-clients.ts';
import { Opcode } from '../support/wire.ts';

const DAY_MS = 86_400_000;
const END = Date.parse('2031-01-31T12:00:00Z');
/** 1000 are a test of memory and descriptors, for whoever looks at them. */
const RELOADS = Number(process.env.FRAMEGATE_TEST_RELOADS ?? 30);

let authority: Authority;
let server: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  server = await authority.issue({ dns: ['a.test'], notAfter: new Date(END) });
});

const configOf = (...certificates: Identity[]): ConfigInput =>
  oneRoute(
    'builtin:echo',
    {},
    {
      listeners: [{ name: 'test', address: '127.0.0.1:0', tls: { certificates } }],
      admin: { address: '127.0.0.1:0' },
    },
  );

describe('E25: a certificate that ends', () => {
  const start = async (left: number) => {
    const clock = new FakeClock();
    const wall = { now: END - left };
    const running = await startProxy(configOf(server), { clock, wallNow: () => wall.now });
    const told = () => running.logsOf('certificate.expiring').map(({ days }) => days);
    const pass = async (ms: number) => {
      clock.advance(ms);
      wall.now += ms;
    };
    return { running, told, pass };
  };

  test('E25: is told of below 14 days, at load', async () => {
    expect((await start(14 * DAY_MS)).told()).toEqual([]);
    const { running } = await start(14 * DAY_MS - 1);
    expect(running.logsOf('certificate.expiring')).toMatchObject([
      { level: 'warn', listener: 'test', name: 'a.test', not_after: '2031-01-31T12:00:00.000Z', days: 13 },
    ]);
  });

  test('E25: and once a day, from then on, though it has ended; each reload tells it, too', async () => {
    const { running, told, pass } = await start(14 * DAY_MS);
    await pass(DAY_MS);
    await expect.poll(told).toEqual([13]);
    await pass(DAY_MS - 1_000);
    await visit(running.port);
    expect(told()).toEqual([13]);
    await pass(1_000);
    await expect.poll(told).toEqual([13, 12]);
    await pass(13 * DAY_MS);
    await expect.poll(told).toEqual([13, 12, -1]);
    expect(await visit(running.port)).toMatchObject({ isIn: true, name: 'DNS:a.test' });
    await running.proxy.reload(configOf(server));
    expect(told()).toEqual([13, 12, -1, -1]);
  });

  test('E25: stands in the status and the metrics, the first to end first', async () => {
    const later = await authority.issue({ dns: ['b.test'], notAfter: new Date(END + DAY_MS) });
    const running = await startProxy(configOf(later, server), { wallNow: () => END - 5_000 });
    const { body } = await askAdmin(running, 'GET /api/v1/status');
    expect(JSON.parse(body)).toMatchObject({
      listeners: [
        {
          certificates: [
            { name: 'a.test', not_after: '2031-01-31T12:00:00.000Z', expires_in_ms: 5_000 },
            { name: 'b.test', not_after: '2031-02-01T12:00:00.000Z', expires_in_ms: DAY_MS + 5_000 },
          ],
        },
      ],
    });
    expect((await askAdmin(running, 'GET /metrics')).body).toContain(
      `certificate_not_after_timestamp_seconds{listener="test",name="a.test"} ${END / 1000}\n`,
    );
  });
});

describe('E25: a certificate that is replaced', () => {
  test('E25: a key that does not fit is refused, and the old one is shown', async () => {
    const running = await startProxy(configOf(server));
    const other = await authority.issue({ dns: ['other.test'], notAfter: new Date(END) });
    const result = await running.proxy.reload(configOf({ cert: other.cert, key: server.key }));
    expect(result).toMatchObject({ ok: false, problems: [{ path: expect.stringMatching(/certificates/) }] });
    expect(await visit(running.port)).toMatchObject({ isIn: true, name: 'DNS:a.test' });
  });

  test('E25: again and again, under load: the old or the new one, and no session notices', async () => {
    const running = await startProxy(configOf(server));
    const sessions = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = await RawClient.connect(running.port, { tls: { rejectUnauthorized: false } });
        expect((await client.upgrade()).status).toBe(101);
        return client;
      }),
    );
    const identities = await Promise.all([0, 1].map((index) => authority.issue({ dns: [`${index}.test`] })));
    let before = 'DNS:a.test';
    for (let round = 0; round < RELOADS; round += 1) {
      const next = identities[round % 2] ?? server;
      const after = `DNS:${round % 2}.test`;
      const reloaded = running.proxy.reload(configOf(next));
      const during = await Promise.all([visit(running.port), visit(running.port)]);
      expect(await reloaded).toMatchObject({ ok: true });
      for (const { isIn, name } of during) expect([isIn, name === before || name === after]).toEqual([true, true]);
      expect(await visit(running.port)).toMatchObject({ isIn: true, name: after });
      for (const client of sessions) client.sendFrame({ opcode: Opcode.Text, payload: `${round}` });
      for (const client of sessions) expect((await client.nextFrame()).payload.toString()).toBe(`${round}`);
      before = after;
    }
    for (const client of sessions) client.destroy();
    await expect.poll(async () => restFaults((await askAdmin(running, 'GET /metrics')).body)).toEqual([]);
  }, 600_000);
});
