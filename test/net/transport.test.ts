import { once } from 'node:events';
import * as net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HandleIo } from '../../src/net/handle-io.ts';
import { HandleTransport } from '../../src/net/handle-transport.ts';
import { findStreamBase, type StreamBase, type StreamHandle } from '../../src/net/stream-base.ts';
import { StreamTransport } from '../../src/net/stream-transport.ts';
import type { Transport } from '../../src/net/transport.ts';
import { transportMode } from '../support/transport-mode.ts';
import { collect, connectOver, FULL_CHUNK, fill, OVER, Recorder, turn, turns } from '../support/transport-pair.ts';

describe.each(OVER)('%s', (over) => {
  const connectPair = () => connectOver(over);

  describe('reading', () => {
    test('bytes arrive in order; start and end are those of the chunk', async () => {
      const { reader, peer } = await connectPair();
      const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i * 7));
      peer.write(sent);
      await reader.until(() => reader.bytes === sent.length);
      expect(reader.received.equals(sent)).toBe(true);
      expect(reader.count('lost')).toBe(0);
    });

    test('FIN: told once, behind the last byte, and writing goes on', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.end('last');
      await reader.until(() => reader.count('end') === 1);
      expect([reader.received.toString(), reader.calls.at(-1)]).toEqual(['last', 'end']);
      transport.write(Buffer.from('answer'), 0, 6, true);
      expect((await collect(peer, 6)).toString()).toBe('answer');
      transport.end();
      await once(peer, 'end');
      await turns(5);
      expect(reader.count('end')).toBe(1);
      expect(reader.count('lost')).toBeLessThanOrEqual(1);
    });

    test('RST: onLost once, and never onEnd', async () => {
      const { transport, reader, peer, reset } = await connectPair();
      peer.write('x');
      await reader.until(() => reader.bytes === 1);
      reset();
      await reader.until(() => reader.count('lost') > 0);
      transport.write(Buffer.from('into nothing'), 0, 12, false);
      transport.end();
      transport.resume();
      await turns(10);
      expect(reader.calls.filter((call) => call !== 'bytes')).toEqual(['lost ECONNRESET']);
    });

    test('E9: RST while we write: onLost once', async () => {
      const { transport, reader, peer, reset } = await connectPair();
      peer.pause();
      await fill(transport, () => Buffer.alloc(FULL_CHUNK));
      reset();
      await reader.until(() => reader.count('lost') > 0);
      transport.write(Buffer.alloc(10), 0, 10, true);
      await turns(10);
      expect(reader.count('lost')).toBe(1);
      expect(reader.count('end')).toBe(0);
    });

    test('paused: nothing is said; resumed: all of it', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.write('a');
      await reader.until(() => reader.bytes === 1);
      transport.pause();
      expect(transport.paused).toBe(true);
      peer.end(Buffer.alloc(1000));
      await turns(20);
      expect(reader.calls).toEqual(['bytes']);
      transport.resume();
      expect(transport.paused).toBe(false);
      await reader.until(() => reader.count('end') === 1);
      expect(reader.bytes).toBe(1001);
    });

    test('pause within onBytes holds from the next chunk on', async () => {
      const { transport, reader, peer } = await connectPair();
      reader.onChunk = () => transport.pause();
      peer.write(Buffer.alloc(20 * FULL_CHUNK));
      await reader.until(() => reader.count('bytes') === 1);
      await turns(20);
      expect(reader.count('bytes')).toBe(1);
      reader.onChunk = () => {};
      transport.resume();
      await reader.until(() => reader.bytes === 20 * FULL_CHUNK);
    });

    test('a FIN is told once, whatever is paused and resumed behind it', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.end('last');
      await reader.until(() => reader.count('end') === 1);
      for (let i = 0; i < 3; i++) {
        transport.pause();
        transport.resume();
        await turns(10);
      }
      expect([reader.count('end'), reader.count('lost')]).toEqual([1, 0]);
    });

    test('resume without a pause does nothing', async () => {
      const { transport, reader, peer } = await connectPair();
      transport.resume();
      peer.write('x');
      await reader.until(() => reader.bytes === 1);
      expect(transport.paused).toBe(false);
    });
  });

  describe('writing', () => {
    // Node's streams learn of a TLS write's end in a later turn only.
    test.skipIf(over !== 'TCP' && transportMode === 'stream')(
      'what the kernel takes at once leaves nothing pending and calls nobody',
      async () => {
        const { transport, reader, peer } = await connectPair();
        transport.write(Buffer.from('__hello__'), 2, 7, false);
        expect(transport.pending).toBe(0);
        expect((await collect(peer, 5)).toString()).toBe('hello');
        await turns(5);
        expect(reader.count('taken')).toBe(0);
      },
    );

    test('what it does not take is pending; onTaken comes when it has', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.pause();
      const written = await fill(transport, (i) => Buffer.alloc(FULL_CHUNK, i));
      const before = transport.pending;
      expect(before).toBeGreaterThan(0);
      reader.calls.length = 0;
      const more = Buffer.alloc(1000, 0xab);
      transport.write(more, 0, more.length, true);
      expect(transport.pending).toBe(before + 1000);
      await turns(10);
      expect(reader.count('taken')).toBe(0);
      const received = await collect(peer, written.length + 1000);
      await reader.until(() => transport.pending === 0 && reader.count('taken') > 0);
      expect(received.equals(Buffer.concat([written, more]))).toBe(true);
    });

    test('onTaken comes for a single write too, with nothing behind it', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.pause();
      const written = await fill(transport, () => Buffer.alloc(8 * FULL_CHUNK));
      await collect(peer, written.length);
      await reader.until(() => reader.count('taken') > 0);
      expect(transport.pending).toBe(0);
    });

    test('L42: many small writes to a peer that lags are joined, and cost what they hold', async () => {
      const { transport, peer } = await connectPair();
      peer.pause();
      expect(transport.held).toBe(0);
      const written = await fill(transport, (i) => Buffer.alloc(FULL_CHUNK, i));
      expect(transport.held).toBeGreaterThanOrEqual(transport.pending);
      const before = process.memoryUsage();
      const small = Buffer.from('abc');
      for (let i = 0; i < 100_000; i++) transport.write(small, 0, 3, i % 2 === 0);
      const after = process.memoryUsage();
      const grown = after.heapUsed + after.external - before.heapUsed - before.external;
      expect(transport.pending).toBeGreaterThanOrEqual(300_000);
      expect(transport.held).toBeLessThan(transport.pending + 4 * FULL_CHUNK);
      // A write each held 40 MB.
      expect(grown).toBeLessThan(6 * 2 ** 20);
      transport.end();
      const received = await collect(peer, written.length + 300_000);
      expect(received.equals(Buffer.concat([written, Buffer.alloc(300_000, 'abc')]))).toBe(true);
      expect([transport.pending, transport.held]).toEqual([0, 0]);
    });

    test('stable = false: the caller may overwrite its buffer at once, whatever the pressure', async () => {
      const { transport, peer } = await connectPair();
      peer.pause();
      const scratch = Buffer.alloc(FULL_CHUNK);
      const expected: Buffer[] = [];
      for (let i = 0, waiting = 0; waiting < 5; i++) {
        if (transport.pending > 0) waiting += 1;
        scratch.fill(i);
        expected.push(Buffer.from(scratch.subarray(10, 60_000)));
        transport.write(scratch, 10, 60_000, false);
        scratch.fill(0xee);
      }
      const all = Buffer.concat(expected);
      expect((await collect(peer, all.length)).equals(all)).toBe(true);
    });

    test('end(): the FIN goes behind all that is pending', async () => {
      const { transport, peer } = await connectPair();
      peer.pause();
      const written = await fill(transport, () => Buffer.alloc(FULL_CHUNK, 5));
      transport.end();
      const ended = once(peer, 'end');
      expect((await collect(peer, written.length)).equals(written)).toBe(true);
      await ended;
    });
  });

  describe('destroy', () => {
    test('silences the transport: no byte, no FIN, no loss, nothing taken', async () => {
      const { transport, reader, peer } = await connectPair();
      peer.pause();
      await fill(transport, () => Buffer.alloc(FULL_CHUNK));
      peer.write('unread');
      reader.calls.length = 0;
      transport.destroy();
      transport.destroy();
      expect(transport.destroyed).toBe(true);
      transport.write(Buffer.from('x'), 0, 1, true);
      transport.end();
      transport.pause();
      transport.resume();
      peer.resume();
      await turns(20);
      expect(reader.calls).toEqual([]);
    });

    test('within onBytes nothing more is delivered, though more had come', async () => {
      const { transport, reader, peer } = await connectPair();
      reader.onChunk = () => transport.destroy();
      peer.write(Buffer.alloc(20 * FULL_CHUNK));
      await reader.until(() => reader.count('bytes') === 1);
      await turns(20);
      expect(reader.calls).toEqual(['bytes']);
    });
  });

  describe('what is given back', () => {
    test('L40: what is given back comes in the next turn, before all else and before the FIN', async () => {
      const { transport, reader, peer } = await connectPair();
      const seen: string[] = [];
      let turnsSeen = 0;
      reader.onBytes = (bytes, start, end) => {
        seen.push(bytes.toString('latin1', start, end));
        reader.calls.push('bytes');
        if (end - start > 2) transport.unread(bytes, start + 2, end);
        setImmediate(() => turnsSeen++);
      };
      peer.end('abcdefg');
      await reader.until(() => reader.count('end') === 1);
      expect(seen).toEqual(['abcdefg', 'cdefg', 'efg', 'g']);
      expect(turnsSeen).toBeGreaterThanOrEqual(2); // the first rest may come behind the reads of the same turn
      expect(reader.calls).toEqual(['bytes', 'bytes', 'bytes', 'bytes', 'end']);
      transport.write(Buffer.from('answer'), 0, 6, true);
      expect((await collect(peer, 6)).toString()).toBe('answer');
    });

    test('L40: what is given back waits behind a pause, and is dropped with its transport', async () => {
      const { transport, reader, peer } = await connectPair();
      const seen: string[] = [];
      const read = (bytes: Buffer, start: number, end: number) => {
        seen.push(bytes.toString('latin1', start, end));
        if (end - start === 1) return;
        transport.unread(bytes, start + 1, end);
        transport.pause();
      };
      reader.onBytes = read;
      peer.write('abcd');
      while (seen.length === 0) await turn();
      peer.write('X');
      await turns(20);
      expect(seen).toEqual(['abcd']);
      transport.resume();
      expect(seen).toEqual(['abcd']);
      while (seen.length === 1) await turn();
      await turns(20);
      expect(seen[1]?.slice(0, 3)).toBe('bcd');
      transport.resume();
      transport.destroy();
      await turns(20);
      expect(seen.length).toBe(2);
    });

    test('L40: what came before the session is given back in front of what was read since', async () => {
      const { transport, reader, peer } = await connectPair();
      transport.pause();
      peer.write('later');
      await turns(20);
      const early = Buffer.alloc(100_000, 'e');
      transport.unread(early, 10, early.length);
      early.fill('x', 10); // what is no stable read was copied
      if (transport.stable) early.fill('e', 10);
      await turns(20);
      expect(reader.calls).toEqual([]);
      transport.resume();
      await reader.until(() => reader.bytes === early.length - 10 + 5);
      expect(reader.received.toString()).toBe(`${'e'.repeat(early.length - 10)}later`);
    });

    test('a real socket with a burst behind a pause loses nothing', async () => {
      const { transport, reader, peer } = await connectPair();
      transport.pause();
      const sent = Buffer.from(Array.from({ length: 64 * 1024 }, (_, i) => i * 13));
      for (let i = 0; i < 64; i++) peer.write(sent);
      await turns(50);
      transport.resume();
      await reader.until(() => reader.bytes === 64 * sent.length);
      expect(reader.received.equals(Buffer.concat(Array<Buffer>(64).fill(sent)))).toBe(true);
      expect(reader.count('lost')).toBe(0);
    });
  });

  describe('the address of the peer', () => {
    test('of a connection', async () => {
      const { transport, peer } = await connectPair();
      expect([transport.remoteAddress, transport.remotePort]).toEqual(['127.0.0.1', peer.localPort]);
    });
  });
});

