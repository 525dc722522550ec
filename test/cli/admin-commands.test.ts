import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SessionView } from '../../src/admin/subject.ts';
import { runAdminCommand } from '../../src/cli/admin-commands.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import {
  type AdminEndpoint,
  type AdminReply,
  type AdminRequest,
  endpointText,
  parseAdminAddress,
} from '../../src/cli/client.ts';
import { ExitCode } from '../../src/cli/commands.ts';
import type { Screen, Terminal } from '../../src/cli/place.ts';
import { startAdmin } from '../support/admin.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { sampleSession, sampleStatus } from '../support/fake-admin-subject.ts';

interface Ran {
  readonly exit: ExitCode;
  readonly out: string;
  readonly err: string;
}

const LOW: Screen = {
  columns: 40,
  rows: 12,
  colour: false,
  now: () => 0,
  enter() {},
  leave() {},
  pause: () => Promise.resolve(),
};

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function run(line: string, change: Partial<Terminal> = {}): Promise<Ran> {
  const verdict = parseArguments(line.split(' '));
  if (!verdict.ok || !('at' in verdict.command)) throw new Error(`no such command: ${line}`);
  let out = '';
  let err = '';
  const exit = await runAdminCommand(verdict.command, {
    env: {},
    stdin: nothing(),
    print: (text) => {
      out += text;
    },
    complain: (text) => {
      err += text;
    },
    screen: null,
    wait: () => Promise.resolve(),
    ...change,
  });
  return { exit, out, err };
}

const silence = (why: string) => () => Promise.resolve<AdminReply>({ kind: 'silence', why });
const answer = (status: number, value: unknown) => () =>
  Promise.resolve<AdminReply>({
    kind: 'answer',
    status,
    body: typeof value === 'string' ? value : JSON.stringify(value),
  });

