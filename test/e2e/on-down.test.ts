// What becomes of live sessions when checks take their target down.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { CheckedBackend } from '../support/checked-backend.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const SPREAD = 60_000;

class Scene {
  readonly clock = new FakeClock();
  readonly backends: readonly CheckedBackend[];
  running!: RunningProxy;
  clients: Inbox[] = [];

  private constructor(backends: readonly CheckedBackend[]) {
    this.backends = backends;
  }

  /** Ten sessions, half of them on each of two targets, of which `a` is down. */
  static async start(on_down: 'keep' | 'drain' | 'close', own: { spread?: string } = {}): Promise<Scene> {
    const scene = new Scene([await CheckedBackend.listen(), await CheckedBackend.listen()]);
    const active = { type: 'http', interval: '1s', timeout: '900ms', rise: 1, fall: 1 } as const;
    const targets = scene.backends.map(({ url }, at) => ({ name: at === 0 ? 'a' : 'b', url }));
    const chat = {
      targets,
      balance: 'round_robin',
      health: { active, on_down },
      drain: { mode: 'keep', ...own },
    } as const;
    const config: ConfigInput = {
      listeners: anyPort,
      routes: [{ name: 'test', upstream: 'chat' }],
      upstreams: { chat },
      drain: { spread: `${SPREAD}ms`, timeout: '10m' },
      // What waits here waits for the clock of the test.
      timeouts: { client_ping_interval: 'off', backend_ping_interval: 'off', idle: 'off' },
    };
    scene.running = await startProxy(config, { clock: scene.clock });
    for (let at = 0; at < 10; at += 1) scene.clients.push(await connectWs(scene.running.port));
    await scene.until('target.down', 500);
    return scene;
  }

  /** Time goes on, until the log says so of target `a`. */
  async until(event: string, status: number): Promise<void> {
    const [a] = this.backends;
    if (a !== undefined) a.status = status;
    const before = this.running.logsOf(event).length;
    await expect
      .poll(
        () => {
          this.clock.advance(50);
          return this.running.logsOf(event).length;
        },
        { interval: 5, timeout: 10_000 },
      )
      .toBeGreaterThan(before);
  }

  /** Sessions that have ended: their clients get a Close and no echo. */
  async ends(): Promise<number> {
    for (const client of this.clients) client.socket.send('x');
    const answers = await Promise.all(this.clients.map((client) => client.next()));
    this.clients = this.clients.filter((_client, at) => answers[at]?.kind === 'text');
    return 10 - this.clients.length;
  }

  /** Sessions that have ended after `ms` more. */
  async after(ms: number): Promise<number> {
    const b = this.backends[1];
    const before = b?.checks ?? 0;
    this.clock.advance(ms);
    // What was due by now has been done when a later check is made.
    for (const more of [1, 2]) {
      await expect.poll(() => b?.checks, { interval: 5, timeout: 5_000 }).toBeGreaterThanOrEqual(before + more);
      this.clock.advance(more === 1 ? 1_250 : 0);
    }
    return this.ends();
  }
}

describe('health.on_down', () => {
  test('keep: they stay, and go on', async () => {
    const scene = await Scene.start('keep');
    expect(await scene.after(SPREAD)).toBe(0);
  });

  test('close: those of that target get Close 1012 at once, and no others', async () => {
    const scene = await Scene.start('close');
    const clients = [...scene.clients];
    await expect.poll(() => scene.running.logsOf('session.end').length, { timeout: 5_000 }).toBe(5);
    const reasons = scene.running.logsOf('session.end').map(({ target, reason }) => `${target} ${reason}`);
    expect(new Set(reasons)).toEqual(new Set(['a target_drain']));
    expect(await scene.ends()).toBe(5);
    for (const client of clients.filter((one) => !scene.clients.includes(one)))
      expect(await client.closed()).toEqual({ code: 1012, reason: 'target drain' });
  });

  test.each([
    ['drain.spread of the process', {}, SPREAD],
    ['drain.spread of the upstream', { spread: '10s' }, 10_000],
  ])('drain: one after the other over %s, whatever its drain.mode', async (_what, own, spread) => {
    const scene = await Scene.start('drain', own);
    expect(await scene.ends()).toBe(1);
    const step = spread / 5;
    // Each comes up to half a step off its place, and the last one before the time is over.
    const halfway = await scene.after(1.8 * step);
    expect([2, 3]).toContain(halfway);
    expect(await scene.after(2.7 * step)).toBe(5);
  });

  test('drain: it stops where it is when the target comes up again, and begins anew the next time', async () => {
    const scene = await Scene.start('drain');
    expect(await scene.ends()).toBe(1);
    await scene.until('target.up', 200);
    expect(await scene.after(SPREAD)).toBe(1);
    await scene.until('target.down', 500);
    expect(await scene.ends()).toBe(2);
  });
});
