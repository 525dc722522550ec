// `npm run attacks`: attacks on the built command, each with the bound that it must stay within.

import { runCommand } from '../scale/command.ts';
import { ATTACKS } from './attacks.ts';

const command = {
  name: 'attacks',
  demands: ATTACKS,
  takes: 'each at most two minutes, bad-tokens a quarter of an hour',
};
process.exitCode = await runCommand(command, process.argv.slice(2));
