// Opens the fuzzing peer's connections, as a client or as a server, and plays cases over them, many at a time.
// Knows no framegate: it takes a URL to connect to, or a way to make a client connect.

import type * as net from 'node:net';
import { connectTo, createServer, isBackendTls, isClientTls } from '../support/tls-sides.ts';
import { acceptFor, exampleKey, type Head, parseHead, upgradeRequest } from '../support/wire.ts';
import type { ConformanceCase } from './conformance-case.ts';
import { PerMessageDeflate, parseTerms } from './deflate.ts';
import { FuzzPeer } from './fuzz-peer.ts';
import { judge, type Outcome, type Verdict } from './verdict.ts';

/** How long a peer may take for its events, and for the Close that it owes. */
const KILL_MS = 1_200;
/** How much longer it has for its Close when it has answered what it should have refused. */
const KILL_HOPELESS_MS = 300;
/** How many cases are played at a time; those of megabytes are played a few at a time. */
const CASES_AT_A_TIME = isClientTls || isBackendTls ? 32 : 128; // a handshake of TLS costs all ends in one process
const LARGE_AT_A_TIME = 3;
/** How long a handshake may take. */
const HANDSHAKE_MS = 10_000;

export type Verdicts = ReadonlyMap<string, Verdict>;
type PlayCase = (one: ConformanceCase) => Promise<Verdict>;

/** The fuzzing client against the server at `url`. */
export function fuzzServer(url: string, cases: readonly ConformanceCase[]): Promise<Verdicts> {
  return playAll(cases, (one) => playAsClient(url, one));
}

export interface FuzzingServer {
  readonly url: string;
  /** Plays each case against a client that `connect` makes dial the given path. */
  play(cases: readonly ConformanceCase[], connect: (path: string) => Promise<void>): Promise<Verdicts>;
  close(): Promise<void>;
}

