#!/usr/bin/env node
// Puppeteer and Playwright on one session at once, as on one Chrome: node shared.mjs GHOSTMUX [BROWSER]
//
// Both connect by the URL of one `/json/version`. Each opens pages and pop-ups, the other sees them, and both evaluate in them; one
// leaves, the other goes on; `Browser.close` of one disconnects both; `exclusive=true` and `takeover=true`.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { until } from './suite.mjs';

const PATIENCE_MS = 60_000;

const within = (what, promise) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  promise.then(resolve, reject).finally(() => clearTimeout(timer));
});

function equal(what, found, wanted) {
  if (`${found}` !== `${wanted}`) throw new Error(`${what}: ${found}, not ${wanted}`);
}

const site = createServer((request, response) => {
  const script = request.url.startsWith('/popup') ? '<script>window.seen = window.marker ?? null</script>' : '';
  response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    .end(`<!doctype html><link rel="icon" href="data:,"><title>${request.url}</title>${script}`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `http://127.0.0.1:${site.address().port}`;

/** Puppeteer as one user of a session, Playwright as another. */
const USERS = {
  async Puppeteer(url) {
    const browser = await puppeteer.connect({ browserWSEndpoint: url });
    return {
      browser,
      gone: new Promise(resolve => { browser.once('disconnected', resolve); }),
      newPage: () => browser.newPage(),
      see: async path => (await browser.waitForTarget(target => target.type() === 'page' && target.url() === home + path)).page(),
      popupOf: page => new Promise(resolve => { page.once('popup', resolve); }),
      leave: () => browser.disconnect(),
      end: () => browser.close(),
    };
  },
  async Playwright(url) {
    const browser = await chromium.connectOverCDP(url);
    const [context] = browser.contexts();
    return {
      browser,
      gone: new Promise(resolve => { browser.once('disconnected', resolve); }),
      newPage: () => context.newPage(),
      see: path => until(`Playwright sees ${path}`, () => context.pages().find(page => page.url() === home + path)),
      popupOf: page => page.waitForEvent('popup'),
      prepare: () => context.addInitScript(() => { globalThis.marker = 'Playwright'; }),
      leave: () => browser.close(),
      end: async () => (await browser.newBrowserCDPSession()).send('Browser.close').catch(() => {}),
    };
  },
};

/** Both on one session, `first` the earlier one. */
async function pair(ghostmux, first, query = '') {
  const { webSocketDebuggerUrl: url } = await (await fetch(`http://${ghostmux.host}:${ghostmux.port}/json/version`)).json();
  const second = Object.keys(USERS).find(name => name !== first);
  return { url, one: await USERS[first](url + query), other: await USERS[second](url) };
}

// `maker` opens a page and a pop-up of it; `watcher` sees both.
async function opens(maker, watcher, path) {
  const page = await within('a new page', maker.newPage());
  await within('a navigation', page.goto(home + path));
  const same = await within('the page of the other', watcher.see(path));
  await page.evaluate(() => { globalThis.n = 1; });
  equal('what both have in one page', await within('an evaluation', same.evaluate(() => ++globalThis.n)), 2);
  const popup = within('a pop-up', maker.popupOf(page));
  const theirs = within('the pop-up of the other', watcher.popupOf(same));
  await page.evaluate(url => { window.open(url); }, `/popup${path}`);
  const [mine, their] = await Promise.all([popup, theirs]);
  await within('the pop-up to load', mine.waitForFunction(() => document.readyState === 'complete' && location.pathname.startsWith('/popup')));
  equal('the pop-up', await within('an evaluation', their.evaluate(() => location.pathname)), `/popup${path}`);
  return { page, same, popup: their };
}

const ACTS = {
  async 'each opens, the other sees'(ghostmux, first) {
    const { one, other } = await pair(ghostmux, first);
    for (let round = 0; round < 3; round++) {
      await opens(one, other, `/one${round}`);
      await opens(other, one, `/other${round}`);
    }
    await Promise.all([one, other].map(user => user.leave()));
  },
  async 'pages of both at once'(ghostmux, first) {
    const { one, other } = await pair(ghostmux, first);
    const pages = await within('eight pages', Promise.all([one, other, one, other, one, other, one, other].map(user => user.newPage())));
    const sums = await within('their evaluations', Promise.all(pages.map((page, n) => page.evaluate(n => n * 2, n))));
    equal('the sums', sums, '0,2,4,6,8,10,12,14');
    await Promise.all([one, other].map(user => user.leave()));
  },
  async 'one leaves, the other goes on'(ghostmux, first) {
    const { one, other } = await pair(ghostmux, first);
    const { same } = await opens(one, other, '/left');
    await one.leave();
    equal('the page that is left', await within('an evaluation', same.evaluate(() => ++globalThis.n)), 3);
    const page = await within('a new page', other.newPage());
    await within('a navigation', page.goto(`${home}/alone`));
    equal('the new page', await page.title(), '/alone');
    await other.leave();
  },
  async 'a pop-up waits for both'(ghostmux, first) {
    const { one, other } = await pair(ghostmux, first);
    const [puppet, playwright] = first === 'Puppeteer' ? [one, other] : [other, one];
    await playwright.prepare();
    for (let round = 0; round < 5; round++) {
      const { popup } = await opens(puppet, playwright, `/prepared${round}`);
      equal('what Playwright prepared for it', await popup.evaluate(() => globalThis.seen), 'Playwright');
    }
    await Promise.all([one, other].map(user => user.leave()));
  },
  async 'Browser.close ends it for both'(ghostmux, first) {
    const { one, other } = await pair(ghostmux, first);
    await one.end();
    await within('both to be disconnected', Promise.all([one.gone, other.gone]));
  },
  async 'takeover=true sends both away'(ghostmux, first) {
    const { url, one, other } = await pair(ghostmux, first, '?keep_alive=1m');
    const third = await within('a third client', USERS[first](`${url}?takeover=true`));
    await within('both to be disconnected', Promise.all([one.gone, other.gone]));
    await within('a new page', third.newPage());
    await third.leave();
  },
  async 'exclusive=true keeps others out'(ghostmux, first) {
    const { webSocketDebuggerUrl: url } = await (await fetch(`http://${ghostmux.host}:${ghostmux.port}/json/version`)).json();
    const alone = await USERS[first](`${url}?exclusive=true`);
    const refused = await USERS.Playwright(url).then(() => 'let in', error => error.message);
    if (!/409 .*exclusive=true/.test(refused)) throw new Error(`the second client: ${refused}`);
    await alone.leave();
  },
};

const [program, path] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path ?? findBrowser());
let failed = 0;
for (const [name, act] of Object.entries(ACTS)) {
  for (const first of Object.keys(USERS)) {
    const result = await within(name, act(ghostmux, first)).then(() => 'ok', error => `FAILED ${error.stack}`);
    console.log(`${first} first, ${name}: ${result}`);
    failed += result === 'ok' ? 0 : 1;
  }
}
site.close();
await finish(ghostmux, failed > 0);
