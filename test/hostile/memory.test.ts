import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { PlainRig } from '../edge/plain-rig.ts';
import { SWITCHED } from '../edge/rig.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { RawClient } from '../support/raw-client.ts';
import { binary, upgradeRequest } from '../support/wire.ts';

const MIB = 2 ** 20;
const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
/** Of 100 MiB. */
const [REFUSES, SHEDS] = [90 * MIB, 95 * MIB];
const LOOK_MS = 250;
const NOT_ENDED = [null, null];
const GET = ['GET /page HTTP/1.1', 'Host: a', '', ''];

/** Sessions and plain requests by one route. */
class MemoryRig extends PlainRig {
  private dials = 0;

  constructor(limits: ConfigInput['limits'] = { max_memory: '100MiB' }) {
    super({ upstream: 'chat' }, {}, configWith(limits));
  }

  retune(limits: ConfigInput['limits']): void {
    this.reload({ ...configWith(limits), routes: [{ name: 'echo', upstream: 'chat', http: 'pages' }] });
  }

  /** As many bytes are taken at the next look. */
  async take(rss: number, external = 0): Promise<void> {
    this.memory = { rss, external };
    await this.wait(LOOK_MS);
  }

  async openChat(): Promise<{ client: MemoryTransport; backend: MemoryTransport }> {
    const client = this.connect(upgradeRequest({ path: '/chat' }));
    const backend = await this.switchBackend(this.dials++);
    expect(await this.answer(client)).toBe(SWITCHED);
    return { client, backend };
  }

  /** A session whose client takes nothing of `bytes`, the beginning of a message. */
  async openSlow(bytes: number): Promise<MemoryTransport> {
    const { client, backend } = await this.openChat();
    client.setRoom(0);
    backend.send(binary(Buffer.alloc(bytes)).subarray(0, bytes));
    await this.settle(backend);
    return client;
  }

  /** The same of a plain request. */
  async askSlow(bytes: number): Promise<MemoryTransport> {
    const client = await this.ask(...GET);
    client.setRoom(0);
    await this.say(
      this.backend(this.dials++),
      `HTTP/1.1 200 OK\r\nContent-Length: ${bytes + 1}\r\n\r\n${'x'.repeat(bytes)}`,
    );
    return client;
  }

  /** What a handshake and a plain request are told. */
  async told(): Promise<string[]> {
    const answers: string[] = [];
    for (const request of [upgradeRequest({ path: '/chat' }), Buffer.from(GET.join('\r\n'))]) {
      const client = this.connect(request);
      await this.turns(8);
      answers.push(client.received.toString('latin1').split('\r\n')[0] ?? '');
      // One that waits for its backend is let in.
      client.rst();
      client.pump();
      if (answers.at(-1) === '') this.dials += 1;
    }
    return answers;
  }

  get events(): string[] {
    return this.tap.lines.map(({ event }) => String(event)).filter((event) => event.startsWith('memory.'));
  }
}

const configWith = (limits: ConfigInput['limits']) => ({
  upstreams: {
    chat: { targets: [{ url: 'ws://127.0.0.1:1' }] },
    pages: { targets: [{ url: 'http://127.0.0.1:1' }] },
  },
  limits: { max_buffered: '1MiB', ...limits },
});

test('E28: above 90 % handshakes and requests get 503, at it they come in; who is there stays', async () => {
  const rig = new MemoryRig();
  const { client } = await rig.openChat();
  const slow = await rig.openSlow(50_000);
  await rig.take(REFUSES);
  expect(await rig.told()).toEqual(['', '']);
  await rig.take(REFUSES + 1);
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
  expect(rig.tap.lines.filter(({ error }) => error === 'overload')).toMatchObject([
    { event: 'handshake.refused', status: 503, cause: 'max_memory' },
    { event: 'http.request', status: 503, cause: 'max_memory' },
  ]);
  expect(rig.edge.metrics.route('echo').fromClient.limitHits.of('max_memory')).toBe(2);
  await rig.take(SHEDS);
  expect([client.destroyed, slow.destroyed, rig.edge.sessions.size]).toEqual([false, false, 2]);
  await rig.take(REFUSES);
  expect(await rig.told()).toEqual(['', '']);
  expect(rig.events).toEqual(['memory.short', 'memory.enough']);
});

