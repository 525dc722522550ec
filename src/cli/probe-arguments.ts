// Owns the words behind `framegate probe`: what they ask for, or the one thing that is wrong with them.

import { parseFieldText } from '../config/upstream-texts.ts';
import { hostPort, unbracketed } from '../protocol/addresses/host-port.ts';
import { isHopByHop } from '../protocol/field-names.ts';
import { strictTokens } from '../protocol/lists.ts';
import type { ProbeCommand, ProbeUrl } from './commands.ts';
import type { Values } from './options.ts';

const COUNT_MAX = 1_000;
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['ws:', false],
  ['http:', false],
  ['wss:', true],
  ['https:', true],
]);
const PORT_PLAIN = 80;
const PORT_SECURE = 443;

type Header = readonly [name: string, value: string];

/** A text says what is wrong. */
export function judgeProbe(
  values: Values,
  headerTexts: readonly string[],
  rest: readonly string[],
): ProbeCommand | string {
  const [text] = rest;
  if (text === undefined) return '"probe" needs a URL: framegate probe ws://127.0.0.1:8080/chat';
  const url = urlOf(text);
  if (typeof url === 'string') return url;
  const headers: Header[] = [];
  for (const one of headerTexts) {
    const header = headerOf(one);
    if (typeof header === 'string') return header;
    headers.push(header);
  }
  const subprotocol = values.get('subprotocol') ?? null;
  if (subprotocol !== null && !isToken(subprotocol)) return `--subprotocol: "${subprotocol}" is no name of one`;
  const countText = values.get('count') ?? '1';
  const count = /^[1-9][0-9]{0,3}$/.test(countText) ? Number(countText) : Number.POSITIVE_INFINITY;
  if (count > COUNT_MAX) return `--count is a number from 1 to ${COUNT_MAX}, not "${countText}"`;
  const format = values.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return `--format is text or json, not "${format}"`;
  return { kind: 'probe', url, headers, subprotocol, message: values.get('message') ?? null, count, format };
}

function urlOf(text: string): ProbeUrl | string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const secure = url === null ? undefined : SCHEMES.get(url.protocol);
  if (url === null || secure === undefined || url.hostname === '') {
    return `"${text}" is no URL: expected ws://, wss://, http:// or https://HOST:PORT/PATH`;
  }
  if (url.hash !== '' || text.includes('#')) return 'a URL of a WebSocket has no fragment (RFC 6455 3)';
  if (url.username !== '' || url.password !== '') return 'credentials belong into --header Authorization:...';
  const host = unbracketed(url.hostname);
  const ownPort = secure ? PORT_SECURE : PORT_PLAIN;
  const port = url.port === '' ? ownPort : Number(url.port);
  if (port === 0) return 'port 0 cannot be connected to';
  const authority = port === ownPort ? url.hostname : hostPort({ host, port });
  return { text, secure, host, port, authority, path: `${url.pathname}${url.search}` };
}

function headerOf(text: string): Header | string {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon));
  const value = text.slice(colon + 1).trim();
  if (!isToken(name)) return `--header: expected NAME:VALUE, not "${text}"`;
  const lower = name.toLowerCase();
  if (isHopByHop(lower) || lower.startsWith('sec-websocket-') || lower === 'content-length') {
    return `--header: ${name} is part of the upgrade itself`;
  }
  const parsed = parseFieldText(value);
  return 'problem' in parsed ? `--header ${name}: ${parsed.problem}` : [name, parsed.value];
}

function isToken(text: string): boolean {
  return strictTokens([text], 1)?.[0] === text;
}
