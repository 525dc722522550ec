// What an exchange with a backend makes of its answer, on a transport in memory; and a second, strict reading of a 101.

import assert from 'node:assert/strict';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { exchange } from '../../src/upstream/backend-handshake.ts';
import { ACCEPT, KEY } from '../protocol/heads.ts';
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

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);

/** null when the bytes begin with a 101 that RFC 6455 4.1 lets a client accept, after any interim answers. */
export function strictSwitchFault(bytes: Buffer): string | null {
  let all = bytes.toString('latin1');
  for (;;) {
    const end = all.indexOf('\r\n\r\n');
    if (end === -1) return 'not complete';
    const [statusLine = '', ...lines] = all.slice(0, end).split('\r\n');
    // The blank behind the status may be missing: most clients of HTTP do not ask for it.
    const status = /^HTTP\/1\.1 (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(statusLine)?.[1];
    const fields = lines.map((line) => FIELD_LINE.exec(line));
    if (status === undefined || fields.includes(null)) return 'not well-formed';
    const valuesOf = (name: string) =>
      fields.filter((match) => match?.[1]?.toLowerCase() === name).map((match) => match?.[2] ?? '');
    if (status === '101') return switchFault(valuesOf);
    if (!status.startsWith('1')) return `status ${status}`;
    all = all.slice(end + 4);
  }
}

function switchFault(valuesOf: (name: string) => string[]): string | null {
  const list = (name: string) =>
    valuesOf(name).flatMap((value) => value.split(',').map((one) => one.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase()));
  if (list('upgrade').filter(Boolean).join() !== 'websocket') return 'Upgrade';
  if (!list('connection').includes('upgrade')) return 'Connection';
  if (valuesOf('sec-websocket-accept').join() !== ACCEPT) return 'Sec-WebSocket-Accept';
  // RFC 6455 4.3, RFC 2616 2.1: empty elements do not count, but a list of nothing else is none.
  const elements = (name: string) => {
    const parts = valuesOf(name).flatMap((value) => value.split(',').map((one) => one.replace(/^[ \t]+|[ \t]+$/g, '')));
    const some = parts.filter(Boolean);
    return some.length === 0 && parts.length > valuesOf(name).length ? [','] : some;
  };
  const [protocol, second] = elements('sec-websocket-protocol');
  const offered: readonly string[] = OFFERED.protocols;
  if (second !== undefined || (protocol !== undefined && !offered.includes(protocol))) return 'Sec-WebSocket-Protocol';
  const extensions = elements('sec-websocket-extensions');
  const equals = '[ \\t]*=[ \\t]*';
  const param = `(?:server|client)_(?:no_context_takeover|max_window_bits${equals}("?)(?:[89]|1[0-5])\\1)`;
  const allowed = new RegExp(`^permessage-deflate(?:[ \\t]*;[ \\t]*${param})*$`);
  return extensions.length <= 1 && extensions.every((value) => allowed.test(value)) ? null : 'Sec-WebSocket-Extensions';
}
