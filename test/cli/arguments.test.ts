import { describe, expect, test } from 'vitest';
import { commandNames, parseArguments } from '../../src/cli/arguments.ts';
import { helpText } from '../../src/cli/help.ts';

function command(line: string) {
  const verdict = parseArguments(line === '' ? [] : line.split(' '));
  return verdict.ok ? verdict.command : verdict.message;
}

const defaultFile = { kind: 'default' };

describe('commands', () => {
  test.each([
    ['', { kind: 'run', source: defaultFile, watch: false }],
    ['run', { kind: 'run', source: defaultFile, watch: false }],
    ['-c a.yaml', { kind: 'run', source: { kind: 'file', path: 'a.yaml' }, watch: false }],
    ['run -ca.yaml', { kind: 'run', source: { kind: 'file', path: 'a.yaml' }, watch: false }],
    ['run --config=-odd', { kind: 'run', source: { kind: 'file', path: '-odd' }, watch: false }],
    ['run --watch', { kind: 'run', source: defaultFile, watch: true }],
    ['run -c -', { kind: 'run', source: { kind: 'stdin' }, watch: false }],
    ['--demo', { kind: 'run', source: { kind: 'demo', listen: null }, watch: false }],
    ['run --demo --listen :0', { kind: 'run', source: { kind: 'demo', listen: ':0' }, watch: false }],
    ['run --to ws://b', { kind: 'run', source: { kind: 'to', url: 'ws://b', listen: null }, watch: false }],
    ['--listen :1 --to ws://b', { kind: 'run', source: { kind: 'to', url: 'ws://b', listen: ':1' }, watch: false }],
    ['check', { kind: 'check', source: defaultFile, format: 'text' }],
    ['check --format json -c -', { kind: 'check', source: { kind: 'stdin' }, format: 'json' }],
    ['-t', { kind: 'check', source: defaultFile, format: 'text' }],
    ['-t -c a --format json', { kind: 'check', source: { kind: 'file', path: 'a' }, format: 'json' }],
    ['run -t', { kind: 'check', source: defaultFile, format: 'text' }],
    ['check a.yaml', { kind: 'check', source: { kind: 'file', path: 'a.yaml' }, format: 'text' }],
    ['check -', { kind: 'check', source: { kind: 'stdin' }, format: 'text' }],
    ['config a.yaml', { kind: 'config', source: { kind: 'file', path: 'a.yaml' } }],
    ['config -c a', { kind: 'config', source: { kind: 'file', path: 'a' } }],
    ['hash-password', { kind: 'hash-password' }],
    ['hash-key', { kind: 'hash-key', prefix: '' }],
    ['hash-key --prefix fgk_', { kind: 'hash-key', prefix: 'fgk_' }],
    ['schema', { kind: 'schema' }],
    ['version', { kind: 'version' }],
    ['-v', { kind: 'version' }],
    ['--version', { kind: 'version' }],
    ['help', { kind: 'help', topic: null }],
    ['-h', { kind: 'help', topic: null }],
    ['help run', { kind: 'help', topic: 'run' }],
    ['check --help', { kind: 'help', topic: 'check' }],
    ['help help', { kind: 'help', topic: 'help' }],
  ])('framegate %s', (line, expected) => {
    expect(command(line)).toEqual(expected);
  });
});

