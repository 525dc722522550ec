// Who the client is, by X-Forwarded-For, and the request that the backend gets. Accepted: the address that a walk over
// the split list finds, and a backend request that a second reader takes for exactly what was meant.

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { parseForwarded, TrustedProxies } from '../../../src/edge/client-address.ts';
import { buildBackendRequest, type ForwardOptions, namesInstance } from '../../../src/protocol/backend-request.ts';
import { RequestHeadParser } from '../../../src/protocol/http-head.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../../../src/protocol/upgrade-request.ts';
import { setOf } from '../../protocol/addresses/sets.ts';
import { feedAll, LIMITS } from '../../protocol/heads.ts';
import { referenceRequest } from '../../reference/request.ts';
import type { Random } from '../../support/random.ts';
import { HEAD_TOKENS } from '../attacks.ts';
import { inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';
import { upgradeRequest } from '../upgrades.ts';

/** The first byte chooses who holds the connection. */
const PEERS = ['10.1.2.3', '192.0.2.9', '::1', 'fd00::7', ''] as const;
const TRUSTED = ['10.0.0.0/8', '::1', 'fd00::/8', '198.51.100.7'];
const ENTRIES_MAX = 32;
const ROOMY = { headBytesMax: 64 * 1024, targetBytesMax: 64 * 1024, fieldsMax: 1_000 };

const trusted = new TrustedProxies(setOf(...TRUSTED), false);

export const forwarded = bytesTarget({ name: 'forwarded', make, check });

const ENTRIES = [
  ...['10.0.0.1', '192.0.2.1', '198.51.100.7', '::1', '[::1]', '[fd00::1]:443', '10.0.0.2:8080', '2001:DB8:0::1'],
  ...[
    '::ffff:10.0.0.1',
    '[::ffff:192.0.2.1]:1',
    'fe80::1%eth0',
    'unknown',
    '_hidden',
    '',
    ' ',
    '10.0.0.256',
    '010.0.0.1',
  ],
  ...['10.0.0.1:', '10.0.0.1:123456', '[::1', '::1]', '[]', '1.2.3', '"10.0.0.1"', 'for=10.0.0.1', '10.0.0.1 10.0.0.2'],
];
const TOKENS = [...HEAD_TOKENS, ...ENTRIES, ',', ', ', '\t,', '\xa0', 'X-Forwarded-For: '];

function make(random: Random): Buffer {
  const lines = Array.from({ length: random.between(0, 3) }, () => {
    const entries = Array.from({ length: random.between(0, random.chance(0.05) ? 50 : 5) }, () => random.pick(ENTRIES));
    return `X-Forwarded-For: ${entries.join(random.pick([',', ', ', ' ,\t']))}\r\n`;
  });
  const head = upgradeRequest(random).toString('latin1');
  const at = head.indexOf('\r\n', 2) + 2;
  const bytes = Buffer.from(head.slice(0, at) + lines.join('') + head.slice(at), 'latin1');
  const peer = Buffer.of(random.between(0, PEERS.length - 1));
  return Buffer.concat([peer, random.chance(0.5) ? mutate(random, bytes, TOKENS) : bytes]);
}

function check(input: Buffer): void {
  const peer = PEERS[(input[0] ?? 0) % PEERS.length] ?? '';
  const bytes = input.subarray(1);
  const raw = bytes.toString('latin1').match(/(?<=^X-Forwarded-For:)[^\r\n]*/gim) ?? [];
  checkWalk(peer, raw);
  const { parsed } = feedAll(new RequestHeadParser(LIMITS), [bytes]);
  const verdict = 'head' in parsed ? judgeUpgradeRequest(parsed.head) : null;
  if (verdict?.ok) checkBackendRequest(verdict.request, peer);
}

function checkWalk(peer: string, lines: readonly string[]): void {
  const client = inBoundedTime(() => trusted.clientOf(peer, lines));
  assert.equal(client, walked(peer, lines));
  assert(client === peer || isIP(client) !== 0, `${client} is no address`);
}

/** Split first, then walk: no index into the text is kept. */
function walked(peer: string, lines: readonly string[]): string {
  const entries = lines.flatMap((line) => line.split(',').map((entry) => entry.replace(/^[\t ]+|[\t ]+$/g, '')));
  let client = peer;
  for (const entry of entries.reverse().slice(0, ENTRIES_MAX)) {
    if (!isTrusted(client)) return client;
    if (entry === '') continue;
    const address = addressOf(entry);
    if (address === null) return client;
    client = address;
  }
  return client;
}

function isTrusted(address: string): boolean {
  return /^10\./.test(address) || address === '::1' || /^fd[0-9a-f]{2}:/.test(address) || address === '198.51.100.7';
}

function addressOf(entry: string): string | null {
  const [, inside, v4, bare] = /^(?:\[([^\]]*)\](?::\d{1,5})?|(\d[\d.]*)(?::\d{1,5})?|(.*))$/s.exec(entry) ?? [];
  if (v4 !== undefined) return isIP(v4) === 4 ? v4 : null;
  const [address = ''] = (inside ?? bare ?? '').split('%', 1);
  if (entry.length > 128 || isIP(address) !== 6) return null;
  // The URL parser knows the one spelling of each address, but for those that hold an IPv4 address.
  const spelt = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const groups = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/
    .exec(spelt)
    ?.slice(1)
    .map((group) => Number.parseInt(group, 16));
  if (groups !== undefined) return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
  return /^::[0-9a-f]+:[0-9a-f]+$/.test(spelt) ? parseForwarded(address) : spelt;
}

