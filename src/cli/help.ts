// Owns the texts that help prints and the hint how to try a running proxy. It must not print them itself.

import type { Config, RouteConfig } from '../config/schema.ts';
import type { CommandName } from './arguments.ts';

const overview = `framegate: a WebSocket proxy that understands frames

Usage:
  framegate [run] [-c FILE]                 run in the foreground (default file: ./config.yaml)
  framegate run --demo [--listen ADDRESS]   no file needed: an echo on ws://127.0.0.1:8080/echo
  framegate run --to URL [--listen ADDRESS] no file needed: everything to one backend
  framegate check [-c FILE] [--format F]    print every problem of a config, start nothing; also -t
  framegate config [-c FILE]                print the effective config, defaults filled in
  framegate schema                          print the JSON Schema of the config file
  framegate version | -v                    print the version
  framegate help [COMMAND] | -h             print this, or more on one command

"-c -" reads the config from stdin.
Exit codes: 0 stopped as asked, 1 failed to start or crashed, 2 bad command line,
3 a second signal ended the drain, 69 no answer from the admin listener, 78 bad config.
`;

const topics: Readonly<Record<CommandName, string>> = {
  run: `framegate run [-c FILE]
framegate run --demo [--listen ADDRESS]
framegate run --to URL [--listen ADDRESS]

Runs in the foreground; the default command. The log goes to stdout, one JSON object a line.

  -c, --config FILE   the config file; "-" is stdin; default ./config.yaml
  --demo              no file: an echo on /echo
  --to URL            no file: everything to one backend (ws://, wss://, ..., ws+unix:)
  --listen ADDRESS    for --demo and --to: host:port, "[v6]:port", ":port" or unix:/path;
                      default 127.0.0.1:8080

TERM, INT and QUIT close every session, then exit 0; a second one cuts what is left and exits 3.
`,
  check: `framegate check [-c FILE] [--format text|json]
framegate -t [-c FILE]

Validates a config with every file it names and prints all problems. Binds and resolves nothing.
Exits 0 when there is no error (warnings alone are none), else 78.

  -c, --config FILE   the config file; "-" is stdin; default ./config.yaml
  --format FORMAT     text (default): file:line:column, the source line and a caret
                      json: [{severity, file, line, column, path, message}]
`,
  config: `framegate config [-c FILE]

Prints the effective config as YAML: defaults filled in, \${NAME} replaced, secrets as ***.

  -c, --config FILE   the config file; "-" is stdin; default ./config.yaml
`,
  schema: `framegate schema

Prints the JSON Schema of the config file, for editors and other tools.
`,
  version: `framegate version

Prints the version, and nothing else.
`,
  help: `framegate help [COMMAND]

Prints the overview, or more on one command.
`,
};

export function helpText(topic: string | null): string {
  return topic !== null && isTopic(topic) ? topics[topic] : overview;
}

function isTopic(topic: string): topic is CommandName {
  return Object.hasOwn(topics, topic);
}

/** Where a listener really listens, as `Proxy.address` tells it. */
export type BoundAddress = { readonly host: string; readonly port: number } | string;

/** Nothing that a shell or a string of JavaScript takes for more than itself. */
const plainUrl = /^[A-Za-z0-9:/._~%@+,;=&!*()[\]-]+$/;

/** What to type to try a running proxy with nothing but Node 20; null when no route can be reached that way. */
export function tryHint(config: Config, address: BoundAddress): string | null {
  if (typeof address === 'string') return null;
  const listener = config.listeners[0]?.name ?? '';
  // A WebSocket of Node sends the Host of its URL, so a route with hosts is out of its reach.
  const open = config.routes.filter(({ match }) => {
    return match.hosts.length === 0 && (match.listeners.length === 0 || match.listeners.includes(listener));
  });
  const route = open.find((candidate) => isEcho(config, candidate)) ?? open[0];
  if (route === undefined) return null;
  const url = `ws://${reachableHost(address.host)}:${address.port}${examplePath(route.match.path)}`;
  if (!plainUrl.test(url)) return null;
  const script = isEcho(config, route)
    ? `s=new WebSocket("${url}");s.onopen=()=>s.send("hello");s.onmessage=e=>{console.info(e.data);s.close()}`
    : `s=new WebSocket("${url}");s.onopen=()=>{console.info("open");s.close()}`;
  const onError = 's.onerror=e=>console.info(e.message)';
  return `try it from another terminal:\n  node --experimental-websocket -e '${script};${onError}'\n`;
}

function isEcho(config: Config, route: RouteConfig): boolean {
  return config.upstreams[route.upstream]?.targets.every((target) => target.endpoint.kind === 'echo') === true;
}

/** A path the pattern matches. */
function examplePath(pattern: string): string {
  return pattern.replace(/\{[^{}/]*\}/g, 'x').replace(/\/\*$/, '/');
}

/** An address to dial for one to bind: the unspecified addresses are no place to go. */
function reachableHost(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
