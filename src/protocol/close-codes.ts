// Which close codes may stand in a Close frame, and which of them framegate itself may send (RFC 6455 7.4).

/** Close codes framegate sends, by the names of RFC 6455 7.4.1 and the IANA WebSocket Close Code registry. */
export const CloseCode = {
  GoingAway: 1001,
  ProtocolError: 1002,
  InvalidPayload: 1007,
  PolicyViolation: 1008,
  MessageTooBig: 1009,
  InternalError: 1011,
  ServiceRestart: 1012,
  TryAgainLater: 1013,
  Unauthorized: 3000,
  Forbidden: 3003,
} as const;

/** What a Close without a body counts as; never on the wire (RFC 6455 7.1.5). */
export const NO_STATUS = 1005;

/**
 * True when `code` may stand in a Close frame: 1000-1003 and 1007-1014 (IANA registry; 1004 is reserved; 1005, 1006 and
 * 1015 never go on the wire), 3000-3999 (registered) and 4000-4999 (private use).
 */
export function isCloseCodeOnWire(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  if (code >= 1007) return code <= 1014;
  return code >= 1000 && code <= 1003;
}

/**
 * True when a config may map an end to `code`: one that a server-side intermediary can truthfully send. 1000 would
 * claim that all is well; 1002, 1003, 1007 and 1009 blame the client for bytes, which the end itself has to do.
 */
export function isCloseCodeConfigurable(code: number): boolean {
  return code === 1001 || code === 1008 || (code >= 1011 && code <= 1014) || (code >= 3000 && code <= 4999);
}
