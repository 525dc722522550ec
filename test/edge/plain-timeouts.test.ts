// Deadlines of one plain request, from its head to the last byte of its answer: both sides of each edge.

import { describe, expect, test } from 'vitest';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { NOTHING_HELD, PlainRig, plainConfig, text } from './plain-rig.ts';

const GET = ['GET / HTTP/1.1', 'Host: a', '', ''];
const POST = ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000', '', ''];
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab';
const TIMES = { open: '3s', connect: '9s', body: '5s', response: '7s', idle: '11s', write_stall: '13s' } as const;

interface Waiting {
  readonly rig: PlainRig;
  readonly client: MemoryTransport;
}

async function whileDialed(rig: PlainRig): Promise<Waiting> {
  rig.dialer.failures.push(new Promise(() => {}));
  return { rig, client: await rig.ask(...GET) };
}

async function whileBodyIsRead(rig: PlainRig): Promise<Waiting> {
  return { rig, client: await rig.ask(...POST, 'ab') };
}

async function whileBodyIsNotTaken(rig: PlainRig): Promise<Waiting> {
  const client = await rig.ask(...POST);
  rig.backend().setRoom(0);
  await rig.say(client, 'ab');
  return { rig, client };
}

async function whileAnswered(rig: PlainRig): Promise<Waiting> {
  return { rig, client: await rig.ask(...GET) };
}

async function whileAnswerIsRead(rig: PlainRig): Promise<Waiting> {
  const client = await rig.ask(...GET);
  await rig.say(rig.backend(), ANSWER);
  return { rig, client };
}

async function whileAnswerIsNotTaken(rig: PlainRig): Promise<Waiting> {
  const client = await rig.ask(...GET);
  client.setRoom(0);
  await rig.say(rig.backend(), ANSWER);
  return { rig, client };
}

const WAITS = [
  ['timeouts.open', 'open', 3_000, whileDialed, 504, 'backend_timeout', 'open'],
  ['timeouts.body', 'body', 5_000, whileBodyIsRead, 408, 'body_timeout', 'body'],
  ['timeouts.write_stall', 'write_stall', 13_000, whileBodyIsNotTaken, 504, 'backend_timeout', 'write_stall'],
  ['timeouts.response', 'response', 7_000, whileAnswered, 504, 'backend_timeout', 'response'],
  ['timeouts.idle', 'idle', 11_000, whileAnswerIsRead, 200, 'idle', undefined],
  ['timeouts.write_stall', 'write_stall', 13_000, whileAnswerIsNotTaken, 200, 'write_stall', undefined],
] as const;

describe.each(WAITS)('%s', (_, key, ms, begin, status, error, cause) => {
  test(`ends it after ${ms} ms, not one before, with ${status} ${error}`, async () => {
    const { rig, client } = await begin(new PlainRig({ timeouts: TIMES }));
    await rig.wait(ms - 1);
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ status, error, ...(cause === undefined ? {} : { cause }) }]);
    // Behind a part of an answer there is no clean end.
    if (status === 200) expect([client.destroyed, client.finSent]).toEqual([true, false]);
    else expect(text(client)).toContain(`HTTP/1.1 ${status} `);
    expect(rig.held).toEqual(NOTHING_HELD);
    expect(rig.backends.every(({ destroyed }) => destroyed)).toBe(true);
  });

  test('is not waited for when it is off', async () => {
    const others = Object.fromEntries(Object.keys(TIMES).map((other) => [other, '1h']));
    const { rig } = await begin(new PlainRig({ timeouts: { ...others, [key]: 'off' } }));
    await rig.wait(3_599_000);
    expect(rig.requests).toEqual([]);
  });

  test('is that of a reload from then on', async () => {
    const { rig } = await begin(new PlainRig({ timeouts: { ...TIMES, [key]: 'off' } }));
    rig.reload(plainConfig({ timeouts: TIMES }));
    await rig.wait(ms);
    expect(rig.requests).toMatchObject([{ status, error }]);
  });
});

describe('what puts it off', () => {
  test('a byte of the body that is read', async () => {
    const { rig, client } = await whileBodyIsRead(new PlainRig({ timeouts: TIMES }));
    await rig.wait(4_999);
    await rig.say(client, 'c');
    await rig.wait(4_999);
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ error: 'body_timeout' }]);
  });

  test('what the backend takes, and not what the client sends while it takes nothing', async () => {
    const { rig, client } = await whileBodyIsNotTaken(new PlainRig({ timeouts: TIMES }));
    await rig.wait(12_999);
    rig.backend().take(2);
    await rig.wait(4_999);
    rig.backend().setRoom(0);
    await rig.say(client, 'c');
    await rig.wait(12_999);
    await rig.say(client, 'd');
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ error: 'backend_timeout', cause: 'write_stall' }]);
  });

  test('what the client takes, and not what the backend sends while it takes nothing', async () => {
    const { rig, client } = await whileAnswerIsNotTaken(new PlainRig({ timeouts: TIMES }));
    await rig.wait(12_999);
    await rig.say(rig.backend(), 'c');
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ error: 'write_stall' }]);
    expect(client.destroyed).toBe(true);
  });

  test('a byte of the answer', async () => {
    const { rig } = await whileAnswerIsRead(new PlainRig({ timeouts: TIMES }));
    await rig.wait(10_999);
    await rig.say(rig.backend(), 'c');
    await rig.wait(10_999);
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ error: 'idle' }]);
  });

  test('nothing that the client sends while it takes nothing of an early answer', async () => {
    const rig = new PlainRig({ timeouts: TIMES });
    const client = await rig.ask(...POST, 'ab');
    client.setRoom(0);
    await rig.say(rig.backend(), ANSWER);
    await rig.wait(12_999);
    await rig.say(client, 'c');
    expect(rig.requests).toEqual([]);
    await rig.wait(1);
    expect(rig.requests).toMatchObject([{ error: 'write_stall' }]);
  });
});
