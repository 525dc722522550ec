import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { AdminServer } from '../../src/admin/server.ts';
import { loadObject } from '../../src/config/load.ts';
import { renderConfig } from '../../src/config/render.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { localSettings, parseReply, readAll, startAdmin, testSlices } from '../support/admin.ts';
import { atTestEnd } from '../support/cleanup.ts';
import {
  FakeAdminSubject,
  sampleRecord,
  sampleSession,
  sampleStatus,
  sampleUpstreams,
  sampleWhy,
} from '../support/fake-admin-subject.ts';
import { FakePageSource } from '../support/fake-page-source.ts';

const bearer = (token: string) => `Authorization: Bearer ${token}`;

describe('endpoints', () => {
  test.each([
    ['/healthz', { status: 'ok' }],
    ['/readyz', { status: 'ready' }],
    ['/readyz?route=chat', { status: 'ready' }],
    ['/api/v1/status', sampleStatus],
    ['/api/v1/sessions/cafe-1', { ...sampleSession, record: sampleRecord }],
    ['/api/v1/sessions/cafe-1/why', sampleWhy],
    ['/api/v1/sessions', { sessions: [sampleSession], next: 'cafe-1', more: 11 }],
    ['/api/v1/advice', { watched_ms: 1000, caps: [], routes: [] }],
  ])('GET %s answers JSON', async (target, expected) => {
    const admin = await startAdmin();
    const reply = await admin.ask(`GET ${target}`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(reply.body)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test('GET /metrics, /api/v1/config and /application/websockets', async () => {
    const admin = await startAdmin();
    const metrics = await admin.ask('GET /metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.body).toBe('framegate_ready 1\n');
    const config = await admin.ask('GET /api/v1/config');
    expect(config.headers.get('content-type')).toBe('application/yaml');
    const [socket] = JSON.parse((await admin.ask('GET /application/websockets')).body);
    expect(Object.keys(socket)).toEqual([
      'sessionId',
      'clientAddress',
      'gatewayPath',
      'serviceUrl',
      'serviceSessionId',
    ]);
  });

  test('HEAD has the fields of GET and no body', async () => {
    const admin = await startAdmin();
    const get = await admin.ask('GET /readyz');
    const head = await admin.ask('HEAD /readyz');
    expect(head.status).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers.get('content-length')).toBe(String(get.body.length));
  });

  test.each(['starting', 'draining', 'no_target'] as const)('readyz is 503 while %s, healthz is not', async (state) => {
    const admin = await startAdmin();
    admin.subject.state = state;
    const ready = await admin.ask('GET /readyz');
    expect([ready.status, JSON.parse(ready.body)]).toEqual([503, { status: state }]);
    expect((await admin.ask('GET /healthz')).status).toBe(200);
    expect((await admin.ask('GET /readyz?route=other')).status).toBe(404);
  });

  test('why of an id that is no session says where its end, or what never was one, is found', async () => {
    const { message } = JSON.parse((await (await startAdmin()).ask('GET /api/v1/sessions/other/why')).body);
    expect(message).toMatch(/^no session of this id is open or has ended in the last ten minutes\. /);
    for (const event of ['session.end', 'handshake.refused', 'http.request']) expect(message).toContain(event);
  });

  test.each([
    ['GET /nowhere', 404, 'not_found', undefined],
    ['GET /api/v1/', 404, 'not_found', undefined],
    ['GET /api/v1/sessions/other', 404, 'no_session', undefined],
    ['GET /api/v1/sessions/other/why', 404, 'unknown_session', undefined],
    ['GET /api/v1/reload', 405, 'method', 'POST'],
    ['POST /metrics', 405, 'method', 'GET, HEAD'],
    ['DELETE /api/v1/sessions/cafe-1', 405, 'method', 'GET, HEAD'],
    ['GET /api/v1/sessions/%zz', 400, 'bad_path', undefined],
    ['GET /api/v1/sessions?rout=chat', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?route=a&route=b', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?route=', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?state=odd', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?sort=odd', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?sort=age&after=cafe-1', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?limit=0', 400, 'bad_parameter', undefined],
    ['GET /api/v1/sessions?limit=1001', 400, 'bad_parameter', undefined],
    ['POST /api/v1/sessions/close', 400, 'no_filter', undefined],
    ['POST /api/v1/sessions/close?code=1008', 400, 'no_filter', undefined],
    ['POST /api/v1/sessions/cafe-1/close?code=1005', 400, 'bad_code', undefined],
    ['POST /api/v1/sessions/cafe-1/close?code=1002', 400, 'bad_code', undefined],
    [`POST /api/v1/sessions/cafe-1/close?reason=${'x'.repeat(124)}`, 400, 'bad_reason', undefined],
    ['POST /api/v1/sessions/cafe-1/close?reason=%00', 400, 'bad_reason', undefined],
    ['POST /api/v1/sessions/other/close', 404, 'no_session', undefined],
    ...['', '?auth=users', '?identity=a', '?auth=users&identity=a&key=b', '?auth=users&all=yes'].map(
      (query): [string, number, string, undefined] => [`POST /api/v1/revoke${query}`, 400, 'no_subject', undefined],
    ),
    ['POST /api/v1/revoke?auth=users&all=1&for=1', 400, 'bad_for', undefined],
    ['POST /api/v1/revoke?auth=users&all=1&for=3651d', 400, 'bad_for', undefined],
    ['POST /api/v1/sessions/cafe-1/extend', 400, 'bad_until', undefined],
    ['POST /api/v1/sessions/cafe-1/extend?until=1e9', 400, 'bad_until', undefined],
    ['POST /api/v1/sessions/other/extend?until=1', 404, 'no_session', undefined],
    ['GET /api/v1/revoke', 405, 'method', 'POST'],
    ['POST /api/v1/routes/chat/drain', 404, 'no_route', undefined],
    ['POST /api/v1/upstreams/chat/targets/z/undrain', 404, 'no_target', undefined],
  ])('%s is %i %s', async (line, status, error, allow) => {
    const admin = await startAdmin();
    const reply = await admin.ask(line);
    expect([reply.status, JSON.parse(reply.body).error]).toEqual([status, error]);
    expect(reply.headers.get('allow')).toBe(allow);
  });

  test('sessions are filtered and paged as asked', async () => {
    const admin = await startAdmin();
    await admin.ask(
      'GET /api/v1/sessions?route=chat&client=192.0.2.7&target=a&identity=b&state=paused&limit=1000&after=cafe-1',
    );
    await admin.ask('GET /api/v1/sessions');
    expect(admin.subject.calls).toEqual([
      [
        'sessions',
        {
          route: 'chat',
          client: '192.0.2.7',
          target: 'a',
          identity: 'b',
          state: 'paused',
          limit: 1000,
          after: 'cafe-1',
        },
      ],
      ['sessions', { limit: 100 }],
    ]);
  });

  test('changes reach the backend, with names unescaped, and each is logged', async () => {
    const admin = await startAdmin();
    const post = async (target: string) => JSON.parse((await admin.ask(`POST /api/v1/${target}`)).body);
    expect(await post('reload')).toEqual({ changed: ['limits.max_sessions'] });
    expect(await post('restart')).toEqual({ pid: 4711, ms: 800 });
    expect(await post('drain')).toEqual({ status: 'draining' });
    expect(await post('routes/%2Fchat%2F*/drain')).toEqual({ route: '/chat/*', state: 'draining' });
    expect(await post('routes/%2Fchat%2F*/undrain')).toEqual({ route: '/chat/*', state: 'open' });
    expect(await post('upstreams/chat/targets/a/drain')).toMatchObject({ state: 'draining' });
    expect(await post('upstreams/chat/targets/a/undrain')).toMatchObject({ state: 'up' });
    expect(await post('sessions/cafe-1/close?code=4001&reason=bye')).toEqual({ closing: 1 });
    expect(await post('sessions/close?client=192.0.2.7')).toEqual({ closing: 3 });
    expect(admin.subject.calls.slice(-2)).toEqual([
      ['closeSession', 'cafe-1', { code: 4001, text: 'bye' }],
      ['closeSessions', { client: '192.0.2.7' }, {}],
    ]);
    expect(admin.logs.map(({ level, event, fields }) => [level, event, fields.action, fields.client])).toEqual(
      [
        ...['reload', 'restart', 'drain', 'routes.drain', 'routes.undrain'],
        ...['upstreams.targets.drain', 'upstreams.targets.undrain', 'sessions.close', 'sessions.close'],
      ].map((action) => ['info', 'admin.action', action, '127.0.0.1']),
    );
    expect(admin.logs.at(-2)?.fields.arguments).toEqual({ of: 'cafe-1', code: '4001', reason: 'bye' });
  });

  test('credentials are revoked and sessions extended as asked, or it says why not', async () => {
    const admin = await startAdmin();
    const post = async (target: string) => {
      const reply = await admin.ask(`POST /api/v1/${target}`);
      return [reply.status, JSON.parse(reply.body)];
    };
    const done = { ended: 3, until: '2026-01-02T00:00:00.000Z', durable: true };
    expect(await post('revoke?auth=users&identity=a%2Fb')).toEqual([200, done]);
    expect(await post('revoke?auth=users&all=1&for=3650d')).toEqual([200, done]);
    expect(await post('sessions/cafe-1/extend?until=2000000000')).toEqual([200, { session: 'cafe-1', until: 2e9 }]);
    expect(admin.subject.calls).toEqual([
      ['revoke', { auth: 'users', kind: 'identity', value: 'a/b', forMs: null }],
      ['revoke', { auth: 'users', kind: 'all', value: '', forMs: 3_650 * 86_400_000 }],
      ['extendSession', 'cafe-1', 2e12],
    ]);
    expect(admin.logs.map(({ fields }) => fields.action)).toEqual(['revoke', 'revoke', 'sessions.extend']);
    const errors = [
      ['no_method', 404],
      ['not_of_method', 400],
      ['revocations_full', 507],
      ['not_written', 500],
    ] as const;
    for (const [error, status] of errors) {
      admin.subject.revokeResult = { error };
      expect(await post('revoke?auth=users&all=1')).toMatchObject([status, { error }]);
    }
    for (const extended of ['ending', 'not_bound'] as const) {
      admin.subject.extended = extended;
      expect(await post('sessions/cafe-1/extend?until=2000000000')).toMatchObject([409, { error: extended }]);
    }
  });

  test('a list whose elements still have to come from somewhere is whole, and holds no other answer up', async () => {
    const admin = await startAdmin();
    let come = () => {};
    const far = new Promise<void>((resolve) => {
      come = resolve;
    });
    admin.subject.upstreams = async () =>
      (function* () {
        yield* sampleUpstreams;
        yield far;
        yield* sampleUpstreams;
      })();
    const waiting = admin.ask('GET /api/v1/upstreams');
    expect((await admin.ask('GET /api/v1/status')).status).toBe(200);
    come();
    expect(JSON.parse((await waiting).body)).toEqual({ upstreams: [...sampleUpstreams, ...sampleUpstreams] });
  });

  test('a restart that fails is told with its reason', async () => {
    const admin = await startAdmin();
    const answer = async () => {
      const { status, body } = await admin.ask('POST /api/v1/restart');
      const { error, why } = JSON.parse(body);
      return [status, error, why];
    };
    admin.subject.restartResult = { ok: false, error: 'restart_failed', why: 'it ended with code 78' };
    expect(await answer()).toEqual([500, 'restart_failed', 'it ended with code 78']);
    admin.subject.restartResult = { ok: false, error: 'restarting' };
    expect(await answer()).toEqual([409, 'restarting', undefined]);
  });

  test('a rejected reload is 422 and lists the problems', async () => {
    const admin = await startAdmin();
    admin.subject.reloadResult = { ok: false, problems: [{ path: 'limts', message: 'unknown key' }] };
    const reply = await admin.ask('POST /api/v1/reload');
    expect(reply.status).toBe(422);
    expect(JSON.parse(reply.body)).toMatchObject({ error: 'config_rejected', problems: [{ path: 'limts' }] });
  });

  test('a fault of the backend is 500 without its text, and is logged', async () => {
    const admin = await startAdmin();
    admin.subject.fault = new Error('the secret');
    const reply = await admin.ask('GET /api/v1/status');
    expect([reply.status, JSON.parse(reply.body).error]).toEqual([500, 'internal_error']);
    expect(reply.body).not.toContain('secret');
    expect(admin.logs.map(({ event }) => event)).toEqual(['admin.fault']);
  });
});

describe('L3: who may ask', () => {
  test.each([
    '127.0.0.1',
    '127.9.9.9:1',
    '[::1]:9464',
    '192.0.2.1',
    'localhost',
    'LOCALHOST:1',
    'ops.example',
    'Ops.Example.:80',
  ])('Host %s is answered', async (host) => {
    const admin = await startAdmin({ hosts: ['ops.example'] });
    expect((await admin.ask('GET /api/v1/status', `Host: ${host}`)).status).toBe(200);
  });

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'a@127.0.0.1', '[::1', '', '1.2.3'])(
    'Host "%s" is 421',
    async (host) => {
      const admin = await startAdmin({ hosts: ['ops.example'] });
      for (const line of ['GET /api/v1/status', 'GET /metrics', 'GET /nowhere', 'POST /api/v1/drain']) {
        const reply = await admin.ask(line, `Host: ${host}`);
        expect([reply.status, JSON.parse(reply.body).error]).toEqual([421, 'foreign_host']);
      }
      expect(admin.subject.calls).toEqual([]);
    },
  );

  test('no Host and two Hosts are 421 too, but health asks for none', async () => {
    const admin = await startAdmin();
    expect(await admin.raw('GET /api/v1/status HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
    expect((await admin.ask('GET /api/v1/status', 'Host: localhost', 'Host: localhost')).status).toBe(421);
    expect(await admin.raw('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect((await admin.ask('GET /readyz', 'Host: evil.example')).status).toBe(200);
  });

  test('with a token nothing but what is public goes without it', async () => {
    const admin = await startAdmin({ token: 'correct-horse', public: ['health'] });
    for (const line of ['GET /metrics', 'GET /api/v1/status', 'GET /nowhere', 'POST /api/v1/drain', 'POST /metrics']) {
      for (const wrong of [
        [],
        [bearer('correct-hors')],
        [bearer('correct-horse2')],
        ['Authorization: Basic Y29ycmVjdA=='],
      ]) {
        const reply = await admin.ask(line, ...wrong);
        expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="framegate"']);
        expect(reply.body).not.toContain('correct');
      }
    }
    expect((await admin.ask('GET /healthz')).status).toBe(200);
    expect((await admin.ask('GET /metrics', bearer('correct-horse'))).status).toBe(200);
    expect((await admin.ask('GET /nowhere', 'authorization: bearer correct-horse')).status).toBe(404);
    expect(admin.subject.calls).toEqual([]);
  });

  test.each(['GET /api/v1/events', 'POST /api/v1/drain'])(
    '%s whose body comes after its token was changed is judged by the new one',
    async (line) => {
      const admin = await startAdmin({ token: 'first' });
      const socket = admin.open();
      const head = [`${line} HTTP/1.1`, 'Host: localhost', bearer('first'), 'Content-Length: 2', 'Connection: close'];
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      await once(socket, 'connect');
      // Its head is read before another connection is served.
      await admin.ask('GET /healthz');
      admin.server.reconfigure({ ...localSettings, token: 'second' });
      const answer = readAll(socket);
      socket.write('{}');
      expect(parseReply(await answer).status).toBe(401);
      expect(admin.subject.calls).toEqual([]);
    },
  );

  test('admin.public opens metrics only when it names them', async () => {
    const admin = await startAdmin({ token: 'secret', public: ['metrics'] });
    expect((await admin.ask('GET /metrics', 'Host: evil.example')).status).toBe(200);
    expect((await admin.ask('GET /healthz')).status).toBe(401);
  });

  test('an address that others reach needs a token', () => {
    const clock = { now: () => 0 };
    const plain = { log: { event: () => {} }, clock, wheel: new TimerWheel(clock), slices: testSlices() };
    const options = { subject: new FakeAdminSubject(), page: new FakePageSource(), ...plain };
    for (const host of ['', '0.0.0.0', '::', '192.0.2.1', 'ops.example', '128.0.0.1']) {
      const address = { kind: 'tcp', host, port: 0 } as const;
      expect(() => new AdminServer({ ...options, settings: { ...localSettings, address } })).toThrow(
        'token is required',
      );
      expect(() => new AdminServer({ ...options, settings: { ...localSettings, address, token: 'x' } })).not.toThrow();
    }
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
      const address = { kind: 'tcp', host, port: 0 } as const;
      expect(() => new AdminServer({ ...options, settings: { ...localSettings, address } })).not.toThrow();
    }
  });

  test.each([
    ['Origin: https://evil.example'],
    ['Origin: null'],
    ['Origin: http://localhost.evil.example'],
    ['Origin: http://localhost:1'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    ['Origin: http://localhost', 'Sec-Fetch-Site: cross-site'],
  ])('a POST with %s is 403 before anything else', async (...headers) => {
    const admin = await startAdmin({ token: 'secret' });
    for (const target of ['/api/v1/drain', '/nowhere', '/healthz']) {
      const reply = await admin.ask(`POST ${target}`, ...headers);
      expect([reply.status, JSON.parse(reply.body).error]).toEqual([403, 'cross_site']);
    }
    expect((await admin.ask('POST /api/v1/drain', 'Host: other.example', ...headers)).status).toBe(403);
    expect(admin.subject.calls).toEqual([]);
  });

  test("a POST of the listener's own page, of an address bar and of a program passes", async () => {
    const admin = await startAdmin();
    const accepted = [
      [],
      ['Host: localhost:9464', 'Origin: http://localhost:9464', 'Sec-Fetch-Site: same-origin'],
      ['Sec-Fetch-Site: none'],
    ];
    for (const headers of accepted) expect((await admin.ask('POST /api/v1/reload', ...headers)).status).toBe(200);
    // A name that was made to point here passes for its own origin, and is a foreign Host.
    const rebound = ['Host: evil.example', 'Origin: http://evil.example', 'Sec-Fetch-Site: same-origin'];
    expect((await admin.ask('POST /api/v1/reload', ...rebound)).status).toBe(421);
  });

  test('over a unix socket, whose stale file is replaced and whose mode is set', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-admin-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    const socket = path.join(folder, 'admin.sock');
    const admin = await startAdmin({ address: { kind: 'unix', path: socket, mode: 0o600 } });
    expect((await admin.ask('POST /api/v1/reload')).status).toBe(200);
    expect(admin.logs.at(-1)?.fields.client).toBe('unix');
    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });
});

describe('L4: what is answered', () => {
  test('is JSON or text that no browser sniffs, caches or embeds, whatever was asked', async () => {
    const admin = await startAdmin();
    const lines = ['GET /api/v1/status', 'GET /metrics', 'GET /api/v1/config', 'GET /<script>', 'POST /healthz'];
    for (const line of lines) {
      const { headers, body } = await admin.ask(line);
      expect(headers.get('content-type')).toMatch(/^(application\/(json|yaml)|text\/plain; .*)$/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.has('server')).toBe(false);
      expect(body).not.toContain('<script>');
    }
  });

  test('does not say what the names in a request were, when they are wrong', async () => {
    const admin = await startAdmin();
    const reply = await admin.ask('GET /api/v1/sessions/%3Cscript%3E');
    expect(reply.body).toBe('{"status":404,"error":"no_session","message":"no such session, or it is ending"}\n');
  });
});

describe('L5: secrets', () => {
  test('the config that is shown has *** for them', async () => {
    const config = { routes: [{ upstream: 'builtin:echo' }], admin: { token: 'canary-7f3a' } };
    const loaded = loadObject(config, { baseDir: '.' }).config;
    const admin = await startAdmin();
    admin.subject.configText = renderConfig(loaded);
    const { body } = await admin.ask('GET /api/v1/config');
    expect(parse(body).admin.token).toBe('***');
    expect(body).not.toContain('canary');
  });

  test('the token is in no answer and in no log line', async () => {
    const admin = await startAdmin({ token: 'canary-7f3a' });
    const replies = [
      await admin.ask('GET /api/v1/config', bearer('canary-7f3a')),
      await admin.ask('POST /api/v1/reload', bearer('canary-7f3a')),
      await admin.ask('GET /api/v1/status', bearer('canary-7f3b')),
    ];
    expect(JSON.stringify([replies.map(({ headers, body }) => [...headers, body]), admin.logs])).not.toContain(
      'canary',
    );
  });
});

describe('E33: slow and hammering clients', () => {
  test('a connection that sends nothing, or half a head, or half a body, ends in time', async () => {
    const admin = await startAdmin({}, { timeoutMs: 100 });
    const half = 'POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\n';
    await Promise.all(['', half, `${half}Content-Length: 10\r\n\r\nabc`].map((bytes) => admin.raw(bytes)));
    expect(admin.subject.calls).toEqual([]);
  });

  test('a large answer arrives whole, whether its client takes it at once or slowly', async () => {
    const admin = await startAdmin();
    admin.subject.metricsText = Array.from({ length: 300_000 }, (_, at) => `line ${at}\n`).join('');
    expect((await admin.ask('GET /metrics')).body).toBe(admin.subject.metricsText);
    const slow = admin.open();
    slow.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    slow.on('data', () => {
      slow.pause();
      setImmediate(() => slow.resume());
    });
    expect(parseReply(await readAll(slow)).body).toBe(admin.subject.metricsText);
  });

  test('a client that does not take its answer is cut off', async () => {
    const admin = await startAdmin({}, { timeoutMs: 1_000 });
    admin.subject.metricsText = 'x'.repeat(32 * 1024 * 1024);
    const socket = admin.open();
    socket.pause();
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'connect');
    // Until it reads, it cannot see the cut: ask from elsewhere that the listener still answers, then read on.
    expect((await admin.ask('GET /healthz')).status).toBe(200);
    await new Promise((resolve) => admin.open().resume().on('close', resolve));
    const text = await readAll(socket.resume());
    expect(text.length).toBeLessThan(admin.subject.metricsText.length);
  });

  test('silent connections make room, the oldest first', async () => {
    const admin = await startAdmin();
    const silent: Socket[] = [];
    for (let count = 1; count <= 72; count += 1) {
      silent.push(admin.open().resume());
      await admin.connections(count);
    }
    const ended: number[] = [];
    for (const [index, socket] of silent.entries()) socket.on('close', () => ended.push(index));
    for (let time = 0; time < 3; time += 1) expect((await admin.ask('GET /readyz')).status).toBe(200);
    await admin.connections(71);
    // It closed when it had its answer, so one silent connection made room for all three.
    expect(ended).toEqual([0]);
    const more = [1, 2, 3].map(() => admin.open().resume());
    await Promise.all(silent.slice(1, 3).map((socket) => once(socket, 'close')));
    await admin.connections(72);
    expect(ended.sort()).toEqual([0, 1, 2]);
    more[0]?.write('GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await once(more[0] ?? admin.open(), 'close');
  });

  test('beyond 200 requests at once and 100 a second there is 429, but health is still answered', async () => {
    const admin = await startAdmin();
    const burst = (count: number) => {
      const line = 'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n';
      return admin.raw(`${`${line}\r\n`.repeat(count - 1)}${line}Connection: close\r\n\r\n`);
    };
    const statuses = async (count: number) => [...(await burst(count)).matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]);
    const first = await statuses(201);
    expect(first.slice(0, 200).every((status) => status === '200')).toBe(true);
    expect(first[200]).toBe('429');
    expect((await admin.ask('GET /healthz')).status).toBe(200);
    admin.time.now += 20;
    expect(await statuses(3)).toEqual(['200', '200', '429']);
  });

  test('heads over 16 KiB are 431, bodies over 16 KiB are 413, small bodies are read and dropped', async () => {
    const admin = await startAdmin();
    expect((await admin.ask('GET /healthz', `X: ${'x'.repeat(17_000)}`)).status).toBe(431);
    const declared = await admin.raw('POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16385\r\n\r\n');
    expect(declared).toMatch(/^HTTP\/1\.1 413 /);
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const chunked = 'POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await admin.raw(`${chunked}${chunk}1\r\nx\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    expect(admin.subject.calls).toEqual([]);
    const head = 'POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}';
    expect(await admin.raw(head)).toMatch(/^HTTP\/1\.1 202 /);
  });

  test('an upgrade or a tunnel is not for here', async () => {
    const admin = await startAdmin();
    const upgrade =
      'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    expect(await admin.raw(upgrade)).toBe('');
    expect(await admin.raw('CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
    expect((await admin.ask('GET /healthz')).status).toBe(200);
  });
});
