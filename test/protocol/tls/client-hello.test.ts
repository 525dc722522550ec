// The rules of the ClientHello reader: names and protocols out of it, any cut, and its bounds.

import { describe, expect, test } from 'vitest';
import { ALERTS, buildAlert } from '../../../src/protocol/tls/alerts.ts';
import { ClientHelloReader, HelloStep } from '../../../src/protocol/tls/client-hello.ts';
import {
  clientHello,
  helloBody,
  helloMessage,
  inRecords,
  protocolsData,
  serverNameData,
  u8,
  u16,
  vector,
} from '../../support/client-hello.ts';
import { everySplit } from '../../support/every-split.ts';

function feedAll(pieces: readonly Buffer[]): ClientHelloReader {
  const reader = new ClientHelloReader();
  for (const piece of pieces) {
    // In a buffer of its own that is overwritten afterwards, as a read buffer is.
    const lent = Buffer.concat([Buffer.from('xx'), piece]);
    reader.feed(lent, 2, lent.length);
    lent.fill(0xee);
  }
  return reader;
}

const nameOf = (bytes: Buffer) => feedAll([bytes]).hello?.serverName;
const violationOf = (bytes: Buffer) => feedAll([bytes]).violation;

describe('what a ClientHello says', () => {
  test('in every cut: the name, the protocols, and all bytes as they came', () => {
    const hello = clientHello({ name: 'chat.example.com', protocols: ['h2', 'http/1.1'], extensions: [[43, u8(2)]] });
    everySplit(hello, (pieces) => {
      const reader = feedAll(pieces);
      expect(reader.violation).toBeNull();
      expect(reader.hello).toEqual({
        serverName: 'chat.example.com',
        isNameUnfit: false,
        protocols: ['h2', 'http/1.1'],
      });
      expect(reader.takeBytes()).toEqual(Buffer.concat(pieces));
    });
  });

  test('in every cut of records of one byte', () => {
    everySplit(clientHello({ name: 'a.b' }, 1), (pieces) => expect(feedAll(pieces).hello?.serverName).toBe('a.b'), {
      stride: 7,
    });
  });

  test('names in lower case and without a trailing dot', () => {
    expect(nameOf(clientHello({ name: 'Chat.EXAMPLE.com' }))).toBe('chat.example.com');
    expect(nameOf(clientHello({ name: 'chat.example.com.' }))).toBe('chat.example.com');
    expect(nameOf(clientHello({ name: '192.0.2.1' }))).toBe('192.0.2.1');
  });

  test('without a name, without extensions, with an empty session id', () => {
    const none = { serverName: null, isNameUnfit: false, protocols: null };
    expect(feedAll([clientHello()]).hello).toEqual(none);
    expect(feedAll([clientHello({ isBare: true })]).hello).toEqual(none);
    expect(feedAll([clientHello({ sessionId: Buffer.alloc(0) })]).hello).toEqual(none);
  });

  test('a name of 255 bytes is one, of 256 or 4096 bytes or with other bytes it is unfit', () => {
    const unfit = (name: string | Buffer) => feedAll([clientHello({ name })]).hello;
    expect(nameOf(clientHello({ name: 'a'.repeat(255) }))).toBe('a'.repeat(255));
    for (const name of ['a'.repeat(256), 'a'.repeat(4096), 'a\0b', 'a b', 'a\x7f', Buffer.from([0xc3, 0xa9]), '.'])
      expect(unfit(name)).toEqual({ serverName: null, isNameUnfit: true, protocols: null });
  });
});

