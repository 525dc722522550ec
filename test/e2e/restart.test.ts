// Restarts of the built command: the next process has the listening sockets, so nobody is refused, reset or loses a
// message; and where it does not come up, the old one goes on.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { makeCertificates } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { cliPath, runCli, startCli } from '../support/cli-process.ts';
import { Generations } from '../support/generations.ts';
import { CountingBackend, RestartTraffic } from '../support/restart-traffic.ts';
import { comeBack, sessionOf } from '../support/tls-clients.ts';

test('3 restarts under load on TCP, TLS and unix: nobody is refused, no message lost, all are told 1012', async () => {
  const { good, ca } = await makeCertificates();
  const backend = new CountingBackend();
  const config = `
listeners:
  - { name: tcp, address: 127.0.0.1:0 }
  - { name: tls, address: 127.0.0.1:0, tls: { certificates: [{ cert: c.pem, key: k.pem }] } }
  - { name: unix, address: unix:data.sock }
routes: [{ upstream: back }]
upstreams: { back: { targets: [{ url: "${await backend.listen()}" }] } }
limits: { handshakes_per_second_per_ip: off }
admin: { address: unix:admin.sock }
drain: { spread: 300ms }
`;
  const framegate = new Generations(config, {}, { 'c.pem': good.cert, 'k.pem': good.key });
  const [tcp, tls] = [await framegate.port('tcp'), await framegate.port('tls')];
  const traffic = new RestartTraffic(backend, [
    { base: `ws://127.0.0.1:${tcp}`, options: {} },
    { base: `wss://127.0.0.1:${tls}`, options: { ca } },
    { base: `ws+unix://${join(framegate.folder, 'data.sock')}:`, options: {} },
  ]);
  traffic.start(3, 1);
  const pids = [Number(framegate.cli.child.pid)];
  for (let i = 0; i < 3; i++) pids.push(await framegate.restart());
  expect(await framegate.firstExit).toBe(0);
  await framegate.left(3);
  await traffic.stop();
  expect(traffic.faults).toEqual([]);
  expect(traffic.told).toBeGreaterThanOrEqual(3 * 9);
  expect(new Set(pids).size).toBe(4);
}, 60_000);

