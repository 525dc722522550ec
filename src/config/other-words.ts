// Owns the words that other programs have for keys of ours (nginx, HAProxy, Caddy, Traefik, Envoy), by the block where
// people write them. It must not know what is near by its letters.

type Words = Readonly<Record<string, string>>;

const IDLE = { idle_timeout: 'idle', read_timeout: 'idle', proxy_read_timeout: 'idle' };
const CONNECT = { connect_timeout: 'connect', dial_timeout: 'connect', proxy_connect_timeout: 'connect' };
const PING = { ping: 'client_ping_interval', ping_interval: 'client_ping_interval', heartbeat: 'client_ping_interval' };
const WAITS: Words = { ...IDLE, ...CONNECT, ...PING, ping_timeout: 'pong', pong_timeout: 'pong' };
const AROUND_WAITS = Object.fromEntries(Object.entries(WAITS).map(([word, key]) => [word, `timeouts.${key}`]));

const TO_UPSTREAM = named('upstream', ['target', 'proxy_pass', 'backend', 'service', 'to', 'reverse_proxy', 'url']);
const TARGETS = named('targets', ['servers', 'server', 'backends', 'backend', 'endpoints', 'nodes', 'urls']);

/** By block, list positions and names as `[]` and `*`: the key that was meant, as a path from that block. */
export const OTHER_WORDS: Readonly<Record<string, Words>> = {
  '': {
    ...AROUND_WAITS,
    ...named('listeners', ['listen', 'bind', 'frontend', 'frontends', 'entryPoints']),
    ...named('upstreams', ['backend', 'backends', 'services', 'clusters']),
    ...named('routes', ['location', 'locations', 'routers']),
  },
  'listeners[]': { listen: 'address', bind: 'address' },
  'routes[]': { ...AROUND_WAITS, ...TO_UPSTREAM, location: 'match.path', server_name: 'match.hosts' },
  'routes[].match': { location: 'path', prefix: 'path', server_name: 'hosts', domains: 'hosts' },
  'upstreams.*': TARGETS,
  'upstreams.*.targets[]': { server: 'url', uri: 'url' },
  timeouts: WAITS,
  'limits.from_client': { burst: 'message_burst" or "byte_burst' },
  'limits.from_backend': { burst: 'message_burst" or "byte_burst' },
};

/** Only what is an address is shown again: a value that came from a file may be a secret. */
const TARGET_ADDRESS = /^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|localhost):[0-9]{1,5}$/;

/** What a key of another program is here, `value` beside it; null when there is none in this block. */
export function otherWord(block: string, key: string, value: unknown): string | null {
  if (block === 'listeners[]' && key === 'port') return `address: ":${isPort(value) ? value : 'PORT'}"`;
  if (block === 'upstreams.*.targets[]' && /^(address|host|port)$/.test(key)) {
    const address = typeof value === 'string' && TARGET_ADDRESS.test(value) ? value : 'HOST:PORT';
    return `url: "ws://${address}"`;
  }
  const own = block.replace(/^(?:routes\[\]|defaults)\.(?=limits|timeouts)/, '');
  const words = Object.hasOwn(OTHER_WORDS, own) ? OTHER_WORDS[own] : undefined;
  return words !== undefined && Object.hasOwn(words, key) ? `"${words[key]}"` : null;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}

function named(key: string, words: readonly string[]): Words {
  return Object.fromEntries(words.map((word) => [word, key]));
}
