// The page and its files: who gets them, and what goes with them.

import { describe, expect, test } from 'vitest';
import { readPage } from '../../src/admin/page-files.ts';
import { startAdmin } from '../support/admin.ts';

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