describe('asked of a real admin listener', () => {
  test('status and sessions print tables, or the JSON as it came', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    const status = await run(`status ${at}`);
    expect(status).toMatchObject({ exit: ExitCode.Stopped, err: '' });
    expect(status.out).toMatch(/^framegate 1\.2\.3 {2}READY/);
    expect(JSON.parse((await run(`status ${at} --format json`)).out)).toMatchObject({ version: '1.2.3' });
    expect((await run(`sessions ${at} --route chat --limit 5`)).out).toContain('cafe-1  paused');
    expect(admin.subject.calls.at(-1)).toEqual(['sessions', { route: 'chat', limit: 5 }]);
    const session = await run(`sessions cafe-1 ${at}`);
    expect(session.out).toMatch(/^session {7}cafe-1\n/);
    expect(session.out).toMatch(/\nrecord {5}-1.5m {2}client {2}text 512B\n/);
  });

  test('why prints one screen, all of it where there is none, or the JSON as it came', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    const why = await run(`why cafe-1 ${at}`);
    expect(why).toMatchObject({ exit: ExitCode.Stopped, err: '' });
    expect(why.out).toMatch(/^cafe-1 {2}ENDED {2}client_message_too_big, by the client\n/);
    expect((await run(`why cafe-1 ${at}`, { screen: LOW })).out).not.toBe(why.out);
    expect(JSON.parse((await run(`why cafe-1 ${at} --format json`)).out)).toMatchObject({ session: 'cafe-1' });
    expect(await run(`why other ${at}`)).toMatchObject({ exit: ExitCode.Failed, out: '' });
  });

  test('upstreams prints all or one of them, as tables or as JSON', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    expect((await run(`upstreams ${at}`)).out).toMatch(
      /^chat {2}least_sessions; 0 of 1 targets up; handshakes 3, 0 queued\n/,
    );
    expect((await run(`upstreams chat ${at}`)).out).toContain('\na       draining   2.5m  admin  ');
    expect(JSON.parse((await run(`upstreams chat ${at} --format json`)).out)).toMatchObject({
      upstreams: [{ name: 'chat', targets: [{ name: 'a' }] }],
    });
    const none = { exit: ExitCode.Failed, out: '', err: 'framegate: no upstream "news"\n' };
    expect(await run(`upstreams news ${at}`)).toEqual(none);
  });

  test('close, drain, undrain and reload do what they say, with names escaped', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    expect((await run(`close cafe-1 --code 4001 --reason bye ${at}`)).out).toBe('closing 1 session\n');
    expect((await run(`close --target a ${at}`)).out).toBe('closing 3 sessions\n');
    expect((await run(`drain ${at}`)).out).toBe('draining, then the process ends\n');
    expect((await run(`drain route /chat/* ${at}`)).out).toBe('draining route /chat/*\n');
    expect((await run(`undrain target chat a ${at}`)).out).toBe('open for new sessions again: target a of chat\n');
    expect((await run(`reload ${at}`)).out).toBe('changed:\n  limits.max_sessions\n');
    admin.subject.reloadResult = { ok: true, changed: [] };
    expect((await run(`reload ${at}`)).out).toBe('nothing changed\n');
    expect(admin.subject.calls.map(([name]) => name)).toEqual([
      ...['closeSession', 'closeSessions', 'drain', 'drainRoute', 'drainTarget', 'reload', 'reload'],
    ]);
    expect(admin.subject.calls.slice(3, 5)).toEqual([
      ['drainRoute', '/chat/*', true],
      ['drainTarget', 'chat', 'a', false],
    ]);
  });

  test('revoke and extend do what they say', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    const until = '2026-01-02T00:00:00.000Z';
    expect((await run(`revoke --auth users --key acme ${at}`)).out).toBe(`ended 3 sessions; refused until ${until}\n`);
    admin.subject.revokeResult = { ended: 1, until, durable: false };
    expect((await run(`revoke --auth users --all --for 1h ${at}`)).out).toBe(
      `ended 1 session; refused until ${until}, or until a restart: there is no revocations.dir\n`,
    );
    expect((await run(`extend cafe-1 --until 1800000000 ${at}`)).out).toBe('cafe-1 ends at 2027-01-15T08:00:00.000Z\n');
    expect(admin.subject.calls).toEqual([
      ['revoke', { auth: 'users', kind: 'key', value: 'acme', forMs: null }],
      ['revoke', { auth: 'users', kind: 'all', value: '', forMs: 3_600_000 }],
      ['extendSession', 'cafe-1', 1.8e12],
    ]);
    admin.subject.extended = 'ending';
    expect(await run(`extend cafe-1 --until 1800000000 ${at}`)).toMatchObject({ exit: ExitCode.Failed });
  });

  test('a refusal is exit code 1 and says why', async () => {
    const admin = await startAdmin({ token: 'secret' });
    const at = `--admin 127.0.0.1:${admin.port}`;
    const refused = await run(`status ${at}`);
    expect(refused.exit).toBe(ExitCode.Failed);
    expect(refused.err).toMatch(/^framegate: refused with 401: a token is needed.*FRAMEGATE_ADMIN_TOKEN/);
    const env = { FRAMEGATE_ADMIN_TOKEN: 'secret' };
    expect((await run(`status ${at}`, { env })).exit).toBe(ExitCode.Stopped);
    const unknown = await run(`close other ${at}`, { env });
    expect(unknown).toMatchObject({ exit: ExitCode.Failed, out: '' });
    expect(unknown.err).toBe('framegate: refused with 404: no such session, or it is ending\n');
  });

  test('restart says who took over, or why nobody did with exit code 1', async () => {
    const admin = await startAdmin();
    const at = `--admin 127.0.0.1:${admin.port}`;
    const took = 'process 4711 took over after 800 ms; the old one ends its sessions, then itself\n';
    expect(await run(`restart ${at}`)).toMatchObject({ exit: ExitCode.Stopped, out: took });
    admin.subject.restartResult = { ok: false, error: 'restart_failed', why: 'config.yaml: no\u001b[m' };
    const failed = await run(`restart ${at}`);
    expect(failed).toMatchObject({ exit: ExitCode.Failed, out: '' });
    const message = 'the new process did not become ready, this one goes on';
    expect(failed.err).toBe(`config.yaml: no\\u001b[m\nframegate: no restart: ${message}\n`);
  });

  test('a rejected reload lists the problems and is exit code 1', async () => {
    const admin = await startAdmin();
    const problem = { severity: 'error', file: 'a.yaml', line: 3, column: 1, path: 'limts', message: 'unknown key' };
    admin.subject.reloadResult = { ok: false, problems: [problem] };
    const rejected = await run(`reload --admin 127.0.0.1:${admin.port}`);
    expect(rejected.exit).toBe(ExitCode.Failed);
    expect(rejected.err).toContain('a.yaml:3:1: error: limts: unknown key');
    expect(rejected.err).toContain('the old config stays');
  });

  test.each([
    ['ready', ExitCode.Stopped],
    ['starting', ExitCode.Failed],
    ['draining', ExitCode.Failed],
  ] as const)('healthcheck while %s is exit code %i', async (state, exit) => {
    const admin = await startAdmin({ token: 'secret' });
    admin.subject.state = state;
    expect(await run(`healthcheck --admin 127.0.0.1:${admin.port}`)).toEqual({ exit, out: `${state}\n`, err: '' });
  });

  test('over a unix socket', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    await startAdmin({ address: { kind: 'unix', path: `${folder}/a.sock`, mode: null } });
    expect((await run(`healthcheck --admin unix:${folder}/a.sock`)).exit).toBe(ExitCode.Stopped);
    expect((await run(`healthcheck --admin unix:${folder}/b.sock`)).exit).toBe(ExitCode.NoAnswer);
  });

  test('nobody there is exit code 69', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await new Promise((resolve) => server.close(resolve));
    for (const line of ['status', 'drain', 'healthcheck', 'advise']) {
      const ran = await run(`${line} --admin 127.0.0.1:${port}`);
      expect(ran.exit).toBe(ExitCode.NoAnswer);
      expect(ran.err).toBe(`framegate: no answer from the admin listener on 127.0.0.1:${port} (ECONNREFUSED)\n`);
    }
  });
});

