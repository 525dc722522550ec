// README is the reference of what users rely on, so it is compared with the tables and texts that the program itself
// uses: when one of them changes, the test of that section fails until README says the same.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { commandNames } from '../src/cli/arguments.ts';
import { ExitCode } from '../src/cli/commands.ts';
import { helpText, tryHint } from '../src/cli/help.ts';
import { loadConfig } from '../src/config/load.ts';
import { formatProblems } from '../src/config/problems.ts';
import { referenceTable } from '../src/config/reference.ts';
import type { Config } from '../src/config/types.ts';
import { openFilesNeededFor, sessionsMaxFor } from '../src/net/open-files.ts';
import { END_CAUSES, type EndCause, type EndCauseRow } from '../src/protocol/end-causes.ts';
import { matchPath, parsePattern, rewritePath } from '../src/protocol/path.ts';
import { buildRefusal, REFUSALS } from '../src/protocol/refusals.ts';
import { VIOLATIONS, type ViolationRule } from '../src/protocol/violations.ts';
import { daysFromNow, makeAuthority } from './support/certs.ts';
import { startProxy } from './support/harness.ts';
import { RawClient } from './support/raw-client.ts';
import { projectRoot, sourceFiles } from './support/source.ts';
import { Opcode } from './support/wire.ts';

const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
const packageJson: { version: string; engines: { node: string }; scripts: Record<string, string> } = JSON.parse(
  readFileSync(join(projectRoot, 'package.json'), 'utf8'),
);
/** Where the real port does not matter: what `npm start` listens on. */
const startAddress = { host: '127.0.0.1', port: 8080 };

/** Every line, headings marked: a "#" within a fenced block is none. */
const lines: readonly { readonly text: string; readonly isHeading: boolean }[] = (() => {
  let fenced = false;
  return readme.split('\n').map((text) => {
    if (text.startsWith('```')) fenced = !fenced;
    return { text, isHeading: !fenced && /^#+ /.test(text) };
  });
})();

/** What stands below a heading, up to the next one of the same or a higher level. */
function section(heading: string): string {
  const start = lines.findIndex(({ text, isHeading }) => isHeading && text === heading);
  expect(start, `README has ${heading}`).toBeGreaterThanOrEqual(0);
  const level = heading.indexOf(' ');
  const next = lines.findIndex(({ text, isHeading }, at) => at > start && isHeading && text.indexOf(' ') <= level);
  const end = next === -1 ? lines.length : next;
  return lines
    .slice(start, end)
    .map(({ text }) => text)
    .join('\n');
}

/** One line, however the text is wrapped. */
function unwrapped(of: string): string {
  return of.replace(/\s+/g, ' ');
}

/** Fenced blocks of a language; '' for those without one. */
function blocks(language: string, of = readme): string[] {
  const fenced = [...of.matchAll(/^```([a-z]*)\n(.*?)^```$/gms)];
  return fenced.filter(([, name]) => name === language).map(([, , body]) => body ?? '');
}

/** Cells of the rows of all tables, without heads. */
function rows(of: string): string[][] {
  const found: string[][] = [];
  let inBody = false;
  for (const line of of.split('\n')) {
    if (!line.startsWith('|')) inBody = false;
    else if (/^\|(-+\|)+$/.test(line)) inBody = true;
    else if (inBody)
      found.push(
        line
          .split(/(?<!\\)\|/)
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
  }
  return found;
}

/** The names in code marks of a cell. */
function codes(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, code]) => code ?? '');
}

/** `files`: what its examples name, by what comes last in a path. */
function loaded(yaml: string, files: Readonly<Record<string, string>> = {}): Config {
  const readFile = (path: string) => {
    const text = files[basename(path)];
    if (text === undefined) throw new Error(`README names no file ${path}`);
    return Buffer.from(text);
  };
  const result = loadConfig({ text: yaml, file: 'config.yaml', env: {}, readFile, fileMode: () => null });
  if ('problems' in result) throw new Error(formatProblems(result.problems, yaml));
  expect(result.warnings).toEqual([]);
  return result.config;
}

