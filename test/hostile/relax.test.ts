import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { acceptFor, text } from '../support/wire.ts';
import { type AcceptedRow, acceptanceTests, instead, refusalTests, requestOf, sharedGate, without } from './harness.ts';
import { closeCleanly } from './pair.ts';
import { beginHandshake, expectRefusedLine, expectSpoilt, headOf, switchLines, takeRefusal } from './refusal.ts';

const admin = { admin: { address: '127.0.0.1:0' } };

interface RelaxedUse {
  readonly check: string;
  readonly key: string;
  readonly used: number;
}

/** What the first route's advice and the metrics say of checks that are switched off. */
async function usesOf(running: RunningProxy): Promise<{ advised: readonly RelaxedUse[]; counted: string[] }> {
  const { json } = await askAdmin(running, 'GET /api/v1/advice');
  const { routes } = json as { routes: { relaxed: RelaxedUse[] }[] };
  const { body } = await askAdmin(running, 'GET /metrics');
  return {
    advised: routes[0]?.relaxed ?? [],
    counted: body.split('\n').filter((line) => line.startsWith('framegate_relaxed_checks_total{')),
  };
}

const LONG_KEY = `${'A'.repeat(126)}==`;

describe('checks of requests that a route switches off', () => {
  const gate = sharedGate((backendUrl) => ({
    routes: [
      { name: 'loose', match: { path: '/loose' }, upstream: backendUrl, relax: ['key', 'connection_token'] },
      { name: 'key', match: { path: '/key' }, upstream: backendUrl, relax: ['key'] },
      { name: 'strict', match: { path: '/*' }, upstream: backendUrl },
    ],
  }));
  const at = (target: string, request: string) => request.replace('GET / ', `GET ${target} `);
  const noToken = ['keep-alive', 'close', 'up-grade', ''].map((value) => instead('Connection', value));
  const bad = (value: string) => instead('Connection', value);
  const key = (value: string) => instead('Sec-WebSocket-Key', value);

  refusalTests(gate, [
    ['U31: without relax, or with another, a missing upgrade is refused', noToken, '400 connection_token'],
    ['U31: on a route that relaxes another check', noToken.map((each) => at('/key', each)), '400 connection_token'],
    [
      'U31: what is no list of tokens is refused on every route',
      ['up grade', 'upgrade;x', 'a@b'].map((value) => at('/loose', bad(value))),
      '400 connection_token',
    ],
    [
      'U31: a field that checks go by cannot be named either',
      [at('/loose', bad('cookie')), at('/loose', bad('keep-alive, origin'))],
      '400 connection_option',
    ],
    ['U32: without relax a key of another length is refused', [key('dG9vIHNob3J0'), key(LONG_KEY)], '400 key'],
    [
      'U32: what is no base64, nothing, or over 128 letters is refused on every route',
      [
        ...['', '=', 'a b', 'a-_', 'a===', 'a=b', '"a"', 'A'.repeat(129)].map((value) => at('/key', key(value))),
        at('/key', without('Sec-WebSocket-Key')),
      ],
      '400 key',
    ],
    [
      'U32: two keys are two, whatever their length',
      [at('/key', instead('Sec-WebSocket-Key', 'abcd', 'abcd'))],
      '400 dup_field',
    ],
    ['U32: no route is no route', [key('abcd').replace('GET / ', 'GET /%2e%2e ')], '400 dot_segment'],
  ]);
  const target = '/loose';
  const passing: AcceptedRow[] = [
    ['U31: on its route any list of tokens passes', at(target, bad('keep-alive, x')), { target }],
    ['U31: and none at all', at(target, without('Connection')), { target }],
  ];
  acceptanceTests(gate, passing);

  test('U32: on its route base64 of another length goes on, and the accept value is made of it', async () => {
    for (const value of ['dG9vIHNob3J0', 'abc', 'x3JJHMbDL1EzLkh9GBhXDw', LONG_KEY]) {
      const client = await gate.connect();
      gate.dials += 1;
      client.send(at('/key', key(value)));
      const server = await gate.backend.nextConnection();
      expect((await server.request()).field('sec-websocket-key')).toBe(value);
      server.send(headOf(...switchLines(value)));
      const head = await client.readHead();
      expect([head.status, head.field('sec-websocket-accept')]).toEqual([101, acceptFor(value)]);
      await closeCleanly({ client, server });
    }
  });
});

describe('who may leave out the upgrade of Connection', () => {
  const route = { name: 'loose', relax: ['connection_token' as const] };

  test('U31: never a trusted proxy, since it saw no upgrade and goes on to read requests', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy({
      routes: [{ ...route, upstream: backend.url }],
      trusted_proxies: ['127.0.0.1'],
    });
    const client = await RawClient.connect(running.port);
    client.send(without('Connection'));
    await takeRefusal(client, 400, 'connection_token');
    expect(backend.connections).toBe(0);
  });

  test('U31: nor who comes by a unix socket, which is a proxy of this machine', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true }));
    const socket = path.join(folder, 'in.sock');
    await startProxy({
      listeners: [{ name: 'local', address: `unix:${socket}` }],
      routes: [{ ...route, upstream: 'builtin:echo' }],
    });
    const client = await RawClient.connect(socket);
    client.send(without('Connection'));
    await takeRefusal(client, 400, 'connection_token');
  });

  test('U31, U32: each use is counted, and shown by advise', async () => {
    const relax = ['key' as const, 'connection_token' as const];
    const running = await startProxy({ routes: [{ name: 'loose', upstream: 'builtin:echo', relax }], ...admin });
    for (let i = 0; i < 2; i += 1) {
      const client = await RawClient.connect(running.port);
      client.send(requestOf({ omit: ['sec-websocket-key'], fields: ['Sec-WebSocket-Key: abcd'] }));
      expect((await client.readHead()).status).toBe(101);
    }
    const { advised, counted } = await usesOf(running);
    expect(advised).toEqual([
      { check: 'key', key: 'routes[].relax', used: 2 },
      { check: 'connection_token', key: 'routes[].relax', used: 0 },
    ]);
    expect(counted).toEqual(['framegate_relaxed_checks_total{route="loose",check="key"} 2']);
  });
});

