// Targets that fail their checks, and what that means for who is on them and for who comes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { connectWs, type Inbox } from '../e2e/ws-pair.ts';
import { GOOD_NAME, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { CheckedBackend } from '../support/checked-backend.ts';
import { ChecksRig } from '../support/checks-rig.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { takeRefusal } from './refusal.ts';

const INTERVAL = 1_000;

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

/** A proxy whose one target is checked every second, on a clock that the test moves. */
class Checked {
  readonly backend: CheckedBackend;
  readonly clock: FakeClock;
  readonly running: RunningProxy;

  private constructor(backend: CheckedBackend, clock: FakeClock, running: RunningProxy) {
    this.backend = backend;
    this.clock = clock;
    this.running = running;
  }

  static async start(backend: CheckedBackend, more: Partial<UpstreamInput> = {}, baseDir = '.'): Promise<Checked> {
    const clock = new FakeClock();
    const active = { type: 'http', interval: `${INTERVAL}ms`, timeout: '900ms' } as const;
    const chat = { targets: [{ name: 'a', url: backend.url }], health: { active }, ...more };
    const config = { listeners: anyPort, routes: [{ name: 'test', upstream: 'chat' }], upstreams: { chat } };
    return new Checked(backend, clock, await startProxy(config, { clock, baseDir }));
  }

  /** The next check, and its verdict. */
  async check(status: number): Promise<void> {
    const { backend, clock } = this;
    backend.status = status;
    const before = backend.checks;
    await expect
      .poll(
        () => {
          clock.advance(50);
          return backend.checks;
        },
        { interval: 5, timeout: 10_000 },
      )
      .toBeGreaterThan(before);
  }

  get told(): string[] {
    return this.running.logs.flatMap(({ event, why, cause }) =>
      /^target\.(?:up|down)$/.test(String(event)) ? [[event, why, cause].filter(Boolean).join(' ')] : [],
    );
  }

  async refused(status: number, slug: string): Promise<void> {
    const client = await RawClient.connect(this.running.port);
    client.send(upgradeRequest());
    await takeRefusal(client, status, slug);
  }
}

async function expectEcho(client: Inbox): Promise<void> {
  client.socket.send('still here');
  expect(await client.next()).toMatchObject({ kind: 'text', data: Buffer.from('still here') });
}

describe('checks', () => {
  test('E7: flapping never takes it down; three bad ones do, two good ones bring it back, sessions stay', async () => {
    const checked = await Checked.start(await CheckedBackend.listen());
    const { running } = checked;
    const client = await connectWs(running.port);
    for (let round = 0; round < 4; round += 1) {
      for (const status of [500, 500, 200]) await checked.check(status);
    }
    // A verdict is told before the next check begins.
    await checked.check(500);
    expect(checked.told).toEqual([]);
    await expectEcho(await connectWs(running.port));
    await checked.check(500);
    await checked.check(500);
    await running.waitForLog('target.down');
    expect(checked.told).toEqual(['target.down check status: 500']);
    await expectEcho(client);
    await checked.refused(503, 'no_target');
    for (let round = 0; round < 3; round += 1) {
      for (const status of [200, 500]) await checked.check(status);
    }
    await checked.refused(503, 'no_target');
    await checked.check(200);
    await checked.check(200);
    await running.waitForLog('target.up');
    await expectEcho(await connectWs(running.port));
    await expectEcho(client);
    expect(checked.told).toHaveLength(2);
    expect(running.logsOf('session.end'), 'a check is no session, and ends none').toEqual([]);
  });

  describe('E26', () => {
    let certificates: TestCertificates;
    beforeAll(async () => {
      certificates = await makeCertificates();
    });

    test('E26: the certificate of a backend ends: 502 for who comes, down by three checks, sessions stay', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
      atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, 'ca.pem'), certificates.ca);
      const { good, expired } = certificates;
      const backend = await CheckedBackend.listen(good);
      const checked = await Checked.start(
        backend,
        { tls: { ca: 'ca.pem', server_name: GOOD_NAME }, retries: 0 },
        folder,
      );
      const { running } = checked;
      await checked.check(200);
      const client = await connectWs(running.port);
      if ('setSecureContext' in backend.server) backend.server.setSecureContext(expired);
      await checked.refused(502, 'backend_tls');
      expect(running.logsOf('handshake.refused')).toMatchObject([{ cause: 'CERT_HAS_EXPIRED' }]);
      await expect
        .poll(
          () => {
            checked.clock.advance(50);
            return checked.told;
          },
          { interval: 5, timeout: 10_000 },
        )
        .toEqual(['target.down check backend_tls: CERT_HAS_EXPIRED']);
      await checked.refused(503, 'no_target');
      await expectEcho(client);
      if ('setSecureContext' in backend.server) backend.server.setSecureContext(good);
      await checked.check(200);
      await checked.check(200);
      await running.waitForLog('target.up');
      await expectEcho(await connectWs(running.port));
    });
  });
});

describe('E67: checks', () => {
  test('E67: of 300 targets that say nothing 256 are checked at a time, the others behind them', async () => {
    const backend = await RawBackend.listen();
    const targets = Array.from({ length: 300 }, (_, at) => ({ name: `t${at}`, url: backend.url }));
    const active = { type: 'websocket', interval: '10s', timeout: '3s' };
    const rig = new ChecksRig({ targets, health: { active } });
    rig.pass(5_000);
    await expect.poll(() => backend.connections, { interval: 1, timeout: 10_000 }).toBe(256);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(backend.connections).toBe(256);
    rig.pass(3_000);
    await expect.poll(() => backend.connections, { interval: 1, timeout: 10_000 }).toBe(300);
  });
});
