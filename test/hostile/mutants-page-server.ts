// The mutants of G10 to G23: the page of the admin listener, its files and its stream.

import type { Mutant } from './mutants.ts';

function edit(at: string, row: string, search: string, replace: string, why?: string): Mutant {
  return { row, at, search, replace, ...(why === undefined ? {} : { why }) };
}

export const PAGE_SERVER_MUTANTS: readonly Mutant[] = [
  edit('escaped', 'G10', "ENTITIES[unit] ?? ''", 'unit'),
  edit(
    'PageFiles.file',
    'G11',
    'this.files.get(name) ?? null',
    "pageAnswer('text/plain', process.getBuiltinModule('node:fs').readFileSync(path.join(BUILT, name)))",
    'a path of what was asked for',
  ),
  edit('AdminServer.judge', 'G12', '!this.isPublic(match)', "!this.isPublic(match) && match.group !== 'page'"),
  edit('HEADERS', 'G13', "frame-ancestors 'none'; ", ''),
  edit('pageItself', 'G14', 'if (!isOpen)', 'if (isOpen)'),
  edit('AdminServer.judge', 'G14', "match.group !== 'page' && ", "match.group === 'metrics' && ", 'no token for data'),
  edit('AdminServer.judgeSender', 'G15', "request.url === '/' && ", ''),
  edit('VIEWERS_MAX', 'G16', '10', '11'),
  edit('Viewers.cutStalled', 'G17', 'now - viewer.takenAt > STALL_MS', 'false'),
  edit('isReady', 'G17', 'response.writableLength === 0', 'true', 'it holds whatever comes'),
  edit('AdminServer.reconfigure', 'G18', "if (settings.token !== token) this.viewers.endAll('token');", ''),
  edit('AdminServer.stream', 'G19', "if (!isOn) return errorAnswer('not_found');", ''),
  edit('AdminServer.answer', 'G20', '[isOpen, request.url]', '[request.url]'),
  edit('firstUpstreams', 'G21', 'left -= Math.max(1, upstream.targets.length);', ''),
  edit('ProxyPage.parts', 'G21', 'first(status.routes, ROUTES_TOLD)', 'status.routes'),
  edit('Viewers.enter', 'G22', 'response.end();\n      return true;', 'response.flushHeaders();'),
  edit('Viewers.tell', 'G23', 'this.isTelling = false;', '', 'who comes next is told nothing'),
];
