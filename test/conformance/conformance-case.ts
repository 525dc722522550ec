// The form of a case, and shorthands that the tables of cases share.

import { type FrameSpec, Opcode } from '../support/wire.ts';
import type { FuzzPeer } from './fuzz-peer.ts';
import { show } from './fuzz-peer.ts';
import type { CloseExpectation, Expectation, Judged } from './verdict.ts';

export interface ConformanceCase extends Judged {
  /** `group.…`, numbered as in the Autobahn TestSuite where that has such a case. */
  readonly id: string;
  readonly title: string;
  /** Sends what the case is about. The runner then waits for the events and for the end. */
  readonly play: (peer: FuzzPeer) => Promise<void> | void;
  /** How long the peer may take for its events and, where it has to, for its Close. */
  readonly killMs?: number;
  /** permessage-deflate: what a fuzzing client offers, and which parameters a fuzzing server answers an offer with. */
  readonly deflate?: { readonly offer: string; readonly answer: string };
}

/** The fuzzer closes after the last event; the peer answers with the same code and lives up to RFC 6455 7.1.1. */
export const normalClose: CloseExpectation = { by: 'fuzzer', codes: [1000] };
/** The peer fails the connection (RFC 6455 7.1.7). */
export const protocolErrorClose: CloseExpectation = { by: 'peer', codes: [1002] };

export function ok(...events: readonly string[]): Expectation {
  return { verdict: 'OK', events };
}

export function nonStrict(...events: readonly string[]): Expectation {
  return { verdict: 'NON-STRICT', events };
}

export function textEvent(payload: Buffer | string): string {
  return `text ${show(bytesOf(payload))}`;
}

export function binaryEvent(payload: Buffer | string): string {
  return `binary ${show(bytesOf(payload))}`;
}

export function pongEvent(payload: Buffer | string = ''): string {
  return `pong ${show(bytesOf(payload))}`;
}

export function textFrame(payload: Buffer | string, more: Partial<FrameSpec> = {}): FrameSpec {
  return { opcode: Opcode.Text, payload, ...more };
}

export function continuationFrame(payload: Buffer | string, more: Partial<FrameSpec> = {}): FrameSpec {
  return { opcode: Opcode.Continuation, payload, ...more };
}

export function pingFrame(payload: Buffer | string = '', more: Partial<FrameSpec> = {}): FrameSpec {
  return { opcode: Opcode.Ping, payload, ...more };
}

/** A message as fragments of the given payloads. */
export function fragments(opcode: number, payloads: readonly Buffer[]): FrameSpec[] {
  return payloads.map((payload, at) => ({
    opcode: at === 0 ? opcode : Opcode.Continuation,
    payload,
    fin: at === payloads.length - 1,
  }));
}

/** `bytes` in pieces of `size`; one empty piece when there is nothing. */
export function pieces(bytes: Buffer, size: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(bytes.subarray(at, at + size));
  return found.length === 0 ? [bytes] : found;
}

function bytesOf(payload: Buffer | string): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;
}
