import { describe, expect, test } from 'vitest';
import { type RecordedFrame, Recorder } from '../../src/session/recorder.ts';
import { POLICY, Rig } from '../session/rig.ts';
import { everySplit } from '../support/every-split.ts';
import { binary, closeFrame, continuation, ping, pong, text } from '../support/wire.ts';

const MASKED = { mask: true } as const;
const HOUR = 3_600_000;

const word = ({ at, from, opcode, fin, bytes, code }: RecordedFrame) =>
  `${at} ${from} ${opcode} ${bytes}${fin ? '' : ' more'}${code === null ? '' : ` ${code}`}`;

const recordedIn = (rig: Rig) => rig.session.recorder?.read().map(word) ?? null;

const ringOf = (recorder: Recorder): Int32Array | null => Reflect.get(recorder, 'ring');

const rigFor = (recordedFrames: number) => new Rig({ policy: { recordedFrames } });

test('G1: the headers of both sides in their order, and what breaks a rule behind them, in every cut', () => {
  const up = Buffer.concat([
    text('one', { ...MASKED, fin: false }),
    ping('p', MASKED),
    continuation('', MASKED),
    binary(Buffer.alloc(130), MASKED),
  ]);
  const ends = [
    [closeFrame(1001, 'bye', MASKED), 'client close 5 1001'],
    [Buffer.from('81feffff', 'hex'), 'client text 65535'],
    [Buffer.from('81ff001fffffffffffff', 'hex'), 'client text 4294967295'],
    [Buffer.from('c1', 'hex'), 'client text 0'],
    [Buffer.from('8f', 'hex'), 'client 15 0'],
    [Buffer.from('888100000000', 'hex'), 'client close 1 0'],
  ] as const;
  for (const [end, expected] of ends) {
    everySplit(
      Buffer.concat([up, end]),
      (pieces) => {
        const rig = rigFor(32);
        rig.fromBackend(pong('x'));
        rig.fromClient(...pieces);
        rig.fromBackend(closeFrame(null));
        expect(rig.session.cause).not.toBeNull();
        const now = rig.clock.now();
        expect(recordedIn(rig)).toEqual([
          `${now} backend pong 1`,
          `${now} client text 3 more`,
          `${now} client ping 1`,
          `${now} client continuation 0`,
          `${now} client binary 130`,
          `${now} ${expected}`,
          `${now} backend close 0 1005`,
        ]);
      },
      { tail: Buffer.alloc(0), stride: 7 },
    );
  }
});

test('G1: neither what is dropped since the session ends nor the answers to our own pings', () => {
  const rig = new Rig({ policy: { recordedFrames: 8, client: { ...POLICY.client, pingIntervalMs: 1000 } } });
  rig.advance(1000);
  const [own] = rig.framesAt(rig.client);
  rig.fromClient(pong(own?.payload ?? '', MASKED));
  expect(rig.session.client.liveness.rttMs).toBe(0);
  rig.fromClient(text('a', MASKED));
  rig.session.end('drain');
  rig.fromBackend(text('dropped'), ping('dropped'));
  rig.fromClient(text('b', MASKED), closeFrame(1012, '', MASKED));
  const now = rig.clock.now();
  expect(recordedIn(rig)).toEqual([`${now} client text 1`, `${now} client text 1`, `${now} client close 2 1012`]);
});

describe('G2: a ring of 8 bytes for each frame, made with the first', () => {
  test('G2: frames without end', () => {
    const recorder = new Recorder(3);
    expect(ringOf(recorder)).toBeNull();
    for (let i = 1; i <= 7; i++) {
      recorder.begin(true, i * 10);
      recorder.note(1, true, i);
      const expected = [i - 2, i - 1, i].filter((one) => one > 0).map((one) => `${one * 10} client text ${one}`);
      expect(recorder.read().map(word)).toEqual(expected);
      expect(ringOf(recorder)?.byteLength).toBe(3 * 8);
    }
  });

  test('G2: of a session that is over what was used', () => {
    const recorder = new Recorder(256);
    expect(recorder.trimmed()).toBeNull();
    recorder.begin(false, 7);
    recorder.noteClose(4999, 125);
    const kept = recorder.trimmed();
    expect(kept?.read().map(word)).toEqual(['7 backend close 125 4999']);
    expect(kept === null ? null : ringOf(kept)?.byteLength).toBe(8);
  });

  test('G2: silences of months are right to the second, and a clock that jumps back is none', () => {
    const recorder = new Recorder(8);
    const times = [0.9, 9 * HOUR, 9 * HOUR + 2 ** 25 - 1, 20 * HOUR + 2 ** 25 + 999, 9_000 * HOUR];
    const noteAt = (at: number) => {
      recorder.begin(false, at - 1); // a read without the header of a frame takes nothing from the time of the next
      recorder.begin(false, at);
      recorder.note(2, true, 0);
    };
    for (const at of times) noteAt(at);
    const found = recorder.read().map(({ at }) => at);
    for (const [index, at] of times.entries()) expect(Math.abs((found[index] ?? 0) - at)).toBeLessThan(2000);
    noteAt(5);
    expect(recorder.read().at(-1)?.at).toBe(5);
  });

  test('G2: lengths up to 4 GiB - 1, which stands for more', () => {
    const recorder = new Recorder(4);
    for (const bytes of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53]) recorder.note(2, true, bytes);
    expect(recorder.read().map(({ bytes }) => bytes)).toEqual([2 ** 31, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1]);
  });
});

test('G8: a reload switches it on, off, and to another number, and keeps the last frames', () => {
  const rig = rigFor(0);
  const say = (letters: string) => rig.fromClient(...[...letters].map((one, i) => text(one.repeat(i + 1), MASKED)));
  const lengths = () => rig.session.recorder?.read().map(({ bytes }) => bytes) ?? null;
  const retune = (recordedFrames: number) => rig.session.retune({ ...POLICY, recordedFrames });
  say('a');
  expect(lengths()).toBeNull();
  retune(4);
  expect(lengths()).toEqual([]);
  say('abcdef');
  expect(lengths()).toEqual([3, 4, 5, 6]);
  retune(2);
  expect(lengths()).toEqual([5, 6]);
  say('a');
  expect(lengths()).toEqual([6, 1]);
  retune(5);
  say('ab');
  expect(lengths()).toEqual([6, 1, 1, 2]);
  retune(0);
  expect(lengths()).toBeNull();
  rig.expectAlive();
});
