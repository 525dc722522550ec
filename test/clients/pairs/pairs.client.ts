// Every offer of permessage-deflate that clients make by default, to every server: through framegate the answer is the
// server's own, and compressed messages pass both ways. Raw handshakes: the offers are those of other languages.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PerMessageDeflate, parseTerms } from '../../conformance/deflate.ts';
import { RawClient } from '../../support/raw-client.ts';
import { closePayload, Opcode, Rsv } from '../../support/wire.ts';
import { Gate } from '../gate.ts';
import { jsonText } from '../servers.ts';
import { OFFERS } from './offers.ts';
import { RunningServer, SERVERS } from './servers.ts';

const ROUNDS = 3;
const MESSAGE_BYTES = 20_000;
/** A compiler may have to run first. */
const START_MS = 180_000;

/** For the table that is printed at the end: by server, what was agreed on for each offer. */
const agreed = new Map<string, string[]>();

/** A handshake with that offer: the client, and the server's agreement. */
async function shake(port: number, offer: string): Promise<{ readonly client: RawClient; readonly answer: string }> {
  const client = await RawClient.connect(port);
  const head = await client.upgrade({ path: '/echo', headers: { 'Sec-WebSocket-Extensions': offer } });
  expect(head.status).toBe(101);
  return { client, answer: head.field('sec-websocket-extensions') ?? '' };
}

/** Compressed messages come back as they were, and the terms hold for what comes back. */
async function exchange(client: RawClient, answer: string): Promise<void> {
  const terms = parseTerms(answer);
  if (terms === null) throw new Error(`no agreement: "${answer}"`);
  const deflate = new PerMessageDeflate(terms, 'client');
  for (let round = 0; round < ROUNDS; round += 1) {
    const plain = Buffer.from(`${round}${jsonText(MESSAGE_BYTES)}`);
    client.sendFrame({ opcode: Opcode.Text, rsv: Rsv.One, payload: deflate.compress(plain) });
    const frames = [await client.nextFrame()];
    while (frames.at(-1)?.fin === false) frames.push(await client.nextFrame());
    const payload = Buffer.concat(frames.map((frame) => frame.payload));
    expect([frames[0]?.opcode, frames[0]?.rsv]).toEqual([Opcode.Text, Rsv.One]);
    expect(payload.length).toBeLessThan(plain.length / 2);
    expect(deflate.inflate(payload).equals(plain)).toBe(true);
  }
}

async function leave(client: RawClient): Promise<void> {
  client.sendFrame({ opcode: Opcode.Close, payload: closePayload(1000) });
  expect((await client.nextClose()).code).toBe(1000);
  client.end();
}

const present = SERVERS.filter(({ command }) => typeof command !== 'string');

describe.each(present.map((echo) => [echo.name, echo] as const))('%s', (_, echo) => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await RunningServer.start(echo);
  }, START_MS);

  afterAll(() => server.stop());

  test.each(OFFERS.map(({ client, offer }) => [client, offer]))('%s: %s', async (name, offer) => {
    const gate = await Gate.before(server.port);
    const alone = await shake(server.port, offer);
    await exchange(alone.client, alone.answer);
    await leave(alone.client);
    const through = await shake(gate.port, offer);
    agreed.set(echo.name, [...(agreed.get(echo.name) ?? []), `${name}: ${through.answer}`]);
    expect(through.answer).toBe(alone.answer);
    await exchange(through.client, through.answer);
    await leave(through.client);
    expect(await gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
  });
});

afterAll(() => {
  for (const [server, lines] of agreed)
    process.stdout.write(`${server}\n${lines.map((line) => `  ${line}\n`).join('')}`);
});
