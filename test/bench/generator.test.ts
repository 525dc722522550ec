// The load generator finds out what is wrong with echoes: a bench that cannot fail proves nothing.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { EchoChecker, headerBytesOf } from '../../bench/load/echo-checker.ts';
import { EchoLoad, type LoadPlan } from '../../bench/load/echo-load.ts';
import { faultOfSwitch, maskedFrame, payloadOf, plainFrame } from '../../bench/load/frames.ts';
import { runHandshakes } from '../../bench/load/handshakes.ts';
import { WireMaker } from '../../bench/load/wire.ts';
import { everySplit } from '../support/every-split.ts';

const PING = Buffer.from('8903010203', 'hex');
const EMPTY_PONG = Buffer.from('8a00', 'hex');
const CLOSE = Buffer.from('880203e8', 'hex');

function checkerFor(size: number, compareEvery = 1): EchoChecker {
  return new EchoChecker(plainFrame(payloadOf(1, size)), headerBytesOf(size), compareEvery);
}

function takeAll(checker: EchoChecker, pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + checker.take(piece, 0, piece.length), 0);
}

describe('the checker of echoes', () => {
  test.each([0, 1, 125, 126, 300])('counts echoes of %i bytes at every cut, pings between them', (size) => {
    const echo = plainFrame(payloadOf(1, size));
    everySplit(
      Buffer.concat([PING, echo, EMPTY_PONG, echo]),
      (pieces) => {
        const checker = checkerFor(size);
        expect(takeAll(checker, pieces)).toBe(2);
        expect(checker).toMatchObject({ fault: null, compared: 2, isAtBoundary: true, pings: 1 });
      },
      { tail: Buffer.alloc(0) },
    );
  });

  test('knows the header of a frame from 65536 bytes on', () => {
    const size = 65_536;
    const checker = checkerFor(size);
    expect(takeAll(checker, [plainFrame(payloadOf(1, size))])).toBe(1);
    expect(checker.fault).toBeNull();
  });

  test.each([
    ['a byte of another session', plainFrame(payloadOf(2, 64))],
    ['a longer payload', plainFrame(payloadOf(1, 65))],
    ['a shorter payload', plainFrame(payloadOf(1, 63))],
    ['a fragment', Buffer.concat([Buffer.from([0x02]), plainFrame(payloadOf(1, 64)).subarray(1)])],
    ['a masked frame', maskedFrame(payloadOf(1, 64), 0)],
    ['a Close', CLOSE],
  ])('finds %s at every cut', (_, bytes) => {
    everySplit(
      bytes,
      (pieces) => {
        const checker = checkerFor(64);
        takeAll(checker, pieces);
        expect(checker.fault).not.toBeNull();
        expect(checker.echoes).toBe(0);
      },
      { tail: Buffer.alloc(0) },
    );
  });

  test('compares every so many echoes and stays silent on the others', () => {
    const [good, bad] = [plainFrame(payloadOf(1, 64)), plainFrame(payloadOf(2, 64))];
    const checker = checkerFor(64, 3);
    expect(takeAll(checker, [bad, bad, good, bad, bad])).toBe(5);
    expect(checker.fault).toBeNull();
    takeAll(checker, [bad]);
    expect(checker).toMatchObject({ fault: 'echo 5: its payload is not what was sent', compared: 1 });
  });

  test('an unfinished echo is seen', () => {
    const checker = checkerFor(64);
    takeAll(checker, [plainFrame(payloadOf(1, 64)).subarray(0, 5)]);
    expect(checker.isAtBoundary).toBe(false);
  });
});

test('a switch of protocols without the right key, or another status, is a fault', () => {
  const good = 'HTTP/1.1 101 Switching Protocols\r\nSEC-WEBSOCKET-ACCEPT:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  expect(faultOfSwitch(good)).toBeNull();
  expect(faultOfSwitch(good.replace('s3p', 's3P'))).toContain('Accept');
  expect(faultOfSwitch('HTTP/1.1 101 Switching Protocols')).toContain('Accept');
  expect(faultOfSwitch('HTTP/1.1 503 Service Unavailable')).toContain('503');
});

