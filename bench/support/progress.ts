// What a long measurement tells while it runs: one line that is rewritten on a terminal, plain lines in a pipe.
// All of it goes to stderr; results go to stdout.

/** Of a terminal that does not say. */
const COLUMNS = 80;
const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  private readonly stream: NodeJS.WriteStream;
  private readonly startedAt = performance.now();
  private done = 0;
  private total = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.stream = stream;
  }

  /** How many steps there will be; several kinds of work add up. */
  expect(steps: number): void {
    this.total += steps;
  }

  /** What runs now. Seen on a terminal only. */
  status(text: string): void {
    if (!this.stream.isTTY) return;
    const line = `${this.share()} ${text}`;
    this.stream.write(`${CLEAR_LINE}${line.slice(0, (this.stream.columns || COLUMNS) - 1)}`);
  }

  /** One step is finished, and this is what it gave. */
  step(text: string): void {
    this.done += 1;
    if (this.stream.isTTY) this.status(text);
    else this.stream.write(`${this.share()} ${text}\n`);
  }

  /** Something to be read later too: what is skipped, what is odd. */
  say(text: string): void {
    this.stream.write(`${this.stream.isTTY ? CLEAR_LINE : ''}${text}\n`);
  }

  end(): void {
    if (this.stream.isTTY) this.stream.write(CLEAR_LINE);
  }

  private share(): string {
    if (this.done === 0 || this.total === 0) return `[0/${this.total}]`;
    const elapsed = performance.now() - this.startedAt;
    const left = (elapsed / this.done) * (this.total - this.done);
    return `[${this.done}/${this.total}, ${clock(left)} left]`;
  }
}

function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
