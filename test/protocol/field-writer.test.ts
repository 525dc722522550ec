import { describe, expect, test } from 'vitest';
import { FieldWriter } from '../../src/protocol/field-writer.ts';

const LINE_ENDS = ['\r', '\n', '\r\nX: y', '\0', '\x7f', '\u010d\u010a'];

describe('a written head', () => {
  test('is its start line, its fields in order and its body, in latin1', () => {
    const writer = new FieldWriter('HTTP/1.1 200 OK');
    writer.own('A', '1');
    writer.field('B', '\t\xe9 2');
    writer.relayed({ name: 'c', lower: 'c', value: '' });
    const head = 'HTTP/1.1 200 OK\r\nA: 1\r\nB: \t\xe9 2\r\nc: \r\n\r\n';
    expect(writer.finish().toString('latin1')).toBe(head);
    expect(writer.finish(Buffer.from('body')).toString('latin1')).toBe(`${head}body`);
  });

  test.each(LINE_ENDS)('holds no %j, wherever it is passed', (bytes) => {
    const writer = new FieldWriter('GET / HTTP/1.1');
    expect(() => new FieldWriter(`GET / ${bytes}`)).toThrow('a start line holds printable ASCII only');
    expect(() => writer.own('A', bytes)).toThrow('the value of A must be printable ASCII');
    expect(() => writer.field('A', bytes)).toThrow('the value of A must be field content');
    expect(() => writer.relayed({ name: 'A', lower: 'a', value: bytes })).toThrow('the value of A');
    expect(() => FieldWriter.visible(`/${bytes}`)).toThrow('a request target holds visible ASCII only');
    expect(writer.finish().toString('latin1')).toBe('GET / HTTP/1.1\r\n\r\n');
  });

  test('a value of our own has no bytes above ASCII; a target has no space and is not empty', () => {
    expect(() => new FieldWriter('GET / HTTP/1.1').own('A', '\xe9')).toThrow();
    expect(() => new FieldWriter('HTTP/1.1 200 \xe9')).toThrow();
    expect(() => FieldWriter.visible('/a b')).toThrow();
    expect(() => FieldWriter.visible('')).toThrow();
    expect(FieldWriter.visible('/a?b=~')).toBe('/a?b=~');
  });
});
