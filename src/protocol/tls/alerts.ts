// The alerts that a server of ours sends before there is a TLS engine to send them. RFC 8446 6.

export const ALERTS = {
  unexpected_message: 10,
  record_overflow: 22,
  illegal_parameter: 47,
  decode_error: 50,
  protocol_version: 70,
  internal_error: 80,
  unrecognized_name: 112,
  no_application_protocol: 120,
} as const satisfies Record<string, number>;

export type AlertName = keyof typeof ALERTS;

const ALERT_RECORD = 21;
const FATAL = 2;

/** A whole record, in the clear: RFC 8446 5.1, with the version that all clients take. */
export function buildAlert(name: AlertName): Buffer {
  return Buffer.from([ALERT_RECORD, 0x03, 0x03, 0x00, 0x02, FATAL, ALERTS[name]]);
}
