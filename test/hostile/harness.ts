// A proxy in front of one scripted backend, its clock in the test's hands, and what a hostile request must see of it:
// exactly one refusal and no dial, or exactly one request head at the backend and frames both ways.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConfigInput, createProxy, type Proxy as Framegate } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { nowhere } from '../support/harness.ts';
import { type LogLine, LogTap } from '../support/log-tap.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Response } from '../support/raw-peer.ts';
import { transportMode } from '../support/transport-mode.ts';
import { exampleKey, type Head, Opcode } from '../support/wire.ts';
import { workersOf } from '../support/worker-fleet.ts';
import { closeCleanly } from './pair.ts';

/** Latin1 text or bytes, exactly as they go on the wire. */
export type Bytes = Buffer | string;

/** `400 bare_lf`: the status and the slug of a refusal. */
export type Refusal = `${number} ${string}`;

/** One row: the test's name, which begins with the row's id, what the client sends, and what it must get. */
export type RefusedRow = readonly [name: string, requests: readonly Bytes[], refusal: Refusal];
export type AcceptedRow = readonly [name: string, request: Bytes, forwarded: Forwarded];

export const defaultHost = 'framegate.test';

const defaultFields: readonly (readonly [name: string, line: string])[] = [
  ['host', `Host: ${defaultHost}`],
  ['upgrade', 'Upgrade: websocket'],
  ['connection', 'Connection: Upgrade'],
  ['sec-websocket-key', `Sec-WebSocket-Key: ${exampleKey}`],
  ['sec-websocket-version', 'Sec-WebSocket-Version: 13'],
];

export interface RequestLines {
  /** Default `GET / HTTP/1.1`. */
  readonly line?: string;
  /** Lines behind the standard ones, as they are. */
  readonly fields?: readonly string[];
  /** Standard fields to leave out, in lower case. */
  readonly omit?: readonly string[];
}

/** A legal upgrade request, but for what is asked for. */
export function requestOf(spec: RequestLines = {}): string {
  const kept = defaultFields.filter(([name]) => !(spec.omit ?? []).includes(name)).map(([, line]) => line);
  return `${[spec.line ?? 'GET / HTTP/1.1', ...kept, ...(spec.fields ?? [])].join('\r\n')}\r\n\r\n`;
}

export function withLine(line: string): string {
  return requestOf({ line });
}

export function withTarget(target: string): string {
  return requestOf({ line: `GET ${target} HTTP/1.1` });
}

export function withFields(...fields: string[]): string {
  return requestOf({ fields });
}

/** The standard field of that name replaced by one line for each value. */
export function instead(name: string, ...values: string[]): string {
  return requestOf({ omit: [name.toLowerCase()], fields: values.map((value) => `${name}: ${value}`) });
}

export function without(name: string): string {
  return instead(name);
}

/** Every byte from `from` to `to`, each as a latin1 character. */
export function bytesBetween(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
}

/** What the backend must get. What is absent has the value it gets from a plain request. */
export interface Forwarded {
  readonly target?: string;
  readonly host?: string;
  /** The client's own fields, as lines. */
  readonly passed?: readonly string[];
  readonly protocols?: string;
  readonly extensions?: string;
  readonly realIp?: string;
  readonly forwardedFor?: string;
  readonly forwardedHost?: string;
  /** Lines from X-Forwarded-For to X-Request-ID in place of the usual ones. */
  readonly forwardedLines?: readonly string[];
}

const phrases: Readonly<Record<string, string>> = {
  '400': 'Bad Request',
  '401': 'Unauthorized',
  '403': 'Forbidden',
  '404': 'Not Found',
  '405': 'Method Not Allowed',
  '408': 'Request Timeout',
  '414': 'URI Too Long',
  '417': 'Expectation Failed',
  '421': 'Misdirected Request',
  '426': 'Upgrade Required',
  '429': 'Too Many Requests',
  '431': 'Request Header Fields Too Large',
  '502': 'Bad Gateway',
  '503': 'Service Unavailable',
  '504': 'Gateway Timeout',
  '505': 'HTTP Version Not Supported',
  '508': 'Loop Detected',
};

