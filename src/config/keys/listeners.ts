// Owns the keys of a listener.

import { listenerTls } from './listener-tls.ts';
import type { Keys } from './row.ts';

export const listener = {
  name: {
    kind: 'text',
    form: 'name',
    values: 'name',
    unset: 'the address',
    example: 'public',
    says: 'Name in routes, logs and metrics; unique.',
  },
  address: {
    kind: 'text',
    form: 'address',
    values: 'address',
    default: '127.0.0.1:8080',
    usual: true,
    says:
      'host:port, "[v6]:port", ":port" for all addresses, unix:/path.sock, or fd:3, fd:NAME for a socket that is ' +
      'handed over.',
    more: 'Port 0 takes any free port; a socket comes from systemd (LISTEN_FDS, LISTEN_FDNAMES).',
  },
  mode: {
    kind: 'text',
    form: 'mode',
    values: 'octal text',
    unset: "the process's umask",
    example: '"0660"',
    says: 'Permissions of a unix socket, such as "0660".',
  },
  backlog: {
    kind: 'count',
    min: 1,
    max: 65_535,
    default: 4096,
    says: 'Connections that the kernel holds until they are accepted.',
    without: 'a burst of clients is refused or unbounded',
  },
  health_path: {
    kind: 'text',
    form: 'health_path',
    values: 'path, off',
    default: 'off',
    says:
      'A GET, HEAD or OPTIONS of exactly this path without Upgrade gets 200, or 503 while draining; ' +
      'before routing, not logged.',
  },
  tls: {
    kind: 'block',
    unset: 'none, clients speak ws and http',
    says: 'Clients speak wss and https here.',
    keys: listenerTls,
  },
  redirect_http: {
    kind: 'switch',
    default: 'off',
    says:
      'Every request, an upgrade too, gets 308 to https, with its target as it came, but for health_path: to the ' +
      'port of the first listener with tls that has a route for its Host, else 404 no_route.',
    more: 'Who is said to have come by https, by a trusted proxy or forwarded_proto, is served.',
  },
  proxy_protocol: {
    kind: 'choice',
    words: ['v1', 'v2', 'any'],
    off: true,
    default: 'off',
    says:
      'Version of the PROXY header that each connection begins with. It is required of peers in trusted_proxies; who ' +
      'else connects is closed. The source that it names is the peer for all that follows.',
  },
  paths: {
    kind: 'block',
    default: {},
    says: 'How paths are taken, before they are judged.',
    keys: {
      leading_slashes: {
        kind: 'choice',
        words: ['refuse', 'merge'],
        default: 'refuse',
        says:
          'A path that begins with more than one slash: 400 double_slash, or (merge) they become one before ' +
          'anything is judged, and in what the backend gets.',
      },
    },
  },
  forwarded_proto: {
    kind: 'choice',
    words: ['auto', 'http', 'https'],
    default: 'auto',
    says:
      'The scheme that backends are told; auto: https where the client speaks TLS to us or a PROXY header says so, ' +
      "else a trusted proxy's X-Forwarded-Proto.",
  },
  trusted_proxies: {
    kind: 'list',
    of: { kind: 'text', form: 'proxy' },
    file: true,
    values: 'list of CIDR blocks and unix, {file}',
    unset: 'the global one',
    example: '[10.0.0.0/8]',
    says: 'As the global key, for this listener alone.',
  },
  client_ip_from: {
    kind: 'text',
    form: 'client_field',
    values: 'x-forwarded-for, forwarded, field name',
    unset: 'the global one',
    example: 'forwarded',
    says: 'As the global key, for this listener alone.',
  },
} as const satisfies Keys;