describe('healthcheck without an admin listener', () => {
  /** A config with these listeners, and the path to its file. */
  function configOf(listeners: string): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    writeFileSync(`${folder}/a.yaml`, `listeners: ${listeners}\nroutes: [{ upstream: "builtin:echo" }]\n`);
    return `${folder}/a.yaml`;
  }

  /** Answers each request with this status line; tells what was asked for. */
  async function answering(status: string): Promise<{ port: number; asked: string[] }> {
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        asked.push(bytes.toString().split('\r\n')[0] ?? '');
        socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      });
    });
    atTestEnd(() => {
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, asked };
  }

  test.each([
    ['200 OK', ExitCode.Stopped, 'ready\n'],
    ['503 Service Unavailable', ExitCode.Failed, 'draining\n'],
    ['404 Not Found', ExitCode.Failed, ''],
  ])('health_path is asked: %s', async (status, exit, out) => {
    const { port, asked } = await answering(status);
    const file = configOf(`[{ address: ":1" }, { address: "127.0.0.1:${port}", health_path: /healthz }]`);
    expect(await run(`healthcheck -c ${file}`)).toMatchObject({ exit, out });
    expect(asked).toEqual(['GET /healthz HTTP/1.1']);
  });

  test('without one it is enough that the first listener accepts a connection; nothing is sent', async () => {
    const { port, asked } = await answering('200 OK');
    const file = configOf(`[{ address: "127.0.0.1:0" }, { address: "127.0.0.1:${port}" }]`);
    expect(await run(`healthcheck -c ${file}`)).toEqual({
      exit: ExitCode.Stopped,
      out: 'accepts connections\n',
      err: '',
    });
    expect(asked).toEqual([]);
  });

  test('nobody there is exit code 69; a route, and a listener on port 0 alone, cannot be asked', async () => {
    const file = configOf(`[{ address: "unix:${tmpdir()}/framegate-nobody.sock" }]`);
    const nobody = await run(`healthcheck -c ${file}`);
    expect(nobody.exit).toBe(ExitCode.NoAnswer);
    expect(nobody.err).toMatch(/^framegate: no answer from the listener on unix:.* \(ENOENT\)\n$/);
    expect(await run(`healthcheck -c ${file} --route /*`)).toMatchObject({
      exit: ExitCode.BadConfig,
      err: `framegate: ${file} has no admin listener: "admin: {}" in it makes one\n`,
    });
    expect((await run(`healthcheck -c ${configOf('[{ address: "127.0.0.1:0" }]')}`)).exit).toBe(ExitCode.BadConfig);
  });
});

