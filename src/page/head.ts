// The bar at the top: which framegate this is, how it is, and whether what the page shows is live.

import type { StatusView } from '../admin/subject.ts';
import type { Actions } from './actions.ts';
import type { Api } from './api.ts';
import { button, byId, say, sayState, type Tone } from './dom.ts';
import { dateText, durationText, visible } from './format.ts';
import type { StreamState } from './stream.ts';

export class HeadView {
  private readonly api: Api;
  private readonly state = byId('state');
  private readonly facts = byId('facts');
  private readonly live = byId('live');
  private readonly forget: HTMLButtonElement;
  private sessions = 0;

  constructor(api: Api, actions: Actions, forget: () => void) {
    this.api = api;
    this.forget = button('Forget token', '', forget);
    const reload = button('Reload config', '', () => actions.reload());
    const drain = button('Drain and end', '', () => actions.drainAll(this.sessions));
    byId('doings').replaceChildren(reload, drain, this.forget);
    this.showStream({ kind: 'connecting' });
  }

  show({ version, state, uptime_ms: up, pid, config, sessions }: StatusView): void {
    this.sessions = sessions.open;
    sayState(this.state, state === 'ready' ? 'good' : 'warn', state);
    const { last_reload: reload, name } = config;
    const reloaded =
      reload === null ? '' : ` · last reload ${reload.ok ? '' : 'rejected '}${dateText(Date.parse(reload.at))}`;
    say(this.facts, visible(`${name} · version ${version} · up ${durationText(up)} · process ${pid}${reloaded}`));
    document.title = `framegate ${state}`;
  }

  showStream(state: StreamState): void {
    const [tone, text] = streamText(state);
    sayState(this.live, tone, text);
    this.forget.hidden = !this.api.hasToken;
  }
}

function streamText(state: StreamState): readonly [Tone, string] {
  switch (state.kind) {
    case 'live':
      return ['good', 'live'];
    case 'connecting':
      return ['idle', 'connecting'];
    case 'hidden':
      return ['idle', 'paused while hidden'];
    case 'locked':
      return ['warn', 'token needed'];
    case 'off':
      return ['warn', 'switched off'];
    case 'lost':
      return ['bad', `not live: ${state.why}`];
    default:
      return state;
  }
}
