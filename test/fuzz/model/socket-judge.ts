// What is said of one session on sockets when it is over: what both sides sent and received, and its line in the log.
// The order of events is not known here, so this knows less than the model of sessions in memory.

import type { LogLine } from '../../support/log-tap.ts';
import { parseMetrics } from '../../support/metrics-text.ts';
import { causeRow, type SideName } from './causes.ts';
import { judgeReceipt, judgeSent, type Receipt, type Sent } from './receipt.ts';

/** What the routes allow; `text` has its text checked, which needs compression off. */
export const routes = {
  any: { limits: { messageBytesMax: 262_144, frameBytesMax: 262_144, fragmentsMax: 1024 }, validateUtf8: false },
  text: { limits: { messageBytesMax: 1024, frameBytesMax: 700, fragmentsMax: 8 }, validateUtf8: true },
} as const;
export type RouteName = keyof typeof routes;

/** Everything behind the heads of the handshake. */
export interface Part {
  readonly sent: Buffer;
  readonly received: Buffer;
}

export interface Transcript {
  readonly index: number;
  readonly route: RouteName;
  readonly deflate: boolean;
  readonly client: Part;
  readonly backend: Part;
  /** The lines of its end; one, if all is well. */
  readonly ends: readonly LogLine[];
}

/** Throws with the whole of it when something is otherwise than it must be. */
export function judgeTranscript(transcript: Transcript): void {
  try {
    judge(transcript);
  } catch (error) {
    const { index, client, backend, ends } = transcript;
    const story = [client, backend].map(({ sent, received }) => {
      return `sent     ${sent.toString('hex')}\n    received ${received.toString('hex')}`;
    });
    const told = JSON.stringify(ends);
    throw new Error(`session ${index}: ${error}\n  ${told}\n  client\n    ${story.join('\n  backend\n    ')}`);
  }
}

function judge({ route, deflate, client, backend, ends }: Transcript): void {
  const [end] = ends;
  if (end === undefined || ends.length > 1) throw new Error(`${ends.length} ends in the log`);
  const fromClient = judgeSent(client.sent, { masked: true, deflate, ...routes[route] });
  const fromBackend = judgeSent(backend.sent, { masked: false, deflate, ...routes[route] });
  const mayBackend = fromClient.may;
  const mayClient = fromBackend.may;
  const { received } = backend;
  const atBackend = judgeReceipt({ received, sent: fromClient, may: mayBackend, masked: true, deflate });
  const atClient = judgeReceipt({
    received: client.received,
    sent: fromBackend,
    may: mayClient,
    masked: false,
    deflate,
  });
  if (end.clean === true) judgeClean([fromClient, fromBackend], [atClient, atBackend]);
  judgeSide(end, 'client', fromClient, atClient, atBackend);
  judgeSide(end, 'backend', fromBackend, atBackend, atClient);
}

function judgeClean(sent: readonly Sent[], receipts: readonly Receipt[]): void {
  if (sent.some(({ stream }) => stream.spent !== 'close')) throw new Error('clean, though one side sent no Close');
  // It may not have arrived where the peer has left at the same moment.
  if (receipts.every(({ closed }) => closed === null)) throw new Error('clean, though nobody got a Close');
}

/** `receipt`: what this side got; `opposite`: what the other side got of it. */
function judgeSide(end: LogLine, name: SideName, sent: Sent, receipt: Receipt, opposite: Receipt): void {
  const reason = String(end.reason);
  const row = causeRow(reason);
  if (receipt.closed === 'ours' && receipt.code !== row[name]) {
    throw new Error(`the ${name} was told ${receipt.code} for ${reason}, not ${row[name]}`);
  }
  const logged = end[`close_code_${name}`];
  if (receipt.closed !== null && logged !== (receipt.code ?? 1005)) {
    throw new Error(`the ${name} was told ${receipt.code}, the log says ${logged}`);
  }
  const { bytes } = end[`from_${name}`] as { bytes: number }; // as the log has it
  if (bytes > sent.payloadMax)
    throw new Error(`${bytes} bytes of the ${name} were counted, it sent ${sent.payloadMax}`);
  const isByItsBytes = row.by === name && (row.kind === 'relayed' || row.kind === 'culprit');
  if (!isByItsBytes || reason.endsWith('_stall')) return;
  if (sent.stream.spent === null) throw new Error(`${reason}, though what the ${name} sent is in order`);
  if (sent.stream.spent !== 'text' && bytes !== sent.payloadMax) {
    throw new Error(`${bytes} bytes of the ${name} were counted, not ${sent.payloadMax}`);
  }
  // A side that was cut off or went away has lost what was on its way.
  if (opposite.closed !== null && opposite.relayed < sent.must.length) {
    throw new Error(`${opposite.relayed} bytes of the ${name} arrived, not ${sent.must.length}`);
  }
}

const gauges = [
  'sessions_open',
  'sessions_paused',
  'buffered_bytes',
  'connections_open',
  'handshakes_open',
  'target_sessions',
];

/** The text of the metrics once all sessions are over. */
export function judgeGauges(text: string): void {
  const families = parseMetrics(text);
  for (const name of gauges) {
    const family = families.get(`framegate_${name}`);
    if (family === undefined) throw new Error(`no metric ${name}`);
    for (const { value } of family.samples) if (value !== 0) throw new Error(`${name} is ${value} when all is over`);
  }
}
