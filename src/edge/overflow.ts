// Connections for which there is no room: a few are told why, a few may ask a listener with a `health_path` for health
// first, all others are cut off. It decides nobody's room.

/** The most that are told at a time. They live on the descriptors kept in reserve (net/open-files). */
export const TOLD_MAX = 4;
/** Places of those who may ask for health; their descriptors are reserved where a listener has a `health_path`. */
export const PROBES_MAX = 8;

export class Overflow<Connection> {
  /** At most TOLD_MAX. */
  private readonly told = new Set<Connection>();
  /** At most PROBES_MAX, by when they came. */
  private readonly asking = new Set<Connection>();

  /** Connections that live here, beyond those for which there is room. */
  get size(): number {
    return this.told.size + this.asking.size;
  }

  get canTell(): boolean {
    return this.told.size < TOLD_MAX;
  }

  tell(connection: Connection): void {
    this.told.add(connection);
  }

  /**
   * Gives who has to go for it: whoever has had such a place for longest. A probe asks at once, so no number of silent
   * connections keeps it out.
   */
  letAsk(connection: Connection): Connection | null {
    const [oldest] = this.asking;
    const isFull = this.asking.size >= PROBES_MAX;
    this.asking.add(connection);
    return isFull ? (oldest ?? null) : null;
  }

  isTold(connection: Connection): boolean {
    return this.told.has(connection);
  }

  /** `next` takes the place of `connection`, if it has one. */
  replace(connection: Connection, next: Connection): void {
    if (this.told.delete(connection)) this.told.add(next);
    if (this.asking.delete(connection)) this.asking.add(next);
  }

  leave(connection: Connection): void {
    this.told.delete(connection);
    this.asking.delete(connection);
  }
}
