// The page's entry: puts the views together and feeds them from the stream of events, and from what is asked for
// besides.

import type { Advice, HistoryView, PageEvents } from '../admin/page-types.ts';
import { Actions } from './actions.ts';
import { AdviceView } from './advice.ts';
import { Api, isToken } from './api.ts';
import { report } from './ask.ts';
import { byId, say } from './dom.ts';
import { EndViews } from './ends.ts';
import { FigureViews } from './figures.ts';
import { HeadView } from './head.ts';
import { PartViews } from './parts.ts';
import { SessionsView } from './sessions.ts';
import { Sheet } from './sheet.ts';
import { EventStream, type StreamState } from './stream.ts';
import { Timeline } from './timeline.ts';

const ADVICE_MS = 30_000;

class App {
  private readonly api = new Api(() => this.lock());
  private readonly said = byId('said');
  private readonly timeline = new Timeline();
  private readonly figures = new FigureViews(this.timeline);
  private readonly ends = new EndViews();
  private readonly actions = new Actions(this.api, this.said);
  private readonly parts = new PartViews(this.actions);
  private readonly advice = new AdviceView();
  private readonly sheet = new Sheet(this.api, this.actions);
  private readonly sessions = new SessionsView(this.api, this.actions, (id) => this.sheet.open(id));
  private readonly head = new HeadView(this.api, this.actions, () => this.forgetToken());
  private readonly stream = new EventStream(this.api, {
    history: (history) => this.onHistory(history),
    event: (name, data) => this.onEvent(name, data),
    state: (state) => this.onState(state),
  });
  private adviceTimer = 0;

  start(): void {
    byId('door').addEventListener('submit', (event) => {
      event.preventDefault();
      this.unlock();
    });
    byId('lookup').addEventListener('submit', (event) => {
      event.preventDefault();
      const id = byId<HTMLInputElement>('lookup-id').value.trim();
      if (id !== '') this.sheet.open(id);
    });
    this.stream.start();
  }

  private onState(state: StreamState): void {
    this.head.showStream(state);
    if (state.kind !== 'live' && state.kind !== 'connecting') this.rest();
  }

  private onHistory(history: HistoryView): void {
    byId('door').hidden = true;
    byId('main').hidden = false;
    byId('nav').hidden = false;
    byId('doings').hidden = false;
    this.timeline.load(history);
    this.figures.show();
    this.sessions.start();
    clearInterval(this.adviceTimer);
    this.adviceTimer = window.setInterval(() => void this.loadAdvice(), ADVICE_MS);
    void this.loadAdvice();
  }

  private onEvent<Name extends keyof PageEvents>(name: Name, data: PageEvents[Name]): void {
    const event = { [name]: data } as Partial<PageEvents>;
    if (event.second !== undefined) {
      this.timeline.add(event.second.at, event.second.figures);
      this.figures.show();
      this.ends.show(event.second.ends, event.second.limits);
      this.parts.showWorkers(event.second.workers);
    }
    if (event.parts !== undefined) {
      const { status, upstreams } = event.parts;
      this.head.show(status);
      this.figures.setStatus(status);
      this.parts.show(event.parts);
      const targets = upstreams.flatMap((upstream) => upstream.targets.map((target) => target.name));
      this.sessions.offer(
        status.routes.map((route) => route.name),
        [...new Set(targets)],
      );
    }
    if (event.end?.why === 'page') this.stream.stop({ kind: 'off' });
  }

  private async loadAdvice(): Promise<void> {
    try {
      this.advice.show(await this.api.get<Advice>('api/v1/advice'));
    } catch {
      // It is asked for again, and the stream tells when nobody answers.
    }
  }

  /** Nothing is asked for any more until the stream is back. */
  private rest(): void {
    this.sessions.stop();
    clearInterval(this.adviceTimer);
  }

  private lock(): void {
    const wasWrong = this.api.hasToken;
    this.api.useToken(null);
    this.stream.stop({ kind: 'locked' });
    byId('main').hidden = true;
    byId('nav').hidden = true;
    byId('doings').hidden = true;
    byId('door').hidden = false;
    byId<HTMLDialogElement>('sheet').close();
    say(byId('door-fault'), wasWrong ? 'That token is not right, or not any more.' : '');
    byId('token').focus();
  }

  private unlock(): void {
    const field = byId<HTMLInputElement>('token');
    const token = field.value.trim();
    // Nowhere else on the page does it stay.
    field.value = '';
    if (!isToken(token)) {
      say(byId('door-fault'), 'A token consists of printable ASCII without spaces.');
      return;
    }
    this.api.useToken(token);
    this.stream.start();
  }

  private forgetToken(): void {
    this.api.useToken(null);
    this.lock();
    report(this.said, 'good', 'The token is forgotten.');
  }
}

new App().start();
