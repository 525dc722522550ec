// The deploy bench: its arithmetic, and that its clients tell the ends and failures apart which it counts.

import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { backoffMs } from '../../bench/deploy/backoff.ts';
import { ClientFleet } from '../../bench/deploy/client-fleet.ts';
import { deployAbsence } from '../../bench/deploy/deploy-peers.ts';
import { caddyStreams } from '../../bench/deploy/launches.ts';
import { numberedPayload, readNumbered } from '../../bench/deploy/numbered.ts';
import { parseDeployOptions } from '../../bench/deploy/options.ts';
import { connectsText, deployMarkdown } from '../../bench/deploy/report.ts';
import type { DeployReport, DeployRound } from '../../bench/deploy/results.ts';
import { ServerFrames } from '../../bench/deploy/server-frames.ts';
import { connectFault, endingsOf, lossesOf, noConnects, peakPerSecond } from '../../bench/deploy/tally.ts';
import { Visit } from '../../bench/deploy/visit.ts';
import { plainFrame } from '../../bench/load/frames.ts';
import { WireMaker } from '../../bench/load/wire.ts';
import { everySplit } from '../support/every-split.ts';

const HOST = '127.0.0.1';

test('the peak is that of any second, not of those of a clock, and its end is outside', () => {
  expect(peakPerSecond([])).toBe(0);
  expect(peakPerSecond([2_400, 900, 1_100, 1_899.9])).toBe(3);
  expect(peakPerSecond([0, 1_000])).toBe(1);
  expect(peakPerSecond([0, 999])).toBe(2);
});

describe('losses', () => {
  const session = { client: 1, session: 0, sent: 5, echoed: 2, code: 1006 };

  test('are told apart by direction, and a session that nobody has heard of lost all', () => {
    const silent = { client: 2, session: 3, sent: 4, echoed: 0, code: null };
    const found = lossesOf([session, silent], [{ client: 1, session: 0, received: 4 }]);
    expect(found).toEqual({ sent: 9, toBackend: 5, toClient: 2 });
  });

  test.each([1, 6])('are impossible with %i of 5 at the backend and 2 back', (received) => {
    expect(() => lossesOf([session], [{ client: 1, session: 0, received }])).toThrow('session 1/0');
  });
});

test('sessions that the bench ended have no code, and count as no end', () => {
  const codes = [1012, 1006, 1012, null, 1006, 1012];
  const sessions = codes.map((code, client) => ({ client, session: 0, sent: 0, echoed: 0, code }));
  const expected = {
    ended: 5,
    abnormal: 2,
    codes: [
      [1012, 3],
      [1006, 2],
    ],
  }; // biome keeps it on one line
  expect(endingsOf(sessions)).toEqual(expected);
});

test('a backoff is a second at first, doubles up to five, and half of it is chance', () => {
  expect([0, 0.5, 1].map((random) => backoffMs(0, random))).toEqual([500, 1_000, 1_500]);
  expect([1, 2, 3, 40].map((failures) => backoffMs(failures, 0.5))).toEqual([2_000, 4_000, 5_000, 5_000]);
});

test('a number comes back out of its message, and not out of a short one', () => {
  const numbered = { client: 7, session: 2 ** 31, number: 2 ** 32 - 2 };
  expect(readNumbered(numberedPayload(numbered, 64))).toEqual(numbered);
  expect(readNumbered(Buffer.alloc(11))).toBeNull();
});

describe('frames of a server', () => {
  const whole = [plainFrame(Buffer.from('a')), Buffer.from('8900', 'hex'), plainFrame(Buffer.alloc(300, 7))];

  test('are read at every cut', () => {
    everySplit(
      Buffer.concat([...whole, Buffer.from('880203f4', 'hex')]),
      (pieces) => {
        const frames = new ServerFrames();
        const found: string[] = [];
        for (const piece of pieces) {
          frames.push(piece);
          for (let one = frames.next(); one !== null; one = frames.next()) {
            found.push(`${one.opcode}:${one.payload.length}`);
          }
        }
        expect(found).toEqual(['2:1', '9:0', '2:300', '8:2']);
        expect(frames.fault).toBeNull();
      },
      { tail: Buffer.alloc(0) },
    );
  });

  // A fragment, a reserved bit, an opcode, a mask, and a length that nobody sent.
  test.each(['0201', 'c201', '8301', '8281', '827f'])('%s is a fault, and nothing is read behind it', (hex) => {
    const frames = new ServerFrames();
    frames.push(Buffer.concat([Buffer.from(hex, 'hex'), ...whole]));
    expect(frames.next()).toBeNull();
    expect(frames.fault).toContain(hex);
    expect(frames.next()).toBeNull();
  });
});

