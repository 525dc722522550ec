import { expect, test } from 'vitest';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { frameStreams } from './frame-streams.ts';
import { Recorded } from './recorded.ts';
import {
  type CorpusRun,
  requestHeads,
  responseHeads,
  runAnswers,
  runRequests,
  runStreams,
  STREAM_RUNS,
  thinned,
} from './run-corpus.ts';
import { runOnSockets } from './sockets.ts';
import { runStreamsOnSockets, STREAM_CONFIG } from './stream-sockets.ts';

// A sweep of thousands takes a second or two; a machine under load takes several times that.
const SWEEP_MS = 120_000;

function expectSound(run: CorpusRun): void {
  expect(run.cases).toBeGreaterThan(100);
  expect(run.faults.slice(0, 20)).toEqual([]);
}

test('requests: one verdict in every cut, none looser than the RFCs, none that is dear', {
  timeout: SWEEP_MS,
}, async () => {
  const run = await runRequests(thinned(requestHeads(), 3), 'few');
  expectSound(run);
  expect(Recorded.read().differences(run.entries)).toEqual([]);
});

test('answers of a backend: the same', { timeout: SWEEP_MS }, async () => {
  const run = await runAnswers(responseHeads(), 'few');
  expectSound(run);
  expect(Recorded.read().differences(run.entries)).toEqual([]);
});

test.each(STREAM_RUNS)(
  'streams after the switch, %o: relayed to the first fault, then closed',
  { timeout: SWEEP_MS },
  async (options) => {
    expectSound(await runStreams(options, 'some', 'few'));
  },
);

test('on sockets: one refusal and no dial, or one request head', { timeout: SWEEP_MS }, async () => {
  const backend = await RawBackend.listen();
  const { port } = await startProxy(oneRoute(backend.url));
  const some = thinned(requestHeads(), 29).filter(({ group }, i) => i % 5 === 0 || group === 'behind the head');
  expect(await runOnSockets(some, { port, backend })).toEqual([]);
});

const sides = ['client', 'backend'] as const;

test.each(sides)('streams of a %s on sockets: the cause they have in memory', { timeout: SWEEP_MS }, async (side) => {
  const backend = await RawBackend.listen();
  const running = await startProxy(oneRoute(backend.url, {}, STREAM_CONFIG), { deadlineMs: 15_000 });
  const all = frameStreams(side, 'some');
  // Less than a hundred: of more that end within a second the log holds some back.
  const some = all.filter((_, i) => i % Math.ceil(all.length / 90) === 0);
  expect(await runStreamsOnSockets(side, some, { running, backend })).toEqual([]);
});
