// Giving up, told to whoever works on it. The part of AbortSignal that a handshake needs: a real one, an EventTarget,
// costs more than the rest of a dial.

/** An AbortSignal, or something that does as much of one. */
export interface AbortLike {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export class Abort implements AbortLike {
  aborted = false;
  /** At most one per stage of an opening, each removed when its stage is over. */
  private listeners: (() => void)[] = [];

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.listeners.indexOf(listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  /** Idempotent. */
  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    const told = this.listeners;
    this.listeners = [];
    for (const listener of told) listener();
  }
}
