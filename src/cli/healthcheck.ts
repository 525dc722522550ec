// Owns the health check of a proxy without an admin listener: its health path, or whether it accepts a connection.
// It must not need anything else of the proxy.

import type { Config } from '../config/types.ts';
import { takesAnyPort } from '../protocol/addresses/bind-address.ts';
import { type AdminEndpoint, askAdmin, canConnect, endpointText } from './client.ts';
import { ExitCode } from './commands.ts';
import { harmless } from './line.ts';
import { Failure, type Terminal } from './place.ts';

const READY = 200;
const DRAINING = 503;

export async function checkDataPort(config: Config, terminal: Terminal): Promise<ExitCode> {
  // Where port 0 is bound to is known to the process alone, and so is where a socket is that was handed over.
  const known = config.listeners.flatMap(({ address, health_path: path }) =>
    address.kind === 'fd' || takesAnyPort(address) ? [] : [{ address, path }],
  );
  const listener = known.find(({ path }) => path !== null) ?? known[0];
  if (listener === undefined) {
    throw new Failure(ExitCode.BadConfig, 'the config has neither an admin listener nor one with a port to ask');
  }
  const { address, path } = listener;
  return path === null ? connect(address, terminal) : ask(address, path, terminal);
}

async function ask(address: AdminEndpoint['address'], path: string, terminal: Terminal): Promise<ExitCode> {
  const endpoint = { address, token: null };
  const reply = await (terminal.ask ?? askAdmin)(endpoint, { method: 'GET', path });
  if (reply.kind === 'silence') throw silence(endpointText(endpoint), reply.why);
  const { status } = reply;
  if (status !== READY && status !== DRAINING) {
    throw new Failure(ExitCode.Failed, `health_path on ${endpointText(endpoint)} answers ${status}`);
  }
  terminal.print(status === READY ? 'ready\n' : 'draining\n');
  return status === READY ? ExitCode.Stopped : ExitCode.Failed;
}

async function connect(address: AdminEndpoint['address'], terminal: Terminal): Promise<ExitCode> {
  const endpoint = { address, token: null };
  const why = await canConnect(endpoint);
  if (why !== null) throw silence(endpointText(endpoint), why);
  terminal.print('accepts connections\n');
  return ExitCode.Stopped;
}

function silence(where: string, why: string): Failure {
  return new Failure(ExitCode.NoAnswer, `no answer from the listener on ${where} (${harmless(why)})`);
}
