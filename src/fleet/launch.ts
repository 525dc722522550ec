// Starts workers: this program again, with a channel to it, and with the output of this one.

import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Program } from './generation.ts';
import { WORKER_VARIABLE } from './generation-messages.ts';
import { LANE_FD } from './lane-notes.ts';
import type { LaunchWorker } from './worker-link.ts';

export function workerLauncherOf({ execPath, flags, script, env }: Omit<Program, 'args'>): LaunchWorker {
  return (index) => {
    const child = spawn(execPath, [...flags, script, 'worker', String(index)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
      serialization: 'advanced',
      env: { ...env, [WORKER_VARIABLE]: String(index) },
    });
    const lane = child.stdio[LANE_FD];
    return { child, lane: lane instanceof Socket ? lane : null };
  };
}
