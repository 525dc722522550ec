import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer, TLSSocket, type TlsOptions } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { TlsConfig } from '../../src/config/types.ts';
import type { SocketFactory } from '../../src/net/dial.ts';
import { GOOD_NAME, type Identity, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { deadPort } from '../support/dead.ts';
import { Bench, listen, readAll, tcp } from '../support/dial-bench.ts';

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

const TRUST_CA: TlsConfig = { ca: null, cert: null, key: null, server_name: null, verify: true };

function listenTls(identity: Identity, options: TlsOptions = {}): Promise<number> {
  const server = createTlsServer({ ...identity, ...options }, (socket) => socket.on('error', () => {}));
  return listen(server);
}

function tlsConfig(change: Partial<TlsConfig> = {}): TlsConfig {
  return { ...TRUST_CA, ca: Buffer.from(certificates.ca), ...change };
}

/** The next socket that a server accepts, and a promise of its end. */
function accepted(server: Server): Promise<{ socket: Socket; gone: Promise<void> }> {
  return new Promise((resolve) => {
    server.once('connection', (socket: Socket) => {
      const gone = new Promise<void>((over) => socket.once('close', () => over()));
      socket.resume();
      resolve({ socket, gone });
    });
  });
}

/** Sockets that fail with the given code instead of connecting, or are real where the code is null. */
function failingSockets(codes: readonly string[]): SocketFactory & { readonly made: string[] } {
  const made: string[] = [];
  const fail = (options: object): Socket => {
    made.push('host' in options ? String(options.host) : '');
    const code = codes[made.length - 1] ?? 'ECONNREFUSED';
    const socket = new Socket();
    process.nextTick(() => socket.destroy(Object.assign(new Error(code), { code })));
    return socket;
  };
  return { made, tcp: fail, tls: (options) => new TLSSocket(fail(options)) };
}

describe('dialing TCP', () => {
  test('gives a connected transport that flows, both ways', async () => {
    const server = createServer((socket) => socket.pipe(socket));
    const port = await listen(server);
    const transport = await new Bench().dial(tcp(port));
    const text = readAll(transport);
    transport.write(Buffer.from('hello'), 0, 5, true);
    transport.end();
    expect(await text).toBe('hello');
    expect(transport.remotePort).toBe(port);
  });

  test('a peer that speaks first loses no byte', async () => {
    const server = createServer((socket) => socket.end('first words'));
    const port = await listen(server);
    for (let i = 0; i < 20; i++) expect(await readAll(await new Bench().dial(tcp(port)))).toBe('first words');
  });

  test('the peer may half-close and still be written to', async () => {
    const server = createServer({ allowHalfOpen: true });
    const port = await listen(server);
    const peer = accepted(server);
    const transport = await new Bench().dial(tcp(port));
    const ended = readAll(transport);
    const { socket } = await peer;
    const heard = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
    socket.end();
    await ended;
    transport.write(Buffer.from('late'), 0, 4, true);
    expect(await heard).toBe('late');
  });

  test('an IPv6 literal may stand in brackets', async () => {
    const server = createServer((socket) => socket.end('v6'));
    const port = await listen(server, '::1');
    const bench = new Bench();
    expect(await readAll(await bench.dial(tcp(port, '[::1]')))).toBe('v6');
    expect(await readAll(await bench.dial(tcp(port, '::1')))).toBe('v6');
  });

  test('a unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dial-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'backend.sock');
    const server = createServer((socket) => socket.end('unix'));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    const bench = new Bench();
    expect(await readAll(await bench.dial({ kind: 'unix', path, base: '' }))).toBe('unix');
    const missing = await bench.failure({ kind: 'unix', path: `${path}.not`, base: '' });
    expect([missing.code, missing.cause_code]).toEqual(['backend_unreachable', 'ENOENT']);
  });

  test('comes from the given source address', async () => {
    const server = createServer((socket) => socket.end(`${socket.remoteAddress}`));
    const port = await listen(server);
    const transport = await new Bench().dial(tcp(port), { localAddress: '127.0.0.77' });
    expect(await readAll(transport)).toBe('127.0.0.77');
  });

  test('addresses of another family than the source address are not tried', async () => {
    const server = createServer((socket) => socket.end('ok'));
    const port = await listen(server);
    const bench = new Bench();
    bench.lookup = async () => ['::1', '127.0.0.1'];
    expect(await readAll(await bench.dial(tcp(port), { localAddress: '127.0.0.1' }))).toBe('ok');
    const failure = await bench.failure(tcp(port, '::1'), { localAddress: '127.0.0.1' });
    expect([failure.code, failure.cause_code]).toEqual(['backend_unreachable', 'EAFNOSUPPORT']);
  });

  test('TCP_NODELAY is on, also over TLS', async () => {
    const plain = await listen(createServer());
    const secure = await listenTls(certificates.good);
    const noDelay: unknown[] = [];
    const watch = <S extends Socket>(socket: S): S => {
      const set = socket.setNoDelay.bind(socket);
      socket.setNoDelay = (on) => {
        noDelay.push(on, socket.connecting);
        return set(on) as S;
      };
      return socket;
    };
    const bench = new Bench({
      tcp: (options) => watch(connect(options)),
      tls: (options) => watch(connectTls(options)),
    });
    await bench.dial(tcp(plain));
    await bench.dial(tcp(secure, GOOD_NAME, true), { tls: tlsConfig() });
    expect(noDelay).toEqual([true, false, true, false]);
  });

  test.runIf(existsSync('/proc/net/tcp'))('keep-alive begins after 60 s of silence, also over TLS', async () => {
    const plain = await listen(createServer());
    const secure = await listenTls(certificates.good);
    const bench = new Bench();
    await bench.dial(tcp(plain));
    await bench.dial(tcp(secure, GOOD_NAME, true), { tls: tlsConfig() });
    // While something is on its way, the kernel shows the timer of that.
    for (const port of [plain, secure]) await expect.poll(() => keepAliveSeconds(port)).toBeCloseTo(60, -1);
  });
});

