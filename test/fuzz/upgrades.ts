// Upgrade requests that are in order, in the many forms that order allows: cases, blanks, lists, lines, targets.

import type { Random } from '../support/random.ts';

const PATHS = [
  '/',
  '/chat',
  '/chat/a/b',
  '/chat/',
  '/a%20b',
  '/x;y=z',
  '/chat/%7Eu',
  "/!$&'()*+,-.:=@_|~^[]",
  '/a..b',
  '/...',
];
const QUERIES = ['', '', '?', '?a=b', '?a=/../b', '?x={y}`|\\', '?%'];
const HOSTS = [
  'chat.example.com',
  'CHAT.example.com',
  'chat.example.com.',
  'localhost:8080',
  '[::1]:80',
  '127.0.0.1',
  'a_b',
];
const EXTENSIONS = [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; server_max_window_bits=10; client_max_window_bits="12"',
  'x-other; a="\\b"; c',
  'permessage-deflate;server_no_context_takeover , x',
];
const PROTOCOLS = ['chat', 'chat, superchat', 'mqtt ,graphql-ws', 'a.b, v1_2'];
const OTHERS = [
  'Origin: https://app.example.com',
  'Cookie: session=1; b=\xe9',
  'User-Agent: Mozilla/5.0 (X11)',
  'Authorization: Bearer abc.def',
  'X-Empty:',
  'X-Forwarded-For: 192.0.2.1, 198.51.100.7',
  'X-Request-ID: 123',
  'Content-Length: 0',
  'Via: 1.1 other',
  'X_Forwarded_For: 127.0.0.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded.Proto: https',
  'X-Real-IP: 127.0.0.1',
  'X-Original-URL: /admin',
  'Forwarded: for=127.0.0.1',
  'Pragma: no-cache',
  'Keep-Alive: timeout=5',
  'X-Latin: \xa0\xff\t\xa0',
];

export function upgradeRequest(random: Random): Buffer {
  const host = random.pick(HOSTS);
  const lines = [
    `Host: ${host}`,
    `Upgrade: ${random.pick(['websocket', 'WebSocket', 'h2c,websocket', ',websocket'])}`,
    `Connection: ${random.pick(['Upgrade', 'keep-alive, Upgrade', 'upgrade', 'Upgrade, x-gone', 'Upgrade,,Cookie'])}`,
    `Sec-WebSocket-Key: ${random.bytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
  ];
  if (random.chance(0.3)) lines.push(`Sec-WebSocket-Extensions: ${random.pick(EXTENSIONS)}`);
  if (random.chance(0.3)) lines.push(`Sec-WebSocket-Protocol: ${random.pick(PROTOCOLS)}`);
  for (const other of OTHERS) if (random.chance(0.15)) lines.push(other);
  if (random.chance(0.05)) for (let i = random.between(1, 100); i > 0; i -= 1) lines.push(`X-Field-${i}: ${i}`);
  const head = [requestLine(random, host), ...shuffled(random, lines).map((line) => restyled(random, line))];
  return Buffer.from(`${random.chance(0.05) ? '\r\n' : ''}${head.join('\r\n')}\r\n\r\n`, 'latin1');
}

function requestLine(random: Random, host: string): string {
  const path = random.pick(PATHS) + random.pick(QUERIES);
  const origin = random.chance(0.1) ? `${random.pick(['http', 'ws', 'WS'])}://${host}` : '';
  return `GET ${origin}${random.chance(0.03) ? path.repeat(random.between(1, 800)) : path} HTTP/1.1`;
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.between(0, left.length - 1), 1));
  return order;
}

/** Another case of the name, other blanks around the value. */
function restyled(random: Random, line: string): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  const blank = () => random.pick(['', '', ' ', ' ', '\t', '  \t ']);
  const cased = random.pick([name, name, name.toLowerCase(), name.toUpperCase()]);
  return `${cased}:${blank()}${line.slice(colon + 1).trimStart()}${blank()}`;
}