describe('a new process that does not come up', () => {
  test('is told of with its reason, and the old one goes on with all that it had', async () => {
    const config = `
listeners: [{ name: tcp, address: 127.0.0.1:0 }, { name: unix, address: unix:data.sock }]
routes: [{ upstream: "builtin:echo" }]
admin: { address: unix:admin.sock }
`;
    const folder = mkdtempSync(join(tmpdir(), 'fg-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const script = join(folder, 'framegate.mjs');
    symlinkSync(cliPath, script);
    const framegate = new Generations(config, { script });
    const socket = await opened(`ws://127.0.0.1:${await framegate.port('tcp')}`);
    await framegate.ready();
    const refusal = async () => {
      const { status, body } = await framegate.ask('POST', '/api/v1/restart');
      return [status, body.error, body.why];
    };

    framegate.write('config.yaml', config.replace('routes', 'rotes'));
    const [first, second] = await Promise.all([refusal(), refusal()]);
    expect(first).toEqual([500, 'restart_failed', expect.stringContaining('did you mean "routes"?')]);
    expect(second).toEqual([409, 'restarting', undefined]);

    const other = createServer().listen(join(framegate.folder, 'other.sock'));
    atTestEnd(() => void other.close());
    await once(other, 'listening');
    framegate.write('config.yaml', config.replace('}]\nroutes', '}, { address: "unix:other.sock" }]\nroutes'));
    expect(await refusal()).toEqual([500, 'restart_failed', expect.stringContaining('EADDRINUSE')]);

    framegate.write('config.yaml', config);
    rmSync(script);
    writeFileSync(script, 'import "node:fs"\nthis is no program\n');
    const [status, error, why] = await refusal();
    expect([status, error]).toEqual([500, 'restart_failed']);
    expect(why).toMatch(/^it ended with code 1\n.*SyntaxError/s);

    socket.send('still here');
    expect(String((await once(socket, 'message'))[0])).toBe('still here');
    for (const base of [socket.url, `ws+unix://${join(framegate.folder, 'data.sock')}:/`]) (await opened(base)).close();
    const ends = framegate.cli.logs.filter(({ event }) => event === 'restart.end');
    expect(ends.map(({ level, ok }) => [level, ok])).toEqual([
      ['error', false],
      ['error', false],
      ['error', false],
    ]);
  });

  test('is not even begun where the config came from stdin', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fg-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const input = 'listeners: [{ address: 127.0.0.1:0 }]\nroutes: [{ upstream: "builtin:echo" }]\n';
    const admin = 'admin: { address: unix:admin.sock }\n';
    const cli = startCli(['run', '-c', '-'], { input: input + admin, cwd: folder });
    await cli.port();
    const exit = await runCli(['restart', '--admin', `unix:${join(folder, 'admin.sock')}`]);
    expect(exit).toMatchObject({ code: 1, stdout: '' });
    expect(exit.stderr).toMatch(/^its config came from stdin.*\nframegate: no restart: /);
  });
});

test('the new process goes on with what was revoked and with session tickets, and shows the old one', async () => {
  const { good } = await makeCertificates();
  const config = `
listeners:
  - { name: tls, address: 127.0.0.1:0, tls: { certificates: [{ cert: c.pem, key: k.pem }] } }
  - { name: unix, address: unix:data.sock, mode: "0600" }
auth:
  keys:
    api_key:
      keys: [{ name: a, sha256: "${sha256('key-of-a')}" }, { name: b, sha256: "${sha256('key-of-b')}" }]
routes:
  - { name: open, match: { listeners: [tls] }, auth: [], upstream: "builtin:echo" }
  - { name: closed, match: { listeners: [unix] }, upstream: "builtin:echo", auth: [keys] }
admin: { address: unix:admin.sock }
drain: { grace: 10s }
`;
  const framegate = new Generations(config, {}, { 'c.pem': good.cert, 'k.pem': good.key });
  const port = await framegate.port('tls');
  await framegate.ready();
  const file = join(framegate.folder, 'data.sock');
  const as = (key: string) => opened(`ws+unix://${file}:/`, { headers: { 'X-API-Key': key } });
  const stays = await as('key-of-b');
  const session = await sessionOf(port);
  expect((await framegate.ask('POST', '/api/v1/revoke?auth=keys&key=a')).status).toBe(200);
  const pid = await framegate.restart();
  expect(await comeBack(port, session)).toBe('resumed');
  await expect(as('key-of-a')).rejects.toThrow('401');
  (await as('key-of-b')).close();
  const { body } = await framegate.ask('GET', '/api/v1/status');
  const old = { pid: framegate.cli.child.pid, sessions: 1, state: 'draining' };
  expect([body.pid, body.before]).toEqual([pid, [old]]);
  stays.close();
  expect(await framegate.firstExit).toBe(0);
  expect(existsSync(file)).toBe(true);
  process.kill(pid, 'SIGTERM');
  expect(await framegate.cli.exit()).toMatchObject({ code: 0, stderr: expect.not.stringContaining('internal error') });
  expect(existsSync(file)).toBe(false);
});

test('sockets of a service manager are listened at by number or name, and go on to the next process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fg-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  const [web, file] = [createServer().listen(0, '127.0.0.1'), createServer().listen(join(folder, 'data.sock'))];
  await Promise.all([web, file].map((one) => one.listening || once(one, 'listening')));
  const fds = [web, file].map((one) => Number(Reflect.get(Reflect.get(one, '_handle'), 'fd')));
  const address = web.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const config = (...addresses: string[]) => `
listeners: [${addresses.map((one) => `{ address: "${one}" }`).join(', ')}]
routes: [{ upstream: "builtin:echo" }]
admin: { address: unix:admin.sock }
`;
  const framegate = new Generations(config('fd:web', 'fd:4'), { activation: { fds, names: 'web:unknown' } });
  await framegate.ready();
  for (const one of [web, file]) {
    const closed = once(one, 'close');
    // Its path is not for it to remove any more.
    if (one === file) renameSync(join(folder, 'data.sock'), join(folder, 'kept.sock'));
    one.close();
    await closed;
  }
  const urls = [`ws://127.0.0.1:${port}/`, `ws+unix://${join(folder, 'kept.sock')}:/`];
  for (const url of urls) (await opened(url)).close();
  const bound = framegate.cli.logs.flatMap(({ listener, address }) =>
    (listener === 'admin' ? [] : [address ?? []]).flat(),
  );
  expect(bound).toEqual([`127.0.0.1:${port}`, `unix:${join(folder, 'data.sock')}`]);
  framegate.write('config.yaml', config('fd:unknown', 'fd:3'));
  const pid = await framegate.restart();
  expect(await framegate.firstExit).toBe(0);
  for (const url of urls) (await opened(url)).close();
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('LISTEN_');
  framegate.write('config.yaml', config('fd:5'));
  const { body } = await framegate.ask('POST', '/api/v1/restart');
  expect(body.why).toMatch(/cannot listen on fd:5: no such socket was handed over/);
});