describe("checks of a backend's 101 that an upstream switches off", () => {
  const lf = (...lines: string[]) => `${lines.join('\n')}\n\n`;

  test('B41: the accept value may be any, and the client gets the right one', async () => {
    for (const value of ['wrong', '', acceptFor('AAAAAAAAAAAAAAAAAAAAAA==')]) {
      const { client, server, key, running } = await beginHandshake({ upstream: { relax: ['accept'] }, config: admin });
      server.send(headOf(...switchLines(key).slice(0, 3), `Sec-WebSocket-Accept: ${value}`));
      const head = await client.readHead();
      expect([head.status, head.all('sec-websocket-accept')]).toEqual([101, [acceptFor(key)]]);
      const { advised, counted } = await usesOf(running);
      expect(advised).toEqual([{ check: 'accept', key: 'upstreams.own.relax', used: 1 }]);
      expect(counted).toEqual(['framegate_relaxed_checks_total{route="test",check="accept"} 1']);
    }
  });

  test('B41: it has to be there, and once', async () => {
    const relax = { upstream: { relax: ['accept' as const] } };
    const upgrade = switchLines().slice(0, 3);
    await expectSpoilt(headOf(...upgrade), '101 without Sec-WebSocket-Accept', relax);
    const twice = [...upgrade, 'Sec-WebSocket-Accept: a', 'Sec-WebSocket-Accept: a'];
    await expectSpoilt(headOf(...twice), 'wrong Sec-WebSocket-Accept', relax);
    await expectSpoilt((key) => lf(...switchLines(key)), 'bare_lf', relax);
  });

  test('B42: lines of a 101 may end in LF, in all of it or in some, and frames follow', async () => {
    const heads = [
      (key: string) => lf(...switchLines(key)),
      (key: string) => headOf(...switchLines(key)).replace('\r\n', '\n'),
      (key: string) => headOf(...switchLines(key)).replace(/\r\n\r\n$/, '\r\n\n'),
      (key: string) => headOf(...switchLines(key)).replace(/\r\n\r\n$/, '\n\r\n'),
      (key: string) => lf('HTTP/1.1 101', ...switchLines(key).slice(1)),
    ];
    for (const head of heads) {
      const { client, server, key, running } = await beginHandshake({
        upstream: { relax: ['bare_lf'] },
        config: admin,
      });
      server.send(Buffer.concat([Buffer.from(head(key)), text('first')]));
      expect((await client.readHead()).status).toBe(101);
      expect((await client.nextFrame()).payload.toString()).toBe('first');
      expect((await usesOf(running)).counted).toEqual([
        'framegate_relaxed_checks_total{route="test",check="bare_lf"} 1',
      ]);
    }
  });

  test('B42: those of no other answer, and nothing else ends a line', async () => {
    const relax = { upstream: { relax: ['bare_lf' as const] } };
    await expectSpoilt(lf('HTTP/1.1 403 x', 'Content-Length: 0'), 'bare_lf', relax);
    await expectSpoilt((key) => lf('HTTP/1.1 100 x') + headOf(...switchLines(key)), 'bare_lf', relax);
    await expectSpoilt((key) => headOf(...switchLines(key)).replace('\r\nUpgrade', '\rUpgrade'), 'bare_cr', relax);
    await expectSpoilt((key) => lf(...switchLines(key), ' folded'), 'obs_fold', relax);
    await expectSpoilt((key) => lf(...switchLines(key), 'X-Canary: \0'), 'ctl', relax);
    await expectSpoilt((key) => lf(...switchLines(key).slice(0, 3)), '101 without Sec-WebSocket-Accept', relax);
  });

  test('B42: a 101 that is in order counts as no use', async () => {
    const relax = ['bare_lf' as const, 'accept' as const];
    const { client, server, key, running } = await beginHandshake({ upstream: { relax }, config: admin });
    server.send(headOf(...switchLines(key)));
    expect((await client.readHead()).status).toBe(101);
    const { advised, counted } = await usesOf(running);
    expect(advised.map(({ used }) => used)).toEqual([0, 0]);
    expect(counted).toEqual([]);
    expect(running.logsOf('handshake.refused')).toEqual([]);
  });

  test('B41, B42: without relax both are 502', async () => {
    await expectSpoilt((key) => lf(...switchLines(key)), 'bare_lf');
    const { client, server, key, running } = await beginHandshake();
    server.send(headOf(...switchLines(key).slice(0, 3), 'Sec-WebSocket-Accept: x'));
    await takeRefusal(client, 502, 'backend_handshake');
    const cause = 'wrong Sec-WebSocket-Accept';
    await expectRefusedLine(running, { status: 502, error: 'backend_handshake', cause });
  });
});
