// One session's inside, beside the page: why it is so or has ended so, its facts, what of limits is used, its last
// frames. It is looked at again while the session lives.

import type { FrameView, WhyView } from '../admin/subject.ts';
import { type Actions, textOf } from './actions.ts';
import { type Api, segment } from './api.ts';
import { button, byId, make, say, sayState, type Tone } from './dom.ts';
import { dateText, durationText, groupedText, percentText, sizeText, timeText, visible } from './format.ts';
import { trafficText } from './parts.ts';
import { held, Table } from './table.ts';

const AGAIN_MS = 2_000;

type Facts = WhyView['facts'];
type NearLimit = WhyView['near'][number];
type Side = Facts['from_client'];

interface SideRow {
  readonly name: string;
  readonly of: (side: Side) => string;
}

const sideRows: readonly SideRow[] = [
  { name: 'Messages / payload', of: trafficText },
  { name: 'Largest message', of: ({ largest_message: bytes }) => sizeText(bytes) },
  { name: 'Silent for', of: ({ silent_ms: ms }) => durationText(ms) },
  { name: 'Waits to be taken', of: ({ buffered }) => sizeText(buffered) },
  { name: 'Pauses', of: ({ pauses, paused }) => `${groupedText(pauses)}${paused ? ', paused now' : ''}` },
];

const STATE_TONES: Readonly<Record<WhyView['state'], Tone>> = { open: 'good', closing: 'warn', ended: 'idle' };

export class Sheet {
  private readonly api: Api;
  private readonly dialog = byId<HTMLDialogElement>('sheet');
  private readonly title = byId('sheet-title');
  private readonly state = byId('sheet-state');
  private readonly sentence = byId('sheet-why');
  private readonly change = byId('sheet-change');
  private readonly facts = byId('sheet-facts');
  private readonly recorderOff = byId('record-off');
  private readonly end: HTMLButtonElement;
  private readonly sides: Table<SideRow>;
  private readonly near: Table<NearLimit>;
  private readonly record: Table<FrameView & { readonly index: number }>;
  private sideFacts: Facts | null = null;
  private id = '';
  private timer = 0;

  constructor(api: Api, actions: Actions) {
    this.api = api;
    this.end = button('Close session', 'grave', () => this.closeSession(actions));
    byId('sheet-doings').replaceChildren(
      this.end,
      button('Close panel', '', () => this.dialog.close()),
    );
    this.sides = new Table(sidesShape(() => this.sideFacts));
    this.near = new Table(nearShape);
    this.record = new Table(recordShape);
    byId('sheet-sides').replaceChildren(this.sides.root);
    byId('sheet-near').replaceChildren(this.near.root);
    byId('sheet-record').replaceChildren(this.record.root);
    this.dialog.addEventListener('close', () => clearTimeout(this.timer));
  }

  open(id: string): void {
    this.id = id;
    say(this.title, `Session ${visible(id)}`);
    sayState(this.state, 'idle', 'looked up');
    say(this.sentence, '');
    byId('sheet-inside').hidden = true;
    this.change.replaceChildren();
    this.end.hidden = true;
    if (!this.dialog.open) this.dialog.showModal();
    void this.load();
  }

  private async load(): Promise<void> {
    clearTimeout(this.timer);
    const { id } = this;
    try {
      const why = await this.api.get<WhyView>(`api/v1/sessions/${segment(id)}/why`);
      if (id !== this.id || !this.dialog.open) return;
      this.show(why);
      if (why.state === 'ended') return;
    } catch (error) {
      if (id !== this.id || !this.dialog.open) return;
      sayState(this.state, 'bad', 'not found');
      say(this.sentence, `${visible(id)}: ${textOf(error)}`);
      return;
    }
    this.timer = window.setTimeout(() => void this.load(), AGAIN_MS);
  }

  private async closeSession(actions: Actions): Promise<void> {
    if (await actions.closeSession(this.id)) await this.load();
  }

  private show(why: WhyView): void {
    byId('sheet-inside').hidden = false;
    sayState(this.state, STATE_TONES[why.state], why.cause === null ? why.state : `${why.state}: ${why.cause}`);
    say(this.sentence, visible(why.sentence));
    const advice = why.change.map((text) => visible(text));
    if (this.change.innerText !== advice.join('\n'))
      this.change.replaceChildren(...advice.map((text) => make('li', {}, text)));
    this.end.hidden = why.state !== 'open';
    showFacts(this.facts, factsOf(why));
    this.sideFacts = why.facts;
    this.sides.fill(sideRows);
    this.near.fill(why.near);
    const frames = (why.record ?? []).map((frame, index) => ({ ...frame, index }));
    this.record.fill(frames.reverse());
    this.recorderOff.hidden = why.record !== null;
    byId('sheet-record').hidden = why.record === null;
  }
}

type Fact = readonly [name: string, text: string | null];