/** When the kernel's keep-alive timer of the connection to `port` fires; NaN without such a timer. */
function keepAliveSeconds(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((row) => {
      // Established: connections of other tests to a port of that number may still wait for their time to be over.
      const [, , to, state] = row.trim().split(/\s+/);
      return to === remote && state === '01';
    });
  const [kind, jiffies] = (line?.trim().split(/\s+/)[5] ?? '').split(':');
  // Kind 2 is the keep-alive timer; the kernel shows 100 jiffies a second.
  return kind === '02' ? Number.parseInt(jiffies ?? '', 16) / 100 : Number.NaN;
}

describe('dial failures', () => {
  test('a refused connection is backend_unreachable', async () => {
    const failure = await new Bench().failure(tcp(deadPort));
    expect([failure.code, failure.cause_code]).toEqual(['backend_unreachable', 'ECONNREFUSED']);
    expect(failure.cause).toBeInstanceOf(Error);
  });

  test('a name that does not resolve is backend_dns', async () => {
    const bench = new Bench();
    bench.lookup = async () => {
      throw Object.assign(new Error('nope'), { code: 'EAI_AGAIN' });
    };
    const failure = await bench.failure(tcp(1));
    expect([failure.code, failure.cause_code]).toEqual(['backend_dns', 'EAI_AGAIN']);
  });

  test('a look-up that takes too long is backend_timeout', async () => {
    const bench = new Bench();
    bench.lookup = () => new Promise(() => {});
    const failing = bench.failure(tcp(1), { timeoutMs: 1_000 });
    bench.pass(950);
    expect(bench.wheel.size).toBe(1);
    bench.pass(100);
    expect((await failing).code).toBe('backend_timeout');
  });

  test.each([
    ['ECONNRESET', 'backend_unreachable'],
    ['EHOSTUNREACH', 'backend_unreachable'],
    ['ENETUNREACH', 'backend_unreachable'],
    ['EACCES', 'backend_unreachable'],
    ['ETIMEDOUT', 'backend_timeout'],
  ])('%s is %s', async (cause, code) => {
    const failure = await new Bench(failingSockets([cause])).failure(tcp(1));
    expect([failure.code, failure.cause_code]).toEqual([code, cause]);
  });

  test.each(['EMFILE', 'ENFILE'])('E18: %s is no_descriptor, and no other address is tried', async (cause) => {
    const sockets = failingSockets([cause]);
    const bench = new Bench(sockets);
    bench.lookup = async () => ['127.0.0.1', '127.0.0.2'];
    const failure = await bench.failure(tcp(1));
    expect([failure.code, failure.cause_code]).toEqual(['no_descriptor', cause]);
    expect(sockets.made).toEqual(['127.0.0.1']);
  });

  test.each(['EADDRNOTAVAIL', 'EADDRINUSE'])('E19: %s is no_local_port', async (cause) => {
    const failure = await new Bench(failingSockets([cause])).failure(tcp(1));
    expect([failure.code, failure.cause_code]).toEqual(['no_local_port', cause]);
  });

  test('E19: a source address that this machine does not have is no_local_port', async () => {
    const failure = await new Bench().failure(tcp(deadPort), { localAddress: '192.0.2.1' });
    expect([failure.code, failure.cause_code]).toEqual(['no_local_port', 'EADDRNOTAVAIL']);
  });

  test('what Node refuses to dial is a DialError too', async () => {
    const sockets: SocketFactory = {
      tcp: () => {
        throw Object.assign(new RangeError('bad port'), { code: 'ERR_SOCKET_BAD_PORT' });
      },
      tls: () => {
        throw new Error('no code');
      },
    };
    const bench = new Bench(sockets);
    const plain = await bench.failure(tcp(1));
    expect([plain.code, plain.cause_code]).toEqual(['backend_unreachable', 'ERR_SOCKET_BAD_PORT']);
    expect((await bench.failure(tcp(1, GOOD_NAME, true))).cause_code).toBe('UNKNOWN');
  });
});

