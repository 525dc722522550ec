// How a generation that has a parent gets the next one: it hands its listening sockets to the parent, which starts it
// and passes on what the two say.

import type { SendHandle } from 'node:child_process';
import { explain, type Generation, type Launch, type Program } from './generation.ts';
import { readFromParent, type ToParent } from './parent-messages.ts';

/** The process, with its channel to the parent. */
export interface ParentChannel {
  readonly connected?: boolean;
  send?(message: unknown, handle: SendHandle | undefined, options: undefined, done: () => void): boolean;
  on(name: 'message', listener: (message: unknown) => void): unknown;
  off(name: 'message', listener: (message: unknown) => void): unknown;
}

export function parentLauncherOf(program: Program, channel: ParentChannel): Launch {
  return (sockets, { onMessage, onEnd }): Generation => {
    let pid = 0;
    const send = (message: ToParent, handle?: unknown): void => {
      // Node sends the bare handles of its servers, too; its types do not say so.
      if (channel.connected === true) channel.send?.(message, handle as SendHandle | undefined, undefined, () => {});
    };
    const hear = (value: unknown): void => {
      const told = readFromParent(value);
      if (told?.kind === 'started') pid = told.pid;
      else if (told?.kind === 'said') onMessage(told.message);
      else if (told?.kind === 'ended') {
        channel.off('message', hear);
        onEnd(told.why);
      }
    };
    channel.on('message', hear);
    for (const [key, { handle }] of sockets) send({ kind: 'socket', key }, handle ?? undefined);
    send({ kind: 'launch' });
    return {
      get pid() {
        return pid;
      },
      send: (message) => send({ kind: 'tell', message }),
      kill: () => send({ kind: 'kill' }),
      explain: () => explain(program),
    };
  };
}