describe('where to ask', () => {
  test('a bad --admin is exit code 2', async () => {
    expect(await run('status --admin 9464')).toMatchObject({ exit: ExitCode.Usage });
    expect((await run('status --admin :0')).err).toBe('framegate: --admin: port 0 cannot be asked\n');
  });

  test('without --admin the config says it; one with problems or no admin listener is exit code 78', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    writeFileSync(`${folder}/none.yaml`, 'routes: [{ upstream: "builtin:echo" }]\n');
    writeFileSync(`${folder}/bad.yaml`, 'rutes: []\n');
    const none = await run(`status -c ${folder}/none.yaml`);
    expect(none).toMatchObject({
      exit: ExitCode.BadConfig,
      err: `framegate: ${folder}/none.yaml has no admin listener: "admin: {}" in it makes one\n`,
    });
    const bad = await run(`status -c ${folder}/bad.yaml`);
    expect(bad.exit).toBe(ExitCode.BadConfig);
    expect(bad.err).toContain('unknown key (did you mean "routes"?)');
    expect(bad.err).toContain('framegate: --admin HOST:PORT, with FRAMEGATE_ADMIN_TOKEN, asks without this file\n');
  });

  test('of a config with problems elsewhere its admin is used, unless there are some in it, too', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    const admin = await startAdmin({ token: 'secret' });
    const file = `${folder}/a.yaml`;
    writeFileSync(`${folder}/token`, 'secret\n');
    const own = `admin: { address: "127.0.0.1:${admin.port}", token: { file: token } }\n`;
    const missing = [
      'rutes: []',
      'auth: { users: { basic: { users: { file: gone } } } }',
      `log: { level: "\${GONE_LEVEL}" }\n`,
    ].join('\n');
    writeFileSync(file, `${missing}${own}`);
    expect(await run(`reload -c ${file}`)).toEqual({
      exit: ExitCode.Stopped,
      out: 'changed:\n  limits.max_sessions\n',
      err: `framegate: ${file} has problems, which "framegate check" tells; its admin is used\n`,
    });
    const faulty = [
      missing,
      `${missing}${own}${own}`,
      `${missing}admin: { address: "127.0.0.1:${admin.port}", token: { file: gone } }\n`,
      `${missing}admin: { address: "127.0.0.1:${admin.port}", tken: secret }\n`,
      `${own}routes: [\n`,
    ];
    for (const text of faulty) {
      writeFileSync(file, text);
      expect([text, (await run(`reload -c ${file}`)).exit]).toEqual([text, ExitCode.BadConfig]);
    }
    expect(admin.subject.calls).toHaveLength(1);
  });

  test('the config says where and with which token; the variable goes before it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    const admin = await startAdmin({ token: 'secret' });
    const file = `${folder}/a.yaml`;
    writeFileSync(
      file,
      `routes: [{ upstream: "builtin:echo" }]\nadmin: { address: "127.0.0.1:${admin.port}", token: secret }\n`,
    );
    expect((await run(`reload -c ${file}`)).exit).toBe(ExitCode.Stopped);
    const other = await run(`reload -c ${file}`, { env: { FRAMEGATE_ADMIN_TOKEN: 'other' } });
    expect(other.err).toBe('framegate: refused with 401: the token of FRAMEGATE_ADMIN_TOKEN is not the right one\n');
    expect((await run(`reload -c ${file}`, { env: { FRAMEGATE_ADMIN_TOKEN: '' } })).exit).toBe(ExitCode.Stopped);
    writeFileSync(
      file,
      `admin: { address: "127.0.0.1:${admin.port}", token: old }\nroutes: [{ upstream: "builtin:echo" }]\n`,
    );
    const old = await run(`reload -c ${file}`);
    expect(old.err).toBe(`framegate: refused with 401: the token of admin.token in ${file} is not the right one\n`);
  });

  test('an address to bind becomes one to dial', () => {
    const text = (address: string) => {
      const parsed = parseAdminAddress(address);
      if ('problem' in parsed) return parsed.problem;
      const endpoint: AdminEndpoint = { address: parsed, token: null };
      return endpointText(endpoint);
    };
    expect([':1', '0.0.0.0:1', '[::]:1', '[::1]:1', 'ops.example:1', 'unix:/a.sock'].map(text)).toEqual([
      ...['127.0.0.1:1', '127.0.0.1:1', '[::1]:1', '[::1]:1', 'ops.example:1', 'unix:/a.sock'],
    ]);
  });
});