test('systemd hears of a start, a reload, the new main process and the stop', async () => {
  const bin = mkdtempSync(join(tmpdir(), 'fg-'));
  atTestEnd(() => rmSync(bin, { recursive: true, force: true }));
  writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${bin}/told\n`, { mode: 0o755 });
  const env = { NOTIFY_SOCKET: '/run/nobody', PATH: `${bin}:${process.env.PATH}` };
  const config = `
listeners: [{ address: 127.0.0.1:0 }]
routes: [{ upstream: "builtin:echo" }]
admin: { address: unix:admin.sock }
`;
  const framegate = new Generations(config, { env });
  await framegate.ready();
  const first = framegate.cli.child.pid;
  await framegate.ask('POST', '/api/v1/reload');
  const next = await framegate.restart();
  expect(await framegate.firstExit).toBe(0);
  process.kill(next, 'SIGTERM');
  await framegate.cli.exit();
  expect(
    readFileSync(join(bin, 'told'), 'utf8')
      .replace(/USEC=\d+/, 'USEC=N')
      .split('\n'),
  ).toEqual([
    ...[`READY=1 MAINPID=${first}`, 'RELOADING=1 MONOTONIC_USEC=N', 'READY=1'],
    ...[`READY=1 MAINPID=${next}`, 'STOPPING=1', ''],
  ]);
});

async function opened(url: string, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, options);
  atTestEnd(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

test('the first process of a container starts others, passes signals on, and ends as the last of them', async () => {
  const config = `
listeners: [{ name: tcp, address: 127.0.0.1:0 }, { name: unix, address: unix:data.sock }]
routes: [{ upstream: "builtin:echo" }]
admin: { address: unix:admin.sock }
drain: { grace: 10s }
`;
  const framegate = new Generations(config, { env: { FRAMEGATE_PARENT: 'be' } });
  const port = await framegate.port('tcp');
  await framegate.ready();
  const urls = [`ws://127.0.0.1:${port}/`, `ws+unix://${join(framegate.folder, 'data.sock')}:/`];
  const first = Number((await framegate.ask('GET', '/api/v1/status')).body.pid);
  const stays = await opened(urls[0] ?? '');
  const second = await framegate.restart();
  for (const url of urls) (await opened(url)).close();
  const { body } = await framegate.ask('GET', '/api/v1/status');
  expect([body.pid, body.before]).toEqual([second, [{ pid: first, sessions: 1, state: 'draining' }]]);
  const old = once(stays, 'close');
  stays.close();
  await old;
  await framegate.cli.waitForLog('drain.end');
  const third = await framegate.restart();
  expect(new Set([framegate.cli.child.pid, first, second, third]).size).toBe(4);
  framegate.write('config.yaml', 'routes: [{ upstream: other }]\n');
  expect((await framegate.ask('POST', '/api/v1/restart')).body.why).toContain('config.yaml:1:');
  for (const url of urls) (await opened(url)).close();
  framegate.cli.signal('SIGTERM');
  expect(await framegate.firstExit).toBe(0);
  expect(existsSync(join(framegate.folder, 'data.sock'))).toBe(false);
});
