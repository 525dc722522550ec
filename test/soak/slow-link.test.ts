import { expect, test } from 'vitest';
import { oneRoute, startProxy } from '../support/harness.ts';
import { runSlowLink, type SlowLinkPlan, TransferBackend } from './slow-link.ts';

const KIB = 1024;

/** A fifteenth of the defaults, for links fifteen times as fast as 50 KiB/s. */
const timeouts = { client_ping_interval: '2s', pong: '1300ms', write_stall: '4s', message_stall: '4s' };

test('honest clients on slow links are not ended, whatever the kernel holds for them', async () => {
  // Behind more than the 4 MiB that the kernel takes at once stands a ping, for longer than any pong may take.
  const plan: SlowLinkPlan = {
    seed: 4,
    messages: 19,
    messageBytes: 256 * KIB,
    bytesPerSecond: 768 * KIB,
    latencyMs: 20,
  };
  const backend = await TransferBackend.listen(plan);
  const running = await startProxy(oneRoute(`ws://127.0.0.1:${backend.port}`, { timeouts }), { deadlineMs: 10_000 });
  const results = await runSlowLink(plan, running.port, backend);
  const all = plan.messages;
  expect(results, `seed ${plan.seed}`).toMatchObject([
    { job: 'upload', up: all, down: 0, failure: null },
    { job: 'download', up: 0, down: all, failure: null },
    { job: 'both', up: all, down: all, failure: null },
  ]);
  for (const job of ['upload', 'download', 'both']) {
    const end = await running.waitForLog('session.end', ({ path }) => path === `/${job}`);
    expect(end).toMatchObject({ reason: 'client_close', clean: true });
    // Held back, or the link was not slow.
    const pauses = job === 'upload' ? null : (end.from_backend as { pauses: number }).pauses;
    expect(pauses, job).not.toBe(0);
  }
  expect(results[1]?.pings).toBeGreaterThan(0);
}, 60_000);
