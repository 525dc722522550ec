import { describe, expect, test } from 'vitest';
import type { RawClient } from '../support/raw-client.ts';
import { Opcode } from '../support/wire.ts';
import { type Bytes, expectEnd, type RefusedRow, refusalTests, requestOf, sharedGate, withFields } from './harness.ts';

const GOOD = 'Origin: https://good.example';
const EVIL = 'Origin: https://evil.example';
const asks = (path: string, ...fields: string[]): Bytes => requestOf({ line: `GET ${path} HTTP/1.1`, fields });

const gate = sharedGate((url) => ({
  defaults: { refuse_with: 'close', origins: ['https://good.example'] },
  upstreams: {
    gone: { targets: [{ url: 'ws+unix:/dev/null/socket' }] },
    full: { targets: [{ url, max_sessions: 1 }] },
  },
  routes: [
    { match: { path: '/backend' }, upstream: url },
    { match: { path: '/gone' }, upstream: 'gone' },
    { match: { path: '/chat' }, upstream: url, subprotocols: ['chat'], origins: ['https://chat.example'] },
    { match: { path: '/moved/*' }, upstream: url, rewrite: '/*' },
    { match: { path: '/http' }, upstream: url, refuse_with: 'http' },
    { match: { path: '/coded' }, upstream: 'gone', close_codes: { backend_unreachable: 4502 } },
    { match: { path: '/capped' }, upstream: url, limits: { max_sessions: 1 } },
  ],
}));

/** A WebSocket whose only frame is this Close, which the client answers; then FIN, and one line in the log. */
async function expectClosed(client: RawClient, code: number, reason: string | RegExp): Promise<void> {
  const head = await client.readHead();
  expect(head.status).toBe(101);
  const close = await client.nextClose();
  expect(close).toEqual({ code, reason: reason instanceof RegExp ? expect.stringMatching(reason) : reason });
  expect(client.finSeen, 'our FIN waits').toBe(false);
  client.sendFrame({ opcode: Opcode.Close, payload: Buffer.from([code >> 8, code & 0xff]) });
  await expectEnd(client);
}

async function tellsByClose(request: Bytes, code: number, reason: string | RegExp): Promise<void> {
  gate.clock.advance(1000);
  const before = gate.backend.connections;
  for (const cut of ['whole', 'bytewise'] as const) {
    const client = await gate.connect();
    if (cut === 'whole') client.send(request);
    else await client.sendBytewise(request);
    await expectClosed(client, code, reason);
  }
  expect(gate.backend.connections - before, 'dials').toBe(0);
}

test.each([
  ['no route', asks('/none', GOOD), 4404, 'no_route'],
  ['a path that leads elsewhere', asks('/%67one', GOOD), 1008, 'encoded_path'],
  ['what a rewrite leaves', asks('/moved//x', GOOD), 1008, 'double_slash'],
  [
    'no subprotocol that the route takes',
    asks('/chat', 'Origin: https://chat.example', 'Sec-WebSocket-Protocol: x'),
    1008,
    'subprotocol',
  ],
  ['a backend that cannot be reached', asks('/gone', GOOD), 1014, 'backend_unreachable'],
  ['the same under another code', asks('/coded', GOOD), 4502, 'backend_unreachable'],
  ['no Origin is no reason', asks('/gone'), 1014, 'backend_unreachable'],
  ['an Origin that is not allowed', asks('/backend', EVIL), 3003, 'origin_not_allowed'],
] as const)('O5: %s is told by a Close', async (_, request, code, reason) => {
  await tellsByClose(request, code, reason);
});

