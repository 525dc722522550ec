// The load generator as seen from the process that leads the bench.

import { fileURLToPath } from 'node:url';
import { ChildScript } from '../support/child-process.ts';
import type { LoadPlan, Window, WindowResult } from './echo-load.ts';
import type { GeneratorReply, GeneratorRequest } from './generator.ts';
import type { HandshakePlan, HandshakeResult } from './handshakes.ts';
import type { PlainPlan, PlainResult } from './plain-load.ts';
import type { StormPlan, StormResult } from './storm.ts';

const SCRIPT = fileURLToPath(new URL('./generator.js', import.meta.url));

export class Generator {
  private readonly child: ChildScript<GeneratorRequest, GeneratorReply>;

  constructor(options: { readonly core: number | null; readonly nice?: number }) {
    this.child = new ChildScript(SCRIPT, { ...options, nodeArgs: ['--single-threaded'] });
  }

  get pid(): number {
    return this.child.pid;
  }

  async open(name: string, plan: LoadPlan, byTheClock = false): Promise<void> {
    await this.child.ask({ kind: 'open', name, plan, byTheClock });
  }

  async run(name: string, window: Window): Promise<WindowResult> {
    // The reply to `run` is always this.
    return (await this.child.ask({ kind: 'run', name, window })) as WindowResult;
  }

  /** Goes on until it is asked for; `measureMs` and `warmupMs` of the window mean nothing here. */
  async watch(name: string, window: Window): Promise<() => Promise<WindowResult>> {
    await this.child.ask({ kind: 'watch', name, window });
    // The reply to `unwatch` behind a `watch` is always this.
    return async () => (await this.child.ask({ kind: 'unwatch' })) as WindowResult;
  }

  async echoOnce(name: string): Promise<void> {
    await this.child.ask({ kind: 'echo-once', name });
  }

  async close(name: string): Promise<void> {
    await this.child.ask({ kind: 'close', name });
  }

  async handshakes(plan: HandshakePlan): Promise<HandshakeResult> {
    // The reply to `handshakes` is always this.
    return (await this.child.ask({ kind: 'handshakes', plan })) as HandshakeResult;
  }

  async plain(plan: PlainPlan): Promise<PlainResult> {
    // The reply to `plain` is always this.
    return (await this.child.ask({ kind: 'plain', plan })) as PlainResult;
  }

  async armStorm(plan: StormPlan): Promise<void> {
    await this.child.ask({ kind: 'arm-storm', plan });
  }

  async cutStorm(): Promise<void> {
    await this.child.ask({ kind: 'cut-storm' });
  }

  async storm(): Promise<StormResult> {
    // The reply to `storm` behind an `arm-storm` is always this.
    return (await this.child.ask({ kind: 'storm' })) as StormResult;
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}
