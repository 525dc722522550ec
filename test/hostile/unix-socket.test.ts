import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bindUnixSocket, type UnixSocket, type UnixSocketOptions } from '../../src/net/unix-socket.ts';
import { atTestEnd } from '../support/cleanup.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Bound {
  readonly server: Server;
  readonly file: UnixSocket;
}

/** A server that says `name` to whoever connects. */
async function bound(path: string, name: string, more: Partial<UnixSocketOptions> = {}): Promise<Bound> {
  const server = createServer((socket) => socket.on('error', () => {}).end(name));
  atTestEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const bind = (at: string) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(at, () => resolve()));
  const options = { path, mode: null, bind, unbind: () => void server.close(), ...more };
  const file = await bindUnixSocket({
    ...options,
    bind: async (at) => {
      await bind(at);
      if (more.bind !== undefined) await more.bind(at);
    },
  });
  return { server, file };
}

function said(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** A server in a process that was killed. */
async function leaveStale(path: string): Promise<void> {
  const { server, file } = await bound(path, 'gone');
  // The name that libuv knows is another, so the file stays.
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(file.path).toBe(path);
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe('the file of a unix socket', () => {
  test('E60: it is at its path only with its mode, and where it was before nobody else may enter', async () => {
    const path = join(newFolder(), 'a.sock');
    let seen: number[] = [];
    const { file } = await bound(path, 'a', {
      mode: 0o660,
      bind: async (at) => {
        expect(() => lstatSync(path)).toThrow('ENOENT');
        seen = [statSync(dirname(at)).mode & 0o777];
      },
    });
    expect([...seen, statSync(path).mode & 0o777]).toEqual([0o700, 0o660]);
    expect(readdirSync(dirname(path))).toEqual(['a.sock']);
    expect(await said(path)).toBe('a');
    file.remove();
    expect(() => lstatSync(path)).toThrow('ENOENT');
  });

  test('E60: when its mode cannot be set, nothing stays bound and nothing is left', async () => {
    const path = join(newFolder(), 'a.sock');
    let server: Server | null = null;
    const unbind = () => void server?.close();
    server = createServer();
    const failed = bindUnixSocket({
      path,
      mode: 0o600,
      bind: async (at) => {
        await new Promise<void>((resolve) => server?.listen(at, () => resolve()));
        unlinkSync(at);
      },
      unbind,
    });
    await expect(failed).rejects.toMatchObject({ code: 'ENOENT', syscall: 'chmod' });
    expect(server.listening).toBe(false);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('E61: a stale file is replaced, and never missing meanwhile', async () => {
    const path = join(newFolder(), 'a.sock');
    await leaveStale(path);
    let wasThere = false;
    await bound(path, 'next', {
      bind: async () => {
        wasThere = lstatSync(path).isSocket();
      },
    });
    expect([wasThere, await said(path)]).toEqual([true, 'next']);
  });

  test('E61: a socket that answers, or a file of another kind, is somebody else’s', async () => {
    const folder = newFolder();
    const path = join(folder, 'a.sock');
    await bound(path, 'first');
    await expect(bound(path, 'second')).rejects.toMatchObject({ code: 'EADDRINUSE', address: path });
    expect(await said(path)).toBe('first');
    const text = join(folder, 'text');
    writeFileSync(text, 'kept');
    await expect(bound(text, 'second')).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(statSync(text).size).toBe(4);
    expect(readdirSync(folder).sort()).toEqual(['a.sock', 'text']);
  });

  test('E61: whoever comes to the path meanwhile keeps it', async () => {
    const path = join(newFolder(), 'a.sock');
    const other = await bound(`${path}.other`, 'other');
    const late = bound(path, 'late', { bind: async () => renameSync(other.file.path, path) });
    await expect(late).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await said(path)).toBe('other');
  });

  test('E61: what another put in its place stays there when it stops', async () => {
    const path = join(newFolder(), 'a.sock');
    const old = await bound(path, 'old');
    const next = await bound(`${path}.next`, 'next');
    renameSync(next.file.path, path);
    old.file.remove();
    await new Promise<void>((resolve) => old.server.close(() => resolve()));
    expect(await said(path)).toBe('next');
  });

  test('the longest path that a socket can have is bound', async () => {
    const folder = newFolder();
    const path = join(folder, 'x'.repeat(107 - folder.length - 1));
    expect(Buffer.byteLength(path)).toBe(107);
    await bound(path, 'long');
    expect(await said(path)).toBe('long');
  });

  test('a folder that nothing can be made in is the system’s error', async () => {
    const folder = newFolder();
    chmodSync(folder, 0o500);
    const path = join(folder, 'none', 'a.sock');
    await expect(bound(path, 'a')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
