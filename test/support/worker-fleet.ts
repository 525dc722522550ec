// Workers of a proxy within the test's own process: each is whole, with a channel of copies to its primary, so that a
// test has its clock and its log. vitest.config.ts has a layout where proxies have two.

import { EventEmitter } from 'node:events';
import { serveAsWorker, type WorkerMeans } from '../../src/fleet/worker.ts';
import type { LaunchWorker } from '../../src/fleet/worker-link.ts';
import { Workers } from '../../src/fleet/workers.ts';
import type { LogDestination } from '../../src/observe/log.ts';
import type { ProxyOptions } from '../../src/proxy.ts';
import { FakeIpc } from './fake-ipc.ts';

/** 1: the process that accepts carries its clients. */
export const workerCount = Number(process.env.FRAMEGATE_TEST_WORKERS ?? '1'); // of vitest.config.ts, or by hand

export const hasWorkers = workerCount > 1;

/** Those that look after what a config names for themselves: keys at a URL, answers of services, sessions of TLS. */
export const processCount = hasWorkers ? 1 + workerCount : 1;

type Means = Pick<WorkerMeans, 'clock' | 'wallNow' | 'log' | 'env'>;

/** What `createProxy` is to be told in this layout. */
export function workersOf(options: Partial<Means>, count = workerCount): Pick<ProxyOptions, 'workers'> {
  if (count < 2) return {};
  const { log, ...others } = options;
  const means = { env: {}, ...others, ...(log === undefined ? {} : { log: unnumbered(log) }) };
  return { workers: new Workers({ count, launch: () => ({ child: new WorkerHere(means), lane: null }) }) };
}

/** Tests of one process know the fields of its lines: which worker wrote one is not theirs to know. */
function unnumbered(log: LogDestination): LogDestination {
  return { ...log, write: (line) => log.write(line.replace(/,"worker":\d+/, '')) };
}

type Child = ReturnType<LaunchWorker>['child'];

class WorkerHere extends EventEmitter implements Child {
  readonly pid = process.pid;
  private readonly ipc = new FakeIpc();
  private isOver = false;

  constructor(means: Means) {
    super();
    const exit = (code: number): void => this.end(code, null);
    serveAsWorker({ ...means, end: this.ipc.other, process, exit });
    for (const event of ['message', 'disconnect'] as const) {
      this.ipc.one.on(event as 'message', (...values) => void this.emit(event, ...values));
    }
  }

  get connected(): boolean {
    return this.ipc.connected;
  }

  /** A descriptor of a worker's own is the same one here: its first close is that of whoever handed it over. */
  send(...message: Parameters<Child['send']>): boolean {
    const [, handle] = message;
    if (typeof handle === 'object' && handle !== null) {
      Reflect.set(handle, 'close', () => Reflect.deleteProperty(handle, 'close'));
    }
    return this.ipc.one.send(...message);
  }

  disconnect(): void {
    this.ipc.one.disconnect();
  }

  kill(signal: 'SIGKILL'): boolean {
    this.end(null, signal);
    return true;
  }

  private end(code: number | null, signal: string | null): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.ipc.connected) this.ipc.one.disconnect();
    setImmediate(() => this.emit('exit', code, signal));
  }
}
