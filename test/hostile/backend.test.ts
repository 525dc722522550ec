import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { HeadStep, ResponseHeadParser } from '../../src/protocol/http-head.ts';
import { exchange } from '../../src/upstream/backend-handshake.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import {
  acceptFor,
  binary,
  closeFrame,
  continuation,
  exampleKey,
  frame,
  Opcode,
  ping,
  text,
  upgradeRequest,
} from '../support/wire.ts';
import {
  closeCleanly,
  endLine,
  expectCulprit,
  expectLimit,
  expectProtocolError,
  headerOnly,
  openPair,
  traffic,
} from './pair.ts';
import {
  beginHandshake,
  earlyFrame,
  expectOneRequest,
  expectRefusedLine,
  expectSpoilt,
  headOf,
  switchLines,
  takeRefusal,
} from './refusal.ts';

const crlf = '\r\n';

/** A valid 101 with one line replaced. */
function spoil(find: RegExp, replacement: string): (key: string) => string {
  return (key) =>
    headOf(
      ...switchLines(key)
        .map((line) => (find.test(line) ? replacement : line))
        .filter((line) => line !== ''),
    );
}

/** A valid 101 with further lines. */
function withLines(...lines: readonly string[]): (key: string) => string {
  return (key) => headOf(...switchLines(key), ...lines);
}

