// What leaves the process beside the bytes it relays: the log, metrics, admin answers, what commands print, refusals.
// Nothing of it may be made by a peer to look like something else, and none of it may hold a secret.

import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { renderConfig } from '../../src/config/render.ts';
import { askAdmin, askAdminAt, until } from '../e2e/operating.ts';
import { makeCertificates } from '../support/certs.ts';
import { runCli } from '../support/cli-process.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { closeFrame, text, upgradeRequest } from '../support/wire.ts';
import { folder, launch, PROCESS_MS, portOf, type Running, startRunning } from './command.ts';
import { instead, requestOf, withFields, withLine, withTarget } from './harness.ts';
import { closeCleanly, openPair, openSession } from './pair.ts';
import { startPoisoned } from './poisoned.ts';

/** As a client may send them: each byte a latin1 character. U+202E and U+2028 come as UTF-8. */
const forging = ['\x1b[31m', '\x9b2J', '\xe2\x80\xae', '\xe2\x80\xa8', '\x85', '\xff', '"}\\', '\t'];
const printable = /^[\x20-\x7e]*$/;

describe('what a peer sends stands in the log as text, on one line', () => {
  /** Sends a request that is refused and gives its line. The harness fails for every line that is not plain. */
  async function lineOf(request: string, config: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const running = await startProxy(oneRoute('ws://127.0.0.1:1', {}, config));
    const client = await RawClient.connect(running.port);
    client.send(request);
    const { body } = await client.readResponse();
    expect(body.toString('latin1')).toMatch(printable);
    return running.waitForLog('handshake.refused');
  }

  test('L1: in fields that are logged: escaped, and otherwise as they were', async () => {
    for (const bytes of forging.filter((one) => !one.includes('\x1b'))) {
      expect(await lineOf(withFields(`User-Agent: a${bytes}b`))).toMatchObject({ user_agent: `a${bytes}b` });
    }
    expect(await lineOf(withFields('Origin: \xe2\x80\xae'))).toMatchObject({ error: 'obs_text' });
    expect(await lineOf(instead('Host', 'a\x9b'))).toMatchObject({ error: 'host' });
  });

  test('L1: in what breaks a rule: the target, a name, a value, the whole line', async () => {
    for (const bytes of forging) {
      await lineOf(withTarget(`/a${bytes}b`.replace('\t', '\x01')));
      await lineOf(withFields(`X${bytes}: y`));
      await lineOf(withFields(`User-Agent: x`, `X: \x01${bytes}`));
      await lineOf(withLine(`GET${bytes} / HTTP/1.1`));
      await lineOf(withFields(`Sec-WebSocket-Protocol: ${bytes}`, `Sec-WebSocket-Extensions: ${bytes}`));
      await lineOf(withFields('X: a\r\n{"time":"now","level":"info","event":"forged"}\r\nY: b'));
    }
  });

  test('L1: in what a trusted proxy says of its client, and in the request id it gives', async () => {
    for (const bytes of forging.filter((one) => !one.includes('\x1b'))) {
      const request = withFields(`X-Forwarded-For: ${bytes}`, `X-Request-ID: ${bytes}`, 'X-Forwarded-Host: \xff');
      const line = await lineOf(request, { trusted_proxies: ['127.0.0.1/32'] });
      if (bytes !== '"}\\') expect(line.request_id).toMatch(/^[0-9a-f]{32}$/);
      expect(line.client).toBe('127.0.0.1');
    }
  });

  test('L1: what subprotocols, close reasons, payloads and status lines say is not logged at all', async () => {
    const pair = await openPair({
      request: { 'Sec-WebSocket-Protocol': 'forged' },
      answer: { 'Sec-WebSocket-Protocol': 'forged' },
    });
    pair.client.send(text('\u202e\u2028', { mask: true }), closeFrame(1000, '\u202eforged\n', { mask: true }));
    expect(await pair.server.nextClose()).toEqual({ code: 1000, reason: '\u202eforged\n' });
    pair.server.send(closeFrame(1000, '\u2028forged'));
    expect(await pair.client.nextClose()).toEqual({ code: 1000, reason: '\u2028forged' });
    pair.client.end();
    pair.server.end();
    expect(await pair.running.waitForLog('session.end')).toMatchObject({ subprotocol: 'unlisted' });
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(backend.url));
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest());
    const server = await backend.nextConnection();
    await server.head();
    server.send('HTTP/1.1 403 forged\xe2\x80\xae\x9b\r\nContent-Length: 0\r\n\r\n');
    expect((await client.readResponse()).head.line).toBe('HTTP/1.1 403 Forbidden');
    expect(await running.waitForLog('handshake.refused')).toMatchObject({ cause: 'status 403' });
    expect(JSON.stringify([...pair.running.logs, ...running.logs])).not.toContain('forged');
  });

  test('L1: what an admin asks for is escaped too', async () => {
    const running = await startProxy(oneRoute('builtin:echo', {}, { admin: { address: '127.0.0.1:0' } }));
    const client = await RawClient.connect(running.port);
    await client.upgrade();
    const reason = encodeURIComponent('\u202e\u2028bye');
    const { status, body } = await askAdmin(running, `POST /api/v1/sessions/close?route=test&reason=${reason}`);
    expect([status, body]).toEqual([200, '{"closing":1}\n']);
    expect(await client.nextClose()).toEqual({ code: 1008, reason: '\u202e\u2028bye' });
    expect(JSON.stringify(await running.waitForLog('admin.action'))).toContain('bye');
    for (const bad of ['%0d%0aX', '%1b[31m', '%7f', '%c2%9b']) {
      const refused = await askAdmin(running, `POST /api/v1/sessions/close?route=test&reason=${bad}`);
      expect([refused.status, printable.test(refused.body.trim())]).toEqual([400, true]);
    }
  });

  test(
    'L1: in the pretty format, and in what a crash prints, as well',
    async () => {
      const config =
        'listeners: [{ name: test, address: "127.0.0.1:0" }]\nlog: { format: pretty }\n' +
        'routes: [{ match: { path: /nowhere }, upstream: "builtin:echo" }]\n';
      const crashing = { NODE_OPTIONS: `--import ${crashOn('\\u202e\\u009b\\u001b[31m forged')}` };
      const { cli, port } = await prettyRunning(config, crashing);
      const client = await RawClient.connect(port);
      client.send(withFields('User-Agent: \x9b\xe2\x80\xae forged \xff'));
      await client.readResponse();
      cli.signal('SIGWINCH');
      const { code, stdout, stderr } = await cli.exit();
      expect(code).toBe(1);
      expect(stdout).toContain('\\u009b\\u00e2\\u0080\\u00ae forged \\u00ff');
      expect(stderr).toContain('internal error');
      for (const line of `${stdout}${stderr}`.split('\n')) expect(line).toMatch(printable);
    },
    PROCESS_MS,
  );
});

