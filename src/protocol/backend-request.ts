// The request that a backend receives: built from parsed parts in a fixed order, never copied from the client's head.
// It decides which fields pass; it trusts its options and asserts that they cannot break a line.

import type { BodyFraming } from './body-reader.ts';
import { withoutCookie } from './cookies.ts';
import { type FieldChanges, isRemoved } from './field-changes.ts';
import { isHopByHop, isProxyClaim, isSafeName } from './field-names.ts';
import { FieldWriter } from './field-writer.ts';
import { soundElements, writeElement } from './forwarded.ts';
import type { HeadField, RequestHead } from './http-head.ts';
import { firstValueOf, valuesOf } from './lists.ts';
import type { JudgedRequest } from './request-place.ts';

/** What every request to a backend is made of, an upgrade or not. */
export interface ForwardedFields {
  readonly request: JudgedRequest;
  /** Path and query to send. */
  readonly target: string;
  readonly hostField: string;
  /** Who the client is, after the walk over trusted proxies; '' when nobody knows (a unix socket). */
  readonly clientAddress: string;
  /** Who holds the connection; '' for a unix socket. */
  readonly peerAddress: string;
  readonly peerTrusted: boolean;
  /** The scheme that the client used; null: what the trusted peer's X-Forwarded-Proto says stays. */
  readonly proto: string | null;
  /** The field in which a trusted peer names the client, in lower case. */
  readonly source: string;
  /** Whether the backend gets a Forwarded, too. */
  readonly sendForwarded: boolean;
  /** 0 when the listener has none. */
  readonly listenerPort: number;
  readonly requestId: string;
  /** Null: the backend is not told. */
  readonly sessionId: string | null;
  readonly instanceId: string;
  /** Null: none. */
  readonly changes: FieldChanges | null;
  /** A cookie that is between the client and us; null: none. */
  readonly hiddenCookie: string | null;
}

export interface ForwardOptions extends ForwardedFields {
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
  readonly key: string;
}

/** Set here, so never taken from the client as they are. Content-Length could only be 0. */
const OWN: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'forwarded',
  'host',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'x-forwarded-for',
  'x-framegate-session',
  'x-real-ip',
  'x-request-id',
]);

export function buildBackendRequest(options: ForwardOptions): Buffer {
  const writer = new FieldWriter(`GET ${FieldWriter.visible(judgedTarget(options))} HTTP/1.1`);
  writeRelayed(writer, options);
  writer.own('Upgrade', 'websocket');
  writer.own('Connection', 'Upgrade');
  writer.own('Sec-WebSocket-Key', options.key);
  writer.own('Sec-WebSocket-Version', '13');
  if (options.protocols.length > 0) writer.own('Sec-WebSocket-Protocol', options.protocols.join(', '));
  if (options.extensions.length > 0) writer.field('Sec-WebSocket-Extensions', options.extensions.join(', '));
  writeOwn(writer, options);
  return writer.finish();
}

/** Of a request that is no upgrade: the head of it, as text of latin1. Its connection ends with it. */
export function plainRequestHead(options: ForwardedFields, body: BodyFraming): string {
  const { method } = options.request.head;
  const writer = new FieldWriter(`${method} ${FieldWriter.visible(judgedTarget(options))} HTTP/1.1`);
  writeRelayed(writer, options);
  writeOwn(writer, options);
  if (body.kind === 'chunked') writer.own('Transfer-Encoding', 'chunked');
  else if (body.kind === 'length') writer.own('Content-Length', String(body.bytes));
  // RFC 9110 8.6: what may have a body says that it has none.
  else if (!NO_BODY.has(method)) writer.own('Content-Length', '0');
  writer.own('Connection', 'close');
  return writer.head();
}

const NO_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

function judgedTarget({ target }: ForwardedFields): string {
  // RFC 3986 4.2: whoever made this target has judged it; what gets here all the same names another host to many.
  if (!/^\/(?!\/)/.test(target)) throw new Error('a request target begins with exactly one slash');
  return target;
}

