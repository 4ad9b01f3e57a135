#!/usr/bin/env node
// Extensions in a browser of one's own: node extensions.mjs GHOSTMUX [BROWSER]
//
// Puppeteer's examples for extensions, with `?isolation=dedicated` in place of a launch, and Playwright's, in a full Chrome.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { openSite, runAll, same } from './acts.mjs';
import { findFullBrowser, openGhostmux } from './endpoint.mjs';
import { folder } from './process.mjs';

const [program, path = findFullBrowser()] = process.argv.slice(2);
if (!path) {
  console.log('skipped: no full Chrome is installed, and headless shell has no extensions');
  process.exit(0);
}

const { home } = await openSite();

/** An extension that marks each page. With a background it has a service worker and a popup too. */
function write(directory, name, hasBackground = false) {
  const background = { background: { service_worker: 'worker.js' }, action: { default_popup: 'popup.html' }, permissions: ['storage'] };
  const files = {
    'manifest.json': JSON.stringify({
      manifest_version: 3, name, version: '1.0', ...(hasBackground ? background : {}),
      content_scripts: [{ matches: ['<all_urls>'], js: ['mark.js'], run_at: 'document_start' }],
    }),
    'mark.js': `document.documentElement.dataset.mark = '${name}';`,
    'worker.js': `globalThis.started = 'started'; chrome.storage.local.set({ by: '${name}' });`,
    'popup.html': '<!doctype html><title>popup</title><p id="popup">popup',
  };
  mkdirSync(join(directory, name));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, name, file), text);
}

const connect = (address, query) => puppeteer.connect({ browserWSEndpoint: `ws://${address}/?${query}` });
const launch = options => `launch=${encodeURIComponent(JSON.stringify(options))}`;
const markOf = async browser => {
  const page = await browser.newPage();
  await page.goto(home);
  return page.evaluate(() => document.documentElement.dataset.mark ?? null);
};
const ACTS = {
  async 'Puppeteer installs an extension, and removes it'(address) {
    const browser = await connect(address, 'isolation=dedicated');
    same(await markOf(browser), null, 'before');
    const id = await browser.installExtension('marks');
    same(await markOf(browser), 'marks', 'mark');
    const all = [...await browser.extensions()].map(([key, one]) => [key, one.name, one.version, one.path]);
    same(all, [[id, 'marks', '1.0', 'marks']], 'extensions');
    await browser.uninstallExtension(id);
    same(await markOf(browser), null, 'after');
    await browser.close();
  },
  async 'Puppeteer: enableExtensions, as when it launches'(address) {
    const able = await connect(address, launch({ enableExtensions: true, headless: true }));
    await able.installExtension('marks');
    same(await markOf(able), 'marks', 'of one that was installed');
    await able.close();
    const listed = await connect(address, launch({ enableExtensions: ['marks'] }));
    same(await markOf(listed), 'marks', 'of the list');
    await listed.close();
  },
  async 'Playwright: extensions by flags, as it launches a persistent context'(address) {
    const flags = '--disable-extensions-except=marks&--load-extension=marks';
    const browser = await chromium.connectOverCDP(`ws://${address}/?${flags}`);
    const [context] = browser.contexts();
    const page = await context.newPage();
    await page.goto(home);
    await page.waitForFunction(() => document.documentElement.dataset.mark === 'marks');
    await browser.close();
  },
  async 'Puppeteer: the service worker of an extension, and its popup'(address) {
    const browser = await connect(address, 'isolation=dedicated');
    const id = await browser.installExtension('worker');
    const isWorker = target => target.type() === 'service_worker' && target.url() === `chrome-extension://${id}/worker.js`;
    const target = await browser.waitForTarget(isWorker);
    const worker = await target.worker();
    same(await worker.evaluate('globalThis.started'), 'started', 'in the worker');
    const cdp = await target.createCDPSession();
    const { data } = await cdp.send('Extensions.getStorageItems', { id, storageArea: 'local' });
    same(data, { by: 'worker' }, 'storage');
    await cdp.send('Extensions.setStorageItems', { id, storageArea: 'local', values: { by: 'a client' } });
    same(await worker.evaluate("chrome.storage.local.get('by')"), { by: 'a client' }, 'storage in the worker');
    const page = await browser.newPage();
    await page.goto(`chrome-extension://${id}/popup.html`);
    same(await page.title(), 'popup', 'the popup as a page');
    await browser.uninstallExtension(id);
    await browser.close();
  },
  async 'Playwright: the service worker of an extension, and its popup'(address) {
    const flags = '--disable-extensions-except=worker&--load-extension=worker';
    const browser = await chromium.connectOverCDP(`ws://${address}/?isolation=dedicated&${flags}`);
    const [context] = browser.contexts();
    const [worker = await context.waitForEvent('serviceworker')] = context.serviceWorkers();
    const [, , id] = worker.url().split('/');
    same(await worker.evaluate(() => globalThis.started), 'started', 'in the worker');
    const page = await context.newPage();
    await page.goto(`chrome-extension://${id}/popup.html`);
    same(await page.textContent('#popup'), 'popup', 'the popup as a page');
    await browser.close();
  },
  async 'an installed extension stays with user data'(address) {
    const first = await connect(address, 'user_data=shop');
    await first.installExtension('marks');
    await first.close();
    const again = await connect(address, 'user_data=shop');
    same(await markOf(again), 'marks', 'mark');
    await again.close();
    const worker = await connect(address, 'user_data=worker');
    const id = await worker.installExtension('worker');
    await worker.close();
    const third = await connect(address, 'user_data=worker');
    await third.waitForTarget(target => target.url() === `chrome-extension://${id}/worker.js`);
    await third.close();
  },
  async 'what is elsewhere, and a shared browser, are refused in words'(address) {
    const browser = await connect(address, 'isolation=dedicated');
    const elsewhere = await browser.installExtension('/etc').then(() => 'nothing', error => error.message);
    if (!elsewhere.includes('below extensions_dir')) throw new Error(`elsewhere: ${elsewhere}`);
    await browser.close();
    const shared = await connect(address, '');
    const refused = await shared.installExtension('marks').then(() => 'nothing', error => error.message);
    if (!refused.includes('isolation=dedicated')) throw new Error(`shared: ${refused}`);
    await shared.close();
  },
};

const extensions = folder('extensions');
write(extensions, 'marks');
write(extensions, 'worker', true);
const flags = ['--extensions-dir', extensions, '--profiles-dir', folder('profiles')];
await runAll(ACTS, await openGhostmux(program, path, flags));
