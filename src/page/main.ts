// The page's entry: what it shows of the last hour and of each second.

import type { Figure, Figures, HistoryView, PageEvents } from '../admin/page-types.ts';

const shown: readonly Figure[] = ['sessions', 'opened_per_s', 'ended_per_s'];

function textOf(figures: Figures): string {
  return shown.map((name) => `${name} ${figures[name] ?? '-'}`).join(', ');
}

function lastOf({ seconds }: HistoryView): string {
  return shown.map((name) => `${name} ${seconds.figures[name].at(-1) ?? '-'}`).join(', ');
}

async function show(place: HTMLElement): Promise<void> {
  const history = await fetch('api/v1/history');
  if (!history.ok) return;
  const view = (await history.json()) as HistoryView; // the listener's own answer
  place.textContent = lastOf(view);
  const events = await fetch('api/v1/events');
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const read = await reader?.read();
    if (read?.value === undefined) return;
    const parts = (text + read.value).split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
      if (name !== 'second' || data === undefined) continue;
      const second = JSON.parse(data) as PageEvents['second']; // as above
      place.textContent = textOf(second.figures);
    }
  }
}

const place = document.getElementById('status');
if (place !== null) void show(place);
