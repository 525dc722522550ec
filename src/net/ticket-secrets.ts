// The secret from which session tickets are protected while the config names none: random, the same for all listeners
// of this process, and another one after a while: what is recorded today cannot be read with a key of next week.

import { randomBytes } from 'node:crypto';

const SECRET_BYTES = 48;
/** RFC 5077 5.5 wants it changed regularly. What a client holds then makes one full handshake. */
const ROTATE_AFTER_MS = 12 * 3_600_000;

export class TicketSecrets {
  private secret = randomBytes(SECRET_BYTES);
  private since: number | null = null;
  private isGiven = false;

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