describe('a name whose backend has moved', () => {
  /** Names that answer what is next in `answers`, the last for ever. */
  function movingBench(answers: string[][], sockets?: SocketFactory): { bench: Bench; asked: () => number } {
    const bench = new Bench(sockets);
    let asked = 0;
    bench.lookup = async () => {
      asked += 1;
      return (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
    };
    return { bench, asked: () => asked };
  }

  test('is looked up again at once when none of its remembered addresses takes a connection', async () => {
    const server = createServer((socket) => socket.end('moved'));
    const port = await listen(server);
    const { bench, asked } = movingBench([['127.0.0.2'], ['127.0.0.2', '127.0.0.1']]);
    await bench.failure(tcp(port));
    expect(asked()).toBe(1);
    bench.pass(1_000);
    expect(await readAll(await bench.dial(tcp(port)))).toBe('moved');
    expect(asked()).toBe(2);
  });

  test('only addresses that it had not are tried, and the first failure stands when there are none', async () => {
    const sockets = failingSockets(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
    const { bench, asked } = movingBench([['192.0.2.1']], sockets);
    await bench.failure(tcp(1));
    bench.pass(1_000);
    expect((await bench.failure(tcp(1))).cause_code).toBe('EHOSTUNREACH');
    expect([asked(), sockets.made]).toEqual([2, ['192.0.2.1', '192.0.2.1']]);
  });

  test('a backend that is down costs one look-up a second, however many dials fail', async () => {
    const { bench, asked } = movingBench([['192.0.2.1']], failingSockets([]));
    for (let second = 1; second <= 3; second += 1) {
      for (let dial = 0; dial < 5; dial += 1) await bench.failure(tcp(1));
      await Promise.all(Array.from({ length: 5 }, () => bench.failure(tcp(1))));
      expect(asked()).toBe(second);
      bench.pass(1_000);
    }
  });

  test('a look-up that fails then leaves the failure of the dial', async () => {
    const { bench } = movingBench([['192.0.2.1']], failingSockets([]));
    await bench.failure(tcp(1));
    bench.pass(1_000);
    bench.lookup = async () => {
      throw Object.assign(new Error('nope'), { code: 'ENOTFOUND' });
    };
    expect((await bench.failure(tcp(1))).cause_code).toBe('ECONNREFUSED');
  });

  test('our own shortage says nothing of its addresses', async () => {
    const { bench, asked } = movingBench([['192.0.2.1']], failingSockets(['ECONNREFUSED', 'EMFILE', 'EADDRNOTAVAIL']));
    await bench.failure(tcp(1));
    bench.pass(1_000);
    await bench.failure(tcp(1));
    await bench.failure(tcp(1));
    expect(asked()).toBe(1);
  });
});

describe('several addresses', () => {
  test('are tried in turn until one answers', async () => {
    const server = createServer((socket) => socket.end('second'));
    const port = await listen(server);
    const bench = new Bench();
    bench.lookup = async () => ['127.0.0.2', '127.0.0.1'];
    expect(await readAll(await bench.dial(tcp(port)))).toBe('second');
  });

  test('when all fail the error is that of the last, and says how many there were', async () => {
    const sockets = failingSockets(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
    const bench = new Bench(sockets);
    bench.lookup = async () => ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    const failure = await bench.failure(tcp(1));
    expect(sockets.made).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    expect(failure.cause_code).toBe('ENETUNREACH');
    expect(failure.message).toContain('last of 3 addresses of backend.test');
  });

  test('our own shortage speaks only when no address failed otherwise', async () => {
    for (const codes of [
      ['ECONNREFUSED', 'EADDRNOTAVAIL'],
      ['EADDRNOTAVAIL', 'ECONNREFUSED'],
    ]) {
      const bench = new Bench(failingSockets(codes));
      bench.lookup = async () => ['127.0.0.1', '::1'];
      expect((await bench.failure(tcp(1))).cause_code).toBe('ECONNREFUSED');
    }
    const bench = new Bench(failingSockets(['EADDRNOTAVAIL', 'EADDRNOTAVAIL']));
    bench.lookup = async () => ['127.0.0.1', '::1'];
    expect((await bench.failure(tcp(1))).code).toBe('no_local_port');
  });

  test('each has an equal share of the time that is left', async () => {
    const silent: Socket[] = [];
    const stay = (): Socket => {
      const socket = new Socket();
      silent.push(socket);
      return socket;
    };
    const bench = new Bench({ tcp: stay, tls: () => new TLSSocket(stay()) });
    bench.lookup = async () => ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    const failing = bench.failure(tcp(1), { timeoutMs: 3_000 });
    for (const [index, share] of [1_000, 1_000, 1_000].entries()) {
      await settle();
      expect(silent.length).toBe(index + 1);
      bench.pass(share - 100);
      await settle();
      expect(silent.length).toBe(index + 1);
      bench.pass(100);
    }
    const failure = await failing;
    expect([failure.code, failure.cause_code]).toEqual(['backend_timeout', 'ETIMEDOUT']);
    expect(silent.map((socket) => socket.destroyed)).toEqual([true, true, true]);
  });

  test('what a quick failure leaves of its share goes to the next ones', async () => {
    const made: Socket[] = [];
    const sockets: SocketFactory = {
      tcp: () => {
        const socket = new Socket();
        made.push(socket);
        if (made.length === 1) {
          process.nextTick(() => socket.destroy(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })));
        }
        return socket;
      },
      tls: () => new TLSSocket(new Socket()),
    };
    const bench = new Bench(sockets);
    bench.lookup = async () => ['192.0.2.1', '192.0.2.2'];
    const failing = bench.failure(tcp(1), { timeoutMs: 2_000 });
    await settle();
    expect(made.length).toBe(2);
    bench.pass(1_900);
    expect(made[1]?.destroyed).toBe(false);
    bench.pass(100);
    expect((await failing).code).toBe('backend_timeout');
  });
});

/** Let everything that is ready run: promises, next ticks and one turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('dialing TLS', () => {
  test('verifies against the configured name and sends it as SNI, whatever the address', async () => {
    let sni: unknown;
    const port = await listenTls(certificates.good, {
      SNICallback: (name, done) => {
        sni = name;
        done(null);
      },
    });
    await new Bench().dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
    expect(sni).toBe(GOOD_NAME);
  });

  test('server_name takes the place of the host, in SNI and in the check', async () => {
    const port = await listenTls(certificates.good);
    const bench = new Bench();
    await bench.dial(tcp(port, 'elsewhere.test', true), { tls: tlsConfig({ server_name: GOOD_NAME }) });
    const failure = await bench.failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig({ server_name: 'no.test' }) });
    expect([failure.code, failure.cause_code]).toEqual(['backend_tls', 'ERR_TLS_CERT_ALTNAME_INVALID']);
  });

  test('RFC 6066 3: an IP literal is verified as an address and is not sent as SNI', async () => {
    let asked = false;
    const port = await listenTls(certificates.good, {
      SNICallback: (_name, done) => {
        asked = true;
        done(null);
      },
    });
    await new Bench().dial(tcp(port, '127.0.0.1', true), { tls: tlsConfig() });
    expect(asked).toBe(false);
    const other = await listenTls(certificates.wrongName);
    const failure = await new Bench().failure(tcp(other, '127.0.0.1', true), { tls: tlsConfig() });
    expect(failure.cause_code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('bytes that come with the end of the handshake are not lost', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const server = createTlsServer({ ...certificates.good, maxVersion }, (socket) => socket.end('first words'));
      const port = await listen(server);
      for (let i = 0; i < 20; i++) {
        const transport = await new Bench().dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
        expect(await readAll(transport)).toBe('first words');
      }
    }
  });

  test('a client certificate is shown', async () => {
    const asking = { ...certificates.good, ca: certificates.ca, requestCert: true, rejectUnauthorized: false };
    const server = createTlsServer(asking, (socket) => socket.end(`${socket.authorized}`));
    const port = await listen(server);
    const { cert, key } = certificates.client;
    const tls = tlsConfig({ cert: Buffer.from(cert), key: Buffer.from(key) });
    expect(await readAll(await new Bench().dial(tcp(port, GOOD_NAME, true), { tls }))).toBe('true');
    expect(await readAll(await new Bench().dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig() }))).toBe('false');
  });

  test('certificates that OpenSSL cannot read are backend_tls', async () => {
    const tls = tlsConfig({ cert: Buffer.from('not PEM'), key: Buffer.from('not PEM') });
    expect((await new Bench().failure(tcp(1, GOOD_NAME, true), { tls })).code).toBe('backend_tls');
  });

  test('B18: a certificate without a configured CA is checked against the roots of the system', async () => {
    const port = await listenTls(certificates.good);
    const failure = await new Bench().failure(tcp(port, GOOD_NAME, true));
    expect([failure.code, failure.cause_code]).toEqual(['backend_tls', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']);
  });

  describe('B18: a bad certificate is backend_tls with the code only, unless verify is false', () => {
    const rows: readonly [string, (c: TestCertificates) => Identity | Promise<Identity>, string][] = [
      ['expired', (c) => c.expired, 'CERT_HAS_EXPIRED'],
      ['not yet valid', (c) => c.notYetValid, 'CERT_NOT_YET_VALID'],
      ['wrong name', (c) => c.wrongName, 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['self-signed', (c) => c.selfSigned, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      ['NUL in the name', (c) => c.issue({ dns: [`${GOOD_NAME}\0.evil.test`] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['a wildcard for everything', (c) => c.issue({ dns: ['*', '*.test'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ];
    test.each(rows)('B18: %s', async (_what, make, code) => {
      const port = await listenTls(await make(certificates));
      const bench = new Bench();
      const failure = await bench.failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
      expect([failure.code, failure.cause_code]).toEqual(['backend_tls', code]);
      const transport = await bench.dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig({ verify: false }) });
      expect(transport.destroyed).toBe(false);
    });
  });

  test('B18: a wildcard stands for exactly one label (RFC 9525 6.3)', async () => {
    const port = await listenTls(certificates.good);
    const bench = new Bench();
    await bench.dial(tcp(port, 'a.wild.test', true), { tls: tlsConfig() });
    for (const name of ['a.b.wild.test', 'wild.test']) {
      const failure = await bench.failure(tcp(port, name, true), { tls: tlsConfig() });
      expect(failure.cause_code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    }
  });

  test('B18: a backend that speaks only TLS 1.1 is refused, one that speaks 1.2 is not', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const failure = await new Bench().failure(tcp(await listenTls(certificates.good, old), GOOD_NAME, true), {
      tls: tlsConfig(),
    });
    expect(failure.code).toBe('backend_tls');
    expect(failure.cause_code).toMatch(/^ERR_SSL_/);
    const port = await listenTls(certificates.good, { maxVersion: 'TLSv1.2' });
    await new Bench().dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
  });

  test('a backend cannot make us negotiate again (TLS 1.2)', async () => {
    let handshakes = 0;
    const refused = new Promise<string>((resolve) => {
      const server = createTlsServer({ ...certificates.good, maxVersion: 'TLSv1.2' }, (socket) => {
        handshakes += 1;
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        socket.renegotiate({}, (error) => resolve(error === null ? 'renegotiated' : error.message));
        socket.resume();
      });
      listen(server)
        .then((port) => new Bench().dial(tcp(port, GOOD_NAME, true), { tls: tlsConfig() }))
        .catch((error: Error) => resolve(error.message));
    });
    expect(await refused).toBe('ERR_SSL_NO_RENEGOTIATION');
    expect(handshakes).toBe(1);
  });

  test('B19: plaintext on the TLS port, a ready-made 101 included, is backend_tls', async () => {
    const answers = ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n', 'hello', '\x16\x03\x03\x00\x00'];
    for (const answer of answers) {
      const port = await listen(createServer((socket) => socket.end(answer)));
      const failure = await new Bench().failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
      expect(failure.code).toBe('backend_tls');
      expect(failure.cause_code).toMatch(/^(ERR_SSL_|ECONNRESET)/);
    }
  });

  test('a FIN or a reset during the handshake is backend_tls', async () => {
    const fin = await listen(createServer((socket) => socket.end()));
    const reset = await listen(createServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    for (const port of [fin, reset]) {
      const failure = await new Bench().failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
      expect([failure.code, failure.cause_code]).toEqual(['backend_tls', 'ECONNRESET']);
    }
  });

  test('a refused connection to a TLS port is backend_unreachable', async () => {
    const failure = await new Bench().failure(tcp(deadPort, GOOD_NAME, true), { tls: tlsConfig() });
    expect([failure.code, failure.cause_code]).toEqual(['backend_unreachable', 'ECONNREFUSED']);
  });

  test('B20: TLS silence is backend_timeout at the deadline and leaves no socket', async () => {
    const server = createServer();
    const port = await listen(server);
    const peer = accepted(server);
    const bench = new Bench();
    const failing = bench.failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig(), timeoutMs: 1_000 });
    const { gone } = await peer;
    bench.pass(950);
    expect(bench.wheel.size).toBe(1);
    bench.pass(50);
    expect([(await failing).code, (await failing).cause_code]).toEqual(['backend_timeout', 'ETIMEDOUT']);
    await gone;
  });
});

describe('E11: aborting', () => {
  test('E11: destroys the socket at once, during TLS too', async () => {
    const server = createServer();
    const port = await listen(server);
    const peer = accepted(server);
    const bench = new Bench();
    const failing = bench.failure(tcp(port, GOOD_NAME, true), { tls: tlsConfig() });
    const { gone } = await peer;
    bench.abort.abort();
    expect((await failing).code).toBe('aborted');
    await gone;
  });

  test('E11: during the look-up nothing is dialed any more', async () => {
    const sockets = failingSockets([]);
    const bench = new Bench(sockets);
    let answer: (addresses: string[]) => void = () => {};
    bench.lookup = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const failing = bench.failure(tcp(1));
    bench.abort.abort();
    expect((await failing).code).toBe('aborted');
    answer(['127.0.0.1']);
    await settle();
    expect(sockets.made).toEqual([]);
  });

  test('E11: between two addresses the second is not tried', async () => {
    const bench = new Bench();
    const sockets = failingSockets(['ECONNREFUSED', 'ECONNREFUSED']);
    const aborting = new Bench({
      ...sockets,
      tcp: (options) => {
        const socket = sockets.tcp(options);
        socket.once('error', () => bench.abort.abort());
        return socket;
      },
    });
    aborting.lookup = async () => ['192.0.2.1', '192.0.2.2'];
    expect((await aborting.failure(tcp(1), { signal: bench.abort.signal })).code).toBe('aborted');
    expect(sockets.made).toEqual(['192.0.2.1']);
  });

  test('a signal that has fired before the dial begins dials nothing', async () => {
    const sockets = failingSockets([]);
    const bench = new Bench(sockets);
    bench.abort.abort();
    expect((await bench.failure(tcp(1, '127.0.0.1'))).code).toBe('aborted');
    expect(sockets.made).toEqual([]);
  });

  test('after it connected the signal and the deadline have no say', async () => {
    const port = await listen(createServer());
    const bench = new Bench();
    const transport = await bench.dial(tcp(port));
    expect(bench.wheel.size).toBe(0);
    bench.abort.abort();
    bench.pass(60_000);
    expect(transport.destroyed).toBe(false);
  });

  test('without a deadline nothing is armed', async () => {
    const port = await listen(createServer());
    const bench = new Bench();
    await bench.dial(tcp(port), { timeoutMs: Number.POSITIVE_INFINITY });
    expect(bench.wheel.size).toBe(0);
  });
});