/** What a refusal must hold besides the fields of every refusal. */
const required: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  '405 method': { allow: 'GET' },
  '426 upgrade_required': { upgrade: 'websocket', connection: 'Upgrade, close' },
  '426 version': { 'sec-websocket-version': '13' },
};

/** Fields in lower case that one refusal has and others do not. */
type OwnFields = Readonly<Record<string, unknown>>;

/** Everything an answer of the proxy's own must be; gives its request id. */
export function expectRefusal(answer: Response, refusal: Refusal, own: OwnFields = {}): string {
  const [status = '', error = ''] = refusal.split(' ');
  const { head, body } = answer;
  const id = String(answer.json().request_id);
  expect([head.line, body.toString('latin1')]).toEqual([
    `HTTP/1.1 ${status} ${phrases[status]}`,
    JSON.stringify({ status: Number(status), error, request_id: id }),
  ]);
  expect(id).toMatch(/^[\x21-\x7e]{1,128}$/);
  expect(new Set(head.fields.map(([name]) => name.toLowerCase())).size, 'no field twice').toBe(head.fields.length);
  // Which one it is depends on the methods of the route.
  const challenge = status === '401' ? head.field('www-authenticate') : undefined;
  expect(Object.fromEntries(head.fields.map(([name, value]) => [name.toLowerCase(), value]))).toEqual({
    'content-type': 'application/json',
    'content-length': String(body.length),
    connection: 'close',
    'cache-control': 'no-store',
    ...(status === '429' || status === '503' ? { 'retry-after': expect.stringMatching(/^[1-5]$/) } : {}),
    ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
    ...required[refusal],
    ...own,
  });
  return id;
}

/** The answer is followed by FIN and by nothing else, and the connection ends without a reset. */
export async function expectEnd(client: RawClient): Promise<void> {
  await client.ended;
  expect(client.unread.toString('latin1'), 'nothing behind the answer').toBe('');
  expect(await client.closed).toEqual({ fin: true, error: null });
}

export class Gate {
  readonly clock = new FakeClock();
  readonly tap = new LogTap();
  /** Connections that the backend must have seen at the end. */
  dials = 0;
  port = 0;
  private readonly config: (backendUrl: string) => Partial<ConfigInput>;
  private startedBackend: RawBackend | null = null;
  private startedProxy: Framegate | null = null;

  constructor(config: (backendUrl: string) => Partial<ConfigInput> = oneRouteTo) {
    this.config = config;
  }

  get backend(): RawBackend {
    if (this.startedBackend === null) throw new Error('not started');
    return this.startedBackend;
  }

  get proxy(): Framegate {
    if (this.startedProxy === null) throw new Error('not started');
    return this.startedProxy;
  }

  async start(): Promise<this> {
    this.startedBackend = await RawBackend.listen();
    const listeners = [{ name: 'test', address: '127.0.0.1:0' }];
    const config = { listeners, routes: [nowhere], ...this.config(this.startedBackend.url) };
    const { clock, tap: log } = this;
    const workers = workersOf({ clock, log });
    this.startedProxy = createProxy(config, { transport: transportMode, clock, log, ...workers });
    await this.startedProxy.start();
    const address = this.startedProxy.address();
    this.port = typeof address === 'string' ? 0 : address.port;
    return this;
  }

