// Measures how long the messages of one session take while something else goes on.

import { fileURLToPath } from 'node:url';
import { ChildScript } from '../../bench/support/child-process.ts';
import type { Task } from '../scale/demand.ts';
import type { EchoReply, EchoRequest } from './echo-process.ts';

export class EchoMeter {
  private readonly script: ChildScript<EchoRequest, EchoReply>;

  private constructor(script: ChildScript<EchoRequest, EchoReply>) {
    this.script = script;
  }

  static async open(task: Task, port: number, path: string): Promise<EchoMeter> {
    const file = fileURLToPath(new URL('./echo-process.ts', import.meta.url));
    const script = new ChildScript<EchoRequest, EchoReply>(file, { core: null, nodeArgs: ['--import', 'tsx'] });
    task.atEnd(() => script.stop());
    await script.ask({ kind: 'open', port, path });
    return new EchoMeter(script);
  }

  async during(work: () => Promise<unknown>): Promise<EchoReply> {
    await this.script.ask({ kind: 'begin' });
    await work();
    return this.script.ask({ kind: 'end' });
  }
}

export function echoText({ count, p50, p99, max }: EchoReply): string {
  const [a, b, c] = [p50, p99, max].map((ms) => ms.toFixed(1));
  return `${count} echoes, p50 ${a} ms, p99 ${b} ms, longest ${c} ms`;
}
