// The second reading of upgrade requests, the whole head at once: by the words of RFC 9112, 9110, 3986 and 6455, and
// behind that what framegate refuses by choice. It shares no code with the parsers that it is compared to.

import { isIPv6 } from 'node:net';
import { elementsOf, type Field, fieldsOf, isCommasAlone, isExtension, isToken, TOKEN, valuesOf } from './grammar.ts';

/** An upgrade request that is in order by the RFCs. */
interface Upgrade {
  readonly headBytes: number;
  readonly target: string;
  /** Of a target in absolute form, with the port that its scheme stands for. */
  readonly named: { readonly authority: string; readonly usualPort: number } | null;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fields: readonly Field[];
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
}

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
  readonly fields: readonly Field[];
  readonly protocols: readonly string[];
  readonly deflateOffers: readonly string[];
}

/** What browsers send besides RFC 3986's characters (WHATWG URL): accepted on purpose. */
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/|^[\]-]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^[!$-;=?-~]*$/;
const REG_NAME = /^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;
const PROTOCOL_NAME = new RegExp(`^${TOKEN}(?:/${TOKEN})?$`);

/** null when the bytes begin with a valid upgrade request; else the first thing that is wrong with it. */
export function strictFault(bytes: Buffer): string | null {
  const read = readUpgrade(bytes);
  return typeof read === 'string' ? read : null;
}

/** Null when the bytes do not begin with a complete upgrade request that framegate accepts. */
export function referenceRequest(bytes: Buffer, limits: ReferenceLimits): ReferenceRequest | null {
  const read = readUpgrade(bytes);
  if (typeof read === 'string' || isOver(read, limits)) return null;
  const hostname = hostnameOf(read);
  if (hostname === null || !isHarmless(read.path) || isUnwanted(read)) return null;
  const { headBytes, target, path, query, fields, protocols, extensions } = read;
  const deflateOffers = extensions.filter((each) => each.split(/[\t ;]/)[0] === 'permessage-deflate');
  return { headBytes, target, path, query, hostname, fields, protocols, deflateOffers };
}

function readUpgrade(bytes: Buffer): Upgrade | string {
  const all = bytes.toString('latin1');
  // RFC 9112 2.2: one empty line before it is passed over.
  const start = all.startsWith('\r\n') ? 2 : 0;
  const end = all.indexOf('\r\n\r\n', start);
  if (end === -1) return 'not complete';
  const [line = '', ...lines] = all.slice(start, end).split('\r\n');
  if (lines.length === 0) return 'no fields';
  const fields = fieldsOf(lines);
  if (typeof fields === 'string') return `no field line: ${JSON.stringify(fields.slice(0, 60))}`;
  const place = placeOf(line, valuesOf(fields, 'host'));
  if (typeof place === 'string') return place;
  const fault = upgradeFault(fields) ?? offersFault(fields) ?? framingFault(fields);
  if (fault !== null) return fault;
  const protocols = elementsOf(valuesOf(fields, 'sec-websocket-protocol'));
  const extensions = elementsOf(valuesOf(fields, 'sec-websocket-extensions'));
  return { ...place, headBytes: end + 4, fields, protocols, extensions };
}

