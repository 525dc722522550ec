import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { ChecksRig, type UpstreamInput } from '../support/checks-rig.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { type BackendConnection, type BackendOptions, RawBackend } from '../support/raw-backend.ts';
import { frame, Opcode } from '../support/wire.ts';

/** With the chance of the rig a first check comes after half of it, and each further one after all of it. */
const INTERVAL = 4_000;

function checkedBy(url: string, active: Record<string, unknown>, more: UpstreamInput = {}): UpstreamInput {
  const settings = { interval: `${INTERVAL}ms`, timeout: '3s', ...active };
  return { targets: [{ name: 'a', url }], health: { active: settings }, ...more };
}

/** The backend of a good conversation, from its 101 on. */
async function converse(server: BackendConnection): Promise<void> {
  const ping = await server.nextFrame();
  expect([ping.opcode, ping.masked]).toEqual([Opcode.Ping, true]);
  server.sendFrame({ opcode: Opcode.Pong, payload: ping.payload });
  await endWell(server);
}

/** Close 1000 comes, is answered, and FIN follows FIN: nothing is cut off. */
async function endWell(server: BackendConnection): Promise<void> {
  expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
  server.sendFrame({ opcode: Opcode.Close, payload: Buffer.of(0x03, 0xe8) });
  server.end();
  expect(await server.closed).toEqual({ fin: true, error: null });
}

describe('tcp', () => {
  test('a connection is enough; it ends with FIN and without a byte', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'tcp' }));
    expect(await rig.checked(INTERVAL / 2)).toMatchObject({ result: 'ok', cause: '' });
    const server = await backend.nextConnection();
    await server.ended;
    expect(server.received.length).toBe(0);
    server.end();
    expect(await server.closed).toEqual({ fin: true, error: null });
    expect([rig.checks(), rig.metrics.target('chat', 'a').checkDuration.count]).toEqual([{ ok: 1 }, 1]);
  });

  test('nobody listens: backend_unreachable', async () => {
    const backend = await RawBackend.listen();
    backend.stopListening();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'tcp' }));
    expect(await rig.checked(INTERVAL / 2)).toMatchObject({ result: 'backend_unreachable', cause: 'ECONNREFUSED' });
  });
});

describe('http', () => {
  const good = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

  test('asks for its path with its Host, its fields and User-Agent: framegate-check, and no more', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(
      checkedBy(backend.url, { type: 'http', path: '/health?deep=1', host: 'x.test', headers: { 'X-Probe': 'yes' } }),
    );
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    expect(await server.head()).toBe(
      'GET /health?deep=1 HTTP/1.1\r\nHost: x.test\r\nUser-Agent: framegate-check\r\nX-Probe: yes\r\n' +
        'Connection: close\r\n\r\n',
    );
    server.end(Buffer.from(good));
    expect(await checked).toMatchObject({ result: 'ok' });
    expect(await server.closed).toEqual({ fin: true, error: null });
  });

  test.each([
    [undefined, 199, 'backend_handshake'], // an interim answer, and the end
    [undefined, 200, 'ok'],
    [undefined, 299, 'ok'],
    [undefined, 300, 'status'],
    [undefined, 500, 'status'],
    [['204', '400-404'], 200, 'status'],
    [['204', '400-404'], 204, 'ok'],
    [['204', '400-404'], 404, 'ok'],
    [['204', '400-404'], 405, 'status'],
  ])('expect_status %j: %i is %s', async (expect_status, status, result) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'http', ...(expect_status && { expect_status }) }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    expect((await server.request()).line).toBe('GET / HTTP/1.1');
    server.end(Buffer.from(`HTTP/1.1 ${status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n`));
    expect(await checked).toMatchObject({ result });
    expect(await server.closed).toEqual({ fin: true, error: null });
    expect(backend.connections, 'no redirect is followed').toBe(1);
  });

  test('a body that never ends: its status counts, at the timeout', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'http' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.head();
    server.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
    await expect.poll(() => rig.passed(100).target().lastCheck?.result, { interval: 1, timeout: 5_000 }).toBe('ok');
    expect(await checked).toMatchObject({ result: 'ok' });
    await server.ended;
  });

  test('an answer without end: its status counts once 64 KiB of it came', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'http' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.head();
    server.send('HTTP/1.1 200 OK\r\n\r\n', Buffer.alloc(70_000));
    expect(await checked).toMatchObject({ result: 'ok' });
    await server.ended;
  });

  test.each([
    ['a head above max_head_size', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 'backend_handshake'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'backend_handshake'],
    [
      'a 101 that nobody has asked for',
      'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      'backend_handshake',
    ],
    ['FIN instead of an answer', '', 'backend_handshake'],
  ])('%s', async (_what, answer, result) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'http' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.head();
    server.end(Buffer.from(answer));
    expect(await checked).toMatchObject({ result });
    await server.ended;
  });
});

