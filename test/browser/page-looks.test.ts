// The page of the admin listener in a real browser: what it shows, in each size and colour, by keyboard, and without
// scripts; and that nobody is shut out by how it is made.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Identity, makeAuthority } from '../support/certs.ts';
import { AdminPage, type Look } from './admin-page.ts';
import { findChromium, LAUNCH_MS, launchChromium } from './chromium.ts';
import { joined, startScene } from './page-scene.ts';

const TEST_MS = 60_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const executable = findChromium();
// Seen in the output of a run that passes, too.
if (executable === null)
  process.stderr.write('no Chromium is installed: test/browser shows nothing of the page of the admin listener\n');

let browser: Browser;
let identity: Identity;

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What axe-core finds of what it calls serious or critical. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
    );
}

/** How many canvases of the page have anything drawn on them. */
const DRAWN = `[...document.querySelectorAll('#figures canvas')].filter((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value !== 0);
}).length`;

describe.skipIf(executable === null)('the page', { timeout: TEST_MS }, () => {
  beforeAll(async () => {
    identity = await (await makeAuthority()).issue({ dns: ['gate.test'] });
    browser = await launchChromium(executable ?? '', [identity]);
  }, LAUNCH_MS);

  afterAll(async () => {
    await browser?.close();
  }, LAUNCH_MS);

  test('shows what goes on, and goes on showing it', async () => {
    const { running } = await startScene({ tls: identity });
    const view = await (await AdminPage.open(browser, running, { height: 5000 })).live();
    await view.shows('#state', 'ready');
    await view.shows('.figure:nth-child(1) .value', '12');
    expect(await view.text('#ends-matrix table')).toMatch(/client_message_too_big\s+client\s.*1/);
    expect(await view.text('#ends-matrix thead')).toMatch(/1000\s+1009\s+4xxx/);
    expect(await view.text('#limits table')).toMatch(/max_message_size\s+messages of clients\s+1/);
    expect(await view.text('#route-list')).toMatch(/chat\s+open\s+chat\s+8/);
    await view.shows('#upstream-list .state', 'failing');
    expect(await view.text('#listeners table')).toContain('secure');
    await view.shows('#certificate-list tr', 'gate.test');
    expect(await view.text('#workers table')).toMatch(/ready\s+12/);
    await view.shows('#advice-list', 'Nothing to change');
    await view.shows('#session-list tr', '/chat/room-1');
    expect(await view.page.evaluate(DRAWN)).toBe(8);
    await joined(running, '/chat/late');
    await view.shows('.figure:nth-child(1) .value', '13');
    await view.shows('#session-list tr', '/chat/late');
    expect(view.faults).toEqual([]);
  });

  const looks: readonly Required<Pick<Look, 'width' | 'scheme'>>[] = [
    { width: 1280, scheme: 'light' },
    { width: 1280, scheme: 'dark' },
    { width: 360, scheme: 'light' },
    { width: 360, scheme: 'dark' },
  ];

  test.each(looks)('$width px wide, $scheme: fits, and shuts nobody out', async (look) => {
    const { running, ended } = await startScene({ tls: identity });
    const view = await (await AdminPage.open(browser, running, look)).live();
    await view.shows('#session-list tr', 'open');
    const background = await view.page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(background).toBe(look.scheme === 'light' ? 'rgb(246, 247, 248)' : 'rgb(16, 19, 24)');
    expect(await view.overflow()).toBeLessThanOrEqual(0);
    expect(await seriousFaults(view.page)).toEqual([]);
    await view.page.locator('#lookup-id').fill(ended);
    await view.button('Why?').click();
    await view.shows('#sheet-state', 'client_message_too_big');
    expect(await view.page.evaluate('document.querySelector("#sheet").scrollWidth - innerWidth')).toBeLessThanOrEqual(
      0,
    );
    expect(await seriousFaults(view.page)).toEqual([]);
    await view.page.keyboard.press('Escape');
    await view.button('Reload config').click();
    expect(await seriousFaults(view.page)).toEqual([]);
    expect(view.faults).toEqual([]);
  });

  test('charts follow the colours of the system, and the span that is chosen', async () => {
    const { running } = await startScene({ open: 1 });
    const view = await (await AdminPage.open(browser, running)).live();
    const pixels = 'document.querySelector("#figures canvas").toDataURL()';
    const light = await view.page.evaluate(pixels);
    await view.page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => view.page.evaluate(pixels)).not.toBe(light);
    await view.page.getByText('1 hour').click();
    const label =
      '[...document.querySelectorAll(".chart")].every((one) => /hour/.test(one.getAttribute("aria-label")))';
    await expect.poll(() => view.page.evaluate(label)).toBe(true);
    expect(await view.page.evaluate(DRAWN)).toBe(8);
    expect(view.faults).toEqual([]);
  });

  test('is used by keyboard alone', async () => {
    const { running } = await startScene();
    const view = await (await AdminPage.open(browser, running)).live();
    const { keyboard } = view.page;
    await view.tabTo('.skip', 1);
    await keyboard.press('Enter');
    expect(await view.hasFocus('#main')).toBe(true);
    await view.tabTo('#figures .chart');
    await keyboard.press('ArrowLeft');
    await view.shows('#moment', 'at ');
    await view.tabTo('#session-list button.link');
    await keyboard.press('Enter');
    await view.shows('#sheet-state', 'open');
    // The dialog keeps the focus within.
    for (let i = 0; i < 12; i += 1) {
      await keyboard.press('Tab');
      const isWithin = 'document.activeElement === document.body || document.activeElement.closest("#sheet") !== null';
      expect(await view.page.evaluate(isWithin)).toBe(true);
    }
    await keyboard.press('Escape');
    expect(await view.hasFocus('#session-list button.link')).toBe(true);
    await view.page.locator('#filters [name=route]').focus();
    await keyboard.type('live');
    await keyboard.press('Enter');
    await view.shows('#pages-about', '1 to 4');
    expect(view.faults).toEqual([]);
  });

  test('without scripts has its tables, or says that it needs them where there is a token', async () => {
    const { running } = await startScene();
    const view = await AdminPage.open(browser, running, { scripts: false, width: 360 });
    const text = await view.text('body');
    for (const part of ['framegate', 'chat-1', '/chat/room-1', 'client_message_too_big', 'max_message_size']) {
      expect(text).toContain(part);
    }
    expect(await view.page.locator('#main').isVisible()).toBe(false);

    const { running: closed } = await startScene({ token: 'correct-horse' });
    const asked = await AdminPage.open(browser, closed, { scripts: false });
    expect(await asked.text('body')).toMatch(/needs scripts/);
    expect(await asked.page.content()).not.toMatch(/chat-1|room-1/);
    expect([...view.faults, ...asked.faults]).toEqual([]);
  });
});
