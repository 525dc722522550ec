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
    ['', { kind: 'run', source: defaultFile }],
    ['run', { kind: 'run', source: defaultFile }],
    ['-c a.yaml', { kind: 'run', source: { kind: 'file', path: 'a.yaml' } }],
    ['run -ca.yaml', { kind: 'run', source: { kind: 'file', path: 'a.yaml' } }],
    ['run --config=-odd', { kind: 'run', source: { kind: 'file', path: '-odd' } }],
    ['run -c -', { kind: 'run', source: { kind: 'stdin' } }],
    ['--demo', { kind: 'run', source: { kind: 'demo', listen: null } }],
    ['run --demo --listen :0', { kind: 'run', source: { kind: 'demo', listen: ':0' } }],
    ['run --to ws://b', { kind: 'run', source: { kind: 'to', url: 'ws://b', listen: null } }],
    ['--listen :1 --to ws://b', { kind: 'run', source: { kind: 'to', url: 'ws://b', listen: ':1' } }],
    ['check', { kind: 'check', source: defaultFile, format: 'text' }],
    ['check --format json -c -', { kind: 'check', source: { kind: 'stdin' }, format: 'json' }],
    ['-t', { kind: 'check', source: defaultFile, format: 'text' }],
    ['-t -c a --format json', { kind: 'check', source: { kind: 'file', path: 'a' }, format: 'json' }],
    ['run -t', { kind: 'check', source: defaultFile, format: 'text' }],
    ['config -c a', { kind: 'config', source: { kind: 'file', path: 'a' } }],
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

  test('commands and options of later versions say which one, whatever follows them', () => {
    for (const name of ['status', 'sessions', 'close', 'drain', 'undrain', 'reload', 'advise', 'healthcheck']) {
      expect(command(name)).toBe(`"${name}" needs framegate with (policies)`);
      expect(command(`${name} --admin 127.0.0.1:1 x`)).toBe(`"${name}" needs framegate with (policies)`);
    }
    expect(command('hash-password')).toBe('"hash-password" needs framegate with (edge)');
    expect(command('help drain')).toBe('"drain" needs framegate with (policies)');
    expect(command('run --watch')).toBe('"run --watch" needs framegate with (policies)');
  });
});

describe('help', () => {
  test('the overview names every command, and each command has a text of its own', () => {
    const overview = helpText(null);
    for (const name of commandNames) {
      expect(overview).toMatch(new RegExp(`framegate (\\[)?${name}\\b`));
      expect(helpText(name)).toMatch(new RegExp(`^framegate ${name}\\b`));
      expect(helpText(name)).not.toBe(overview);
      for (const line of helpText(name).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
    for (const line of overview.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});
