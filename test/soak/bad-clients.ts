// Clients that break rules, ask for too much, hang, or vanish. Each says what may come of it; the others must not
// notice.

import type * as net from 'node:net';
import { resetSocket } from '../support/shim.ts';
import {
  binary,
  closeFrame,
  continuation,
  type FrameOptions,
  frame,
  Opcode,
  ping,
  text,
  upgradeRequest,
} from '../support/wire.ts';
import { dial, type Endpoint, readHead } from './endpoint.ts';
import { lieNames } from './soak-backend.ts';
import type { Visit } from './world.ts';

const masked: FrameOptions = { mask: true };

/** Bytes that break a rule of frames, and the code that says so. */
const illegal: readonly (readonly [bytes: Buffer, code: number])[] = [
  [text('no mask'), 1002],
  [text('rsv', { ...masked, rsv: 4 }), 1002],
  [frame({ opcode: 3, payload: '', ...masked }), 1002],
  [continuation('of nothing', masked), 1002],
  [Buffer.concat([text('a', { ...masked, fin: false }), text('b', masked)]), 1002],
  [ping('x'.repeat(10), { ...masked, fin: false }), 1002],
  [frame({ opcode: Opcode.Ping, payload: Buffer.alloc(126), ...masked }), 1002],
  [closeFrame(1005, '', masked), 1002],
  [closeFrame(1000, Buffer.from([0xff]), masked), 1007],
  [frame({ opcode: Opcode.Binary, length: 2 ** 40, ...masked }), 1009],
  [frame({ opcode: Opcode.Text, payload: 'long form', lengthForm: 64, ...masked }), 1002],
];

