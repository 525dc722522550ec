// `npm run scale`: what framegate must show in full size.

import { runCommand } from './command.ts';
import { DEMANDS } from './demands.ts';

const command = { name: 'scale', demands: DEMANDS, takes: 'about ten minutes' };
process.exitCode = await runCommand(command, process.argv.slice(2));
