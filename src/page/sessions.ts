// The list of sessions: filtered, sorted and cut into pages by the listener, looked at again every few seconds while
// it is on the screen.

import type { SessionFilter, SessionPage, SessionView } from '../admin/subject.ts';
import { type Actions, textOf } from './actions.ts';
import type { Api } from './api.ts';
import { button, byId, make, say, sayState, type Tone } from './dom.ts';
import { durationText, groupedText, NONE, sizeText, visible } from './format.ts';
import { held, Table } from './table.ts';

const PAGE_ROWS = 50;
const AGAIN_MS = 4_000;

const STATE_TONES: Readonly<Record<SessionView['state'], Tone>> = { open: 'good', paused: 'warn', closing: 'idle' };

export class SessionsView {
  private readonly api: Api;
  private readonly actions: Actions;
  private readonly form = byId<HTMLFormElement>('filters');
  private readonly about = byId('sessions-about');
  private readonly fault = byId('sessions-fault');
  private readonly where = byId('pages-about');
  private readonly back: HTMLButtonElement;
  private readonly on: HTMLButtonElement;
  private readonly closeAll: HTMLButtonElement;
  private readonly table: Table<SessionView>;
  /** What each page until this one began behind; at most as many as were turned. */
  private afters: string[] = [];
  private next: string | null = null;
  private isSeen = false;
  private timer = 0;
  private asked = 0;

  constructor(api: Api, actions: Actions, open: (id: string) => void) {
    this.api = api;
    this.actions = actions;
    this.table = new Table(shapeOf(open, (name) => this.sortBy(name)));
    byId('session-list').replaceChildren(this.table.root);
    this.back = button('Previous', '', () => this.turn(this.afters.slice(0, -1)));
    this.on = button('Next', '', () => this.turn(this.next === null ? this.afters : [...this.afters, this.next]));
    byId('turns').replaceChildren(this.back, this.on);
    this.closeAll = button('Close all that match', 'grave', () => this.actions.closeSessions(this.filter()));
    byId('close-all').replaceChildren(this.closeAll);
    this.form.addEventListener('submit', (event) => event.preventDefault());
    this.form.addEventListener('change', () => void this.turn([]));
    this.form.addEventListener('reset', () => setTimeout(() => void this.turn([])));
    new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1)?.isIntersecting === true;
    }).observe(byId('sessions'));
  }

  /** Names to choose from. */
  offer(routes: readonly string[], targets: readonly string[]): void {
    offerIn(byId('routes-known'), routes);
    offerIn(byId('targets-known'), targets);
  }

  /** Begins to look, and goes on. */
  start(): void {
    clearInterval(this.timer);
    this.timer = window.setInterval(() => {
      if (this.isSeen && document.visibilityState === 'visible') void this.load();
    }, AGAIN_MS);
    void this.load();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Asks at once; what an older question came to is not shown any more. */
  async load(): Promise<void> {
    this.asked += 1;
    const { asked } = this;
    const { state, sort } = this.values();
    const after = this.afters.at(-1) ?? null;
    try {
      const parameters = { ...this.filter(), state: state ?? null, sort: sort ?? null, limit: PAGE_ROWS, after };
      const page = await this.api.get<SessionPage>('api/v1/sessions', parameters);
      if (asked === this.asked) this.show(page);
    } catch (error) {
      if (asked !== this.asked) return;
      this.fault.hidden = false;
      say(this.fault, `The list is not of now: ${textOf(error)}`);
    }
  }

  private show({ sessions, next, more }: SessionPage): void {
    this.fault.hidden = true;
    this.next = next;
    this.table.markSorted(this.values().sort ?? null);
    this.table.fill(sessions);
    const before = this.afters.length * PAGE_ROWS;
    const range =
      sessions.length === 0 ? 'none' : `${groupedText(before + 1)} to ${groupedText(before + sessions.length)}`;
    say(this.where, more > 0 ? `${range}, ${groupedText(more)} more` : range);
    this.back.disabled = this.afters.length === 0;
    this.on.disabled = next === null;
    this.closeAll.hidden = Object.keys(this.filter()).length === 0;
    say(this.about, this.values().sort === undefined ? 'the oldest first' : 'the largest first');
  }

  private turn(afters: string[]): Promise<void> {
    this.afters = afters;
    return this.load();
  }

  private sortBy(name: string): void {
    const select = this.form.elements.namedItem('sort');
    if (select instanceof HTMLSelectElement) select.value = select.value === name ? '' : name;
    void this.turn([]);
  }

  /** What is filled in, by field. */
  private values(): Partial<Record<string, string>> {
    const filled = [...new FormData(this.form)].map(([name, value]) => [name, String(value).trim()] as const);
    return Object.fromEntries(filled.filter(([, value]) => value !== ''));
  }

  private filter(): SessionFilter {
    const { state: _state, sort: _sort, ...filter } = this.values();
    return filter;
  }
}

function shapeOf(
  open: (id: string) => void,
  onSort: (name: string) => void,
): ConstructorParameters<typeof Table<SessionView>>[0] {
  return {
    caption: 'Sessions',
    unseen: true,
    onSort,
    columns: [
      {
        head: 'Session',
        align: 'mono',
        cell: (cell, { id }) => {
          const element = held(cell, () => button('', 'link', () => open(id)));
          say(element, visible(id));
        },
      },
      {
        head: 'State',
        cell: (cell, { state }) =>
          sayState(
            held(cell, () => make('span')),
            STATE_TONES[state],
            state,
          ),
      },
      { head: 'Route', drop: 2, cut: 'cut', text: ({ route }) => route },
      { head: 'Target', drop: 2, cut: 'cut', text: ({ target }) => target },
      { head: 'Client', align: 'mono', cut: 'cut', text: ({ client }) => client },
      { head: 'Identity', drop: 1, cut: 'cut', text: identityText },
      { head: 'Path', drop: 1, cut: 'cut wide', text: ({ path }) => path },
      { head: 'Age', align: 'number', sort: 'age', drop: 3, text: ({ age_ms: ms }) => durationText(ms) },
      { head: 'Silent', align: 'number', sort: 'silent', drop: 2, text: silentText },
      {
        head: 'Ping',
        align: 'number',
        sort: 'rtt',
        drop: 1,
        text: ({ ping_rtt_ms: ms }) => (ms === null ? NONE : durationText(ms)),
      },
      {
        head: 'Messages',
        align: 'number',
        sort: 'messages',
        drop: 2,
        text: (one) => groupedText(both(one, 'messages')),
      },
      { head: 'Bytes', align: 'number', sort: 'bytes', drop: 2, text: (one) => sizeText(both(one, 'bytes')) },
      { head: 'Waiting', align: 'number', sort: 'buffered', drop: 1, text: (one) => sizeText(both(one, 'buffered')) },
    ],
    key: ({ id }) => id,
    empty: 'No session matches.',
  };
}

function both(
  { from_client: client, from_backend: backend }: SessionView,
  name: 'messages' | 'bytes' | 'buffered',
): number {
  return client[name] + backend[name];
}

function silentText({ from_client: client, from_backend: backend }: SessionView): string {
  return durationText(Math.min(client.silent_ms, backend.silent_ms));
}

function identityText({ auth, identity }: SessionView): string {
  return auth === null ? NONE : (identity ?? auth);
}

function offerIn(list: HTMLElement, names: readonly string[]): void {
  const shown = [...list.children].map((option) => option.getAttribute('value'));
  if (shown.join('\n') === names.join('\n')) return;
  list.replaceChildren(...names.map((value) => make('option', { value })));
}