describe('answers that are no 101', () => {
  test.each([200, 201, 204, 206, 299])(
    'B1: 6455 4.1: %i with every upgrade field is 502, and no tunnel',
    async (status) => {
      const lines = (key: string) => [`HTTP/1.1 ${status} Canary`, ...switchLines(key).slice(1), 'X-Canary: 1'];
      await expectSpoilt((key) => `${headOf(...lines(key))}${text('canary')}`, `status ${status}`);
    },
  );

  test.each([100, 102, 103, 199])('B1: 9110 15.2: an interim %i dressed up as a 101 is 502', async (status) => {
    const lines = (key: string) => [`HTTP/1.1 ${status} Canary`, ...switchLines(key).slice(1)];
    await expectSpoilt((key) => `${headOf(...lines(key))}${text('canary')}`, `status ${status}`);
  });

  const refusals: [number, string, string][] = [
    [301, 'Moved Permanently', 'Location: https://elsewhere.test/'],
    [400, 'Bad Request', 'X-Why: because'],
    [401, 'Unauthorized', 'WWW-Authenticate: Bearer realm="x"'],
    [403, 'Forbidden', 'Set-Cookie: a=1; HttpOnly'],
    [404, 'Not Found', 'Content-Type: text/html'],
    [426, 'Upgrade Required', 'Sec-WebSocket-Version: 13, 8'],
    [429, 'Too Many Requests', 'Retry-After: 7'],
    [500, 'Internal Server Error', 'X-Why: because'],
    [503, 'Service Unavailable', 'Retry-After: 120'],
  ];

  test.each(refusals)(
    'B2: 6455 4.1: %i passes with its standard phrase, fields and body',
    async (status, phrase, line) => {
      const attempt = await beginHandshake();
      const { client, server, running } = attempt;
      const own = ['Connection: close, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Content-Length: 4'];
      server.send(`${headOf(`HTTP/1.1 ${status} A Phrase Of Its Own`, line, ...own)}nope${headOf('HTTP/1.1 200 OK')}`);
      const response = await client.readResponse();
      expect(response.head.line).toBe(`HTTP/1.1 ${status} ${phrase}`);
      const hop = status === 426 ? ['Upgrade', 'websocket'] : [];
      expect(response.head.fields).toEqual(
        [
          line.split(': '),
          ['Content-Length', '4'],
          hop,
          ['Connection', status === 426 ? 'Upgrade, close' : 'close'],
        ].filter((field) => field.length > 0),
      );
      expect(response.body.toString()).toBe('nope');
      await client.ended;
      expect(client.unread).toHaveLength(0);
      client.end();
      await client.closed;
      await expectOneRequest(attempt);
      await expectRefusedLine(running, { status, error: 'backend_refused', cause: `status ${status}` });
    },
  );

  const bodies: [string, string[], string, string][] = [
    [
      'chunked',
      ['Transfer-Encoding: chunked'],
      `2;x=y${crlf}no${crlf}2${crlf}pe${crlf}0${crlf}T: 1${crlf}${crlf}`,
      'nope',
    ],
    ['of Content-Length', ['Content-Length: 4'], 'nope', 'nope'],
    ['of 64 KiB', ['Content-Length: 65536'], 'x'.repeat(65_536), 'x'.repeat(65_536)],
    ['over 64 KiB, dropped', ['Content-Length: 65537'], 'x'.repeat(65_537), ''],
    [
      'chunked over 64 KiB, dropped',
      ['Transfer-Encoding: chunked'],
      `10001${crlf}${'x'.repeat(65_537)}${crlf}0${crlf}${crlf}`,
      '',
    ],
    ['empty', ['Content-Length: 0'], '', ''],
  ];

  test.each(bodies)(
    'B2: 9112 6: a body %s is re-framed with our own Content-Length',
    async (_name, lines, body, relayed) => {
      const { client, server, running } = await beginHandshake();
      server.send(`${headOf('HTTP/1.1 403 No', ...lines)}${body}`);
      const response = await client.readResponse();
      expect(response.head.fields).toEqual([
        ['Content-Length', String(relayed.length)],
        ['Connection', 'close'],
      ]);
      expect(response.body.toString() === relayed).toBe(true);
      await client.ended;
      expect(client.unread).toHaveLength(0);
      await expectRefusedLine(running, { status: 403, error: 'backend_refused', cause: 'status 403' });
    },
  );

  test('B2: 9112 6.3: a body up to FIN is relayed, from HTTP/1.0 too', async () => {
    for (const version of ['1.0', '1.1']) {
      const { client, server } = await beginHandshake();
      server.send(`${headOf(`HTTP/${version} 404 Nope`, 'X-Kept: 1')}nope`);
      server.end();
      const response = await client.readResponse();
      expect([response.status, response.body.toString()]).toEqual([404, 'nope']);
      expect(response.head.field('x-kept')).toBe('1');
    }
  });

  test('B2: a refusal whose body is late is relayed without it when timeouts.upgrade is over', async () => {
    const { client, server, running } = await beginHandshake({ route: { timeouts: { upgrade: '150ms' } } });
    server.send(`${headOf('HTTP/1.1 401 No', 'WWW-Authenticate: Basic', 'Content-Length: 4')}no`);
    const response = await client.readResponse();
    expect([response.status, response.body.length]).toEqual([401, 0]);
    await server.closed;
    await expectRefusedLine(running, { status: 401, error: 'backend_refused', cause: 'status 401' });
  });

  test.each([
    [
      'Transfer-Encoding with Content-Length',
      ['Transfer-Encoding: chunked', 'Content-Length: 14'],
      `4${crlf}nope${crlf}0${crlf}${crlf}`,
    ],
    ['different Content-Lengths', ['Content-Length: 4', 'Content-Length: 2'], 'nope'],
    ['different Content-Lengths', ['Content-Length: 4, 2'], 'nope'],
    ['bad Content-Length', ['Content-Length: +4'], 'nope'],
    ['bad Content-Length', ['Content-Length: 4,'], 'nope'],
    ['unknown Transfer-Encoding', ['Transfer-Encoding: gzip'], 'nope'],
    ['unknown Transfer-Encoding', ['Transfer-Encoding: chunked, chunked'], 'nope'],
    ['unknown Transfer-Encoding', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], 'nope'],
    ['bad chunk', ['Transfer-Encoding: chunked'], `x${crlf}`],
    ['bad chunk', ['Transfer-Encoding: chunked'], `4${crlf}nopeX`],
    ['bad chunk', ['Transfer-Encoding: chunked'], '4\nnope'],
    ['bad chunk', ['Transfer-Encoding: chunked'], `-4${crlf}nope${crlf}`],
  ])('B10: 9112 6.3: a refusal with %s (%j) is 502', async (cause, lines, body) => {
    await expectSpoilt(`${headOf('HTTP/1.1 403 Canary', ...lines)}${body}`, cause);
  });

  const framings: [string, string[], string][] = [
    ['a length', ['Content-Length: 4'], 'nop'],
    ['chunks', ['Transfer-Encoding: chunked'], `4${crlf}nop`],
    ['chunks without a last one', ['Transfer-Encoding: chunked'], `4${crlf}nope${crlf}`],
  ];
  test.each(framings.flatMap((framing) => (['FIN', 'RST'] as const).map((how) => [how, ...framing] as const)))(
    'B2: 9112 8: a body cut short by %s, framed by %s, is left out of the refusal',
    async (how, _name, lines, body) => {
      const { client, server, running } = await beginHandshake();
      server.send(`${headOf('HTTP/1.1 401 Canary', 'WWW-Authenticate: Basic', ...lines)}${body}`);
      if (how === 'FIN') server.end();
      else {
        await server.flushed();
        server.reset();
      }
      const response = await client.readResponse();
      expect([response.status, response.head.field('www-authenticate')]).toEqual([401, 'Basic']);
      expect([response.head.field('content-length'), response.body.length]).toEqual(['0', 0]);
      await expectRefusedLine(running, { status: 401, error: 'backend_refused', cause: 'status 401' });
    },
  );

  test('B2: a refusal whose body is late is relayed without it when timeouts.open is over, too', async () => {
    const { client, server, running } = await beginHandshake({ route: { timeouts: { open: '150ms' } } });
    server.send(`${headOf('HTTP/1.1 401 No', 'Content-Length: 4')}no`);
    const response = await client.readResponse();
    expect([response.status, response.body.length]).toEqual([401, 0]);
    await server.closed;
    await expectRefusedLine(running, { status: 401, error: 'backend_refused', cause: 'status 401' });
  });

  test('B2: 9112 6.3: equal Content-Lengths are one', async () => {
    for (const lines of [['Content-Length: 4', 'content-length: 4'], ['Content-Length: 4, 4']]) {
      const { client, server } = await beginHandshake();
      server.send(`${headOf('HTTP/1.1 403 No', ...lines)}nope`);
      const response = await client.readResponse();
      expect([response.status, response.head.all('content-length'), response.body.toString()]).toEqual([
        403,
        ['4'],
        'nope',
      ]);
    }
  });

  test('B2: 9110 15.5.22: a 426 says what to upgrade to', async () => {
    const { client, server } = await beginHandshake();
    server.send(headOf('HTTP/1.1 426 No', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'));
    server.end();
    const { head } = await client.readResponse();
    expect(head.fields).toEqual([
      ['Sec-WebSocket-Version', '13'],
      ['Content-Length', '0'],
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade, close'],
    ]);
  });

  test('B40: 7838 3: Alt-Svc goes on with no answer, be it a refusal or a 101', async () => {
    const lines = ['Alt-Svc: h3="evil.example:443"; ma=86400', 'alt-svc: clear', 'X-Kept: 1'];
    const refused = await beginHandshake();
    refused.server.send(headOf('HTTP/1.1 401 No', ...lines, 'Content-Length: 0'));
    const { head } = await refused.client.readResponse();
    expect([head.all('alt-svc'), head.field('x-kept')]).toEqual([[], '1']);
    const { client, server, key } = await beginHandshake();
    server.send(withLines(...lines)(key));
    const switched = await client.readHead();
    expect([switched.all('alt-svc'), switched.field('x-kept')]).toEqual([[], '1']);
  });
});

describe('a 101 that is not valid', () => {
  test.each([
    ['101 without Upgrade: websocket', /^Upgrade/, ''],
    ['101 without Upgrade: websocket', /^Upgrade/, 'Upgrade: h2c'],
    ['101 with Upgrade: websocket, h2c', /^Upgrade/, 'Upgrade: websocket, h2c'],
    ['101 with Upgrade: websocket and Upgrade: websocket', /^Upgrade/, 'Upgrade: websocket\r\nUpgrade: websocket'],
    ['101 without Upgrade: websocket', /^Upgrade/, 'Upgrade: websocketx'],
    ['101 without Connection: Upgrade', /^Connection/, ''],
    ['101 without Connection: Upgrade', /^Connection/, 'Connection: close'],
    ['101 without Connection: Upgrade', /^Connection/, 'Connection: xupgrade'],
    ['101 without Sec-WebSocket-Accept', /^Sec-WebSocket-Accept/, ''],
  ])('B3: 6455 4.1: %s (%s -> "%s") is 502', async (cause, find, replacement) => {
    await expectSpoilt(spoil(find, replacement), cause);
  });

  test('B3: 6455 4.1: the tokens of Upgrade and Connection count in any case and among others', async () => {
    const { client, server, key } = await beginHandshake();
    const lines = ['HTTP/1.1 101 x', 'upgrade: WebSocket', 'connection: keep-alive', 'CONNECTION: uPGRADE'];
    server.send(headOf(...lines, `sec-websocket-accept: ${acceptFor(key)}`));
    expect((await client.readHead()).status).toBe(101);
    expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
  });

  test.each([
    ['of another key', () => `Sec-WebSocket-Accept: ${acceptFor('AAAAAAAAAAAAAAAAAAAAAA==')}`],
    ['with junk behind it', (key: string) => `Sec-WebSocket-Accept: ${acceptFor(key)}x`],
    ['as a list', (key: string) => `Sec-WebSocket-Accept: ${acceptFor(key)}, ${acceptFor(key)}`],
    ['in lower case', (key: string) => `Sec-WebSocket-Accept: ${acceptFor(key).toLowerCase()}`],
    ['empty', () => 'Sec-WebSocket-Accept:'],
    ['the key itself', (key: string) => `Sec-WebSocket-Accept: ${key}`],
    ['twice', (key: string) => `Sec-WebSocket-Accept: ${acceptFor(key)}${crlf}Sec-WebSocket-Accept: ${acceptFor(key)}`],
  ])('B4: 6455 4.1: an accept %s is 502', async (_name, line) => {
    await expectSpoilt((key) => spoil(/^Sec-WebSocket-Accept/, line(key))(key), 'wrong Sec-WebSocket-Accept');
  });

  const offer = {
    'Sec-WebSocket-Protocol': 'chat.v1, chat.v2',
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-other',
  };
  const smallWindow = { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=10' };
  test.each([
    ['a subprotocol not offered', {}, ['Sec-WebSocket-Protocol: chat.v1'], 'subprotocol not offered'],
    ['another subprotocol', offer, ['Sec-WebSocket-Protocol: canary'], 'subprotocol not offered'],
    ['a subprotocol in another case', offer, ['Sec-WebSocket-Protocol: CHAT.v1'], 'subprotocol not offered'],
    ['two subprotocols', offer, ['Sec-WebSocket-Protocol: chat.v1, chat.v2'], 'subprotocol not offered'],
    [
      'two subprotocol fields',
      offer,
      ['Sec-WebSocket-Protocol: chat.v1', 'Sec-WebSocket-Protocol: chat.v2'],
      'subprotocol not offered',
    ],
    ['a list of subprotocols with nothing in it', offer, ['Sec-WebSocket-Protocol: ,'], 'subprotocol not offered'],
  ])('B5: 6455 4.1(6): %s is 502', async (_name, request, lines, cause) => {
    await expectSpoilt(withLines(...lines), cause, { request });
  });

  test.each([
    ['an extension not offered', {}, 'permessage-deflate'],
    ['an extension that was removed from the offer', offer, 'x-other'],
    ['permessage-deflate twice', offer, 'permessage-deflate, permessage-deflate'],
    ['an unknown parameter', offer, 'permessage-deflate; canary'],
    ['window bits of 7', offer, 'permessage-deflate; client_max_window_bits=7'],
    ['window bits of 16', offer, 'permessage-deflate; server_max_window_bits=16'],
    ['a parameter twice', offer, 'permessage-deflate; server_no_context_takeover; server_no_context_takeover'],
    ['a malformed answer', offer, 'permessage-deflate; ='],
    ['a list with nothing in it', offer, ' ,'],
    ['a larger window than was offered', smallWindow, 'permessage-deflate; server_max_window_bits=11'],
    ['a client window where none was offered', smallWindow, 'permessage-deflate; client_max_window_bits=15'],
  ])('B5: 6455 4.1(5), 7692 7.1: %s is 502', async (_name, request, answer) => {
    const attempt = await beginHandshake({ request });
    attempt.server.send(withLines(`Sec-WebSocket-Extensions: ${answer}`)(attempt.key));
    await takeRefusal(attempt.client, 502, 'backend_handshake');
    await expectOneRequest(attempt);
    const cause = String((await attempt.running.waitForLog('handshake.refused')).cause);
    expect(cause).toMatch(/extension|permessage-deflate|parameter/i);
    await expectRefusedLine(attempt.running, { status: 502, error: 'backend_handshake', cause });
  });

  test('B5: 6455 4.1: what was offered is accepted and reaches the client verbatim', async () => {
    const { client, server, key } = await beginHandshake({ request: offer });
    const answer = 'permessage-deflate;server_no_context_takeover ; client_max_window_bits=15';
    server.send(withLines('Sec-WebSocket-Protocol: chat.v2', `Sec-WebSocket-Extensions: ${answer}`)(key));
    const head = await client.readHead();
    expect([head.status, head.field('sec-websocket-protocol')]).toEqual([101, 'chat.v2']);
    expect(head.field('sec-websocket-extensions')).toBe(answer);
  });

  test('B5: 6455 4.3: null elements and empty fields of the answer name nothing', async () => {
    const { client, server, key } = await beginHandshake({ request: offer });
    const lines = ['Sec-WebSocket-Protocol: , chat.v2,', 'Sec-WebSocket-Extensions:'];
    server.send(withLines(...lines)(key));
    const head = await client.readHead();
    expect([head.status, head.field('sec-websocket-protocol')]).toEqual([101, 'chat.v2']);
    expect(head.field('sec-websocket-extensions')).toBeUndefined();
  });

  test('B5: 7692 7.1: an answer that leaves out what the client offered is for the client to judge', async () => {
    const request = {
      'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover; server_max_window_bits=15',
    };
    const { client, server, key } = await beginHandshake({ request });
    server.send(withLines('Sec-WebSocket-Extensions: permessage-deflate')(key));
    const head = await client.readHead();
    expect([head.status, head.field('sec-websocket-extensions')]).toEqual([101, 'permessage-deflate']);
  });

  test('B9: 9112 4: a status line that is none is 502, and nothing of it is reflected', async () => {
    const lines = [
      'HTTP/1.1 101X',
      'HTTP/1.1  101 Canary',
      'HTTP/1.1 10 Canary',
      'HTTP/1.1 1010 Canary',
      'HTTP/1.1 099 Canary',
      'HTTP/1.1 600 Canary',
      'HTTP/2.0 101 Canary',
      'HTTP/1.2 101 Canary',
      'http/1.1 101 Canary',
      'HTTP/1.1\t101 Canary',
      ' HTTP/1.1 101 Canary',
      'ICY 101 Canary',
    ];
    for (const line of lines) await expectSpoilt(spoil(/^HTTP/, line), 'status_line');
  });

  test('B9: 9110 7.8: a 101 in HTTP/1.0 is 502', async () => {
    await expectSpoilt(spoil(/^HTTP/, 'HTTP/1.0 101 Switching Protocols'), '101 in HTTP/1.0');
  });

  test.each([
    ['bare_lf', 'X-Canary: 1\nX-More: 2'],
    ['bare_cr', 'X-Canary: 1\rX-More: 2'],
    ['ctl', 'X-Canary: \0'],
    ['ctl', 'X-Canary: \x01'],
    ['ctl', 'X-Canary: \x7f'],
    ['obs_fold', `X-Canary: 1${crlf} folded`],
    ['header_name', 'X-Canary : 1'],
    ['header_name', ': canary'],
    ['header_name', 'X-Canary'],
    ['header_name', 'X-Can\xe4ry: 1'],
    ['ctl', 'X\0: canary'],
  ])('B9: 9110 5.5: %s in a response field (%j) is 502', async (cause, line) => {
    await expectSpoilt((key) => Buffer.from(withLines(line)(key), 'latin1'), cause);
  });

  test.each([
    ['bare_lf', '\n'],
    ['bare_cr', '\rX'],
    ['status_line', '\0'],
    ['status_line', '\x1b'],
  ])('B9: 9112 4: %s: a control byte (%j) in the status line is 502', async (cause, byte) => {
    await expectSpoilt(spoil(/^HTTP/, `HTTP/1.1 101 Can${byte}ary`), cause);
  });
});

describe('the head of the answer in pieces and out of bounds', () => {
  test('B6: frames glued to the 101 reach the client behind its 101, in order', async () => {
    const { client, server, key } = await beginHandshake();
    const glued = Buffer.concat([text('one'), ping('p'), binary(Buffer.alloc(200, 7)), text('half').subarray(0, 3)]);
    server.send(Buffer.concat([Buffer.from(withLines()(key)), glued]));
    const head = await client.readHead();
    expect(head.fields).toEqual([
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Accept', acceptFor(exampleKey)],
    ]);
    expect(await client.readBytes(glued.length)).toEqual(glued);
    server.send(text('half').subarray(3), text('two'));
    expect((await client.readBytes(3)).toString()).toBe('alf');
    expect((await client.nextFrame()).payload.toString()).toBe('two');
    expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
  });

  test('B6: a Close glued to the 101 is relayed like any other', async () => {
    const { client, server, key, running } = await beginHandshake();
    server.send(Buffer.concat([Buffer.from(withLines()(key)), text('one'), closeFrame(4001, 'go')]));
    expect((await client.readHead()).status).toBe(101);
    expect((await client.nextFrame()).payload.toString()).toBe('one');
    expect(await client.nextClose()).toEqual({ code: 4001, reason: 'go' });
    client.send(closeFrame(4001, 'go', { mask: true }));
    expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
    expect(await server.nextClose()).toEqual({ code: 4001, reason: 'go' });
    server.end();
    await client.ended;
    client.end();
    expect(await endLine(running)).toMatchObject({ reason: 'backend_close', clean: true });
  });

  test('B7: 9112 2.2: a head that comes byte by byte works, glued frames too', async () => {
    const { client, server, key } = await beginHandshake();
    await server.sendBytewise(Buffer.concat([Buffer.from(withLines('X-One: 1', 'X-Two: 2')(key)), text('one')]));
    const head = await client.readHead();
    expect([head.status, head.field('x-one'), head.field('x-two')]).toEqual([101, '1', '2']);
    expect((await client.nextFrame()).payload.toString()).toBe('one');
  });

  test('B7: 9112 2.2: a head of 512 KiB byte by byte takes a time that grows with it, not with its square', () => {
    const bytes = Buffer.from(withLines(`X: ${'a'.repeat(2 ** 19)}`)(exampleKey));
    const parser = new ResponseHeadParser({ headBytesMax: 2 ** 20, relaxLf: false });
    const startedAt = performance.now();
    let step: HeadStep = HeadStep.NeedData;
    for (let i = 0; i < bytes.length; i += 1) {
      step = parser.feed(bytes, i, i + 1);
      if (i % 4096 === 0) expect(performance.now() - startedAt, `ms after ${i} bytes`).toBeLessThan(5_000);
    }
    expect(step).toBe(HeadStep.Done);
  });

  const padded = (bytes: number) => (key: string) => {
    const bare = withLines('X-Pad: ', 'Y-Pad: ', 'Z-Pad: ')(key).length;
    const [a, b] = [8000, 8000];
    return withLines(
      `X-Pad: ${'x'.repeat(a)}`,
      `Y-Pad: ${'y'.repeat(b)}`,
      `Z-Pad: ${'z'.repeat(bytes - bare - a - b)}`,
    )(key);
  };

  const cap = 'upstreams.*.max_head_size';
  test('B8: a head over 16 KiB is 502 at the cap; one of 16 KiB passes', async () => {
    await expectSpoilt(padded(16_385), cap);
    const { client, server, key } = await beginHandshake();
    server.send(padded(16_384)(key));
    expect((await client.readHead()).status).toBe(101);
  });

  test('B8: the size is the only cap: one line may be all of it, and so may fields without number', async () => {
    const { client, server, key } = await beginHandshake();
    server.send(withLines(`X-Long: ${'x'.repeat(12_000)}`)(key));
    expect((await client.readHead()).field('x-long')).toHaveLength(12_000);
    const other = await beginHandshake();
    other.server.send(withLines(...Array.from({ length: 1000 }, (_, i) => `X-${i}: ${i}`))(other.key));
    expect((await other.client.readHead()).fields).toHaveLength(1003);
  });

  test('B8: upstreams.*.max_head_size is that cap, for a refusal too', async () => {
    for (const line of ['HTTP/1.1 101 x', 'HTTP/1.1 403 x']) {
      const { client, server, running } = await beginHandshake({ upstream: { max_head_size: '200B' } });
      server.send(headOf(line, `X: ${'x'.repeat(201 - line.length - 9)}`));
      await takeRefusal(client, 502, 'backend_handshake');
      await expectRefusedLine(running, { status: 502, error: 'backend_handshake', cause: cap });
    }
    const { client, server, key } = await beginHandshake({ upstream: { max_head_size: '40000B' } });
    server.send(withLines(`X-Long: ${'x'.repeat(39_000)}`)(key));
    expect((await client.readHead()).status).toBe(101);
  });

  test('B8: a head that never ends is 502 at the cap, not at the time-out', async () => {
    const attempt = await beginHandshake();
    attempt.server.send(`HTTP/1.1 101 x${crlf}`);
    for (let i = 0; i < 40; i++) attempt.server.send(`X-${i}: ${'x'.repeat(1000)}${crlf}`);
    await takeRefusal(attempt.client, 502, 'backend_handshake');
    await expectOneRequest(attempt);
    await expectRefusedLine(attempt.running, { status: 502, error: 'backend_handshake', cause: cap });
  });

  test('B11: 9110 8.6: Content-Length and Transfer-Encoding on the 101 are removed; frames follow', async () => {
    const { client, server, key } = await beginHandshake();
    const lines = ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Set-Cookie: a=1', 'Set-Cookie: b=2'];
    server.send(Buffer.concat([Buffer.from(withLines(...lines)(key)), text('frame')]));
    const head = await client.readHead();
    expect(head.fields.slice(3)).toEqual([
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ]);
    expect((await client.nextFrame()).payload.toString()).toBe('frame');
  });

  test('B12: 9110 15.2: up to eight interim answers before the 101 are skipped; nine are 502', async () => {
    const interim = `${headOf('HTTP/1.1 100 Continue')}${headOf('HTTP/1.1 103 Early Hints', 'Link: </canary>')}`;
    const { client, server, key } = await beginHandshake();
    server.send(interim.repeat(4) + withLines('X-Kept: 1')(key));
    const head = await client.readHead();
    expect([head.status, head.field('x-kept'), head.all('link')]).toEqual([101, '1', []]);
    const many = 'too many interim answers';
    await expectSpoilt((k) => interim.repeat(4) + headOf('HTTP/1.1 100 Continue') + withLines()(k), many);
    await expectSpoilt((k) => headOf('HTTP/1.1 100 Continue').repeat(1000) + withLines()(k), many);
  });

  test('B12: 9110 15.2: HTTP/1.0 knows no interim answers, so one in it is 502', async () => {
    await expectSpoilt((k) => headOf('HTTP/1.0 100 Continue') + withLines()(k), 'status 100 in HTTP/1.0');
    await expectSpoilt((k) => headOf('HTTP/1.0 103 canary') + withLines()(k), 'status 103 in HTTP/1.0');
  });

  test.each([
    ['an empty line', crlf],
    ['a space', ' '],
    ['a frame', text('canary').toString('latin1')],
    ['a banner', `220 canary ready${crlf}`],
  ])('B15: 9112 4: %s before the status line is 502', async (_name, bytes) => {
    await expectSpoilt((key) => Buffer.from(bytes + withLines()(key), 'latin1'), 'status_line');
  });
});

describe('answers that do not come', () => {
  test('B13: a backend that accepts and never answers is 504 after timeouts.upgrade', async () => {
    const begun = performance.now();
    const attempt = await beginHandshake({ route: { timeouts: { upgrade: '200ms' } } });
    await takeRefusal(attempt.client, 504, 'backend_timeout');
    expect(performance.now() - begun).toBeGreaterThan(190);
    await expectOneRequest(attempt);
    await expectRefusedLine(attempt.running, { status: 504, error: 'backend_timeout', cause: 'upgrade' });
  });

  test('B13: one byte a time does not extend it, and timeouts.open bounds all tries', async () => {
    const attempt = await beginHandshake({ route: { timeouts: { open: '200ms' } } });
    attempt.server.send('HTTP/1.1 101 Swi');
    await takeRefusal(attempt.client, 504, 'backend_timeout');
    await expectOneRequest(attempt);
    await expectRefusedLine(attempt.running, { status: 504, error: 'backend_timeout', cause: 'open' });
  });

  test('B14: a 101 after we gave up meets a closed connection, and opens nothing', async () => {
    const attempt = await beginHandshake({ route: { timeouts: { upgrade: '150ms' } } });
    const { client, server, running, key } = attempt;
    await takeRefusal(client, 504, 'backend_timeout');
    await server.ended;
    server.send(withLines()(key), text('late'));
    await expectOneRequest(attempt);
    await expectRefusedLine(running, { status: 504, error: 'backend_timeout', cause: 'upgrade' });
  });

  test('B14: whoever gave up has closed the connection, without a word of who holds it', async () => {
    const transport = new MemoryTransport({ name: 'backend', stable: true });
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock, 1);
    const outcome = exchange({
      transport,
      wheel,
      request: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      key: exampleKey,
      protocols: [],
      extensions: [],
      deadline: 100,
      signal: new AbortController().signal,
      headBytesMax: 1_024,
      relax: [],
      progress: { refusal: null },
    });
    clock.advance(101);
    wheel.advance();
    expect(transport.destroyed).toBe(true);
    expect(await outcome).toEqual({ kind: 'failed', error: 'backend_timeout', cause: 'upgrade' });
  });

  test.each([
    ['FIN', 'closed before the answer'],
    ['RST', 'ECONNRESET'],
  ])('B15: a %s instead of an answer is 502', async (how, cause) => {
    const attempt = await beginHandshake();
    if (how === 'FIN') attempt.server.end();
    else attempt.server.reset();
    await takeRefusal(attempt.client, 502, 'backend_handshake');
    await expectRefusedLine(attempt.running, { status: 502, error: 'backend_handshake', cause });
  });

  test('B15: a backend that speaks first, before the request, is 502', async () => {
    const backend = await RawBackend.listen();
    backend.server.on('connection', (socket) => socket.write('220 canary ready\r\n'));
    const running = await startProxy(oneRoute(backend.url));
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([upgradeRequest({ path: '/chat' }), earlyFrame]));
    await takeRefusal(client, 502, 'backend_handshake');
    await (await backend.nextConnection()).closed;
    await expectRefusedLine(running, { status: 502, error: 'backend_handshake', cause: 'status_line' });
  });
});