describe('commands that ask a running proxy', () => {
  const at = { address: null, source: defaultFile };
  const all = { route: null, client: null, target: null, identity: null };
  const list = {
    kind: 'sessions',
    at,
    id: null,
    choice: all,
    state: null,
    sort: null,
    limit: null,
    after: null,
    watch: false,
  };

  test.each([
    ['status', { kind: 'status', at, format: 'text', watch: false }],
    ['status --admin :1 --watch', { kind: 'status', at: { ...at, address: ':1' }, format: 'text', watch: true }],
    [
      'status -c a',
      { kind: 'status', at: { ...at, source: { kind: 'file', path: 'a' } }, format: 'text', watch: false },
    ],
    ['sessions', { ...list, format: 'text' }],
    ['sessions a-1 --format json', { ...list, id: 'a-1', format: 'json' }],
    ['sessions --limit 1000 --after x', { ...list, limit: 1000, after: 'x', format: 'text' }],
    ['sessions --state paused', { ...list, state: 'paused', format: 'text' }],
    ['sessions --sort rtt', { ...list, sort: 'rtt', format: 'text' }],
    ['sessions a-1 --watch', { ...list, id: 'a-1', watch: true, format: 'text' }],
    ['top', { kind: 'top', at, choice: all, state: null, sort: 'messages' }],
    ['top --sort silent --state open', { kind: 'top', at, choice: all, state: 'open', sort: 'silent' }],
    ['close a-1', { kind: 'close', at, id: 'a-1', choice: all, code: null, reason: null }],
    [
      'close --client 192.0.2.7 --code 4001 --reason bye',
      { kind: 'close', at, id: null, choice: { ...all, client: '192.0.2.7' }, code: '4001', reason: 'bye' },
    ],
    ['why a-1', { kind: 'why', at, id: 'a-1', format: 'text' }],
    ['why a-1 --format json', { kind: 'why', at, id: 'a-1', format: 'json' }],
    ['upstreams', { kind: 'upstreams', at, name: null, format: 'text', watch: false }],
    ['upstreams chat --format json', { kind: 'upstreams', at, name: 'chat', format: 'json', watch: false }],
    ['drain', { kind: 'drain', at, subject: null, wait: null }],
    ['drain route chat', { kind: 'drain', at, subject: { kind: 'route', route: 'chat' }, wait: null }],
    [
      'drain target u a --wait',
      {
        kind: 'drain',
        at,
        subject: { kind: 'target', upstream: 'u', target: 'a' },
        wait: { timeoutMs: Number.POSITIVE_INFINITY },
      },
    ],
    [
      'drain route chat --wait --timeout 5m',
      { kind: 'drain', at, subject: { kind: 'route', route: 'chat' }, wait: { timeoutMs: 300_000 } },
    ],
    ['undrain target u a', { kind: 'undrain', at, subject: { kind: 'target', upstream: 'u', target: 'a' } }],
    ['reload', { kind: 'reload', at, force: false, format: 'text' }],
    ['restart', { kind: 'restart', at, format: 'text' }],
    ['reload --force', { kind: 'reload', at, force: true, format: 'text' }],
    [
      'revoke --auth users --identity acme --for 1h',
      { kind: 'revoke', at, choice: { auth: 'users', kind: 'identity', value: 'acme' }, time: '1h' },
    ],
    ['revoke --auth m --all', { kind: 'revoke', at, choice: { auth: 'm', kind: 'all', value: '1' }, time: null }],
    ['extend a-1 --until 1800000000', { kind: 'extend', at, id: 'a-1', until: 1_800_000_000 }],
    ['extend a-1 --until 2027-01-15T08:00:00Z', { kind: 'extend', at, id: 'a-1', until: 1_800_000_000 }],
    ['sessions --identity m/a', { ...list, choice: { ...all, identity: 'm/a' }, format: 'text' }],
    ['advise --route chat', { kind: 'advise', at, route: 'chat', format: 'text' }],
    ['healthcheck', { kind: 'healthcheck', at, route: null }],
    ['status --help', { kind: 'help', topic: 'status' }],
    ['help drain', { kind: 'help', topic: 'drain' }],
  ])('framegate %s', (line, expected) => {
    expect(command(line)).toEqual(expected);
  });
});

