// The text of an event stream as events, however it is cut. Of the server-sent form it takes what framegate writes:
// event, data, comments. Pure; what a server sends without an end is not kept without an end.

interface StreamEvent {
  /** `message` where none is said. */
  readonly name: string;
  readonly data: string;
}

/** Longer than any event of ours. */
const EVENT_CHARACTERS_MAX = 4_194_304;

export class EventParser {
  private rest = '';
  private name = '';
  private data: string[] = [];
  private held = 0;

  /** The events that `text` completes. Throws where one is larger than it may be. */
  feed(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.take(line.endsWith('\r') ? line.slice(0, -1) : line, events);
    if (this.held + this.rest.length > EVENT_CHARACTERS_MAX) throw new Error('an event is too large');
    return events;
  }

  private take(line: string, events: StreamEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ name: this.name || 'message', data: this.data.join('\n') });
      this.name = '';
      this.data = [];
      this.held = 0;
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.startsWith(': ', colon) ? colon + 2 : colon + 1);
    if (field === 'event') this.name = value;
    if (field === 'data') this.data.push(value);
    this.held += line.length;
  }
}
