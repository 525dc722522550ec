// Listening sockets that another process bound and handed over, by what they are for: each is taken once, by whoever
// listens at it from then on. Those that nobody wants are closed.

import { closeSync } from 'node:fs';
import type { AdminConfig, ListenerConfig } from '../config/types.ts';
import { bindKey, takesAnyPort } from '../protocol/addresses/bind-address.ts';

/** Of those with port 0 there may be several: their names tell them apart. */
export function listenerKey({ address, name }: ListenerConfig): string {
  return takesAnyPort(address) ? `${bindKey(address)}\n${name}` : bindKey(address);
}

export function adminKey({ address }: AdminConfig): string {
  return `admin:${bindKey(address)}`;
}

/** What there is to hand over of an admin listener. */
export function adminSocket(config: AdminConfig | null, fd: number | null): readonly (readonly [string, number])[] {
  return config === null || fd === null ? [] : [[adminKey(config), fd]];
}

export class HandedSockets {
  /** Descriptors. */
  private readonly left: Map<string, number>;

  constructor(sockets: ReadonlyMap<string, number> = new Map()) {
    this.left = new Map(sockets);
  }

  has(key: string): boolean {
    return this.left.has(key);
  }

  /** Null: none was handed over for this, or somebody has it. */
  take(key: string): number | null {
    const fd = this.left.get(key) ?? null;
    this.left.delete(key);
    return fd;
  }

  /** Who would connect there would wait for nobody. */
  closeRest(): void {
    for (const fd of new Set(this.left.values())) closeSync(fd);
    this.left.clear();
  }
}