function factsOf({ facts, times, code, code_backend: backendCode, reason, by, limit, clean }: WhyView): Fact[] {
  const { client, peer, auth, identity, expires_in_ms: expires, ping_rtt_ms: ping } = facts;
  const ended = times.ended_at === null ? null : momentText(times.ended_at);
  return [
    ['Client', peer === null ? client : `${client} through ${peer}`],
    ['Target', `${facts.target} of ${facts.upstream}`],
    ['Route', `${facts.route}, by ${facts.listener}`],
    ['Path', facts.path],
    ['Subprotocol', facts.subprotocol],
    ['Identity', auth === null ? null : `${identity ?? 'none'}, by ${auth}`],
    ['Credential ends', expires === null ? null : `in ${durationText(expires)}`],
    ['Request', facts.request_id],
    ['Opened', `${momentText(times.opened_at)}, in ${durationText(times.connect_ms + times.upgrade_ms)}`],
    ['Ended', ended],
    ['Lived', durationText(times.lived_ms)],
    ['Ping', ping === null ? null : durationText(ping)],
    ['Ended by', by === null ? null : by === 'proxy' ? 'framegate' : `the ${by}`],
    ['Limit', limit],
    ['Client was told', by === null ? null : toldText(code, reason)],
    ['Backend was told', by === null ? null : toldText(backendCode, null)],
    ['Clean', by === null ? null : clean ? 'yes' : 'no'],
  ];
}

function toldText(code: number | null, reason: string | null): string {
  if (code === null) return 'nothing';
  return reason === null || reason === '' ? String(code) : `${code} "${reason}"`;
}

function momentText(iso: string): string {
  const at = Date.parse(iso);
  return `${dateText(at).slice(0, 10)} ${timeText(at)}`;
}

function showFacts(list: HTMLElement, facts: readonly Fact[]): void {
  const parts = facts.flatMap(([name, text]) =>
    text === null ? [] : [make('dt', {}, name), make('dd', {}, visible(text))],
  );
  const isSame =
    parts.length === list.children.length &&
    parts.every((part, index) => part.textContent === list.children[index]?.textContent);
  if (!isSame) list.replaceChildren(...parts);
}

function sidesShape(facts: () => Facts | null): ConstructorParameters<typeof Table<SideRow>>[0] {
  const sideText = (row: SideRow, name: 'from_client' | 'from_backend'): string => {
    const known = facts();
    return known === null ? '' : row.of(known[name]);
  };
  return {
    caption: 'Both directions',
    columns: [
      { head: '', text: ({ name }) => name },
      { head: 'From client', align: 'number', text: (row) => sideText(row, 'from_client') },
      { head: 'From backend', align: 'number', text: (row) => sideText(row, 'from_backend') },
    ],
    key: ({ name }) => name,
    empty: '',
  };
}

const nearShape: ConstructorParameters<typeof Table<NearLimit>>[0] = {
  caption: 'Limits that are at least half used',
  columns: [
    { head: 'Limit', align: 'mono', text: ({ key }) => key },
    { head: 'Used', align: 'number', text: ({ unit, used }) => amountText(unit, used) },
    { head: 'Of', align: 'number', text: ({ unit, limit }) => amountText(unit, limit) },
    {
      head: '',
      drop: 3,
      cell: (cell, { key, share }) => {
        const meter = held(cell, () => make('meter', { min: 0, max: 1, low: 0.5, high: 0.8, optimum: 0 }));
        meter.value = share;
        meter.setAttribute('aria-label', `${key}: ${percentText(share)} used`);
      },
    },
    { head: 'Share', align: 'number', text: ({ share }) => percentText(share) },
  ],
  key: ({ key }) => key,
  empty: 'None: no limit is half used.',
};

function amountText(unit: NearLimit['unit'], value: number): string {
  // Beside a limit 2000 B is not 2 KiB.
  if (unit === 'bytes') return value < 10_000 && value % 1024 !== 0 ? `${groupedText(value)} B` : sizeText(value);
  return unit === 'ms' ? durationText(value) : groupedText(value);
}

const recordShape: ConstructorParameters<typeof Table<FrameView & { readonly index: number }>>[0] = {
  caption: 'The last frames, the newest first',
  columns: [
    { head: 'After', align: 'number', text: ({ at_ms: ms }) => `${(ms / 1000).toFixed(3)} s` },
    { head: 'From', text: ({ from }) => from },
    { head: 'Frame', text: ({ opcode, code }) => (code === null ? opcode : `${opcode} ${code}`) },
    { head: 'FIN', text: ({ fin }) => (fin ? 'yes' : 'no') },
    { head: 'Payload', align: 'number', text: ({ bytes }) => sizeText(bytes) },
  ],
  key: ({ index, at_ms: at }) => `${at} ${index}`,
  empty: 'No frame yet.',
};
