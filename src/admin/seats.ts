// Who may stay connected to the admin listener. Silent connections make room for others, the oldest first, and some
// places are for probes alone: nobody who holds connections and says nothing makes a health check fail.

/** What is asked of a connection. */
interface Seated {
  destroy(): void;
}

/** Connections with requests that are answered at a time. */
const ANSWERED_MAX = 64;
/** Beyond them, for whoever asks for health only. */
const HEALTH_MAX = 8;
const SEATS_MAX = ANSWERED_MAX + HEALTH_MAX;
/** Beyond those, until the heads that came with their connections have been read. */
const ARRIVING_MAX = 64;

/** What is answered: `health` when there is room for nothing else. */
export type Seat = 'any' | 'health';

export class Seats<C extends Seated> {
  private readonly onceRead: (run: () => void) => void;
  /** By how many requests are being answered. Together with `silent` at most SEATS_MAX + ARRIVING_MAX. */
  private readonly asking = new Map<C, number>();
  /** Without a request; the one that has been it for longest first. */
  private readonly silent = new Set<C>();
  private isTrimming = false;

  /** `onceRead` calls `run` when what has come on the connections of now was read. */
  constructor(onceRead: (run: () => void) => void) {
    this.onceRead = onceRead;
  }

  /** A connection came in. */
  enter(connection: C): void {
    if (this.size >= SEATS_MAX + ARRIVING_MAX) {
      connection.destroy();
      return;
    }
    this.silent.add(connection);
    if (this.size <= SEATS_MAX || this.isTrimming) return;
    this.isTrimming = true;
    this.onceRead(() => this.trim());
  }

  /** It has asked something. Null: it is being closed. */
  asks(connection: C): Seat | null {
    const asked = this.asking.get(connection);
    if (asked === undefined && !this.silent.delete(connection)) return null;
    const seat = asked !== undefined || this.asking.size < ANSWERED_MAX ? 'any' : 'health';
    this.asking.set(connection, (asked ?? 0) + 1);
    return seat;
  }

  /** A request of its was answered, or given up. */
  answered(connection: C): void {
    const asked = this.asking.get(connection);
    if (asked === undefined) return;
    if (asked > 1) {
      this.asking.set(connection, asked - 1);
    } else {
      this.asking.delete(connection);
      this.silent.add(connection);
    }
  }

  leave(connection: C): void {
    this.asking.delete(connection);
    this.silent.delete(connection);
  }

  private get size(): number {
    return this.asking.size + this.silent.size;
  }

  private trim(): void {
    this.isTrimming = false;
    for (const connection of this.silent) {
      if (this.size <= SEATS_MAX) return;
      this.silent.delete(connection);
      connection.destroy();
    }
  }
}
