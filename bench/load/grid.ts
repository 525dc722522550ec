// The cells of the grid: how many connections send messages of which size, how many at a time, and where TLS is.

import type { TlsSides } from './tls.ts';

export interface Cell {
  /** Such as `100x64Bx1`, `wss:100x64Bx1` with TLS to the client, `wss-both:100x64Bx1` with TLS to the backend too. */
  readonly name: string;
  readonly connections: number;
  readonly payloadBytes: number;
  readonly inFlight: number;
  readonly tls: TlsSides;
}

export const DEFAULT_GRID = ['100x64Bx1', '1000x64Bx1', '100x64Bx16', '100x1KiBx1', '50x16KiBx1', '20x256KiBx1'];
export const TLS_GRID = ['wss:100x64Bx1', 'wss:50x16KiBx1', 'wss-both:100x64Bx1', 'wss-both:50x16KiBx1'];

/** From here on proxies with larger buffers are measured too: below, a message fits the default ones. */
const LARGE_BYTES = 16_384;
const FORM = /^(wss:|wss-both:)?(\d{1,5})x(\d{1,9})(B|KiB|MiB)x(\d{1,5})$/;
const SIDES = { '': 'none', 'wss:': 'client', 'wss-both:': 'both' } as const;
const UNITS = { B: 1, KiB: 1024, MiB: 1024 * 1024 } as const;
const CONNECTIONS_MAX = 8_000;
const IN_FLIGHT_MAX = 1_024;
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/** Throws for what is no cell, or one that this machine's limits do not carry. */
export function parseCell(name: string): Cell {
  const match = FORM.exec(name);
  if (match === null)
    throw new Error(`"${name}" is no cell; expected connections x payload x in flight: 100x64Bx1, wss:100x64Bx1`);
  const [, prefix = '', connections = '', amount = '', unit = '', inFlight = ''] = match;
  const factor = UNITS[unit as keyof typeof UNITS]; // FORM allows only these
  const tls = SIDES[prefix as keyof typeof SIDES]; // and of these
  const cell = {
    name,
    connections: Number(connections),
    payloadBytes: Number(amount) * factor,
    inFlight: Number(inFlight),
    tls,
  };
  checkRange(name, 'connections', cell.connections, CONNECTIONS_MAX);
  checkRange(name, 'payload bytes', cell.payloadBytes, PAYLOAD_BYTES_MAX);
  checkRange(name, 'messages in flight', cell.inFlight, IN_FLIGHT_MAX);
  return cell;
}

export function isLarge(cell: Cell): boolean {
  return cell.payloadBytes >= LARGE_BYTES;
}

function checkRange(name: string, what: string, value: number, max: number): void {
  if (value < 1 || value > max) throw new Error(`"${name}": ${value} ${what}, expected 1 to ${max}`);
}
