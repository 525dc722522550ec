// A request that is refused before there is an exchange for it: written and counted as any other.

import type { RequestHead } from '../../protocol/http-head.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';
import type { Arrival } from '../arrival.ts';
import type { HandshakeContext } from '../handshake.ts';
import { refusalBytes } from '../refusal-bytes.ts';
import { RequestRecord } from './request-record.ts';

interface RefusedRequest {
  readonly context: HandshakeContext;
  readonly arrival: Arrival;
  /** Null: there is none that could be read. */
  readonly head: RequestHead | null;
  readonly refusal: Refusal;
  /** What its head was judged to be, where it was. */
  readonly request?: JudgedRequest | null;
  /** The limit that it met. */
  readonly limit?: string | undefined;
}

/** The whole answer, behind which the connection closes. */
export function refusedRequest({ context, arrival, head, refusal, request, limit }: RefusedRequest): Buffer {
  const record = new RequestRecord(context, arrival);
  if (head !== null) {
    const rules = arrival.listener.rulesIn(context.snapshot);
    arrival.takeHead(head, rules);
    arrival.takeClient(head, rules);
    record.noteHead(head);
    if (request) record.noteRequest(request);
  }
  if (limit !== undefined) record.noteLimit(limit);
  record.refused(refusal);
  return refusalBytes(refusal, arrival.requestId, head?.method);
}
