// A real terminal of a given size, which shows what one command after the other writes: tmux, where it is installed.
// Each has a server of its own, and nothing of the user's settings.

import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const LOOK_MS = 50;
const DEADLINE_MS = 30_000;
const SETTINGS = `
set -g status off
set -g remain-on-exit on
set -g remain-on-exit-format ""
set -g history-limit 5000
set -g default-terminal screen-256color
set -g default-shell /bin/sh
`;

export const hasTmux = spawnSync('tmux', ['-V']).status === 0;

interface Size {
  readonly columns: number;
  readonly rows: number;
}

export class Terminal {
  private readonly name: string;
  private readonly folder: string;

  private readonly exitFile: string;

  private constructor(name: string, folder: string) {
    this.name = name;
    this.exitFile = join(folder, 'exit-code');
    this.folder = folder;
  }

  /** `folder`: where commands run. `colour`: NO_COLOR is not set. Whoever starts it stops it. */
  static async start(folder: string, { columns, rows }: Size, colour: boolean): Promise<Terminal> {
    const name = `framegate-${process.pid}-${columns}${colour ? '-colour' : ''}`;
    const settings = join(folder, 'tmux.conf');
    writeFileSync(settings, SETTINGS);
    const { NO_COLOR: _, TMUX: __, ...env } = process.env;
    const size = ['-x', String(columns), '-y', String(rows)];
    await run('tmux', ['-L', name, '-f', settings, 'new-session', '-d', ...size, '-c', folder, 'true'], {
      env: { ...env, LC_ALL: 'C.UTF-8', ...(colour ? {} : { NO_COLOR: '1' }) },
    });
    return new Terminal(name, folder);
  }

  async stop(): Promise<void> {
    await this.tmux('kill-server').catch(() => {});
  }

  /** Begins a line of a shell on an empty screen; what came before has ended. Ctrl-C ends its command, not the line. */
  async begin(line: string): Promise<void> {
    rmSync(this.exitFile, { force: true });
    await this.tmux('clear-history');
    const told = `trap : INT; ${line}; echo $? >${this.exitFile}`;
    await this.tmux('respawn-pane', '-k', '-c', this.folder, told);
  }

  /** Its exit code, when it has ended and all that it wrote is on the screen. */
  async ended(): Promise<number> {
    await this.until(async () => (await this.tmux('display-message', '-p', '#{pane_dead}')).trim() === '1');
    return Number(readFileSync(this.exitFile, 'utf8'));
  }

  async says(text: string): Promise<void> {
    await this.until(async () => (await this.shown()).includes(text));
  }

  private async until(look: () => Promise<boolean>): Promise<void> {
    for (const until = performance.now() + DEADLINE_MS; !(await look()); await delay(LOOK_MS)) {
      if (performance.now() > until) throw new Error(`it goes on: ${await this.shown()}`);
    }
  }

  /** What can be seen now, trailing blanks and empty lines at the end left out. */
  async shown(): Promise<string> {
    return (await this.tmux('capture-pane', '-p', '-e')).trimEnd();
  }

  /** The same, and all that has been scrolled away. */
  async written(): Promise<string> {
    return (await this.tmux('capture-pane', '-p', '-e', '-S', '-')).trimEnd();
  }

  async press(key: string): Promise<void> {
    await this.tmux('send-keys', key);
  }

  /** True when nothing of a drawing is left: the usual screen, with its cursor. */
  async isRestored(): Promise<boolean> {
    return (await this.tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}')).trim() === '0 1';
  }

  private async tmux(...args: string[]): Promise<string> {
    return (await run('tmux', ['-L', this.name, ...args])).stdout;
  }
}

const TONES: Readonly<Record<string, string>> = { 1: 'bold', 2: 'faint', 31: 'red', 32: 'green', 33: 'yellow' };

const COLOURS = ['red', 'green', 'yellow'];

/** Colours as words for people: `{green}READY{/}`. Blanks have none. */
export function readable(text: string): string {
  let tone = '';
  let marked = '';
  let said = '';
  const [first = '', ...parts] = text.split('\u001b[');
  marked += first;
  for (const part of parts) {
    const end = part.indexOf('m');
    for (const code of part.slice(0, end).split(';')) {
      // 39 is the usual colour, and none of bold and faint.
      if (code === '' || code === '0' || (code === '39' && COLOURS.includes(tone))) tone = '';
      else if (code !== '39' && code !== '49') tone = TONES[code] ?? `unknown ${code}`;
    }
    const plain = part.slice(end + 1);
    if (plain.trim() !== '' && tone !== said) {
      marked += `{${tone === '' ? '/' : tone}}`;
      said = tone;
    }
    marked += plain;
  }
  return marked;
}