/** Gives its port. */
function echoServer(echo: (message: Buffer) => readonly Buffer[]): Promise<number> {
  return new Promise((resolve) => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    onTestFinished(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (message) => {
        for (const answer of echo(message as Buffer)) socket.send(answer); // the default binaryType gives a Buffer
      });
    });
    // A `ws` server that listens on a port has an address of this form.
    server.on('listening', () => resolve((server.address() as AddressInfo).port));
  });
}

function loadOn(port: number, plan: Partial<LoadPlan> = {}, byTheClock = false): EchoLoad {
  const whole = { host: '127.0.0.1', port, path: '/', connections: 3, payloadBytes: 300, inFlight: 4, ...plan };
  const load = new EchoLoad(new WireMaker(), whole, byTheClock);
  onTestFinished(() => load.close());
  return load;
}

/** CPU time of others is only told by Linux. */
const isLinux = process.platform === 'linux';
const SHORT = { warmupMs: 20, measureMs: 100, pids: [isLinux ? [process.pid] : []], rate: null };

describe('a load', () => {
  test('measures round trips, latencies and CPU time, and ends with nothing on the way', async () => {
    const load = loadOn(await echoServer((message) => [message]));
    await load.open();
    const result = await load.run(SHORT);
    expect(result.echoes).toBeGreaterThan(10);
    expect(result.p50).toBeGreaterThan(0);
    expect(result.p99).toBeGreaterThanOrEqual(result.p50);
    if (isLinux) expect(result.cpu[0]).toBeGreaterThan(0);
    expect((await load.run(SHORT)).echoes).toBeGreaterThan(10);
  });

  test('sends by the clock, whatever comes back', async () => {
    const load = loadOn(await echoServer((message) => [message]), {}, true);
    await load.open();
    const result = await load.run({ ...SHORT, measureMs: 300, rate: 500 });
    expect(result.echoes).toBeGreaterThan(75);
    expect(result.echoes).toBeLessThan(300);
    expect(result.sentLateP99).toBeGreaterThanOrEqual(0);
  });

  test.each([
    ['a changed byte', (message: Buffer) => [Buffer.from(message.map((byte) => byte ^ 1))], 'its payload is not'],
    ['a byte too few', (message: Buffer) => [message.subarray(1)], 'header byte'],
  ])('fails on %s', async (_, echo, why) => {
    const load = loadOn(await echoServer(echo));
    await load.open();
    await expect(load.run(SHORT)).rejects.toThrow(why);
  });

  test('fails on an echo that nobody asked for', async () => {
    const load = loadOn(await echoServer((message) => [message, message]));
    await load.open();
    await expect(load.echoOnce().then(() => load.echoOnce())).rejects.toThrow('more echoes than messages');
  });

  test('fails on a backend that is not there', async () => {
    await expect(loadOn(1).open()).rejects.toThrow('ECONNREFUSED');
  });
});

test('a session that is pinged gives a sign of life', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const answered = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('pong', () => resolve());
      socket.ping('x');
    });
  });
  await new Promise<void>((resolve) => server.on('listening', resolve));
  // A `ws` server that listens on a port has an address of this form.
  const load = loadOn((server.address() as AddressInfo).port);
  await load.open();
  await answered;
});

describe('handshakes', () => {
  const plan = { host: '127.0.0.1', path: '/', concurrency: 2, warmupMs: 10, measureMs: 100, pids: [] };

  test('are counted when their 101 is right', async () => {
    const port = await echoServer((message) => [message]);
    expect((await runHandshakes(new WireMaker(), { ...plan, port })).handshakes).toBeGreaterThan(2);
  });

  test('fail on anything else', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A server that listens on a port has an address of this form.
    const { port } = server.address() as AddressInfo;
    await expect(runHandshakes(new WireMaker(), { ...plan, port })).rejects.toThrow('expected a 101');
  });
});