function placeOf(
  line: string,
  hosts: readonly string[],
): Pick<Upgrade, 'target' | 'named' | 'host' | 'path' | 'query'> | string {
  const [, target] = /^GET ([\x21-\x7e]+) HTTP\/1\.1$/.exec(line) ?? [];
  if (target === undefined) return 'request line';
  const [host = ''] = hosts;
  if (hosts.length !== 1 || !isAuthority(host) || host === '') return 'Host';
  const [, scheme, authority = '', behind = ''] = /^(https?|wss?):\/\/([^/?#]+)(.*)$/i.exec(target) ?? [];
  if (scheme !== undefined && !isAuthority(authority)) return 'authority';
  const rest = scheme === undefined ? target : behind.replace(/^(?!\/)/, '/');
  const [path = ''] = rest.split('?', 1);
  const query = rest.slice(path.length);
  if (!PATH.test(path) || !QUERY.test(query)) return 'target';
  const usualPort = /^(https|wss)$/i.test(scheme ?? '') ? 443 : 80;
  return { target, named: scheme === undefined ? null : { authority, usualPort }, host, path, query };
}

/** RFC 3986 3.2.2 and 3.2.3; RFC 9110 4.2.4: no user information. */
function isAuthority(text: string): boolean {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(.*))?$/s.exec(text);
  if (match === null) return false;
  const [, name = '', port = ''] = match;
  return (name.startsWith('[') || REG_NAME.test(name)) && /^[0-9]*$/.test(port) && Number(port) <= 65_535;
}

/** RFC 6455 4.2.1. */
function upgradeFault(fields: readonly Field[]): string | null {
  const upgrades = elementsOf(valuesOf(fields, 'upgrade'));
  if (!upgrades.every((one) => PROTOCOL_NAME.test(one))) return 'Upgrade is no list of protocols';
  if (!upgrades.some((one) => one.toLowerCase() === 'websocket')) return 'Upgrade without websocket';
  const options = elementsOf(valuesOf(fields, 'connection'));
  if (!options.every(isToken)) return 'Connection is no list of tokens';
  if (!options.some((one) => one.toLowerCase() === 'upgrade')) return 'Connection without upgrade';
  const keys = valuesOf(fields, 'sec-websocket-key');
  if (keys.length !== 1 || !/^[A-Za-z0-9+/]{22}==$/.test(keys[0] ?? '')) return 'Sec-WebSocket-Key';
  if (valuesOf(fields, 'sec-websocket-version').join() !== '13') return 'Sec-WebSocket-Version';
  return valuesOf(fields, 'origin').length > 1 ? 'Origin twice' : null;
}

function offersFault(fields: readonly Field[]): string | null {
  const [named, offered] = [valuesOf(fields, 'sec-websocket-protocol'), valuesOf(fields, 'sec-websocket-extensions')];
  if (isCommasAlone(named) || isCommasAlone(offered)) return 'commas alone';
  const protocols = elementsOf(named);
  if (!protocols.every(isToken)) return 'Sec-WebSocket-Protocol';
  if (new Set(protocols).size < protocols.length) return 'Sec-WebSocket-Protocol with equals';
  return elementsOf(offered).every(isExtension) ? null : 'Sec-WebSocket-Extensions';
}

function framingFault(fields: readonly Field[]): string | null {
  if (valuesOf(fields, 'transfer-encoding').length > 0) return 'Transfer-Encoding';
  const lengths = valuesOf(fields, 'content-length');
  // RFC 6455 4.1: a handshake has no body.
  return lengths.length === 0 || lengths.join() === '0' ? null : 'Content-Length';
}

// From here on: what the RFCs allow and framegate does not.

const LISTED_MAX = 32;
/** In these no byte above 0x7f. */
const PLAIN_ONLY = /^(host|upgrade|connection|content-length|transfer-encoding|authorization|origin|sec-websocket-.*)$/;
/** Of the names that fuzzed requests give to Connection, those that are meant for the backend. */
const END_TO_END = new RegExp(
  '^(authorization|cookie|origin|host|content-length|expect|user-agent|via|forwarded|x-real-ip|x-request-id|' +
    'x-forwarded.*|sec-websocket-.*)$',
);

function isOver(upgrade: Upgrade, limits: ReferenceLimits): boolean {
  const { headBytes, target, fields, protocols, extensions } = upgrade;
  if (headBytes > limits.headBytesMax || target.length > limits.targetBytesMax) return true;
  return fields.length > limits.fieldsMax || protocols.length > LISTED_MAX || extensions.length > LISTED_MAX;
}

function isUnwanted({ fields }: Upgrade): boolean {
  if (fields.some(([name, value]) => PLAIN_ONLY.test(name.toLowerCase()) && /[\x80-\xff]/.test(value))) return true;
  if (valuesOf(fields, 'authorization').length > 1 || valuesOf(fields, 'expect').length > 0) return true;
  const key = valuesOf(fields, 'sec-websocket-key')[0] ?? '';
  if (Buffer.from(key, 'base64').length !== 16) return true;
  return elementsOf(valuesOf(fields, 'connection')).some((element) => END_TO_END.test(element.toLowerCase()));
}

/** The same place in the target as in Host, and a name that a resolver would take. */
function hostnameOf({ host, named }: Upgrade): string | null {
  const own = authorityOf(host);
  if (own === null || named === null) return own?.name ?? null;
  const other = authorityOf(named.authority);
  const isSame = other?.name === own.name && (other.port ?? named.usualPort) === (own.port ?? named.usualPort);
  return isSame ? own.name : null;
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
  if (path.startsWith('//') || path.includes('%00')) return false;
  const plain = path
    .replace(/%2e/gi, '.')
    .replace(/%3b/gi, ';')
    .replace(/%2f|%5c/gi, '/');
  return !plain.split('/').some((segment) => ['.', '..'].includes(segment.split(';', 1)[0] ?? ''));
}
