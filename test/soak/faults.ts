// The faults of a soak, one after the other by the seed: reloads good and broken, a backend that is killed, the process
// stopped for a moment, a log reader that hangs, crowds, drains. Each undoes itself before the next.

import { askAdminAt } from '../e2e/operating.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { Random } from '../support/random.ts';
import { resetSocket } from '../support/shim.ts';
import { Opcode } from '../support/wire.ts';
import { soakConfig } from './config.ts';
import type { Stage } from './soak.ts';
import { Visit, type World } from './world.ts';

const CROWD_MAX = 40;

export class Faults {
  private readonly world: World;
  private readonly stage: Stage;
  private readonly random: Random;
  private reloads = 0;
  private crowds = 0;

  constructor(world: World, stage: Stage, random: Random) {
    this.world = world;
    this.stage = stage;
    this.random = random;
  }

  async run(): Promise<void> {
    const { world, random } = this;
    const all: readonly (readonly [name: string, () => Promise<void>])[] = [
      ['reload', () => this.reload()],
      ['broken reload', () => this.brokenReload()],
      ['backend killed', () => this.killBackend()],
      ['stopped', () => this.stopProcess()],
      ['log stalled', () => this.stallLog()],
      ['crowd', () => this.crowd()],
      ['target drained', () => this.drainTarget()],
      ['sessions closed', () => this.closeSessions()],
      ['scraped', () => this.scrape()],
    ];
    while (!world.isStopping) {
      await world.pass(random.between(300, 2500));
      if (world.isStopping) return;
      const [name, happen] = random.pick(all);
      world.count(`faults: ${name}`);
      await happen().catch((error: unknown) => {
        if (this.stage.proxy.exit === null) world.watch.fault(`${name}: ${String(error)}`);
      });
    }
  }

  private async reload(): Promise<void> {
    this.reloads += 1;
    this.stage.proxy.writeConfig(soakConfig(this.stage.targets, this.reloads));
    await this.post('/api/v1/reload', 200);
  }

  private async brokenReload(): Promise<void> {
    const { proxy, targets } = this.stage;
    const broken = ['listeners: [', 'routes: [{ upstream: nowhere }]\n', 'nothing: true\n'];
    proxy.writeConfig(this.random.pick(broken));
    await this.post('/api/v1/reload', 422);
    proxy.writeConfig(soakConfig(targets, this.reloads));
  }

  private async killBackend(): Promise<void> {
    await this.stage.mortal.kill();
    await this.world.pass(this.random.between(50, 800));
    await this.stage.mortal.restart();
  }

  /** Asleep for longer than its timers like: when it wakes up, nobody may be blamed. */
  private async stopProcess(): Promise<void> {
    const { proxy } = this.stage;
    proxy.signal('SIGSTOP');
    await this.world.pass(this.random.between(200, 1800));
    proxy.signal('SIGCONT');
  }

  private async stallLog(): Promise<void> {
    this.stage.proxy.stallLog();
    await this.world.pass(this.random.between(500, 3000));
    this.stage.proxy.releaseLog();
  }

  /** Many come at once, say one thing, and leave at once, well or not. */
  private async crowd(): Promise<void> {
    this.crowds += 1;
    const { world, random } = this;
    const size = random.between(CROWD_MAX / 2, CROWD_MAX);
    const leave: (() => void)[] = [];
    const gone: Promise<unknown>[] = [];
    const enter = async (index: number): Promise<void> => {
      const visit = new Visit(world, new Random(random.uint32()), `crowd-${this.crowds}-${index}`);
      const opened = await visit.open('hostile', { port: world.ports.straight });
      if (typeof opened === 'number') {
        visit.fault(`refused with ${opened}`);
        return;
      }
      gone.push(opened.over);
      const answered = new Promise<void>((resolve) => {
        opened.onData = () => resolve();
      });
      await opened.send(Opcode.Text, visit.id);
      await Promise.race([answered, opened.over]);
      leave.push(() => (index % 2 === 0 ? opened.close(1001) : resetSocket(opened.socket)));
    };
    await Promise.all(Array.from({ length: size }, (_, index) => enter(index)));
    for (const one of leave) one();
    await Promise.all(gone);
  }

  private async drainTarget(): Promise<void> {
    const target = '/api/v1/upstreams/mortal/targets/mortal';
    await this.post(`${target}/drain`, 200);
    await this.world.pass(this.random.between(100, 1000));
    await this.post(`${target}/undrain`, 200);
  }

  private async closeSessions(): Promise<void> {
    await this.post('/api/v1/sessions/close?route=mortal&code=1012', 200);
  }

  private async scrape(): Promise<void> {
    parseMetrics(await this.stage.proxy.metrics(this.world.ports.admin));
    for (const path of ['sessions', 'status', 'advice', 'upstreams', 'config']) {
      const { status } = await askAdminAt(this.world.ports.admin, `GET /api/v1/${path}`);
      if (status !== 200) throw new Error(`GET ${path}: ${status}`);
    }
  }

  private async post(path: string, expected: number): Promise<void> {
    const { status, body } = await askAdminAt(this.world.ports.admin, `POST ${path}`);
    if (status !== expected) throw new Error(`POST ${path}: ${status} instead of ${expected}: ${body.slice(0, 500)}`);
  }
}
