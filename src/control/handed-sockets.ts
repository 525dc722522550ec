// Listening sockets that another process bound and handed over, by what they are for: each is taken once, by whoever
// listens at it from then on. What the next process gets of them is told here, too.

import { closeSync } from 'node:fs';
import type { AdminConfig, ListenerConfig } from '../config/types.ts';
import type { ListeningSocket } from '../net/listen.ts';
import { bindKey, takesAnyPort } from '../protocol/addresses/bind-address.ts';

/** Those of a service manager are its own affair: they may be wanted by a later config. */
const FOREIGN = 'fd:';

type Named = readonly [key: string, socket: ListeningSocket];

/** Of those with port 0 there may be several: their names tell them apart. */
export function listenerKey({ address, name }: ListenerConfig): string {
  return takesAnyPort(address) ? `${bindKey(address)}\n${name}` : bindKey(address);
}

export function adminKey({ address }: AdminConfig): string {
  return address.kind === 'fd' ? bindKey(address) : `admin:${bindKey(address)}`;
}

/** What there is to hand over of an admin listener. */
export function adminSocket(config: AdminConfig | null, socket: ListeningSocket | null): readonly Named[] {
  return config === null || socket === null ? [] : [[adminKey(config), socket]];
}

export class HandedSockets {
  /** Descriptors. One may have several names. */
  private readonly left: Map<string, number>;
  /** Of those that were taken, with that by which they were. */
  private readonly names = new Map<string, readonly string[]>();

  constructor(sockets: ReadonlyMap<string, number> = new Map()) {
    this.left = new Map(sockets);
  }

  has(key: string): boolean {
    return this.left.has(key);
  }

  /** Null: none was handed over for this, or somebody has it. */
  take(key: string): number | null {
    const fd = this.left.get(key);
    if (fd === undefined) return null;
    const names = [...this.left].filter(([, one]) => one === fd).map(([name]) => name);
    for (const name of names) this.left.delete(name);
    this.names.set(key, names);
    return fd;
  }

  /** Who would connect there would wait for nobody. */
  closeRest(): void {
    for (const [key, fd] of this.left) {
      if (key.startsWith(FOREIGN)) continue;
      this.left.delete(key);
      closeSync(fd);
    }
  }

  /** For the next process: `bound` by all their names, and what nobody has wanted so far. */
  handOn(bound: Iterable<Named>): ReadonlyMap<string, ListeningSocket> {
    const left = [...this.left].map(([key, fd]): Named => [key, { fd, handle: null }]);
    const all = [...bound].flatMap(([key, one]) => (this.names.get(key) ?? [key]).map((name): Named => [name, one]));
    return new Map([...left, ...all]);
  }
}
