// Sec-WebSocket-Extensions: its grammar, the offers that may go on, and whether a backend's answer fits an offer.
// It compresses nothing and changes no byte of what it lets through.

import { isOws, TOKEN } from './charset.ts';
import { isCommasAlone } from './lists.ts';

export const PERMESSAGE_DEFLATE = 'permessage-deflate';
/** Browsers send one offer, libraries up to four. */
export const OFFERS_MAX = 32;

interface Extension {
  /** As sent, without the whitespace around it. */
  readonly text: string;
  readonly name: string;
  readonly params: readonly ExtensionParam[];
}

interface ExtensionParam {
  readonly name: string;
  /** Unquoted; null for a parameter without a value. */
  readonly value: string | null;
}

type ExtensionAnswer =
  | { readonly ok: true; readonly text: string | null }
  | { readonly ok: false; readonly cause: string };

/**
 * RFC 6455 9.1, all lines as one list, which may be empty. Null when an element is malformed, when there is nothing but
 * commas, and when more than `OFFERS_MAX` are listed.
 */
export function parseExtensions(values: readonly string[]): Extension[] | null {
  const extensions: Extension[] = [];
  for (const value of values) {
    const scanner = new Scanner(value);
    do {
      // RFC 2616 2.1, RFC 9110 5.6.1.2: null elements are allowed, and count for nothing.
      if (scanner.atElementEnd) continue;
      if (extensions.length === OFFERS_MAX) return null;
      const extension = readExtension(scanner);
      if (extension === null) return null;
      extensions.push(extension);
    } while (scanner.skip(','));
    if (!scanner.atEnd) return null;
  }
  return extensions.length === 0 && isCommasAlone(values) ? null : extensions;
}

/** Judge what a backend's 101 names against the permessage-deflate offers it was sent. */
export function judgeExtensionAnswer(values: readonly string[], offers: readonly string[]): ExtensionAnswer {
  const answered = parseExtensions(values);
  if (answered === null) return { ok: false, cause: 'malformed Sec-WebSocket-Extensions' };
  const [answer, second] = answered;
  if (answer === undefined) return { ok: true, text: null };
  // RFC 6455 4.1(5): only what was offered; RFC 7692 5.1: and of permessage-deflate only one.
  if (second !== undefined) return { ok: false, cause: 'more than one extension' };
  if (answer.name !== PERMESSAGE_DEFLATE || offers.length === 0) return { ok: false, cause: 'extension not offered' };
  const agreed = readDeflateAnswer(answer);
  if (agreed === null) return { ok: false, cause: 'invalid permessage-deflate parameters' };
  const offered = parseExtensions(offers) ?? [];
  if (!offered.some((offer) => fitsOffer(agreed, offer))) {
    return { ok: false, cause: 'permessage-deflate parameters that fit no offer' };
  }
  return { ok: true, text: answer.text };
}

interface DeflateAnswer {
  readonly serverBits: number | null;
  readonly clientBits: number | null;
}

/** RFC 7692 7.1: no unknown parameter, none twice, and values as each of them has to have. */
function readDeflateAnswer(answer: Extension): DeflateAnswer | null {
  const seen = new Map<string, string | null>();
  for (const { name, value } of answer.params) {
    if (seen.has(name) || !isDeflateParam(name, value)) return null;
    seen.set(name, value);
  }
  return {
    serverBits: bitsOf(seen.get('server_max_window_bits')),
    clientBits: bitsOf(seen.get('client_max_window_bits')),
  };
}

function isDeflateParam(name: string, value: string | null): boolean {
  switch (name) {
    case 'server_no_context_takeover':
    case 'client_no_context_takeover':
      return value === null;
    case 'server_max_window_bits':
    case 'client_max_window_bits':
      // RFC 7692 7.1.2: decimal, 8 to 15, no leading zeros.
      return value !== null && WINDOW_BITS.test(value);
    default:
      return false;
  }
}

const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

function bitsOf(value: string | null | undefined): number | null {
  return value === undefined || value === null ? null : Number(value);
}

/**
 * Whether the answer says nothing that this offer does not allow. What it leaves out is the client's to judge: servers
 * in wide use take an offer of server_max_window_bits=15 or server_no_context_takeover without naming it, and nothing
 * is inflated here. RFC 7692 7.1.1 lets a server name both *_no_context_takeover unasked.
 */
function fitsOffer(answer: DeflateAnswer, offer: Extension): boolean {
  if (offer.name !== PERMESSAGE_DEFLATE) return false;
  const offered = new Map(offer.params.map((param) => [param.name, param.value]));
  // RFC 7692 7.1.2.1: the same or a smaller window; unasked, any.
  const serverMax = offered.get('server_max_window_bits') ?? null;
  if (serverMax !== null && answer.serverBits !== null && answer.serverBits > Number(serverMax)) return false;
  if (answer.clientBits === null) return true;
  // RFC 7692 7.1.2.2: only a client that offered it knows how to shrink its window.
  if (!offered.has('client_max_window_bits')) return false;
  const clientMax = offered.get('client_max_window_bits') ?? null;
  return clientMax === null || answer.clientBits <= Number(clientMax);
}

function readExtension(scanner: Scanner): Extension | null {
  scanner.skipOws();
  const start = scanner.at;
  const name = scanner.token();
  if (name === '') return null;
  let end = scanner.at;
  const params: ExtensionParam[] = [];
  while (scanner.skip(';')) {
    scanner.skipOws();
    const param = readParam(scanner);
    if (param === null) return null;
    params.push(param);
    end = scanner.at;
  }
  return { text: scanner.text.slice(start, end), name, params };
}

function readParam(scanner: Scanner): ExtensionParam | null {
  const name = scanner.token();
  if (name === '') return null;
  const nameEnd = scanner.at;
  // RFC 6455 9.1 is written in the grammar of RFC 2616 2.1, where blanks may stand between any two tokens.
  if (!scanner.skip('=')) {
    scanner.at = nameEnd;
    return { name, value: null };
  }
  scanner.skipOws();
  const value = scanner.take('"') ? scanner.quoted() : scanner.token();
  // RFC 6455 9.1: what a quoted string holds, unescaped, is a token too.
  return value === '' ? null : { name, value };
}

/** Reads one field value from left to right; every step moves forward, so the whole is linear. */
class Scanner {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  /** Whitespace, then a comma or the end of the text. */
  get atElementEnd(): boolean {
    this.skipOws();
    return this.atEnd || this.text[this.at] === ',';
  }

  skipOws(): void {
    while (isOws(this.text.charCodeAt(this.at))) this.at += 1;
  }

  take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at += 1;
    return true;
  }

  /** Whitespace, then `char`. */
  skip(char: string): boolean {
    this.skipOws();
    return this.take(char);
  }

  /** '' when none stands here. */
  token(): string {
    const start = this.at;
    while (TOKEN[this.text.charCodeAt(this.at)] === 1) this.at += 1;
    return this.text.slice(start, this.at);
  }

  /** The rest of a quoted string after its first quote; '' when it is not a token or has no end. */
  quoted(): string {
    let value = '';
    for (;;) {
      let code = this.text.charCodeAt(this.at);
      this.at += 1;
      if (code === QUOTE) return value;
      if (code === BACKSLASH) {
        code = this.text.charCodeAt(this.at);
        this.at += 1;
      }
      // NaN at the end of the text indexes nothing, so an open string ends here too.
      if (TOKEN[code] !== 1) return '';
      value += String.fromCharCode(code);
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
