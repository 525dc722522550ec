// What one step writes to a peer: in one write, in its order, and framed as the head says.

import { describe, expect, test } from 'vitest';
import { MessageWriter } from '../../src/edge/http/message-writer.ts';
import { PlainMeans } from '../../src/edge/http/plain-means.ts';
import { MemoryTransport } from '../support/memory-transport.ts';

const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function peerOf(writes: Buffer[]): MemoryTransport {
  return new MemoryTransport({
    name: 'peer',
    stable: false,
    journal: (_, what, bytes) => {
      if (what === 'write') writes.push(Buffer.from(bytes));
    },
  });
}

class Desk {
  readonly writes: Buffer[] = [];
  readonly joint = new PlainMeans().joint;
  readonly writer = new MessageWriter(peerOf(this.writes), this.joint);

  get texts(): string[] {
    return this.writes.map((bytes) => bytes.toString('latin1'));
  }

  content(text: string): void {
    const bytes = Buffer.from(`..${text}..`, 'latin1');
    this.writer.content(bytes, 2, bytes.length - 2);
  }
}

describe('one write', () => {
  test('is a head with its content', () => {
    const desk = new Desk();
    desk.writer.begin(HEAD, false);
    desk.content('abc');
    desk.writer.end();
    expect(desk.texts).toEqual([`${HEAD}abc`]);
  });

  test('is content in chunks with the last of them', () => {
    const desk = new Desk();
    desk.writer.begin(HEAD, true);
    desk.content('a'.repeat(26));
    desk.writer.end();
    expect(desk.texts).toEqual([`${HEAD}1a\r\n${'a'.repeat(26)}\r\n0\r\n\r\n`]);
  });

  test('is what a step had to write, and the next step writes the rest', () => {
    const desk = new Desk();
    desk.writer.begin(HEAD, true);
    desk.writer.flush();
    desk.content('a');
    desk.writer.flush();
    desk.writer.end();
    expect(desk.texts).toEqual([HEAD, '1\r\na\r\n', '0\r\n\r\n']);
  });
});

test.each([
  ['a head larger than what is joined', 120_000, 3],
  ['content larger than what is joined', 3, 120_000],
  ['both', 120_000, 120_000],
  ['content just below a write of its own', 3, 16_383],
  ['content that is worth a write of its own', 3, 16_384],
])('%s: all of it, in its order', (_, headSize, size) => {
  for (const isChunked of [false, true]) {
    const desk = new Desk();
    const head = `${'h'.repeat(headSize)}\xff\r\n\r\n`;
    desk.writer.begin(head, isChunked);
    desk.content('c'.repeat(size));
    desk.writer.end();
    const body = 'c'.repeat(size);
    const framed = isChunked ? `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
    expect(desk.texts.join('')).toBe(`${head}${framed}`);
  }
});

test('what waits for one peer goes out before another one is written to', () => {
  const desk = new Desk();
  const others: Buffer[] = [];
  const other = new MessageWriter(peerOf(others), desk.joint);
  desk.writer.begin(HEAD, false);
  other.begin('HTTP/1.1 200 OK\r\n\r\n', false);
  expect(desk.texts).toEqual([HEAD]);
  other.flush();
  expect(others.map(String)).toEqual(['HTTP/1.1 200 OK\r\n\r\n']);
});

test('what is dropped reaches nobody, and takes nothing of others with it', () => {
  const desk = new Desk();
  const others: Buffer[] = [];
  const other = new MessageWriter(peerOf(others), desk.joint);
  desk.writer.begin(HEAD, false);
  other.drop();
  desk.writer.drop();
  desk.writer.flush();
  other.begin(HEAD, false);
  other.flush();
  expect([desk.texts, others.map(String)]).toEqual([[], [HEAD]]);
});
