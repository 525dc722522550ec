// The Kubernetes client's exec and attach over v5.channel.k8s.io and v4, with a small server that speaks its channels.

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Attach, Exec, KubeConfig, PortForward, type V1Status } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { wsServer } from './servers.ts';

const Channel = { Stdin: 0, Stdout: 1, Stderr: 2, Status: 3, Resize: 4, Close: 255 } as const;
const LARGE = 3 * 1024 * 1024;

interface Pod {
  readonly gate: Gate;
  readonly config: KubeConfig;
  readonly requests: Inbox<string>;
  /** Each session, as the server has it. */
  readonly sockets: Inbox<WebSocket>;
}

/** Runs `cat` for everyone: stdin to stdout, a word to stderr, and exit code 0 at the end of stdin. */
function serveCat(socket: WebSocket): void {
  const send = (channel: number, data: Buffer | string) =>
    socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]));
  send(Channel.Stderr, 'running\n');
  socket.on('message', (data: Buffer) => {
    if (data[0] === Channel.Stdin) send(Channel.Stdout, data.subarray(1));
    if (data[0] !== Channel.Close || data[1] !== Channel.Stdin) return;
    send(Channel.Status, JSON.stringify({ metadata: {}, status: 'Success' }));
    socket.close(1000);
  });
}

function serveFailure(socket: WebSocket): void {
  const details = { causes: [{ reason: 'ExitCode', message: '7' }] };
  const status = { metadata: {}, status: 'Failure', reason: 'NonZeroExitCode', details };
  socket.send(Buffer.concat([Buffer.of(Channel.Status), Buffer.from(JSON.stringify(status))]));
}

async function start(protocol = 'v5.channel.k8s.io', serve: (socket: WebSocket) => void = serveCat): Promise<Pod> {
  const [requests, sockets] = [new Inbox<string>(), new Inbox<WebSocket>()];
  const handleProtocols = (offered: Set<string>) => (offered.has(protocol) ? protocol : false);
  const port = await wsServer({ handleProtocols, perMessageDeflate: false }, (socket, request) => {
    requests.put(`${request.url} ${request.headers.authorization}`);
    sockets.put(socket);
    serve(socket);
  });
  const gate = await Gate.before(port);
  const config = new KubeConfig();
  const cluster = { name: 'test', server: gate.url('', 'http'), skipTLSVerify: true };
  config.loadFromClusterAndUser(cluster, { name: 'tester', token: 'a.b.c' });
  return { gate, config, requests, sockets };
}

interface Run {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly status: Promise<V1Status>;
  readonly socket: WebSocket;
}

async function exec({ config }: Pod, command: string[]): Promise<Run> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let told = (_: V1Status) => {};
  const status = new Promise<V1Status>((resolve) => {
    told = resolve;
  });
  const opened = new Exec(config).exec('space', 'pod', 'main', command, stdout, stderr, stdin, false, told);
  const socket = (await opened) as unknown as WebSocket; // isomorphic-ws is ws in Node
  atTestEnd(() => socket.terminate());
  return { stdin, stdout, stderr, status, socket };
}

async function text(stream: PassThrough, length: number): Promise<string> {
  let got = '';
  while (got.length < length) got += String(stream.read() ?? (await once(stream, 'readable').then(() => '')));
  return got;
}

describe('Kubernetes', () => {
  test('exec carries the command in the query, credentials, and megabytes through stdin and stdout', async () => {
    const pod = await start();
    const run = await exec(pod, ['cat', '-', 'a b&c']);
    expect(run.socket.protocol).toBe('v5.channel.k8s.io');
    const query = 'stdout=true&stderr=true&stdin=true&tty=false&command=cat&command=-&command=a%20b%26c&container=main';
    expect(await pod.requests.next()).toBe(`/api/v1/namespaces/space/pods/pod/exec?${query} Bearer a.b.c`);
    const sent = Buffer.alloc(LARGE, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
    for (let start = 0; start < LARGE; start += 64 * 1024) run.stdin.write(sent.subarray(start, start + 64 * 1024));
    run.stdin.end();
    const got = Buffer.concat(await run.stdout.toArray());
    expect(got.equals(sent)).toBe(true);
    expect(String(Buffer.concat(await run.stderr.toArray()))).toBe('running\n');
    expect(await run.status).toMatchObject({ status: 'Success' });
  });

  test('the exit code of a command that fails arrives', async () => {
    const run = await exec(await start('v5.channel.k8s.io', serveFailure), ['false']);
    expect(await run.status).toMatchObject({ status: 'Failure', details: { causes: [{ message: '7' }] } });
  });

  test('over v4 the end of stdin is the end of the session', async () => {
    const pod = await start('v4.channel.k8s.io');
    const run = await exec(pod, ['cat']);
    expect(run.socket.protocol).toBe('v4.channel.k8s.io');
    run.stdin.write('hello');
    expect(await text(run.stdout, 5)).toBe('hello');
    run.stdin.end();
    expect(await pod.gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
  });

  test('attach does the same with another path', async () => {
    const pod = await start();
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const socket = await new Attach(pod.config).attach('space', 'pod', 'main', stdout, stderr, stdin, false);
    atTestEnd(() => socket.close());
    expect(await pod.requests.next()).toContain('/api/v1/namespaces/space/pods/pod/attach?');
    stdin.write('typed');
    expect([await text(stdout, 5), await text(stderr, 8)]).toEqual(['typed', 'running\n']);
  });

  test('a forwarded port carries bytes both ways', async () => {
    const pod = await start('v4.channel.k8s.io', (socket) => {
      for (const channel of [0, 1]) socket.send(Buffer.of(channel, 8080 & 0xff, 8080 >> 8));
      socket.on('message', (data: Buffer) => socket.send(data));
    });
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const opened = await new PortForward(pod.config).portForward('space', 'pod', [8080], output, errors, input);
    const socket = typeof opened === 'function' ? opened() : opened;
    atTestEnd(() => socket?.close());
    expect(await pod.requests.next()).toContain('/portforward?ports=8080 ');
    input.write('GET / HTTP/1.0\r\n\r\n');
    expect(await text(output, 18)).toBe('GET / HTTP/1.0\r\n\r\n');
  });

  test('1012 and 1001 close the stream, and nothing comes back by itself; 503 fails the call', async () => {
    const pod = await start();
    const first = await exec(pod, ['cat']);
    const closed = once(first.socket, 'close');
    await pod.gate.restart();
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, String(reason)]).toEqual([1012, 'server restart']);
    const second = await exec(pod, ['cat']);
    const away = once(second.socket, 'close');
    await pod.gate.closeAll(1001, 'away');
    expect((await away)[0]).toBe(1001);
    await pod.gate.drain();
    await expect(exec(pod, ['cat'])).rejects.toMatchObject({ message: 'Unexpected server response: 503' });
    await pod.gate.undrain();
    const last = await exec(pod, ['cat']);
    last.stdin.write('again');
    expect(await text(last.stdout, 5)).toBe('again');
  });
});
