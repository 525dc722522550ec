// Starts workers: this program again, with a channel to it, and with the output of this one.

import { spawn } from 'node:child_process';
import type { Program } from './generation.ts';
import { WORKER_VARIABLE } from './generation-messages.ts';
import type { LaunchWorker } from './worker-link.ts';

export function workerLauncherOf({ execPath, flags, script, env }: Omit<Program, 'args'>): LaunchWorker {
  return (index) =>
    spawn(execPath, [...flags, script, 'worker', String(index)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...env, [WORKER_VARIABLE]: String(index) },
    });
}