function listening(server: Server): Promise<number> {
  onTestFinished(() => {
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
}

async function visit(port: number): Promise<{ outcome: string; code: number | null }> {
  let ended = (_code: number) => {};
  const end = new Promise<number>((resolve) => {
    ended = resolve;
  });
  const one = new Visit({ onMessage: () => {}, onEnd: (code) => ended(code) });
  const outcome = await one.open(new WireMaker(), { host: HOST, port, localAddress: null });
  return { outcome, code: outcome === 'opened' ? await end : null };
}

describe('a visit', () => {
  const behind = (onSocket: (socket: Socket) => void) => {
    return listening(
      createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => onSocket(socket));
      }),
    );
  };

  test('tells a Close from a connection that is gone', async () => {
    const server = new WebSocketServer({ noServer: true });
    const http = (await import('node:http')).createServer();
    let visits = 0;
    http.on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (client) => {
        visits += 1;
        if (visits === 1) client.close(1012, 'server restart');
        else client.terminate();
      });
    });
    const port = await listening(http);
    expect(await visit(port)).toEqual({ outcome: 'opened', code: 1012 });
    expect(await visit(port)).toEqual({ outcome: 'opened', code: 1006 });
  });

  test('tells what became of its connect', async () => {
    const answers = await behind((socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'));
    expect(await visit(answers)).toEqual({ outcome: 'answered', code: null });
    const resets = await behind((socket) => socket.resetAndDestroy());
    expect(await visit(resets)).toEqual({ outcome: 'reset', code: null });
    const ends = await behind((socket) => socket.end());
    expect(await visit(ends)).toEqual({ outcome: 'reset', code: null });
    const server = createServer();
    const nobody = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await visit(nobody)).toEqual({ outcome: 'refused', code: null });
    expect(connectFault(new Error('no connection in time'))).toBe('late');
  });
});

test('clients whose messages do not come back in order are a fault of the bench, not a figure', async () => {
  const server = new WebSocketServer({ noServer: true });
  const http = (await import('node:http')).createServer();
  let isAnswered = () => {};
  const answered = new Promise<void>((resolve) => {
    isAnswered = resolve;
  });
  http.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('message', () => {
        client.send(numberedPayload({ client: 0, session: 0, number: 1 }, 64), isAnswered);
      });
    });
  });
  const plan = { host: HOST, port: await listening(http), clients: 1, payloadBytes: 64, rate: 1_000, newcomers: 0 };
  const fleet = new ClientFleet(new WireMaker(), plan);
  onTestFinished(() => fleet.abandon());
  await fleet.open();
  await answered;
  await expect.poll(() => catchOf(() => fleet.state())).toContain('0/0/0 should have come back, 0/0/1 did');
});

function catchOf(act: () => unknown): string {
  try {
    act();
    return '';
  } catch (error) {
    return String(error);
  }
}

test('without arguments 2000 sessions are deployed three times in 20 s each, by every peer', () => {
  const options = parseDeployOptions([]);
  expect(options).toMatchObject({ sessions: 2_000, rounds: 3, windowSeconds: 20, spreadSeconds: 15, markdown: true });
  expect(options.peers).toEqual(['framegate', 'nginx', 'haproxy', 'caddy']);
  expect(parseDeployOptions(['--write', 'a.md']).markdown).toBe(false);
  expect(() => parseDeployOptions(['--window', '3'])).toThrow('--window 3');
  expect(() => deployAbsence('apache')).toThrow('apache');
});

test('Caddy is told to leave streams alone for a while from 2.7 on, which is when it learnt to', () => {
  expect(['2.6.2', '2.7.0', '2.10.0', '3.0.0'].map((version) => caddyStreams(version, 20))).toEqual([
    '',
    ...Array.from({ length: 3 }, () => 'stream_close_delay 20s'),
  ]);
});

describe('a report', () => {
  const good: DeployRound = {
    endings: { ended: 10, abnormal: 0, codes: [[1012, 10]] },
    losses: { sent: 100, toBackend: 0, toClient: 2 },
    sent: 90,
    peakReconnects: 4,
    tries: { ...noConnects(), opened: 10 },
    newcomers: { ...noConnects(), opened: 20 },
    newcomersCut: 0,
    takenOverMs: 500,
    allMovedMs: 16_000,
    oldGoneMs: 15_000,
    awayP99: 1_490,
    awayMax: 1_500,
    quietP99: 1,
    echoP99: 2,
    echoMax: 30,
  };
  const textOf = (peer: string, ...rounds: readonly DeployRound[]) => {
    const machine = { cpu: 'A', cores: 2, system: 'Linux', node: 'v20', date: '2026-01-01' };
    const sizes = { sessions: 10, rate: 10, newcomers: 1, windowSeconds: 20, spreadSeconds: 15 };
    const report: DeployReport = {
      ...{ machine, command: 'x', versions: {}, backend: 'ws', skipped: ['caddy is not installed'], ...sizes },
      peers: [{ peer, rounds, fault: null }],
    };
    return deployMarkdown(report);
  };
  const bad: DeployRound = {
    ...good,
    endings: {
      ended: 10,
      abnormal: 1,
      codes: [
        [1012, 9],
        [1006, 1],
      ],
    },
    losses: { sent: 100, toBackend: 1, toClient: 0 },
    newcomers: { ...noConnects(), opened: 17, refused: 2, reset: 1 },
    newcomersCut: 1,
  };

  test('sets in bold what one bad round among good ones costs, and only that', () => {
    expect(textOf('framegate', good, good)).not.toMatch(/\*\*\d/);
    const text = textOf('framegate', good, good, bad);
    for (const part of ['**0 % (0 %-10.0 %)**', '**0 (0-1)**', '**3 of 60: 2 refused, 1 reset**', '**1**']) {
      expect(text).toContain(part);
    }
    expect(text).toContain('1012 x 29, 1006 x 1');
    expect(text).toContain('Skipped: caddy');
    expect(textOf('nginx', bad)).not.toMatch(/\*\*\d/);
  });

  test('has a dash for what was not seen', () => {
    const text = textOf('nginx', { ...good, allMovedMs: Number.NaN, oldGoneMs: Number.NaN });
    expect(text).toMatch(/ 0\.500 \| +- \| +- \|/);
  });

  test('says nothing of failures where there is none', () => {
    expect(connectsText({ ...noConnects(), opened: 3 })).toBe('0 of 3');
  });
});
