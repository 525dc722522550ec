import { describe, expect, test } from 'vitest';
import { binary, closeFrame, continuation, frame, ping, pong, text } from '../support/wire.ts';
import { BUFFERED_MAX, MODES, Rig, SIDE, TIMES } from './rig.ts';

const SIDES = ['client', 'backend'] as const;
type SideName = (typeof SIDES)[number];
const CASES = MODES.flatMap(({ mode, stable }) => SIDES.map((side) => ({ mode, stable, side })));
const other = (side: SideName): SideName => (side === 'client' ? 'backend' : 'client');
/** A ping that is due but has to wait is tried again within this time. */
const RETRY = 100;

describe.each(CASES)('our pings to the $side, $mode', ({ stable, side }) => {
  const PINGED = { ...SIDE, pingIntervalMs: TIMES.ping };
  const make = () => new Rig({ stable, policy: { [side]: PINGED } });
  const mask = side === 'client';
  const otherMask = !mask;
  const at = (rig: Rig) => (side === 'client' ? rig.atClient : rig.atBackend);
  const atOther = (rig: Rig) => (side === 'client' ? rig.atBackend : rig.atClient);
  const from = (rig: Rig, ...bytes: Buffer[]) =>
    side === 'client' ? rig.fromClient(...bytes) : rig.fromBackend(...bytes);
  const fromOther = (rig: Rig, ...bytes: Buffer[]) =>
    side === 'client' ? rig.fromBackend(...bytes) : rig.fromClient(...bytes);
  const timeout = side === 'client' ? 'client_pong_timeout' : 'backend_pong_timeout';
  const lastToken = (rig: Rig) =>
    rig
      .framesAt(rig[side])
      .filter((one) => one.opcode === 9)
      .at(-1)?.payload ?? '';
  const pings = (rig: Rig) => rig.framesAt(rig[side]).filter((one) => one.opcode === 9).length;

  /** A session whose silent side has just been pinged. */
  function justPinged(): Rig {
    const rig = make();
    rig.advance(TIMES.ping);
    expect(pings(rig)).toBe(1);
    return rig;
  }

  function expectTimeoutIn(rig: Rig, ms: number): void {
    rig.advance(ms - 1);
    expect(rig.session.cause).toBeNull();
    rig.advance(1);
    expect([rig.session.cause, rig.session.limit]).toEqual([timeout, 'pong']);
    expect(rig[side].destroyed).toBe(true);
  }

  test('one when it was silent for the interval, no earlier; the other side hears nothing of it', () => {
    const rig = make();
    rig.advance(TIMES.ping - 1);
    expect(at(rig)).toEqual([]);
    rig.advance(1);
    expect(at(rig)).toEqual([expect.stringMatching(/^ping fin/)]);
    expect(rig.framesAt(rig[side])[0]).toMatchObject({ opcode: 9, fin: true, masked: side === 'backend' });
    expect(rig.framesAt(rig[side])[0]?.payload).toHaveLength(16);
    expect(rig[other(side)].receivedBytes).toBe(0);
    rig.expectAlive();
  });

  test('transports that are read from the start of the session only', () => {
    const rig = new Rig({ stable, start: false, policy: { [side]: PINGED, messageStallMs: Infinity } });
    rig.client.pause();
    rig.backend.pause();
    rig.session.start(null, null);
    rig.advance(TIMES.ping);
    expect(pings(rig)).toBe(1);
  });

  test('any byte of that side puts it off; a byte of the other side does not', () => {
    const rig = make();
    rig.advance(TIMES.ping - 1);
    from(rig, text('x', { mask }));
    rig.advance(TIMES.ping - 1);
    fromOther(rig, text('y', { mask: otherMask }));
    expect(pings(rig)).toBe(0);
    rig.advance(1);
    expect(pings(rig)).toBe(1);
  });

  test('each session has a token of its own', () => {
    const tokens = new Set(Array.from({ length: 10 }, () => lastToken(justPinged()).toString('hex')));
    expect(tokens.size).toBe(10);
  });

  test('a token is 16 hex digits: a peer that takes its payload for text sends it back as it was', () => {
    expect(lastToken(justPinged()).toString('latin1')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('its pong is swallowed, wherever it is cut, and its round-trip time observed', () => {
    for (let cut = 1; cut < 10; cut++) {
      const rig = justPinged();
      rig.advance(40);
      const stream = Buffer.concat([text('a', { mask }), pong(lastToken(rig), { mask }), text('b', { mask })]);
      from(rig, stream.subarray(0, 7 + cut), stream.subarray(7 + cut));
      expect(rig[other(side)].received).toEqual(Buffer.concat([text('a', { mask }), text('b', { mask })]));
      expect([rig.metrics.pingRtt.count, rig.metrics.pingRtt.sum]).toEqual([1, 0.04]);
      rig.expectAlive();
    }
  });

  test('another pong is relayed: a foreign token, a shorter or longer one, or ours a second time', () => {
    const rig = justPinged();
    const token = Buffer.from(lastToken(rig));
    const foreign = Buffer.from(token);
    foreign[7] = (foreign[7] ?? 0) ^ 1;
    const answers = [foreign, token.subarray(0, 7), Buffer.concat([token, token]), Buffer.alloc(0)];
    from(rig, ...answers.map((payload) => pong(payload, { mask })));
    expect(atOther(rig)).toHaveLength(answers.length);
    expect(rig.metrics.pingRtt.count).toBe(0);
    from(rig, pong(token, { mask }));
    expect(atOther(rig)).toHaveLength(answers.length);
    from(rig, pong(token, { mask }));
    expect(atOther(rig)).toHaveLength(answers.length + 1);
  });

  test('a pong of the other side with that token is relayed', () => {
    const rig = justPinged();
    fromOther(rig, pong(lastToken(rig), { mask: otherMask }));
    expect(at(rig).at(-1)).toMatch(/^pong/);
  });

  test('two that were answered late: both pongs are swallowed', () => {
    const rig = justPinged();
    from(rig, text('x', { mask }));
    rig.advance(TIMES.ping);
    expect(pings(rig)).toBe(2);
    from(rig, pong(lastToken(rig), { mask }), pong(lastToken(rig), { mask }));
    expect(atOther(rig)).toHaveLength(1);
  });

  test('E8: no sign of life for timeouts.pong: cut off, the other side gets its Close', () => {
    const rig = justPinged();
    expectTimeoutIn(rig, TIMES.pong);
    expect(atOther(rig)).toEqual([side === 'client' ? 'close fin masked 1001 "pong"' : 'close fin 1012 "pong"']);
    fromOther(rig, closeFrame(1000, '', { mask: otherMask }));
    rig.finFrom(rig[other(side)]);
    rig.advance(TIMES.close);
    rig.expectEnd({ cause: timeout, limit: 'pong', clean: false });
  });

  /** What the kernel may hold of it, and the slowest line that has to be borne with empties in this time. */
  const drainMs = (bytes: number) => Math.round((bytes - 65_536) / 25.6);
  const block = binary(Buffer.alloc(4096), { mask: otherMask });

  function sendBlocks(rig: Rig, count: number): void {
    for (let sent = 0; sent < count; sent++) fromOther(rig, block);
  }

  test.each([
    ['64 KiB: none', 16, 0],
    ['1 MiB', 256, drainMs(2 ** 20)],
    ['no more than a kernel holds', 1200, drainMs(4 * 2 ** 20)],
  ])('what was sent to it stands before the ping on a slow line, which gets time for it: %s', (_, blocks, moreMs) => {
    const rig = make();
    rig.advance(TIMES.ping - 1);
    sendBlocks(rig, blocks);
    rig.advance(1);
    expect(pings(rig)).toBe(1);
    expectTimeoutIn(rig, TIMES.pong + moreMs);
  });

  test('a relayed ping that serves as ours gets that time too', () => {
    const rig = make();
    rig.advance(TIMES.ping - 1);
    sendBlocks(rig, 256);
    fromOther(rig, ping('', { mask: otherMask }));
    rig.advance(1);
    expect(pings(rig)).toBe(1);
    expectTimeoutIn(rig, TIMES.pong + drainMs(2 ** 20));
  });

  test('what was sent to it long ago has arrived', () => {
    const rig = make();
    sendBlocks(rig, 256);
    for (let waited = 0; waited < 100_000; waited += 20_000) {
      rig.advance(20_000);
      from(rig, text('x', { mask }));
    }
    rig.advance(TIMES.ping);
    expectTimeoutIn(rig, TIMES.pong);
  });

  test('part of a frame is a sign of life; the next ping comes an interval after it', () => {
    const rig = justPinged();
    rig.advance(TIMES.pong - 1);
    from(rig, text('abc', { mask }).subarray(0, 1));
    rig.advance(TIMES.ping - 1);
    expect(pings(rig)).toBe(1);
    rig.expectAlive();
    rig.advance(1);
    expect(pings(rig)).toBe(2);
    expectTimeoutIn(rig, TIMES.pong);
  });

  test('bytes for it that its socket takes at once are no sign of life', () => {
    const rig = justPinged();
    rig.advance(10_000);
    fromOther(rig, text('to a dead peer', { mask: otherMask }));
    expectTimeoutIn(rig, TIMES.pong - 10_000);
  });

  test('nor is what begins to wait for it', () => {
    const rig = justPinged();
    rig[side].setRoom(0);
    rig.advance(10_000);
    fromOther(rig, text('to a dead peer', { mask: otherMask }));
    expectTimeoutIn(rig, TIMES.pong - 10_000);
  });

  test('what waited for it and was taken is one', () => {
    const rig = justPinged();
    rig[side].setRoom(0);
    const one = text('slowly', { mask: otherMask });
    fromOther(rig, one, one, one);
    rig.advance(TIMES.pong - 1);
    rig.takeFrom(rig[side], one.length);
    rig.advance(TIMES.pong - 1);
    rig.takeFrom(rig[side], one.length);
    rig.expectAlive();
    expectTimeoutIn(rig, TIMES.pong);
  });

  test('none while something is unsent; it goes when that is taken', () => {
    const rig = make();
    rig[side].setRoom(0);
    fromOther(rig, text('waits', { mask: otherMask }));
    rig.advance(TIMES.ping + 5_000);
    expect(rig[side].pending).toBe(text('waits', { mask: otherMask }).length);
    rig.takeFrom(rig[side]);
    rig.advance(RETRY);
    expect(pings(rig)).toBe(1);
    expect(at(rig)[0]).toMatch(/^text/);
  });

  test('none inside a frame; it goes behind its end', () => {
    const rig = make();
    const whole = text('half and half', { mask: otherMask });
    rig.advance(TIMES.ping - 1);
    fromOther(rig, whole.subarray(0, 9));
    rig.advance(5_000);
    expect(rig[side].receivedBytes).toBe(9);
    fromOther(rig, whole.subarray(9));
    rig.advance(RETRY);
    expect(rig[side].received.subarray(0, whole.length)).toEqual(whole);
    expect(pings(rig)).toBe(1);
  });

  test('between fragments it may go', () => {
    const rig = make();
    fromOther(rig, text('a', { mask: otherMask, fin: false }));
    rig.advance(TIMES.ping);
    fromOther(rig, continuation('b', { mask: otherMask }));
    expect(at(rig).map((line) => line.split(' ')[0])).toEqual(['text', 'ping', 'continuation']);
  });

  test('the time for the pong runs from when the ping was written', () => {
    const rig = make();
    rig[side].setRoom(0);
    rig.advance(TIMES.ping);
    expect(rig[side].pending).toBeGreaterThan(0);
    rig.advance(TIMES.pong + 10_000);
    rig.expectAlive();
    rig.takeFrom(rig[side]);
    expectTimeoutIn(rig, TIMES.pong);
  });

  test('after a late answer the next one is on time, though a pong may take much longer', () => {
    const interval = TIMES.pong / 10;
    const rig = new Rig({ stable, policy: { [side]: { ...SIDE, pingIntervalMs: interval } } });
    rig.advance(interval);
    for (let count = 1; count < 4; count++) {
      expect(pings(rig)).toBe(count);
      rig.advance(count * interval + interval / 2);
      from(rig, pong(lastToken(rig), { mask }));
      rig.advance(interval - 1);
      expect(pings(rig)).toBe(count);
      rig.advance(1);
    }
    expect(pings(rig)).toBe(4);
  });

  test('with the stalls off too', () => {
    const policy = { [side]: PINGED, messageStallMs: Infinity, writeStallMs: Infinity };
    const rig = new Rig({ stable, policy });
    rig[side].setRoom(0);
    rig.advance(2 * TIMES.ping);
    rig.takeFrom(rig[side]);
    expectTimeoutIn(rig, TIMES.pong);
  });

  test('none while it is not read; a silence begins anew when it is read again', () => {
    const rig = make();
    rig[other(side)].setRoom(0);
    from(rig, frame({ opcode: 2, mask, payload: Buffer.alloc(BUFFERED_MAX) }));
    expect(rig[side].paused).toBe(true);
    rig.advance(TIMES.writeStall - 1);
    expect(pings(rig)).toBe(0);
    rig.takeFrom(rig[other(side)]);
    rig.advance(RETRY);
    expect(pings(rig)).toBe(1);
    expectTimeoutIn(rig, TIMES.pong - RETRY + 1);
  });

  test('a peer that has answered and then was not read for a while has answered', () => {
    const rig = justPinged();
    rig[other(side)].setRoom(0);
    const answer = pong(lastToken(rig), { mask });
    from(rig, Buffer.concat([answer, frame({ opcode: 2, mask, payload: Buffer.alloc(BUFFERED_MAX) })]));
    expect(rig[side].paused).toBe(true);
    rig.advance(1_000);
    rig.takeFrom(rig[other(side)]);
    rig.advance(TIMES.ping - 1_001);
    rig.expectAlive();
    expect(pings(rig)).toBe(1);
  });

  test('a relayed ping that is not answered serves as ours', () => {
    const rig = make();
    rig.advance(10_000);
    fromOther(rig, ping('theirs', { mask: otherMask }));
    rig.advance(TIMES.ping - 10_000);
    expect(pings(rig)).toBe(1);
    expectTimeoutIn(rig, TIMES.pong);
    expect(pings(rig)).toBe(1);
  });

  test('its pong is relayed; then ours are sent again', () => {
    const rig = make();
    fromOther(rig, ping('theirs', { mask: otherMask }));
    rig.advance(TIMES.ping + 1_000);
    from(rig, pong('theirs', { mask }));
    expect(atOther(rig)).toHaveLength(1);
    rig.advance(TIMES.ping);
    expect(pings(rig)).toBe(2);
  });

  test('5.5.3: a peer that answers only the last of several pings has answered', () => {
    const rig = make();
    for (const payload of ['1', '2', '3']) fromOther(rig, ping(payload, { mask: otherMask }));
    from(rig, pong('3', { mask }));
    rig.advance(TIMES.ping);
    expect(pings(rig)).toBe(4);
  });

  test('none once a Close was sent to it', () => {
    const rig = new Rig({ stable, policy: { [side]: PINGED, closeMs: 2 * TIMES.ping } });
    rig.session.end('drain');
    if (side === 'backend') rig.fromClient(closeFrame(1000, '', { mask: true }));
    rig.advance(TIMES.ping + RETRY);
    expect(pings(rig)).toBe(0);
  });

  test('our pings are no sign of life for idle; a pong is', () => {
    const policy = { [side]: PINGED, pongMs: Infinity, idleMs: 3 * TIMES.ping };
    const silent = new Rig({ stable, policy });
    silent.advance(3 * TIMES.ping - 1);
    expect(silent.session.cause).toBeNull();
    silent.advance(1);
    expect(silent.session.cause).toBe('idle');
    const answers = new Rig({ stable, policy });
    answers.advance(TIMES.ping);
    from(answers, pong(lastToken(answers), { mask }));
    answers.advance(3 * TIMES.ping - 1);
    expect(answers.session.cause).toBeNull();
  });
});
