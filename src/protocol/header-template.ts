// The value of a header field with placeholders in it, such as "{client_ip}": read from its text, made ready for one
// route, and filled in for one request. It knows no config and chooses no fields.

import { claimTexts, type Holder } from './claims.ts';
import { isHopByHop, isProxyClaim, isReplacedClaim, isSafeName } from './field-names.ts';
import { encodeBytes, encodeList, encodeText } from './field-value.ts';
import { parametersOf, percentDecoded } from './form-query.ts';
import type { PathPattern } from './path.ts';
import type { JudgedRequest } from './request-place.ts';

/** What a request is asked for. `''` and null: nobody knows. */
export interface TemplateFacts {
  readonly request: JudgedRequest;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly peerTrusted: boolean;
  readonly requestId: string;
  readonly route: string;
  readonly listener: string;
  /** Of the client's TLS. */
  readonly tls: TemplateTls | null;
  /** Who it is by the route's auth. */
  readonly holder: Holder | null;
}

interface TemplateTls {
  readonly sni: string | null;
  readonly version: string;
  readonly certificate: {
    readonly subject: string;
    /** Items with a comma between them; one that holds a comma is quoted, as JSON is. */
    readonly san: string | null;
    readonly sha256: string;
  } | null;
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `argument`: what stands behind the dot of `{path.NAME}` and its like. */
  | { readonly kind: 'value'; readonly name: PlaceholderName; readonly argument: string };

export type TemplateFault =
  | { readonly kind: 'stray_brace' }
  /** Something else than printable ASCII. */
  | { readonly kind: 'text' }
  | { readonly kind: 'unknown'; readonly name: string }
  /** A known placeholder whose NAME cannot be one. */
  | { readonly kind: 'argument'; readonly name: string };

type TemplateResult =
  | { readonly ok: true; readonly parts: readonly TemplatePart[] }
  | { readonly ok: false; readonly fault: TemplateFault };

/** Gives an encoded value, `''` when there is none. */
type Reader = (facts: TemplateFacts) => string;

/** Ready for the requests of one route. */
export type Template = readonly (string | Reader)[];

const PRINTABLE = /^[\x20-\x7e]*$/;
const ARGUMENT = /^[\x21-\x7e]{1,128}$/;

const VALUES = {
  client_ip: ({ clientAddress }) => encodeBytes(clientAddress),
  peer_ip: ({ peerAddress }) => encodeBytes(peerAddress),
  host: ({ request }) => encodeBytes(request.host),
  path: ({ request }) => encodeBytes(percentDecoded(request.path)),
  request_id: ({ requestId }) => encodeBytes(requestId),
  route: ({ route }) => encodeText(route),
  listener: ({ listener }) => encodeText(listener),
  sni: ({ tls }) => encodeText(tls?.sni ?? ''),
  tls_version: ({ tls }) => encodeText(tls?.version ?? ''),
  'client_cert.subject': ({ tls }) => encodeText(tls?.certificate?.subject ?? ''),
  'client_cert.san': ({ tls }) => encodeList(itemsOf(tls?.certificate?.san ?? '')),
  'client_cert.sha256': ({ tls }) => encodeText(tls?.certificate?.sha256 ?? ''),
  identity: ({ holder }) => encodeText(holder?.identity ?? ''),
  auth: ({ holder }) => encodeText(holder?.auth ?? ''),
} as const satisfies Record<string, Reader>;

/** Those with a NAME behind a dot: which names it may have, and what reads it. */
const NAMED_VALUES = {
  'path.': {
    fits: (argument) => ARGUMENT.test(argument),
    reader: (argument, { segments }) => {
      const index = segments.findIndex((segment) => segment.kind === 'param' && segment.name === argument);
      return ({ request }) => encodeBytes(percentDecoded(segmentAt(request.path, index)));
    },
  },
  'query.': {
    fits: (argument) => ARGUMENT.test(argument),
    reader: (argument) => {
      return ({ request }) => encodeBytes(queryValue(request.query, argument));
    },
  },
  'header.': {
    fits: (argument) => isReadableName(argument.toLowerCase()),
    reader: (argument) => {
      const lower = argument.toLowerCase();
      return (facts) => encodeBytes(fieldValue(facts, lower));
    },
  },
  'claim.': {
    fits: (argument) => ARGUMENT.test(argument),
    reader: (argument) => {
      return ({ holder }) => encodeClaim(claimTexts(holder?.claims ?? null, argument));
    },
  },
  'forward.': {
    fits: (argument) => isSafeName(argument.toLowerCase()),
    reader: (argument) => {
      const lower = argument.toLowerCase();
      return ({ holder }) => encodeText(holder?.forwarded?.get(lower) ?? '');
    },
  },
} as const satisfies Record<string, NamedValue>;

interface NamedValue {
  readonly fits: (argument: string) => boolean;
  readonly reader: (argument: string, pattern: PathPattern) => Reader;
}

type PlaceholderName = keyof typeof VALUES | keyof typeof NAMED_VALUES;

/** As they are written. */
export const PLACEHOLDERS: readonly string[] = [
  ...Object.keys(VALUES),
  ...Object.keys(NAMED_VALUES).map((prefix) => `${prefix}NAME`),
];

/** `{{` and `}}` are braces that begin and end nothing. */
export function parseTemplate(text: string): TemplateResult {
  if (!PRINTABLE.test(text)) return faulty({ kind: 'text' });
  const parts: TemplatePart[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at] ?? '';
    const isBrace = char === '{' || char === '}';
    if (!isBrace || text[at + 1] === char) {
      literal += char;
      at += isBrace ? 2 : 1;
      continue;
    }
    const end = char === '{' ? text.indexOf('}', at) : -1;
    const inner = text.slice(at + 1, end);
    if (end === -1 || inner.includes('{')) return faulty({ kind: 'stray_brace' });
    const part = placeholderOf(inner);
    if (part.kind !== 'value') return faulty(part);
    if (literal !== '') parts.push({ kind: 'text', text: literal });
    literal = '';
    parts.push(part);
    at = end + 1;
  }
  if (literal !== '' || parts.length === 0) parts.push({ kind: 'text', text: literal });
  return { ok: true, parts };
}