/** Over TLS when `secure`. */
export async function startFuzzingServer(secure = false): Promise<FuzzingServer> {
  const expected = new Map<string, (socket: net.Socket, head: Head, rest: Buffer) => void>();
  const sockets = new Set<net.Socket>();
  const server = await createServer(secure, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    readHead(socket)
      .then(({ head, rest }) => {
        const path = head.line.split(' ')[1] ?? '';
        const take = expected.get(path);
        expected.delete(path);
        if (take === undefined) socket.destroy();
        else take(socket, head, rest);
      })
      .catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  const playOne = async (one: ConformanceCase, connect: (path: string) => Promise<void>): Promise<Verdict> => {
    const path = `/case/${one.id}`;
    const arrived = new Promise<{ socket: net.Socket; head: Head; rest: Buffer }>((resolve) => {
      expected.set(path, (socket, head, rest) => resolve({ socket, head, rest }));
    });
    const connected = connect(path);
    const { socket, head, rest } = await inTime(arrived, `a connection for case ${one.id}`);
    const verdict = await playAsServer(socket, head, rest, one);
    await connected;
    return verdict;
  };
  return {
    url: `${secure ? 'wss' : 'ws'}://127.0.0.1:${address.port}`,
    play: (cases, connect) => playAll(cases, (one) => playOne(one, connect)),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

async function playAll(cases: readonly ConformanceCase[], playCase: PlayCase): Promise<Verdicts> {
  const verdicts = new Map<string, Verdict>(cases.map((one) => [one.id, NOT_PLAYED]));
  const playQueue = async (queue: ConformanceCase[], width: number) => {
    const worker = async () => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) verdicts.set(one.id, await playCase(one));
    };
    await Promise.all(Array.from({ length: width }, worker));
  };
  // First what is sensitive to time, then what fills the machine.
  await playQueue(
    cases.filter((one) => one.killMs === undefined),
    CASES_AT_A_TIME,
  );
  await playQueue(
    cases.filter((one) => one.killMs !== undefined),
    LARGE_AT_A_TIME,
  );
  return verdicts;
}

const NOT_PLAYED: Verdict = { behaviour: 'FAILED', close: 'FAILED', reason: '', story: 'not played' };

async function playAsClient(url: string, one: ConformanceCase): Promise<Verdict> {
  const { hostname, port, pathname, protocol } = new URL(url);
  const socket = connectTo(Number(port), hostname, protocol === 'wss:');
  const offer = one.deflate === undefined ? [] : [extension(one.deflate.offer)];
  socket.write(upgradeRequest({ path: pathname, host: `${hostname}:${port}`, headers: offer }));
  const { head, rest } = await inTime(readHead(socket), `the handshake of case ${one.id}`);
  if (head.status !== 101 || head.field('sec-websocket-accept') !== acceptFor(exampleKey)) {
    socket.destroy();
    throw new Error(`case ${one.id}: not upgraded: ${head.raw}`);
  }
  const terms = parseTerms(head.field('sec-websocket-extensions') ?? '');
  if (one.deflate !== undefined && terms === null) return notImplemented(socket, 'client', one);
  const deflate = terms === null ? null : new PerMessageDeflate(terms, 'client');
  return playOver(new FuzzPeer({ socket, role: 'client', deflate }), rest, socket, one);
}

async function playAsServer(socket: net.Socket, head: Head, rest: Buffer, one: ConformanceCase): Promise<Verdict> {
  const answer =
    one.deflate === undefined ? null : answerTo(head.all('sec-websocket-extensions').join(', '), one.deflate);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(head.field('sec-websocket-key') ?? '')}`,
  ];
  if (answer !== null) lines.push(extension(answer).join(': '));
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (one.deflate !== undefined && answer === null) return notImplemented(socket, 'server', one);
  const terms = answer === null ? null : parseTerms(`permessage-deflate${answer}`);
  const deflate = terms === null ? null : new PerMessageDeflate(terms, 'server');
  return playOver(new FuzzPeer({ socket, role: 'server', deflate }), rest, socket, one);
}

/** The parameters to answer with, or null when the client did not offer what the case needs. */
function answerTo(offers: string, { answer }: { readonly answer: string }): string | null {
  if (!offers.includes('permessage-deflate')) return null;
  // RFC 7692 7.1.2.2: only for a client that offered it.
  if (answer.includes('client_max_window_bits') && !offers.includes('client_max_window_bits')) return null;
  // RFC 7692 7.1.1.1: a server that accepts an offer of server_no_context_takeover says so.
  const isAsked = offers.includes('server_no_context_takeover') && !answer.includes('server_no_context_takeover');
  return isAsked ? `; server_no_context_takeover${answer}` : answer;
}

async function playOver(peer: FuzzPeer, rest: Buffer, socket: net.Socket, one: ConformanceCase): Promise<Verdict> {
  const killMs = one.killMs ?? KILL_MS;
  if (rest.length > 0) socket.emit('data', rest);
  socket.resume();
  await one.play(peer);
  if (one.close.by === 'fuzzer') {
    const wanted = Math.max(0, ...one.expect.map((expectation) => expectation.events.length));
    await peer.within(killMs, () => peer.events.length >= wanted);
    if (!peer.isEnding && !peer.outcome.fuzzerClosed) peer.sendClose(Buffer.from([0x03, 0xe8]));
  }
  const isHopeless = () => peer.events.length > 0 && !canStillFit(peer.events, one);
  if (one.close.by === 'peer') await peer.within(killMs, isHopeless);
  await peer.ended(isHopeless() ? KILL_HOPELESS_MS : killMs);
  return judge(one, peer.outcome);
}

/** Whether the events so far are the beginning of a list that the case expects. */
function canStillFit(events: readonly string[], one: ConformanceCase): boolean {
  return one.expect.some((expectation) => events.every((event, at) => event === expectation.events[at]));
}

function notImplemented(socket: net.Socket, role: Outcome['role'], one: ConformanceCase): Verdict {
  socket.destroy();
  const nothing = { peerClosedFirst: false, fuzzerClosed: false, peerClose: null, droppedBy: null, reset: false };
  return judge(one, { role, events: [], illegal: null, unimplemented: true, ...nothing });
}

function extension(parameters: string): [string, string] {
  return ['Sec-WebSocket-Extensions', `permessage-deflate${parameters}`];
}

function readHead(socket: net.Socket): Promise<{ head: Head; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      // The FuzzPeer sets its own listener in the turn that follows; nothing may be lost in between.
      socket.pause();
      resolve({ head: parseHead(bytes.toString('latin1', 0, end + 4)), rest: bytes.subarray(end + 4) });
    };
    socket.on('data', onData);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before its head was complete')));
  });
}

async function inTime<T>(wait: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${HANDSHAKE_MS} ms`)), HANDSHAKE_MS);
  });
  try {
    return await Promise.race([wait, late]);
  } finally {
    clearTimeout(timer);
  }
}
