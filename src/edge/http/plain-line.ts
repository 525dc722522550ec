// The requests of one connection that came before those in front of them were answered, and what stands behind them:
// nothing behind that is read. Who comes next is its owner's affair.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHead } from '../../protocol/http-head.ts';
import type { Refusal } from '../../protocol/refusals.ts';

/** What Node has read of one request. */
export interface Incoming {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
  /** When its first byte came, as far as that is known. */
  readonly at: number;
}

/** What comes when all in front are answered; the last of a connection, or of its life as one of plain requests. */
type Behind =
  /** What is not served: RFC 9112 9.3.2, it is sent again. */
  | { readonly kind: 'surplus' }
  | { readonly kind: 'broken'; readonly refusal: Refusal }
  /** Node has let go of the connection; `rest` came behind the head. */
  | { readonly kind: 'switch'; readonly head: RequestHead | Refusal; readonly rest: Buffer };

/** Browsers send none, and clients that do send a few. */
const WAITING_MAX = 16;
const SURPLUS: Behind = { kind: 'surplus' };

export class PlainLine {
  behind: Behind | null = null;
  /** Something came behind that. */
  hasMore = false;
  /** At most WAITING_MAX. */
  private readonly waiting: Incoming[] = [];

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  get newest(): Incoming | null {
    return this.waiting.at(-1) ?? null;
  }

  add(incoming: Incoming): void {
    if (this.behind !== null) this.hasMore = true;
    else if (this.waiting.length < WAITING_MAX) this.waiting.push(incoming);
    else this.behind = SURPLUS;
  }

  /** Broken are the bytes behind the newest, or its own body: then it is not served either. */
  break(refusal: Refusal): void {
    if (this.newest?.message.complete === false) this.waiting.pop();
    this.behind = { kind: 'broken', refusal };
  }

  next(): Incoming | null {
    return this.waiting.shift() ?? null;
  }

  clear(): void {
    this.waiting.length = 0;
    this.behind = null;
    this.hasMore = false;
  }
}

/** By what Node's parser says. */
export function brokenBy(code: string): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { slug: 'head_too_large', cause: code };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { slug: 'body_too_large', cause: code };
    case 'HPE_PAUSED_H2_UPGRADE':
      return { slug: 'http_version' };
    default:
      return { slug: 'http_syntax', cause: code };
  }
}
