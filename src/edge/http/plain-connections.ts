// The connections that serve plain requests: how many there are, and which of them do nothing. For another one the
// longest idle of them are closed; a busy one never is.

/** Of all places, those that plain requests may hold: sessions may hold all. */
const SHARE = 2;

interface Cuttable {
  cutOff(): void;
}

export class PlainConnections<Connection extends Cuttable> {
  private readonly open = new Set<Connection>();
  /** Those that wait for their next request, the longest first. */
  private readonly idle = new Set<Connection>();

  [Symbol.iterator](): Iterator<Connection> {
    return this.open.values();
  }

  get size(): number {
    return this.open.size;
  }

  get idleCount(): number {
    return this.idle.size;
  }

  get idleOnes(): readonly Connection[] {
    return [...this.idle];
  }

  /** Whether there is room for one more of them, of `placesMax` for all, once idle ones were closed for it. */
  makeRoom(placesMax: number): boolean {
    const most = Math.max(1, Math.floor(placesMax / SHARE));
    return this.cutIdleWhile(() => this.open.size >= most);
  }

  /** Closes idle ones, the longest idle first; false: none is left, and it is still so. */
  cutIdleWhile(isSo: () => boolean): boolean {
    while (isSo()) {
      const [first] = this.idle;
      if (first === undefined) return false;
      this.idle.delete(first);
      first.cutOff();
    }
    return true;
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
