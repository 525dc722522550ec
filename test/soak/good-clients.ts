// Clients that keep every rule: whatever goes on around them, every byte of theirs has to come back, and nobody but
// themselves may end their sessions.

import { Random } from '../support/random.ts';
import { type Frame, Opcode } from '../support/wire.ts';
import type { Endpoint } from './endpoint.ts';
import { bulkMessage, bulkMessages } from './soak-backend.ts';
import type { Visit } from './world.ts';

const MIB = 1_048_576;
const normalClosure = 1000;

/** Expects the frames that were sent, in order, each byte for byte. */
class Echoes {
  private readonly expected: { readonly opcode: number; readonly payload: Buffer; readonly fin: boolean }[] = [];
  private readonly visit: Visit;
  private readonly endpoint: Endpoint;
  private wake: () => void = () => {};

  constructor(visit: Visit, endpoint: Endpoint) {
    this.visit = visit;
    this.endpoint = endpoint;
    endpoint.onData = (received) => this.take(received);
    void endpoint.over.then(() => this.wake());
  }

  async send(opcode: number, payload: Buffer, fin = true): Promise<void> {
    if (!this.endpoint.isOpen) return;
    this.expected.push({ opcode, payload, fin });
    await this.endpoint.send(opcode, payload, fin);
  }

  /** Until all that was sent is back, or no more can come. */
  async complete(): Promise<void> {
    while (this.expected.length > 0 && !this.endpoint.socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private take(received: Frame): void {
    const { visit } = this;
    const next = this.expected.shift();
    const isRight =
      next !== undefined &&
      next.opcode === received.opcode &&
      next.fin === received.fin &&
      next.payload.equals(received.payload);
    if (isRight) visit.world.count('echoes');
    else visit.fault(`a wrong echo: ${received.payload.length} bytes instead of ${next?.payload.length}`);
    if (this.expected.length === 0) this.wake();
  }
}

/** A session that nobody may refuse nor end. */
async function openSteady(visit: Visit, route: string): Promise<Endpoint | null> {
  const { ports } = visit.world;
  const opened = await visit.open(route, { port: visit.random.chance(0.3) ? ports.rough : ports.straight });
  if (typeof opened !== 'number') return opened;
  visit.fault(`refused with ${opened}`);
  return null;
}

/** Its own Close, the answer to it, and a FIN. */
async function closeWell(visit: Visit, endpoint: Endpoint): Promise<void> {
  const wasOpen = endpoint.isOpen;
  endpoint.close(normalClosure);
  const { code, fin } = await endpoint.over;
  if (!wasOpen || code !== normalClosure || !fin) visit.fault(`ended by others: ${code}, ${fin ? 'FIN' : 'no FIN'}`);
}

export async function chat(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'chat');
  if (endpoint === null) return;
  await converse(visit, endpoint, visit.random.between(5, 50));
  await closeWell(visit, endpoint);
}

/** The same with a backend that is killed and drained now and then: what comes has to be right, if it comes. */
export async function mortalChat(visit: Visit): Promise<void> {
  const opened = await visit.open('mortal', { port: visit.world.ports.straight });
  if (typeof opened === 'number') {
    if (![0, 502, 503, 504].includes(opened)) visit.fault(`refused with ${opened}`);
    visit.world.count('refused while the backend was down');
    return;
  }
  await converse(visit, opened, visit.random.between(5, 50));
  const wasOpen = opened.isOpen;
  opened.close(normalClosure);
  const { code } = await opened.over;
  if (!wasOpen) visit.world.count('lost their backend');
  else if (code !== normalClosure && code !== 1012 && code !== undefined) visit.fault(`ended with ${code}`);
}

async function converse(visit: Visit, endpoint: Endpoint, messages: number): Promise<void> {
  const { random, world } = visit;
  const echoes = new Echoes(visit, endpoint);
  for (let sent = 0; sent < messages && endpoint.isOpen && !world.isStopping; sent++) {
    const parts = random.chance(0.2) ? random.between(2, 4) : 1;
    for (let part = 0; part < parts; part++) {
      const opcode = part > 0 ? Opcode.Continuation : Opcode.Binary;
      await echoes.send(opcode, random.bytes(random.between(0, 2000)), part === parts - 1);
    }
    if (random.chance(0.05)) await pingPong(visit, endpoint);
    if (random.chance(0.8)) await world.pass(random.between(1, 80));
  }
  await echoes.complete();
}

/** The backend itself answers; the proxy must not. */
async function pingPong(visit: Visit, endpoint: Endpoint): Promise<void> {
  const payload = visit.random.bytes(12);
  const answered = new Promise<Frame>((resolve) => {
    endpoint.onPong = resolve;
  });
  if (!endpoint.isOpen) return;
  await endpoint.ping(payload);
  const received = await Promise.race([answered, endpoint.over]);
  if ('payload' in received && !received.payload.equals(payload)) visit.fault('a pong that answers no ping of ours');
}

export async function ticks(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'ticks');
  if (endpoint === null) return;
  let next = 0;
  endpoint.onData = (received) => {
    if (received.payload.toString() !== String(next)) visit.fault(`tick ${received.payload} instead of ${next}`);
    next += 1;
    visit.world.count('ticks');
  };
  await visit.world.pass(visit.random.between(500, 4000));
  await closeWell(visit, endpoint);
}