  async stop(): Promise<void> {
    await this.startedProxy?.stop();
    const seen = this.startedBackend?.connections;
    await this.startedBackend?.close();
    expect(this.tap.faults, 'log lines that are not one JSON object of printable ASCII').toEqual([]);
    const faults = this.tap.lines.filter((line) => line.level === 'error' || line.event === 'log.suppressed');
    expect(faults, 'faults of the proxy itself').toEqual([]);
    expect(seen, 'connections that the backend saw').toBe(this.dials);
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  /** Refused requests, one after the other: when they are over, the proxy has read what others had sent before. */
  async settled(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      const client = await this.connect();
      client.send('?');
      expectRefusal(await client.readResponse(), '400 request_line');
      await expectEnd(client);
    }
  }

  /** The only line of a refused handshake with that request id. */
  async refusalLine(requestId: string): Promise<LogLine> {
    const fits = (line: LogLine) => line.request_id === requestId;
    const line = await this.tap.waitFor('handshake.refused', fits);
    expect(this.tap.lines.filter(fits)).toHaveLength(1);
    return line;
  }

  /** Reads the refusal on `client` to the end of the connection, and checks its line in the log. */
  async expectRefused(client: RawClient, refusal: Refusal, own: OwnFields = {}): Promise<LogLine> {
    const [status = '', error = ''] = refusal.split(' ');
    const requestId = expectRefusal(await client.readResponse(), refusal, own);
    await expectEnd(client);
    const line = await this.refusalLine(requestId);
    const level = Number(status) >= 500 && error !== 'http_version' ? 'warn' : 'info';
    expect(line).toMatchObject({ level, status: Number(status), error, listener: 'test' });
    return line;
  }

  /** Sends the request in one piece or byte by byte: one refusal, no dial, one line in the log. */
  async refuses(
    request: Bytes,
    refusal: Refusal,
    cut: 'whole' | 'bytewise' = 'whole',
    own: OwnFields = {},
  ): Promise<LogLine> {
    // The log holds back what comes more than a hundred times a second.
    this.clock.advance(1000);
    const before = this.backend.connections;
    const client = await this.connect();
    if (cut === 'whole') client.send(request);
    else await client.sendBytewise(request);
    const line = await this.expectRefused(client, refusal, own);
    expect(this.backend.connections - before, 'dials').toBe(0);
    return line;
  }

  /** `prefix` gets no answer yet, the bytes of `last` get the refusal, though the head is not complete. */
  async refusesAt(prefix: Bytes, last: Bytes, refusal: Refusal): Promise<void> {
    const client = await this.connect();
    client.send(prefix);
    await this.settled();
    expect([client.unread.toString('latin1'), client.finSeen]).toEqual(['', false]);
    client.send(last);
    await this.expectRefused(client, refusal);
  }

  /** The request reaches the backend as `forwarded`, exactly, and after the 101 frames flow both ways. */
  async accepts(request: Bytes, forwarded: Forwarded = {}, cut: 'whole' | 'bytewise' = 'whole'): Promise<Accepted> {
    const accepted = await this.opens(request, forwarded, cut);
    const { client, server } = accepted;
    client.sendFrame({ opcode: Opcode.Text, payload: 'up' });
    server.sendFrame({ opcode: Opcode.Binary, payload: 'down' });
    const up = await server.nextFrame();
    const down = await client.nextFrame();
    expect([up.opcode, up.masked, up.payload.toString()]).toEqual([Opcode.Text, true, 'up']);
    expect([down.opcode, down.masked, down.payload.toString()]).toEqual([Opcode.Binary, false, 'down']);
    await closeCleanly({ client, server });
    return accepted;
  }

  /** As `accepts`, but the session stays open and nothing has been sent on it. */
  async opens(request: Bytes, forwarded: Forwarded = {}, cut: 'whole' | 'bytewise' = 'whole'): Promise<Accepted> {
    const { client, server } = await this.reaches(request, forwarded, cut);
    const wanted = forwarded.protocols?.split(', ')[0];
    const request101 = await server.accept(wanted === undefined ? {} : { 'Sec-WebSocket-Protocol': wanted });
    const answer = await client.readHead();
    expect([answer.status, answer.field('sec-websocket-protocol')]).toEqual([101, wanted]);
    return { client, server, request: request101, answer };
  }