function writeRelayed(writer: FieldWriter, options: ForwardedFields): void {
  const { request, changes } = options;
  writer.own('Host', options.hostField);
  for (const field of request.head.fields) {
    if (changes !== null && isRemoved(changes, field.lower)) continue;
    if (passes(field, request.nominated, options)) relayField(field, options.hiddenCookie, writer);
  }
  for (const { name, value } of changes?.set ?? []) writer.own(name, value);
}

function writeOwn(writer: FieldWriter, options: ForwardedFields): void {
  writeForwarded(writer, options);
  writer.own('X-Request-ID', options.requestId);
  if (options.sessionId !== null) writer.own('X-Framegate-Session', options.sessionId);
  // RFC 9110 7.6.3: appended after the Via lines of the client.
  writer.own('Via', `1.1 ${options.instanceId}`);
}

function relayField(field: HeadField, hiddenCookie: string | null, writer: FieldWriter): void {
  if (hiddenCookie === null || field.lower !== 'cookie') {
    writer.relayed(field);
    return;
  }
  const value = withoutCookie(field.value, hiddenCookie);
  // What held nothing else is no Cookie field any more.
  if (value !== '' || field.value === '') writer.relayed({ ...field, value });
}

/** Whether the client came by TLS, as far as the backend is told. */
export function isSaidSecure({ proto, request }: Pick<ForwardedFields, 'proto' | 'request'>): boolean {
  const [first = ''] = (proto ?? firstValueOf(request.head.fields, 'x-forwarded-proto') ?? '').split(',', 1);
  return /^[ \t]*(?:https|wss)[ \t]*$/i.test(first);
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

function passes(field: HeadField, nominated: ReadonlySet<string>, options: ForwardedFields): boolean {
  const { lower } = field;
  const { peerTrusted, proto, source } = options;
  if (lower === 'x-forwarded-proto' && proto !== null) return false;
  // A field that names the client and was not believed is nobody's word.
  if (lower === source && options.clientAddress === options.peerAddress) return false;
  if (OWN.has(lower) || isHopByHop(lower) || nominated.has(lower) || !isSafeName(lower)) return false;
  return peerTrusted || !isProxyClaim(lower);
}

function writeForwarded(writer: FieldWriter, options: ForwardedFields): void {
  const { request, peerTrusted, clientAddress, peerAddress } = options;
  const { fields } = request.head;
  if (clientAddress !== '') writer.own('X-Real-IP', clientAddress);
  const isRead = peerTrusted && options.source === 'x-forwarded-for';
  const chain = isRead ? valuesOf(fields, 'x-forwarded-for') : clientAddress === peerAddress ? [] : [clientAddress];
  const hops = [...chain, peerAddress].filter((value) => value !== '');
  if (hops.length > 0) writer.field('X-Forwarded-For', hops.join(', '));
  const set = (name: string, value: string): void => {
    // A trusted peer saw the client's own connection, so what it says stays.
    const kept = peerTrusted && fields.some((field) => field.lower === name.toLowerCase());
    if (!kept) writer.own(name, value);
  };
  if (options.proto !== null) writer.own('X-Forwarded-Proto', options.proto);
  set('X-Forwarded-Host', request.host);
  if (options.listenerPort > 0) set('X-Forwarded-Port', String(options.listenerPort));
  if (options.sendForwarded) writer.field('Forwarded', forwardedChain(options).join(', '));
}

/** More proxies in a row than anybody has. */
const ELEMENTS_MAX = 32;

/** RFC 7239 4: one element for each hop. A chain that names the client goes on; else it begins with what is known. */
function forwardedChain({
  request,
  source,
  peerTrusted,
  clientAddress,
  peerAddress,
  proto,
}: ForwardedFields): string[] {
  const { fields } = request.head;
  const ours = {
    host: request.host,
    proto: proto ?? firstValueOf(fields, 'x-forwarded-proto')?.toLowerCase() ?? 'http',
  };
  const chain = peerTrusted && source === 'forwarded' ? soundElements(valuesOf(fields, 'forwarded'), ELEMENTS_MAX) : [];
  if (chain.length > 0) return [...chain, writeElement(peerAddress, ours)];
  if (clientAddress === peerAddress) return [writeElement(peerAddress, ours)];
  return [writeElement(clientAddress, ours), writeElement(peerAddress)];
}