function checkBackendRequest(request: UpgradeRequest, peer: string): void {
  const forwardedFor = request.head.fields.filter(({ lower }) => lower === 'x-forwarded-for').map(({ value }) => value);
  const options: ForwardOptions = {
    request,
    target: request.path + request.query,
    hostField: 'backend.internal:9000',
    protocols: request.protocols,
    extensions: request.deflateOffers,
    clientAddress: trusted.clientOf(peer, forwardedFor),
    peerAddress: peer,
    peerTrusted: trusted.trusts(peer),
    proto: 'http',
    source: 'x-forwarded-for',
    sendForwarded: false,
    listenerPort: 8080,
    requestId: '0123456789abcdef',
    sessionId: null,
    instanceId: 'framegate-fuzz',
    key: 'dGhlIHNhbXBsZSBub25jZQ==',
    changes: null,
    hiddenCookie: null,
  };
  const bytes = inBoundedTime(() => buildBackendRequest(options));
  const told = referenceRequest(bytes, ROOMY);
  assert(told !== null, `the backend's request is not in order:\n${bytes.toString('latin1')}`);
  assert.equal(told.headBytes, bytes.length, 'more than one head');
  assert.equal(told.target, options.target);
  assert.equal(told.hostname, 'backend.internal');
  assert.deepEqual(told.protocols, request.protocols);
  assert.deepEqual(told.deflateOffers, request.deflateOffers);
  const values = (name: string) =>
    told.fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  for (const name of ['x-real-ip', 'x-request-id', 'x-forwarded-for'])
    assert(values(name).length <= 1, `${name} twice`);
  assert.deepEqual(values('x-real-ip'), options.clientAddress === '' ? [] : [options.clientAddress]);
  assert.equal(values('via').at(-1), '1.1 framegate-fuzz');
  const { head } = requestOf(bytes);
  assert(head !== null && namesInstance(head, 'framegate-fuzz'), 'the next pass would not be seen');
  if (!options.peerTrusted) checkNoClaims(told.fields, peer);
  for (const name of request.nominated) checkNominated(name, told.fields);
}

function requestOf(bytes: Buffer): RequestHeadParser {
  const parser = new RequestHeadParser(ROOMY);
  parser.feed(bytes, 0, bytes.length);
  return parser;
}

/** What only a proxy may say comes from us, and nothing by another spelling. */
function checkNoClaims(fields: readonly (readonly [string, string])[], peer: string): void {
  const ours = new Map([
    ['x-forwarded-for', peer],
    ['x-forwarded-proto', 'http'],
    ['x-forwarded-port', '8080'],
  ]);
  for (const [name, value] of fields) {
    const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '-');
    if (ours.has(plain)) assert.equal(value, ours.get(plain), name);
    assert(!/^(forwarded|x-original-(url|host|method)|x-forwarded)$/.test(plain), `${name} of an untrusted peer`);
  }
}

/** Gone, or ours: none of the fields that every request has can be nominated away. */
function checkNominated(name: string, fields: readonly (readonly [string, string])[]): void {
  const kept = fields.filter(([each]) => each.toLowerCase() === name);
  const isOurs = /^(via|connection|x-real-ip|x-request-id|x-forwarded-(for|host|proto|port))$/.test(name);
  assert(kept.length <= (isOurs ? 1 : 0), `${name} was nominated and came through`);
}
