// `refuse_with: close` without sockets: what the client gets, what it may still send, and what it counts as.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { everySplit } from '../support/every-split.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, closeFrame, ping, text, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const MASKED = { mask: true };
const CLOSE = closeFrame(3003, 'origin_not_allowed', MASKED);

const configOf = (over: Partial<ConfigInput> = {}): Partial<ConfigInput> => ({
  routes: [
    {
      name: 'echo',
      match: { path: '/echo' },
      upstream: 'builtin:echo',
      origins: ['https://good.example'],
      refuse_with: 'close',
    },
  ],
  ...over,
});

const foreign = upgradeRequest({ path: '/echo', headers: { Origin: 'https://evil.example' } });

/** Told by a Close, and not over yet. */
function refused(rig = new Rig(configOf()), request = foreign): { rig: Rig; client: MemoryTransport } {
  const client = rig.connect(request);
  expect(client.received.toString('latin1').split('\r\n')[0]).toBe(SWITCHED);
  return { rig, client };
}

/** The only frame behind the 101. */
function closeOf(client: MemoryTransport): [code: number, reason: string] {
  const { received } = client;
  const at = received.indexOf('\r\n\r\n') + 4;
  expect(received[at]).toBe(0x88);
  expect(received[at + 1]).toBe(received.length - at - 2);
  return [received.readUInt16BE(at + 2), received.toString('utf8', at + 4)];
}

describe('a client that is refused by a Close', () => {
  test('gets a 101 and a Close; the connection waits for its own', () => {
    const { rig, client } = refused();
    expect(closeOf(client)).toEqual([3003, 'origin_not_allowed']);
    expect([client.finSent, client.destroyed, rig.edge.open]).toEqual([false, false, 1]);
  });

  test('its Close ends the connection, however it is cut, and whatever came before', () => {
    const bytes = Buffer.concat([text('a', MASKED), binary(Buffer.alloc(130), MASKED), ping('b', MASKED), CLOSE]);
    const seen: boolean[] = [];
    everySplit(
      bytes,
      (pieces, tail) => {
        const { rig, client } = refused();
        for (const piece of pieces) {
          expect(client.finSent).toBe(false);
          client.send(piece);
          client.pump();
        }
        expect([client.finSent, client.destroyed]).toEqual([true, false]);
        client.fin();
        client.pump();
        expect([client.destroyed, rig.edge.open]).toEqual([true, 0]);
        seen.push(tail.length > 0);
      },
      { tail: Buffer.alloc(0) },
    );
    expect(seen.length).toBeGreaterThan(bytes.length);
  });

  test('frames that came with its head count: a Close among them is its Close', () => {
    const early = refused(undefined, Buffer.concat([foreign, text('x', MASKED), CLOSE])).client;
    expect(early.finSent).toBe(true);
    const half = refused(undefined, Buffer.concat([foreign, CLOSE.subarray(0, 7)])).client;
    expect(half.finSent).toBe(false);
    half.send(CLOSE.subarray(7));
    half.pump();
    expect(half.finSent).toBe(true);
  });

  test.each([
    ['a frame without a mask', text('x')],
    ['compressed text, which was not agreed on', text('x', { ...MASKED, rsv: 4 })],
    ['another request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('%s ends it too: nothing behind it means anything', (_, bytes) => {
    const { client } = refused();
    client.send(bytes);
    client.pump();
    expect(client.finSent).toBe(true);
  });

  test('its FIN ends it', () => {
    const { rig, client } = refused();
    client.fin();
    client.pump();
    expect([client.destroyed, rig.edge.open]).toEqual([true, 0]);
  });

  test('2 s end it, and not less', () => {
    const { rig, client } = refused();
    rig.pass(1_900);
    expect(client.destroyed).toBe(false);
    rig.pass(150);
    expect([client.destroyed, rig.edge.open]).toEqual([true, 0]);
  });

  test('256 KiB are dropped, one byte more is cut off', () => {
    const { client } = refused();
    const frame = binary(Buffer.alloc(262_144 - 14), MASKED);
    expect(frame.length).toBe(262_144);
    client.send(frame);
    client.pump();
    expect([client.destroyed, client.finSent]).toEqual([false, false]);
    client.send(ping('', MASKED));
    client.pump();
    expect(client.destroyed).toBe(true);
  });

  test('is no session, keeps its place among the connections, and counts as refused', () => {
    const { rig, client } = refused();
    expect([rig.edge.sessions.size, rig.edge.connections.size, rig.route().sessions]).toEqual([0, 1, 0]);
    expect(rig.handshakes).toEqual([{ origin_not_allowed: 1 }, {}]);
    expect(rig.tap.lines.at(-1)).toMatchObject({
      event: 'handshake.refused',
      status: 403,
      error: 'origin_not_allowed',
      close_code: 3003,
    });
    client.destroy();
  });

  test('among too many connections there is one more', async () => {
    const rig = new Rig(configOf(), 1);
    refused(rig);
    expect(await rig.answer(rig.connect(foreign))).toBe('HTTP/1.1 503 Service Unavailable');
  });

  test('of what it offered the first is named', () => {
    const headers = { Origin: 'https://evil.example', 'Sec-WebSocket-Protocol': 'b, a' };
    const { client } = refused(undefined, upgradeRequest({ path: '/echo', headers }));
    expect(client.received.toString('latin1')).toContain('\r\nSec-WebSocket-Protocol: b\r\n');
    expect(refused().client.received.toString('latin1')).not.toContain('Sec-WebSocket-Protocol');
  });

  test('close_codes chooses its code, of the route or of all', () => {
    const [route] = configOf().routes ?? [];
    if (route === undefined) throw new Error('there is one');
    const own = new Rig(configOf({ routes: [{ ...route, close_codes: { origin_not_allowed: 4003 } }] }));
    expect(closeOf(refused(own).client)[0]).toBe(4003);
    const all = new Rig(configOf({ close_codes: { no_route: 4000 }, defaults: { refuse_with: 'close' } }));
    expect(closeOf(refused(all, upgradeRequest({ path: '/x' })).client)).toEqual([4000, 'no_route']);
  });

  test('where no route was found, defaults decides', async () => {
    const rig = new Rig(configOf());
    expect(await rig.answer(rig.connect(upgradeRequest({ path: '/x' })))).toBe('HTTP/1.1 404 Not Found');
  });

  test('what has a Retry-After says it, between 1 and 5 s', () => {
    const rig = new Rig(configOf({ limits: { handshakes_per_second_per_ip: 0.5 } }));
    const request = upgradeRequest({ path: '/echo' });
    rig.connect(request, '192.0.2.1');
    const [code, reason] = closeOf(rig.connect(request, '192.0.2.1'));
    expect([code, reason]).toEqual([1013, expect.stringMatching(/^too_many_handshakes_per_ip retry=[1-5]$/)]);
  });

  test('draining and what a flood meets with is told by HTTP', async () => {
    const rig = new Rig(configOf({ limits: { max_handshakes: 1, max_waiting_handshakes: 0 } }));
    rig.route().draining = true;
    const request = upgradeRequest({ path: '/echo' });
    expect(await rig.answer(rig.connect(request))).toBe('HTTP/1.1 503 Service Unavailable');
  });

  test('a head that is no legal upgrade is told by HTTP', async () => {
    const rig = new Rig(configOf({ defaults: { refuse_with: 'close' } }));
    const headers = { Origin: 'https://evil.example', Expect: '100-continue' };
    expect(await rig.answer(rig.connect(upgradeRequest({ path: '/echo', headers })))).toContain('417');
  });
});