const badHeads: readonly string[] = [
  'GET / HTTP/1.1\nHost: x\r\n\r\n',
  'GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'POST /chat/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
  'GET /chat/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n',
  'GET /nowhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  `GET /chat/x HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
  `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello',
];

export async function illegalFrames(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const endpoint = await openAny(visit, 'hostile', world.ports.straight);
  if (endpoint === null) return;
  const [bytes, expected] = random.pick(illegal);
  await endpoint.send(Opcode.Text, 'so far so good');
  // A legal part of it may go on.
  endpoint.payloads.sent += bytes.length;
  await endpoint.sendRaw(bytes);
  // What follows is discarded, however much it is.
  await endpoint.sendRaw(random.bytes(random.between(0, 5000)));
  const { code } = await endpoint.over;
  // A reset may overtake the Close when the client goes on sending.
  if (code !== expected && code !== undefined) visit.fault(`told ${code} instead of ${expected}`);
  world.count('illegal frames');
}

export async function badHead(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const socket = await connect(visit, world.ports.straight);
  if (socket === null) return;
  const answer = readHead(socket);
  socket.write(Buffer.from(random.pick(badHeads), 'latin1'));
  const status = (await answer)?.head.status ?? 0;
  if (status !== 0 && (status < 400 || status > 499)) visit.fault(`a bad head got ${status}`);
  world.count('bad heads');
}

/** Drips a head until it is thrown out. */
export async function slowloris(visit: Visit): Promise<void> {
  const { world } = visit;
  const socket = await connect(visit, world.ports.straight);
  if (socket === null) return;
  const answer = readHead(socket);
  let isOver = false;
  socket.once('close', () => {
    isOver = true;
  });
  for (const byte of upgradeRequest({ path: '/chat/never' }).subarray(0, -4)) {
    if (isOver || world.isStopping) break;
    socket.write(Buffer.of(byte));
    await world.pass(100);
  }
  if (world.isStopping) return;
  const status = (await answer)?.head.status;
  if (status !== 408) visit.fault(`a head that never ends got ${status}`);
  world.count('slow heads');
}

/** Far over the rate of its route, which closes. */
export async function flood(visit: Visit): Promise<void> {
  const endpoint = await openAny(visit, 'limited', visit.world.ports.straight);
  if (endpoint === null) return;
  for (let sent = 0; sent < 500 && endpoint.isOpen; sent++) void endpoint.send(Opcode.Text, `flood ${sent}`);
  const { code } = await endpoint.over;
  if (code !== 1008 && code !== undefined) visit.fault(`a flood got ${code}`);
  visit.world.count('floods closed');
}

/** Far over the rate of its route, which drops: some come back, unharmed and in order, and it goes on. */
export async function droppedFlood(visit: Visit): Promise<void> {
  const opened = await visit.open('dropped', { port: visit.world.ports.straight, lossy: true });
  if (typeof opened === 'number') {
    visit.fault(`refused with ${opened}`);
    return;
  }
  let last = -1;
  opened.onData = (received) => {
    const number = Number(received.payload.toString().replace(/^message /, ''));
    if (!(number > last && number < 300)) visit.fault(`message ${number} after ${last}`);
    last = number;
  };
  for (let sent = 0; sent < 300; sent++) void opened.send(Opcode.Text, `message ${sent}`);
  opened.close(1000);
  const { code } = await opened.over;
  if (code !== 1000) visit.fault(`ended with ${code}`);
  if (last < 0) visit.fault('everything was dropped');
  visit.world.count('floods thinned');
}

/** Leaves without a word, in the middle of a frame. */
export async function deserter(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const endpoint = await openAny(visit, 'hostile', random.chance(0.5) ? world.ports.straight : world.ports.failing);
  if (endpoint === null) return;
  await endpoint.send(Opcode.Binary, random.bytes(1000));
  await world.pass(random.between(0, 200));
  const whole = binary(random.bytes(10_000), masked);
  endpoint.payloads.sent += 10_000;
  await endpoint.sendRaw(whole.subarray(0, random.between(1, 9000)));
  resetSocket(endpoint.socket);
  world.count('deserters');
}

/** Its network is gone: neither FIN nor RST, only silence. */
export async function vanisher(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const endpoint = await openAny(visit, 'hostile', world.ports.vanishing);
  if (endpoint === null) return;
  for (let sent = 0; sent < 20 && endpoint.isOpen; sent++) {
    void endpoint.send(Opcode.Binary, random.bytes(random.between(1, 1000)));
    await world.pass(50);
  }
  // Whoever is there has no way to know; the proxy finds out by its pings.
  await world.pass(15_000);
  endpoint.socket.destroy();
  world.count('vanished');
}

/** Asks for 2 MiB and takes nothing of it. */
export async function stuckReader(visit: Visit): Promise<void> {
  const { world } = visit;
  const endpoint = await openAny(visit, 'stuck', world.ports.straight);
  if (endpoint === null) return;
  endpoint.socket.pause();
  for (let sent = 0; sent < 8 && !world.isStopping; sent++) {
    // What it sends comes back, and fills what the kernel has for it.
    void endpoint.send(Opcode.Binary, Buffer.alloc(1_000_000));
    await world.pass(300);
  }
  await world.pass(12_000);
  endpoint.socket.destroy();
  world.count('stuck readers');
}

/** A backend that lies about the handshake; what the client sent early must not reach it. */
export async function liedTo(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const early = text('early', masked);
  const opened = await visit.open(`lying/${random.pick(lieNames)}`, { port: world.ports.straight, early });
  const expected = [0, 403, 502, 504];
  if (typeof opened !== 'number') visit.fault('a lie was taken for a 101');
  else if (!expected.includes(opened)) visit.fault(`a lie got ${opened}`);
  world.count('lies refused');
}

/** A backend that breaks a rule of frames: 1011. */
export async function badBackend(visit: Visit): Promise<void> {
  const endpoint = await openAny(visit, 'lying/frames', visit.world.ports.straight);
  if (endpoint === null) return;
  await endpoint.send(Opcode.Text, 'go on');
  const { code } = await endpoint.over;
  if (code !== 1011) visit.fault(`a backend that breaks rules: told ${code}`);
  visit.world.count('bad backends');
}

/** A backend that is killed in the middle of a frame: the rest is never made up, so there can be no Close. */
export async function bereaved(visit: Visit): Promise<void> {
  const endpoint = await openAny(visit, 'dying', visit.world.ports.straight);
  if (endpoint === null) return;
  endpoint.onData = () => visit.fault('a frame was completed that its sender never ended');
  await endpoint.send(Opcode.Text, 'die');
  const { code } = await endpoint.over;
  if (code !== undefined && code !== 1012) visit.fault(`a backend died: told ${code}`);
  visit.world.count('bereaved');
}

/** Null when the connection failed on its way, which is nobody's fault. */
async function openAny(visit: Visit, route: string, port: number): Promise<Endpoint | null> {
  const opened = await visit.open(route, { port });
  if (typeof opened !== 'number') {
    opened.onData = () => {};
    return opened;
  }
  if (opened !== 0) visit.fault(`refused with ${opened}`);
  return null;
}

async function connect(visit: Visit, port: number): Promise<net.Socket | null> {
  const socket = await dial(port);
  if (socket === null) return null;
  visit.own(socket);
  socket.on('end', () => socket.end());
  return socket;
}
