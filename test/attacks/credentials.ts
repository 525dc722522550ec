// The processes of attacks on `auth`: who brings credentials, and who is asked about them.

import { fileURLToPath } from 'node:url';
import { ChildScript } from '../../bench/support/child-process.ts';
import type { Task } from '../scale/demand.ts';
import type { AuthServerMood, AuthServerReply, AuthServerRequest } from './auth-server-process.ts';
import type { CredentialPlan, CredentialReply } from './credential-clients-process.ts';

/** Both leave the core to the proxy, and to the session that is measured. */
const NICE = 10;

export type CredentialClients = ChildScript<CredentialPlan, CredentialReply>;

export function startCredentialClients(task: Task): CredentialClients {
  return child(task, './credential-clients-process.ts');
}

export class AuthServerProcess {
  readonly port: number;
  private readonly script: ChildScript<AuthServerRequest, AuthServerReply>;

  private constructor(script: ChildScript<AuthServerRequest, AuthServerReply>, port: number) {
    this.script = script;
    this.port = port;
  }

  static async listen(task: Task): Promise<AuthServerProcess> {
    const script = child<AuthServerRequest, AuthServerReply>(task, './auth-server-process.ts');
    return new AuthServerProcess(script, (await script.ask({ kind: 'listen' })).port);
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async be(mood: AuthServerMood): Promise<void> {
    await this.script.ask({ kind: 'be', mood });
  }

  /** Since the last one. */
  tally(): Promise<AuthServerReply> {
    return this.script.ask({ kind: 'tally' });
  }
}

function child<Request, Reply>(task: Task, script: string): ChildScript<Request, Reply> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const started = new ChildScript<Request, Reply>(file, { core: null, nodeArgs: ['--import', 'tsx'], nice: NICE });
  task.atEnd(() => started.stop());
  return started;
}
