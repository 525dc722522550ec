// For each row about who may come in the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const ACCESS_MUTANTS: readonly Mutant[] = [
  {
    row: 'O1',
    at: 'originCheck',
    search: 'route.origins === null || allows(route.origins, asked, request.origin) ? null : NOT_ALLOWED',
    replace: 'null',
  },
  {
    row: 'O1',
    at: 'CHECKS',
    search: '  originCheck,\n  subprotocolCheck,',
    replace: '  subprotocolCheck,\n  originCheck,',
    why: 'who has no business here hears what the route takes',
  },
  {
    row: 'O2',
    at: 'OriginSet.lists',
    search: 'this.hosts.get(keyOf(scheme, port))',
    replace: '[...this.hosts].find(([key]) => key.split(" ")[0] === scheme || key === keyOf(scheme, port))?.[1]',
    why: 'any port',
  },
  {
    row: 'O2',
    at: 'endsInOneOf',
    search: 'if (suffixes.has(host.slice(dot + 1))) return true;',
    replace: 'if ([...suffixes].some((text) => host.includes(text, dot + 1))) return true;',
    why: 'a name with the right one in it',
  },
  {
    row: 'O2',
    at: 'parseAuthority',
    search: "text.charAt(hostname.length) === '.'",
    replace: "text.charAt(hostname.length) === '!'",
    why: 'a dot at the end makes no other host',
  },
  {
    row: 'O2',
    at: 'ownHost',
    search: 'if (!arrival.peerTrusted) return request.host;',
    replace: '',
    why: 'every peer says what its Host was',
  },
  {
    row: 'O2',
    at: 'ownHost',
    search: "claimed.length > 1 ? '' : (claimed[0] ?? request.host)",
    replace: 'claimed[0] ?? request.host',
    why: 'of several claims the first counts',
  },
  {
    row: 'O3',
    at: 'mayBeMissing',
    search: "route.config.missing_origin !== 'refuse'",
    replace: "route.config.missing_origin !== 'none'",
  },
  {
    row: 'O4',
    at: 'parseOrigin',
    search: "!SCHEME.test(scheme) || authority.endsWith(':')",
    replace: '!SCHEME.test(scheme)',
    why: 'a port that is nothing is the usual one',
  },
];
