// A backend's own refusal, as it goes on to the client. It relays no framing of the backend: fields are chosen and
// Content-Length is counted here.

import { FieldWriter } from './field-writer.ts';
import type { HeadField, ResponseHead } from './http-head.ts';
import { statusPhrase } from './status-phrases.ts';
import { endToEndFields } from './upgrade-response.ts';

/** A larger body is dropped: a refusal is a page or a JSON object, and it is held until it is complete. */
export const REFUSAL_BODY_MAX = 64 * 1024;

/** The backend's fields that go on with its refusal. */
export function relayedRefusalFields(head: ResponseHead): HeadField[] {
  return endToEndFields(head.fields);
}

/** The whole response of a relayed refusal, after which the connection closes. */
export function buildRelayedRefusal(refusal: {
  readonly status: number;
  readonly fields: readonly HeadField[];
  readonly body: Buffer;
}): Buffer {
  const { status, fields, body } = refusal;
  const writer = new FieldWriter(`HTTP/1.1 ${status} ${statusPhrase(status)}`);
  for (const field of fields) {
    // No bytes are no valid gzip: without its body the coding would make clients fail on the whole answer.
    if (body.length > 0 || field.lower !== 'content-encoding') writer.relayed(field);
  }
  // RFC 9110 8.6: in a 304 it would be the length of the page that the client has.
  if (status !== 304) writer.own('Content-Length', String(body.length));
  // RFC 9110 15.5.22: a 426 names the protocol that is wanted, in a field for one hop: the backend's is gone.
  if (status === 426) writer.own('Upgrade', 'websocket');
  writer.own('Connection', status === 426 ? 'Upgrade, close' : 'close');
  return writer.finish(body);
}
