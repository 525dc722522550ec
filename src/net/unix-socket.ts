// The file of a listening unix socket: nobody can connect before its mode is set, and what stands at its path is only
// ever replaced or removed by whoever left it there. It accepts nothing.

import { chmodSync, fstatSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

/** sun_path of Linux holds 108 bytes with its NUL (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
/** What mkdtemp appends, and the name of the socket in the folder until it is moved. */
const SUFFIX = 'XXXXXX';
const SOCKET = 's';

export interface UnixSocketOptions {
  readonly path: string;
  /** Null leaves what the umask makes of it. */
  readonly mode: number | null;
  /** Bind and listen at this path, or reject with the system's error. */
  bind(path: string): Promise<void>;
  /** Undo it: called when something fails behind it. */
  unbind(): void;
}

export interface UnixSocket {
  readonly path: string;
  /** Remove the file, unless another one stands there by now. */
  remove(): void;
}

/**
 * Bound in a folder that nobody else may enter, and moved to its path when its mode is set. The move replaces a stale
 * file without a gap, and leaves libuv with a name that it may unlink at any time. Rejects with the system's error.
 */
export async function bindUnixSocket(options: UnixSocketOptions): Promise<UnixSocket> {
  const { path, mode } = options;
  const stale = await staleFile(path);
  const folder = mkdtempSync(folderPrefix(path));
  let bound = false;
  try {
    const name = join(folder, SOCKET);
    await options.bind(name);
    bound = true;
    if (mode !== null) chmodSync(name, mode);
    // Whoever came to it meanwhile has it.
    if (idOf(path) !== stale) throw inUse(path);
    const own = idOf(name);
    renameSync(name, path);
    return { path, remove: () => removeOwn(path, own) };
  } catch (error) {
    if (bound) options.unbind();
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The file of a listening socket that another process bound, and that is ours from now on. */
export function adoptUnixSocket(path: string, mode: number | null): UnixSocket {
  const own = idOf(path);
  if (own !== null && mode !== null) chmodSync(path, mode);
  return { path, remove: () => removeOwn(path, own) };
}

/** Where the socket of `fd` was bound, by proc(5); '' where that says nothing. */
export function unixPathOf(fd: number): string {
  try {
    const inode = String(fstatSync(fd).ino);
    const rows = readFileSync('/proc/net/unix', 'utf8').split('\n');
    const own = rows.map((row) => row.trim().split(/\s+/)).find((columns) => columns[6] === inode);
    return own?.slice(7).join(' ') ?? '';
  } catch {
    return '';
  }
}

function removeOwn(path: string, own: string | null): void {
  try {
    if (own !== null && idOf(path) === own) unlinkSync(path);
  } catch {
    // Not ours to remove any more, or the folder is gone.
  }
}

/** The file of a socket on which nobody listens; null when nothing is there. All else is somebody's. */
async function staleFile(path: string): Promise<string | null> {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return null;
  if (!entry.isSocket() || (await isAnswered(path))) throw inUse(path);
  return idOf(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy();
      resolve(error.code !== 'ECONNREFUSED');
    });
  });
}

/** Which file it is: a bound socket keeps its inode, so no other file can get this one's. */
function idOf(path: string): string | null {
  const entry = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return entry === undefined ? null : `${entry.dev} ${entry.ino}`;
}

/** Beside the path, since a rename does not leave its file system; under a short name when the path is long. */
function folderPrefix(path: string): string {
  const prefix = `${path}.`;
  const fits = Buffer.byteLength(join(prefix + SUFFIX, SOCKET)) <= SOCKET_PATH_BYTES_MAX;
  return fits ? prefix : join(dirname(path), '.');
}

function inUse(path: string): Error {
  const message = `listen EADDRINUSE: address already in use ${path}`;
  return Object.assign(new Error(message), { code: 'EADDRINUSE', syscall: 'listen', address: path });
}
