// The two ends of an IPC channel within one process: what is sent is there at once, as a copy.

import type { IpcEnd } from '../../src/fleet/channel.ts';

type Take = (message?: unknown, handle?: unknown) => void;

export class FakeIpc {
  /** Messages that were sent by either end. */
  sent = 0;
  connected = true;
  readonly one: IpcEnd;
  readonly other: IpcEnd;
  private readonly takers: Record<string, Take[]>[] = [{}, {}];

  constructor() {
    this.one = this.end(0, 1);
    this.other = this.end(1, 0);
  }

  private end(own: number, peer: number): IpcEnd {
    const ipc = this;
    return {
      get connected() {
        return ipc.connected;
      },
      send(message, handle, _options, done) {
        if (!ipc.connected) {
          done(new Error('closed'));
          return false;
        }
        ipc.sent += 1;
        ipc.tell(peer, 'message', structuredClone(message), handle);
        done(null);
        return true;
      },
      on(event: string, take: Take) {
        const takers = ipc.takers[own] ?? {};
        takers[event] = [...(takers[event] ?? []), take];
      },
      disconnect() {
        ipc.connected = false;
        for (const side of [own, peer]) ipc.tell(side, 'disconnect');
      },
    };
  }

  private tell(side: number, event: string, ...values: unknown[]): void {
    for (const take of this.takers[side]?.[event] ?? []) take(...values);
  }
}
