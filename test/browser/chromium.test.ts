// A real browser through a wss listener: what its pages see of sessions, of refusals and of what an operator does.

import { createHash, randomBytes } from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import { constants, inflateRawSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { WsBackend } from '../e2e/ws-pair.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type HarnessOptions, oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { findChromium, LAUNCH_MS, launchChromium } from './chromium.ts';
import { type PageServer, type PageSocket, servePages, Tab } from './tab.ts';

/** A page alone takes a second where others want the processor, too. */
const TEST_MS = 60_000;

const GATE = 'gate.site.test';
const MIB = 1_048_576;

type RouteInput = Partial<ConfigInput['routes'][number]>;

const executable = findChromium();
// Seen in the output of a run that passes, too.
if (executable === null)
  process.stderr.write('no Chromium is installed: test/browser shows nothing of a real browser\n');

let authority: Authority;
let first: Identity;
let second: Identity;
let unknown: Identity;
let pages: PageServer;
let browser: Browser;
/** Of most tests: a page takes longer than what they do in it. */
let app: Tab;

/** What a page of that name is, as an Origin says it. */
const originOf = (host: string): string => `https://${host}:${pages.port}`;
const pageOf = (host = 'app.site.test'): Promise<Tab> => Tab.open(browser, originOf(host));
const urlOf = ({ port }: RunningProxy, path = '/'): string => `wss://${GATE}:${port}${path}`;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function listening(identity: Identity): ConfigInput['listeners'] {
  return [{ name: 'test', address: '127.0.0.1:0', health_path: '/health', tls: { certificates: [identity] } }];
}

function start(
  upstream: string,
  route: RouteInput = {},
  config: Partial<ConfigInput> = {},
  options: HarnessOptions = {},
): Promise<RunningProxy> {
  return startProxy(oneRoute(upstream, route, { listeners: listening(first), ...config }), options);
}

async function echoes(socket: PageSocket, data: string): Promise<void> {
  await socket.send(data);
  expect(await socket.next()).toEqual({ kind: 'text', data });
}

describe.skipIf(executable === null)('a real browser', { timeout: TEST_MS }, () => {
  beforeAll(async () => {
    authority = await makeAuthority();
    const dns = ['*.site.test', 'evil.test'];
    first = await authority.issue({ dns });
    second = await authority.issue({ dns });
    unknown = await authority.issue({ dns });
    pages = await servePages(first);
    browser = await launchChromium(executable ?? '', [first, second]);
    app = await pageOf();
  }, LAUNCH_MS);

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  }, LAUNCH_MS);

  describe('a session', () => {
    test('text and binary both ways', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running));
      const { inbox, socket: peer } = await backend.next();
      await socket.send('grüße, 你好');
      expect(await inbox.next()).toEqual({ kind: 'text', data: Buffer.from('grüße, 你好') });
      await socket.sendBytes([0, 1, 254, 255]);
      expect(await inbox.next()).toEqual({ kind: 'binary', data: Buffer.from([0, 1, 254, 255]) });
      peer.send('zurück');
      expect(await socket.next()).toEqual({ kind: 'text', data: 'zurück' });
      peer.send(Buffer.from([9, 8]));
      expect(await socket.next()).toMatchObject({ kind: 'binary', size: 2, sha256: sha256(Buffer.from([9, 8])) });
      peer.send(Buffer.alloc(0));
      expect(await socket.next()).toMatchObject({ kind: 'binary', size: 0 });
    });

    test('a blob of 1 MiB both ways; one byte more than the limit is 1009', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url, { limits: { from_client: { max_message_size: '1MiB' } } });
      const socket = await app.connect(urlOf(running));
      const { inbox, socket: peer } = await backend.next();
      const sent = await socket.sendBlob(MIB);
      const received = await inbox.next();
      expect(received.kind).toBe('binary');
      if (received.kind === 'binary') expect([received.data.length, sha256(received.data)]).toEqual([MIB, sent]);
      const back = randomBytes(MIB);
      peer.send(back);
      expect(await socket.next()).toEqual({ kind: 'binary', size: MIB, sha256: sha256(back) });
      await socket.sendBlob(MIB + 1);
      const end = { code: 1009, reason: 'max_message_size', wasClean: true, opened: true };
      expect(await socket.closed()).toEqual(end);
    });

    test('compression is agreed on, and messages go compressed both ways', async () => {
      const backend = await RawBackend.listen();
      const running = await start(backend.url);
      const socket = await app.begin(urlOf(running));
      const peer = await backend.nextConnection();
      const request = await peer.accept({
        'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
      });
      expect(request.field('sec-websocket-extensions')).toMatch(/^permessage-deflate\b/);
      expect(await socket.settled()).toMatchObject({ extensions: expect.stringContaining('permessage-deflate') });
      const text = 'again '.repeat(1_000);
      await socket.send(text);
      const frame = await peer.nextFrame();
      // RFC 7692 7.2.2: the four bytes were cut off.
      const whole = Buffer.concat([frame.payload, Buffer.from([0, 0, 255, 255])]);
      expect(frame).toMatchObject({ opcode: 1, rsv: 4, fin: true });
      const inflated = inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
      expect([inflated, frame.payload.length < 100]).toEqual([text, true]);
      peer.sendFrame({ opcode: 1, rsv: 4, payload: frame.payload });
      expect(await socket.next()).toEqual({ kind: 'text', data: text });
    });

    test('compression of libraries, with a context that lives on', async () => {
      const backend = await WsBackend.listen({ perMessageDeflate: { threshold: 0 } });
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running));
      const { inbox, socket: peer } = await backend.next();
      expect(peer.extensions).toContain('permessage-deflate');
      for (const text of ['one and the same', 'one and the same', 'x'.repeat(100_000)]) {
        await socket.send(text);
        expect(await inbox.next()).toEqual({ kind: 'text', data: Buffer.from(text) });
        peer.send(text);
        expect(await socket.next()).toEqual({ kind: 'text', data: text });
      }
    });

    test('compression: off: none is agreed on', async () => {
      const backend = await WsBackend.listen({ perMessageDeflate: { threshold: 0 } });
      const running = await start(backend.url, { compression: 'off' });
      const socket = await app.connect(urlOf(running));
      expect(await socket.settled()).toEqual({ protocol: '', extensions: '' });
    });

    test('the page has the subprotocol that the backend chose', async () => {
      const backend = await WsBackend.listen({ handleProtocols: () => 'chat.v2' });
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running), ['chat.v1', 'chat.v2']);
      expect(await socket.settled()).toMatchObject({ protocol: 'chat.v2' });
      expect((await backend.next()).request.headers['sec-websocket-protocol']).toMatch(/^chat\.v1, ?chat\.v2$/);
    });

    test('the backend has the page, its cookies and https', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const tab = await pageOf();
      await tab.context.addCookies([{ name: 'sid', value: 'abc', domain: GATE, path: '/', secure: true }]);
      await tab.connect(urlOf(running, '/a%20b?c=d%2Fe'));
      const { request } = await backend.next();
      expect(request.url).toBe('/a%20b?c=d%2Fe');
      expect(request.headers).toMatchObject({
        origin: originOf('app.site.test'),
        cookie: 'sid=abc',
        'user-agent': expect.stringContaining('Chrome'),
        'x-forwarded-proto': 'https',
        'x-forwarded-for': '127.0.0.1',
      });
    });

    test('h2 is offered and not agreed on; a page of our own host may be the origin', async () => {
      const running = await start('builtin:echo', { origins: ['same'] });
      const tab = await Tab.open(browser, `https://${GATE}:${running.port}/health`);
      const protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
      expect(await tab.page.evaluate(protocol)).toBe('http/1.1');
      await echoes(await tab.connect(urlOf(running)), 'same origin');
      expect(await app.endOf(urlOf(running))).toMatchObject({ code: 1006, opened: false });
    });
  });

  describe('an end', () => {
    test.each([
      ['a code of its own', 4001, 'grüße'],
      ['the longest reason', 3000, 'r'.repeat(123)],
      ['a going away', 1001, ''],
    ])('of the backend, %s, is what the page sees', async (_, code, reason) => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running));
      (await backend.next()).socket.close(code, reason);
      expect(await socket.closed()).toEqual({ code, reason, wasClean: true, opened: true });
    });

    test('of the page is what the backend sees, and clean', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running));
      await socket.close(4001, 'bye');
      expect(await (await backend.next()).inbox.closed()).toEqual({ code: 4001, reason: 'bye' });
      expect(await socket.closed()).toEqual({ code: 4001, reason: 'bye', wasClean: true, opened: true });
    });

    test('of a page that is left is 1001 at the backend', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const tab = await pageOf();
      await tab.connect(urlOf(running));
      await tab.page.goto('about:blank');
      expect(await (await backend.next()).inbox.closed()).toMatchObject({ code: 1001 });
    });

    test('of a lost backend is 1012, clean', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url);
      const socket = await app.connect(urlOf(running));
      (await backend.next()).socket.terminate();
      expect(await socket.closed()).toEqual({ code: 1012, reason: 'backend lost', wasClean: true, opened: true });
    });

    test('for silence has the code that the config says', async () => {
      const clock = new FakeClock();
      const timeouts = { idle: '10s', client_ping_interval: 'off' } as const;
      const running = await start('builtin:echo', {}, { timeouts, close_codes: { idle: 4408 } }, { clock });
      const socket = await app.connect(urlOf(running));
      clock.advance(10_050);
      expect(await socket.closed()).toEqual({ code: 4408, reason: 'idle timeout', wasClean: true, opened: true });
    });
  });

  describe('a refusal', () => {
    const refused = { code: 1006, reason: '', wasClean: false, opened: false };

    test('over HTTP is 1006 whatever it was: a foreign origin, and no route', async () => {
      const match = { path: '/echo' };
      const running = await start('builtin:echo', { match, origins: [originOf('app.site.test')] });
      await echoes(await app.connect(urlOf(running, '/echo')), 'let in');
      expect(await app.endOf(urlOf(running, '/other'))).toEqual(refused);
      expect(await (await pageOf('evil.test')).endOf(urlOf(running, '/echo'))).toEqual(refused);
      const slugs = running.logsOf('handshake.refused').map(({ error }) => error);
      expect(slugs).toEqual(['no_route', 'origin_not_allowed']);
    });

    test('with refuse_with: close is read by the page, subprotocols offered or not', async () => {
      const origins = [originOf('app.site.test')];
      const running = await start('builtin:echo', { origins }, { defaults: { refuse_with: 'close' } });
      const foreign = await pageOf('evil.test');
      const end = { code: 3003, reason: 'origin_not_allowed', wasClean: true, opened: true };
      expect(await foreign.endOf(urlOf(running))).toEqual(end);
      expect(await foreign.endOf(urlOf(running), ['chat.v1', 'chat.v2'])).toEqual(end);
      const socket = await app.connect(urlOf(running));
      await echoes(socket, 'let in');
      await socket.close(1000, 'done');
      expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'client_close' });
      expect(running.logsOf('session.end')).toHaveLength(1);
    });

    test('with refuse_with: close names what was wrong', async () => {
      const backend = await WsBackend.listen({
        verifyClient: (_, done) => done(false, 503, 'x', { 'Retry-After': '7' }),
      });
      const config = { defaults: { refuse_with: 'close' } } as const;
      const running = await start(backend.url, { match: { path: '/busy' } }, config);
      const clean = { wasClean: true, opened: true };
      const busy = { code: 1013, reason: 'backend_refused 503 retry=7', ...clean };
      expect(await app.endOf(urlOf(running, '/busy'))).toEqual(busy);
      expect(await app.endOf(urlOf(running, '/other'))).toEqual({ code: 4404, reason: 'no_route', ...clean });
    });

    test('a page without an origin of its own is "null"', async () => {
      const running = await start('builtin:echo', { origins: ['null'] });
      const tab = await Tab.open(browser, `${originOf('app.site.test')}/sandboxed`);
      await echoes(await tab.connect(urlOf(running)), 'from nowhere');
      expect(await app.endOf(urlOf(running))).toEqual(refused);
    });
  });

  describe('a page that can bring its token in the subprotocol alone', () => {
    const KEY = 'key-of-this-page';
    const clean = { wasClean: true, opened: true };
    const auth = (expires?: string): ConfigInput['auth'] => {
      const own = { name: 'page', sha256: createHash('sha256').update(KEY).digest('hex') };
      const from = ['subprotocol:bearer', 'cookie:sid'];
      return { pages: { api_key: { from, keys: [{ ...own, ...(expires === undefined ? {} : { expires }) }] } } };
    };
    const guarded = (): RouteInput => ({
      auth: ['pages'],
      origins: [originOf('app.site.test')],
      refuse_with: 'close',
    });

    test('is let in: it sees the marker, or what the backend chose; the backend sees neither', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url, guarded(), { auth: auth() });
      const alone = await app.connect(urlOf(running), ['bearer', KEY]);
      expect(await alone.settled()).toMatchObject({ protocol: 'bearer' });
      const { request, socket } = await backend.next();
      expect(request.headers['sec-websocket-protocol']).toBeUndefined();
      socket.send('welcome');
      expect(await alone.next()).toEqual({ kind: 'text', data: 'welcome' });
      const chat = await app.connect(urlOf(running), ['chat.v1', 'bearer', KEY, 'chat.v2']);
      expect(await chat.settled()).toMatchObject({ protocol: 'chat.v1' });
      expect((await backend.next()).request.headers['sec-websocket-protocol']).toBe('chat.v1, chat.v2');
    });

    test('reads why it is not: a bad token is 3000, another page 3003', async () => {
      const running = await start('builtin:echo', guarded(), { auth: auth() });
      const bad = { code: 3000, reason: 'unauthorized', ...clean };
      expect(await app.endOf(urlOf(running), ['bearer', 'wrong'])).toEqual(bad);
      expect(await app.endOf(urlOf(running), ['chat', 'bearer', 'wrong'])).toEqual(bad);
      expect(await app.endOf(urlOf(running))).toEqual(bad);
      const foreign = await (await pageOf('evil.test')).endOf(urlOf(running), ['bearer', KEY]);
      expect(foreign).toEqual({ code: 3003, reason: 'origin_not_allowed', ...clean });
      expect(JSON.stringify(running.logs)).not.toMatch(/wrong|key-of/);
    });

    test('hears when its token has ended', async () => {
      const clock = new FakeClock();
      const wallNow = () => Date.UTC(2030, 0, 1) + clock.now() - 1_000_000;
      const config = { auth: auth('2030-01-01T00:05:00Z'), timeouts: { idle: 'off' } } as const;
      const running = await start('builtin:echo', guarded(), config, { clock, wallNow });
      const socket = await app.connect(urlOf(running), ['bearer', KEY]);
      await echoes(socket, 'before');
      clock.advance(5 * 60_000 + 50);
      expect(await socket.closed()).toEqual({ code: 3000, reason: 'credential expired', ...clean });
      const again = await app.endOf(urlOf(running), ['bearer', KEY]);
      expect(again).toEqual({ code: 3000, reason: 'unauthorized', ...clean });
    });

    test('or in a cookie: the browser sends it for any page, and only the right one gets in', async () => {
      const backend = await WsBackend.listen();
      const running = await start(backend.url, guarded(), { auth: auth() });
      const cookies = ['sid', 'theme'].map((name) => ({ name, value: KEY, domain: GATE, path: '/', secure: true }));
      const [own, foreign] = [await pageOf(), await pageOf('other.site.test')];
      for (const { context } of [own, foreign]) await context.addCookies(cookies);
      await own.connect(urlOf(running));
      expect((await backend.next()).request.headers.cookie).toBe(`theme=${KEY}`);
      const refused = { code: 3003, reason: 'origin_not_allowed', ...clean };
      expect(await foreign.endOf(urlOf(running))).toEqual(refused);
    });
  });

  describe('an operator', () => {
    test('drains: the page has 1012, clean', async () => {
      const drain = { delay: '0s', grace: '0s', spread: '0s', timeout: '20s' } as const;
      const running = await start('builtin:echo', {}, { drain });
      const socket = await app.connect(urlOf(running));
      const drained = running.proxy.drain();
      expect(await socket.closed()).toEqual({ code: 1012, reason: 'server restart', wasClean: true, opened: true });
      expect(await drained).toEqual({ closed: 1, cut: 0 });
      expect(await app.endOf(urlOf(running))).toMatchObject({ code: 1006, opened: false });
    });

    test('reloads with another certificate: an open page goes on, and a new one gets the new one', async () => {
      const running = await start('builtin:echo');
      const socket = await (await pageOf()).connect(urlOf(running));
      const withCertificate = (identity: Identity) =>
        running.proxy.reload(oneRoute('builtin:echo', {}, { listeners: listening(identity) }));

      expect(await withCertificate(unknown)).toMatchObject({ ok: true });
      await echoes(socket, 'after one reload');
      expect(await (await pageOf()).endOf(urlOf(running))).toMatchObject({ code: 1006, opened: false });

      expect(await withCertificate(second)).toMatchObject({ ok: true });
      await echoes(socket, 'after two');
      await echoes(await (await pageOf()).connect(urlOf(running)), 'a new one');
      expect(await certificateOf(running.port)).toBe(second.cert.trim());
      expect(running.logsOf('session.end')).toEqual([]);
    });
  });
});

/** What a new client is shown, as PEM. */
async function certificateOf(port: number): Promise<string | undefined> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: authority.ca, servername: GATE });
  atTestEnd(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return socket.getPeerX509Certificate()?.toString().trim();
}