describe('answers that are none', () => {
  test.each([
    [answer(200, 'hello'), 'framegate: the answer is not one of an admin listener of framegate\n'],
    [answer(200, 'null'), 'framegate: the answer is not one of an admin listener of framegate\n'],
    [answer(502, '<html>'), 'framegate: refused with 502; is this an admin listener of framegate?\n'],
    [answer(400, { message: '\x1b[2J' }), 'framegate: refused with 400: \\u001b[2J\n'],
  ])('are exit code 1', async (ask, err) => {
    expect(await run('advise --admin :1', { ask })).toEqual({ exit: ExitCode.Failed, out: '', err });
  });
});

describe('--watch and top', () => {
  /** Whatever is drawn, and what each look is asked for; nobody answers any more after `looks` pauses. */
  async function watched(line: string, looks: number, reply: (path: string, look: number) => unknown, rows = 24) {
    let look = 0;
    let drawn = '';
    const asked: string[] = [];
    const ask = (_: AdminEndpoint, { path: target }: AdminRequest): Promise<AdminReply> => {
      asked.push(target);
      return look < looks ? answer(200, reply(target, look))() : silence('ECONNREFUSED')();
    };
    const screen: Screen = {
      ...{ columns: 80, rows, colour: false },
      now: () => look * 1000,
      enter: () => {
        drawn += '<';
      },
      leave: () => {
        drawn += '>';
      },
      pause: async () => {
        look += 1;
      },
    };
    const print = (text: string) => {
      drawn += text;
    };
    return { ...(await run(`${line} --admin :1`, { ask, screen, print })), drawn, asked };
  }

  const sessionAt = (id: string, look: number, perSecond: number): SessionView => ({
    ...sampleSession,
    id,
    age_ms: 60_000 + look * 1000,
    from_client: { ...sampleSession.from_client, messages: look * perSecond },
  });

  test.each([
    ['status --watch', '--watch'],
    ['top', '"top"'],
  ])('%s needs a terminal', async (line, what) => {
    const ran = await run(`${line} --admin :1`, { ask: answer(200, {}) });
    expect(ran).toEqual({ exit: ExitCode.Usage, out: '', err: `framegate: ${what} needs a terminal\n` });
  });

  test('draws over what is there on a screen of its own, which it leaves when nobody answers', async () => {
    const page = { sessions: [], next: null, more: 0 };
    const { drawn, exit, err } = await watched('sessions --watch', 2, () => page);
    expect(drawn).toBe(`<${'\x1b[Hno sessions\x1b[K\x1b[J'.repeat(2)}>`);
    expect(exit).toBe(ExitCode.NoAnswer);
    expect(err).toContain('(ECONNREFUSED)');
  });

  test('a first look that fails draws nothing', async () => {
    expect(await watched('sessions --watch', 0, () => ({}))).toMatchObject({ exit: ExitCode.NoAnswer, drawn: '' });
  });

  test('draws never more lines than fit, and clears behind none that is as wide as the screen', async () => {
    const wide = { ...sampleSession, path: `/${'x'.repeat(200)}` };
    const page = { sessions: Array.from({ length: 40 }, () => wide), next: 'cafe-1', more: 11 };
    const { drawn } = await watched('sessions --watch', 1, () => page, 10);
    const lines = drawn.slice(1, -1).replace('\x1b[H', '').replace('\x1b[J', '').split('\r\n');
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe('... 43 more: --after cafe-1\x1b[K');
    for (const one of lines) expect(one.replace('\x1b[K', '').length === 80).toBe(!one.endsWith('\x1b[K'));
  });

  test('what goes on a second is told from the second look on', async () => {
    const page = (look: number) => ({ sessions: [sessionAt('cafe-1', look, 250)], next: null, more: 0 });
    const { drawn } = await watched('sessions --watch', 2, (_, look) => page(look));
    const rates = drawn
      .split('\x1b[H')
      .slice(1)
      .map((picture) => {
        const [head = '', row = ''] = picture.split('\x1b[K\r\n');
        return row
          .slice(0, head.indexOf('MESSAGES/S') + 'MESSAGES/S'.length)
          .split(' ')
          .at(-1);
      });
    expect(rates).toEqual(['?', '250']);
  });

  test('top: who is busiest now is first, of those with most in all', async () => {
    const reply = (target: string, look: number) =>
      target.includes('/status')
        ? sampleStatus
        : { sessions: [sessionAt('cafe-1', look, 1), sessionAt('cafe-2', look, 20)], next: '-9/cafe-2', more: 7 };
    const { drawn, asked } = await watched('top --route chat', 2, reply);
    expect(asked[1]).toBe('/api/v1/sessions?route=chat&sort=messages&limit=1000');
    const last = drawn.split('\x1b[H').at(-1) ?? '';
    expect(last).toContain('most messages in the last second first, among the 2 with most in all');
    expect([...last.matchAll(/cafe-\d/g)].map(String)).toEqual(['cafe-2', 'cafe-1']);
    expect(last).toContain('... 7 more\x1b[K');
  });
});

