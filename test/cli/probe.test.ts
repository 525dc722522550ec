// `framegate probe` against real servers, good and bad; test/cli.test.ts has its exit codes as a process.

import { beforeAll, describe, expect, test } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { ExitCode, type ProbeCommand } from '../../src/cli/commands.ts';
import { runProbe } from '../../src/cli/probe.ts';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { CheckedBackend } from '../support/checked-backend.ts';
import { deadPort } from '../support/dead.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { Opcode } from '../support/wire.ts';

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

function probeOf(...words: readonly string[]): ProbeCommand {
  const verdict = parseArguments(['probe', ...words]);
  if (!verdict.ok || verdict.command.kind !== 'probe') throw new Error(JSON.stringify(verdict));
  return verdict.command;
}

async function run(...words: readonly string[]): Promise<{ exit: ExitCode; out: string; err: string }> {
  let out = '';
  let err = '';
  const print = (text: string) => {
    out += text;
  };
  const complain = (text: string) => {
    err += text;
  };
  const exit = await runProbe(probeOf(...words), { print, complain });
  return { exit, out: out.replaceAll(/\d+\.\d ms/g, 'N ms').replaceAll(/ +/g, ' '), err };
}

describe('a probe', () => {
  test('of a real server: each step with its time, and what was agreed on', async () => {
    const { url } = await CheckedBackend.listen();
    const target = `${url}/chat?x=1`;
    expect(await run(target, '--message', 'hello')).toEqual({
      exit: ExitCode.Stopped,
      out:
        `${target}\n connect N ms 127.0.0.1\n upgrade N ms 101, subprotocol none, extensions none\n ping N ms\n` +
        ' message N ms 5 bytes came\n close N ms\n',
      err: '',
    });
  });

  test('sends what it was asked to, offers the subprotocol and compression, and says what was chosen', async () => {
    const backend = await RawBackend.listen();
    const words = ['--subprotocol', 'chat', '--header', 'Origin: http://x.test', '--header', 'Host:a.test'];
    const running = run(`${backend.url}/a?b`, ...words, '--format', 'json');
    const server = await backend.nextConnection();
    const extensions = 'permessage-deflate; server_no_context_takeover';
    const request = await server.accept({ 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': extensions });
    expect([request.line, ...['host', 'origin'].map((name) => request.field(name))]).toEqual([
      'GET /a?b HTTP/1.1',
      'a.test',
      'http://x.test',
    ]);
    expect(request.field('sec-websocket-extensions')).toBe('permessage-deflate');
    const ping = await server.nextFrame();
    server.sendFrame({ opcode: Opcode.Pong, payload: ping.payload });
    expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
    server.sendFrame({ opcode: Opcode.Close, payload: Buffer.of(0x03, 0xe8) });
    server.end();
    expect(await server.closed).toEqual({ fin: true, error: null });
    const { exit, out } = await running;
    const { probes, url } = JSON.parse(out);
    expect([exit, url, probes.length]).toEqual([ExitCode.Stopped, `${backend.url}/a?b`, 1]);
    expect(probes[0]).toMatchObject({ ok: true, failed: null, tls: null, subprotocol: 'chat', extensions });
    expect(probes[0].steps.map(({ step }: { step: string }) => step)).toEqual(['connect', 'upgrade', 'ping', 'close']);
  });

  test('a name is looked up, and --count goes through all of it so many times', async () => {
    const { url } = await CheckedBackend.listen();
    const named = url.replace('127.0.0.1', 'localhost');
    const { exit, out } = await run(named, '--count', '3');
    expect(exit).toBe(ExitCode.Stopped);
    expect(out.match(/^\d: ws/gm)).toEqual(['1: ws', '2: ws', '3: ws']);
    expect(out.match(/^ look-up N ms .*127\.0\.0\.1/gm)).toHaveLength(3);
  });

  test('nobody listens: it failed at connect, with the code of the system', async () => {
    const port = deadPort;
    expect(await run(`ws://127.0.0.1:${port}`)).toEqual({
      exit: ExitCode.Failed,
      out: `ws://127.0.0.1:${port}\n connect N ms failed: ECONNREFUSED\n`,
      err: 'framegate: failed at connect: ECONNREFUSED\n',
    });
  });

  test('a name that there is not: it failed at look-up', async () => {
    const { exit, err } = await run('ws://name.invalid');
    expect([exit, err]).toEqual([ExitCode.Failed, expect.stringMatching(/failed at look-up: E[A-Z_]+\n$/)]);
  });

  test.each([
    ['expired', 'CERT_HAS_EXPIRED'],
    ['selfSigned', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['good', 'UNABLE_TO_'],
  ] as const)('a certificate that is %s or of nobody known: it failed at TLS', async (which, cause) => {
    const { url } = await CheckedBackend.listen(certificates[which]);
    const { exit, out, err } = await run(url);
    expect(exit).toBe(ExitCode.Failed);
    // Which of the two is found first is OpenSSL's affair.
    expect(err).toMatch(new RegExp(`failed at TLS: (?:${cause}|UNABLE_TO_)`));
    expect(out).toContain(' connect N ms 127.0.0.1\n TLS N ms failed: ');
  });

  test('403: it failed at upgrade; 1 of 2 failed is a failure, too', async () => {
    const backend = await RawBackend.listen();
    const running = run(backend.url, '--count', '2');
    const server = await backend.nextSession();
    const ping = await server.nextFrame();
    server.sendFrame({ opcode: Opcode.Pong, payload: ping.payload });
    await server.nextClose();
    server.sendFrame({ opcode: Opcode.Close });
    server.end();
    const second = await backend.nextConnection();
    await second.head();
    second.end(Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'));
    const { exit, err } = await running;
    expect([exit, err]).toEqual([
      ExitCode.Failed,
      'framegate: 1 of 2 probes failed, the first at upgrade: status 403\n',
    ]);
  });

  test('what a server says reaches no terminal as it is', async () => {
    const backend = await RawBackend.listen();
    const running = run(backend.url, '--subprotocol', 'chat');
    const server = await backend.nextConnection();
    await server.accept({ 'Sec-WebSocket-Extensions': 'x\u009b31m' });
    const { exit, out, err } = await running;
    expect([exit, /[^\n\x20-\x7e]/.test(out + err)]).toEqual([ExitCode.Failed, false]);
  });

  test('a subprotocol that is not chosen is a failure', async () => {
    const backend = await RawBackend.listen();
    const running = run(backend.url, '--subprotocol', 'chat');
    await (await backend.nextConnection()).accept();
    expect(await running).toMatchObject({
      exit: ExitCode.Failed,
      err: 'framegate: failed at upgrade: subprotocol chat was not chosen\n',
    });
  });
});

describe('its words', () => {
  const plain = { secure: false, host: 'a.test', port: 80, authority: 'a.test', path: '/' };
  test.each([
    ['ws://a.test', plain],
    ['http://a.test:80/', plain],
    ['wss://a.test:8443/x/y?z', { secure: true, host: 'a.test', port: 8443, authority: 'a.test:8443', path: '/x/y?z' }],
    ['https://[::1]', { secure: true, host: '::1', port: 443, authority: '[::1]', path: '/' }],
    ['ws://[::1]:81', { secure: false, host: '::1', port: 81, authority: '[::1]:81', path: '/' }],
  ])('%s', (text, url) => {
    expect(probeOf(text).url).toEqual({ text, ...url });
  });

  test.each([
    [[], '"probe" needs a URL: framegate probe ws://127.0.0.1:8080/chat'],
    [['a.test'], '"a.test" is no URL: expected ws://, wss://, http:// or https://HOST:PORT/PATH'],
    [['ftp://a.test'], '"ftp://a.test" is no URL: expected ws://, wss://, http:// or https://HOST:PORT/PATH'],
    [['ws://a.test/#x'], 'a URL of a WebSocket has no fragment (RFC 6455 3)'],
    [['ws://u:p@a.test'], 'credentials belong into --header Authorization:...'],
    [['ws://a.test:0'], 'port 0 cannot be connected to'],
    [['ws://a.test', 'x'], '"probe" takes no argument "x"'],
    [['ws://a.test', '--header', 'x'], '--header: expected NAME:VALUE, not "x"'],
    [['ws://a.test', '--header', 'Sec-WebSocket-Key: x'], '--header: Sec-WebSocket-Key is part of the upgrade itself'],
    [['ws://a.test', '--header', 'Upgrade: x'], '--header: Upgrade is part of the upgrade itself'],
    [['ws://a.test', '--header', 'X: \u00fc'], '--header X: expected visible ASCII, with blanks inside only'],
    [['ws://a.test', '--subprotocol', 'a b'], '--subprotocol: "a b" is no name of one'],
    [['ws://a.test', '--count', '0'], '--count is a number from 1 to 1000, not "0"'],
    [['ws://a.test', '--count', '1001'], '--count is a number from 1 to 1000, not "1001"'],
    [['ws://a.test', '--format', 'xml'], '--format is text or json, not "xml"'],
    [['ws://a.test', '--message', 'a', '--message', 'b'], '--message is given twice'],
    [['ws://a.test', '--config', 'a'], '"probe" takes no option --config'],
  ])('%j is refused: %s', (words, message) => {
    expect(parseArguments(['probe', ...words])).toEqual({ ok: false, message });
  });

  test('--count 1000 and several headers are taken', () => {
    const { count, headers } = probeOf('ws://a.test', '--count', '1000', '--header', 'A:1', '--header', 'B: 2 ');
    expect([count, headers]).toEqual([
      1_000,
      [
        ['A', '1'],
        ['B', '2'],
      ],
    ]);
  });
});