describe('bad command lines', () => {
  test.each([
    ['rnu', 'unknown command "rnu" (did you mean "run"?)'],
    ['zzzzzz', 'unknown command "zzzzzz"'],
    ['constructor', 'unknown command "constructor"'],
    ['run --confg a', 'unknown option "--confg" (did you mean "--config"?)'],
    ['run -x', 'unknown option "-x"'],
    ['run --__proto__', 'unknown option "--__proto__"'],
    ['run --constructor', 'unknown option "--constructor"'],
    ['run -c', '-c needs a value'],
    ['run -c --demo', '-c needs a value'],
    ['run --config=', '--config needs a value'],
    ['run --to', '--to needs a value'],
    ['run --demo=yes', '--demo takes no value'],
    ['run -c a -c b', '-c is given twice'],
    ['run -c a --config b', '--config is given twice'],
    ['run a.yaml', '"run" takes no argument "a.yaml"'],
    ['run -- a.yaml', '"run" takes no argument "a.yaml"'],
    ['run --demo -c a', '--config and --demo exclude each other'],
    ['run --demo --to ws://b', '--demo and --to exclude each other'],
    ['run --listen :1', '--listen goes with --to or --demo; a config file has "listeners"'],
    ['run -c a --listen :1', '--listen goes with --to or --demo; a config file has "listeners"'],
    ['run --format json', '"run" takes no option --format'],
    ['run --watch --demo', '--watch needs a config file to watch'],
    ['run --watch --to ws://b', '--watch needs a config file to watch'],
    ['run --watch -c -', '--watch needs a config file to watch'],
    ['check a.yaml -c a.yaml', '"check" takes a FILE or --config, not both'],
    ['config a.yaml b.yaml', '"config" takes no argument "b.yaml"'],
    ['check --demo', '"check" takes no option --demo'],
    ['-t --to ws://b', '"check" takes no option --to'],
    ['check --format xml', '--format is text or json, not "xml"'],
    ['schema -c a', '"schema" takes no option --config'],
    ['version now', '"version" takes no argument "now"'],
    ['help me', 'no help on "me"'],
    ['help chekc', 'no help on "chekc" (did you mean "check"?)'],
    ['help run check', '"help" takes no argument "check"'],
    ['statsu', 'unknown command "statsu" (did you mean "status"?)'],
  ])('framegate %s', (line, message) => {
    expect(command(line)).toBe(message);
  });

  test.each([
    ['status --watch --format json', '--watch and --format json exclude each other'],
    ['status chat', '"status" takes no argument "chat"'],
    ['status --route chat', '"status" takes no option --route'],
    ['upstreams chat news', '"upstreams" takes no argument "news"'],
    ['upstreams --watch --format json', '--watch and --format json exclude each other'],
    ['drain --wait', '--wait goes with "route NAME" or "target UPSTREAM NAME"'],
    ['drain route chat --timeout 5s', '--timeout goes with --wait'],
    ['undrain route chat --wait', '"undrain" takes no option --wait'],
    ['sessions --limit 0', '--limit is a number from 1 to 1000, not "0"'],
    ['sessions --limit 1001', '--limit is a number from 1 to 1000, not "1001"'],
    ['sessions --state odd', '--state is open, paused or closing, not "odd"'],
    ['sessions a-1 --route chat', 'a session id and --route exclude each other'],
    ['sessions a-1 b-2', '"sessions" takes no argument "b-2"'],
    ['why', '"why" needs a session id'],
    ['close', '"close" needs a session id, or --route, --client, --target or --identity'],
    ['revoke --identity acme', '"revoke" needs --auth'],
    ['revoke --auth m', '"revoke" needs one of --identity, --key, --jti and --all'],
    ['revoke --auth m --all --key a', '"revoke" needs one of --identity, --key, --jti and --all'],
    ['extend a-1', '"extend" needs a session id and --until'],
    ['extend a-1 --until soon', '--until is seconds since 1970, or a time such as 2027-01-31T00:00:00Z, not "soon"'],
    ['close --code 1001', '"close" needs a session id, or --route, --client, --target or --identity'],
    ['close a-1 --route chat', 'a session id excludes --route, --client, --target and --identity'],
    ['drain chat', '"drain" takes "route NAME" or "target UPSTREAM NAME", not "chat"'],
    ['drain route', '"drain" takes "route NAME" or "target UPSTREAM NAME"'],
    ['drain route a b', '"drain" takes "route NAME" or "target UPSTREAM NAME"'],
    ['drain target a', '"drain" takes "route NAME" or "target UPSTREAM NAME"'],
    ['drain target a b c', '"drain" takes no argument "c"'],
    ['undrain', '"undrain" needs "route NAME" or "target UPSTREAM NAME"'],
    ['reload --watch', '"reload" takes no option --watch'],
    ['run --admin :1', '"run" takes no option --admin'],
    ['hash-password secret', '"hash-password" takes no argument: it reads the password from stdin'],
    ['hash-password --prefix x', '"hash-password" takes no option --prefix'],
    ['hash-key --prefix', '--prefix needs a value'],
    ['statu', 'unknown command "statu" (did you mean "status"?)'],
  ])('framegate %s', (line, message) => {
    expect(command(line)).toBe(message);
  });
});

describe('help', () => {
  test('the overview names every command, and each command has a text of its own', () => {
    const overview = helpText(null);
    for (const name of commandNames) {
      expect(overview).toMatch(new RegExp(`framegate (\\[)?${name}\\b`));
      expect(helpText(name)).toMatch(new RegExp(`^framegate ${name}\\b`));
      expect(helpText(name)).not.toBe(overview);
      for (const line of helpText(name).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    }
    for (const line of overview.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

test.each(['5', 'off', '-1s'])('drain --timeout %s is no duration', (timeout) => {
  expect(command(`drain route chat --wait --timeout=${timeout}`)).toMatch(/^--timeout: /);
});