describe('F24: fairness', () => {
  /** A socket that has all of these chunks ready to be read, as after a burst; a real kernel's cuts are its own. */
  function burst(sizes: readonly number[]): { transport: StreamTransport; reader: Recorder } {
    const socket = new net.Socket();
    const transport = new StreamTransport(socket);
    const reader = new Recorder();
    transport.reader = reader;
    onTestFinished(() => transport.destroy());
    transport.pause();
    for (const size of sizes) socket.push(Buffer.alloc(size));
    transport.resume();
    return { transport, reader };
  }

  /** How many chunks were handed over in each of the next turns of the event loop. */
  async function perTurn(reader: Recorder, count: number): Promise<number[]> {
    const found: number[] = [];
    for (let i = 0, before = 0; i < count; i++) {
      await turn();
      found.push(reader.chunks.length - before);
      before = reader.chunks.length;
    }
    return found.filter((chunks) => chunks > 0);
  }

  test('a socket that always has more gets four full chunks a turn, then the others', async () => {
    const { reader } = burst(Array<number>(18).fill(FULL_CHUNK));
    expect(await perTurn(reader, 20)).toEqual([4, 4, 4, 4, 2]);
  });

  test('256 KiB a turn, whatever the chunks: those of TLS are never full', async () => {
    const { reader } = burst([
      ...Array<number>(3).fill(FULL_CHUNK),
      FULL_CHUNK - 1,
      ...Array<number>(5).fill(FULL_CHUNK),
    ]);
    expect(await perTurn(reader, 20)).toEqual([5, 4]);
    const ofTls = burst(Array<number>(40).fill(16_384));
    expect(await perTurn(ofTls.reader, 20)).toEqual([16, 16, 8]);
  });

  test('L40: chunks of a turn share its steps, and the next turn has as many again', async () => {
    const { transport, reader } = burst(Array<number>(5).fill(100));
    const seen: number[] = [];
    reader.onChunk = () => {
      seen.push(transport.stepsLeft);
      transport.stepsLeft -= 500;
    };
    await turns(2);
    transport.pause();
    await reader.until(() => reader.chunks.length === 5);
    expect(seen).toEqual([2000, 1500, 1000, 500, 0]);
    expect(transport.stepsLeft).toBe(-500);
  });

  test('a pause while it waits for its turn holds', async () => {
    const { transport, reader } = burst(Array<number>(10).fill(FULL_CHUNK));
    reader.onChunk = () => {
      if (reader.chunks.length === 4) transport.pause();
    };
    expect(await perTurn(reader, 20)).toEqual([4]);
    transport.resume();
    await reader.until(() => reader.chunks.length === 10);
  });

  test('a pause and a resume while it waits do not bring its turn forward', async () => {
    const { transport, reader } = burst(Array<number>(10).fill(FULL_CHUNK));
    reader.onChunk = () => {
      transport.pause();
      transport.resume();
    };
    expect(await perTurn(reader, 20)).toEqual([4, 4, 2]);
  });
});