test('sessions --sort asks for that order, and top too', async () => {
  const admin = await startAdmin();
  await run(`sessions --sort rtt --admin 127.0.0.1:${admin.port}`);
  expect(admin.subject.calls.at(-1)).toEqual(['sessions', { sort: 'rtt', limit: 100 }]);
});

test('advise prints the text, or one route of the JSON', async () => {
  const ask = answer(200, { watched_ms: 1000, caps: [], routes: [] });
  expect((await run('advise --admin :1', { ask })).out).toMatch(/^Traffic of 1s, since the start/);
  expect(await run('advise --admin :1 --route chat', { ask })).toMatchObject({
    exit: ExitCode.Failed,
    err: 'framegate: no route "chat"\n',
  });
  expect(JSON.parse((await run('advise --admin :1 --format json', { ask })).out)).toEqual({
    watched_ms: 1000,
    caps: [],
    routes: [],
  });
});

describe('drain --wait', () => {
  type Look = readonly [state: string, sessions: number] | null;

  /** Each look sees the next of `looks`, and then the last one again. */
  async function drained(line: string, looks: readonly Look[]) {
    let at = 0;
    const waits: number[] = [];
    const ask = (_: AdminEndpoint, { method, path: asked }: AdminRequest): Promise<AdminReply> => {
      if (method === 'POST') return answer(200, {})();
      const look = looks[Math.min(at, looks.length - 1)] ?? null;
      at += 1;
      const seen = look === null ? [] : [{ name: 'a', state: look[0], sessions: look[1] }];
      const others = [{ name: 'b', state: 'up', sessions: 7 }];
      if (asked === '/api/v1/status') return answer(200, { routes: [...others, ...seen] })();
      return answer(200, { upstreams: [{ name: 'chat', targets: [...others, ...seen] }] })();
    };
    const wait = async (ms: number) => void waits.push(ms);
    return { ...(await run(`${line} --admin :1`, { ask, wait })), waits };
  }

  test.each([
    ['target chat a', 'target a of chat'],
    ['route a', 'route a'],
  ])('%s: ends when it is empty, and tells what is left meanwhile', async (subject, name) => {
    const looks: Look[] = [
      ['draining', 1200],
      ['draining', 1200],
      ['draining', 1],
      ['draining', 0],
    ];
    expect(await drained(`drain ${subject} --wait`, looks)).toEqual({
      exit: ExitCode.Stopped,
      out: `draining ${name}\n${name} is empty\n`,
      err: '1 200 sessions left\n1 session left\n',
      waits: [1000, 1000, 1000],
    });
  });

  test.each([
    [1500, [1000, 500], ExitCode.Failed],
    [2000, [1000, 1000], ExitCode.Stopped],
    [0, [], ExitCode.Failed],
  ])('--timeout %i ms', async (timeout, waits, exit) => {
    const looks: Look[] = [['draining', 3], ['draining', 3], timeout === 2000 ? ['draining', 0] : ['draining', 3]];
    const ran = await drained(`drain target chat a --wait --timeout ${timeout}ms`, looks);
    expect([ran.exit, ran.waits]).toEqual([exit, waits]);
    if (exit === ExitCode.Failed) expect(ran.err).toMatch(/is not empty after \S+: 3 sessions left\n$/);
  });

  test('one that is undrained or gone meanwhile is exit code 1', async () => {
    const undrained = await drained('drain target chat a --wait', [
      ['draining', 3],
      ['up', 3],
    ]);
    expect(undrained).toMatchObject({
      exit: ExitCode.Failed,
      err: '3 sessions left\nframegate: target a of chat drains no more, with 3 sessions left\n',
    });
    expect(await drained('drain target chat a --wait', [['draining', 3], null])).toMatchObject({
      exit: ExitCode.Failed,
      err: '3 sessions left\nframegate: target a of chat is not there any more\n',
    });
  });
});
