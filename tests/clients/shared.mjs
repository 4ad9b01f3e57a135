#!/usr/bin/env node
// Puppeteer and Playwright on one session at once, beside both on one plain Chrome: node shared.mjs GHOSTMUX [BROWSER]
//
// Both connect by the URL of one `/json/version`, in either order. Each act is done with a plain Chrome and with ghostmux, and its
// value (what pages, clients and the web site saw) must be the same. `DIFFERENT` has what cannot be, with the reason.
// `exclusive=true` and `takeover=true`, which no Chrome has, are tried with ghostmux alone.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux, openPlainChrome } from './endpoint.mjs';
import { folder, removeFolder } from './process.mjs';
import { openSite } from './site.mjs';
import { until, within } from './suite.mjs';

const PATIENCE_MS = 60_000;
/** How often a pop-up is to wait for both: chance alone lets one of two through. */
const PREPARED = 4;
const soon = (what, promise) => within(PATIENCE_MS, what, promise);
const heard = (emitter, event) => soon(event, new Promise(resolve => { emitter.once(event, resolve); }));

function equal(what, found, wanted) {
  if (`${found}` !== `${wanted}`) throw new Error(`${what}: ${found}, not ${wanted}`);
}

const site = await openSite();
const { home } = site;
const files = folder('downloads');
const contents = path => { try { return readFileSync(path, 'utf8'); } catch { return 'no file'; } };
const extra = headers => ({ ...headers, 'x-extra': `${headers['x-extra'] ?? ''}+` });

/** Puppeteer as one user of a session, Playwright as another, with one vocabulary. */
const USERS = {
  async Puppeteer(url) {
    const browser = await puppeteer.connect({ browserWSEndpoint: url });
    const root = await browser.target().createCDPSession();
    // Playwright sets it too, when it connects.
    await root.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: files, eventsEnabled: true });
    return {
      browser,
      gone: heard(browser, 'disconnected'),
      newPage: () => browser.newPage(),
      pages: () => browser.pages(),
      see: async path => (await browser.waitForTarget(target => target.type() === 'page' && target.url() === home + path)).page(),
      popupOf: page => heard(page, 'popup'),
      workerOf: page => (page.workers().length > 0 ? page.workers()[0] : heard(page, 'workercreated')),
      async intercept(page, reply) {
        await page.setRequestInterception(true);
        page.on('request', request => {
          if (!/extra|replied/.test(request.url())) return request.continue();
          return reply ? request.respond({ body: 'by Puppeteer' }) : request.continue({ headers: extra(request.headers()) });
        });
      },
      async download() {
        const began = heard(root, 'Browser.downloadWillBegin');
        const over = new Promise(resolve => {
          root.on('Browser.downloadProgress', ({ state }) => { if (state !== 'inProgress') resolve(state); });
        });
        const { suggestedFilename: name } = await began;
        const state = await soon('the end of a download', over);
        return { name, state, text: contents(join(files, name)) };
      },
      leave: () => browser.disconnect(),
      end: () => browser.close(),
    };
  },
  async Playwright(url) {
    const browser = await chromium.connectOverCDP(url);
    const [context] = browser.contexts();
    return {
      browser,
      gone: heard(browser, 'disconnected'),
      newPage: () => context.newPage(),
      pages: async () => context.pages(),
      see: path => until(`Playwright sees ${path}`, () => context.pages().find(page => page.url() === home + path)),
      popupOf: page => page.waitForEvent('popup'),
      workerOf: page => (page.workers().length > 0 ? page.workers()[0] : page.waitForEvent('worker')),
      prepare: () => context.addInitScript(() => { globalThis.marker = 'Playwright'; }),
      intercept: (page, reply) => page.route(/extra|replied/, route => (
        reply ? route.fulfill({ body: 'by Playwright' }) : route.continue({ headers: extra(route.request().headers()) }))),
      async download(page) {
        const download = await page.waitForEvent('download');
        const failure = await soon('the end of a download', download.failure());
        return { name: download.suggestedFilename(), state: failure ?? 'completed', text: contents(await download.path().catch(() => '')) };
      },
      leave: () => browser.close(),
      end: async () => (await browser.newBrowserCDPSession()).send('Browser.close').catch(() => {}),
    };
  },
};

const urlOf = async ({ host, port }) => (await (await fetch(`http://${host}:${port}/json/version`)).json()).webSocketDebuggerUrl;

