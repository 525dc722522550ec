// The request that a backend receives: built from parsed parts in a fixed order, never copied from the client's head.
// It decides which fields pass; it trusts its options and asserts that they cannot break a line.

import { type FieldChanges, isRemoved } from './field-changes.ts';
import { isHopByHop, isProxyClaim, isSafeName } from './field-names.ts';
import { FieldWriter } from './field-writer.ts';
import type { HeadField, RequestHead } from './http-head.ts';
import { valuesOf } from './lists.ts';
import type { UpgradeRequest } from './upgrade-request.ts';

export interface ForwardOptions {
  readonly request: UpgradeRequest;
  /** Path and query to send. */
  readonly target: string;
  readonly hostField: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
  /** Who the client is, after the walk over trusted proxies; '' when nobody knows (a unix socket). */
  readonly clientAddress: string;
  /** Who holds the connection; '' for a unix socket. */
  readonly peerAddress: string;
  readonly peerTrusted: boolean;
  /** The client used TLS. */
  readonly secure: boolean;
  /** 0 when the listener has none. */
  readonly listenerPort: number;
  readonly requestId: string;
  readonly instanceId: string;
  readonly key: string;
  /** Null: none. */
  readonly changes: FieldChanges | null;
}

/** Set here, so never taken from the client as they are. Content-Length could only be 0. */
const OWN: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'host',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'x-forwarded-for',
  'x-real-ip',
  'x-request-id',
]);

export function buildBackendRequest(options: ForwardOptions): Buffer {
  const { request, peerTrusted, changes } = options;
  // RFC 3986 4.2: whoever made this target has judged it; what gets here all the same names another host to many.
  if (!/^\/(?!\/)/.test(options.target)) throw new Error('a request target begins with exactly one slash');
  const writer = new FieldWriter(`GET ${FieldWriter.visible(options.target)} HTTP/1.1`);
  writer.own('Host', options.hostField);
  for (const field of request.head.fields) {
    if (changes !== null && isRemoved(changes, field.lower)) continue;
    if (passes(field, request.nominated, peerTrusted)) writer.relayed(field);
  }
  for (const { name, value } of changes?.set ?? []) writer.own(name, value);
  writer.own('Upgrade', 'websocket');
  writer.own('Connection', 'Upgrade');
  writer.own('Sec-WebSocket-Key', options.key);
  writer.own('Sec-WebSocket-Version', '13');
  if (options.protocols.length > 0) writer.own('Sec-WebSocket-Protocol', options.protocols.join(', '));
  if (options.extensions.length > 0) writer.field('Sec-WebSocket-Extensions', options.extensions.join(', '));
  writeForwarded(writer, options);
  writer.own('X-Request-ID', options.requestId);
  // RFC 9110 7.6.3: appended after the Via lines of the client.
  writer.own('Via', `1.1 ${options.instanceId}`);
  return writer.finish();
}

/** RFC 9110 7.6.3: whether a request passed the instance of this name before. */
export function namesInstance(head: RequestHead, instanceId: string): boolean {
  for (const value of valuesOf(head.fields, 'via')) {
    for (const entry of value.split(',')) {
      const [, receivedBy] = entry.trim().split(/[ \t]+/, 2);
      if (receivedBy === instanceId) return true;
    }
  }
  return false;
}

function passes(field: HeadField, nominated: ReadonlySet<string>, peerTrusted: boolean): boolean {
  const { lower } = field;
  if (OWN.has(lower) || isHopByHop(lower) || nominated.has(lower) || !isSafeName(lower)) return false;
  return peerTrusted || !isProxyClaim(lower);
}

function writeForwarded(writer: FieldWriter, options: ForwardOptions): void {
  const { request, peerTrusted, clientAddress, peerAddress } = options;
  const { fields } = request.head;
  if (clientAddress !== '') writer.own('X-Real-IP', clientAddress);
  const chain = peerTrusted ? valuesOf(fields, 'x-forwarded-for') : [];
  const hops = [...chain.filter((value) => value !== ''), ...(peerAddress === '' ? [] : [peerAddress])];
  if (hops.length > 0) writer.field('X-Forwarded-For', hops.join(', '));
  const set = (name: string, value: string): void => {
    // A trusted peer saw the client's own connection, so what it says stays.
    const kept = peerTrusted && fields.some((field) => field.lower === name.toLowerCase());
    if (!kept) writer.own(name, value);
  };
  set('X-Forwarded-Proto', options.secure ? 'https' : 'http');
  set('X-Forwarded-Host', request.host);
  if (options.listenerPort > 0) set('X-Forwarded-Port', String(options.listenerPort));
}