test('E28: nobody is refused for garbage: it is collected first, each 10 s at most', async () => {
  const rig = new MemoryRig();
  rig.whenCollected = { rss: 20 * MIB, external: 0 };
  await rig.take(REFUSES);
  expect(rig.collections).toBe(0);
  await rig.take(REFUSES + 1);
  expect([rig.collections, await rig.told(), rig.events]).toEqual([1, ['', ''], []]);
  rig.whenCollected = null;
  await rig.take(REFUSES + 1);
  expect([rig.collections, await rig.told()]).toEqual([1, [UNAVAILABLE, UNAVAILABLE]]);
  rig.whenCollected = { rss: 20 * MIB, external: 0 };
  await rig.wait(10_000 - 2 * LOOK_MS);
  expect(rig.collections).toBe(1);
  await rig.wait(LOOK_MS);
  expect([rig.collections, await rig.told(), rig.events]).toEqual([2, ['', ''], ['memory.short', 'memory.enough']]);
});

test('E28: above 95 % those end that hold the most for slow readers, no more than it takes', async () => {
  const rig = new MemoryRig();
  const small = await rig.openSlow(40_000);
  const request = await rig.askSlow(60_000);
  const large = await rig.openSlow(80_000);
  const { client: quick } = await rig.openChat();
  await rig.take(SHEDS + 1);
  const ended = () => [small, request, large, quick].map(({ destroyed }) => destroyed);
  expect(ended()).toEqual([false, false, true, false]);
  const ends = [...rig.edge.sessions].map(({ session }) => [session.cause, session.limit]);
  expect(ends).toEqual([NOT_ENDED, ['overload', 'max_memory'], NOT_ENDED]);
  // What it held is not collected yet: only more than that ends others.
  await rig.take(SHEDS + 1);
  expect(ended()).toEqual([false, false, true, false]);
  await rig.take(SHEDS + 1 + 60_000);
  expect(ended()).toEqual([false, true, true, false]);
  await rig.wait(10_000 - LOOK_MS);
  expect(ended()).toEqual([false, true, true, false]);
  await rig.wait(LOOK_MS);
  expect(ended()).toEqual([true, true, true, false]);
  expect(rig.requests).toMatchObject([{ status: 200, error: 'overload', cause: 'max_memory' }]);
  // Nobody is slow: what takes the memory is something else, and the ends of others would not give it back.
  await rig.take(99 * MIB);
  expect(ended()).toEqual([true, true, true, false]);
});

test('E28: a reload sets, raises and lifts it at once; what cannot be read leaves things as they are', async () => {
  const rig = new MemoryRig({});
  const slow = await rig.openSlow(50_000);
  await rig.take(SHEDS + 1);
  expect(await rig.told()).toEqual(['', '']);
  rig.retune({ max_memory: '100MiB' });
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
  expect(slow.destroyed).toBe(false);
  rig.retune({ max_memory: '200MiB' });
  expect(await rig.told()).toEqual(['', '']);
  await rig.take(181 * MIB);
  rig.memory = null;
  await rig.wait(LOOK_MS);
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
  rig.retune({});
  expect(await rig.told()).toEqual(['', '']);
  expect(rig.events).toEqual(['memory.short', 'memory.enough', 'memory.short', 'memory.enough']);
});

test('E28: what buffers gave back is free though it is still resident, up to a higher peak', async () => {
  const rig = new MemoryRig();
  await rig.take(99 * MIB, 50 * MIB);
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
  await rig.take(99 * MIB - 1, 41 * MIB);
  expect(await rig.told()).toEqual(['', '']);
  // The system got some of it, which is free only once.
  await rig.take(95 * MIB, 45 * MIB);
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
  await rig.take(95 * MIB, 40 * MIB);
  expect(await rig.told()).toEqual(['', '']);
  await rig.take(99 * MIB + 1, 40 * MIB);
  expect(await rig.told()).toEqual([UNAVAILABLE, UNAVAILABLE]);
});

test('E28: it is the memory of the process that counts, and the limit is a metric', async () => {
  const memory = { rss: 64 * MIB, heapTotal: 0, heapUsed: 0, external: 0 };
  const view = { version: 'v20', cpuUsage: () => ({ user: 0, system: 0 }), getActiveResourcesInfo: () => [] };
  const limits = { max_memory: '64MiB' };
  const config = oneRoute('builtin:echo', {}, { limits, admin: { address: '127.0.0.1:0' } });
  const running = await startProxy(config, { process: { ...view, memoryUsage: () => memory } });
  const client = await RawClient.connect(running.port);
  client.send(upgradeRequest({ path: '/' }));
  expect((await client.readResponse()).status).toBe(503);
  expect(await running.waitForLog('handshake.refused')).toMatchObject({ cause: 'max_memory' });
  const admin = running.proxy.adminAddress();
  const metrics = await fetch(`http://127.0.0.1:${typeof admin === 'string' ? '' : admin.port}/metrics`);
  expect(await metrics.text()).toMatch(/^framegate_memory_bytes_limit 67108864$/m);
});
