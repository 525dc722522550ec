// Which process holds a lock, so that others on the same machine see at once that it has ended. Where there is no /proc
// nobody can tell, and its silence has to.

import { readFileSync, readlinkSync } from 'node:fs';

export interface Owner {
  /** Boot and namespace of its number; '' where nobody can tell. */
  readonly machine: string;
  readonly pid: number;
  /** When it began: numbers are used again. */
  readonly since: string;
}

export function ownProcess(): Owner {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const stat = readFileSync('/proc/self/stat', 'latin1');
    return {
      machine: `${boot} ${readlinkSync('/proc/self/ns/pid')}`,
      pid: Number.parseInt(stat, 10),
      since: began(stat),
    };
  } catch {
    return { machine: '', pid: 0, since: '' };
  }
}

/** False also where it cannot be told. */
export function hasEnded(owner: Owner, self: Owner): boolean {
  if (self.machine === '' || owner.machine !== self.machine || !Number.isSafeInteger(owner.pid)) return false;
  try {
    return began(readFileSync(`/proc/${owner.pid}/stat`, 'latin1')) !== owner.since;
  } catch (error) {
    return Reflect.get(error as object, 'code') === 'ENOENT';
  }
}

/** proc(5): field 22. The name of a program, in parentheses, may hold anything. */
function began(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
