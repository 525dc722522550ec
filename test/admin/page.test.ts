// The page and its files: who gets them, and what goes with them.

import { describe, expect, test } from 'vitest';
import { tableMarkup } from '../../src/admin/markup.ts';
import { readPage } from '../../src/admin/page-files.ts';
import { until } from '../e2e/operating.ts';
import { startAdmin } from '../support/admin.ts';
import { eventsIn, watchPage } from '../support/viewer.ts';

const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

describe('the page', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/page/main.js', 'text/javascript; charset=utf-8', ''],
    ['/page/page.css', 'text/css; charset=utf-8', ''],
    ['/page/uPlot.iife.min.js', 'text/javascript; charset=utf-8', 'uPlot'],
  ])('%s is served as %s, to nobody who frames, keeps or guesses', async (path, type, part) => {
    const admin = await startAdmin({ token: 'correct-horse' });
    const { status, headers, body } = await admin.ask(`GET ${path}`);
    expect([status, headers.get('content-type'), headers.get('content-security-policy')]).toEqual([200, type, POLICY]);
    expect([headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual(['nosniff', 'no-referrer']);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toContain(part);
  });

  test('is there under known hosts only, and by GET', async () => {
    const admin = await startAdmin();
    expect((await admin.ask('GET /', 'Host: rebound.example')).status).toBe(421);
    expect((await admin.ask('GET /page/main.js', 'Host: rebound.example')).status).toBe(421);
    expect((await admin.ask('POST /')).status).toBe(405);
  });

  test.each([
    '/page/',
    '/page/page.html',
    '/page/gone.js',
    '/page/..%2fcli.js',
    '/page/..%2F..%2Fpackage.json',
    '/page/../cli.js',
  ])('%s is no file of it', async (path) => {
    expect((await (await startAdmin()).ask(`GET ${path}`)).status).toBe(404);
  });

  test('is not there while it is off, nor where it was not built', async () => {
    const admin = await startAdmin({ page: false });
    expect((await admin.ask('GET /')).status).toBe(404);
    expect((await admin.ask('GET /page/main.js')).status).toBe(404);
    expect(await readPage('dist/nothing')).toBeNull();
  });
});

describe('its tables without scripts', () => {
  const cell = (text: string) => tableMarkup('t', [{ head: 'h', text: (row: string) => row }], [text]);

  test.each([
    ['&amp;<b a="1" c=\'2\'>', '&amp;amp;&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;'],
    ['a\u202eb\u2066c\u200bd', 'a\\u202eb\\u2066c\\u200bd'],
    ['a\r\n\0\x9b', 'a\\u000d\\u000a\\u0000\\u009b'],
    ['Grüße, 世界', 'Grüße, 世界'],
  ])('%j is told as %s', (text, told) => {
    expect(cell(text)).toContain(`<tr><td>${told}</td></tr>`);
  });

  test('say how much is left out, and when there is nothing', () => {
    const columns = [{ head: 'h', text: (row: string) => row }];
    expect(tableMarkup('Routes', columns, ['a'], 3)).toMatch(
      /<caption>Routes<\/caption>[\s\S]*<\/table>\n<p>3 more<\/p>/,
    );
    expect(tableMarkup('Routes', columns, ['a'])).not.toContain('more');
    expect(tableMarkup('Routes', columns, [])).toBe('<p>Routes: none</p>\n');
  });

  test('are those of process, routes, targets, ends, limits and sessions, and what is advised', async () => {
    const { body } = await (await startAdmin()).ask('GET /');
    const captions = [...body.matchAll(/<caption>(.*?)<\/caption>/g)].map(([, caption]) => caption);
    expect(captions).toEqual(['Process', 'Routes', 'Targets', 'Ends', 'Limits', 'Sessions']);
    expect(body).toContain('<p>Certificates: none</p>');
    expect(body).toContain('<tr><td>client_close</td><td>client</td><td>1000</td><td>7</td></tr>');
    expect(body).toContain('<p>11 more</p>');
    expect(body).toContain('<pre>Traffic of 1s');
  });
});

describe('its stream', () => {
  test('tells all viewers the same, made once: parts to whoever is new, then every other second', async () => {
    const { page, port } = await startAdmin();
    const pass = async () => {
      await until('somebody waits', () => page.isWatched);
      page.pass();
      await until('it was told', () => page.isWatched);
    };
    const [first, second] = [watchPage(port), watchPage(port)];
    await Promise.all([first.until(/event-stream/), second.until(/event-stream/)]);
    for (let seconds = 0; seconds < 4; seconds += 1) await pass();
    expect(eventsIn(await first.until(/"at":4000[\s\S]*event: parts\n.*\n\n/), 'second')).toHaveLength(4);
    await second.until(/"at":4000[\s\S]*event: parts\n.*\n\n/);
    expect(first.text().match(/event: \w+/g)).toEqual(second.text().match(/event: \w+/g));
    expect([eventsIn(first.text(), 'parts').length, page.partsMade]).toEqual([3, 3]);
  });

  test('costs nothing while nobody looks', async () => {
    const { page, port, connections } = await startAdmin();
    expect(page.isWatched).toBe(false);
    const viewer = watchPage(port);
    await until('somebody waits', () => page.isWatched);
    viewer.socket.destroy();
    await connections(0);
    page.pass();
    await new Promise((resolve) => setImmediate(resolve));
    expect([page.isWatched, page.partsMade]).toEqual([false, 0]);
  });
});
