// Listening sockets that a service manager hands over at the start, as sd_listen_fds(3) has it.

const FIRST = 3;
/** More than anybody hands over; a number that is none must not make a list without end. */
const SOCKETS_MAX = 1024;

/**
 * Descriptors by their addresses, `fd:3` and `fd:NAME` (the first of that name); none when they are for another
 * process. The variables are gone from `env` then: what is started from here would take them for its own.
 */
export function activationSockets(env: Record<string, string | undefined>, pid: number): ReadonlyMap<string, number> {
  const { LISTEN_PID: forPid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  const sockets = new Map<string, number>();
  if (forPid !== String(pid) || !/^[1-9]\d{0,3}$/.test(count)) return sockets;
  const given = names.split(':');
  for (let index = 0; index < Math.min(Number(count), SOCKETS_MAX); index++) {
    sockets.set(`fd:${FIRST + index}`, FIRST + index);
    const name = `fd:${given[index] ?? ''}`;
    if (name !== 'fd:' && !sockets.has(name)) sockets.set(name, FIRST + index);
  }
  return sockets;
}
