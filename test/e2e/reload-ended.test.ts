// A reload that would send most sessions away: rejected, forced, allowed, or tried again when they have left.

import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { ConfigInput, ReadConfig } from '../../src/proxy.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const base: Omit<ConfigInput, 'routes'> = {
  listeners: [{ name: 'test', address: '127.0.0.1:0' }],
  drain: { spread: '0s' },
  admin: { address: '127.0.0.1:0' },
};
const chat = { name: 'chat', match: { path: '/chat' }, upstream: 'builtin:echo' };
const news = { name: 'news', match: { path: '/news' }, upstream: 'builtin:echo' };
const full: ConfigInput = { ...base, routes: [chat, news] };
const withoutChat: ConfigInput = { ...base, routes: [news] };

async function opened({ port }: RunningProxy, path: string, count: number): Promise<Inbox[]> {
  return Promise.all(Array.from({ length: count }, () => connectWs(port, { path })));
}

describe('reload.max_ended', () => {
  test('100 sessions may go, and 101 that are half of all; not 101 that are more, unless it is forced', async () => {
    const running = await startProxy(full);
    const clients = await opened(running, '/chat', 101);
    await opened(running, '/news', 100);
    const rejected = await running.proxy.reload(withoutChat);
    expect(rejected).toMatchObject({ ok: false, problems: [{ path: 'reload.max_ended' }] });
    expect(JSON.stringify(rejected)).toContain('would end 101 of 201 open sessions');
    expect(JSON.stringify(rejected)).toContain('--force');
    expect(running.logsOf('session.end')).toEqual([]);
    await opened(running, '/news', 1);
    // 101 of 202 are half, and no more than that.
    expect(await running.proxy.reload(withoutChat)).toMatchObject({ ok: true });
    for (const client of clients) expect(await client.closed()).toMatchObject({ code: 1012 });
  });

  test('forced it is taken on, also through the admin listener; those who wait for the same get it too', async () => {
    const config = (input: ConfigInput): ReadConfig => loadObject(input, { baseDir: '.' });
    const running = await startProxy(full, { source: () => config(withoutChat) });
    const clients = await opened(running, '/chat', 101);
    expect((await askAdmin(running, 'POST /api/v1/reload')).status).toBe(422);
    expect((await askAdmin(running, 'POST /api/v1/reload?force=yes')).status).toBe(400);
    // The first runs, the second waits, and the third says force for both.
    const first = running.proxy.reload();
    await new Promise((resolve) => setImmediate(resolve));
    const others = [{}, { force: true }].map((ask) => running.proxy.reload(undefined, ask));
    expect((await Promise.all([first, ...others])).map(({ ok }) => ok)).toEqual([false, true, true]);
    for (const client of clients) expect(await client.closed()).toMatchObject({ code: 1012 });
  });

  test('a share of its own, or off, is what the new config says', async () => {
    const running = await startProxy(full);
    await opened(running, '/chat', 101);
    await opened(running, '/news', 9);
    expect(await running.proxy.reload({ ...withoutChat, reload: { max_ended: '91%' } })).toMatchObject({ ok: false });
    expect(await running.proxy.reload({ ...withoutChat, reload: { max_ended: '92%' } })).toMatchObject({ ok: true });
  });

  test('what ends anyway is not counted: a second reload while the sessions of the first leave', async () => {
    const running = await startProxy({ ...full, drain: { spread: '20s', timeout: '60s' } });
    const slow = { spread: '20s', timeout: '60s' };
    await opened(running, '/chat', 120);
    await opened(running, '/news', 20);
    expect(await running.proxy.reload({ ...withoutChat, drain: slow }, { force: true })).toMatchObject({ ok: true });
    const again = { ...withoutChat, drain: slow, timeouts: { idle: '5m' } };
    expect(await running.proxy.reload(again)).toMatchObject({ ok: true, changed: ['timeouts.idle'] });
  });

  test('a target that is gone counts as a route does; a change of limits never does', async () => {
    const to = (url: string): ConfigInput => ({
      ...base,
      routes: [{ name: 'chat', match: { path: '/chat' }, upstream: 'app' }],
      upstreams: { app: { targets: [{ name: 'one', url }] } },
    });
    const running = await startProxy(to('builtin:echo'));
    await opened(running, '/chat', 101);
    expect(await running.proxy.reload(to('ws://127.0.0.1:9'))).toMatchObject({ ok: false });
    const tighter = { ...to('builtin:echo'), limits: { max_sessions: 1 } };
    expect(await running.proxy.reload(tighter)).toMatchObject({ ok: true });
  });

  test('asked for it, it is tried again when enough have left, and read anew then', async () => {
    const clock = new FakeClock();
    let reads = 0;
    const source = (): ReadConfig => {
      reads += 1;
      return loadObject(withoutChat, { baseDir: '.' });
    };
    const running = await startProxy(full, { source, clock });
    const clients = await opened(running, '/chat', 102);
    expect(await running.proxy.reload(undefined, { again: true })).toMatchObject({ ok: false });
    clock.advance(1_100);
    expect(reads).toBe(1);
    for (const client of clients.slice(0, 2)) client.socket.close();
    await until('two have left', () => running.logsOf('session.end').length === 2);
    clock.advance(1_100);
    await running.waitForLog('config.loaded');
    expect(reads).toBe(2);
  });
});
