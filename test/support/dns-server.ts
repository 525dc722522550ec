// A name server on loopback, over UDP and TCP on one free port, whose packets are built here by hand: so that a test
// can send what no sane server would.

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { groupOf, parseIp } from '../../src/protocol/addresses/ip-address.ts';
import { atTestEnd } from './cleanup.ts';

const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;
type DnsType = keyof typeof TYPES;

const CLASS_IN = 1;
const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;
const FLAG_ANSWER = 0x8000;
const FLAG_TRUNCATED = 0x0200;
/** Recursion desired and available. */
const FLAGS_RECURSION = 0x0180;

export interface DnsRecord {
  /** The name that was asked for, unless given. */
  readonly name?: string;
  readonly type: DnsType;
  readonly ttl?: number;
  /** An address; a name; or `priority weight port name`. */
  readonly data: string;
}

interface DnsReply {
  readonly records?: readonly DnsRecord[];
  readonly rcode?: keyof typeof RCODES;
  /** Over UDP it has no records, and says that there are more. */
  readonly truncated?: boolean;
  /** Nothing is sent. */
  readonly never?: boolean;
  /** It waits for this one. */
  readonly after?: Promise<unknown>;
  /** These bytes stand for the whole packet. */
  readonly raw?: Buffer;
  /** The answer is to another question. */
  readonly wrongId?: boolean;
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** As it was asked. */
  readonly bytes: Buffer;
}

type Answers = DnsReply | (() => DnsReply);

export class DnsServer {
  /** As `A chat.test`, in order; `tcp` behind those that came over TCP. */
  readonly asked: string[] = [];
  private readonly answers = new Map<string, Answers>();
  private readonly udp: UdpSocket;
  private readonly tcp: Server;
  private readonly connections = new Set<Socket>();

  private constructor(udp: UdpSocket, tcp: Server) {
    this.udp = udp;
    this.tcp = tcp;
    udp.on('message', (packet, peer) => void this.onPacket(packet, peer));
    tcp.on('connection', (socket) => this.onConnection(socket));
  }

  static async listen(): Promise<DnsServer> {
    for (;;) {
      const tcp = createServer();
      tcp.listen(0, '127.0.0.1');
      await once(tcp, 'listening');
      const udp = createSocket('udp4');
      const address = tcp.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const isBound = await new Promise<boolean>((resolve) => {
        udp.once('error', () => resolve(false));
        udp.bind(port, '127.0.0.1', () => resolve(true));
      });
      // Somebody else has that port for UDP.
      if (!isBound) {
        tcp.close();
        continue;
      }
      const server = new DnsServer(udp, tcp);
      atTestEnd(() => server.close());
      return server;
    }
  }

  /** For `servers` of a config. */
  get address(): string {
    return `127.0.0.1:${this.udp.address().port}`;
  }

  /** What is asked for otherwise does not exist. */
  on(type: DnsType, name: string, answers: Answers): void {
    this.answers.set(`${type} ${name}`, answers);
  }

  /** Addresses of both families. */
  addresses(name: string, ...addresses: readonly string[]): void {
    const of = (type: 'A' | 'AAAA') => addresses.filter((one) => one.includes(':') === (type === 'AAAA'));
    for (const type of ['A', 'AAAA'] as const)
      this.on(type, name, { records: of(type).map((data) => ({ type, data })) });
  }

  close(): void {
    if (!this.tcp.listening) return;
    for (const socket of this.connections) socket.destroy();
    this.tcp.close();
    this.udp.close();
  }

  private replyTo({ name, type }: Question, over: string): DnsReply {
    const [word = String(type)] = Object.entries(TYPES).find(([, value]) => value === type) ?? [];
    this.asked.push(`${word} ${name}${over}`);
    const answers = this.answers.get(`${word} ${name}`);
    if (answers !== undefined) return typeof answers === 'function' ? answers() : answers;
    const isKnown = [...this.answers.keys()].some((key) => key.endsWith(` ${name}`));
    return isKnown ? {} : { rcode: 'NXDOMAIN' };
  }

  private async onPacket(packet: Buffer, peer: RemoteInfo): Promise<void> {
    const question = readQuestion(packet);
    const reply = this.replyTo(question, '');
    await reply.after;
    if (reply.never === true || !this.tcp.listening) return;
    this.udp.send(reply.raw ?? packetOf(question, reply, reply.truncated === true), peer.port, peer.address);
  }

  private onConnection(socket: Socket): void {
    this.connections.add(socket);
    socket.on('close', () => this.connections.delete(socket));
    socket.on('error', () => {});
    let held = Buffer.alloc(0);
    socket.on('data', async (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const question = readQuestion(held.subarray(2, end));
        held = held.subarray(end);
        const reply = this.replyTo(question, ' tcp');
        await reply.after;
        if (reply.never === true) continue;
        const packet = reply.raw ?? packetOf(question, reply, false);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(packet.length);
        socket.write(Buffer.concat([length, packet]));
      }
    });
  }
}

function readQuestion(packet: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = packet.readUInt8(at); length > 0; length = packet.readUInt8(at)) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const name = labels.join('.').toLowerCase();
  return { id: packet.readUInt16BE(0), name, type: packet.readUInt16BE(at + 1), bytes: packet.subarray(12, at + 5) };
}

function packetOf(question: Question, reply: DnsReply, isCut: boolean): Buffer {
  const records = isCut ? [] : (reply.records ?? []);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(reply.wrongId === true ? (question.id + 1) & 0xffff : question.id, 0);
  const flags = FLAG_ANSWER | FLAGS_RECURSION | (isCut ? FLAG_TRUNCATED : 0) | RCODES[reply.rcode ?? 'NOERROR'];
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question.bytes, ...records.map((record) => recordBytes(record, question.name))]);
}

function recordBytes({ name, type, ttl = 60, data }: DnsRecord, asked: string): Buffer {
  const content = contentOf(type, data);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[type], 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(content.length, 8);
  return Buffer.concat([nameBytes(name ?? asked), fixed, content]);
}

function contentOf(type: DnsType, data: string): Buffer {
  switch (type) {
    case 'A':
      return Buffer.from(data.split('.').map(Number));
    case 'AAAA': {
      const address = parseIp(data);
      if (address === null) throw new Error(`${data} is no address`);
      const bytes = Buffer.alloc(16);
      for (let index = 0; index < 8; index += 1) bytes.writeUInt16BE(groupOf(address, index), 2 * index);
      return bytes;
    }
    case 'CNAME':
      return nameBytes(data);
    case 'SRV': {
      const [priority, weight, port, target = ''] = data.split(' ');
      const numbers = Buffer.alloc(6);
      for (const [index, value] of [priority, weight, port].entries()) numbers.writeUInt16BE(Number(value), 2 * index);
      return Buffer.concat([numbers, nameBytes(target)]);
    }
    default:
      throw new Error(`no records of type ${type}`);
  }
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}
