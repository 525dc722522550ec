import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { originOf } from '../../src/config/origin.ts';
import { Assembly, partsOf } from '../../src/config/portable.ts';
import { renderConfig } from '../../src/config/render.ts';
import type { Config } from '../../src/config/types.ts';
import { makeCertificates } from '../support/certs.ts';
import { loaded } from './loading.ts';

function carried(config: Config): Config | null {
  const assembly = new Assembly();
  let result: Config | null = null;
  for (const part of partsOf(config)) {
    expect(result).toBeNull();
    result = assembly.add(structuredClone(part));
  }
  return result;
}

function isFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}

test('a config that was taken apart, copied and put together is the same, frozen, and safe to look names up in', () => {
  const text = [
    'routes:',
    ...Array.from({ length: 130 }, (_, at) => `  - { name: r${at}, match: { path: /r${at} }, upstream: u${at % 70} }`),
    'upstreams:',
    ...Array.from({ length: 70 }, (_, at) => `  u${at}: { targets: [{ url: "ws://127.0.0.1:${9000 + at}" }] }`),
    'close_codes: { idle: 4000 }',
    'limits: { max_sessions: 7 }',
    'admin: { token: { file: t } }',
  ].join('\n');
  const config = loaded(text, { files: { t: 'secret-secret' } });
  const copy = carried(config);
  if (copy === null) throw new Error('no part was the last');
  expect(copy).toEqual(config);
  expect(Object.keys(copy.upstreams)).toEqual(Object.keys(config.upstreams));
  expect(renderConfig(copy)).toBe(renderConfig(config));
  expect(originOf(copy)).toEqual(originOf(config));
  expect(isFrozen(copy)).toBe(true);
  for (const map of [copy.upstreams, copy.close_codes, copy.routes[0]?.close_codes]) {
    expect(Object.getPrototypeOf(map)).toBe(null);
  }
});

test('a long list of addresses is handed over without a copy', () => {
  const lines = Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`).join('\n');
  const config = loaded('trusted_proxies: { file: list }', { files: { list: lines } });
  const copy = carried(config);
  expect(copy?.trusted_proxies).toEqual(config.trusted_proxies);
  new Uint8Array(config.trusted_proxies.blocks.buffer).fill(7);
  expect(copy?.trusted_proxies.blocks[0]).toBe(7);
});

test('bytes are Buffers again', () => {
  const config = loadObject(
    { routes: [{ upstream: 'u' }], upstreams: { u: { targets: [{ url: 'wss://a' }] } } },
    { baseDir: '.' },
  ).config;
  const ca = Buffer.from('bytes');
  const tls = { ca, cert: null, key: null, server_name: null, verify: true };
  const upstream = config.upstreams.u;
  if (upstream === undefined) throw new Error('no upstream');
  const copy = carried({ ...config, upstreams: { u: { ...upstream, tls } } });
  expect(Buffer.isBuffer(copy?.upstreams.u?.tls?.ca)).toBe(true);
  expect(copy?.upstreams.u?.tls).toEqual(tls);
});

test('listeners with certificates are the same again, however many they have', async () => {
  const { ca, good, crl } = await makeCertificates();
  const files = { 'c.pem': good.cert, 'k.pem': good.key, 'ca.pem': ca, 'crl.pem': (await crl()) + (await crl()) };
  const tls = (certificates: number, rest: string) =>
    `{ certificates: [${Array(certificates).fill('{ cert: c.pem, key: k.pem }').join(', ')}]${rest} }`;
  const text = [
    'routes: [{ upstream: "builtin:echo" }]',
    'listeners:',
    `  - { address: ":1", tls: ${tls(51, ', client_auth: require, client_ca: ca.pem, client_crl: crl.pem')} }`,
    '  - { address: ":2" }',
    `  - { address: ":3", tls: ${tls(1, `, tickets: "${'7'.repeat(96)}"`)} }`,
  ].join('\n');
  const config = loaded(text, { files });
  const copy = carried(config);
  expect(copy).toEqual(config);
  expect(copy?.listeners[0]?.tls?.certificates).toHaveLength(51);
  expect(isFrozen(copy)).toBe(true);
  for (const { tls: block } of copy?.listeners ?? []) {
    if (block === null) continue;
    const { tickets } = block;
    const bytes = [
      ...block.certificates.flatMap(({ cert, key }) => [cert, key]),
      ...(block.client_ca === null ? [] : [block.client_ca]),
      ...(block.client_crl ?? []),
      ...(typeof tickets === 'string' ? [] : [tickets.key]),
    ];
    for (const one of bytes) expect(Buffer.isBuffer(one)).toBe(true);
  }
});

test('long lists of keys and users are handed over in small parts', () => {
  const entries = (one: (at: number) => string) => Array.from({ length: 1001 }, (_, at) => `- ${one(at)}`).join('\n');
  const files = {
    'keys.yaml': entries((at) => `{ name: k${at}, sha256: f${at.toString(16).padStart(63, '0')} }`),
    'users.yaml': entries(
      (at) => `{ name: u${at}, password: "$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}" }`,
    ),
  };
  const text =
    'auth:\n  a: { api_key: { keys: { file: keys.yaml } } }\n  b: { basic: { users: { file: users.yaml } } }\n' +
    '  c: { api_key: { keys: [] } }\n';
  const config = loaded(text, { files });
  for (const part of partsOf(config)) expect(JSON.stringify(part).length).toBeLessThan(50_000);
  const copy = carried(config);
  expect(copy).toEqual(config);
  expect(Object.getPrototypeOf(copy?.auth)).toBe(null);
  expect(isFrozen(copy)).toBe(true);
});
