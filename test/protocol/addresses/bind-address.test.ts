import { expect, test } from 'vitest';
import { type BindAddress, bindKey, isLocal, takesAnyPort } from '../../../src/protocol/addresses/bind-address.ts';

const tcp = (host: string, port: number): BindAddress => ({ kind: 'tcp', host, port });
const unix = (path: string): BindAddress => ({ kind: 'unix', path });
const fd = (name: string): BindAddress => ({ kind: 'fd', name });

test('two addresses are one when host and port are, or the path is', () => {
  expect(bindKey(tcp('h', 80))).toBe(bindKey(tcp('h', 80)));
  expect(bindKey(unix('/a'))).toBe(bindKey(unix('/a')));
  const all = [
    tcp('h', 80),
    tcp('h', 81),
    tcp('h8', 0),
    tcp('i', 80),
    tcp('', 80),
    unix('/a'),
    unix('/b'),
    fd('3'),
    fd('web'),
  ];
  expect(new Set(all.map(bindKey)).size).toBe(all.length);
});

test('port 0 takes any port, a path never', () => {
  expect([tcp('h', 0), tcp('h', 1), unix('/0'), fd('0')].map(takesAnyPort)).toEqual([true, false, false, false]);
});

test('RFC 1122 3.2.1.3, RFC 6761 6.3: 127/8, ::1, localhost and paths are of this machine, no other name', () => {
  for (const host of ['127.0.0.1', '127.255.255.254', '::1', 'localhost'])
    expect(isLocal(tcp(host, 1)), host).toBe(true);
  expect([isLocal(unix('/a')), isLocal(fd('3'))]).toEqual([true, false]);
  for (const host of ['', '0.0.0.0', '126.255.255.255', '128.0.0.1', '::', '::2', '127.example.com', 'localhost.a'])
    expect(isLocal(tcp(host, 1)), host).toBe(false);
});