/** A module that throws, out of nobody's hands, when it is told to. */
function crashOn(message: string): string {
  const code = `process.on('SIGWINCH', () => { throw new Error('${message}'); })`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Pretty lines are no JSON: where it listens is read out of them. */
async function prettyRunning(
  config: string,
  env: Readonly<Record<string, string>>,
): Promise<Pick<Running, 'cli' | 'port'>> {
  const cli = launch(config, [], undefined, { env });
  const address = () => /127\.0\.0\.1:(\d+)/.exec(cli.stdout)?.[1];
  await until('it listens', () => address() !== undefined);
  return { cli, port: Number(address()) };
}

describe('secrets', () => {
  /** Planted wherever a secret may stand; found nowhere. The word behind it says where it came from. */
  const canary = (where: string) => `canary-${where}-5e1f`;
  const secretFields = [
    `Authorization: Bearer ${canary('authorization')}`,
    `Cookie: sid=${canary('cookie')}`,
    `X-Api-Key: ${canary('x-api-key')}`,
    `Sec-WebSocket-Protocol: bearer, ${canary('subprotocol')}`,
    `Referer: https://app.example/?token=${canary('referer')}`,
    `Proxy-Authorization: Basic ${canary('proxy-authorization')}`,
    `X-Auth-Token: ${canary('x-auth-token')}`,
  ];
  const query = `?token=${canary('token')}&api_key=${canary('api-key')}&${canary('bare')}`;
  const target = `/app/${canary('path')}${query}`;
  const line = `GET ${target} HTTP/1.1`;

  /** Every way for a request to fail, with every secret in it. */
  const refused = [
    requestOf({ line: `POST ${target} HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET ${target} HTTP/1.0`, fields: secretFields }),
    requestOf({ line: `GET ${target}#access_token=${canary('fragment')} HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET /app#access_token=${canary('fragment')} HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET ws://user:${canary('userinfo')}@framegate.test/app HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET //user:${canary('userinfo')}@framegate.test/app HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `CONNECT user:${canary('userinfo')}@framegate.test:443 HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET ws://framegate.test/none${query} HTTP/1.1`, fields: secretFields }),
    requestOf({ line: `GET /none${query} HTTP/1.1`, fields: secretFields }),
    requestOf({ line, omit: ['host'], fields: [`Host: user:${canary('host')}@framegate.test`, ...secretFields] }),
    requestOf({ line, omit: ['upgrade'], fields: secretFields }),
    requestOf({ line, omit: ['sec-websocket-key'], fields: [...secretFields, `Sec-WebSocket-Key: ${canary('key')}`] }),
    requestOf({ line, fields: [...secretFields, `Origin: https://user:${canary('origin')}@app.example`, 'Expect: x'] }),
    requestOf({ line, fields: [...secretFields, `Authorization: Basic ${canary('authorization')}`] }),
    requestOf({ line, fields: [...secretFields, `Content-Length: ${canary('length')}`] }),
    requestOf({ line, fields: [...secretFields, `Connection: authorization, ${canary('option')}`] }),
    requestOf({ line, fields: [...secretFields, `Sec-WebSocket-Extensions: ${canary('extension')};;`] }),
    requestOf({ line, fields: [...secretFields, ` ${canary('fold')}`] }),
    requestOf({ line, fields: [...secretFields, `X ${canary('name')}: y`] }),
    requestOf({
      line,
      fields: [...secretFields, ...Array.from({ length: 100 }, (_, i) => `X-${i}: ${canary('field')}`)],
    }),
    requestOf({ line, fields: [...secretFields, `X: ${canary('long').repeat(2000)}`] }),
    `${line} ${canary('junk')}\r\n\r\n`,
  ];

  interface Planted extends Running {
    readonly backend: RawBackend;
    readonly admin: number;
    readonly keyLine: string;
  }

  async function plant(): Promise<Planted> {
    const base = folder();
    const { ca, client } = await makeCertificates();
    const files = { 'ca.pem': ca, 'cert.pem': client.cert, 'key.pem': client.key, token: `${canary('admin-token')}\n` };
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(base, name), content);
    const backend = await RawBackend.listen();
    const tls = 'ca: ca.pem, cert: cert.pem, key: key.pem';
    const config = [
      'listeners: [{ name: test, address: "127.0.0.1:0" }]',
      'routes:',
      '  - { name: app, match: { path: /app/* }, upstream: plain }',
      '  - { name: tls, match: { path: /tls }, upstream: secure }',
      'upstreams:',
      `  plain: { targets: [{ url: "${backend.url}/base" }] }`,
      `  secure: { targets: [{ url: "wss://127.0.0.1:${backend.port}" }], tls: { ${tls} } }`,
      'admin: { address: "127.0.0.1:0", token: { file: token } }',
      'log: { level: trace, path: route, query: names, session_open: info }',
      'timeouts: { close: 100ms }',
      '',
    ];
    const options = { env: { NODE_OPTIONS: `--import ${crashOn('crash')}` } };
    const running = await startRunning(config.join('\n'), [], path.join(base, 'a.yaml'), options);
    const keyLine = client.key.split('\n')[1] ?? '';
    expect(keyLine.length).toBeGreaterThan(40);
    return { ...running, backend, admin: await portOf(running.cli, 'admin'), keyLine };
  }

  /** Requests of every kind. What refusals say comes back. */
  async function exercise({ port, backend }: Planted): Promise<string> {
    let said = '';
    for (const request of refused) {
      const client = await RawClient.connect(port);
      client.send(request);
      const { head, body } = await client.readResponse();
      said += `${head.raw}${body}\n`;
      client.destroy();
    }
    const open = requestOf({ line, fields: secretFields });
    const ask = async () => {
      const client = await RawClient.connect(port);
      client.send(open, text(canary('early'), { mask: true }));
      const server = await backend.nextConnection();
      expect(await server.head()).toContain(canary('authorization'));
      return { client, server };
    };
    const spoilt = await ask();
    spoilt.server.send(`HTTP/1.1 101 ${canary('phrase')}\r\nSet-Cookie: ${canary('set-cookie')}\r\n\r\n`);
    said += (await spoilt.client.readResponse()).body.toString();
    const unlucky = await RawClient.connect(port);
    unlucky.send(requestOf({ line: `GET /tls${query} HTTP/1.1`, fields: secretFields }));
    (await backend.nextConnection()).send(`HTTP/1.1 400 ${canary('plain')}\r\n\r\n`);
    said += (await unlucky.readResponse()).body.toString();
    const relayed = await ask();
    await relayed.server.accept({
      'Sec-WebSocket-Protocol': canary('subprotocol'),
      'Set-Cookie': canary('set-cookie'),
    });
    await relayed.client.readHead();
    relayed.client.send(text(canary('payload'), { mask: true }), closeFrame(1000, canary('reason'), { mask: true }));
    await relayed.server.nextClose();
    relayed.server.destroy();
    const broken = await ask();
    await broken.server.accept();
    await broken.client.readHead();
    broken.server.send(Buffer.concat([text(canary('payload')), Buffer.from(canary('garbage'))]));
    await broken.client.framesUntilClose();
    broken.client.destroy();
    return said;
  }

  const endpoints = ['status', 'config', 'upstreams', 'advice', 'sessions', 'sessions/none'].map(
    (name) => `/api/v1/${name}`,
  );

  /** All that the admin listener answers, with the token and without. */
  async function everyAnswer(admin: number): Promise<string> {
    const token = `Authorization: Bearer ${canary('admin-token')}`;
    let said = '';
    for (const where of [...endpoints, '/metrics', '/healthz', '/readyz', '/application/websockets']) {
      const answer = await askAdminAt(admin, `GET ${where}`, token);
      expect([200, 404]).toContain(answer.status);
      for (const field of [`Authorization: Bearer ${canary('wrong-token')}`, `Cookie: ${canary('admin-cookie')}`]) {
        said += (await askAdminAt(admin, `GET ${where}?token=${canary('admin-query')}`, field)).body;
      }
      said += `${answer.body}${[...answer.headers.values()].join(' ')}`;
    }
    return said;
  }

  async function everyCommand({ file, admin }: Planted): Promise<string> {
    const at = ['--admin', `127.0.0.1:${admin}`];
    const commands = [
      ['check', '-c', file],
      ['config', '-c', file],
      ['status', ...at],
      ['sessions', ...at],
      ['advise', ...at],
    ];
    let said = '';
    for (const args of commands) {
      const { code, stdout, stderr } = await runCli(args, { env: { FRAMEGATE_ADMIN_TOKEN: canary('admin-token') } });
      expect([args[0], code, stderr]).toEqual([args[0], 0, '']);
      said += stdout;
    }
    const { stdout, stderr } = await runCli(['status', ...at], {
      env: { FRAMEGATE_ADMIN_TOKEN: canary('wrong-token') },
    });
    return said + stdout + stderr;
  }

  test(
    'L2: none of them is in the log at trace, an answer, a metric, what a command prints, or the text of a crash',
    async () => {
      const planted = await plant();
      const { cli, backend, port, admin, keyLine } = planted;
      const open = await RawClient.connect(port);
      open.send(requestOf({ line, fields: secretFields }));
      const server = await backend.nextSession({ 'Sec-WebSocket-Protocol': canary('subprotocol') });
      await open.readHead();
      const outputs = {
        refusals: await exercise(planted),
        answers: await everyAnswer(admin),
        commands: await everyCommand(planted),
      };
      cli.signal('SIGHUP');
      await cli.waitForLog('config.loaded');
      writeFileSync(planted.file, `${canary('file')}: { file: token }\nadmin: { token: "${canary('a b')}" }\n`);
      cli.signal('SIGHUP');
      const { problems } = await cli.waitForLog('config.rejected');
      expect(JSON.stringify(problems)).toContain('admin.token');
      cli.signal('SIGWINCH');
      expect(await server.nextClose()).toEqual({ code: 1001, reason: 'server restart' });
      open.destroy();
      const { code, stdout, stderr } = await cli.exit();
      expect(code).toBe(1);
      expect(stderr).toContain('internal error');
      expect(cli.faults).toEqual([]);
      const log = stdout.replaceAll(canary('file'), '<key>');
      for (const [where, said] of Object.entries({ ...outputs, log, stderr })) {
        expect(said.length, where).toBeGreaterThan(0);
        expect(said.match(/.{0,120}canary.{0,60}/gi) ?? [], where).toEqual([]);
        expect(said, where).not.toContain(keyLine);
      }
      expect(outputs.commands).toContain('token: "***"');
      expect(outputs.answers).toContain('token: "***"');
      expect(log).toContain('"path":"/app/*"');
    },
    PROCESS_MS,
  );

  test.each([
    ['off', 'full', `/app/${canary('path')}`],
    ['names', 'full', `/app/${canary('path')}?token=***&api_key=***&***`],
    ['names', 'route', '/app/*'],
  ] as const)('L2: log.query: %s, log.path: %s: a path is logged as %s', async (shown, full, logged) => {
    const log = { query: shown, path: full, level: 'trace' as const, session_open: 'info' as const };
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(backend.url, { match: { path: '/app/*' } }, { log }));
    await closeCleanly(await openSession(running, backend, { path: target }));
    const client = await RawClient.connect(running.port);
    client.send(requestOf({ line, omit: ['upgrade'] }));
    await client.readResponse();
    await running.waitForLog('handshake.refused');
    for (const event of ['session.open', 'session.end']) {
      expect((await running.waitForLog(event)).path).toBe(logged);
    }
    // No route is known yet.
    const early = running.logsOf('handshake.refused')[0]?.path;
    expect(early).toBe(full === 'route' ? '-' : logged);
    expect(JSON.stringify(running.logs)).not.toMatch(/canary-(token|api-key|bare)/);
  });

  test('L2: user information and what stands behind # are not logged, though the path is', async () => {
    const running = await startProxy(oneRoute('ws://127.0.0.1:1', {}, { log: { level: 'trace', query: 'names' } }));
    const asked = [
      [`GET ws://user:${canary('userinfo')}@framegate.test/app HTTP/1.1`, 'ws://***@framegate.test/app'],
      [`GET ws://user:${canary('userinfo')}/@framegate.test/app HTTP/1.1`, 'ws://***@framegate.test/app'],
      [`GET //user:${canary('userinfo')}@framegate.test/app HTTP/1.1`, '//***@framegate.test/app'],
      [`CONNECT user:${canary('userinfo')}@framegate.test:443 HTTP/1.1`, '***@framegate.test:443'],
      ['GET /@user/a@b HTTP/1.1', '/@user/a@b'],
      [`GET /app#access_token=${canary('fragment')} HTTP/1.1`, null],
      [`GET /app?a=b#access_token=${canary('fragment')} HTTP/1.1`, null],
    ] as const;
    for (const [first, logged] of asked) {
      const client = await RawClient.connect(running.port);
      const fields = ['Expect: x', `Origin: https://user:${canary('origin')}@app.example`];
      client.send(requestOf({ line: first, omit: ['host'], fields: [`Host: u:${canary('host')}@a.test`, ...fields] }));
      const id = (await client.readResponse()).json().request_id;
      const told = await running.waitForLog('handshake.refused', ({ request_id }) => request_id === id);
      if (logged !== null) {
        expect(told).toMatchObject({ path: logged, host: '***@a.test', origin: 'https://***@app.example' });
      }
      expect(JSON.stringify(told)).not.toContain('canary');
      client.destroy();
    }
  });

  test('L2: nor is one in the line of a fault of our own', async () => {
    const backend = await RawBackend.listen();
    const edge = await startPoisoned(backend.url, { log: { level: 'trace', path: 'route' } });
    const client = await RawClient.connect(edge.port);
    client.send(requestOf({ line, fields: secretFields }));
    const server = await backend.nextSession();
    await client.readHead();
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    server.send(text(canary('payload')));
    expect(await client.nextClose()).toMatchObject({ code: 1011 });
    client.destroy();
    server.destroy();
    const lines = [await edge.waitForLog('session.fault'), await edge.waitForLog('session.end')];
    expect(JSON.stringify(lines)).not.toContain('canary');
  });

  const secret = { env: { TOKEN: canary('env') }, readFile: () => Buffer.from(canary('file')) };

  test.each(['{ file: token }', canary('text'), `"\${TOKEN}"`, `"\${NONE:-${canary('default')}}"`])(
    'L5: the effective config has *** for the token %s, and is refused as a config for that',
    (token) => {
      const text = `routes: [{ upstream: "builtin:echo" }]\nadmin: { token: ${token} }\n`;
      const result = loadConfig({ text, file: 'a.yaml', ...secret });
      if ('problems' in result) throw new Error(JSON.stringify(result.problems));
      const printed = renderConfig(result.config);
      expect(printed).toContain('token: "***"');
      expect(printed).not.toContain('canary');
      const again = loadConfig({ text: printed, file: 'a.yaml', ...secret });
      expect(JSON.stringify(again)).toContain('*** stands where a secret was');
    },
  );
});
