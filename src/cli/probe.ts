// Owns `framegate probe`: conversations with a WebSocket server, and what is told of them. It does by itself what
// sessions leave to the dialer, since each step has a time of its own here.

import { ExitCode, type ProbeCommand } from './commands.ts';
import { harmless } from './line.ts';
import { type Probed, probe, type Step } from './probing.ts';

interface Output {
  print(text: string): void;
  complain(text: string): void;
}

export async function runProbe(command: ProbeCommand, { print, complain }: Output): Promise<ExitCode> {
  const all: Probed[] = [];
  for (let round = 0; round < command.count; round += 1) {
    const probed = await probe(command);
    all.push(probed);
    if (command.format === 'text') print(textOf(probed, command, round));
  }
  if (command.format === 'json')
    print(`${JSON.stringify({ url: command.url.text, probes: all.map(viewOf) }, null, 2)}\n`);
  const failed = all.filter(({ failure }) => failure !== null);
  const [first] = failed;
  if (first?.failure === undefined || first.failure === null) return ExitCode.Stopped;
  const { step, cause } = first.failure;
  const share = command.count === 1 ? '' : `${failed.length} of ${command.count} probes failed, the first `;
  complain(`framegate: ${share === '' ? 'failed ' : share}at ${step}: ${harmless(cause)}\n`);
  return ExitCode.Failed;
}

function textOf({ steps, failure }: Probed, { url, count }: ProbeCommand, round: number): string {
  const head = harmless(count === 1 ? url.text : `${round + 1}: ${url.text}`);
  const rows = steps.map((one) => row(one.step, `${one.ms.toFixed(1)} ms`, one.found));
  if (failure !== null) rows.push(row(failure.step, `${failure.ms.toFixed(1)} ms`, `failed: ${failure.cause}`));
  return `${[head, ...rows].join('\n')}\n`;
}

const STEP_WIDTH = 9;
const TIME_WIDTH = 11;

function row(step: Step, time: string, found: string): string {
  return `  ${step.padEnd(STEP_WIDTH)}${time.padStart(TIME_WIDTH)}  ${harmless(found)}`.trimEnd();
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;

function viewOf({ steps, failure, tls, subprotocol, extensions }: Probed): object {
  return {
    ok: failure === null,
    steps: steps.map(({ step, ms }) => ({ step, ms: rounded(ms) })),
    failed: failure === null ? null : { step: failure.step, ms: rounded(failure.ms), cause: failure.cause },
    tls,
    subprotocol,
    extensions,
  };
}