  /** The request reaches the backend, which has not answered yet. */
  async reaches(
    request: Bytes,
    forwarded: Forwarded = {},
    cut: 'whole' | 'bytewise' = 'whole',
  ): Promise<Pick<Accepted, 'client' | 'server'>> {
    this.dials += 1;
    const client = await this.connect();
    if (cut === 'whole') client.send(request);
    else await client.sendBytewise(request);
    const server = await this.backend.nextConnection();
    expect(anonymous(await server.head())).toBe(this.headOf(forwarded));
    return { client, server };
  }

  /** The request head that the backend must get, with our random ids as `<id>` and `<instance>`. */
  headOf(forwarded: Forwarded): string {
    const host = forwarded.host ?? defaultHost;
    const { protocols, extensions } = forwarded;
    const lines = [
      `GET ${forwarded.target ?? '/'} HTTP/1.1`,
      `Host: ${host}`,
      ...(forwarded.passed ?? []),
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${exampleKey}`,
      'Sec-WebSocket-Version: 13',
      ...(protocols === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocols}`]),
      ...(extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
      `X-Real-IP: ${forwarded.realIp ?? '127.0.0.1'}`,
      ...(forwarded.forwardedLines ?? [
        `X-Forwarded-For: ${forwarded.forwardedFor ?? '127.0.0.1'}`,
        'X-Forwarded-Proto: http',
        `X-Forwarded-Host: ${forwarded.forwardedHost ?? host}`,
        `X-Forwarded-Port: ${this.port}`,
        'X-Request-ID: <id>',
      ]),
      'Via: 1.1 <instance>',
    ];
    return `${lines.join('\r\n')}\r\n\r\n`.replace('<port>', String(this.port));
  }
}

export interface Accepted {
  readonly client: RawClient;
  readonly server: BackendConnection;
  readonly request: Head;
  /** The client's 101. */
  readonly answer: Head;
}

function oneRouteTo(backendUrl: string): Partial<ConfigInput> {
  return { routes: [{ name: 'test', upstream: backendUrl }] };
}

/** Our own ids are random; everything else in a forwarded head is not. */
function anonymous(head: string): string {
  return (
    head
      .replace(/^X-Request-ID: [0-9a-f]{32}\r$/m, 'X-Request-ID: <id>\r')
      // On routes that ask for a credential.
      .replace(/^X-Framegate-Session: [0-9a-f]{16}-[0-9a-z]+\r\n/m, '')
      .replace(/^Via: 1\.1 [0-9a-f]{16}\r$/m, 'Via: 1.1 <instance>\r')
  );
}

/** One gate for all tests of a file. */
export function sharedGate(config?: (backendUrl: string) => Partial<ConfigInput>): Gate {
  const gate = new Gate(config);
  beforeAll(async () => {
    await gate.start();
  });
  afterAll(() => gate.stop());
  return gate;
}

/** A gate of one test's own. */
export async function startGate(config?: (backendUrl: string) => Partial<ConfigInput>): Promise<Gate> {
  const gate = new Gate(config);
  atTestEnd(() => gate.stop());
  return gate.start();
}

/** One test a row: every request of it in one piece, and the first byte by byte too. */
export function refusalTests(gate: Gate, rows: readonly RefusedRow[]): void {
  for (const [name, requests, refusal] of rows) {
    test(name, async () => {
      for (const request of requests) await gate.refuses(request, refusal);
      await gate.refuses(requests[0] ?? '', refusal, 'bytewise');
    });
  }
}

/** One test a row: the request in one piece and byte by byte. */
export function acceptanceTests(gate: Gate, rows: readonly AcceptedRow[]): void {
  for (const [name, request, forwarded] of rows) {
    test(name, async () => {
      await gate.accepts(request, forwarded);
      await gate.accepts(request, forwarded, 'bytewise');
    });
  }
}
