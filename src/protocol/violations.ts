// Every rule a frame can break, in one table: the close code its sender gets, the kind of end it is, and the clause.
// A row is a reason text on the wire, so it stays stable. It judges nothing; frame-scanner.ts does.

import { CloseCode } from './close-codes.ts';

/** The kinds of end a violation leads to; with `client_` or `backend_` before it, the reason of a session's end. */
type ViolationKind = 'protocol_error' | 'message_too_big' | 'too_many_fragments' | 'invalid_utf8';

export interface ViolationRule {
  /** The close code for the peer that broke the rule. */
  readonly close: number;
  readonly kind: ViolationKind;
  /** The reason text for that peer: the config key when a limit did it. */
  readonly text: string;
  /** The clause of RFC 6455 unless another one is named. */
  readonly rfc: string;
  /** The config key of the limit, if it was one. */
  readonly limit: string | null;
}

const protocolError = (text: string, rfc: string): ViolationRule => ({
  close: CloseCode.ProtocolError,
  kind: 'protocol_error',
  text,
  rfc,
  limit: null,
});

export const VIOLATIONS = {
  mask_missing: protocolError('frame not masked', '5.1'),
  mask_present: protocolError('frame masked', '5.1'),
  rsv: protocolError('reserved bit set', '5.2; 7692 6'),
  opcode: protocolError('reserved opcode', '5.2'),
  continuation_without_start: protocolError('continuation without a start', '5.4'),
  message_inside_message: protocolError('message inside a message', '5.4'),
  control_fragmented: protocolError('control frame fragmented', '5.5'),
  control_length: protocolError('control frame over 125 bytes', '5.5'),
  length_not_minimal: protocolError('length not minimal', '5.2'),
  length_msb: protocolError('length above 2^63', '5.2'),
  close_length: protocolError('close body of one byte', '5.5.1'),
  close_code: protocolError('close code not allowed', '7.4'),
  close_reason: {
    close: CloseCode.InvalidPayload,
    kind: 'invalid_utf8',
    text: 'close reason not UTF-8',
    rfc: '5.5.1, 8.1',
    limit: null,
  },
  message_too_big: {
    close: CloseCode.MessageTooBig,
    kind: 'message_too_big',
    text: 'max_message_size',
    rfc: '10.4',
    limit: 'max_message_size',
  },
  frame_too_big: {
    close: CloseCode.MessageTooBig,
    kind: 'message_too_big',
    text: 'max_frame_size',
    rfc: '10.4',
    limit: 'max_frame_size',
  },
  too_many_fragments: {
    close: CloseCode.PolicyViolation,
    kind: 'too_many_fragments',
    text: 'max_fragments',
    rfc: '10.4',
    limit: 'max_fragments',
  },
} as const satisfies Record<string, ViolationRule>;

export type Violation = keyof typeof VIOLATIONS;
