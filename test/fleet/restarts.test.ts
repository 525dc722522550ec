import { expect, test } from 'vitest';
import { RestartRig } from '../support/restart-rig.ts';

/** Enough turns of promises for all that is under way. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('the next one gets sockets and what to go on with; ready, it takes over, and hears who is left', async () => {
  const rig = new RestartRig();
  const result = rig.restarts.run();
  await settled();
  expect([...rig.next.sockets]).toEqual([['a', { fd: 9, handle: null }]]);
  expect(rig.isSealed).toBe(true);
  const lines = rig.next.told.flatMap((one) => ('lines' in one && Array.isArray(one.lines) ? one.lines : []));
  expect([lines.length, rig.next.told.at(-1)]).toEqual([
    201,
    { kind: 'kept', tickets: { secret: 'AAAA', since: null } },
  ]);
  rig.pass(800);
  expect(rig.handedOver).toBe(0);
  rig.next.events.onMessage({ kind: 'ready' });
  expect(await result).toEqual({ ok: true, pid: 4711, ms: 800 });
  expect([rig.handedOver, rig.isSealed]).toEqual([11, true]);
  const generations = [
    { pid: 2, sessions: 5, state: 'draining' },
    { pid: 1, sessions: 2, state: 'draining' },
  ];
  rig.next.told.length = 0;
  rig.pass(1_000);
  rig.pass(1_000);
  expect(rig.next.told).toEqual([
    { kind: 'before', generations },
    { kind: 'before', generations },
  ]);
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'draining' });
  rig.restarts.stop();
  expect(rig.wheel.size).toBe(0);
  expect(rig.next.killed).toBe(0);
});

test.each([
  ['it was not ready within 30 s', (rig: RestartRig) => rig.pass(30_000), 1],
  ['bad config', (rig: RestartRig) => rig.next.events.onMessage({ kind: 'failed', why: 'bad config' }), 0],
  ['it ended with code 1\nSyntaxError: no', () => {}, 0],
  ['framegate is draining', (rig: RestartRig) => rig.restarts.abort(), 1],
])('not ready: %s', async (why, happens, killedBefore) => {
  const rig = new RestartRig();
  const result = rig.restarts.run();
  await settled();
  rig.pass(29_800);
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'restarting' });
  happens(rig);
  expect(rig.next.killed).toBe(killedBefore);
  rig.next.events.onEnd('it ended with code 1');
  expect(await result).toEqual({ ok: false, error: 'restart_failed', why });
  // What is late counts for nothing, and the next restart is one like the first.
  rig.next.events.onMessage({ kind: 'ready' });
  expect([rig.handedOver, rig.isSealed, rig.wheel.size]).toEqual([0, false, 0]);
  void rig.restarts.run();
  expect(rig.started.length).toBe(2);
  expect(rig.tap.lines.map(({ event, level, ok }) => [event, level, ok])).toEqual([
    ['restart.begin', 'info', undefined],
    ['restart.end', 'error', false],
    ['restart.begin', 'info', undefined],
  ]);
});

test('none begins while it drains, or where nothing can be started', async () => {
  const rig = new RestartRig();
  rig.isDraining = true;
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'draining' });
  const other = new RestartRig({ whyNot: 'from stdin' });
  expect(await other.restarts.run()).toEqual({ ok: false, error: 'not_restartable', why: 'from stdin' });
  expect([rig.started, rig.tap.lines]).toEqual([[], []]);
});
