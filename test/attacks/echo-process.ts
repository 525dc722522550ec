// A session that nobody attacks, in a process of its own: sends a small message each millisecond or when the last is
// back, and says how long they took.

import { setTimeout as delay } from 'node:timers/promises';
import { answerMessages } from '../../bench/support/child-process.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Opcode, text } from '../support/wire.ts';

export type EchoRequest =
  | { readonly kind: 'open'; readonly port: number; readonly path: string }
  /** What was measured until now is forgotten. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' };

/** Milliseconds; all 0 until `end`. */
export interface EchoReply {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const EVERY_MS = 1;

let times: number[] = [];
let sentAt = 0;

answerMessages<EchoRequest, EchoReply>(async (request) => {
  if (request.kind === 'open') await open(request.port, request.path);
  if (request.kind === 'begin') times = [];
  return request.kind === 'end' ? summary() : { count: 0, p50: 0, p99: 0, max: 0 };
});

async function open(port: number, path: string): Promise<void> {
  const peer = await PeerSocket.open(port, path);
  const send = () => {
    sentAt = performance.now();
    peer.write(text('ping', { mask: true }));
  };
  peer.onFrame = ({ opcode }) => {
    if (opcode !== Opcode.Text) return;
    times.push(performance.now() - sentAt);
    void delay(EVERY_MS).then(send);
  };
  peer.onEnded = () => {
    throw new Error('the session that is measured has ended');
  };
  send();
}

/** A message that is on its way counts with what it has waited. */
function summary(): EchoReply {
  const all = [...times].sort((a, b) => a - b);
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0;
  return { count: all.length, p50: at(0.5), p99: at(0.99), max: all.at(-1) ?? 0 };
}
