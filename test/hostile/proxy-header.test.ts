import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ssl, V4_ADDRESSES, v1, v2, withChecksum } from '../protocol/proxy-headers.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { parseHead } from '../support/wire.ts';
import { hasWorkers } from '../support/worker-fleet.ts';
import { expectEnd, expectRefusal, type Gate, requestOf, sharedGate, startGate, withFields } from './harness.ts';

const LISTENER = { name: 'test', address: '127.0.0.1:0' };
/** Of all loopback addresses only this one is trusted. */
const TRUSTED = '127.0.0.1';
const UNTRUSTED = { localAddress: '127.0.0.2' };
const SOURCE = '192.0.2.9';
const line = v1(`TCP4 ${SOURCE} 198.51.100.7 4000 443`);
const block = withChecksum({ tlvs: [ssl(1, { type: 0x21, value: Buffer.from('TLSv1.3') })] });
const request = Buffer.from(requestOf(), 'latin1');
const NOTHING = Buffer.alloc(0);
/** One byte, and the head of what follows. */
const LYING = { type: 0x21, value: Buffer.of(0x76), length: 4 };
const joined = (...parts: readonly Buffer[]) => Buffer.concat(parts);

function expecting(upstream: string, listener: object = {}, over: object = {}) {
  return {
    listeners: [{ ...LISTENER, proxy_protocol: 'any' as const, health_path: '/healthz', ...listener }],
    trusted_proxies: [TRUSTED],
    routes: [{ name: 'test', upstream }],
    log: { level: 'debug' as const },
    ...over,
  };
}

/** The connection ends without a byte of ours. */
async function expectCut(client: RawClient): Promise<void> {
  await client.closed;
  expect(client.received.toString('latin1')).toBe('');
}

async function opensFor(
  gate: Gate,
  bytes: Buffer,
  realIp = SOURCE,
  cut: 'whole' | 'bytewise' = 'whole',
): Promise<void> {
  const proto = bytes.includes('TLSv1.3') ? 'https' : 'http';
  const forwardedLines = [
    `X-Forwarded-For: ${realIp}`,
    `X-Forwarded-Proto: ${proto}`,
    'X-Forwarded-Host: framegate.test',
    `X-Forwarded-Port: ${gate.port}`,
    'X-Request-ID: <id>',
  ];
  await gate.accepts(bytes, { realIp, forwardedLines }, cut);
}

describe('a listener that expects no header', () => {
  const gate = sharedGate((upstream) => ({ trusted_proxies: [TRUSTED], routes: [{ name: 'test', upstream }] }));

  test('X6: a PROXY header is no request, even from a trusted peer', async () => {
    for (const header of [line, block]) {
      const client = await gate.connect();
      client.send(joined(header, request));
      expect((await client.readResponse()).status).toBe(400);
    }
  });
});

