import { expect, test } from 'vitest';
import { Asks, NoAnswer } from '../../src/fleet/asks.ts';
import { Channel } from '../../src/fleet/channel.ts';
import { DESK_ANSWERS, DESK_ASKS } from '../../src/fleet/desk-messages.ts';
import type { ToldPrimary, ToldWorker, ToPrimary, ToWorker } from '../../src/fleet/worker-messages.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { FakeIpc } from '../support/fake-ipc.ts';

/** Both ends, and what ends a turn of the loop for both. */
function linked() {
  const ipc = new FakeIpc();
  const closed: string[] = [];
  const turns: (() => void)[] = [];
  const nextTurn = (run: () => void) => void turns.push(run);
  const primary = new Channel<ToWorker, ToPrimary>({ end: ipc.one, nextTurn, onClosed: () => closed.push('primary') });
  const worker = new Channel<ToPrimary, ToWorker>({ end: ipc.other, nextTurn, onClosed: () => closed.push('worker') });
  const endTurn = () => {
    for (const run of turns.splice(0)) run();
  };
  return { ipc, primary, worker, closed, endTurn };
}

test('what is posted in one turn goes as one message, in its order', () => {
  const { ipc, primary, worker, endTurn } = linked();
  const got: unknown[] = [];
  primary.on('gone', (cid) => got.push(['gone', cid]));
  primary.on('leave', (seat) => void got.push(['leave', seat]));
  worker.post(['gone', 1]);
  worker.post(['leave', 2]);
  worker.post(['gone', 4]);
  expect(ipc.sent).toBe(0);
  endTurn();
  expect(ipc.sent).toBe(1);
  expect(got).toEqual([
    ['gone', 1],
    ['leave', 2],
    ['gone', 4],
  ]);
  worker.post(['gone', 5]);
  endTurn();
  expect(ipc.sent).toBe(2);
});

test('a handle goes at once, behind what was posted before it', () => {
  const { primary, worker } = linked();
  const got: unknown[] = [];
  const handle = {};
  worker.on('cut_idle', () => got.push('cut_idle'));
  worker.onHandle('client', (given, cid, listener) => got.push([given === handle, cid, listener]));
  primary.post(['cut_idle']);
  primary.handOver(['client', 7, 1, null], handle, () => {});
  expect(got).toEqual(['cut_idle', [true, 7, 1]]);
});

test('one that fails takes none of those behind it with it; nobody who takes a message is a fault', () => {
  const { primary, worker, endTurn } = linked();
  const got: number[] = [];
  primary.on('gone', (cid) => {
    if (cid === 1) throw new Error('broken');
    got.push(cid);
  });
  worker.post(['gone', 1]);
  worker.post(['gone', 2]);
  expect(endTurn).toThrow('broken');
  expect(got).toEqual([2]);
  worker.post(['took', 1]);
  expect(endTurn).toThrow('nobody takes took');
  expect(() => primary.on('gone', () => {})).toThrow('gone has somebody');
});

test('the end is told to each side once; what is posted then is lost, a handle comes back', () => {
  const { ipc, primary, worker, closed, endTurn } = linked();
  const got: number[] = [];
  primary.on('gone', (cid) => got.push(cid));
  worker.post(['gone', 1]);
  worker.close();
  expect(got).toEqual([1]); // what was posted before it left
  expect([...closed].sort()).toEqual(['primary', 'worker']);
  worker.post(['gone', 2]);
  primary.close();
  endTurn();
  const faults: unknown[] = [];
  primary.handOver(['client', 7, 1, null], {}, (error) => faults.push(error));
  expect(faults).toEqual([expect.any(Error)]);
  expect(closed).toHaveLength(2);
  expect(ipc.sent).toBe(1);
});

test('who takes several kinds gets their messages as they are', () => {
  const { primary, worker, endTurn } = linked();
  const got: unknown[] = [];
  primary.onAll(DESK_ASKS, (message) => got.push(message));
  worker.post(['leave', 2]);
  worker.post(['watch', 'u', 't', 'dialFailed', 0]);
  endTurn();
  expect(got).toEqual([
    ['leave', 2],
    ['watch', 'u', 't', 'dialFailed', 0],
  ]);
  expect(() => primary.onAll(['leave'], () => {})).toThrow('leave has somebody');
  worker.onAll(DESK_ANSWERS, (message) => got.push(message));
  primary.post(['move', 2]);
  endTurn();
  expect(got[2]).toEqual(['move', 2]);
});

function asking() {
  let now = 0;
  const wheel = new TimerWheel({ now: () => now });
  const { primary, worker, endTurn } = linked();
  const means = { wheel, now: () => now };
  const asks = new Asks<ToldWorker, ToldPrimary>({ ...means, post: (message) => primary.post(message) });
  const answers = new Asks<ToldPrimary, ToldWorker>({ ...means, post: (message) => worker.post(message) });
  worker.on('ask', (id, name, ask) => void answers.onAsk(id, name, ask));
  primary.on('answer', (id, answer) => asks.onAnswer(id, answer));
  primary.on('no_answer', (id, why) => asks.onNoAnswer(id, why));
  const pass = async (ms = 0) => {
    now += ms;
    wheel.advance(now);
    for (let turn = 0; turn < 4; turn++) {
      endTurn();
      await Promise.resolve();
    }
  };
  return { asks, answers, wheel, pass };
}

test('a question gets its answer, at once or later; one that fails says why', async () => {
  const { asks, answers, wheel, pass } = asking();
  answers.answer('commit', (sessionsMax) => {
    if (sessionsMax === 0) throw new Error('none at all');
    return null;
  });
  answers.answer('drain', async () => ({ closed: 3, cut: 0 }));
  const results = Promise.allSettled([
    asks.ask('drain', { why: 'signal', isHandedOver: false }, 1000),
    asks.ask('commit', 1, 1000),
    asks.ask('commit', 0, 1000),
    asks.ask('prepare', null, 1000),
  ]);
  await pass();
  expect(await results).toEqual([
    { status: 'fulfilled', value: { closed: 3, cut: 0 } },
    { status: 'fulfilled', value: null },
    { status: 'rejected', reason: new NoAnswer('none at all') },
    { status: 'rejected', reason: new NoAnswer('nobody answers prepare') },
  ]);
  expect(wheel.size).toBe(0);
});

test('no answer in time is none, and neither is one of a side that is gone', async () => {
  const { asks, answers, wheel, pass } = asking();
  let late = (_: null): void => {};
  answers.answer('prepare', () => new Promise<null>((resolve) => (late = resolve)));
  const first = asks.ask('prepare', null, 1000).catch((error: Error) => error.message);
  await pass(950);
  await pass(100);
  expect(await first).toBe('no answer within 1000 ms');
  late(null);
  await pass();
  const second = asks.ask('prepare', null, 1000).catch((error: Error) => error.message);
  asks.close();
  expect(await second).toBe('gone');
  await expect(asks.ask('prepare', null, 1000)).rejects.toThrow('gone');
  expect(wheel.size).toBe(0);
});
