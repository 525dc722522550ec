// Requests of one connection that come before their turn, and what ends their line.

import { describe, expect, test } from 'vitest';
import { text, upgradeRequest } from '../support/wire.ts';
import { ConnectionRig, get, say } from './connection-rig.ts';

const UPGRADE = upgradeRequest({ path: '/echo' });
const paths = (count: number) => Array.from({ length: count }, (_, i) => `/${i + 1}`);
const pipelined = (count: number) => Buffer.concat(paths(count).map((path) => get(path)));
const unsaid = (...fields: readonly string[]) =>
  get(
    '/echo',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...fields,
  );

/** The targets that backends were asked for, in order. */
const targets = (rig: ConnectionRig) => rig.backends.map(({ received }) => received.toString('latin1').split(' ')[1]);

describe('pipelined requests', () => {
  test('are answered in order, and none reaches a backend before its turn', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(pipelined(3));
    for (const path of paths(3)) {
      await rig.asked();
      await rig.turns(3);
      expect(targets(rig).at(-1)).toBe(path);
      say(rig.backends.at(-1) as never, `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
      await rig.gets(client, path);
    }
    expect(targets(rig)).toEqual(paths(3));
    await rig.turns(3);
    expect(rig.edge.plain.idleOnes).toHaveLength(1);
  });

  test.each([
    [17, 16 * 1024, true],
    [18, 3000, true],
    [18, 300_000, false],
  ])(
    'of %i and %i bytes more each has its turn, and what waits is bounded: all is read: %s',
    async (sent, more, all) => {
      const rig = new ConnectionRig();
      const client = rig.connect(pipelined(sent));
      const big = Buffer.concat([get('/big', `X: ${'x'.repeat(4000)}`)]);
      const behind = Array.from({ length: Math.floor(more / big.length) }, () => big);
      rig.sends(client, ...behind);
      await rig.asked();
      await rig.turns(3);
      expect([rig.backends.length, client.unreadBytes === 0]).toEqual([1, all]);
      say(rig.backends[0] as never, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      for (let i = 1; i < sent + behind.length; i += 1) {
        await rig.serve(`[${i}]`);
        await rig.gets(client, `[${i}]`);
        client.pump();
      }
      await rig.turns(5);
      expect([rig.backends.length, client.finSent, rig.edge.plain.idleOnes.length]).toEqual([
        sent + behind.length,
        false,
        1,
      ]);
      client.fin();
      client.pump();
      rig.atRest();
    },
  );

  test('what is held of them does not grow with each answer', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.alloc(1_000_000, get()));
    for (let i = 0; i < 8; i += 1) {
      await rig.serve(`[${i}]`);
      await rig.gets(client, `[${i}]`);
      for (let turn = 0; turn < 5; turn += 1) {
        client.pump();
        await rig.turns(1);
      }
      expect(rig.edge.buffers.early).toBeLessThanOrEqual(32_768 + 65_536);
    }
  });

  test('behind a head that is not HTTP all in front are answered, then it is 400', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([pipelined(2), Buffer.from('\x81\x80\0\0\0\0', 'latin1'), get('/never')]));
    await rig.serve();
    await rig.serve();
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '200', '400']);
    expect(targets(rig)).toEqual(['/1', '/2']);
    expect(rig.requests().at(-1)).toEqual([400, 'request_line']);
  });

  test('one whose body is broken is not served, and those in front are', async () => {
    const rig = new ConnectionRig();
    const post = 'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
    const client = rig.connect(Buffer.concat([get('/1'), Buffer.from(post)]));
    await rig.serve();
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '400']);
    // It may be dialed for, and is sent nothing.
    expect(targets(rig).filter((target) => target !== undefined)).toEqual(['/1']);
  });

  test('nothing behind a request that closes is served', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([get('/1', 'Connection: close'), get('/2')]));
    await rig.serve();
    await rig.until(() => client.finSent);
    await rig.turns(5);
    expect([rig.statuses(client), targets(rig)]).toEqual([['200'], ['/1']]);
    expect(rig.requests()).toEqual([[200]]);
  });
});

describe('an upgrade as a later request', () => {
  test('behind requests without an answer waits for them, with the frames behind it', async () => {
    const rig = new ConnectionRig();
    const frame = text('early', { mask: true });
    const client = rig.connect(Buffer.concat([pipelined(2), UPGRADE, frame]));
    rig.sends(client, frame);
    await rig.serve('one');
    await rig.gets(client, 'one');
    expect(rig.statuses(client)).toEqual(['200']);
    await rig.serve('two');
    await rig.until(() => rig.statuses(client).includes('101'));
    client.pump();
    await rig.gets(client, 'early\x81\x05early');
    expect([rig.edge.sessions.size, rig.edge.plain.size]).toEqual([1, 0]);
  });

  test('the answer in front of it is held for a client that does not take it, and goes on', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([get('/1'), UPGRADE]));
    const backend = await rig.asked();
    client.setRoom(0);
    const body = Buffer.alloc(1_000_000, 'x');
    backend.send(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body);
    for (let i = 0; i < 30; i += 1) {
      backend.pump();
      await rig.turns(1);
    }
    expect(backend.unreadBytes).toBeGreaterThan(500_000);
    for (let i = 0; i < 200 && !rig.statuses(client).includes('101'); i += 1) {
      client.takeAll();
      backend.pump();
      await rig.turns(1);
    }
    expect(rig.statuses(client)).toEqual(['200', '101']);
    expect(client.receivedBytes).toBeGreaterThan(1_000_000);
  });

  test('that is refused is the last one', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([get('/1'), upgradeRequest({ path: '/nowhere' }), get('/2')]));
    await rig.serve();
    await rig.until(() => client.finSent);
    expect([rig.statuses(client), targets(rig)]).toEqual([['200', '404'], ['/1']]);
  });

  test('with a body is 400', async () => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.sends(
      client,
      Buffer.concat([upgradeRequest({ path: '/echo', headers: { 'Content-Length': '3' } }), Buffer.from('abc')]),
    );
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '400']);
  });

  test('without upgrade in Connection is judged like the first of a connection', async () => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.sends(client, unsaid());
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '400']);
    expect(rig.tap.lines.at(-1)).toMatchObject({ event: 'handshake.refused', error: 'connection_token' });
  });

  test.each([
    ['alone', [], '101'],
    ['with frames behind it', [text('x', { mask: true })], '101'],
  ])('the same where the route allows it, %s', async (_, behind, status) => {
    const routes = [
      { name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', relax: ['connection_token' as const] },
      { name: 'pages', match: { path: '/*' }, http: 'http://192.0.2.1:1' },
    ];
    const rig = new ConnectionRig({ routes });
    const client = await rig.idle('192.0.2.9');
    rig.sends(client, Buffer.concat([unsaid(), ...behind]));
    await rig.until(() => rig.statuses(client).length > 1);
    expect([rig.statuses(client), rig.backends.length]).toEqual([['200', status], 1]);
  });
});

describe('another protocol that a request asks for is not offered', () => {
  const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];

  test.each(['first', 'later', 'pipelined'])('as the %s request it is served, without Upgrade', async (place) => {
    const rig = new ConnectionRig();
    const client = place === 'later' ? await rig.idle() : rig.connect(place === 'first' ? h2cPost : get());
    if (place !== 'first') rig.sends(client, h2cPost);
    if (place === 'pipelined') await rig.serve();
    const backend = await rig.serve('served');
    const sent = backend.received.toString('latin1');
    expect(sent).toMatch(/^POST \/h2c HTTP\/1\.1\r\n/);
    expect(sent).not.toMatch(/upgrade|http2-settings/i);
    expect(sent).toMatch(/\r\n\r\nabc$/);
    await rig.gets(client, 'served');
    rig.sends(client, get('/next'));
    await rig.serve('next');
    await rig.gets(client, 'next');
  });

  const h2cPost = Buffer.from(
    `${['POST /h2c HTTP/1.1', 'Host: a', ...h2c, 'Content-Length: 3'].join('\r\n')}\r\n\r\nabc`,
  );

  test('without a body, too', async () => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.sends(client, Buffer.concat([get('/h2c', ...h2c), get('/next')]));
    await rig.serve('one');
    await rig.gets(client, 'one');
    await rig.serve('two');
    await rig.gets(client, 'two');
    expect(targets(rig)).toEqual(['/', '/h2c', '/next']);
  });

  test.each([
    ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', '405'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505'],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', '505'],
    ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', '405'],
    ['GET / HTTP/1.1\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', '400'],
  ])('%j as a later request', async (request, status) => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.sends(client, Buffer.from(request), get('/never'));
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', status]);
    expect([targets(rig), rig.requests().length]).toEqual([['/'], 2]);
  });
});