describe('O5: what a backend answers', () => {
  async function answered(answer: string, code: number, reason: string, ...fields: string[]): Promise<void> {
    const request = asks('/backend', GOOD, ...fields);
    gate.dials += 1;
    const client = await gate.connect();
    client.send(request);
    const server = await gate.backend.nextConnection();
    await server.head();
    server.send(answer);
    await expectClosed(client, code, reason);
    const line = await gate.tap.waitFor(
      'handshake.refused',
      (one) => one.close_code === code && one.route === '/backend',
    );
    expect(line).toMatchObject({ error: 'backend_refused', close_code: code });
  }

  test('O5: is told by 4000 and its status, without a byte of it', async () => {
    await answered(
      'HTTP/1.1 401 Unauthorized\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nbad',
      4401,
      'backend_refused 401',
    );
    await answered('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n', 4302, 'backend_refused 302');
  });

  test('O5: by 1013 when it says that later is better, and when', async () => {
    const unavailable = (after: string) =>
      `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${after}\r\nContent-Length: 0\r\n\r\n`;
    await answered(unavailable('17'), 1013, 'backend_refused 503 retry=17');
    await answered(unavailable('Fri, 31 Dec 1999 23:59:59 GMT'), 1013, 'backend_refused 503');
    await answered(unavailable('9'.repeat(200)), 1013, 'backend_refused 503');
    await answered('HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n', 1013, 'backend_refused 429');
  });

  test('O5: by 1014 for what else is wrong there', async () => {
    await answered('HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n', 1014, 'backend_refused 500');
  });
});

describe('what is no legal upgrade, and what a flood meets with', () => {
  const rows: RefusedRow[] = [
    ['O6: a head that breaks the syntax', [withFields('X : y')], '400 header_name'],
    ['O6: a request that is no upgrade', [requestOf({ line: 'POST /none HTTP/1.1' })], '405 method'],
    [
      'O6: a key of another length',
      [requestOf({ omit: ['sec-websocket-key'], fields: ['Sec-WebSocket-Key: x'] })],
      '400 key',
    ],
    ['O6: a body', [withFields('Content-Length: 5')], '400 body'],
    ['O6: an Expect', [withFields('Expect: x')], '417 expect'],
    ['O6: a path that no backend gets', [asks('/a/../b', EVIL)], '400 dot_segment'],
    ['O6: where the route says http', [asks('/http', EVIL)], '403 origin_not_allowed'],
  ];
  refusalTests(gate, rows);

  test('O6: too many sessions', async () => {
    const { client, server } = await gate.reaches(asks('/capped', GOOD), { target: '/capped', passed: [GOOD] });
    await gate.refuses(asks('/capped', GOOD), '503 too_many_sessions');
    client.destroy();
    await server.closed;
  });
});

test.each([
  ['no route', asks('/none', EVIL)],
  ['a path that leads elsewhere', asks('/%67one', EVIL)],
  ['what a rewrite leaves', asks('/moved//x', EVIL)],
  ['no subprotocol that the route takes', asks('/chat', EVIL, 'Sec-WebSocket-Protocol: x')],
  ['a backend that cannot be reached', asks('/gone', EVIL)],
  ['an Origin of another route', asks('/chat', GOOD)],
  ['an Origin that is none', asks('/none', 'Origin: x')],
])('O7: a page that may not connect hears of nothing else: %s', async (_, request) => {
  await tellsByClose(request, 3003, 'origin_not_allowed');
});

test('O7: where no route was found, a page of any route hears so', async () => {
  await tellsByClose(asks('/none', 'Origin: https://chat.example'), 4404, 'no_route');
});

describe('O8: a client that was told by a Close', () => {
  async function told(...behind: readonly Buffer[]): Promise<RawClient> {
    const client = await gate.connect();
    client.send(asks('/none', EVIL), ...behind);
    expect((await client.readHead()).status).toBe(101);
    expect((await client.nextClose()).code).toBe(3003);
    return client;
  }

  test('O8: is cut off 2 s later without its own, whatever it sends', async () => {
    const client = await told();
    gate.clock.advance(1_900);
    client.sendFrame({ opcode: Opcode.Text, payload: 'x' });
    await gate.settled();
    expect(client.isClosed).toBe(false);
    gate.clock.advance(150);
    await client.closed;
  });

  test('O8: sends nothing to anybody: 256 KiB are dropped, one frame more is cut off', async () => {
    const client = await told();
    client.sendFrame({ opcode: Opcode.Binary, payload: Buffer.alloc(262_144 - 14) });
    await client.flushed();
    await gate.settled();
    expect(client.isClosed).toBe(false);
    client.sendFrame({ opcode: Opcode.Ping });
    await client.closed;
  });

  test('O8: is not read as HTTP again', async () => {
    const client = await told(Buffer.from(asks('/backend', GOOD)));
    await expectEnd(client);
  });
});
