import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { parse as parseYaml } from 'yaml';
import { GOOD_NAME, makeCertificates } from './support/certs.ts';
import { CheckedBackend } from './support/checked-backend.ts';
import { type CliProcess, runCli, startCli } from './support/cli-process.ts';
import { deadUrl } from './support/dead.ts';
import { RawBackend } from './support/raw-backend.ts';
import { RawClient } from './support/raw-client.ts';
import { projectRoot } from './support/source.ts';
import { closeFrame, text } from './support/wire.ts';

const echoConfig = `listeners: [{ address: 127.0.0.1:0 }]
routes: [{ match: { path: /echo }, upstream: "builtin:echo" }]
`;
const misspelt = `listeners:
  - adress: 127.0.0.1:0
routes:
  - upstream: builtin:echo
    limts: {}
timeouts:
  idle: 5
`;

function emptyFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A folder that holds the config as ./config.yaml. */
function folderWith(config: string): string {
  const folder = emptyFolder();
  writeFileSync(path.join(folder, 'config.yaml'), config);
  return folder;
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function echoes(socket: WebSocket, message: string): Promise<void> {
  socket.send(message);
  const [data] = await once(socket, 'message');
  expect(String(data)).toBe(message);
}

async function startEcho(options: Parameters<typeof startCli>[1] = {}): Promise<{ cli: CliProcess; port: number }> {
  const cli = startCli(['run', '-c', '-'], { input: echoConfig, ...options });
  return { cli, port: await cli.port() };
}

describe('results', () => {
  const version: unknown = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')).version;

  test.each([['version'], ['-v'], ['--version']])('%s prints the version of package.json', async (argument) => {
    expect(await runCli([argument])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  });

  test.each([[['help']], [['-h']], [['help', 'run']], [['check', '--help']]])('%j prints help', async (args) => {
    const exit = await runCli(args);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout).toMatch(/^framegate/);
  });

  test('schema prints config.schema.json', async () => {
    const exit = await runCli(['schema']);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout).toBe(readFileSync(path.join(projectRoot, 'config.schema.json'), 'utf8'));
  });

  test('config prints a complete config that is its own effective config', async () => {
    const first = await runCli(['config', '-c', '-'], { input: echoConfig });
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(parseYaml(first.stdout)).toMatchObject({
      listeners: [{ address: '127.0.0.1:0', backlog: 4096 }],
      limits: { max_head_size: '16KiB', max_sessions: 10000 },
      timeouts: { handshake: '10s', idle: '1h' },
    });
    const second = await runCli(['config', '-c', '-'], { input: first.stdout });
    expect(second).toEqual(first);
  });

  test('the config.yaml of the project is valid, read from ./config.yaml', async () => {
    const exit = await runCli(['check'], { cwd: projectRoot });
    expect(exit).toEqual({ code: 0, signal: null, stdout: 'config.yaml: ok\n', stderr: '' });
  });

  test('a problem without a place has none: no line 0, no column 0', async () => {
    const message = 'cannot read this file (ENOENT)';
    const json = await runCli(['check', '-c', 'gone.yaml', '--format', 'json']);
    expect(json).toMatchObject({ code: 78, stderr: '' });
    const place = { file: 'gone.yaml', line: null, column: null };
    expect(JSON.parse(json.stdout)).toEqual([{ severity: 'error', ...place, path: '', message }]);
    const text = await runCli(['check', '-c', 'gone.yaml']);
    expect(text).toMatchObject({ code: 78, stdout: `gone.yaml: error: ${message}\n`, stderr: '' });
  });

  test('a reader that goes away early is no failure', async () => {
    const cli = startCli(['schema']);
    cli.child.stdout?.destroy();
    expect(await cli.exit()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('exit code 2: a bad command line', () => {
  test.each([
    [['rnu'], 'unknown command "rnu" (did you mean "run"?)'],
    [['run', '--dmeo'], 'unknown option "--dmeo" (did you mean "--demo"?)'],
    [['run', '-c'], '-c needs a value'],
    [['close'], '"close" needs a session id, or --route, --client, --target or --identity'],
    [['hash-key', '--prefix'], '--prefix needs a value'],
    [['run', '--demo', '--watch'], '--watch needs a config file to watch'],
  ])('%j', async (args, message) => {
    const stderr = `framegate: ${message}\n"framegate help" lists the commands\n`;
    expect(await runCli(args)).toEqual({ code: 2, signal: null, stdout: '', stderr });
  });

  test('exit code 69: nobody answers where the admin listener should be', async () => {
    const where = 'unix:/nonexistent/admin.sock';
    const stderr = `framegate: no answer from the admin listener on ${where} (ENOENT)\n`;
    expect(await runCli(['healthcheck', '--admin', where])).toEqual({ code: 69, signal: null, stdout: '', stderr });
  });

  test('--to and --listen are judged as part of it', async () => {
    const to = await runCli(['run', '--to', 'ftp://x', '--listen', '127.0.0.1:0']);
    expect(to).toMatchObject({ code: 2, stdout: '' });
    expect(to.stderr).toMatch(/^framegate: --to: /);
    const name = await runCli(['run', '--to', 'chat']);
    expect(name.stderr).toBe('framegate: --to: expected a URL such as ws://127.0.0.1:9001\n');
    const listen = await runCli(['run', '--demo', '--listen', '127.0.0.1']);
    expect(listen).toMatchObject({ code: 2, stdout: '' });
    expect(listen.stderr).toMatch(/^framegate: --listen: /);
  });
});

describe('exit code 78: a bad config', () => {
  test('check prints every problem with its place, the source line and a caret', async () => {
    const folder = folderWith(misspelt);
    const exit = await runCli(['check'], { cwd: folder });
    expect(exit).toMatchObject({ code: 78, stderr: '' });
    expect(exit.stdout).toContain(
      'config.yaml:2:5: error: listeners[0].adress: unknown key (did you mean "address"?)\n' +
        '    - adress: 127.0.0.1:0\n' +
        '      ^\n',
    );
    expect(exit.stdout).toContain(
      'config.yaml:5:5: error: routes[0].limts: unknown key (did you mean "limits"?)\n      limts: {}\n      ^\n',
    );
    expect(exit.stdout).toMatch(/^config\.yaml:7:9: error: timeouts\.idle: .*\n {4}idle: 5\n {10}\^$/m);
    expect(await runCli(['-t'], { cwd: folder })).toEqual(exit);
    expect(await runCli(['check', '-c', path.join(folder, 'config.yaml')])).toMatchObject({ code: 78 });
  });

  test('check --format json prints the same problems as an array, and [] for none', async () => {
    const bad = await runCli(['check', '--format', 'json', '-c', '-'], { input: misspelt });
    expect(bad).toMatchObject({ code: 78, stderr: '' });
    const place = (line: number, column: number, at: string) => {
      return expect.objectContaining({ severity: 'error', line, column, path: at, message: expect.any(String) });
    };
    expect(JSON.parse(bad.stdout)).toEqual([
      place(2, 5, 'listeners[0].adress'),
      place(5, 5, 'routes[0].limts'),
      place(7, 9, 'timeouts.idle'),
    ]);
    const good = await runCli(['check', '--format', 'json', '-c', '-'], { input: echoConfig });
    expect(good).toEqual({ code: 0, signal: null, stdout: '[]\n', stderr: '' });
  });

  test('check warns of what is wrong with a file of targets, at its line: a proxy starts without it', async () => {
    const folder = folderWith(
      'routes: [{ upstream: u }]\nupstreams: { u: { discover: { file: { path: t.yaml } } } }\n',
    );
    const checked = async () => await runCli(['check'], { cwd: folder });
    const absent = 't.yaml: warning: cannot read this file (ENOENT): discover.file has no target until it can\n';
    expect(await checked()).toMatchObject({ code: 0, stdout: `${absent}config.yaml: ok\n`, stderr: '' });
    writeFileSync(path.join(folder, 't.yaml'), '- url: ws://a\n  wieght: 2\n');
    const wrong = 't.yaml:2:3: warning: [0].wieght: unknown key (did you mean "weight"?)\n    wieght: 2\n    ^\n';
    expect(await checked()).toMatchObject({ code: 0, stdout: `${wrong}config.yaml: ok\n` });
    const json = await runCli(['check', '--format', 'json'], { cwd: folder });
    expect(JSON.parse(json.stdout)).toMatchObject([
      { severity: 'warning', file: 't.yaml', line: 2, path: '[0].wieght' },
    ]);
    writeFileSync(path.join(folder, 't.yaml'), '[]');
    expect(await checked()).toMatchObject({ code: 0, stdout: 'config.yaml: ok\n' });
  });

  test('run and config tell the same on stderr and start nothing', async () => {
    for (const command of ['run', 'config']) {
      const exit = await runCli([command], { cwd: folderWith(misspelt) });
      expect(exit).toMatchObject({ code: 78, stdout: '' });
      expect(exit.stderr).toContain('config.yaml:5:5: error: routes[0].limts: unknown key (did you mean "limits"?)');
    }
  });

  test('without -c and without ./config.yaml there is a hint at --demo', async () => {
    for (const args of [[], ['run'], ['check'], ['config']]) {
      const exit = await runCli(args, { cwd: emptyFolder() });
      expect(exit).toMatchObject({ code: 78, stdout: '' });
      expect(exit.stderr).toMatch(/no config\.yaml here.*framegate run --demo/s);
    }
  });

  test('a file that cannot be read is a problem, not a stack trace', async () => {
    const folder = emptyFolder();
    for (const file of ['missing.yaml', folder]) {
      for (const command of ['run', 'check', 'config']) {
        const exit = await runCli([command, '-c', file], { cwd: folder });
        expect(exit.code).toBe(78);
        const told = exit.stdout + exit.stderr;
        expect(told).toContain(`${file}: error: `);
        expect(told).not.toMatch(/\n\s+at /);
      }
    }
  });

  test('an endless file or stdin is cut off at the size a config may have', async () => {
    const device = await runCli(['check', '-c', '/dev/zero']);
    expect(device).toMatchObject({ code: 78, stderr: '' });
    expect(device.stdout).toMatch(/^\/dev\/zero:1:1: error: .*1MiB/);
    const input = `# ${'x'.repeat(1024 * 1024)}`;
    const stream = await runCli(['check', '-c', '-'], { input, inputStaysOpen: true });
    expect(stream).toMatchObject({ code: 78, stderr: '' });
    expect(stream.stdout).toMatch(/^<stdin>:1:1: error: .*1MiB/);
  });

  test('the environment is read: a name without value is an error, with one it is its value', async () => {
    const input = echoConfig.replace('127.0.0.1:0', `"\${FRAMEGATE_TEST_ADDRESS}"`);
    const without = await runCli(['check', '-c', '-'], { input });
    expect(without).toMatchObject({ code: 78 });
    expect(without.stdout).toContain('FRAMEGATE_TEST_ADDRESS');
    const env = { FRAMEGATE_TEST_ADDRESS: '127.0.0.1:7' };
    const withValue = await runCli(['config', '-c', '-'], { input, env });
    expect(withValue).toMatchObject({ code: 0 });
    expect(parseYaml(withValue.stdout).listeners[0].address).toBe('127.0.0.1:7');
  });
});

describe('probe', () => {
  test('exit code 0 over TLS of a known authority; 1 over that of another, and when nobody is there', async () => {
    const { ca, good } = await makeCertificates();
    const folder = emptyFolder();
    writeFileSync(path.join(folder, 'ca.pem'), ca);
    const { url } = await CheckedBackend.listen(good);
    const env = { NODE_EXTRA_CA_CERTS: path.join(folder, 'ca.pem') };
    const lookup = path.join(folder, 'lookup.cjs');
    // The name of the certificate is in no DNS.
    writeFileSync(
      lookup,
      `require('node:dns').lookup = (...all) => all.at(-1)(null, [{ address: '127.0.0.1', family: 4 }]);`,
    );
    const named = url.replace('127.0.0.1', GOOD_NAME);
    const args = ['probe', named, '--message', 'hello', '--format', 'json'];
    const { code, stdout, stderr } = await runCli(args, { env, flags: ['--require', lookup] });
    expect([code, stderr]).toEqual([0, '']);
    const { probes } = JSON.parse(stdout);
    expect(probes[0]).toMatchObject({ ok: true, tls: 'TLSv1.3', failed: null });
    expect(probes[0].steps.map(({ step }: { step: string }) => step)).toEqual([
      'look-up',
      'connect',
      'TLS',
      'upgrade',
      'ping',
      'message',
      'close',
    ]);
    const unknown = await runCli(args, { flags: ['--require', lookup] });
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/^framegate: failed at TLS: /)]);
    const nobody = await runCli(['probe', deadUrl]);
    expect([nobody.code, nobody.stderr]).toEqual([1, 'framegate: failed at connect: ECONNREFUSED\n']);
  });
});

describe('run', () => {
  test('--demo serves an echo, and its hint works as it is typed', async () => {
    const cli = startCli(['run', '--demo', '--listen', '127.0.0.1:0']);
    const port = await cli.port();
    const socket = await connect(`ws://127.0.0.1:${port}/echo`);
    await echoes(socket, 'hello');
    socket.close(4001, 'done');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4001, 'done']);
    expect(await cli.waitForLog('session.end')).toMatchObject({ by: 'client', reason: 'client_close' });
    await cli.waitForStderr('node --experimental-websocket');
    const typed = /^ {2}(node --experimental-websocket -e '.*')$/m.exec(cli.stderr)?.[1];
    expect(typed).toContain(`ws://127.0.0.1:${port}/echo`);
    expect(await shell(typed ?? 'false')).toBe('hello\n');
  });

  test('the hint is for people: under npm start it is there, without a terminal it is not', async () => {
    const started = await startEcho({ env: { npm_lifecycle_event: 'start' } });
    await started.cli.waitForStderr('try it from another terminal');
    const service = await startEcho();
    service.cli.signal('SIGTERM');
    expect(await service.cli.exit()).toMatchObject({ code: 0, stderr: '' });
  });

  test('--to relays everything to one backend', async () => {
    const backend = await RawBackend.listen();
    const cli = startCli(['--to', `${backend.url}/base`, '--listen', '127.0.0.1:0']);
    const client = await RawClient.connect(await cli.port());
    const opened = client.upgrade({ path: '/any/path?q=1' });
    const session = await backend.nextSession();
    expect(await session.head()).toMatch(/^GET \/base\/any\/path\?q=1 HTTP\/1\.1\r\n/);
    expect((await opened).status).toBe(101);
    session.send(text('from the backend'));
    expect((await client.nextFrame()).payload.toString()).toBe('from the backend');
    expect(cli.stderr).toBe('');
  });

  test('./config.yaml is read without -c; its path is in the start event', async () => {
    const cli = startCli([], { cwd: folderWith(echoConfig) });
    await echoes(await connect(`ws://127.0.0.1:${await cli.port()}/echo`), 'x');
    expect(await cli.waitForLog('start')).toMatchObject({ level: 'info', pid: cli.child.pid, config: 'config.yaml' });
    expect(cli.faults).toEqual([]);
  });

  test('exit code 1: a port in use is named', async () => {
    const { port } = await startEcho();
    const exit = await runCli(['run', '--demo', '--listen', `127.0.0.1:${port}`]);
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(
      new RegExp(`^framegate: .*127\\.0\\.0\\.1:${port}.*EADDRINUSE|^framegate: .*EADDRINUSE.*${port}`),
    );
    expect(exit.stderr).not.toMatch(/\n\s+at /);
  });

  test('exit code 1: more sessions than the open-file limit allows names the limit needed', async () => {
    const exit = await runCli(['run', '-c', '-'], { input: `${echoConfig}limits: { max_sessions: 9000000 }\n` });
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(/^framegate: .*max_sessions/);
  });

  test('a log reader that goes away does not end it', async () => {
    const { cli, port } = await startEcho();
    cli.child.stdout?.destroy();
    cli.child.stderr?.destroy();
    for (let round = 0; round < 5; round += 1) {
      const socket = await connect(`ws://127.0.0.1:${port}/echo`);
      await echoes(socket, `round ${round}`);
      socket.close();
      await once(socket, 'close');
    }
    cli.signal('SIGTERM');
    expect(await cli.exit()).toMatchObject({ code: 0 });
  });
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
    '%s closes every session with 1012 and exits 0',
    async (name) => {
      const { cli, port } = await startEcho();
      const socket = await connect(`ws://127.0.0.1:${port}/echo`);
      cli.signal(name);
      const [code, reason] = await once(socket, 'close');
      expect([code, String(reason)]).toEqual([1012, 'server restart']);
      expect(await cli.exit()).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(await cli.waitForLog('drain.begin')).toMatchObject({ sessions: 1 });
      expect(await cli.waitForLog('session.end')).toMatchObject({ by: 'proxy', reason: 'drain' });
      expect(await cli.waitForLog('drain.end')).toMatchObject({ closed: 1, cut: 0 });
    },
  );

  test('exit code 0: without sessions the drain is over at once', async () => {
    const { cli } = await startEcho();
    cli.signal('SIGTERM');
    expect(await cli.exit()).toMatchObject({ code: 0, signal: null });
  });

  test('exit code 3: a second signal cuts what the first one left', async () => {
    const { cli, port } = await startEcho();
    const client = await RawClient.connect(port);
    await client.upgrade({ path: '/echo' });
    cli.signal('SIGTERM');
    expect(await client.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
    // The Close stays unanswered, so the drain would wait.
    cli.signal('SIGINT');
    expect(await cli.exit()).toMatchObject({ code: 3, signal: null });
    await client.closed;
    expect(await cli.waitForLog('session.end')).toMatchObject({ reason: 'forced' });
  });

  test('HUP and USR2 reload, in vain without a file; USR1 and PIPE change nothing, no inspector opens', async () => {
    const { cli, port } = await startEcho();
    const socket = await connect(`ws://127.0.0.1:${port}/echo`);
    for (const name of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const) {
      cli.signal(name);
      await echoes(socket, name);
    }
    expect(await cli.waitForLog('config.rejected')).toMatchObject({
      problems: [{ file: '<stdin>', message: '<stdin> cannot be read again' }],
    });
    const client = await RawClient.connect(port);
    await client.upgrade({ path: '/echo' });
    client.send(closeFrame(1000, '', { mask: true }));
    expect(await client.nextClose()).toEqual({ code: 1000, reason: '' });
    await client.closed;
    cli.signal('SIGTERM');
    // An opened inspector says so on stderr.
    expect(await cli.exit()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a crash', () => {
  // HUP ends nothing, so a handler of the test's own can fail on it.
  const failing = (statement: string) => {
    const code = `process.on('SIGHUP', () => { ${statement} })`;
    return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
  };

  test.each([
    ['an exception', "throw new Error('boom \\u001b[31m')"],
    ['a rejection', "Promise.reject(new Error('boom \\u001b[31m'))"],
  ])('E30: %s that nobody caught is told, the sessions are drained, exit code 1', async (_, statement) => {
    const { cli, port } = await startEcho({ env: failing(statement) });
    const socket = await connect(`ws://127.0.0.1:${port}/echo`);
    cli.signal('SIGHUP');
    const [code] = await once(socket, 'close');
    expect(code).toBe(1012);
    const exit = await cli.exit();
    expect(exit).toMatchObject({ code: 1, signal: null });
    expect(exit.stderr).toContain('framegate: internal error');
    expect(exit.stderr).toContain('boom');
    expect(exit.stderr).not.toContain('\u001b');
  });

  test('E30: it is drained in order also when nobody reads stderr', async () => {
    const { cli, port } = await startEcho({ env: failing("throw new Error('boom')") });
    cli.child.stderr?.destroy();
    const socket = await connect(`ws://127.0.0.1:${port}/echo`);
    cli.signal('SIGHUP');
    const [code] = await once(socket, 'close');
    expect(code).toBe(1012);
    expect(await cli.waitForLog('session.end')).toMatchObject({ reason: 'drain', clean: true });
    expect(await cli.exit()).toMatchObject({ code: 1, signal: null });
  });

  test('E30: a second one during that drain ends the process at once', async () => {
    const { cli, port } = await startEcho({ env: failing("throw new Error('boom')") });
    const client = await RawClient.connect(port);
    await client.upgrade({ path: '/echo' });
    cli.signal('SIGHUP');
    await client.nextClose();
    cli.signal('SIGHUP');
    expect(await cli.exit()).toMatchObject({ code: 1, signal: null });
  });
});

/** What a command prints on stdout when typed into a shell with this Node on the PATH. */
async function shell(command: string): Promise<string> {
  const { execFile } = await import('node:child_process');
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` };
  return new Promise((resolve, reject) => {
    execFile('sh', ['-c', command], { env, timeout: 10_000 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}
