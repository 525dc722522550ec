// Owns a terminal while something is drawn on it again and again: the alternate screen, the cursor, and that both are
// as they were, whatever ends or stops the process. What ends it and how is an argument: it touches no process.

import type { EventEmitter } from 'node:events';
import type { Screen } from './place.ts';

/** The terminal, as a stream of Node. */
interface Output {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(name: 'resize', listener: () => void): unknown;
  off(name: 'resize', listener: () => void): unknown;
}

interface ScreenOptions {
  readonly output: Output;
  readonly colour: boolean;
  readonly signals: EventEmitter;
  now(): number;
  /** Ends the process in order: whoever watches has seen enough. */
  end(): void;
  /** To the process itself. */
  send(signal: NodeJS.Signals): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export class TerminalScreen implements Screen {
  readonly colour: boolean;
  private readonly options: ScreenOptions;
  private isEntered = false;
  /** Ends the pause under way. */
  private wake = (): void => {};

  constructor(options: ScreenOptions) {
    this.options = options;
    this.colour = options.colour;
  }

  /** A terminal that does not know its size says 0. */
  get columns(): number {
    return this.options.output.columns || 80;
  }

  get rows(): number {
    return this.options.output.rows || 24;
  }

  now(): number {
    return this.options.now();
  }

  enter(): void {
    const { output, signals } = this.options;
    for (const name of ENDS) signals.on(name, this.end);
    signals.on('SIGTSTP', this.suspend);
    signals.on('SIGCONT', this.resume);
    output.on('resize', this.redraw);
    this.show();
  }

  leave(): void {
    const { output, signals } = this.options;
    for (const name of ENDS) signals.off(name, this.end);
    signals.off('SIGTSTP', this.suspend);
    signals.off('SIGCONT', this.resume);
    output.off('resize', this.redraw);
    this.hide();
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private show(): void {
    if (!this.isEntered) this.options.output.write(ENTER);
    this.isEntered = true;
  }

  private hide(): void {
    if (this.isEntered) this.options.output.write(LEAVE);
    this.isEntered = false;
  }

  private readonly redraw = (): void => this.wake();

  private readonly end = (): void => {
    this.leave();
    this.options.end();
  };

  private readonly suspend = (): void => {
    this.hide();
    // Until somebody continues it.
    this.options.send('SIGSTOP');
  };

  private readonly resume = (): void => {
    this.show();
    this.wake();
  };
}

/** NO_COLOR as https://no-color.org has it: present, and not empty. */
export function wantsColour(env: Readonly<Record<string, string | undefined>>): boolean {
  return (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}
