import { describe, expect, test } from 'vitest';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const list = (entry: string): string => `defaults: { origins: [${entry}] }`;
const read = (entry: string) => loaded(list(entry)).routes[0]?.origins;

describe('origins', () => {
  test('any, same, null in quotes, origins, and origins with "*."', () => {
    expect(loaded('defaults: { origins: any }').routes[0]?.origins).toBe('any');
    expect(read('same, "null", HTTPS://App.example.com:443, "http://*.dev.example:3000"')).toEqual([
      'same',
      'null',
      'https://app.example.com',
      'http://*.dev.example:3000',
    ]);
    expect(read('')).toEqual([]);
  });

  test.each([
    ['https://app.example.com/', 'an origin ends with its host or port: leave the path out'],
    ['"https://*.example.com/#x"', 'an origin ends with its host or port: leave the path out'],
    ['app.example.com', 'an origin begins with its scheme: https://app.example.com'],
    ['"*.example.com"', 'an origin begins with its scheme: https://*.example.com'],
    ['"*"', 'to let all pages in write origins: any, without a list'],
    ['any', 'to let all pages in write origins: any, without a list'],
    ['wss://app.example.com', 'an origin is that of a page: write https://'],
    ['ws://app.example.com', 'an origin is that of a page: write http://'],
    ['https://müller.example', 'write the host as browsers send it, in ASCII: xn--...'],
    ['"https://*"', /^"https:\/\/\*" is no origin: expected scheme:\/\/host\[:port\] such as/],
    ['https://user:pw@app.example.com', /is no origin: expected/],
    ['"https://app.example.com:99999"', /is no origin: expected/],
    ['null', 'needs a value'],
  ])('%s is told', (entry, message) => {
    expect(errorsOf(list(entry)).map((line) => line.replace(/^1:23 defaults\.origins\[0\]: /, ''))).toEqual([
      message instanceof RegExp ? expect.stringMatching(message) : message,
    ]);
  });

  test('no password gets into a problem', () => {
    expect(errorsOf(list('https://user:canary@app.example.com')).join()).not.toContain('canary');
  });

  test('one origin twice is told, however it is written', () => {
    expect(errorsOf(list('https://a.example, "https://A.example:443"'))).toEqual([
      '1:42 defaults.origins[1]: stands in this list twice',
    ]);
  });

  test('a text instead of a list is told', () => {
    expect(errorsOf('defaults: { origins: https://app.example.com }')).toEqual([
      '1:22 defaults.origins: expected any, or a list such as [same, https://app.example.com]',
    ]);
  });

  test('any written out is no reason to warn: no credential is read here', () => {
    expect(warningsOf('defaults: { origins: any }\nroutes: [{ upstream: "builtin:echo", origins: any }]')).toEqual([]);
  });

  test('missing_origin is auto, allow or refuse', () => {
    expect(loaded('').routes[0]?.missing_origin).toBe('auto');
    for (const word of ['auto', 'allow', 'refuse'])
      expect(loaded(`defaults: { missing_origin: ${word} }`).routes[0]?.missing_origin).toBe(word);
    expect(errorsOf('defaults: { missing_origin: deny }')).toEqual([expect.stringContaining('expected one of auto')]);
  });
});
