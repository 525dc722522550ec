// Owns the texts that help prints and the hint how to try a running proxy. It must not print them itself.

import type { Config, RouteConfig } from '../config/types.ts';
import { hostPort, reachable } from '../protocol/addresses/host-port.ts';
import type { CommandName } from './commands.ts';

const overview = `framegate: a WebSocket proxy that understands frames

Usage:
  framegate [run] [-c FILE] [--watch]       run in the foreground
  framegate run --demo [--listen ADDRESS]   no file needed: an echo on
                                            ws://127.0.0.1:8080/echo
  framegate run --to URL [--listen ADDRESS] no file needed: all to one backend
  framegate check [FILE] [--format F]       every problem of a config; also -t
  framegate config [FILE]                   the effective config
  framegate schema                          the JSON Schema of the config file
  framegate status [--watch]                what a running proxy is doing
  framegate upstreams [NAME] [--watch]      its upstreams and targets
  framegate sessions [ID] [--watch]         its sessions, or one of them
  framegate top [--sort KEY]                its busiest sessions, every second
  framegate why ID                          why a session ended, or how it is
  framegate close ID | --route NAME ...     close sessions
  framegate revoke --auth METHOD ...        refuse credentials from now on
  framegate extend ID --until TIME          let a session outlive its credential
  framegate drain [route NAME | target UPSTREAM NAME]
                                            end the proxy in order, or empty a
                                            route or a target
  framegate undrain route NAME | target UPSTREAM NAME
                                            let new sessions in again
  framegate reload [--force]                read the config again
  framegate restart                         a new process takes over, no gap
  framegate advise [--route NAME]           what each limit would have refused
  framegate healthcheck [--route NAME]      exit 0 when ready for clients
  framegate probe URL                       talk to a server, step by step
  framegate hash-password                   hash a password for a list of users
  framegate hash-key [--prefix TEXT]        make a key for a list of keys
  framegate version | -v                    print the version
  framegate help [COMMAND] | -h             print this, or more on one command

The config is ./config.yaml unless -c FILE says otherwise; "-c -" is stdin.
Exit codes: 0 stopped as asked, 1 failed to start or crashed, or the admin
listener refused, 2 bad command line, 3 a second signal ended the drain,
69 no answer from the admin listener, 78 bad config.
`;

/** Of the commands that ask a running proxy. */
const adminOptions = `  --admin ADDRESS     the admin listener: host:port, "[v6]:port" or unix:/path;
                      the token, if it needs one, is in FRAMEGATE_ADMIN_TOKEN.
                      Without this both come from the config
  -c, --config FILE   that config file, of which only admin has to be right;
                      default ./config.yaml
`;

const filterOptions = `  --route NAME        only of this route
  --client ADDRESS    only of this client
  --target NAME       only of this target
  --identity NAME     only of this identity: acme of any method, or METHOD/acme
                      of one
`;

const sortOptions = `  --state STATE       only open, paused or closing ones
  --sort KEY          the largest first: messages, bytes, buffered (what waits
                      to be taken), rtt (of the last ping), silent (for how
                      long), age
`;

const viewOptions = `  --watch             redraw it every second, until Ctrl-C
  --format FORMAT     text (default), or json as the admin listener gives it
`;

