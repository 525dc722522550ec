// A doubly linked list whose links belong to what is listed: both ends, append and remove in O(1), no allocation.

/** One place in one chain; a thing that stands in several chains has one for each. */
export class Link<T> {
  readonly item: T;
  /** The rest belongs to the chain. */
  chain: Chain<T> | null = null;
  next: Link<T> | null = null;
  previous: Link<T> | null = null;

  constructor(item: T) {
    this.item = item;
  }
}

export class Chain<T> {
  size = 0;
  private firstLink: Link<T> | null = null;
  private lastLink: Link<T> | null = null;

  get first(): T | null {
    return this.firstLink === null ? null : this.firstLink.item;
  }

  get last(): T | null {
    return this.lastLink === null ? null : this.lastLink.item;
  }

  /** To the end, from wherever it stands. */
  append(link: Link<T>): void {
    link.chain?.remove(link);
    link.chain = this;
    link.previous = this.lastLink;
    if (this.lastLink === null) this.firstLink = link;
    else this.lastLink.next = link;
    this.lastLink = link;
    this.size += 1;
  }

  /** Does nothing when it does not stand here. */
  remove(link: Link<T>): void {
    if (link.chain !== this) return;
    const { next, previous } = link;
    if (previous === null) this.firstLink = next;
    else previous.next = next;
    if (next === null) this.lastLink = previous;
    else next.previous = previous;
    link.chain = null;
    link.next = null;
    link.previous = null;
    this.size -= 1;
  }
}
