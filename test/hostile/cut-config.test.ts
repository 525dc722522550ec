// A config file that was cut short while it was written, where what is left is a config too.

import { expect, test } from 'vitest';
import { connectWs } from '../e2e/ws-pair.ts';
import { startProxy } from '../support/harness.ts';

test('X45: the routes of most sessions are missing: they stay, and the old config with them', async () => {
  const route = (name: string) => ({ name, match: { path: `/${name}` }, upstream: 'builtin:echo' });
  const running = await startProxy({ routes: [route('first'), route('second')] });
  const clients = await Promise.all(Array.from({ length: 101 }, () => connectWs(running.port, { path: '/second' })));
  const cut = { listeners: [{ name: 'test', address: '127.0.0.1:0' }], routes: [route('first')] };
  expect(await running.proxy.reload(cut)).toMatchObject({ ok: false, problems: [{ path: 'reload.max_ended' }] });
  clients[0]?.socket.send('still here');
  expect(await clients[0]?.next()).toMatchObject({ kind: 'text' });
  expect(running.logsOf('session.end')).toEqual([]);
  await connectWs(running.port, { path: '/second' });
});
