// The secret from which session tickets are protected while the config names none: random, the same for all listeners
// of this process, and another one after a while: what is recorded today cannot be read with a key of next week.

import { randomBytes } from 'node:crypto';

const SECRET_BYTES = 48;
/** RFC 5077 5.5 wants it changed regularly. What a client holds then makes one full handshake. */
const ROTATE_AFTER_MS = 12 * 3_600_000;

/** One that another process goes on with. `secret`: base64. */
export interface KeptSecret {
  readonly secret: string;
  /** On the wall clock; null: it was not used yet. */
  readonly since: number | null;
}

export class TicketSecrets {
  private secret: Buffer;
  private since: number | null;
  private isGiven = false;

  constructor(kept: KeptSecret | null = null) {
    this.secret = kept === null ? randomBytes(SECRET_BYTES) : Buffer.from(kept.secret, 'base64');
    this.since = kept?.since ?? null;
  }

  get kept(): KeptSecret {
    return { secret: this.secret.toString('base64'), since: this.since };
  }

  /** One of another process, which makes the next one, too: tickets of either are good at both. */
  take(secret: Uint8Array): void {
    this.secret = Buffer.from(secret);
    this.isGiven = true;
  }

  /** The one in force; another buffer when it has changed. `now`: of the wall, which may be set back. */
  current(now: number): Buffer {
    if (this.isGiven) return this.secret;
    this.since ??= now;
    if (now < this.since || now - this.since >= ROTATE_AFTER_MS) {
      this.secret = randomBytes(SECRET_BYTES);
      this.since = now;
    }
    return this.secret;
  }
}