describe('what is no ClientHello', () => {
  test('the first byte, the version and an empty record are judged as soon as they are there', () => {
    expect(violationOf(u8(0x80))).toBe('unexpected_message');
    expect(violationOf(u8(21))).toBe('unexpected_message');
    expect(violationOf(Buffer.from([22, 2]))).toBe('protocol_version');
    expect(violationOf(Buffer.from([22, 3]))).toBeNull();
    expect(violationOf(Buffer.from([22, 3, 1, 0, 0]))).toBe('unexpected_message');
    expect(violationOf(Buffer.from([22, 3, 1, 0x40, 0x01]))).toBe('record_overflow');
    expect(violationOf(Buffer.from([22, 3, 1, 0x40, 0x00]))).toBeNull();
    expect(violationOf(Buffer.from([22, 3, 1, 0, 4, 2]))).toBe('unexpected_message');
  });

  test('an alert between two records of it', () => {
    const [first, second] = [inRecords(helloMessage(helloBody()).subarray(0, 9)), buildAlert('decode_error')];
    expect(violationOf(Buffer.concat([first, second]))).toBe('unexpected_message');
  });

  test('16 KiB are read, one byte more is refused by its length alone', () => {
    const padding = (size: number) => helloBody({ name: 'a.b', extensions: [[21, Buffer.alloc(size)]] });
    const room = 16_384 - 4 - padding(0).length;
    expect(nameOf(inRecords(helloMessage(padding(room))))).toBe('a.b');
    expect(violationOf(inRecords(helloMessage(padding(room + 1))).subarray(0, 9))).toBe('illegal_parameter');
  });

  test('records that make 16 KiB of bytes without its end', () => {
    const bytes = inRecords(helloMessage(helloBody({ extensions: [[21, Buffer.alloc(4_000)]] })), 1);
    expect(violationOf(bytes.subarray(0, 16_389))).toBeNull();
    for (const one of [bytes.subarray(0, 16_390), bytes]) {
      for (const pieces of [[one], [one.subarray(0, 16_389), one.subarray(16_389)]]) {
        expect(feedAll(pieces).violation).toBe('illegal_parameter');
      }
    }
    expect(
      nameOf(inRecords(helloMessage(helloBody({ name: 'a.b', extensions: [[21, Buffer.alloc(2_500)]] })), 1)),
    ).toBe('a.b');
  });

  test('lengths that lie, at every place', () => {
    const whole = helloBody({ name: 'a.b', protocols: ['x'] });
    for (let size = 0; size < whole.length; size += 1)
      // Without extensions it is whole.
      if (size !== helloBody({ isBare: true }).length)
        expect(violationOf(inRecords(helloMessage(whole.subarray(0, size))))).toBe('decode_error');
    expect(violationOf(inRecords(helloMessage(Buffer.concat([whole, u8(0)]))))).toBe('decode_error');
  });

  test('a name or protocols that stand twice, are empty, or are more than the list', () => {
    const twice = (type: number, data: Buffer) =>
      violationOf(
        clientHello({
          extensions: [
            [type, data],
            [type, data],
          ],
        }),
      );
    expect(twice(0, serverNameData('a.b'))).toBe('illegal_parameter');
    expect(twice(16, protocolsData(['x']))).toBe('illegal_parameter');
    const bad: [number, Buffer][] = [
      [0, Buffer.alloc(0)],
      [0, serverNameData('')],
      [0, vector(2, u8(1), vector(2, Buffer.from('a.b')))],
      [0, vector(2, u8(0), vector(2, Buffer.from('a')), u8(0), vector(2, Buffer.from('b')))],
      [0, Buffer.concat([serverNameData('a.b'), u8(0)])],
      [16, Buffer.alloc(0)],
      [16, u16(0)],
      [16, vector(2, u8(0))],
      [16, Buffer.concat([protocolsData(['x']), u8(0)])],
      [16, vector(2, u8(9), u8(1))],
    ];
    for (const extension of bad) expect(violationOf(clientHello({ extensions: [extension] }))).toBe('decode_error');
  });

  test('it stays one', () => {
    const reader = feedAll([u8(0x80)]);
    const hello = clientHello();
    expect(reader.feed(hello, 0, hello.length)).toBe(HelloStep.Violation);
    expect(reader.hello).toBeNull();
  });
});

test('RFC 8446 6: an alert is a record of seven bytes, fatal', () => {
  expect(buildAlert('unrecognized_name').toString('hex')).toBe('15030300020270');
  expect(ALERTS.unrecognized_name).toBe(0x70);
});