const topics: Readonly<Record<CommandName, string>> = {
  run: `framegate run [-c FILE] [--watch]
framegate run --demo [--listen ADDRESS]
framegate run --to URL [--listen ADDRESS]

Runs in the foreground; the default command. The log goes to stdout: one JSON
object a line, or text for people on a terminal.

  -c, --config FILE   the config file; "-" is stdin; default ./config.yaml
  --watch             read the config again when it or a file that it names
                      changes
  --demo              no file: an echo on /echo
  --to URL            no file: all WebSockets to one backend (ws://, wss://,
                      ..., ws+unix:)
  --listen ADDRESS    for --demo and --to: host:port, "[v6]:port", ":port" or
                      unix:/path; default 127.0.0.1:8080

TERM, INT and QUIT close every session, then exit 0; a second one cuts what is
left and exits 3. HUP and USR2 read the config again: all of it, or on any
problem nothing.
`,
  check: `framegate check [FILE] [--format text|json]
framegate -t [-c FILE]

Validates a config with every file it names and prints all problems. Binds and
resolves nothing. Exits 0 when there is no error (warnings alone are none), else
78. What is wrong with the file of discover.file is a warning: framegate starts
without it.

  FILE, or -c FILE    the config file; "-" is stdin; default ./config.yaml
  --format FORMAT     text (default): file:line:column, the source line, a caret
                      json: [{severity, file, line, column, path, message}],
                      line and column null for a problem without a place, such
                      as a file that cannot be read
`,
  config: `framegate config [FILE]

Prints the effective config as YAML: defaults filled in, \${NAME} replaced,
secrets as ***.

  FILE, or -c FILE    the config file; "-" is stdin; default ./config.yaml
`,
  status: `framegate status [--watch] [--format text|json]

State, sessions, listeners, routes and upstreams of a running proxy.

${adminOptions}${viewOptions}`,
  upstreams: `framegate upstreams [NAME] [--watch] [--format text|json]

Upstreams of a running proxy, or one of them, with all that is known of their
targets: state, since when and why; sessions, handshakes, weight and the share
of new sessions that they get now; how long connecting and the upgrade take;
failures, ejections and where the target comes from.

${adminOptions}${viewOptions}`,
  sessions: `framegate sessions [--route NAME] [--client ADDRESS] [--target NAME]
                   [--identity NAME] [--state STATE] [--sort KEY]
framegate sessions ID

Sessions of a running proxy, oldest first, or all that is known of one. Columns
without room are left out: a wider terminal shows more, json everything.

${adminOptions}${filterOptions}${sortOptions}  --limit N           at most N, 1 to 1000; default 100
  --after NEXT        go on there, as the last line of a list says; without
                      --sort any ID will do
${viewOptions}`,
  top: `framegate top [--sort KEY] [--state STATE] [--route NAME]
              [--client ADDRESS] [--target NAME] [--identity NAME]

Sessions of a running proxy, what is largest first, drawn anew every second
with what went on in between, until Ctrl-C. By messages (default) and bytes
those are first that had most in the last second, among the 1000 that had most
in all.

${adminOptions}${filterOptions}${sortOptions}`,
  why: `framegate why ID [--format text|json]

Why a session ended, in one screen: the cause, who and what, times, the limits
it was near to, its last frames (record), and what to change if that was not
meant. For ten minutes after its end; of an open one how it stands. ID is that
of the session or of its request, which backends get as X-Request-ID. A refused
handshake is no session: look for handshake.refused in the log, a plain request
for http.request, by its request_id.

${adminOptions}  --format FORMAT     text (default), or json as the admin listener gives it
`,
  close: `framegate close ID [--code CODE] [--reason TEXT]
framegate close [--route NAME] [--client ADDRESS] [--target NAME]
                [--identity NAME] [--code CODE] [--reason TEXT]

Closes one session, or all that fit, spread over drain.spread.

${adminOptions}${filterOptions}  --code CODE         1000, 1001, 1008 (default), 1011 to 1014, 3000 to 4999
  --reason TEXT       at most 123 bytes, for the client
`,
  drain: `framegate drain
framegate drain route NAME [--wait [--timeout DURATION]]
framegate drain target UPSTREAM NAME [--wait [--timeout DURATION]]

Ends the process as TERM does; or closes the sessions of a route or target,
which then takes no new ones until it is undrained. Reloads keep that.

${adminOptions}  --wait              end when it is empty, exit 0; until then tell on stderr
                      what is left. Exit 1 when it is undrained or gone before
  --timeout DURATION  wait no longer (such as 30s, 5m), then exit 1; what drains
                      goes on draining
`,
  undrain: `framegate undrain route NAME
framegate undrain target UPSTREAM NAME

Lets new sessions in again.

${adminOptions}`,
  reload: `framegate reload [--force] [--format text|json]

The proxy reads its own config, and every file that names, again: not the file
of -c, which only says where to ask. Prints what changed; when there is a
problem, prints that, exits 1, and the old config stays.

${adminOptions}  --force             however many sessions lose their route, target or key
                      (reload.max_ended)
  --format FORMAT     text (default) or json
`,
  restart: `framegate restart [--format text|json]

The proxy starts a new process of itself, from the program and the config that
are on disk now, and hands its listening sockets over, so that no client is
refused. When the new one is ready, the old one accepts no more and drains.
When it is not ready within 30 s, or ends before, it says why, this exits 1, and
the old one goes on. Not for a config that came from stdin.

${adminOptions}  --format FORMAT     text (default) or json
`,
  revoke: `framegate revoke --auth METHOD --identity NAME | --key NAME | --jti ID | --all
                 [--for DURATION]

Ends the sessions that such a credential of this method let in, and refuses
those issued before now: 401. Tokens by their time of issue, keys and passwords
until a reload brings another one.

${adminOptions}  --auth METHOD       its name in the auth block
  --identity NAME     all that say they are it
  --key NAME          a key or user by its name
  --jti ID            one token
  --all               all of the method
  --for DURATION      how long they are refused, such as 30m, 24h (default) or
                      7d; of a key or token whose end is known: until then
`,
  extend: `framegate extend ID --until TIME

A session ends at TIME instead of when its credential does.

${adminOptions}  --until TIME        seconds since 1970, or 2027-01-31T00:00:00Z
`,
  advise: `framegate advise [--route NAME] [--format text|json]

What traffic looks like, per route and direction, and what each limit and
timeout would have refused of it, at its present value and at others.

${adminOptions}  --route NAME        only this route
  --format FORMAT     text (default), or json as the admin listener gives it
`,
  healthcheck: `framegate healthcheck [--route NAME]

Exits 0 when the proxy accepts clients, 1 when it is starting or draining, 69
when it does not answer. For a container's health check. A config without an
admin listener is enough: the health_path of a listener is asked then, or
whether the first one accepts a connection.

${adminOptions}  --route NAME        1 also when this route has no target up, or their dials
                      fail
`,
  probe: `framegate probe URL [--header NAME:VALUE] [--subprotocol NAME] [--message TEXT]
                    [--count N]

Look-up, connection, TLS, upgrade, ping, a message and what comes back, Close
and its answer: how long each took, and what was agreed on. Needs no config.
Exits 0 when all of it worked, else 1.

  --header NAME:VALUE  a field of the request, Host too; may be given more than
                       once
  --subprotocol NAME   offer it; it has to be chosen
  --message TEXT       send it, and wait for a message
  --count N            so many times, one after the other, 1 to 1000; default 1
  --format FORMAT      text (default) or json

URL is ws://, wss://, http:// or https://. All of it has 10 s. Certificates are
verified by the system's authorities, and those in the file that
NODE_EXTRA_CA_CERTS names.
`,
  'hash-password': `framegate hash-password

Reads a password from stdin, without the newline at its end, and prints what
stands for it as password of a user of auth.*.basic: scrypt with a salt of its
own, ln=15, r=8, p=1.

  read -rs P; printf %s "$P" | framegate hash-password
`,
  'hash-key': `framegate hash-key [--prefix TEXT]

Makes a key of 32 random bytes, and prints it, which is the only time that it is
seen, and on the next line its entry for keys of auth.*.api_key, which holds its
SHA-256.

  --prefix TEXT       what it begins with, such as fgk_; the prefix of that
                      method
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
type BoundAddress = { readonly host: string; readonly port: number } | string;

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
  const url = `ws://${hostPort(reachable(address))}${examplePath(route.match.path)}`;
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
