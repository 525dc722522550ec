import { describe, expect, test } from 'vitest';
import { prettyLine } from '../../src/observe/pretty-line.ts';

const time = new Date(2024, 1, 29, 9, 5, 0, 7);
const line = (event: string, fields: Readonly<Record<string, unknown>>, level = 'info') =>
  prettyLine({ time, level, event, fields });

const side = (messages: number, bytes: number, pauses = 0) => ({ messages, bytes, largest_message: bytes, pauses });
const END = {
  session: 'a1-1',
  listener: 'public',
  route: 'chat',
  client: '203.0.113.9',
  duration_ms: 4_210,
  by: 'client',
  reason: 'client_rate',
  limit: 'messages_per_second',
  close_code_client: 1008,
  close_code_backend: null,
  clean: false,
  from_client: side(1_234, 5_000),
  from_backend: side(2, 12, 3),
};

test('a line has its time, level and event in columns, then its fields by name', () => {
  expect(line('start', { version: '0.1.0', pid: 7, transport: 'handle', open: undefined })).toBe(
    '09:05:00.007 INFO  start                version=0.1.0 pid=7 transport=handle',
  );
  expect(line('x', {}, 'error')).toBe('09:05:00.007 ERROR x');
});

test('the end of a session says where, who, why, with which codes, how much and how long', () => {
  expect(line('session.end', END)).toBe(
    '09:05:00.007 INFO  session.end          chat         203.0.113.9     client_rate (messages_per_second) 1008/-  ' +
      'from client 1 234 / 4.9KiB  from backend 2 / 12B, 3 pauses  4.2s  session=a1-1 listener=public clean=false',
  );
});

test('a refusal says where, who, what and why; a route that is not known is a hyphen', () => {
  const fields = { status: 502, error: 'backend_tls', client: '::1', cause: 'CERT_HAS_EXPIRED', path: '/x' };
  expect(line('handshake.refused', { ...fields, route: 'chat' }, 'warn')).toBe(
    '09:05:00.007 WARN  handshake.refused    chat         ::1             502 backend_tls (CERT_HAS_EXPIRED)  path=/x',
  );
  expect(line('handshake.refused', { error: 'client_gone', client: '::1' }, 'debug')).toBe(
    '09:05:00.007 DEBUG handshake.refused    -            ::1             client_gone',
  );
});

describe('nothing that a peer sent reads as something else', () => {
  test.each([
    ['a b', '"a b"'],
    ['', '""'],
    ['a="b"', '"a=\\"b\\""'],
    ['a\nb', '"a\\nb"'],
    ['\\u202e', '"\\\\u202e"'],
    ['caf\u00e9', '"caf\u00e9"'],
    ['x'.repeat(300), 'x'.repeat(300)],
  ])('%j', (text, shown) => {
    expect(line('x', { path: text })).toBe(`09:05:00.007 INFO  x                    path=${shown}`);
  });

  test('lists and maps are JSON, what is no value is a hyphen', () => {
    expect(line('x', { a: [1, 'b c'], d: { e: null }, f: null, g: Number.NaN })).toBe(
      '09:05:00.007 INFO  x                    a=[1,"b c"] d={"e":null} f=- g=null',
    );
  });
});
