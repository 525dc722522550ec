import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LogTap } from './log-tap.ts';
import { RawBackend } from './raw-backend.ts';
import { RawClient } from './raw-client.ts';
import { binary, closeFrame, text } from './wire.ts';

async function pair(deadlineMs = 5000) {
  const backend = await RawBackend.listen({ deadlineMs });
  const client = await RawClient.connect(backend.port, { deadlineMs });
  return { backend, client, connection: await backend.nextConnection() };
}

describe('a raw client and a raw backend', () => {
  test('shake hands and exchange frames, glued and bytewise', async () => {
    const { client, connection, backend } = await pair();
    const accepted = connection.accept({ 'X-B': '1' }, text('glued'));
    const head = await client.upgrade({ path: '/x' });
    expect(head.status).toBe(101);
    expect(head.field('x-b')).toBe('1');
    expect((await accepted).line).toBe('GET /x HTTP/1.1');
    expect((await client.nextFrame()).payload.toString()).toBe('glued');
    await client.sendBytewise(Buffer.concat([binary('abc', { mask: true }), closeFrame(1000, '', { mask: true })]));
    const frames = await connection.framesUntilClose();
    expect(frames.map((f) => [f.opcode, f.masked, f.payload.toString('latin1')])).toEqual([
      [2, true, 'abc'],
      [8, true, '\x03\xe8'],
    ]);
    connection.end();
    await client.ended;
    expect(await client.closed).toEqual({ fin: true, error: null });
    expect(backend.connections).toBe(1);
  });

  test('read a refusal with its body, by length and to FIN', async () => {
    const { client, connection } = await pair();
    connection.send('HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\n{"a":1}\nHTTP/1.1 502 Bad Gateway\r\n\r\nrest');
    connection.end();
    const first = await client.readResponse();
    expect(first.json()).toEqual({ a: 1 });
    const second = await client.readResponse();
    expect([second.status, second.body.toString()]).toEqual([502, 'rest']);
  });

  test('tell FIN from RST, each way', async () => {
    const { client, connection } = await pair();
    client.send('bye');
    expect((await connection.readBytes(3)).toString()).toBe('bye');
    client.reset();
    expect(await connection.closed).toEqual({ fin: false, error: 'ECONNRESET' });
    await expect(connection.ended).rejects.toThrow(/closed, ECONNRESET/);
    await expect(connection.readToEnd()).rejects.toThrow(/everything up to FIN/);
  });

  test('reject at the deadline and show what did come', async () => {
    const { client, connection } = await pair(50);
    connection.send('HTTP/1.1 200');
    await client.readUntil((bytes) => bytes.includes('1.1'));
    await expect(client.readHead()).rejects.toThrow(/waited \d+ ms for a head: deadline\n.*\n.*HTTP\/1\.1 200/);
    await expect(client.ended).rejects.toThrow(/FIN/);
  });

  test('reject at once when the connection is over', async () => {
    const { client, connection } = await pair();
    connection.end(Buffer.from('half'));
    await client.ended;
    const failure = client.nextFrame();
    client.destroy();
    await expect(failure).rejects.toThrow(/a frame: the connection is closed\n.*"half"/);
  });

  test('a paused peer takes nothing, and all of it later', async () => {
    const { client, connection } = await pair();
    connection.pause();
    const many = Buffer.alloc(8 << 20, 1);
    client.send(many);
    await expect(connection.until('nothing', () => (client.socket.writableLength > 0 ? true : null))).resolves.toBe(
      true,
    );
    connection.keep(false);
    connection.resume();
    await connection.receivedBytes(many.length);
    await client.flushed();
    expect(connection.received.length).toBeLessThan(many.length);
  });

  test('work over a unix socket, and a refused dial rejects', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const backend = await RawBackend.listen({ path: path.join(folder, 's') });
    expect(backend.url).toBe(`ws+unix:${folder}/s`);
    const client = await RawClient.connect(path.join(folder, 's'));
    client.send('x');
    expect(await (await backend.nextConnection()).readBytes(1)).toEqual(Buffer.from('x'));
    await backend.close();
    await expect(RawClient.connect(path.join(folder, 's'))).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });
});

describe('the log tap', () => {
  const line = { time: 't', level: 'info', event: 'start' };

  test('takes lines apart wherever they are cut, and waits', async () => {
    const tap = new LogTap();
    const later = tap.waitFor('start', (found) => found.n === 2);
    for (const character of `${JSON.stringify({ ...line, n: 1 })}\n${JSON.stringify({ ...line, n: 2 })}\n`) {
      tap.write(character);
    }
    expect((await later).n).toBe(2);
    expect((await tap.waitFor('start')).n).toBe(1);
    expect(tap.faults).toEqual([]);
  });

  test('remembers lines that are not JSON, not a log line, or not printable ASCII', async () => {
    const tap = new LogTap(20);
    const bad = ['nope', '{"level":"info"}', JSON.stringify({ ...line, path: '/\u009b' })];
    tap.write(`${bad.join('\n')}\n`);
    expect(tap.faults).toEqual(bad);
    await expect(tap.waitFor('drain.end')).rejects.toThrow(
      /no log line drain.end .* within 20 ms; the last of 1 lines/,
    );
    tap.finish('over');
    await expect(tap.waitFor('drain.end')).rejects.toThrow(/over/);
  });
});
