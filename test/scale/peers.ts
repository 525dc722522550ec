// Starts the processes that play clients and backends, and ends them with their demand.

import { fileURLToPath } from 'node:url';
import { ChildScript } from '../../bench/support/child-process.ts';
import type { BackendReply, BackendRequest, BackendSession } from './backend-process.ts';
import type { ClientReply, ClientRequest } from './client-process.ts';
import type { Task } from './demand.ts';
import type { FloodReply, FloodRequest } from './flood-process.ts';

export type Clients = ChildScript<ClientRequest, ClientReply>;
export type Flood = ChildScript<FloodRequest, FloodReply>;

/** Backends, each listening on a port of its own. */
export class Backends {
  private readonly script: ChildScript<BackendRequest, BackendReply>;

  constructor(task: Task) {
    this.script = child(task, './backend-process.ts');
  }

  async listen(tls?: { readonly cert: string; readonly key: string }): Promise<number> {
    const reply = await this.script.ask({ kind: 'listen', ...(tls === undefined ? {} : { tls }) });
    return 'port' in reply ? reply.port : 0;
  }

  /** They are gone at once, with all their connections. */
  stop(): Promise<void> {
    return this.script.stop();
  }

  /** Every session so far whose path begins so. */
  async list(path: string): Promise<readonly BackendSession[]> {
    const reply = await this.script.ask({ kind: 'tally', path });
    return 'sessions' in reply ? reply.sessions : [];
  }

  /** The same by their paths, each of which is there once. */
  async sessions(path: string): Promise<ReadonlyMap<string, BackendSession>> {
    return new Map((await this.list(path)).map((one) => [one.path, one]));
  }
}

export function startClients(task: Task): Clients {
  return child(task, './client-process.ts');
}

export function startFlood(task: Task): Flood {
  return child(task, './flood-process.ts');
}

function child<Request, Reply>(task: Task, script: string): ChildScript<Request, Reply> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const started = new ChildScript<Request, Reply>(file, { core: null, nodeArgs: ['--import', 'tsx'] });
  task.atEnd(() => started.stop());
  return started;
}
