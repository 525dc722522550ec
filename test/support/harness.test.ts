import { describe, expect, test } from 'vitest';
import { oneRoute, startProxy } from './harness.ts';
import { RawBackend } from './raw-backend.ts';
import { RawClient } from './raw-client.ts';
import { closeFrame, text } from './wire.ts';

describe('the harness', () => {
  test('runs a proxy between a raw client and a raw backend, and catches its log', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy(
      oneRoute(backend.url, { match: { path: '/x/*' } }, { log: { session_open: 'info' } }),
    );
    const client = await RawClient.connect(running.port);
    const opened = client.upgrade({ path: '/x/y' });
    const session = await backend.nextSession();
    expect((await opened).status).toBe(101);
    session.send(text('down'));
    expect((await client.nextFrame()).payload.toString()).toBe('down');
    client.send(text('up', { mask: true }), closeFrame(1000, 'bye', { mask: true }));
    const [up, close] = await session.framesUntilClose();
    expect(up?.payload.toString()).toBe('up');
    session.send(closeFrame(1000, 'bye'));
    expect(close?.masked).toBe(true);
    expect(await client.nextClose()).toEqual({ code: 1000, reason: 'bye' });
    expect(await running.waitForLog('session.open')).toMatchObject({ path: '/x/y', route: 'test' });
    session.end();
    client.end();
    const end = await running.waitForLog('session.end', (line) => line.route === 'test');
    expect(end).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
    expect(running.logsOf('session.end')).toHaveLength(1);
  });

  test('takes a function of its base config, and brings a listener when there is none', async () => {
    const echo = { name: 'echo', upstream: 'builtin:echo' };
    const changed = await startProxy((base) => ({ ...base, routes: [echo] }));
    const bare = await startProxy({ routes: [echo] });
    for (const { port } of [changed, bare]) {
      const client = await RawClient.connect(port);
      expect((await client.upgrade()).status).toBe(101);
    }
    await bare.stop();
    await expect(RawClient.connect(bare.port)).rejects.toThrow(/ECONNREFUSED/);
  });
});