describe('first steps', () => {
  test('the two commands are scripts of the package, and the line to type is what npm start prints', () => {
    expect(readme).toContain('npm ci && npm start');
    expect(readme).toContain('npm ci && npm test');
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining(['start', 'test', 'build']));
    const own = loaded(readFileSync(join(projectRoot, 'config.yaml'), 'utf8'));
    const [, command = ''] = tryHint(own, startAddress)?.split('\n') ?? [];
    expect(blocks('sh')).toContain(`${command.trim()}\n`);
  });

  test('the version of the package and of Node', () => {
    const named = [...readme.matchAll(/framegate-([0-9.]+)\.tgz/g)].map(([, version]) => version);
    expect(new Set(named)).toEqual(new Set([packageJson.version]));
    expect(packageJson.engines.node).toBe('>=20.19');
    expect(readme).toContain('Node 20.19 or newer');
  });

  test('every config in it loads without a warning', async () => {
    const authority = await makeAuthority('CA', { notAfter: daysFromNow(90) });
    const notAfter = daysFromNow(90);
    const chat = await authority.issue({ dns: ['chat.example.com'], notAfter });
    const wildcard = await authority.issue({ dns: ['*.example.com'], notAfter });
    const files = {
      'chat.example.com.pem': chat.cert,
      'chat.example.com.key': chat.key,
      'wildcard.example.com.pem': wildcard.cert,
      'wildcard.example.com.key': wildcard.key,
      'server.pem': chat.cert,
      'server.key': chat.key,
      'devices-ca.pem': authority.ca,
      'devices.crl': await authority.crl([], { notAfter }),
      'secret.txt': 'a secret of an authorization server',
      'keys.yaml': `- { name: acme, sha256: ${'2b'.repeat(32)} }`,
      'users.yaml': `- { name: ada, password: "$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}" }`,
    };
    const ofAuth = blocks('yaml', section('## Authentication'));
    for (const yaml of ofAuth) expect(Object.keys(loaded(yaml, files).auth)).not.toEqual([]);
    const configs = blocks('yaml')
      .filter((yaml) => !ofAuth.includes(yaml))
      .map((yaml) => loaded(yaml, files));
    const targets = configs.map(({ upstreams }) => Object.values(upstreams).map((one) => one.targets.length));
    expect(targets).toEqual([
      [1],
      [2],
      [1],
      [1, 1],
      [1],
      [1],
      [1, 1, 1],
      [2, 2, 1],
      [0],
      [1],
      [1],
      [2, 3],
      [2],
      [1, 1, 1],
      [1],
    ]);
    expect(configs.map(({ listeners }) => listeners[0]?.tls?.certificates.length ?? 0)).toEqual([
      0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  test('the mistakes it shows are told in these words', () => {
    const yaml = `listeners:
  - address: 127.0.0.1:8080
routes:
  - match: { path: /chat/* }
    upstream: ws://127.0.0.1:9001
    timeouts: { idle: 60 }
    limts: {}
`;
    const result = loadConfig({ text: yaml, file: 'config.yaml', env: {}, readFile: () => Buffer.alloc(0) });
    const problems = 'problems' in result ? result.problems : [];
    expect(problems).toHaveLength(2);
    expect(blocks('', section('## A first config'))).toEqual([formatProblems(problems, yaml)]);
  });

  test('links lead to headings and files that exist', () => {
    const headings = lines
      .filter(({ isHeading }) => isHeading)
      .map(({ text }) => text.replace(/^#+ /, '').toLowerCase())
      .map((name) => name.replace(/[^a-z0-9 -]/g, '').replaceAll(' ', '-'));
    const links = [...readme.matchAll(/\]\(([^)]*)\)/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) {
      if (link.startsWith('#')) expect(headings).toContain(link.slice(1));
      else expect(existsSync(join(projectRoot, link)), link).toBe(true);
    }
  });
});

describe('command line', () => {
  const part = section('## Command line');

  test('the help is what the program prints', () => {
    expect(blocks('', part)).toEqual([helpText(null), helpText('run'), helpText('check')]);
    for (const name of commandNames) expect(helpText(null)).toContain(name);
  });

  test('all exit codes are there', () => {
    const told = rows(part).flatMap(([code = '']) => (/^[0-9]+$/.test(code) ? [Number(code)] : []));
    expect(told).toEqual(Object.values(ExitCode));
  });

  test('all signals are there', () => {
    const files = ['src/cli.ts', 'src/cli/requests.ts'];
    const cli = files.map((file) => readFileSync(join(projectRoot, file), 'utf8')).join('\n');
    const handled = new Set([...cli.matchAll(/'SIG([A-Z0-9]+)'/g)].map(([, name]) => name));
    const told = rows(part).flatMap(([names = '']) => (/^[A-Z][A-Z0-9, ]+$/.test(names) ? names.split(', ') : []));
    expect(new Set(told)).toEqual(handled);
  });
});

test('the config reference is the table of the schema', () => {
  expect(section('## Config reference')).toContain(`\n${referenceTable()}`);
});

test('the rewrites it shows are what the router and the rewrite do', () => {
  const parsed = parsePattern('/chat/*');
  if (!parsed.ok) throw new Error(parsed.problem);
  const examples = rows(section('## Routing')).filter(([request]) => request?.startsWith('`/'));
  expect(examples).toHaveLength(3);
  for (const [request, backend] of examples) {
    const [path = '', query] = (codes(request)[0] ?? '').split('?');
    const match = matchPath(parsed.pattern, path);
    expect(match, path).not.toBeNull();
    const rewritten = rewritePath('/ws/*', match?.rest ?? '');
    expect(codes(backend)).toEqual([query === undefined ? rewritten : `${rewritten}?${query}`]);
  }
});

describe('refusals', () => {
  const part = section('## Refusals');

  test('every slug with its status, meaning and rule, and no other', () => {
    const expected = Object.entries(REFUSALS).map(([slug, row]) => [
      String(row.status),
      `\`${slug}\``,
      row.text,
      'rule' in row ? row.rule : '',
    ]);
    expect(rows(part)).toEqual(expected);
  });

  test('the example is an answer as it is built', () => {
    const [shown = ''] = blocks('', part);
    const requestId = /"request_id":"([0-9a-f]{32})"/.exec(shown)?.[1] ?? '';
    const built = buildRefusal('no_route', requestId).toString('latin1');
    expect(`${shown.trimEnd()}`).toBe(built.replaceAll('\r\n', '\n'));
  });

  test('429 and 503, and only they, come with Retry-After', () => {
    for (const row of Object.values(REFUSALS)) {
      expect('retryAfter' in row, row.text).toBe(row.status === 429 || row.status === 503);
    }
    expect(unwrapped(part)).toContain('429 and 503 have a `Retry-After` of 1 to 5 seconds');
  });
});

describe('frame rules and ends', () => {
  const rules: readonly ViolationRule[] = Object.values(VIOLATIONS);

  test('every frame rule with its code, its end and its clause, and no other', () => {
    const expected = rules.map(({ text, close, kind, rfc }) => {
      const clauses = rfc.split('; ').map((clause) => (/^[0-9]{4} /.test(clause) ? clause : `6455 ${clause}`));
      return [`\`${text}\``, String(close), `\`*_${kind}\``, clauses.map((clause) => `RFC ${clause}`).join(', ')];
    });
    const told = rows(section('## Frame rules')).map(([text, close, end, , source]) => [text, close, end, source]);
    expect(told).toEqual(expected);
  });

  test('who can break a mask rule', () => {
    const who = new Map(rows(section('## Frame rules')).map(([text, , , by]) => [text, by]));
    expect(who.get(`\`${VIOLATIONS.mask_missing.text}\``)).toBe('client');
    expect(who.get(`\`${VIOLATIONS.mask_present.text}\``)).toBe('backend');
  });

  const causes = Object.keys(END_CAUSES) as EndCause[];
  const ends = rows(section('## How a session ends')).filter((row) => row.length === 6);

  test('every cause, and no other', () => {
    expect(ends.map(([reason]) => codes(reason)[0])).toEqual(causes);
  });

  test.each(causes)('%s: who caused it, the codes to both sides and the reason texts', (cause) => {
    const row: EndCauseRow = END_CAUSES[cause];
    const [, by, toClient, toBackend, reasonText] = ends[causes.indexOf(cause)] ?? [];
    expect(by).toBe(row.by ?? 'proxy');
    if (cause === 'client_close' || cause === 'backend_close') {
      expect([toClient, toBackend]).toEqual(['relayed', 'relayed']);
      const { client, backend } = row;
      const told = `becomes ${client?.code} \`${client?.text}\` or ${backend?.code} \`${backend?.text}\`.`;
      expect(unwrapped(readme)).toContain(told);
      return;
    }
    expect([toClient, toBackend]).toEqual([String(row.client?.code ?? '-'), String(row.backend?.code ?? '-')]);
    expect(new Set(codes(reasonText))).toEqual(textsOf(cause, row));
  });

  /** The texts that stand for themselves in the table: what a broken rule says has a table of its own. */
  function textsOf(cause: string, row: EndCauseRow): Set<string> {
    const broken = rules.filter(({ kind }) => cause === `${row.by}_${kind}`);
    const limits = broken.flatMap(({ limit }) => (limit === null ? [] : [limit]));
    if (limits.length > 0) return new Set(limits);
    const told = broken.length === 0 ? [row.client, row.backend] : [row.by === 'client' ? row.backend : row.client];
    return new Set(told.flatMap((notice) => (notice === null ? [] : [notice.text])));
  }
});

describe('log', () => {
  const part = section('## Log');
  const table = new Map(rows(part).map(([level, event, fields]) => [codes(event)[0] ?? '', { level, fields }]));
  const samples = (blocks('json', part)[0] ?? '').trimEnd().split('\n').map(parseLine);

  function parseLine(line: string): Record<string, unknown> {
    return JSON.parse(line);
  }

  /** Names of all fields, those of nested objects behind the name of theirs. */
  function namesIn(value: object): string[] {
    return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
      typeof inner === 'object' && inner !== null ? [name, ...namesIn(inner)] : [name],
    );
  }

  test('every event that the sources write, and no other', () => {
    const written = sourceFiles('src', /\.ts$/).flatMap(({ text }) =>
      [...text.matchAll(/\.event(?:Of)?\(\s*[^,]+,\s*'([a-z._]+)'|\bevent: '([a-z._]+)'/g)].map(
        ([, a, b]) => a ?? b ?? '',
      ),
    );
    expect([...table.keys()].sort()).toEqual([...new Set(written)].sort());
  });

  test('the lines it shows hold nothing that the table does not name', () => {
    expect(samples.map(({ event }) => event)).toEqual(['session.end', 'handshake.refused']);
    const open = codes(table.get('session.open')?.fields);
    for (const { time, level, event, ...fields } of samples) {
      const known = [...codes(table.get(String(event))?.fields), ...(event === 'session.end' ? open : [])];
      expect(namesIn(fields).filter((name) => !known.includes(name))).toEqual([]);
      expect(String(table.get(String(event))?.level)).toContain(String(level));
      expect(String(time)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/);
    }
  });

  test('a session and a refusal of today write lines of the same fields in the same order', async () => {
    const { port, waitForLog } = await startProxy((base) => ({
      ...base,
      routes: [
        { name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' },
        { name: 'chat', match: { path: '/chat/*' }, upstream: 'chat' },
      ],
      upstreams: { chat: { targets: [{ url: 'ws+unix:/nowhere.sock' }] } },
    }));
    const client = await RawClient.connect(port);
    await client.upgrade({ path: '/echo' });
    client.sendFrame({ opcode: Opcode.Text, payload: 'hello' });
    client.sendFrame({ opcode: Opcode.Close });
    client.end();
    const refused = await RawClient.connect(port);
    await refused.upgrade({ path: '/chat/room', headers: { 'User-Agent': 'test' } });
    const written = [await waitForLog('session.end'), await waitForLog('handshake.refused')];
    expect(written.map(namesIn)).toEqual(samples.map(namesIn));
  });
});

test('the program of the library section runs', async () => {
  const [program = ''] = blocks('js');
  const args = ['--input-type=module', '--eval', program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: projectRoot });
  expect(stderr).toBe('');
  expect(stdout).toContain("{ host: '127.0.0.1', port: ");
  expect(stdout).toContain('0 sessions closed, 0 cut off');
});

test('the open-file limits it names are those that are computed', () => {
  const part = section('## In production');
  const { max_sessions } = loaded('routes: [{ upstream: "builtin:echo" }]').limits;
  expect(part).toContain(`default of ${max_sessions} sessions needs a limit of ${openFilesNeededFor(max_sessions)}`);
  expect(part).toContain(`with 1024 it is lowered to ${sessionsMaxFor(1024)}`);
});
