// The page of an admin listener in a real browser: opened in a window of some size and colour, and watched for whatever
// a page must not do.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { atTestEnd } from '../support/cleanup.ts';
import type { RunningProxy } from '../support/harness.ts';

/** For anything to show. */
const WAIT_MS = 15_000;

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  readonly scripts?: boolean;
}

/** A proxy, or the URL of its admin listener. */
type Where = Pick<RunningProxy, 'proxy'> | string;

/** Of the admin listener, with a slash behind it. */
export function adminUrl({ proxy }: Pick<RunningProxy, 'proxy'>): string {
  const address = proxy.adminAddress();
  return `http://127.0.0.1:${typeof address === 'string' ? 0 : address.port}/`;
}

export class AdminPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts, refused things, boxes that opened, and requests to other hosts. */
  readonly faults: string[] = [];
  /** Requests to the listener. */
  readonly asked: string[] = [];

  private constructor(page: Page, context: BrowserContext, origin: string) {
    this.page = page;
    this.context = context;
    page.on('pageerror', ({ message }) => this.faults.push(`error: ${message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`said: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
      this.faults.push(`a box opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (request.url().startsWith(origin))
        this.asked.push(`${request.method()} ${request.url().slice(origin.length)}`);
    });
    page.on('response', (response) => {
      if (!response.url().startsWith(origin)) this.faults.push(`asked another host: ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText;
      if (!request.url().startsWith(origin) && why !== 'csp') this.faults.push(`asked another host: ${request.url()}`);
    });
  }

  /** A window of its own, closed when the test ends. */
  static async open(browser: Browser, where: Where, look: Look = {}): Promise<AdminPage> {
    const { width = 1280, height = 900, scheme = 'light', scripts = true } = look;
    const viewport = { width, height };
    const context = await browser.newContext({ viewport, colorScheme: scheme, javaScriptEnabled: scripts });
    context.setDefaultTimeout(WAIT_MS);
    atTestEnd(() => context.close());
    return AdminPage.inContext(context, where);
  }

  /** One more tab. */
  static async inContext(context: BrowserContext, where: Where): Promise<AdminPage> {
    const url = typeof where === 'string' ? where : adminUrl(where);
    const opened = new AdminPage(await context.newPage(), context, url);
    await opened.page.goto(url);
    return opened;
  }

  /** Until the stream has told a second and the parts. */
  async live(): Promise<this> {
    await this.shows('#live', /^live$/);
    await this.page.locator('#facts:not(:empty)').waitFor();
    return this;
  }

  /** Until the element says so, whole or in part. */
  async shows(selector: string, text: string | RegExp): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor();
  }

  async unlock(token: string): Promise<void> {
    await this.page.locator('#token').fill(token);
    await this.page.keyboard.press('Enter');
  }

  text(selector: string): Promise<string> {
    return this.page.locator(selector).first().innerText();
  }

  button(name: string | RegExp): ReturnType<Page['getByRole']> {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' });
  }

  /** Presses Tab until `selector` has the focus; how often. */
  async tabTo(selector: string, most = 120): Promise<number> {
    for (let presses = 1; presses <= most; presses += 1) {
      await this.page.keyboard.press('Tab');
      if (await this.hasFocus(selector)) return presses;
    }
    throw new Error(`${selector} has no focus after ${most} presses of Tab`);
  }

  hasFocus(selector: string): Promise<boolean> {
    return this.page.evaluate(`document.activeElement?.matches(${JSON.stringify(selector)}) === true`);
  }

  /** How much wider the page is than its window. */
  overflow(): Promise<number> {
    return this.page.evaluate('document.documentElement.scrollWidth - innerWidth');
  }
}