export async function upload(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'upload');
  if (endpoint === null) return;
  const echoes = new Echoes(visit, endpoint);
  for (let sent = visit.random.between(1, 2); sent > 0 && !visit.world.isStopping; sent--) {
    await echoes.send(Opcode.Binary, blockOf(visit.random));
    visit.world.count('uploads of 1 MiB');
  }
  await echoes.complete();
  await closeWell(visit, endpoint);
}

/** 1 MiB in which no stretch is like another visit's; random bytes throughout would cost more than sending them. */
function blockOf(random: Random): Buffer {
  const block = Buffer.alloc(MIB, new Random(random.uint32()).bytes(4099));
  block.writeUInt32BE(random.uint32(), random.between(0, MIB - 4));
  return block;
}

/** Says nothing, but answers pings. */
export async function idle(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'idle');
  if (endpoint === null) return;
  await visit.world.pass(visit.random.between(1000, 9000));
  visit.world.count('pings answered', endpoint.pingsSeen);
  await closeWell(visit, endpoint);
}

/** Takes 2 MiB with naps in between, in time. */
export async function slowReader(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'bulk');
  if (endpoint === null) return;
  const { random, world } = visit;
  let next = 0;
  let isComplete: () => void = () => {};
  const complete = new Promise<void>((resolve) => {
    isComplete = resolve;
  });
  endpoint.onData = (received) => {
    if (!received.payload.equals(bulkMessage(next))) visit.fault(`block ${next} is wrong`);
    next += 1;
    if (next === bulkMessages) isComplete();
    if (!random.chance(0.2) || world.isStopping) return;
    endpoint.socket.pause();
    void world.pass(random.between(10, 300)).then(() => endpoint.socket.resume());
  };
  await Promise.race([complete, endpoint.over]);
  if (next !== bulkMessages) visit.fault(`${next} of ${bulkMessages} blocks came`);
  world.count('slow readers served');
  await closeWell(visit, endpoint);
}

/** A peer that naps and echoes: the proxy has to hold back, and lose nothing. */
export async function slowBackend(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'slow');
  if (endpoint === null) return;
  const echoes = new Echoes(visit, endpoint);
  for (let sent = 0; sent < 20; sent++) await echoes.send(Opcode.Binary, visit.random.bytes(20_000));
  await echoes.complete();
  await closeWell(visit, endpoint);
}

/** Faster than its route allows under `pause`: late, and all of it. */
export async function hasty(visit: Visit): Promise<void> {
  const endpoint = await openSteady(visit, 'paused');
  if (endpoint === null) return;
  const echoes = new Echoes(visit, endpoint);
  for (let sent = 0; sent < 80; sent++) await echoes.send(Opcode.Text, Buffer.from(`message ${sent}`));
  await echoes.complete();
  visit.world.count('held to their rate');
  await closeWell(visit, endpoint);
}
