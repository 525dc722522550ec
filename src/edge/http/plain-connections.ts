// The connections that serve plain requests: how many there are, and which of them do nothing. It decides who has to go
// for another one, and closes nobody.

/** Of all places, those that plain requests may hold: sessions may hold all. */
const SHARE = 2;

export class PlainConnections<Connection> {
  private readonly open = new Set<Connection>();
  /** Those that wait for their next request, the longest first. */
  private readonly idle = new Set<Connection>();

  get size(): number {
    return this.open.size;
  }

  /** False: they hold all that they may hold, of `placesMax`. */
  hasRoom(placesMax: number): boolean {
    return this.open.size < Math.max(1, Math.floor(placesMax / SHARE));
  }

  /** Who has done nothing for longest; null when all do something. */
  get longestIdle(): Connection | null {
    const [first] = this.idle;
    return first ?? null;
  }

  enter(connection: Connection): void {
    this.open.add(connection);
  }

  /** It serves no request, or one more has begun. */
  setIdle(connection: Connection, isIdle: boolean): void {
    this.idle.delete(connection);
    if (isIdle && this.open.has(connection)) this.idle.add(connection);
  }

  leave(connection: Connection): void {
    this.open.delete(connection);
    this.idle.delete(connection);
  }
}