/** Has both perform an act, `first` the earlier one; returns its value. */
async function together(endpoint, first, act) {
  const url = await urlOf(endpoint);
  const second = Object.keys(USERS).find(name => name !== first);
  const users = { [first]: await USERS[first](url), [second]: await USERS[second](url) };
  const [one, other] = Object.values(users);
  try {
    return await soon('the act', act({ one, other, ...users }));
  } finally {
    // The next act finds a plain Chrome as this one did.
    const remaining = other.browser.isConnected?.() ?? other.browser.connected;
    if (remaining) await Promise.allSettled((await other.pages()).slice(1).map(page => page.close()));
    await Promise.allSettled([one, other].map(user => user.leave()));
  }
}

/** A page of `maker`'s, and the same page of `watcher`'s. */
async function sharedPage(maker, watcher, path) {
  const page = await soon('a new page', maker.newPage());
  await soon('a navigation', page.goto(home + path));
  return [page, await soon('the page of the other', watcher.see(path))];
}

// `maker` opens a page and a pop-up of it; `watcher` sees both.
async function opens(maker, watcher, name) {
  const [page, same] = await sharedPage(maker, watcher, `/blank?${name}`);
  await page.evaluate(() => { globalThis.n = 1; });
  const counted = await soon('an evaluation', same.evaluate(() => ++globalThis.n));
  const popups = [maker.popupOf(page), watcher.popupOf(same)];
  await page.evaluate(url => { window.open(url); }, `/popup?${name}`);
  const [mine, their] = await soon('the pop-up of both', Promise.all(popups));
  await soon('the pop-up to load', mine.waitForFunction(() => document.readyState === 'complete' && location.pathname === '/popup'));
  const popup = await soon('an evaluation', their.evaluate(() => [location.search, window.seen.opener, window.seen.marker]));
  return { same, value: { counted, popup } };
}

/** What the answer to a request of a page is. */
const ask = (page, path) => soon('an answer', page.evaluate(url => fetch(url).then(got => got.text()), path));

const ACTS = {
  async 'each opens, the other sees'({ one, other }) {
    const seen = [];
    for (let round = 0; round < 2; round++) {
      seen.push((await opens(one, other, `one${round}`)).value);
      seen.push((await opens(other, one, `other${round}`)).value);
    }
    return seen;
  },
  async 'pages of both at once'({ one, other }) {
    const pages = await soon('eight pages', Promise.all([one, other, one, other, one, other, one, other].map(user => user.newPage())));
    return soon('their evaluations', Promise.all(pages.map((page, n) => page.evaluate(n => n * 2, n))));
  },
  async 'one leaves, the other goes on'({ one, other }) {
    const { same } = await opens(one, other, 'left');
    await one.leave();
    const counted = await soon('an evaluation', same.evaluate(() => ++globalThis.n));
    const page = await soon('a new page', other.newPage());
    await soon('a navigation', page.goto(`${home}/second`));
    return { counted, title: await page.title() };
  },
  async 'a pop-up waits for both'({ Puppeteer, Playwright }) {
    await Playwright.prepare();
    const seen = [];
    for (let round = 0; round < PREPARED; round++) seen.push((await opens(Puppeteer, Playwright, `prepared${round}`)).value);
    return seen;
  },
  async 'both intercept one page'({ one, other }) {
    const [page, same] = await sharedPage(one, other, '/blank?intercepted');
    await one.intercept(page);
    const alone = JSON.parse(await ask(page, '/headers?extra')).extra;
    await other.intercept(same);
    const both = JSON.parse(await ask(same, '/headers?extra')).extra;
    await one.leave();
    return { alone, both, left: JSON.parse(await ask(same, '/headers?extra')).extra };
  },
  async 'one answers what the other asks for'({ one, other }) {
    const [page, same] = await sharedPage(one, other, '/blank?replied-page');
    await other.intercept(same, true);
    const replied = await ask(page, '/replied');
    return { replied, others: JSON.parse(await ask(page, '/data.json')).answer };
  },
  async 'a download'({ one, other, Playwright }) {
    const [page, same] = await sharedPage(one, other, '/download');
    const downloads = [one.download(page), other.download(same)];
    await page.evaluate(() => document.querySelector('#get').click());
    const [mine, theirs] = await soon('both downloads', Promise.all(downloads));
    return one === Playwright ? { Playwright: mine, Puppeteer: theirs } : { Playwright: theirs, Puppeteer: mine };
  },
  async 'a worker'({ one, other }) {
    const [page, same] = await sharedPage(one, other, '/blank?workers');
    const workers = [one.workerOf(page), other.workerOf(same)];
    await page.evaluate(() => { globalThis.worker = new Worker('/worker.js'); });
    const [mine, theirs] = await soon('the worker of both', Promise.all(workers));
    const answers = await soon('evaluations in it', Promise.all([mine.evaluate(() => self.answer), theirs.evaluate(() => self.twice(4))]));
    await page.evaluate(() => globalThis.worker.terminate());
    await Promise.all([page, same].map(each => until('the worker is gone', () => each.workers().length === 0)));
    return { answers, path: [mine, theirs].map(worker => worker.url().replace(home, '')) };
  },
  async 'a dialog'({ one, other }) {
    const [page, same] = await sharedPage(one, other, '/blank?dialogs');
    const opened = [page, same].map(each => heard(each, 'dialog'));
    const answer = page.evaluate(() => prompt('name?', 'nobody'));
    const [mine, theirs] = await soon('the dialog of both', Promise.all(opened));
    await theirs.accept('Ada');
    const late = await soon('a second answer', mine.dismiss().then(() => 'taken', () => 'refused'));
    return { answer: await soon('the answer', answer), message: [mine.message(), theirs.message()], late };
  },
  async 'one closes a page of the other'({ one, other }) {
    const [page, same] = await sharedPage(one, other, '/blank?closing');
    const closed = [page, same].map(each => heard(each, 'close'));
    await same.close();
    await soon('both to be told', Promise.all(closed));
    return [page, same].map(each => each.isClosed());
  },
  // The last one: it ends the plain Chrome.
  async 'Browser.close ends it for both'({ one, other }) {
    await one.end();
    await soon('both to be disconnected', Promise.all([one.gone, other.gone]));
    return 'both are disconnected';
  },
};

