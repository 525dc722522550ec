// Where credentials stand in a handshake, and what of them a backend, a client and the log get to see: nothing.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Forwarded, requestOf, sharedGate, startGate } from './harness.ts';
import { closeCleanly } from './pair.ts';

const GOOD = 'fgk_canary-good-7f3a';
const BAD = 'fgk_canary-bad-91bc';
const entry = (name: string, key: string) => ({ name, sha256: createHash('sha256').update(key).digest('hex') });
const method = (from: string[], over: object = {}) => ({ api_key: { from, keys: [entry('acme', GOOD)], ...over } });

const auth = {
  all: method(['header:X-API-Key', 'query:key', 'cookie:sid', 'subprotocol:bearer']),
  prefixed: method(['subprotocol_prefix:key.']),
  other: method(['header:X-Other', 'query:token', 'cookie:other', 'subprotocol:other']),
  kept: method(['header:X-API-Key', 'query:key', 'cookie:sid', 'subprotocol:bearer'], { strip: 'off' }),
  keptPrefix: method(['subprotocol_prefix:key.'], { strip: 'off' }),
  shared: method(['header:X-API-Key', 'cookie:both'], { prefix: 'fgk_', strip: 'off' }),
  sharing: method(['cookie:both'], { prefix: 'own_', strip: 'off' }),
};
/** Whether a page may ask is not what this is about. */
const defaults = { origins: 'any', missing_origin: 'allow' } as const;

const gate = sharedGate((url) => ({
  log: { level: 'debug' },
  auth,
  defaults,
  routes: [
    { match: { path: '/all' }, upstream: url, auth: ['all', 'anonymous'] },
    { match: { path: '/strict' }, upstream: url, auth: ['all'] },
    { match: { path: '/both' }, upstream: url, auth: ['all', 'other'] },
    { match: { path: '/kept' }, upstream: url, auth: ['kept', 'other', 'anonymous'] },
    { match: { path: '/listed' }, upstream: url, auth: ['all'], subprotocols: ['chat'] },
    { match: { path: '/prefix' }, upstream: url, auth: ['prefixed'] },
    { match: { path: '/kept-prefix' }, upstream: url, auth: ['keptPrefix', 'anonymous'] },
    { match: { path: '/shared' }, upstream: url, auth: ['shared', 'sharing'] },
    {
      match: { path: '/copied' },
      upstream: url,
      auth: ['all'],
      headers: {
        request: {
          set: {
            'X-Offer': '{header.Sec-WebSocket-Protocol}',
            'X-Query': '{query.key}',
            'X-Cookie': '{header.Cookie}',
            'X-Key': '{header.X-API-Key}',
          },
        },
      },
    },
  ],
}));
const at = (target: string, ...fields: string[]) => requestOf({ line: `GET ${target} HTTP/1.1`, fields });
const offer = (...entries: string[]) => `Sec-WebSocket-Protocol: ${entries.join(', ')}`;

/** The backend gets `forwarded`, chooses `chosen`, and the client is told `named`. */
async function opensAs(request: string, forwarded: Forwarded, chosen: string | null, named?: string): Promise<void> {
  const { client, server } = await gate.reaches(request, forwarded);
  await server.accept(chosen === null ? {} : { 'Sec-WebSocket-Protocol': chosen });
  const answer = await client.readHead();
  expect([answer.status, answer.field('sec-websocket-protocol')]).toEqual([101, named]);
  await closeCleanly({ client, server });
}

describe('A16: a credential in the query', () => {
  test('A16: is read where the route says so, and nowhere else', async () => {
    await gate.refuses(at(`/strict?token=${GOOD}`), '401 unauthorized');
    await gate.refuses(at(`/strict?Key=${GOOD}`), '401 unauthorized');
    await gate.refuses(at(`/strict?a=b;key=${GOOD}`), '401 unauthorized');
  });

  test.each([
    [`?key=${GOOD}`, ''],
    [`?a=1&key=${GOOD}&b=%2f+%zz&&c`, '?a=1&b=%2f+%zz&&c'],
    [`?%6Bey=${GOOD}&keys=1`, '?keys=1'],
    [`?k%65%79=${GOOD.replace('-', '%2d')}`, ''],
  ])('A16: %s is taken out of the target', async (query, left) => {
    await gate.accepts(at(`/strict${query}`), { target: `/strict${left}` });
    await gate.accepts(at(`/strict${query}`), { target: `/strict${left}` }, 'bytewise');
  });
});

