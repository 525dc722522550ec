import { describe, expect, test } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { exampleKey } from '../support/wire.ts';
import { expectEnd, expectRefusal } from './harness.ts';
import { startPoisoned } from './poisoned.ts';

describe('E50: a fault of our own in a handshake', () => {
  test('E50: the 101 cannot be written: client and backend are left, and every place is free again', async () => {
    const backend = await RawBackend.listen();
    const one = { targets: [{ url: backend.url, max_sessions: 1 }] };
    const edge = await startPoisoned('one', { upstreams: { one }, limits: { max_handshakes: 1 } });
    const client = await RawClient.connect(edge.port);
    client.upgrade().catch(() => {});
    const server = await backend.nextConnection();
    await server.head();
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    await server.accept();
    await Promise.all([client.closed, server.closed]);
    expect(await edge.waitForLog('handshake.fault')).toMatchObject({ level: 'error' });
    expect([edge.edge.open, edge.edge.metrics.process.handshakesOpen]).toEqual([0, 0]);
    const next = await RawClient.connect(edge.port);
    const answered = next.upgrade();
    await backend.nextSession();
    expect((await answered).status).toBe(101);
  });
});

describe('E51: what was decided when the head came holds no longer when the 101 does', () => {
  const routed = (url: string) => ({
    ...oneRoute('pool', { name: 'chat' }, { admin: { address: '127.0.0.1:0' } }),
    upstreams: { pool: { targets: [{ name: 'a', url }] } },
  });

  test.each<[what: string, change: string | 'reload']>([
    ['its route is drained', 'POST /api/v1/routes/chat/drain'],
    ['its target is drained', 'POST /api/v1/upstreams/pool/targets/a/drain'],
    ['a reload takes its route away', 'reload'],
  ])('E51: %s: 503 draining, and no session slips through', async (_what, change) => {
    const backend = await RawBackend.listen();
    const running = await startProxy(routed(backend.url));
    const client = await RawClient.connect(running.port);
    client.send(
      `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${exampleKey}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    const server = await backend.nextConnection();
    await server.head();
    if (change === 'reload') {
      const route = { name: 'other', match: { path: '/other' }, upstream: 'pool' };
      const config = { ...routed(backend.url), routes: [route] };
      expect(await running.proxy.reload(config)).toMatchObject({ ok: true });
    } else {
      expect((await askAdmin(running, change)).status).toBe(200);
    }
    await server.accept();
    expectRefusal(await client.readResponse(), '503 draining');
    await Promise.all([expectEnd(client), server.closed]);
    expect(running.logsOf('session.open')).toEqual([]);
  });
});