describe('websocket', () => {
  test('upgrade, ping and pong, message and answer, Close 1000 and its answer, FIN', async () => {
    const backend = await RawBackend.listen();
    const active = { path: '/health', subprotocol: 'chat', send: 'are you there', expect: 'there' };
    const rig = new ChecksRig(checkedBy(`${backend.url}/base`, active, { host: 'target' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    const request = await server.accept({ 'Sec-WebSocket-Protocol': 'chat' });
    expect([request.line, request.field('host'), request.field('user-agent'), request.field('origin')]).toEqual([
      'GET /health HTTP/1.1',
      `127.0.0.1:${backend.port}`,
      'framegate-check',
      undefined,
    ]);
    expect([request.field('sec-websocket-protocol'), request.field('sec-websocket-extensions')]).toEqual([
      'chat',
      undefined,
    ]);
    const ping = await server.nextFrame();
    server.send(frame({ opcode: Opcode.Ping, payload: 'mine' }), frame({ opcode: Opcode.Pong, payload: 'unasked' }));
    server.sendFrame({ opcode: Opcode.Pong, payload: ping.payload });
    const pong = await server.nextFrame();
    expect([pong.opcode, pong.masked, pong.payload.toString()]).toEqual([Opcode.Pong, true, 'mine']);
    const message = await server.nextFrame();
    expect([message.opcode, message.masked, message.payload.toString()]).toEqual([Opcode.Text, true, 'are you there']);
    server.send(frame({ opcode: Opcode.Text, payload: 'not this one' }));
    server.send(frame({ opcode: Opcode.Text, payload: 'I am th', fin: false }));
    server.send(frame({ opcode: Opcode.Ping, payload: '' }), frame({ opcode: Opcode.Continuation, payload: 'ere' }));
    expect((await server.nextFrame()).opcode).toBe(Opcode.Pong);
    await endWell(server);
    expect(await checked).toMatchObject({ result: 'ok', cause: '' });
  });

  test('without a path it asks for that of the url, of host: client with the host of the url', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(`${backend.url}/base`, {}));
    rig.pass(INTERVAL / 2);
    const server = await backend.nextConnection();
    const request = await server.accept();
    expect([request.line, request.field('host')]).toEqual(['GET /base HTTP/1.1', `127.0.0.1:${backend.port}`]);
    await converse(server);
  });

  test('a User-Agent of the config takes the place of ours, however it is written', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { headers: { 'user-agent': 'mine', 'X-A': 'b' } }));
    rig.pass(INTERVAL / 2);
    const server = await backend.nextConnection();
    const { fields } = await server.accept();
    expect(fields.filter(([name]) => /^(?:user-agent|x-a)$/i.test(name))).toEqual([
      ['user-agent', 'mine'],
      ['X-A', 'b'],
    ]);
    await converse(server);
  });

  test('a message that came with the 101 counts as one that is expected', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { expect: 'hello' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.accept({}, frame({ opcode: Opcode.Text, payload: 'oh hello' }));
    await converse(server);
    expect(await checked).toMatchObject({ result: 'ok' });
  });

  const closed = frame({ opcode: Opcode.Close, payload: Buffer.of(0x03, 0xf0) });
  const faults: readonly (readonly [
    string,
    Record<string, unknown>,
    Record<string, string>,
    Buffer,
    string,
    string,
  ])[] = [
    ['another subprotocol', { subprotocol: 'chat' }, {}, Buffer.alloc(0), 'subprotocol', 'none was chosen'],
    ['a Close instead of a pong', {}, {}, closed, 'ping', 'it sent Close 1008'],
    [
      'more than a megabyte',
      {},
      {},
      frame({ opcode: Opcode.Binary, payload: Buffer.alloc(1_048_570) }),
      'ping',
      'too much came',
    ],
  ];
  test.each(faults)('%s: it still gets Close 1000 and FIN', async (_what, active, fields, bytes, result, cause) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, active));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.accept(fields);
    if (result !== 'subprotocol') await server.nextFrame();
    server.send(bytes, bytes);
    expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
    if (result === 'subprotocol') server.sendFrame({ opcode: Opcode.Close, payload: Buffer.of(0x03, 0xe8) });
    server.end();
    expect(await checked).toMatchObject({ result, cause });
    expect(await server.closed).toEqual({ fin: true, error: null });
  });

  test.each([
    ['no pong', {}, 'ping', false],
    ['no message', { expect: 'x' }, 'message', false],
    ['no answer to the Close', {}, 'close', true],
  ])('%s within timeout: it gets Close 1000 and FIN', async (_what, active, result, isAsked) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { timeout: '3s', ...active }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.accept();
    const ping = await server.nextFrame();
    if (result !== 'ping') {
      server.sendFrame({ opcode: Opcode.Pong, payload: ping.payload });
      server.sendFrame({ opcode: Opcode.Ping, payload: 'behind it' });
      expect((await server.nextFrame()).opcode).toBe(Opcode.Pong);
    }
    if (isAsked) expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
    expect(rig.target().lastCheck).toBeNull();
    rig.pass(2_999);
    expect(rig.target().lastCheck).toBeNull();
    rig.pass(1);
    expect(await checked).toMatchObject({ result, cause: 'not in time', ms: 3_000 });
    if (!isAsked) expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
    await server.ended;
    server.end();
    expect(await server.closed).toEqual({ fin: true, error: null });
  });

  test('a frame that breaks a rule gets Close 1002', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, {}));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.accept();
    await server.nextFrame();
    server.sendFrame({ opcode: Opcode.Text, payload: 'x', mask: true });
    expect(await server.nextClose()).toEqual({ code: 1002, reason: '' });
    expect(await checked).toMatchObject({ result: 'ping', cause: 'protocol error: mask_present' });
  });

  test.each([
    ['HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n', 'status', '500'],
    ['HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n', 'status', '302'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'backend_handshake', 'status 200'],
    ['HTTP/1.1 101 Switching Protocols\r\n\r\n', 'backend_handshake', '101 without Upgrade: websocket'],
  ])('%j is no 101 for a session either', async (answer, result, cause) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, {}));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.head();
    server.send(answer);
    expect(await checked).toMatchObject({ result, cause });
    await server.ended;
  });

  test('a target that accepts and never answers: backend_timeout after timeout, to the millisecond', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { timeout: '1s' }));
    const checked = rig.checked(INTERVAL / 2);
    const server = await backend.nextConnection();
    await server.head();
    rig.pass(999);
    expect(rig.target().lastCheck).toBeNull();
    rig.pass(1);
    expect(await checked).toMatchObject({ result: 'backend_timeout', ms: 1_000 });
    await server.ended;
  });
});