describe('a listener that expects one', () => {
  const gate = sharedGate((url) => expecting(url));

  test('X6: who is not trusted is closed at once, with a header, a request or nothing', async () => {
    for (const bytes of [joined(line, request), request, Buffer.alloc(0)]) {
      const client = await RawClient.connect(gate.port, UNTRUSTED);
      client.send(bytes);
      await expectCut(client);
    }
    expect(await gate.tap.waitFor('peer.refused')).toMatchObject({ level: 'debug', peer: UNTRUSTED.localAddress });
  });

  test.each<[what: string, bytes: Buffer, cause: string]>([
    ['a length too short for its addresses', v2({ length: 11 }), 'length'],
    ['a TLV beyond the end', v2({ tlvs: [{ type: 4, value: Buffer.alloc(1), length: 2 }] }), 'tlv_length'],
    ['a length that cuts a TLV', joined(v2({ addresses: joined(V4_ADDRESSES, Buffer.of(4)) }), request), 'tlv_length'],
    [
      'a TLV of TLS that takes the next one in',
      v2({ tlvs: [ssl(1, LYING), { type: 4, value: NOTHING }] }),
      'tlv_length',
    ],
    ['another checksum', withChecksum({}, 1), 'crc32c'],
    ['two checksums', withChecksum({ tlvs: [{ type: 3, value: Buffer.alloc(4) }] }), 'tlv_repeated'],
    ['version 3', v2({ versionAndCommand: 0x31 }), 'version'],
    ['a command of no name', v2({ versionAndCommand: 0x22 }), 'command'],
    ['datagrams', v2({ family: 0x12 }), 'transport'],
    ['a signature with one other byte', Buffer.from('\r\n\r\n\0\r\nQUIt', 'latin1'), 'signature'],
  ])('X6: %s: closed, and told in the log', async (_what, bytes, cause) => {
    gate.clock.advance(1_000);
    const client = await gate.connect();
    client.send(bytes);
    await expectCut(client);
    const told = await gate.tap.waitFor('handshake.refused', (one) => one.cause === `PROXY header: ${cause}`);
    expect(told).toMatchObject({ level: 'info', error: 'proxy_header', client: TRUSTED });
  });

  test('X60: cut at every byte, and in segments of one byte, it names the client all the same', async () => {
    for (const header of [line, block]) {
      const bytes = joined(header, request);
      await opensFor(gate, joined(header, request));
      await opensFor(gate, bytes, SOURCE, 'bytewise');
      const refused = joined(header, Buffer.from(withFields('Expect: x'), 'latin1'));
      for (let cut = 1; cut <= header.length; cut += 1) {
        const client = await gate.connect();
        client.send(refused.subarray(0, cut));
        await client.flushed();
        client.send(refused.subarray(cut));
        gate.clock.advance(100);
        expect(await gate.expectRefused(client, '417 expect')).toMatchObject({ client: SOURCE });
      }
    }
  });

  test('X61: a second header behind the first is what its client sent: no request', async () => {
    for (const second of [line, block]) {
      const client = await gate.connect();
      client.send(joined(line, second, request));
      expect((await client.readResponse()).status).toBe(400);
    }
  });

  test('X62: 64 KiB of TLVs pass unheld, in one or in many', async () => {
    const room = 65_535 - V4_ADDRESSES.length;
    const one = [{ type: 0xea, value: Buffer.alloc(room - 3, 0x0d) }];
    const many = Array.from({ length: room / 3 }, () => ({ type: 0x04, value: Buffer.alloc(0) }));
    for (const tlvs of [one, many]) await opensFor(gate, joined(v2({ tlvs }), request));
  });

  test.each([
    ['a leading zero in an address', 'TCP4 192.0.2.09 198.51.100.7 4000 443'],
    ['a leading zero in a port', 'TCP4 192.0.2.9 198.51.100.7 04000 443'],
    ['a port above 65535', 'TCP4 192.0.2.9 198.51.100.7 65536 443'],
    ['two spaces', 'TCP4 192.0.2.9  198.51.100.7 4000 443'],
    ['another family', 'TCP6 192.0.2.9 198.51.100.7 4000 443'],
    ['more than 107 bytes', `UNKNOWN ${'x'.repeat(100)}`],
    ['an LF alone', 'UNKNOWN\nx'],
  ])('X63: %s: closed', async (_what, text) => {
    const client = await gate.connect();
    client.send(v1(text));
    await expectCut(client);
  });

  test('X63: port 0 is a port', async () => {
    await opensFor(gate, joined(v1(`TCP4 ${SOURCE} 198.51.100.7 0 0`), request));
  });

  test('X64: a source that is not trusted is the client, whatever it claims', async () => {
    const claims = Buffer.from(withFields('X-Forwarded-For: 6.6.6.6', 'X-Real-IP: 6.6.6.6', 'Forwarded: for=6.6.6.6'));
    for (const header of [line, block]) await opensFor(gate, joined(header, claims));
  });

  test('X64: one that names nobody is the peer, whose claims are believed', async () => {
    const claim = Buffer.from(withFields('X-Forwarded-For: 9.9.9.9'));
    for (const header of [v1('UNKNOWN'), v2({ versionAndCommand: 0x20 })])
      await gate.accepts(joined(header, claim), { realIp: '9.9.9.9', forwardedFor: `9.9.9.9, ${TRUSTED}` });
  });

  test('X66: a trusted peer without a header gets health_path; other requests are told what is missing', async () => {
    const probe = Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const bytes of [probe, joined(line, probe)]) {
      const client = await gate.connect();
      client.send(bytes);
      expect((await client.readResponse()).status).toBe(200);
      await expectEnd(client);
    }
    const client = await gate.connect();
    client.send(request);
    expectRefusal(await client.readResponse(), '400 proxy_header');
    await expectEnd(client);
    const tls = await gate.connect();
    tls.send(Buffer.from('16030100', 'hex'));
    await expectCut(tls);
  });
});

test('X60: one that drips in, and one of which nothing comes, ends at timeouts.handshake', async () => {
  const gate = await startGate((url) => expecting(url, {}, { timeouts: { handshake: '5s' } }));
  const silent = await gate.connect();
  const dripping = await gate.connect();
  for (let at = 0; at < 9; at += 1) {
    dripping.send(line.subarray(at, at + 1));
    await dripping.flushed();
    gate.clock.advance(500);
  }
  const settled = await gate.connect();
  settled.send(joined(v1('UNKNOWN'), Buffer.from('?')));
  await settled.readResponse();
  expect([silent.finSeen, dripping.finSeen]).toEqual([false, false]);
  gate.clock.advance(1_000);
  await Promise.all([silent, dripping].map(expectCut));
});

// With workers they count from their heads on.
test.skipIf(hasWorkers)('X65: connections whose headers name one source are counted under it', async () => {
  const gate = await startGate((url) => expecting(url, {}, { limits: { max_sessions_per_ip: 2 } }));
  const from = async (header: Buffer) => {
    const client = await gate.connect();
    client.send(header);
    return client;
  };
  for (const header of [line, block]) await from(header);
  const third = await from(line);
  expectRefusal(await third.readResponse(), '429 too_many_sessions_per_ip');
  await expectEnd(third);
  await opensFor(gate, joined(v1('TCP4 192.0.2.10 198.51.100.7 4000 443'), request), '192.0.2.10');
});

test('X6: whoever connects to a unix socket is trusted by the word unix, and by no address', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  const backend = await RawBackend.listen();
  const connect = async (name: string, trusted: string[]) => {
    const socket = path.join(folder, name);
    await startProxy({ ...expecting(backend.url, { address: `unix:${socket}` }), trusted_proxies: trusted });
    const client = await RawClient.connect(socket);
    client.send(joined(line, request));
    return client;
  };
  await expectCut(await connect('a', ['0.0.0.0/0', '::/0']));
  const client = await connect('b', ['unix']);
  const server = await backend.nextSession();
  expect(parseHead(await server.head()).fields).toContainEqual(['X-Real-IP', SOURCE]);
  expect((await client.readHead()).status).toBe(101);
});