describe('a backend whose frames break RFC 6455', () => {
  const cases: [string, string, Buffer][] = [
    ['masked', 'frame masked', text('x', { mask: true })],
    ['with a reserved bit', 'reserved bit set', text('x', { rsv: 4 })],
    ['of a reserved opcode', 'reserved opcode', frame({ opcode: 3 })],
    ['of a length that is not minimal', 'length not minimal', binary('x', { lengthForm: 16 })],
    ['of a length above 2^63', 'length above 2^63', headerOnly('backend', Opcode.Binary, 1n << 63n)],
    ['that continues nothing', 'continuation without a start', continuation('x')],
    ['that is a fragment of a ping', 'control frame fragmented', ping('', { fin: false })],
    ['that is a ping of 126 bytes', 'control frame over 125 bytes', ping(Buffer.alloc(126))],
    ['that closes with 1006', 'close code not allowed', closeFrame(1006)],
    ['that closes with one byte', 'close body of one byte', frame({ opcode: Opcode.Close, payload: 'x' })],
  ];

  test.each(cases)(
    'B16: a frame %s: 1011 to the client, 1002 to the backend, over within 1 s',
    async (_name, words, bad) => {
      const begun = performance.now();
      await expectProtocolError('backend', bad, words, { good: text('good'), counted: traffic(1, 4) });
      expect(performance.now() - begun).toBeLessThan(1000);
    },
  );

  test('B16: a message inside a message, and a close reason that is not UTF-8', async () => {
    const good = text('a', { fin: false });
    await expectProtocolError('backend', text('b'), 'message inside a message', { good, counted: traffic(1, 1) });
    await expectCulprit({
      culprit: 'backend',
      bad: closeFrame(1000, Buffer.from('ff', 'hex')),
      told: { code: 1007, reason: 'close reason not UTF-8' },
      otherTold: { code: 1011, reason: 'upstream protocol error' },
      reason: 'backend_invalid_utf8',
    });
  });

  test('B16: a client that does not answer holds up the backend for 200 ms, itself for timeouts.close', async () => {
    const pair = await openPair({ route: { timeouts: { close: '300ms' } } });
    const { client, server, running } = pair;
    const begun = performance.now();
    server.send(frame({ opcode: 3 }));
    expect(await client.nextClose()).toEqual({ code: 1011, reason: 'upstream protocol error' });
    expect(performance.now() - begun).toBeLessThan(150);
    expect(server.bytesReceived).toBe(server.received.indexOf('\r\n\r\n') + 4);
    client.send(text('still', { mask: true }));
    expect((await server.nextFrame()).payload.toString()).toBe('still');
    expect(await server.nextClose()).toEqual({ code: 1002, reason: 'reserved opcode' });
    expect(performance.now() - begun).toBeGreaterThan(190);
    await server.ended;
    server.end();
    await Promise.all([client.closed, server.closed]);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(await endLine(running)).toMatchObject({ reason: 'backend_protocol_error', clean: false, mid_frame: false });
  });

  test('B16: bad frames glued to the 101 end the session in the same way', async () => {
    const { client, server, key, running } = await beginHandshake();
    server.send(Buffer.concat([Buffer.from(withLines()(key)), text('good'), text('bad', { mask: true })]));
    expect((await client.readHead()).status).toBe(101);
    expect((await client.nextFrame()).payload.toString()).toBe('good');
    expect(await client.nextClose()).toEqual({ code: 1011, reason: 'upstream protocol error' });
    client.send(closeFrame(1011, '', { mask: true }));
    expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
    expect(await server.nextClose()).toEqual({ code: 1002, reason: 'frame masked' });
    server.end();
    client.end();
    expect(await endLine(running)).toMatchObject({ reason: 'backend_protocol_error' });
  });

  test('B17: a message over the cap: 1011 to the client, 1009 to the backend, on the header alone', async () => {
    const route = { limits: { from_backend: { max_message_size: '1KiB' } } };
    const rule = { code: 1009, kind: 'message_too_big', limit: 'max_message_size' };
    const good = binary(Buffer.alloc(1024, 1));
    await expectLimit('backend', headerOnly('backend', Opcode.Binary, 1025), rule, {
      route,
      good,
      counted: traffic(1, 1024),
    });
  });

  test('B17: a Close of a well-behaved session works as ever under the same cap', async () => {
    const pair = await openPair({ route: { limits: { from_backend: { max_message_size: '1KiB' } } } });
    await closeCleanly(pair);
    expect(await endLine(pair.running)).toMatchObject({ reason: 'client_close', clean: true });
  });
});