/** Opens and ends every connection as checks of type tcp want it. */
async function listenTcp(options: BackendOptions = {}): Promise<RawBackend> {
  const backend = await RawBackend.listen(options);
  backend.server.on('connection', (socket) => socket.end());
  return backend;
}

describe('what checks say of a target', () => {
  const tcp = (url: string, active: Record<string, unknown> = {}) => checkedBy(url, { type: 'tcp', ...active });

  test('it is up until proven otherwise, down at the third bad check in a row, up at the second good one', async () => {
    const path = socketPath();
    const backend = await listenTcp({ path });
    const rig = new ChecksRig(tcp(backend.url));
    expect(rig.target().status(rig.clock.now())).toMatchObject({ state: 'up', isUp: true });
    await rig.checked(INTERVAL / 2);
    await backend.close();
    const states: string[] = [];
    const check = async () => {
      const { result } = await rig.checked(INTERVAL);
      states.push(`${result} ${rig.target().status(rig.clock.now()).state}`);
    };
    for (let i = 0; i < 4; i += 1) await check();
    await listenTcp({ path });
    for (let i = 0; i < 3; i += 1) await check();
    expect(states).toEqual([
      'backend_unreachable up',
      'backend_unreachable up',
      'backend_unreachable down',
      'backend_unreachable down',
      'ok down',
      'ok up',
      'ok up',
    ]);
    expect(rig.downs).toEqual(['a']);
    const told = rig.tap.lines.map(({ level, event, target, why, cause }) => ({ level, event, target, why, cause }));
    expect(told, 'no line while nothing changes').toEqual([
      { level: 'warn', event: 'target.down', target: 'a', why: 'check', cause: 'backend_unreachable: ENOENT' },
      { level: 'info', event: 'target.up', target: 'a', why: 'check', cause: undefined },
    ]);
    expect(rig.checks()).toEqual({ ok: 4, backend_unreachable: 4 });
  });

  test('one good check among bad ones starts the count anew, and one bad one among good ones', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type: 'http', rise: 2, fall: 2 }));
    const states: string[] = [];
    for (const [at, status] of [500, 200, 500, 200, 500, 500, 200, 500, 200, 200].entries()) {
      const checked = rig.checked(at === 0 ? INTERVAL / 2 : INTERVAL);
      const server = await backend.nextConnection();
      await server.head();
      server.end(Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`));
      await checked;
      await expect.poll(() => server.isClosed, { interval: 1 }).toBe(true);
      states.push(rig.target().status(rig.clock.now()).state);
    }
    expect(states).toEqual(['up', 'up', 'up', 'up', 'up', 'down', 'down', 'down', 'down', 'up']);
  });

  test('our own shortage of ports says nothing of a target', async () => {
    const backend = await listenTcp();
    // An address that this machine does not have.
    const rig = new ChecksRig({ ...tcp(backend.url, { fall: 1 }), local_addresses: ['192.0.2.1'] });
    expect(await rig.checked(INTERVAL / 2)).toMatchObject({ result: 'no_local_port', cause: 'EADDRNOTAVAIL' });
    expect(rig.target().isBarred).toBe(false);
  });

  test('a fault of our own is told, says nothing of the target, and is no end of its checks', async () => {
    const backend = await listenTcp();
    const rig = new ChecksRig(tcp(backend.url, { fall: 1 }));
    const { reach } = rig.target();
    const connect = vi.spyOn(reach, 'connect').mockRejectedValueOnce(new Error('ours'));
    rig.pass(INTERVAL / 2);
    const line = await rig.tap.waitFor('check.fault');
    expect(line).toMatchObject({
      level: 'error',
      upstream: 'chat',
      target: 'a',
      error: expect.stringContaining('ours'),
    });
    expect([rig.target().lastCheck, rig.target().isBarred]).toEqual([null, false]);
    connect.mockRestore();
    expect(await rig.checked(INTERVAL)).toMatchObject({ result: 'ok' });
  });

  test('a builtin:echo target is not checked: it is up', () => {
    const rig = new ChecksRig({ targets: [{ name: 'a', url: 'builtin:echo' }], health: { active: { type: 'http' } } });
    rig.pass(60_000);
    expect([rig.wheel.size, rig.target().lastCheck]).toEqual([0, null]);
  });
});

describe('when checks are made', () => {
  const input = (url: string, active: Record<string, unknown> = {}) => checkedBy(url, { type: 'tcp', ...active });

  test.each([
    ['4s', 0, 1, 3_200],
    ['4s', 0.25, 1_000, 3_600],
    ['4s', 0.75, 3_000, 4_400],
    ['20s', 0.5, 2_500, 20_000],
  ])(
    'interval %s, chance %f: the first after %i ms, the next %i ms after it began',
    async (interval, chance, first, next) => {
      const backend = await listenTcp();
      const rig = new ChecksRig(input(backend.url, { interval }), chance);
      for (const ms of [first, next]) {
        await rig.settled();
        rig.pass(ms - 1);
        expect(rig.wheel.waiting, 'it is not due').toBe(1);
        await rig.checked(1);
      }
    },
  );

  test('never more than one of a target is under way, its end included: the next one waits for it', async () => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(input(backend.url, { interval: '100ms', timeout: '1s' }));
    await rig.checked(50);
    const first = await backend.nextConnection();
    for (let i = 0; i < 9; i += 1) rig.pass(100);
    expect(backend.connections, 'its FIN has no answer yet').toBe(1);
    rig.pass(100);
    await first.ended;
    await expect.poll(() => rig.passed(1) && backend.connections, { interval: 1 }).toBe(2);
  });

  test('a reload keeps what is known of a target that stays; new settings hold from the next check on', async () => {
    const path = socketPath();
    const url = `ws+unix:${path}`;
    const rig = new ChecksRig(input(url, { fall: 3 }));
    await rig.checked(INTERVAL / 2);
    await rig.checked(INTERVAL);
    await rig.settled();
    rig.load(input(url, { fall: 3, interval: '1s' }));
    expect(rig.target().lastCheck).toMatchObject({ result: 'backend_unreachable' });
    await rig.checked(500);
    expect(rig.target().status(rig.clock.now()).state, 'the third in a row').toBe('down');
    rig.load(input(url, { fall: 3, interval: '1s', rise: 1 }));
    expect(rig.target().status(rig.clock.now())).toMatchObject({ state: 'down', why: 'check' });
    await listenTcp({ path });
    await rig.checked(1_000);
    expect(rig.target().status(rig.clock.now()).state).toBe('up');
  });

  test('a reload that changes nothing does not bring a check forward', async () => {
    const backend = await listenTcp();
    const rig = new ChecksRig(input(backend.url));
    rig.pass(1_900);
    rig.load(input(backend.url));
    rig.pass(99);
    expect(rig.target().lastCheck).toBeNull();
    await rig.checked(1);
  });

  test('without checks nobody is down by them; a target of another url is another one', async () => {
    const url = `ws+unix:${socketPath()}`;
    const rig = new ChecksRig(input(url, { fall: 1 }));
    await rig.checked(INTERVAL / 2);
    const down = rig.target();
    expect(down.isBarred).toBe(true);
    rig.load(input(`ws+unix:${socketPath()}`, { fall: 1 }));
    expect([rig.target().isBarred, down.gone, rig.wheel.size]).toEqual([false, true, 1]);
    await rig.checked(INTERVAL / 2);
    expect(rig.target().isBarred).toBe(true);
    rig.load({ targets: [{ name: 'a', url: `ws+unix:${socketPath()}` }] });
    const other = rig.target();
    rig.load(input(other.url, { fall: 1 }));
    await rig.checked(INTERVAL / 2);
    expect(other.isBarred).toBe(true);
    rig.load({ targets: [{ name: 'a', url: other.url }] });
    expect([rig.target(), other.isBarred, other.lastCheck, rig.wheel.size]).toEqual([other, false, null, 0]);
  });

  test.each(['tcp', 'http', 'websocket'])('type %s: a stop in the middle leaves nothing', async (type) => {
    const backend = await RawBackend.listen();
    const rig = new ChecksRig(checkedBy(backend.url, { type }));
    rig.pass(INTERVAL / 2);
    const server = await backend.nextConnection();
    if (type === 'websocket') {
      await server.accept();
      await server.nextFrame();
    } else if (type === 'http') await server.head();
    else await rig.verdict(null);
    rig.registry.stop();
    await server.ended;
    expect(rig.wheel.size).toBe(0);
    expect(rig.target().lastCheck).toEqual(type === 'tcp' ? expect.anything() : null);
    rig.pass(60_000);
    expect(backend.connections).toBe(1);
  });
});

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'backend.sock');
}