/** Acts whose values differ: the value with ghostmux, and why it is not that of a plain Chrome. */
const DIFFERENT = {
  'a pop-up waits for both': {
    value: Array.from({ length: PREPARED }, (_, round) => ({ counted: 2, popup: [`?prepared${round}`, true, 'Playwright'] })),
    why: 'a plain Chrome runs a pop-up as soon as one client resumes it; in about half of the rounds that is before the other has prepared it',
  },
};

/** What no Chrome has. */
const OWN = {
  async 'takeover=true sends both away'(ghostmux, first) {
    const url = await urlOf(ghostmux);
    const second = Object.keys(USERS).find(name => name !== first);
    const [one, other] = [await USERS[first](`${url}?keep_alive=1m`), await USERS[second](url)];
    const third = await soon('a third client', USERS[first](`${url}?takeover=true`));
    await soon('both to be disconnected', Promise.all([one.gone, other.gone]));
    await soon('a new page', third.newPage());
    await third.leave();
  },
  async 'exclusive=true keeps others out'(ghostmux, first) {
    const url = await urlOf(ghostmux);
    const alone = await USERS[first](`${url}?exclusive=true`);
    const refused = await USERS.Playwright(url).then(() => 'let in', error => error.message);
    equal('whether the second client was refused', /409 .*exclusive=true/.test(refused), true);
    await alone.leave();
  },
};

const [program, path] = process.argv.slice(2);
const browser = path ?? findBrowser();
const ghostmux = await openGhostmux(program, browser);
let failed = 0;
function report(name, problem) {
  console.log(`${name}: ${problem ? `FAILED ${problem}` : 'ok'}`);
  failed += problem ? 1 : 0;
}
const outcome = (endpoint, first, act) => together(endpoint, first, act).catch(error => ({ error: error.stack }));

for (const first of Object.keys(USERS)) {
  const chrome = await openPlainChrome(browser);
  for (const [name, act] of Object.entries(ACTS)) {
    const [plain, proxy] = [await outcome(chrome, first, act), await outcome(ghostmux, first, act)];
    const { value: wanted } = DIFFERENT[name] ?? { value: plain };
    const same = !proxy.error && isDeepStrictEqual(proxy, wanted);
    report(`${first} first, ${name}`, same ? null : `\n  plain Chrome: ${JSON.stringify(plain)}\n  wanted: ${JSON.stringify(wanted)}\n  ghostmux: ${JSON.stringify(proxy)}`);
  }
  await chrome.close();
  for (const [name, act] of Object.entries(OWN)) {
    report(`${first} first, ${name}`, await soon(name, act(ghostmux, first)).then(() => null, error => error.stack));
  }
}
site.close();
removeFolder(files);
await finish(ghostmux, failed > 0);
