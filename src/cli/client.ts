// Owns the way to a running proxy's admin listener: its address and token, one request, one bounded answer. It must not
// print, and it never follows a redirect or a proxy setting.

import { request } from 'node:http';
import { connect } from 'node:net';
import { parseListenAddress } from '../config/addresses.ts';
import { takesAnyPort } from '../protocol/addresses/bind-address.ts';
import { hostPort, reachable } from '../protocol/addresses/host-port.ts';

export interface AdminEndpoint {
  readonly address: { readonly kind: 'tcp'; readonly host: string; readonly port: number } | UnixAddress;
  readonly token: string | null;
}

type UnixAddress = { readonly kind: 'unix'; readonly path: string };

export type AdminReply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  /** Nobody is there, or nobody answered in time; `why` is a code of the system or a sentence. */
  | { readonly kind: 'silence'; readonly why: string };

export interface AdminRequest {
  readonly method: 'GET' | 'POST';
  /** With its query, escaped. */
  readonly path: string;
  /** For the whole answer; absent: 15 s. */
  readonly timeoutMs?: number;
}

/** Ten thousand sessions with long paths are far below. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const TIMEOUT_MS = 15_000;

/** What `--admin` says, or the problem with it. */
export function parseAdminAddress(text: string): AdminEndpoint['address'] | { readonly problem: string } {
  const parsed = parseListenAddress(text);
  if ('problem' in parsed) return parsed;
  if (parsed.value.kind === 'fd') return { problem: 'a socket that is handed over cannot be asked' };
  if (takesAnyPort(parsed.value)) return { problem: 'port 0 cannot be asked' };
  return parsed.value;
}

/** How messages call it. */
export function endpointText({ address }: AdminEndpoint): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return hostPort(reachable(address));
}

export function askAdmin(endpoint: AdminEndpoint, asked: AdminRequest): Promise<AdminReply> {
  const { method, path, timeoutMs = TIMEOUT_MS } = asked;
  const { address, token } = endpoint;
  // The listener answers to addresses and localhost; another name has to be one that it was told.
  const where =
    address.kind === 'unix'
      ? { socketPath: address.path, headers: { Host: 'localhost' } }
      : { ...reachable(address), headers: { Host: hostPort(reachable(address)) } };
  return new Promise((resolve) => {
    const silence = (why: string) => resolve({ kind: 'silence', why });
    const headers = { ...where.headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
    const sent = request({ ...where, method, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      silence(error.name === 'AbortError' ? `no answer within ${timeoutMs / 1000} s` : (error.code ?? error.message));
    });
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES_MAX) sent.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('error', (error: NodeJS.ErrnoException) => silence(error.code ?? error.message));
      response.on('end', () => {
        resolve({ kind: 'answer', status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    sent.end();
  });
}

/** Null when somebody accepts connections there, else why not. Nothing is sent. */
export function canConnect({ address }: AdminEndpoint): Promise<string | null> {
  const where = address.kind === 'unix' ? { path: address.path } : reachable(address);
  return new Promise((resolve) => {
    const socket = connect({ ...where, signal: AbortSignal.timeout(TIMEOUT_MS) });
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.name === 'AbortError' ? `no answer within ${TIMEOUT_MS / 1000} s` : (error.code ?? error.message));
    });
  });
}