/** Each `{path.NAME}` names a `{NAME}` of `pattern`. */
export function makeTemplate(parts: readonly TemplatePart[], pattern: PathPattern): Template {
  return parts.map((part) => {
    if (part.kind === 'text') return part.text;
    const { name, argument } = part;
    return isNamed(name) ? NAMED_VALUES[name].reader(argument, pattern) : VALUES[name];
  });
}

/** Null when one of its placeholders has no value. */
export function fillTemplate(template: Template, facts: TemplateFacts): string | null {
  let filled = '';
  for (const part of template) {
    const text = typeof part === 'string' ? part : part(facts);
    if (text === '' && typeof part !== 'string') return null;
    filled += text;
  }
  return filled;
}

/** A comma within quotes ends no item. */
function itemsOf(list: string): readonly string[] {
  return list.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [];
}

function faulty(fault: TemplateFault): TemplateResult {
  return { ok: false, fault };
}

function placeholderOf(inner: string): Extract<TemplatePart, { kind: 'value' }> | TemplateFault {
  if (isPlain(inner)) return { kind: 'value', name: inner, argument: '' };
  const name = inner.slice(0, inner.indexOf('.') + 1);
  if (!isNamed(name)) return { kind: 'unknown', name: inner };
  const argument = inner.slice(name.length);
  return NAMED_VALUES[name].fits(argument) ? { kind: 'value', name, argument } : { kind: 'argument', name: inner };
}

function isPlain(name: string): name is keyof typeof VALUES {
  return Object.hasOwn(VALUES, name);
}

function isNamed(name: string): name is keyof typeof NAMED_VALUES {
  return Object.hasOwn(NAMED_VALUES, name);
}

/** A single text keeps its commas, as it has them. */
function encodeClaim(texts: readonly string[]): string {
  return texts.length === 1 ? encodeText(texts[0] ?? '') : encodeList(texts);
}

/** Fields of one hop, and those that we make anew, are never read as the client sent them. */
function isReadableName(lower: string): boolean {
  return lower.length <= 64 && isSafeName(lower) && !isHopByHop(lower) && !isReplacedClaim(lower);
}

/** All lines of it as one list, RFC 9110 5.3; `''` when the backend would not get it either. */
function fieldValue({ request, peerTrusted }: TemplateFacts, lower: string): string {
  if (request.nominated.has(lower) || (!peerTrusted && isProxyClaim(lower))) return '';
  const values: string[] = [];
  for (const field of request.head.fields) if (field.lower === lower && field.value !== '') values.push(field.value);
  return values.join(',');
}

/** The segment of that number, as it was sent. The route's pattern has matched: it is there. */
function segmentAt(path: string, index: number): string {
  return path.split('/', index + 2)[index + 1] ?? '';
}

/** The first of that name. */
function queryValue(query: string, name: string): string {
  return parametersOf(query).find((parameter) => parameter.name === name)?.value ?? '';
}