describe('A41: what stands at the places of a method', () => {
  test('A41: goes from all of them, whichever method decided', async () => {
    const fields = [`X-API-Key: ${GOOD}`, `Cookie: a=1; other=${BAD}; b=2`, offer('chat', 'other', 'forged')];
    const forwarded = { target: '/both?a=1', passed: ['Cookie: a=1; b=2'], protocols: 'chat' };
    await gate.accepts(at(`/both?a=1&token=${BAD}`, ...fields, `X-Other: ${BAD}`), forwarded);
    // What backends trim, and read a cookie of that name then.
    const blanks = [`Cookie: \t other\t =${BAD}; a;\u00a0other=${BAD}`, `Cookie: \u0085other\u00a0=${BAD}`];
    await gate.accepts(at('/both', `X-API-Key: ${GOOD}`, ...blanks), { target: '/both', passed: ['Cookie: a'] });
  });

  test('A41: goes where nobody decided, too', async () => {
    const fields = ['X-API-Key:', 'Cookie: sid=', offer('bearer', 'chat')];
    await gate.refuses(at('/all?key', ...fields.slice(0, 2), offer('chat', 'bearer', 'x')), '401 unauthorized');
    await gate.accepts(at('/all?key=&x', ...fields.slice(0, 2)), { target: '/all?x' });
  });

  test('A41: with strip off stays for the method that has checked it, and for no other', async () => {
    const checked = [`X-API-Key: ${GOOD}`];
    const unchecked = [`X-Other: ${BAD}`, `Cookie: other=${BAD}`];
    await gate.accepts(at(`/kept?token=${BAD}`, ...checked, ...unchecked), { target: '/kept', passed: checked });
    const cookies = [`Cookie: sid=${GOOD}; other=${BAD}`];
    await gate.accepts(at('/kept', ...cookies), { target: '/kept', passed: [`Cookie: sid=${GOOD}`] });
    await gate.accepts(at(`/kept?key=&token=${GOOD}`), { target: '/kept' });
  });

  test('A41: is nothing that a field of ours could be made of', async () => {
    const fields = [offer('chat', 'bearer', GOOD)];
    const copied = { target: '/copied', passed: ['X-Offer: chat'], protocols: 'chat' };
    await gate.accepts(at('/copied', ...fields), copied);
    await opensAs(at('/copied', offer('bearer', GOOD)), { target: '/copied' }, null, 'bearer');
    const cookie = { target: '/copied', passed: ['Cookie: a=b', 'X-Cookie: a=b'] };
    await gate.accepts(at('/copied', `Cookie: sid=${GOOD}; a=b`), cookie);
    await gate.accepts(at(`/copied?key=${GOOD}`), { target: '/copied' });
    await gate.accepts(at('/copied', `X-API-Key: ${GOOD}`), { target: '/copied' });
  });

  test("A41: with strip off goes where it is another method's, at a place that both read", async () => {
    const passed = [`X-API-Key: ${GOOD}`];
    await gate.accepts(at('/shared', ...passed, 'Cookie: both=own_forged'), { target: '/shared', passed });
    const cookie = `Cookie: both=${GOOD}`;
    await gate.accepts(at('/shared', cookie), { target: '/shared', passed: [cookie] });
    await gate.refuses(at('/shared', `${cookie}; both=own_forged`), '400 multiple_credentials');
  });

  test('A41: hides no second one behind empty ones', async () => {
    const empty = 'X-API-Key:';
    await gate.refuses(at('/kept', empty, `X-API-Key: ${GOOD}`, `X-API-Key: ${BAD}`), '400 multiple_credentials');
    await gate.refuses(at('/kept', `Cookie: sid=; sid=${GOOD}; sid=${BAD}`), '400 multiple_credentials');
    await gate.refuses(at(`/kept?key&key=${GOOD}&key=${BAD}`), '400 multiple_credentials');
  });
});

describe('A40: a credential in the offer of subprotocols', () => {
  test('A40: goes with its marker, which is named where the backend chooses none', async () => {
    await opensAs(at('/strict', offer('bearer', GOOD)), { target: '/strict' }, null, 'bearer');
    const chat = { target: '/strict', protocols: 'chat' };
    await opensAs(at('/strict', offer('chat', 'bearer', GOOD)), chat, 'chat', 'chat');
    await opensAs(at('/strict', offer('bearer', GOOD, 'chat')), chat, null, 'bearer');
    await opensAs(at('/strict', `X-API-Key: ${GOOD}`, offer('chat')), { ...chat, passed: [] }, null);
    await opensAs(at('/all', offer('bearer')), { target: '/all' }, null, 'bearer');
  });

  test('A40: is none that a list is asked about', async () => {
    await opensAs(at('/listed', offer('bearer', GOOD)), { target: '/listed' }, null, 'bearer');
    const chat = { target: '/listed', protocols: 'chat' };
    await opensAs(at('/listed', offer('bearer', GOOD, 'chat', 'graphql')), chat, 'chat', 'chat');
    await gate.refuses(at('/listed', offer('bearer', GOOD, 'graphql')), '400 subprotocol');
  });

  test('A40: behind a prefix leaves no name, so a second subprotocol is asked for', async () => {
    const line = await gate.refuses(at('/prefix', offer(`key.${GOOD}`)), '400 subprotocol');
    expect(line.cause).toBe('offer a second subprotocol');
    await gate.refuses(at('/prefix', offer(`key.${BAD}`)), '400 subprotocol');
    const chat = { target: '/prefix', protocols: 'chat' };
    await opensAs(at('/prefix', offer(`key.${GOOD}`, 'chat')), chat, 'chat', 'chat');
    await opensAs(at('/prefix', offer('chat', `key.${GOOD}`)), chat, null);
    await gate.refuses(at('/kept-prefix', offer('key.')), '400 subprotocol');
  });

  test('A40: is nothing that a backend may choose, though it gets it', async () => {
    const kept = { target: '/kept', protocols: `bearer, ${GOOD}` };
    await opensAs(at('/kept', offer('bearer', GOOD)), kept, 'bearer', 'bearer');
    for (const [target, ...entries] of [
      ['/kept', 'bearer', GOOD],
      ['/kept-prefix', `key.${GOOD}`],
    ] as const) {
      const forwarded = { target, protocols: entries.join(', ') };
      const { client, server } = await gate.reaches(at(target, offer(...entries)), forwarded);
      await server.accept({ 'Sec-WebSocket-Protocol': entries.at(-1) ?? '' });
      await gate.expectRefused(client, '502 backend_handshake');
    }
  });
});

