// Connections to the admin listener that say nothing, and come back whenever they are closed, while a balancer probes.

import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { countsOf, type Demand } from '../scale/demand.ts';
import { Subject } from '../scale/subject.ts';

const CONNECTIONS = 200;
const PROBES = 30;
const EVERY_MS = 2_000;
/** As soon as it is closed it would be a flood of connections, which is another attack. */
const BACK_AFTER_MS = 100;

export const adminSilence: Demand = {
  name: 'admin-silence',
  title: `${CONNECTIONS} silent connections to the admin listener, and a probe every ${EVERY_MS / 1000} s`,
  openFiles: CONNECTIONS + 200,
  async run(task) {
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: echo, upstream: "builtin:echo" }]
`,
    );
    const crowd = new SilentCrowd(subject.adminPort, task.size(CONNECTIONS, CONNECTIONS));
    task.atEnd(() => crowd.leave());
    await crowd.enter();
    const statuses: number[] = [];
    const everyMs = task.size(EVERY_MS, 200);
    const probes = task.size(PROBES, 10);
    let longest = 0;
    for (let probe = 0; probe < probes; probe += 1) {
      await delay(everyMs);
      const startedAt = performance.now();
      statuses.push((await subject.ask('GET /readyz')).status);
      longest = Math.max(longest, performance.now() - startedAt);
    }
    task.findings.equal('answers to the probes', countsOf(statuses), { 200: probes });
    task.findings.check('somebody had to make room', crowd.closed > 0, `${crowd.closed} times`);
    task.findings.figure('the longest probe took', `${longest.toFixed(0)} ms`);
  },
};

class SilentCrowd {
  /** How often one was closed by the other side. */
  closed = 0;
  private readonly port: number;
  private readonly size: number;
  private readonly sockets = new Set<net.Socket>();
  private hasLeft = false;

  constructor(port: number, size: number) {
    this.port = port;
    this.size = size;
  }

  async enter(): Promise<void> {
    await Promise.all(Array.from({ length: this.size }, () => this.connect()));
  }

  leave(): void {
    this.hasLeft = true;
    for (const socket of this.sockets) socket.destroy();
  }

  private connect(): Promise<void> {
    return new Promise((resolve) => {
      const socket = net.connect(this.port, '127.0.0.1');
      this.sockets.add(socket);
      socket.resume();
      socket.on('error', () => {});
      socket.once('connect', () => resolve());
      socket.once('close', () => {
        resolve();
        this.sockets.delete(socket);
        if (this.hasLeft) return;
        this.closed += 1;
        void delay(BACK_AFTER_MS).then(() => {
          if (!this.hasLeft) void this.connect();
        });
      });
    });
  }
}
