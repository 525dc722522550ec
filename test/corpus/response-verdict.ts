// What an exchange with a backend makes of its answer, on a transport in memory.

import assert from 'node:assert/strict';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { exchange } from '../../src/upstream/backend-handshake.ts';
import { KEY } from '../protocol/heads.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryTransport, makeReadBuffer } from '../support/memory-transport.ts';
import { smallPieces } from './cuts.ts';
import { OFFERED } from './response-heads.ts';

const readBuffer = makeReadBuffer();
const REQUEST = Buffer.from('GET / HTTP/1.1\r\n\r\n');
const neverAborted = { aborted: false, addEventListener() {}, removeEventListener() {} };

/**
 * `switched`, `refused 403`, `backend_handshake: bare_lf`, with what would go on to the client. An answer that is not
 * complete ends with the backend's FIN.
 */
export async function responseVerdict(pieces: readonly Buffer[]): Promise<string> {
  const transport = new MemoryTransport({ name: 'backend', stable: false, readBuffer });
  const wheel = new TimerWheel(new FakeClock(), 1);
  const outcome = exchange({
    transport,
    wheel,
    request: REQUEST,
    key: KEY,
    ...OFFERED,
    headBytesMax: 16 * 1024,
    relax: [],
    progress: { refusal: null },
    deadline: Number.MAX_SAFE_INTEGER,
    signal: neverAborted,
  });
  for (const piece of pieces) {
    transport.send(piece);
    transport.pump();
  }
  if (!transport.paused) transport.fin();
  transport.pump();
  const ended = await outcome;
  assert.deepEqual([transport.misuse, wheel.size, transport.destroyed], [[], 0, ended.kind !== 'switched']);
  if (ended.kind === 'failed') return `${ended.error}: ${ended.cause}`;
  const fields = ended.fields.map(({ name, value }) => `${name}: ${value}`).join('\n');
  if (ended.kind === 'refused') return `refused ${ended.status}\n${fields}\n\n${ended.body.toString('latin1')}`;
  const early = Buffer.concat([ended.leftover ?? Buffer.alloc(0), restOf(transport)]).toString('latin1');
  return `switched\n${ended.protocol} ${ended.extensions} ${ended.deflate}\n${fields}\n\n${early}`;
}

/** What a session would read next: an exchange that switched leaves its transport paused. */
function restOf(transport: MemoryTransport): Buffer {
  let rest = Buffer.alloc(0);
  transport.reader = {
    onBytes: (bytes, start, end) => {
      rest = Buffer.concat([rest, bytes.subarray(start, end)]);
    },
    onEnd() {},
    onLost() {},
    onTaken() {},
  };
  transport.resume();
  transport.pump();
  return rest;
}

/** The verdict, the same byte by byte and at each of `cuts`. */
export async function responseVerdictInCuts(bytes: Buffer, cuts: readonly number[]): Promise<string> {
  const whole = await responseVerdict([bytes]);
  assert.equal(await responseVerdict(smallPieces(bytes)), whole, 'byte by byte');
  for (const cut of cuts) {
    assert.equal(await responseVerdict([bytes.subarray(0, cut), bytes.subarray(cut)]), whole, `cut at ${cut}`);
  }
  return whole;
}
