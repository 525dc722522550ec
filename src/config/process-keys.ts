// Owns the schema of what the process does besides proxying: how it stops, its health, its admin listener, its log.
// It must not open or read anything.

import { parsePattern } from '../protocol/path.ts';
import { parseHostPattern, parseListenAddress } from './addresses.ts';
import { choice, choiceOff, countOr, documented, duration, parsedText, shareOff, textOff } from './scalars.ts';
import type { Parsed } from './units.ts';
import { z } from './zod.ts';

const DAY = 24 * 3_600_000;
const WAIT = { min: 0, max: DAY, off: false };

export const drain = documented(
  z.strictObject({
    delay: duration(
      'After the signal: not ready any more, but listeners still accept, which is what a balancer needs to notice; ' +
        'Kubernetes: 5s. Without it clients that are still sent here are refused.',
      WAIT,
    ).prefault('0s'),
    grace: duration(
      'Then listeners are closed, and sessions may end by themselves. Without it every session is told to reconnect.',
      WAIT,
    ).prefault('0s'),
    spread: duration(
      'Then one Close per session, evenly over this time. Without it all clients reconnect in the same moment.',
      WAIT,
    ).prefault('5s'),
    timeout: duration(
      'From the signal to the last cut, all included; above delay + grace + spread. ' +
        'Without it one peer that does not answer keeps the process.',
      { min: 1, max: 4 * DAY, off: false },
    ).prefault('25s'),
  }),
  'How the process stops: on TERM, INT, QUIT and POST /api/v1/drain.',
  { type: 'map' },
).prefault({});

export const reload = documented(
  z.strictObject({
    max_ended: shareOff(
      'Of the open sessions: a reload that would end more of them than this, and more than 100, because their routes ' +
        'or targets are gone, is rejected unless it is forced. Without it a file that is cut short sends everybody ' +
        'away.',
    ).prefault('50%'),
  }),
  'What a reload may do.',
  { type: 'map' },
).prefault({});

/** RFC 6750 2.1 allows fewer, but what stands behind "Bearer " is compared as it is. */
const TOKEN = /^[\x21-\x7e]{1,512}$/;
const TOKEN_PROBLEM = 'expected text of 1 to 512 visible ASCII characters without a space, {file: path}, or off';

function parseToken(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  // What `framegate config` prints in place of a secret must never become one.
  if (text === '***') return { problem: '*** stands where a secret was: write the secret, or {file: path}' };
  return TOKEN.test(text) ? { value: text } : { problem: TOKEN_PROBLEM };
}

function parseAdminHost(text: string): Parsed<string> {
  return text.startsWith('*.') ? { problem: 'expected a whole host name' } : parseHostPattern(text);
}

const token = documented(
  z
    .union([z.string(), z.literal(false), z.strictObject({ file: z.string() })], { error: TOKEN_PROBLEM })
    .transform((input, ctx) => {
      // A file has been read before the schema sees the value.
      const parsed = typeof input === 'string' ? parseToken(input) : parseToken('off');
      if ('value' in parsed) return parsed.value;
      ctx.issues.push({ code: 'custom', message: parsed.problem, input });
      return z.NEVER;
    }),
  'Secret that requests show as "Authorization: Bearer ...", better as {file: path}. ' +
    'Required when the address is neither loopback nor a unix socket.',
  { type: 'text, off' },
);

const HEALTH_PROBLEM = 'expected one exact path such as /healthz, or off';

function parseHealthPath(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  if (!text.startsWith('/')) return { problem: HEALTH_PROBLEM };
  const parsed = parsePattern(text);
  if (!parsed.ok) return { problem: parsed.problem };
  const { prefix, segments } = parsed.pattern;
  const isExact = !prefix && segments.every((segment) => segment.kind === 'literal');
  return isExact ? { value: text } : { problem: HEALTH_PROBLEM };
}

export const healthPath = textOff(
  'A GET, HEAD or OPTIONS of exactly this path without Upgrade gets 200, or 503 while draining; ' +
    'before routing, not logged.',
  parseHealthPath,
  HEALTH_PROBLEM,
  { type: 'path, off' },
);

export const admin = documented(
  z.strictObject({
    address: documented(
      parsedText((text) => {
        const parsed = parseListenAddress(text);
        return 'problem' in parsed ? parsed : { value: { text, bind: parsed.value } };
      }),
      'host:port, "[v6]:port", ":port" for all addresses, or unix:/path.sock, for the own user only. ' +
        'Port 0 takes any free port.',
      { type: 'address' },
    ).prefault('127.0.0.1:9464'),
    token: token.prefault('off'),
    hosts: documented(
      z.array(parsedText(parseAdminHost)),
      'Host names under which it may be asked, besides IP addresses and localhost; else 421, ' +
        'so that no web page can reach it under a name of its own.',
      { type: 'list of hosts' },
    ).prefault([]),
    public: documented(
      z.array(choice('What needs no token and no Host.', ['health', 'metrics'])),
      'What needs neither token nor Host: health (/healthz and /readyz), metrics (/metrics).',
      { type: 'list of health, metrics' },
    ).prefault(['health']),
  }),
  'Health, metrics, sessions, drain and reload on a listener of their own; {} takes the defaults.',
  { type: 'map', default: 'no admin listener' },
).optional();

export const log = documented(
  z.strictObject({
    level: choice('The least important lines that are written.', ['trace', 'debug', 'info', 'warn', 'error']).prefault(
      'info',
    ),
    format: choice('JSON lines, or text for people; auto is pretty on a terminal, else json.', [
      'auto',
      'json',
      'pretty',
    ]).prefault('auto'),
    query: choiceOff('Whether the query of a request is left out, or its names are logged (?token=***).', [
      'names',
    ]).prefault('off'),
    path: choice("The path as requested, or the route's pattern.", ['full', 'route']).prefault('full'),
    session_open: choice('Level of session.open.', ['debug', 'info']).prefault('debug'),
    lines_per_second: countOr(
      'All lines together; what is left out is counted by event and reason. ' +
        'Without it every session gets its session.end, and a flood of ends fills the disk.',
      1,
      1_000_000,
      ['off'],
    ).prefault('off'),
  }),
  'The log on stdout: one JSON object a line, or text for people.',
  { type: 'map' },
).prefault({});
