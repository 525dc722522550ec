// What is done from the page of the admin listener, in a real browser: each thing asks first, goes to the listener
// with the token or not at all, and tells what came of it.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import type { RunningProxy } from '../support/harness.ts';
import { AdminPage } from './admin-page.ts';
import { findChromium, LAUNCH_MS, launchChromium } from './chromium.ts';
import { startScene } from './page-scene.ts';

const TEST_MS = 60_000;
const TOKEN = 'correct-horse-battery';

const executable = findChromium();

let browser: Browser;

const actionsOf = ({ logsOf }: RunningProxy): unknown[] => logsOf('admin.action').map(({ action }) => action);

describe.skipIf(executable === null)('the page', { timeout: TEST_MS }, () => {
  beforeAll(async () => {
    browser = await launchChromium(executable ?? '', []);
  }, LAUNCH_MS);

  afterAll(async () => {
    await browser?.close();
  }, LAUNCH_MS);

  test('asks before it drains a target, and does nothing when it is told no', async () => {
    const { running } = await startScene();
    const view = await (await AdminPage.open(browser, running)).live();
    await view.button('Drain chat-1').click();
    await view.shows('dialog[open]', 'Drain target chat-1?');
    await view.button('Cancel').click();
    await view.button('Drain chat-1').click();
    await view.page.keyboard.press('Escape');
    expect(actionsOf(running)).toEqual([]);
    await view.button('Drain chat-1').click();
    await view.button('Drain').click();
    await view.shows('#said', 'The target chat-1 is drained.');
    await view.shows('#upstream-list .state', 'draining');
    await view.button('Undrain chat-1').click();
    await view.button('Undrain').click();
    await view.shows('#said', 'takes new sessions again');
    expect(actionsOf(running)).toEqual(['upstreams.targets.drain', 'upstreams.targets.undrain']);
    expect(view.faults).toEqual([]);
  });

  test('closes a session with the code and reason that are asked for, and tells why it ended', async () => {
    const { running, sessions } = await startScene({ open: 1 });
    const view = await (await AdminPage.open(browser, running)).live();
    await view.page.locator('#session-list button.link').click();
    await view.shows('#sheet-record tr', 'text');
    await view.button('Close session').click();
    await view.page.getByLabel('Close code').fill('999');
    await view.button('Close it').click();
    expect(await view.page.locator('dialog:not(#sheet)').isVisible()).toBe(true);
    await view.page.getByLabel('Close code').fill('4000');
    await view.page.getByLabel('Reason').fill('moved <b>away</b>');
    const closed = new Promise((resolve) => {
      sessions[0]?.once('close', (code, reason) => resolve([code, reason.toString()]));
    });
    await view.button('Close it').click();
    expect(await closed).toEqual([4000, 'moved <b>away</b>']);
    await view.shows('#sheet-state', 'ended: admin');
    expect(await view.text('#sheet-facts')).toContain('4000 "moved <b>away</b>"');
    expect(view.faults).toEqual([]);
  });

  test('closes all that match, and nothing without a filter', async () => {
    const { running } = await startScene({ open: 6 });
    const view = await (await AdminPage.open(browser, running)).live();
    await view.shows('#pages-about', '1 to 6');
    expect(await view.button('Close all that match').isVisible()).toBe(false);
    await view.page.locator('#filters [name=route]').fill('chat');
    await view.page.keyboard.press('Enter');
    await view.shows('#pages-about', '1 to 4');
    await view.button('Close all that match').click();
    await view.shows('dialog[open]', 'with route chat');
    await view.button('Close them all').click();
    await view.shows('#said', '4 sessions are closed.');
    expect(running.logsOf('admin.action')).toMatchObject([{ action: 'sessions.close', arguments: { route: 'chat' } }]);
    expect(view.faults).toEqual([]);
  });

  test('sorts and turns pages', async () => {
    const { running } = await startScene({ open: 53 });
    const view = await (await AdminPage.open(browser, running, { width: 360 })).live();
    await view.shows('#pages-about', '1 to 50, 3 more');
    await view.button('Next').click();
    await view.shows('#pages-about', '51 to 53');
    expect(await view.page.locator('#session-list tbody tr').count()).toBe(3);
    await view.button('Previous').click();
    await view.shows('#pages-about', '1 to 50');
    await view.page.getByLabel('Sorted by').selectOption('messages');
    await view.shows('#session-list tbody tr:first-child td.number:visible', '110');
    const heads = await view.page.locator('#session-list th[aria-sort=descending]').allInnerTexts();
    expect(heads.map((text) => text.trim())).toEqual(['Messages']);
    expect(view.faults).toEqual([]);
  });

  test('reloads, tells what was wrong with a config, and ends framegate only for who types the word', async () => {
    const { running } = await startScene({ open: 1, config: { drain: { delay: '10s' } } });
    const view = await (await AdminPage.open(browser, running)).live();
    await view.button('Reload config').click();
    await view.button('Reload').click();
    await view.shows('#said .bad', 'cannot be read again');
    await view.button('Dismiss').click();
    await view.button('Drain and end').click();
    await view.page.locator('dialog[open] button.grave').click();
    expect(await view.page.locator('dialog[open]').isVisible()).toBe(true);
    expect(actionsOf(running)).toEqual(['reload']);
    await view.page.locator('dialog[open] input').fill('drain');
    await view.page.locator('dialog[open] button.grave').click();
    await view.shows('#said .good', 'draining');
    await view.shows('#state', 'draining');
    expect(actionsOf(running)).toEqual(['reload', 'drain']);
  });

  describe('with a token', () => {
    test('each tab needs it for itself, and "Forget token" takes it back', async () => {
      const { running } = await startScene({ token: TOKEN });
      const view = await AdminPage.open(browser, running);
      await view.unlock(TOKEN);
      await view.live();
      const second = await AdminPage.inContext(view.context, running);
      await second.page.locator('#token').waitFor();
      await second.unlock(TOKEN);
      await second.live();
      await second.button('Forget token').click();
      await second.page.locator('#token').waitFor();
      expect(await second.page.locator('#main').isVisible()).toBe(false);
      await view.live();
    });

    test('no action is done without it', async () => {
      const { running } = await startScene({ token: TOKEN });
      const view = await AdminPage.open(browser, running);
      await view.page.locator('#token').waitFor();
      const post = (path: string): string =>
        `fetch(${JSON.stringify(path)}, { method: 'POST' }).then(({ status }) => status)`;
      for (const path of ['drain', 'reload', 'sessions/close?route=chat', 'upstreams/chat/targets/chat-1/drain']) {
        expect(await view.page.evaluate(post(`api/v1/${path}`))).toBe(401);
      }
      expect(actionsOf(running)).toEqual([]);
      expect(running.logsOf('drain.begin')).toEqual([]);
    });

    test('is asked for again when it was changed', async () => {
      const { running } = await startScene({ token: TOKEN });
      const view = await AdminPage.open(browser, running);
      await view.unlock(TOKEN);
      await view.live();
      const admin = { address: '127.0.0.1:0', token: 'another' };
      const routes = [{ name: 'chat', upstream: 'builtin:echo' }] as const;
      const listeners = [{ name: 'public', address: '127.0.0.1:0' }];
      expect(await running.proxy.reload({ listeners, routes: [...routes], admin }, { force: true })).toMatchObject({
        ok: true,
      });
      await view.shows('#door-fault', 'not right');
      expect(await view.page.locator('#main').isVisible()).toBe(false);
      await view.unlock('another');
      await view.live();
    });
  });

  test('ten browsers look at once; one more is told to wait, and gets the place of one that leaves', async () => {
    const { running } = await startScene({ open: 2 });
    const tabs: AdminPage[] = [];
    // Each as of a browser of its own: one has six connections to a host, for all of its tabs together.
    for (let i = 0; i < 10; i += 1) tabs.push(await AdminPage.open(browser, running));
    await Promise.all(tabs.map((tab) => tab.live()));
    const late = await AdminPage.open(browser, running);
    await late.shows('#live', 'not live');
    for (const tab of tabs) expect(tab.faults).toEqual([]);
    await tabs[4]?.page.close();
    await late.live();
    // The others have gone on.
    await Promise.all(tabs.filter((_, index) => index !== 4).map((tab) => tab.live()));
  });

  test('a tab that nobody sees gives its place back after five seconds, and takes one when it is seen', async () => {
    const { running } = await startScene({ open: 1 });
    const context = await browser.newContext();
    atTestEnd(() => context.close());
    await context.clock.install();
    const view = await (await AdminPage.inContext(context, running)).live();
    const becomes = (state: string): Promise<unknown> =>
      view.page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
    await becomes('hidden');
    await context.clock.fastForward(5_000);
    await view.shows('#live', 'paused while hidden');
    await becomes('visible');
    await view.shows('#live', /^live$/);
    expect(view.faults).toEqual([]);
  });

  test('says that it is not live when framegate is gone', async () => {
    const { running } = await startScene({ open: 1 });
    const view = await (await AdminPage.open(browser, running)).live();
    await running.stop();
    await view.shows('#live', 'not live: no answer');
  });
});
