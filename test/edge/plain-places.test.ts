// Places of connections that serve plain requests: half of all, and idle ones make room for others.

import { describe, expect, test } from 'vitest';
import { upgradeRequest } from '../support/wire.ts';
import { ConnectionRig, get } from './connection-rig.ts';
import { NOTHING, SWITCHED } from './rig.ts';

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
const UPGRADE = upgradeRequest({ path: '/echo' });

describe('connections of plain requests hold at most half of all places', () => {
  test('one more closes the longest idle one, and is served', async () => {
    const rig = new ConnectionRig({}, 4);
    const first = await rig.idle();
    const second = await rig.idle();
    rig.sends(first, get('/again'));
    await rig.serve('again');
    await rig.gets(first, 'again');
    await rig.turns(3);
    await rig.idle();
    expect([first.destroyed, second.destroyed]).toEqual([false, true]);
    expect(rig.edge.plain.size).toBe(2);
  });

  test('when none is idle it is 503, told and counted as a request', async () => {
    const rig = new ConnectionRig({}, 4);
    const busy = [rig.connect(get()), rig.connect(get())];
    await rig.turns(3);
    const refused = rig.connect(get('/x'));
    expect(await rig.answer(refused)).toBe(UNAVAILABLE);
    expect(refused.received.toString('latin1')).toMatch(/^Retry-After: [1-5]\r$/m);
    expect(rig.requests()).toEqual([[503, 'too_many_sessions', 'max_sessions']]);
    expect(rig.tap.lines.filter(({ event }) => event === 'handshake.refused')).toEqual([]);
    expect(Object.fromEntries(rig.edge.metrics.unrouted.fromClient.limitHits.entries())).toEqual({ max_sessions: 1 });
    expect(rig.handshakes).toEqual([{}, {}]);
    expect(busy.some(({ destroyed }) => destroyed)).toBe(false);
    const head = rig.connect(Buffer.from('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect(await rig.answer(head)).toBe(UNAVAILABLE);
    expect(head.received.toString('latin1').endsWith('\r\n\r\n')).toBe(true);
  });

  test.each([1, 2, 3])('of %i places they may have one', async (places) => {
    const rig = new ConnectionRig({}, places);
    const one = await rig.idle();
    const two = await rig.idle();
    expect([one.destroyed, two.destroyed]).toEqual([true, false]);
  });

  test('a connection without a byte, or with half a head, is not one of them', async () => {
    const rig = new ConnectionRig({}, 4);
    rig.connect(NOTHING);
    rig.connect(get().subarray(0, 5));
    rig.connect(get());
    rig.connect(NOTHING);
    expect(rig.edge.plain.size).toBe(1);
  });

  test('one that became a WebSocket is none of them any more', async () => {
    const rig = new ConnectionRig({}, 4);
    for (let i = 0; i < 3; i += 1) {
      const client = await rig.idle();
      rig.sends(client, UPGRADE);
      await rig.until(() => rig.statuses(client).includes('101'));
    }
    expect([rig.edge.sessions.size, rig.edge.plain.size]).toEqual([3, 0]);
  });

  test('a reload that lowers max_sessions: as many idle ones go as are too many', async () => {
    const rig = new ConnectionRig({}, 8);
    const idle = [await rig.idle(), await rig.idle(), await rig.idle(), await rig.idle()];
    rig.edge.apply(rig.edge.snapshot, 4);
    await rig.idle();
    expect(idle.map(({ destroyed }) => destroyed)).toEqual([true, true, true, false]);
  });
});

describe('when every place is taken', () => {
  test('idle connections of plain requests go for whoever comes, the longest idle first', async () => {
    const rig = new ConnectionRig({}, 4);
    const idle = [await rig.idle(), await rig.idle()];
    for (let i = 0; i < 2; i += 1) expect(await rig.answer(rig.connect(UPGRADE))).toBe(SWITCHED);
    expect(idle.map(({ destroyed }) => destroyed)).toEqual([false, false]);
    expect(await rig.answer(rig.connect(UPGRADE))).toBe(SWITCHED);
    expect(idle.map(({ destroyed }) => destroyed)).toEqual([true, false]);
    expect(await rig.answer(rig.connect(UPGRADE))).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(UPGRADE))).toBe(UNAVAILABLE);
    expect([rig.edge.sessions.size, rig.edge.plain.size]).toEqual([4, 0]);
  });

  test('a busy one is never closed for another', async () => {
    const rig = new ConnectionRig({}, 2);
    const busy = rig.connect(get());
    await rig.asked();
    expect(await rig.answer(rig.connect(UPGRADE))).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(UPGRADE))).toBe(UNAVAILABLE);
    expect(busy.destroyed).toBe(false);
  });

  test('a request that may ask for health only is refused as a request', async () => {
    const rig = new ConnectionRig({ listeners: [{ name: 'in', health_path: '/healthz' }] }, 1);
    rig.connect(get());
    await rig.asked();
    expect(await rig.answer(rig.connect(get('/x')))).toBe(UNAVAILABLE);
    expect(rig.requests()).toEqual([[503, 'too_many_sessions', 'max_sessions']]);
    expect(rig.listener[2]).toEqual({ too_many_sessions: 1 });
  });
});
