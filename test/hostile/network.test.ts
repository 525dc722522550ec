import { expect, test } from 'vitest';
import { oneRoute, startProxy } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { type LinkRules, Shim } from '../support/shim.ts';
import { binary, continuation, ping, text } from '../support/wire.ts';
import { as, bothSides, closeCleanly, endLine, traffic } from './pair.ts';

const deadlineMs = 60_000;

/** What TCP makes of a line that loses one segment in 20 and swaps others: order stays, and everything waits. */
const badLine: LinkRules = { latencyMs: 100, slice: 1, loss: { rate: 0.05, delayMs: 200 } };

test('E31: losses, delays, segments of one byte: all bytes in order, no timeout at defaults', async () => {
  const seed = 31;
  const backend = await RawBackend.listen({ deadlineMs });
  const lines = { up: badLine, down: badLine, seed, deadlineMs };
  const backendLine = await Shim.listen(backend.port, lines);
  const running = await startProxy(oneRoute(backendLine.url), { deadlineMs });
  const clientLine = await Shim.listen(running.port, lines);

  const client = await RawClient.connect(clientLine.port, { deadlineMs });
  const opened = client.upgrade();
  const server = await backend.nextSession();
  expect((await opened).status).toBe(101);
  const peers = { client, backend: server };
  const random = new Random(seed);
  const sentBy = (side: 'client' | 'backend') => [
    text('Grüße', as(side)),
    binary(random.bytes(700), { ...as(side), fin: false }),
    ping('in between', as(side)),
    continuation(random.bytes(1300), as(side)),
    text('', as(side)),
  ];
  const conversation = { client: sentBy('client'), backend: sentBy('backend') };
  for (const side of bothSides) peers[side].send(...conversation[side]);
  for (const side of bothSides) {
    const sent = Buffer.concat(conversation[side]);
    const other = side === 'client' ? server : client;
    expect((await other.readBytes(sent.length)).equals(sent), `seed ${seed}: bytes of the ${side}`).toBe(true);
  }
  await closeCleanly({ client, server });

  expect(await endLine(running)).toEqual({
    by: 'client',
    reason: 'client_close',
    close_code_client: 1000,
    close_code_backend: 1000,
    clean: true,
    mid_frame: false,
    from_client: traffic(3, 2007, 2000),
    from_backend: traffic(3, 2007, 2000),
  });
  expect(running.logsOf('handshake.refused')).toEqual([]);
  // The line was as bad as it should be.
  for (const line of [clientLine, backendLine]) {
    const { up, down } = await line.nextConnection();
    for (const link of [up, down]) {
      expect(link.segments).toBe(link.forwarded);
      expect(link.lost / link.segments).toBeGreaterThan(0.02);
    }
  }
});
