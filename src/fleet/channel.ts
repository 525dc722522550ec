// The way between the primary and one of its workers: messages as tuples, those of one turn of the event loop together,
// and connections with their handles. It knows no message.

/** Its first member says what it is. */
type Message = readonly [kind: string, ...values: unknown[]];

/** What comes behind the kind. */
type ValuesOf<All extends Message, Kind extends All[0]> =
  Extract<All, readonly [Kind, ...unknown[]]> extends readonly [unknown, ...infer Values] ? Values : never;

type Handler = (...values: unknown[]) => void;
type WholeHandler = (message: unknown) => void;
type HandleHandler = (handle: unknown, ...values: unknown[]) => void;

/** What a child process, to its parent, and `process`, in the child, have in common. */
export interface IpcEnd {
  send(message: unknown, handle: unknown, options: object, done: (error: Error | null) => void): boolean;
  on(name: 'message', take: (message: unknown, handle: unknown) => void): unknown;
  on(name: 'disconnect', take: () => void): unknown;
  disconnect(): void;
  readonly connected: boolean;
}

interface ChannelOptions {
  readonly end: IpcEnd;
  /** Runs `flush` when what was posted in this turn is all there; setImmediate. */
  readonly nextTurn: (flush: () => void) => void;
  /** The other side is gone, or this one has left; once. */
  onClosed(): void;
}

export class Channel<Out extends Message, In extends Message> {
  private readonly options: ChannelOptions;
  /** By kind: what takes its values, which both sides know by the same types. */
  private readonly handlers = new Map<string, unknown>();
  private readonly handleHandlers = new Map<string, unknown>();
  private readonly wholeHandlers = new Map<string, unknown>();
  /** Of this turn. Each is an answer, or of one connection, of which there is a cap; a side that hangs is ended. */
  private posted: Out[] = [];
  private isClosed = false;

  constructor(options: ChannelOptions) {
    this.options = options;
    options.end.on('message', (message, handle) => this.take(message, handle));
    options.end.on('disconnect', () => this.close());
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  /** Who takes messages of that kind: one, before the first of them comes. */
  on<Kind extends In[0]>(kind: Kind, take: (...values: ValuesOf<In, Kind>) => void): void {
    this.register(this.handlers, kind, take);
  }

  /** The same for several kinds, whose messages it takes as they are. */
  onAll<Kind extends In[0]>(
    kinds: readonly Kind[],
    take: (message: Extract<In, readonly [Kind, ...unknown[]]>) => void,
  ): void {
    for (const kind of kinds) this.register(this.wholeHandlers, kind, take);
  }

  /** The same for those that bring a handle, which is theirs then; undefined: it was closed on the way. */
  onHandle<Kind extends In[0]>(kind: Kind, take: (handle: unknown, ...values: ValuesOf<In, Kind>) => void): void {
    this.register(this.handleHandlers, kind, take);
  }

  /** Goes out with all others of this turn, in their order. To a side that is gone it is lost. */
  post(message: Out): void {
    if (this.isClosed) return;
    if (this.posted.length === 0) this.options.nextTurn(() => this.flush());
    this.posted.push(message);
  }

  /** `handle` goes with it, behind all that was posted, and is closed here once it is on its way. */
  handOver(message: Out, handle: unknown, done: (error: Error | null) => void): void {
    this.flush();
    if (this.isClosed) done(new Error('the other side is gone'));
    else this.options.end.send([message], handle, {}, done);
  }

  /** What was posted goes out now. */
  flush(): void {
    if (this.posted.length === 0 || this.isClosed) return;
    const { posted } = this;
    this.posted = [];
    // What cannot be sent is lost with who was to get it, which `disconnect` tells.
    this.options.end.send(posted, undefined, {}, () => {});
  }

  /** Nothing is sent or taken any more. */
  close(): void {
    if (this.isClosed) return;
    this.flush();
    this.isClosed = true;
    const { end } = this.options;
    if (end.connected) end.disconnect();
    this.options.onClosed();
  }

  private register(map: Map<string, unknown>, kind: string, take: unknown): void {
    if (map.has(kind)) throw new Error(`${kind} has somebody who takes it`);
    map.set(kind, take);
  }

  private take(message: unknown, handle: unknown): void {
    if (!Array.isArray(message)) return;
    const faults: unknown[] = [];
    // Both ends are the same program.
    for (const one of message as In[]) {
      if (this.isClosed) return;
      try {
        this.deliver(one, handle);
      } catch (error) {
        faults.push(error);
      }
    }
    // One that fails must not take those behind it with it.
    if (faults.length > 0) throw faults[0];
  }

  private deliver(message: In, handle: unknown): void {
    const whole = this.wholeHandlers.get(message[0]) as WholeHandler | undefined;
    if (whole !== undefined) {
      whole(message);
      return;
    }
    const [kind, ...values] = message;
    const withHandle = this.handleHandlers.get(kind) as HandleHandler | undefined;
    if (withHandle !== undefined) {
      withHandle(handle, ...values);
      return;
    }
    const take = this.handlers.get(kind) as Handler | undefined;
    if (take === undefined) throw new Error(`nobody takes ${kind}`);
    take(...values);
  }
}
