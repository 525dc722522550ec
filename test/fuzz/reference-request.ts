// A second opinion on upgrade requests: looks at the whole head at once, with regular expressions and with what Node
// knows of addresses. It says yes or no and what was asked for, and shares no code with the parsers it is compared to.

import { isIPv6 } from 'node:net';
import { referenceExtensions } from './reference-extensions.ts';

export interface ReferenceLimits {
  readonly headBytesMax: number;
  readonly targetBytesMax: number;
  readonly fieldsMax: number;
}

export interface ReferenceRequest {
  readonly headBytes: number;
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly hostname: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly protocols: readonly string[];
  readonly deflateOffers: readonly string[];
}

const TCHAR = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const FIELD_LINE = new RegExp(`^(${TCHAR}+):[\\t ]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const REQUEST_LINE = /^GET ([!$-;=?-[\]^_a-z|~]+(?:\?[!$-;=?-~]*)?) HTTP\/1\.1$/;
const PLAIN_ONLY = /^(host|upgrade|connection|content-length|transfer-encoding|authorization|origin|sec-websocket-.*)$/;
const ONCE = ['host', 'sec-websocket-key', 'sec-websocket-version', 'authorization', 'origin', 'content-length'];

/** Of the names that fuzzed requests give to Connection, those that are meant for the backend. */
const END_TO_END = new RegExp(
  '^(authorization|cookie|origin|host|content-length|expect|user-agent|via|forwarded|x-real-ip|x-request-id|' +
    'x-forwarded.*|sec-websocket-.*)$',
);

const SUBPROTOCOL = new RegExp(`^${TCHAR}+$`);
const LISTED_MAX = 32;

/** Null when the bytes do not begin with a complete upgrade request that is in order. */
export function referenceRequest(bytes: Buffer, limits: ReferenceLimits): ReferenceRequest | null {
  const all = bytes.toString('latin1');
  const skipped = all.startsWith('\r\n') ? 2 : 0;
  const end = all.indexOf('\r\n\r\n', skipped);
  if (end === -1 || end + 4 > limits.headBytesMax) return null;
  const [requestLine = '', ...lines] = all.slice(skipped, end).split('\r\n');
  const target = REQUEST_LINE.exec(requestLine)?.[1];
  if (target === undefined || target.length > limits.targetBytesMax) return null;
  if (lines.length > limits.fieldsMax) return null;
  const fields = lines.map((line) => fieldOf(line));
  if (fields.some((field) => field === null)) return null;
  const known = fields.filter((field) => field !== null);
  const request = judged(target, known);
  return request === null ? null : { ...request, headBytes: end + 4, target, fields: known };
}

function fieldOf(line: string): [string, string] | null {
  const [, name, text] = FIELD_LINE.exec(line) ?? [];
  if (name === undefined || text === undefined) return null;
  if (PLAIN_ONLY.test(name.toLowerCase()) && /[\x80-\xff]/.test(text)) return null;
  return [name, text.replace(/[\t ]+$/, '')];
}

function judged(
  target: string,
  fields: readonly [string, string][],
): Omit<ReferenceRequest, 'headBytes' | 'target' | 'fields'> | null {
  const values = (name: string) => fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  const list = (name: string) => elementsOf(values(name)).filter((element) => element !== '');
  const lower = (name: string) => list(name).map((element) => element.toLowerCase());
  if (ONCE.some((name) => values(name).length > 1)) return null;
  const [host] = values('host');
  const place = host === undefined ? null : placeOf(target, host);
  if (place === null || !isHarmless(place.path)) return null;
  if (!lower('upgrade').includes('websocket') || !lower('connection').includes('upgrade')) return null;
  if (lower('connection').some((element) => END_TO_END.test(element))) return null;
  const word = "[!#$%&'*+.^_`|~0-9a-z-]+";
  if (!lower('connection').every((element) => new RegExp(`^${word}$`).test(element))) return null;
  if (!lower('upgrade').every((element) => new RegExp(`^${word}(/${word})?$`).test(element))) return null;
  if (values('sec-websocket-version')[0] !== '13') return null;
  const key = values('sec-websocket-key')[0] ?? '';
  if (key.length !== 24 || Buffer.from(key, 'base64').length !== 16 || !/^[^-_=]+==$/.test(key)) return null;
  if (values('transfer-encoding').length > 0 || values('expect').length > 0) return null;
  if ((values('content-length')[0] ?? '0') !== '0') return null;
  const extensions = referenceExtensions(values('sec-websocket-extensions'));
  if (extensions === null) return null;
  const protocols = list('sec-websocket-protocol');
  if (protocols.length === 0 && values('sec-websocket-protocol').some((value) => value !== '')) return null;
  if (protocols.length > LISTED_MAX || new Set(protocols).size < protocols.length) return null;
  if (protocols.some((each) => !SUBPROTOCOL.test(each))) return null;
  const deflateOffers = extensions.filter((each) => each.split(/[\t ;]/)[0] === 'permessage-deflate');
  return { ...place, protocols, deflateOffers };
}

function elementsOf(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',').map((each) => each.replace(/^[\t ]+|[\t ]+$/g, '')));
}

function placeOf(target: string, host: string): Pick<ReferenceRequest, 'path' | 'query' | 'hostname'> | null {
  const own = authorityOf(host);
  if (own === null) return null;
  let rest = target;
  if (!target.startsWith('/')) {
    const [, scheme = '', authority = '', behind = ''] = /^(https?|wss?):\/\/([^/?]*)(.*)$/i.exec(target) ?? [];
    const named = authorityOf(authority);
    const usual = /^(https|wss)$/i.test(scheme) ? 443 : 80;
    if (named === null || named.name !== own.name || (named.port ?? usual) !== (own.port ?? usual)) return null;
    rest = behind.startsWith('/') ? behind : `/${behind}`;
  }
  const [path = ''] = rest.split('?', 1);
  return { path, query: rest.slice(path.length), hostname: own.name };
}

function authorityOf(text: string): { name: string; port: number | null } | null {
  const [, name = '', colon, digits = ''] = /^(\[[^\]]*\]|[^:]*)(:)?(.*)$/.exec(text) ?? [];
  if (colon === undefined && digits !== '') return null;
  const port = digits === '' ? null : Number(digits);
  if (port !== null && (!/^[1-9][0-9]*$/.test(digits) || port > 65_535)) return null;
  if (name.startsWith('[')) {
    const address = name.slice(1, -1);
    return isIPv6(address) && !address.includes('%') ? { name: name.toLowerCase(), port } : null;
  }
  const bare = name.replace(/\.$/, '');
  const isName = bare.length <= 253 && bare.split('.').every((label) => /^[A-Za-z0-9_-]+$/.test(label));
  return isName ? { name: bare.toLowerCase(), port } : null;
}

/** Whatever decodes `%2e`, `%2f`, `%5c` and `%3b`, and cuts parameters off, finds no segment that leads elsewhere. */
function isHarmless(path: string): boolean {
  if (path.startsWith('//')) return false;
  const escapes = path.match(/%.{0,2}/gs) ?? [];
  if (escapes.some((each) => !/^%[0-9A-Fa-f]{2}$/.test(each) || each === '%00')) return false;
  const plain = path
    .replace(/%2e/gi, '.')
    .replace(/%3b/gi, ';')
    .replace(/%2f|%5c/gi, '/');
  return !plain.split('/').some((segment) => ['.', '..'].includes(segment.split(';', 1)[0] ?? ''));
}
