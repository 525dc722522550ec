// permessage-deflate (RFC 7692) for the fuzzing peer: parses what was agreed on, compresses and inflates messages.
// Context takeover is done with preset dictionaries, which keeps every step synchronous.

import { deflateRawSync, inflateRawSync, constants as zlib } from 'node:zlib';

const TAIL = Buffer.from('0000ffff', 'hex');
const WINDOW_BITS_MAX = 15;

export interface DeflateTerms {
  readonly serverNoTakeover: boolean;
  readonly clientNoTakeover: boolean;
  readonly serverBits: number;
  readonly clientBits: number;
}

/** The parameters of one permessage-deflate element; null when it is another extension. */
export function parseTerms(element: string): DeflateTerms | null {
  const [name, ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
  if (name !== 'permessage-deflate') return null;
  const bits = (key: string) => {
    const found = parameters.find((one) => one.startsWith(`${key}=`));
    return found === undefined ? WINDOW_BITS_MAX : Number(found.slice(key.length + 1).replaceAll('"', ''));
  };
  return {
    serverNoTakeover: parameters.includes('server_no_context_takeover'),
    clientNoTakeover: parameters.includes('client_no_context_takeover'),
    serverBits: bits('server_max_window_bits'),
    clientBits: bits('client_max_window_bits'),
  };
}

/** One direction's context: the plaintext that back references may reach. */
class Context {
  private readonly windowBits: number;
  private readonly takeover: boolean;
  private window: Buffer = Buffer.alloc(0);

  constructor(windowBits: number, takeover: boolean) {
    this.windowBits = windowBits;
    this.takeover = takeover;
  }

  get options(): { windowBits: number; finishFlush: number; dictionary?: Buffer } {
    const shared = { windowBits: this.windowBits, finishFlush: zlib.Z_SYNC_FLUSH };
    return this.window.length === 0 ? shared : { ...shared, dictionary: this.window };
  }

  passed(plain: Buffer): void {
    if (!this.takeover) return;
    this.window = Buffer.concat([this.window, plain]).subarray(-(1 << this.windowBits));
  }
}

export class PerMessageDeflate {
  private readonly sending: Context;
  private readonly receiving: Context;

  constructor(terms: DeflateTerms, role: 'client' | 'server') {
    const client = new Context(terms.clientBits, !terms.clientNoTakeover);
    const server = new Context(terms.serverBits, !terms.serverNoTakeover);
    this.sending = role === 'client' ? client : server;
    this.receiving = role === 'client' ? server : client;
  }

  compress(plain: Buffer): Buffer {
    const bytes = deflateRawSync(plain, this.sending.options);
    this.sending.passed(plain);
    // RFC 7692 7.2.1: the tail of the sync flush is taken off.
    return bytes.subarray(0, bytes.length - TAIL.length);
  }

  /** Throws when the bytes are no DEFLATE data within the window agreed on. */
  inflate(bytes: Buffer): Buffer {
    const plain = inflateRawSync(Buffer.concat([bytes, TAIL]), this.receiving.options);
    this.receiving.passed(plain);
    return plain;
  }
}