/** A libuv stream that has these reads ready: up to 32 in a turn, as libuv does, and only while it is read. */
class FakeHandle implements StreamHandle {
  readonly writeQueueSize = 0;
  onread: (this: StreamHandle) => void = () => {};
  private reading = false;
  private readonly base: StreamBase;
  private readonly sizes: number[];

  constructor(base: StreamBase, sizes: readonly number[]) {
    this.base = base;
    this.sizes = [...sizes];
  }

  poll(): void {
    for (let i = 0; i < 32 && this.reading && this.sizes.length > 0; i++) {
      this.base.state[this.base.readIndex] = this.sizes.shift() ?? 0;
      this.onread.call(this);
    }
  }

  readStart(): number {
    this.reading = true;
    return 0;
  }

  readStop(): number {
    this.reading = false;
    return 0;
  }

  useUserBuffer(): void {}
  writeBuffer = () => 0;
  shutdown = () => 0;
  close(): void {
    this.reading = false;
  }
}

describe('F24: fairness on handles', () => {
  const base = findStreamBase();
  if (base === null) throw new Error('this Node has the internals of streams in another form');

  async function perTurn(sizes: readonly number[], onChunk = (_transport: Transport, _chunks: number) => {}) {
    const handle = new FakeHandle(base as StreamBase, sizes);
    const transport = new HandleTransport(new HandleIo(base as StreamBase), handle, { address: '', port: 0 });
    const reader = new Recorder();
    reader.onChunk = () => onChunk(transport, reader.chunks.length);
    transport.reader = reader;
    const found: number[] = [];
    for (let i = 0, before = 0; i < 20; i++) {
      handle.poll();
      found.push(reader.chunks.length - before);
      before = reader.chunks.length;
      await turn();
    }
    return { counts: found.filter((chunks) => chunks > 0), transport, handle, reader };
  }

  test('a socket that always has more gets four full reads a turn, then the others', async () => {
    expect((await perTurn(Array<number>(18).fill(FULL_CHUNK))).counts).toEqual([4, 4, 4, 4, 2]);
  });

  test('a read that is not full means that the kernel has no more: the count begins anew', async () => {
    const sizes = [...Array<number>(3).fill(FULL_CHUNK), FULL_CHUNK - 1, ...Array<number>(5).fill(FULL_CHUNK)];
    expect((await perTurn(sizes)).counts).toEqual([8, 1]);
  });

  test('a pause while it waits for its turn holds', async () => {
    const pauseAtFour = (transport: Transport, chunks: number) => {
      if (chunks === 4) transport.pause();
    };
    const { counts, transport, handle, reader } = await perTurn(Array<number>(7).fill(FULL_CHUNK), pauseAtFour);
    expect(counts).toEqual([4]);
    transport.resume();
    handle.poll();
    expect(reader.chunks.length).toBe(7);
  });
});
