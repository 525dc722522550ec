// The library as its users have it: the built package by its name, and the contract of what it exports.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type * as Library from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { LogTap } from '../support/log-tap.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { transportMode } from '../support/transport-mode.ts';

const root = dirname(fileURLToPath(new URL('../../package.json', import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const echo: Library.ConfigInput = {
  listeners: [{ address: '127.0.0.1:0' }],
  routes: [{ upstream: 'builtin:echo' }],
  limits: { max_sessions: 100 },
};
const SCRIPT_MS = 30_000;

let library: typeof Library;
beforeAll(async () => {
  // By the path that "exports" names: the test runner itself does not resolve a package's own name.
  library = await import(/* @vite-ignore */ join(root, manifest.exports['.'].default));
});

interface Started {
  readonly proxy: Library.Proxy;
  readonly tap: LogTap;
}

/** A proxy that is stopped when the test ends; not started yet. */
function create(config: Library.ConfigInput = echo): Started {
  const tap = new LogTap();
  const proxy = library.createProxy(config, { transport: transportMode, log: tap });
  atTestEnd(() => proxy.stop());
  return { proxy, tap };
}

function portOf(proxy: Library.Proxy, listener?: string): number {
  const address = proxy.address(listener);
  if (typeof address === 'string') throw new Error(`${address} has no port`);
  return address.port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    atTestEnd(() => {
      socket.destroy();
    });
  });
}

/** A folder that has framegate installed, and the types of Node. */
function consumer(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-consumer-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', manifest.name));
  symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runNode(args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { cwd, timeout: SCRIPT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Starts, serves one session, stops; what it prints is JSON. It must then end by itself: nothing may hold it. */
const useIt = `
  import * as library from 'framegate';
  import schema from 'framegate/config.schema.json' with { type: 'json' };
  const log = { write() {} };
  const config = { listeners: [{ address: '127.0.0.1:0' }], routes: [{ upstream: 'builtin:echo' }] };
  const proxy = library.createProxy(config, { log });
  await proxy.start();
  const { host, port } = proxy.address();
  const drained = await proxy.drain();
  await proxy.stop();
  const deep = await import('framegate/dist/proxy.js').catch((error) => error.code);
  const exported = Object.keys(library).sort();
  console.log(JSON.stringify({ exported, host, hasPort: port > 0, drained, deep, schema: typeof schema }));
`;

describe('the package', () => {
  const expected = {
    exported: ['ConfigError', 'StartError', 'createProxy', 'createProxyFromConfig'],
    host: '127.0.0.1',
    hasPort: true,
    drained: { closed: 0, cut: 0 },
    deep: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
    schema: 'object',
  };

  test(
    'is imported by its name where it is installed, and leaves nothing that holds the process',
    async () => {
      const folder = consumer({ 'main.js': useIt });
      const { code, stdout, stderr } = await runNode(['--no-warnings', 'main.js'], folder);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toEqual(expected);
    },
    2 * SCRIPT_MS,
  );

  test(
    'is imported by its own name from inside the project',
    async () => {
      const args = ['--no-warnings', '--input-type=module', '--eval', useIt];
      const { code, stdout, stderr } = await runNode(args, root);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toEqual(expected);
    },
    2 * SCRIPT_MS,
  );

  test(
    'has types that compile where it is used, and that know the keys of the config',
    async () => {
      const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', target: 'es2023', types: ['node'] };
      const good = `
      import { ConfigError, createProxy, StartError } from 'framegate';
      import type { ConfigInput, DrainResult, Problem, Proxy, ProxyOptions } from 'framegate';
      const route = { upstream: 'builtin:echo', timeouts: { idle: '5m' }, compression: 'off' as const };
      const config: ConfigInput = { routes: [route] };
      const options: ProxyOptions = { log: { write(line: string) { line.trim(); } } };
      export async function run(): Promise<DrainResult> {
        const proxy: Proxy = createProxy(config, options);
        await proxy.start().catch((error: unknown) => { if (error instanceof StartError) throw error; });
        const address: string | { host: string; port: number } = proxy.address('main');
        if (typeof address !== 'string') address.port.toFixed();
        return proxy.drain();
      }
      export const problemsOf = (error: ConfigError): readonly Problem[] => error.problems;
    `;
      const bad = `
      import { createProxy } from 'framegate';
      createProxy({ routs: [] });
      createProxy({ routes: [{ upstream: 'builtin:echo', compression: 'on' }] });
      createProxy({ routes: [{ upstrem: 'builtin:echo' }] });
      createProxy();
    `;
      const folder = consumer({ 'tsconfig.json': JSON.stringify({ compilerOptions }), 'good.ts': good, 'bad.ts': bad });
      const { stdout } = await runNode([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], folder);
      const lines = stdout.split('\n').filter((line) => line.includes('error TS'));
      expect(lines.map((line) => line.replace(/,\d+\): .*/, ')'))).toEqual(
        [3, 4, 5, 6].map((line) => `bad.ts(${line})`),
      );
    },
    2 * SCRIPT_MS,
  );
});

describe('createProxy', () => {
  test('throws a ConfigError that lists every problem, with its path', () => {
    const wrong = {
      routes: [{ upstream: 'nobody', limts: {}, timeouts: { idle: '5 minuts' } }, { match: { path: 'x' } }],
      upstreams: { pool: { targets: [] } },
    };
    let error: unknown = null;
    try {
      library.createProxy(wrong as unknown as Library.ConfigInput);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(library.ConfigError);
    const { message, problems } = error as Library.ConfigError; // checked the line before
    expect(problems.map(({ path }) => path).sort()).toEqual([
      'routes[0].limts',
      'routes[0].timeouts.idle',
      'routes[0].upstream',
      'routes[1].match.path',
      'routes[1].upstream',
      'upstreams.pool.targets',
    ]);
    for (const { path, severity } of problems) {
      expect(severity).toBe('error');
      expect(message).toContain(path);
    }
    expect(message).toContain('did you mean "limits"?');
  });

  test('leaves the object alone, binds nothing and logs nothing', () => {
    const config: Library.ConfigInput = {
      listeners: [{ address: '127.0.0.1:0' }],
      routes: [{ upstream: 'builtin:echo' }],
    };
    const before = JSON.stringify(config);
    const { tap, proxy } = create(config);
    expect(JSON.stringify(config)).toBe(before);
    expect(Object.isFrozen(config)).toBe(false);
    expect(tap.lines).toEqual([]);
    expect(() => proxy.address()).toThrow(/no listener .* is bound/);
  });

  test('two proxies in one process know nothing of each other', async () => {
    const [one, two] = [create(), create()];
    await Promise.all([one.proxy.start(), two.proxy.start()]);
    const ports = [portOf(one.proxy), portOf(two.proxy)];
    expect(new Set(ports).size).toBe(2);
    await one.proxy.stop();
    expect(await Promise.all(ports.map(isOpen))).toEqual([false, true]);
    expect(two.tap.lines.map(({ event }) => event)).toEqual(['start', 'listening']);
  });
});

describe('start and address', () => {
  test('every listener is bound, and found by its name; the first is the default', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'x.sock');
    const { proxy } = create({
      ...echo,
      listeners: [
        { name: 'first', address: '127.0.0.1:0' },
        { name: 'second', address: '127.0.0.1:0' },
        { name: 'local', address: `unix:${path}` },
      ],
    });
    await proxy.start();
    expect(proxy.address()).toEqual({ host: '127.0.0.1', port: portOf(proxy, 'first') });
    expect(portOf(proxy, 'second')).not.toBe(portOf(proxy, 'first'));
    expect(proxy.address('local')).toBe(path);
    expect(() => proxy.address('third')).toThrow(/third/);
    for (const where of [portOf(proxy, 'first'), portOf(proxy, 'second'), path]) {
      const client = await RawClient.connect(where);
      expect((await client.upgrade()).status).toBe(101);
    }
    await proxy.stop();
    expect(() => proxy.address('first')).toThrow(/first/);
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  test('a proxy starts once: the second start rejects and changes nothing', async () => {
    const { proxy, tap } = create();
    const [first, second] = await Promise.allSettled([proxy.start(), proxy.start()]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: expect.any(library.StartError) });
    const port = portOf(proxy);
    await expect(proxy.start()).rejects.toThrow(library.StartError);
    expect(portOf(proxy)).toBe(port);
    expect(tap.lines.filter(({ event }) => event === 'listening')).toHaveLength(1);
    await proxy.stop();
    expect(await isOpen(port)).toBe(false);
    await expect(proxy.start()).rejects.toThrow(library.StartError);
  });

  test('stopped while it starts, or drained before: start rejects, and nothing stays bound', async () => {
    const { proxy, tap } = create();
    const starting = proxy.start();
    await proxy.stop();
    await expect(starting).rejects.toThrow(library.StartError);
    expect(tap.lines.map(({ event }) => event)).toEqual(['start']);
    expect(() => proxy.address()).toThrow(/no listener/);
    const drained = create().proxy;
    await drained.drain();
    await expect(drained.start()).rejects.toThrow(library.StartError);
  });

  test('an address in use: StartError that names it, and nothing stays bound', async () => {
    const taken = await RawBackend.listen();
    const listeners = [
      { name: 'free', address: '127.0.0.1:0' },
      { name: 'taken', address: `127.0.0.1:${taken.port}` },
    ];
    const { proxy, tap } = create({ ...echo, listeners });
    const error: unknown = await proxy.start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(library.StartError);
    expect(error).toMatchObject({ name: 'StartError', cause: { code: 'EADDRINUSE' } });
    expect(String(error)).toContain(`127.0.0.1:${taken.port}`);
    const bound = await tap.waitFor('listening');
    expect(await isOpen(Number(String(bound.address).split(':')[1]))).toBe(false);
    expect(() => proxy.address('free')).toThrow(/free/);
  });

  test('more sessions than open files allow: StartError that names the limit needed', async () => {
    const { proxy } = create({ ...echo, limits: { max_sessions: 9_999_999 } });
    await expect(proxy.start()).rejects.toThrow(/max_sessions 9999999 needs an open-file limit of \d+, it is \d+/);
  });
});

describe('drain and stop', () => {
  async function openSession(proxy: Library.Proxy): Promise<Promise<[number, string]>[]> {
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(proxy)}`);
    socket.on('error', () => {});
    atTestEnd(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    return [new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, reason.toString()])))];
  }

  test('drain closes every session with 1012, tells how many, and is the same when asked twice', async () => {
    const { proxy } = create();
    await proxy.start();
    const port = portOf(proxy);
    const [closed] = await openSession(proxy);
    const drained = proxy.drain();
    expect(proxy.drain()).toBe(drained);
    expect(await drained).toEqual({ closed: 1, cut: 0 });
    expect(await closed).toEqual([1012, 'server restart']);
    expect(await isOpen(port)).toBe(false);
  });

  test('stop cuts every session off and frees the port', async () => {
    const { proxy, tap } = create();
    await proxy.start();
    const port = portOf(proxy);
    const [closed] = await openSession(proxy);
    await proxy.stop();
    expect(await closed).toEqual([1006, '']);
    expect(await isOpen(port)).toBe(false);
    expect(tap.lines.at(-1)).toMatchObject({ event: 'session.end', reason: 'forced' });
    await proxy.stop();
  });

  test('both may be called before a start, and stop while it drains', async () => {
    const early = create().proxy;
    expect(await early.drain()).toEqual({ closed: 0, cut: 0 });
    await early.stop();
    await create().proxy.stop();
    const { proxy } = create();
    await proxy.start();
    const deaf = await RawClient.connect(portOf(proxy));
    expect((await deaf.upgrade()).status).toBe(101);
    const drained = proxy.drain();
    await proxy.stop();
    expect(await drained).toMatchObject({ closed: expect.any(Number) });
    await deaf.closed;
  });
});
