// What a figure was measured on: processor, kernel, Node. Reads only.

import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly date: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    system: `${type()} ${release()}${congestionControl()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** It sets the pace on loopback too: under a load that keeps the cores busy, BBR stalls where others do not. */
function congestionControl(): string {
  try {
    return `, TCP ${readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim()}`;
  } catch {
    return '';
  }
}

export function machineLine(machine: Machine): string {
  const cores = `${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'}`;
  return `${machine.cpu}, ${cores}, ${machine.system}, Node ${machine.node}, ${machine.date}`;
}
