// The judge of a backend's answer to the upgrade, and the 101 that the client gets instead of the backend's own bytes.
// It relays nothing and does not read refusal bodies.

import { hash } from 'node:crypto';
import { judgeExtensionAnswer } from './extensions.ts';
import { isHopByHop } from './field-names.ts';
import { FieldWriter } from './field-writer.ts';
import type { HeadField, ResponseHead } from './http-head.ts';
import { lowerElements, strictTokens, valuesOf } from './lists.ts';
import type { UpstreamCheck } from './relax.ts';

export interface ExpectedSwitch {
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
  /** Checks that are switched off for this backend. */
  readonly relax: readonly UpstreamCheck[];
}

export type SwitchVerdict =
  | {
      readonly ok: true;
      readonly protocol: string | null;
      /** As the backend sent it. */
      readonly extensions: string | null;
      /** permessage-deflate is agreed, so RSV1 may be set. */
      readonly deflate: boolean;
      /** The other end-to-end fields, in order. */
      readonly fields: readonly HeadField[];
      /** Checks that it broke, and that are switched off. */
      readonly relaxed: readonly UpstreamCheck[];
    }
  | { readonly ok: false; readonly cause: string };

const HANDSHAKE_FIELDS: ReadonlySet<string> = new Set([
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

/** Of a cause that repeats what a backend sent. */
const CAUSE_LENGTH_MAX = 200;

/** RFC 6455 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function acceptFor(key: string): string {
  return hash('sha1', key + ACCEPT_GUID, 'base64');
}

/** RFC 6455 4.1, the client's checks, on a head whose status is 101. */
export function judgeUpgradeResponse(head: ResponseHead, expected: ExpectedSwitch): SwitchVerdict {
  const refuse = (cause: string): SwitchVerdict => ({ ok: false, cause });
  if (head.status !== 101) return refuse(`status ${head.status}`);
  // RFC 9110 7.8: there is no upgrade in HTTP/1.0.
  if (head.version !== '1.1') return refuse('101 in HTTP/1.0');
  const upgrade = lowerElements(valuesOf(head.fields, 'upgrade'));
  if (upgrade.length > 1) return refuse(severalUpgrades(valuesOf(head.fields, 'upgrade')));
  if (upgrade[0] !== 'websocket') return refuse('101 without Upgrade: websocket');
  const connection = lowerElements(valuesOf(head.fields, 'connection'));
  if (!connection.includes('upgrade')) return refuse('101 without Connection: Upgrade');
  const [accept, ...moreAccepts] = valuesOf(head.fields, 'sec-websocket-accept');
  if (accept === undefined) return refuse('101 without Sec-WebSocket-Accept');
  const isAcceptRight = moreAccepts.length === 0 && accept === acceptFor(expected.key);
  // Whatever else it is, two of them are two answers.
  const isAcceptRelaxed = moreAccepts.length === 0 && expected.relax.includes('accept');
  if (!isAcceptRight && !isAcceptRelaxed) return refuse('wrong Sec-WebSocket-Accept');
  // RFC 6455 4.1(6): at most one, and one of those offered. An empty field names none.
  const protocols = strictTokens(valuesOf(head.fields, 'sec-websocket-protocol'), 1);
  if (protocols === null || !protocols.every((name) => expected.protocols.includes(name))) {
    return refuse('subprotocol not offered');
  }
  const answer = judgeExtensionAnswer(valuesOf(head.fields, 'sec-websocket-extensions'), expected.extensions);
  if (!answer.ok) return refuse(answer.cause);
  return {
    ok: true,
    protocol: protocols[0] ?? null,
    extensions: answer.text,
    deflate: answer.text !== null,
    fields: endToEndFields(head.fields).filter((field) => !HANDSHAKE_FIELDS.has(field.lower)),
    relaxed: [...(isAcceptRight ? [] : (['accept'] as const)), ...(head.bareLf ? (['bare_lf'] as const) : [])],
  };
}

/** Two servers one behind the other, both of which add the field, are found by what each of them says. */
function severalUpgrades(values: readonly string[]): string {
  return `101 with ${values.map((value) => `Upgrade: ${value}`).join(' and ')}`.slice(0, CAUSE_LENGTH_MAX);
}

/** The fields of a response that go on to the client, in order: no framing, nothing about this hop or another way. */
export function endToEndFields(fields: readonly HeadField[]): HeadField[] {
  const nominated = new Set(lowerElements(valuesOf(fields, 'connection')));
  return fields.filter(
    (field) =>
      // RFC 9110 8.6: a 101 has no Content-Length, and of any other answer the framing is made anew.
      field.lower !== 'content-length' &&
      // RFC 7838 3: it would move the next connections of the whole origin to where the backend says, past the proxy.
      field.lower !== 'alt-svc' &&
      !isHopByHop(field.lower) &&
      !nominated.has(field.lower),
  );
}

export interface ClientSwitch {
  /** Of the request: what Sec-WebSocket-Accept is made of. */
  readonly key: string;
  readonly protocol: string | null;
  readonly extensions: string | null;
  /** The other end-to-end fields of the backend's answer. */
  readonly fields: readonly HeadField[];
}

export function buildClientSwitch(options: ClientSwitch): Buffer {
  const writer = new FieldWriter('HTTP/1.1 101 Switching Protocols');
  writer.own('Upgrade', 'websocket');
  writer.own('Connection', 'Upgrade');
  writer.own('Sec-WebSocket-Accept', acceptFor(options.key));
  if (options.protocol !== null) writer.own('Sec-WebSocket-Protocol', options.protocol);
  if (options.extensions !== null) writer.field('Sec-WebSocket-Extensions', options.extensions);
  for (const field of options.fields) writer.relayed(field);
  return writer.finish();
}
