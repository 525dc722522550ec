// JSON that is read once and one way only.

import { expect, test } from 'vitest';
import { isJsonObject, parseStrictJson } from '../../src/protocol/strict-json.ts';

const read = (text: string) => parseStrictJson(Buffer.from(text));
const plain = (text: string) => {
  const read = parseStrictJson(Buffer.from(text));
  return read === null ? null : JSON.parse(JSON.stringify(read.value));
};

test('RFC 8259: takes what JSON is', () => {
  const texts = [
    '{}',
    '[]',
    ' {"a": [1, {"b": "c"}], "\\u0062": null}\n',
    '"a:b"',
    '{"a":"\\\\","b":"\\":"}',
    '{"a":{"a":1}}',
  ];
  for (const text of texts) expect(plain(text)).toEqual(JSON.parse(text));
});

test('takes nothing else', () => {
  for (const text of [
    '',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '{"a" 1}',
    'undefined',
    '{"a":1}{',
    '\ufeff{}',
    '{"a":01}',
    '"',
    '}',
  ])
    expect(read(text), text).toBeNull();
  expect(parseStrictJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toBeNull();
});

test('RFC 8259 4: no name twice in an object, however it is written', () => {
  expect(read('{"a":1,"a":1}')).toBeNull();
  expect(read('{"a":1,"\\u0061":1}')).toBeNull();
  expect(read('{"b":{"a":1},"c":[{"a":1,"x":"a","a" : 2}]}')).toBeNull();
  expect(plain('{"a":{"a":1},"b":[{"a":1},{"a":1}],"c":"a"}')).not.toBeNull();
});

test('32 levels are taken and 33 are not, nor 10 000', () => {
  expect(read(`${'['.repeat(32)}${']'.repeat(32)}`)).not.toBeNull();
  expect(read(`${'['.repeat(33)}${']'.repeat(33)}`)).toBeNull();
  expect(read('{"a":'.repeat(10_000))).toBeNull();
});

test('objects have no prototypes, and names of one are names like others', () => {
  const value = read('{"__proto__":{"admin":true},"constructor":1}')?.value;
  expect(isJsonObject(value) && Object.getPrototypeOf(value)).toBeNull();
  expect(isJsonObject(value) && Object.keys(value)).toEqual(['__proto__', 'constructor']);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});
