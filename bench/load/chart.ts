// A report as an SVG chart: one panel for each cell, one bar for each proxy, its CPU time per round trip.

import { machineLine } from '../support/machine.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import { figure } from '../support/table.ts';
import type { CellResult, Report } from './results.ts';

const WIDTH = 760;
const MARGIN = 24;
const LABEL = 110;
const VALUE = 90;
const BAR = 18;
const GAP = 6;
const PANEL_HEAD = 30;
const TITLE = 58;
const FOOT = 30;
const SUBJECT_COLOUR = '#0b6e99';
const PEER_COLOUR = '#b8c4cc';
const INK = '#1c2429';
const FAINT = '#5b6770';

interface Bar {
  readonly peer: string;
  readonly cpu: Spread;
}

export function svgChart(report: Report): string {
  const panels: string[] = [];
  let y = TITLE;
  for (const cell of report.cells) {
    const bars = barsOf(cell);
    if (bars.length === 0) continue;
    panels.push(panel(cell.cell, bars, y));
    y += PANEL_HEAD + bars.length * (BAR + GAP) + GAP;
  }
  const height = y + FOOT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    ' font-family="system-ui, sans-serif" font-size="12" role="img">',
    `<title>CPU time of WebSocket proxies per echo round trip</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(
      MARGIN,
      26,
      'CPU time of the proxy per echo round trip, microseconds',
      INK,
      ' font-size="16" font-weight="600"',
    ),
    text(
      MARGIN,
      44,
      'Shorter is better. Connections x payload x messages in flight; the thin line is the range.',
      FAINT,
    ),
    ...panels,
    text(MARGIN, height - 12, machineLine(report.machine), FAINT, ' font-size="10"'),
    '</svg>\n',
  ].join('\n');
}

function barsOf(cell: CellResult): Bar[] {
  const bars: Bar[] = [];
  for (const { peer, rounds } of cell.peers) {
    const cpu = spreadOf(rounds.map((round) => round.cpuMicros));
    if (Number.isFinite(cpu.median)) bars.push({ peer, cpu });
  }
  return bars.sort((a, b) => a.cpu.median - b.cpu.median);
}

function panel(title: string, bars: readonly Bar[], top: number): string {
  const scale = (WIDTH - 2 * MARGIN - LABEL - VALUE) / Math.max(...bars.map((bar) => bar.cpu.max));
  const left = MARGIN + LABEL;
  const parts = [text(MARGIN, top + 20, title, INK, ' font-weight="600"')];
  for (const [index, { peer, cpu }] of bars.entries()) {
    const y = top + PANEL_HEAD + index * (BAR + GAP);
    const middle = y + BAR / 2;
    const isSubject = peer.startsWith('framegate');
    const weight = isSubject ? ' font-weight="600"' : '';
    parts.push(
      text(MARGIN, middle + 4, peer, INK, weight),
      `<rect x="${left}" y="${y}" width="${px(cpu.median * scale)}" height="${BAR}" rx="2" ` +
        `fill="${isSubject ? SUBJECT_COLOUR : PEER_COLOUR}"/>`,
      `<line x1="${px(left + cpu.min * scale)}" x2="${px(left + cpu.max * scale)}" y1="${middle}" y2="${middle}" ` +
        `stroke="${INK}" stroke-width="1"/>`,
      text(left + cpu.max * scale + 6, middle + 4, figure(cpu.median), INK, weight),
    );
  }
  return parts.join('\n');
}

function text(x: number, y: number, content: string, colour: string, more = ''): string {
  return `<text x="${px(x)}" y="${px(y)}" fill="${colour}"${more}>${escapeText(content)}</text>`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escapeText(value: string): string {
  return value.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
