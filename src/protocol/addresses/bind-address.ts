// Where something listens: a host with a port, the path of a unix socket, or a socket that is handed over; and what can
// be told of it without looking a name up.

import { familyOf } from './ip-address.ts';

/**
 * An empty `host` means every address of the machine; port 0 any free one. A socket that is handed over goes by the
 * number of its descriptor, or by its name.
 */
export type BindAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'fd'; readonly name: string };

/** Equal for addresses that cannot be bound beside each other, unless they take any port. */
export function bindKey(address: BindAddress): string {
  switch (address.kind) {
    case 'tcp':
      return `${address.host}\n${address.port}`;
    case 'unix':
      return `unix:${address.path}`;
    case 'fd':
      return `fd:${address.name}`;
  }
}

/** The system chooses the port, so two of them are two addresses. */
export function takesAnyPort(address: BindAddress): boolean {
  return address.kind === 'tcp' && address.port === 0;
}

/**
 * Only this machine can reach it. RFC 1122 3.2.1.3: all of 127/8 is loopback; RFC 6761 6.3: localhost is too. Other
 * names are not looked up, and of what is handed over nobody knows.
 */
export function isLocal(address: BindAddress): boolean {
  if (address.kind === 'fd') return false;
  if (address.kind === 'unix' || address.host === 'localhost') return true;
  return familyOf(address.host) === 4 ? address.host.startsWith('127.') : address.host === '::1';
}
