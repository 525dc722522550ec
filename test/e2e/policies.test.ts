import { describe, expect, test } from 'vitest';
import { openPair, openSession, type Pair } from '../hostile/pair.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { closeFrame, continuation, Opcode, ping, pong, text } from '../support/wire.ts';
import { openWsPair } from './ws-pair.ts';

const masked = { mask: true } as const;
type Ends = Pick<Pair, 'client' | 'server'>;

const messages = (from: number, to: number) =>
  Buffer.concat(Array.from({ length: to - from }, (_, i) => text(`m${String(from + i).padStart(3, '0')}`, masked)));

/** A message there and one back. */
async function expectAnswer({ client, server }: Ends, what: string): Promise<void> {
  const question = text(what, masked);
  client.send(question);
  expect(await server.readBytes(question.length)).toEqual(question);
  const answer = text(`${what}!`);
  server.send(answer);
  expect(await client.readBytes(answer.length)).toEqual(answer);
}

describe('F29: a client at three times its rate', () => {
  async function openTwo(policy: 'close' | 'drop') {
    const clock = new FakeClock();
    const limits = { from_client: { messages_per_second: 10, on_rate_exceeded: policy } };
    const compression = 'off' as const;
    const pair = await openPair({ clock, route: { limits, compression } });
    return { ...pair, clock, bystander: await openSession(pair.running, pair.backend) };
  }

  test('close: what the burst allows arrives, then 1008; the next session does not notice', async () => {
    const { client, server, running, bystander } = await openTwo('close');
    client.send(messages(0, 60));
    expect(await server.readBytes(messages(0, 20).length)).toEqual(messages(0, 20));
    expect(await server.nextClose()).toEqual({ code: 1001, reason: 'messages_per_second' });
    await expectAnswer(bystander, 'still here');
    server.send(closeFrame(1001));
    server.end();
    expect(await client.nextClose()).toEqual({ code: 1008, reason: 'messages_per_second' });
    client.end();
    expect(await running.waitForLog('session.end')).toMatchObject({
      by: 'client',
      reason: 'client_rate',
      limit: 'messages_per_second',
    });
    expect(running.logsOf('limit.hit')).toMatchObject([
      { direction: 'from_client', limit: 'messages_per_second', value: 10 },
    ]);
    await expectAnswer(bystander, 'and still');
  });

  test('drop: what the burst allows arrives, and what a second gives back; one line in the log', async () => {
    const { client, server, running, clock, bystander } = await openTwo('drop');
    // A ping behind the messages is relayed: what arrives before it is all that arrives.
    client.send(Buffer.concat([messages(0, 60), ping('1', masked)]));
    const first = Buffer.concat([messages(0, 20), ping('1', masked)]);
    expect(await server.readBytes(first.length)).toEqual(first);
    clock.advance(1000);
    client.send(Buffer.concat([messages(60, 90), ping('2', masked)]));
    const second = Buffer.concat([messages(60, 70), ping('2', masked)]);
    expect(await server.readBytes(second.length)).toEqual(second);
    await expectAnswer(bystander, 'still here');
    expect(running.logsOf('limit.hit')).toHaveLength(1);
  });
});

describe('our own pings', () => {
  test('`ws` on both sides answers them for as long as it likes; neither hears of the other', async () => {
    const timeouts = { client_ping_interval: '100ms', backend_ping_interval: '100ms', pong: '5s' };
    const { client, server, running } = await openWsPair({ route: { timeouts } });
    const [first, ...more] = await client.take(3);
    const [atServer] = await server.inbox.take(3);
    for (const one of [first, ...more, atServer]) expect(one?.kind).toBe('ping');
    expect(running.logsOf('session.end')).toEqual([]);
    server.socket.close(1000, 'done');
    expect(await client.closed()).toEqual({ code: 1000, reason: 'done' });
  });

  test('a pong with the token is swallowed, another is relayed; then the silence of the client ends it', async () => {
    const timeouts = { client_ping_interval: '10s', pong: '5s' };
    const clock = new FakeClock();
    const { client, server, running } = await openPair({ clock, route: { timeouts } });
    clock.advance(10_000);
    const asked = await client.nextFrame();
    expect([asked.opcode, asked.masked, asked.payload.length]).toEqual([Opcode.Ping, false, 16]);
    client.send(Buffer.concat([pong(asked.payload, masked), pong('mine', masked), continuationOf('x')]));
    const relayed = Buffer.concat([pong('mine', masked), continuationOf('x')]);
    expect(await server.readBytes(relayed.length)).toEqual(relayed);
    clock.advance(10_000);
    expect((await client.nextFrame()).opcode).toBe(Opcode.Ping);
    clock.advance(5_000);
    expect(await server.nextClose()).toEqual({ code: 1001, reason: 'pong' });
    server.send(closeFrame(1001));
    server.end();
    await client.closed;
    expect(await running.waitForLog('session.end')).toMatchObject({
      by: 'client',
      reason: 'client_pong_timeout',
      limit: 'pong',
      close_code_client: null,
    });
  });
});

/** A message in two fragments. */
function continuationOf(what: string): Buffer {
  return Buffer.concat([text(what, { ...masked, fin: false }), continuation(what, masked)]);
}