describe('refusals that pages can read', () => {
  const readable = sharedGate((url) => ({
    auth,
    defaults: { ...defaults, refuse_with: 'close' },
    routes: [
      { match: { path: '/close' }, upstream: url, auth: ['all', 'prefixed'] },
      { match: { path: '/open' }, upstream: url, auth: [], deny: ['127.0.0.0/8'] },
    ],
  }));

  test.each([
    [offer('bearer', BAD, 'chat'), 'chat'],
    [offer('bearer', BAD), 'bearer'],
    [offer(`key.${BAD}`, 'x', 'y'), 'x'],
  ])('A40: of "%s" it names %s', async (fields, named) => {
    for (const [target, code, reason] of [
      ['/close', 3000, 'unauthorized'],
      ['/none', 4404, 'no_route'],
      // A method of another route: the client may have meant that one.
      ['/open', 3003, 'address_not_allowed'],
    ] as const) {
      const client = await readable.connect();
      client.send(at(target, fields));
      const head = await client.readHead();
      expect([head.status, head.field('sec-websocket-protocol')]).toEqual([101, named]);
      expect(await client.nextClose()).toEqual({ code, reason });
      client.destroy();
    }
  });

  test('A40: after its check it names the marker of what the backend was not shown', async () => {
    const request = at('/close', offer('bearer', GOOD));
    const { client, server } = await readable.reaches(request, { target: '/close' });
    server.send('HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n');
    expect((await client.readHead()).field('sec-websocket-protocol')).toBe('bearer');
    expect(await client.nextClose()).toEqual({ code: 1013, reason: 'backend_refused 503' });
    client.destroy();
  });
});

test('O5: what auth says is told by the codes of its statuses, and when to come back', async () => {
  const scoped = { ...entry('acme', GOOD), routes: ['/elsewhere'] };
  const own = await startGate((url) => ({
    limits: { auth_failures_per_minute_per_ip: 2 },
    auth: {
      keys: { api_key: { from: ['subprotocol:bearer', 'query:key'], keys: [scoped] } },
      opaque: { introspection: { url: 'http://127.0.0.1:1/', client_id: 'a', client_secret: 'b', from: ['query:t'] } },
    },
    defaults: { refuse_with: 'close' },
    routes: [
      { match: { path: '/keys' }, upstream: url, auth: ['keys'] },
      { match: { path: '/elsewhere' }, upstream: url, auth: ['keys'] },
      { match: { path: '/opaque' }, upstream: url, auth: ['opaque'] },
      { match: { path: '/coded' }, upstream: url, auth: ['keys'], close_codes: { unauthorized: 4401 } },
    ],
  }));
  for (const [target, fields, code, reason] of [
    ['/keys', [offer('bearer', GOOD)], 3003, /^scope_missing$/],
    [`/keys?key=${GOOD}`, [offer('bearer', GOOD)], 1008, /^multiple_credentials$/],
    ['/opaque?t=x', [], 1013, /^auth_unavailable retry=[1-5]$/],
    ['/opaque', [], 3000, /^unauthorized$/],
    ['/keys', [offer('bearer', 'a')], 3000, /^unauthorized$/],
    ['/coded', [offer('bearer', 'b')], 4401, /^unauthorized$/],
    ['/keys', [offer('bearer', 'c')], 1013, /^too_many_auth_failures retry=[0-9]+$/],
  ] as const) {
    const client = await own.connect();
    client.send(at(target, ...fields));
    expect((await client.readHead()).status).toBe(101);
    expect(await client.nextClose(), target).toEqual({ code, reason: expect.stringMatching(reason) });
    client.destroy();
  }
});

test('A41: no line of the log holds any of it', () => {
  expect(gate.tap.lines.length).toBeGreaterThan(20);
  expect(JSON.stringify(gate.tap.lines)).not.toMatch(/canary|forged/);
});
