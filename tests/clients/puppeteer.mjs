// Puppeteer: typical use, act by act.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { failure, next, performIfMain, pngSize, until } from './suite.mjs';

const act = (name, run) => ({ name, run });

/** An act on a new page of the default context, which shows `path`. */
const onPage = (name, path, run) => act(name, async here => {
  const page = await here.browser.newPage();
  try {
    await page.goto(here.home + path);
    return await run(page, here);
  } finally {
    await page.close();
  }
});

/** An act in a new context. */
const inContext = (name, run, options) => act(name, async here => {
  const context = await here.browser.createBrowserContext(options);
  try {
    return await run(context, here);
  } finally {
    await context.close();
  }
});

/** An act whose value is wrong in a plain Chrome when it loses a race. */
const racy = (expected, act) => ({ ...act, racyOnPlainChrome: expected });

const textOf = (page, selector) => page.$eval(selector, element => element.textContent);
const shown = (page, selector) => page.waitForFunction(
  selector => document.querySelector(selector).textContent, {}, selector).then(handle => handle.jsonValue());
const popupOf = async (page, selector) => {
  const [popup] = await Promise.all([next(page, 'popup'), page.click(selector)]);
  return popup;
};
const newTarget = (browser, path) => browser.waitForTarget(target => target.url().endsWith(path));
const withoutBrowserPages = targets => targets.filter(target => !target.url().startsWith('chrome://'));
const byName = (a, b) => (a.name < b.name ? -1 : 1);
const briefly = ({ name, value, domain, path, httpOnly, secure, sameSite, session }) =>
  ({ name, value, domain, path, httpOnly, secure, sameSite: sameSite ?? null, session });
const inside = (page, url) => until(`frame ${url}`, () => page.frames().find(frame => frame.url().endsWith(url)));

// Enables downloads into a new directory; returns promises of their events.
async function expectDownload(session, here, params = {}) {
  const folder = here.folder();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder, eventsEnabled: true, ...params });
  const began = next(session, 'Browser.downloadWillBegin');
  const done = next(session, 'Browser.downloadProgress', event => event.state === 'completed');
  return async () => {
    const { url, suggestedFilename } = await began;
    const { receivedBytes, totalBytes } = await done;
    const files = readdirSync(folder);
    return { url, suggestedFilename, receivedBytes, totalBytes, files, text: readFileSync(join(folder, files[0]), 'utf8') };
  };
}

// Sends the commands that prepare a popup as soon as its CDP session exists, before Puppeteer
// resumes it.
async function prepared(page, { browser }, kind) {
  const root = await browser.target().createCDPSession();
  const connection = root.connection();
  const prepare = session => {
    for (const [method, params] of [['Emulation.setUserAgentOverride', { userAgent: 'Prepared/1' }], ['Page.enable'],
      ['Page.addScriptToEvaluateOnNewDocument', { source: 'window.marker = "early"' }]]) session.send(method, params).catch(() => {});
  };
  connection.on('sessionattached', prepare);
  try {
    await page.click(`#${kind}`);
    const popup = await (await newTarget(browser, `/popup?${kind}`)).page();
    await popup.waitForFunction(() => window.seen);
    const seen = await popup.evaluate(() => window.seen);
    await popup.close();
    return seen;
  } finally {
    connection.off('sessionattached', prepare);
    await root.detach();
  }
}

export const acts = [
  // The initial state of the browser.
  act('starts with one blank page', async ({ browser }) => (await browser.pages()).map(page => page.url())),
  act('version', ({ browser }) => browser.version()),
  act('user agent', ({ browser }) => browser.userAgent()),
  act('is connected', ({ browser }) => ({ connected: browser.connected, process: browser.process() })),
  act('wsEndpoint is what was asked for', ({ browser, ws }) => browser.wsEndpoint() === ws),
  act('target() is the browser', ({ browser }) => ({ type: browser.target().type(), url: browser.target().url() })),
  act('targets() at start', ({ browser }) => withoutBrowserPages(browser.targets()).map(target => `${target.type()} ${target.url()}`).sort()),
  act('contexts at start', ({ browser }) => ({
    all: browser.browserContexts().length,
    defaultFirst: browser.browserContexts()[0] === browser.defaultBrowserContext(),
    defaultHasNoId: browser.defaultBrowserContext().id ?? null,
  })),
  act('default context cannot be closed', ({ browser }) => failure(() => browser.defaultBrowserContext().close())),
  act('connects by browserURL too', async ({ http }) => {
    const browser = await puppeteer.connect({ browserURL: http });
    const value = { version: await browser.version(), pages: (await browser.pages()).length };
    await browser.disconnect();
    return value;
  }),
  act('disconnect ends the connection', async ({ ws }) => {
    const browser = await puppeteer.connect({ browserWSEndpoint: ws });
    const page = await browser.newPage();
    await page.close();
    const gone = next(browser, 'disconnected');
    await browser.disconnect();
    await gone;
    return { connected: browser.connected, then: await failure(() => browser.version()) };
  }),

  // Pages.
  onPage('navigates', '/', async (page, { home }) => {
    const response = await page.goto(`${home}/second`);
    return { status: response.status(), url: page.url(), title: await page.title(), type: response.headers()['content-type'] };
  }),
  // Chrome may tell the headers of a redirect after the page has loaded. Puppeteer then gives no response from `goto()`.
  onPage('follows redirects', '/', async (page, { home }) => {
    const [response] = await Promise.all([page.waitForResponse(`${home}/second`), page.goto(`${home}/redirect`)]);
    return { url: response.url(), chain: response.request().redirectChain().map(request => request.url()) };
  }),
  onPage('clicks a link', '/', async page => {
    await Promise.all([page.waitForNavigation(), page.click('#next')]);
    return page.title();
  }),
  onPage('goes back, forward and reloads', '/', async (page, { home }) => {
    await page.goto(`${home}/second`);
    const titles = [];
    for (const move of ['goBack', 'goForward', 'reload']) {
      await page[move]();
      titles.push(await page.title());
    }
    return titles;
  }),
  onPage('navigation errors', '/', async page => failure(() => page.goto('http://127.0.0.1:1/'))),
  onPage('bad url', '/', async page => failure(() => page.goto('nonsense'))),
  onPage('404 is a response', '/', async (page, { home }) => (await page.goto(`${home}/missing`)).status()),
  onPage('slow page', '/', async (page, { home }) => {
    await page.goto(`${home}/slow`, { waitUntil: 'domcontentloaded' });
    return { text: await textOf(page, '#text'), state: await page.evaluate(() => document.readyState) };
  }),
  onPage('navigation timeout', '/', async (page, { home }) => {
    const { error } = await failure(() => page.goto(`${home}/slow`, { timeout: 300 }));
    return error;
  }),
  onPage('setContent and content', '/', async page => {
    await page.setContent('<p id="x">set</p>');
    return { text: await textOf(page, '#x'), length: (await page.content()).length };
  }),
  onPage('data url', '/', async page => {
    await page.goto('data:text/html,<title>Data</title>');
    return page.title();
  }),

  // Evaluation.
  onPage('evaluates', '/', page => page.evaluate((a, b) => ({ sum: a + b, list: [a, b], text: 'ü ✓ \u2028', none: null }), 1, 2)),
  onPage('evaluates promises', '/', page => page.evaluate(async () => (await fetch('/data.json')).json())),
  onPage('evaluation errors', '/', page => failure(() => page.evaluate(() => { throw new TypeError('on purpose'); }))),
  onPage('handles', '/', async page => {
    const handle = await page.evaluateHandle(() => ({ a: 1 }));
    const value = await handle.evaluate(object => object.a + 1);
    await handle.dispose();
    return value;
  }),
  onPage('large result', '/', page => page.evaluate(() => 'x'.repeat(3_000_000)).then(text => text.length)),
  onPage('large argument', '/', page => page.evaluate(text => text.length, 'y'.repeat(1_000_000))),
  onPage('many at once', '/', page => Promise.all(Array.from({ length: 50 }, (_, i) => page.evaluate(i => i * i, i)))),
  onPage('exposeFunction', '/', async page => {
    await page.exposeFunction('triple', n => n * 3);
    return page.evaluate(() => window.triple(14));
  }),
  onPage('exposed function survives navigation', '/', async (page, { home }) => {
    await page.exposeFunction('triple', n => n * 3);
    await page.goto(`${home}/second`);
    return page.evaluate(() => window.triple(5));
  }),
  onPage('evaluateOnNewDocument', '/', async (page, { home }) => {
    await page.evaluateOnNewDocument(() => { window.marker = 'set early'; });
    await page.goto(`${home}/popup`);
    return page.evaluate(() => window.seen.marker);
  }),

  // Input.
  onPage('types and clicks', '/form', async page => {
    await page.type('#who', 'Ada ü');
    await page.select('#colour', 'green');
    await page.click('#sure');
    await page.click('#go');
    return { out: await textOf(page, '#out'), keys: await textOf(page, '#keys') };
  }),
  onPage('presses keys', '/form', async page => {
    await page.focus('#who');
    await page.keyboard.type('abc');
    await page.keyboard.down('Shift');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.up('Shift');
    await page.keyboard.press('Backspace');
    return page.$eval('#who', input => input.value);
  }),
  onPage('hovers', '/form', async page => {
    await page.hover('#over');
    return textOf(page, '#over');
  }),
  onPage('locators', '/form', async page => {
    await page.locator('#who').fill('Grace');
    await page.locator('::-p-text(Go)').click();
    return textOf(page, '#out');
  }),
  onPage('waits for a selector', '/', async page => {
    const late = page.waitForSelector('#late');
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<p id="late">late</p>'));
    return (await late).evaluate(element => element.textContent);
  }),
  onPage('accessibility tree', '/form', async page => (await page.accessibility.snapshot()).children.map(node => `${node.role} ${node.name}`)),

  // Popups.
  onPage('popup with opener', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await popup.waitForFunction(() => window.seen);
    const value = {
      title: await popup.title(), url: popup.url(), seen: await popup.evaluate(() => window.seen),
      openerIsPage: popup.target().opener() === page.target(),
      sameContext: popup.browserContext() === page.browserContext(),
    };
    await popup.close();
    return value;
  }),
  onPage('opener and popup reach each other', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await popup.waitForFunction(() => window.seen);
    const value = [await page.evaluate(() => window.child.document.title), await popup.evaluate(() => window.opener.document.title)];
    await popup.close();
    return value;
  }),
  onPage('popup with window features', '/popups', async page => {
    const popup = await popupOf(page, '#named');
    await popup.waitForFunction(() => window.seen);
    const value = await popup.evaluate(() => window.name);
    await popup.close();
    return value;
  }),
  onPage('about:blank popup', '/popups', async page => {
    const popup = await popupOf(page, '#blank');
    const value = { url: popup.url(), title: await popup.title() };
    await popup.close();
    return value;
  }),
  onPage('noopener popup', '/popups', async (page, { browser }) => {
    await page.click('#noopener');
    const target = await newTarget(browser, '/popup?noopener');
    const popup = await target.page();
    await popup.waitForFunction(() => window.seen);
    const value = { opener: target.opener() === page.target(), seen: await popup.evaluate(() => window.seen) };
    await popup.close();
    return value;
  }),
  onPage('target=_blank link', '/popups', async (page, { browser }) => {
    await page.click('#link');
    const popup = await (await newTarget(browser, '/popup?link')).page();
    await popup.waitForFunction(() => window.seen);
    const value = await popup.evaluate(() => window.seen);
    await popup.close();
    return value;
  }),
  onPage('cross-origin popup', '/popups', async page => {
    const popup = await popupOf(page, '#cross');
    await popup.waitForFunction(() => window.seen);
    const value = { url: popup.url(), seen: await popup.evaluate(() => window.seen) };
    await popup.close();
    return value;
  }),
  onPage('popup closes itself', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await popup.waitForFunction(() => window.seen);
    const closed = next(popup, 'close');
    popup.click('#close').catch(() => {});
    await closed;
    return { closed: popup.isClosed(), seenByOpener: await page.evaluate(() => window.child.closed) };
  }),
  ...['opener', 'cross'].map(kind => onPage(`prepares a popup before it starts (${kind})`, '/popups', (page, here) => prepared(page, here, kind))),
  // For a page without opener, a plain Chrome sends the request before it pauses the page for
  // Puppeteer. What the page's own script observes there (`script`, `marker`) differs between runs,
  // and is not promised.
  ...['noopener', 'link'].map(kind => racy({ request: 'Prepared/1', opener: false },
    onPage(`prepares a popup before it starts (${kind})`, '/popups', async (page, here) => {
      const { request, opener } = await prepared(page, here, kind);
      return { request, opener };
    }))),
  ...['opener', 'noopener'].map(kind => onPage(`prepares a popup for its next load (${kind})`, '/popups', async (page, { browser }) => {
    const ready = new Promise(resolve => {
      browser.once('targetcreated', async target => {
        const popup = await target.page();
        await popup.setUserAgent({ userAgent: 'Prepared/1' });
        await popup.evaluateOnNewDocument(() => { window.marker = 'early'; });
        resolve(popup);
      });
    });
    await page.click(`#${kind}`);
    const popup = await ready;
    await popup.waitForFunction(() => window.seen);
    await popup.reload();
    const seen = await popup.evaluate(() => window.seen);
    await popup.close();
    return seen;
  })),

  // Targets and contexts.
  act('several pages, brought to front', async ({ browser, home }) => {
    const pages = [];
    for (const path of ['/', '/second', '/form']) {
      const page = await browser.newPage();
      await page.goto(home + path);
      pages.push(page);
    }
    const titles = [];
    for (const page of pages) {
      await page.bringToFront();
      titles.push([await page.title(), await page.evaluate(() => document.visibilityState)]);
    }
    const count = (await browser.pages()).length;
    for (const page of pages) await page.close();
    return { titles, count, after: (await browser.pages()).length };
  }),
  act('target events', async ({ browser, home }) => {
    const seen = [];
    const note = kind => target => target.type() === 'page' && seen.push(`${kind} ${target.url()}`);
    const listeners = ['targetcreated', 'targetchanged', 'targetdestroyed'].map(kind => [kind, note(kind)]);
    listeners.forEach(([kind, listener]) => browser.on(kind, listener));
    const page = await browser.newPage();
    await page.goto(`${home}/second`);
    await page.close();
    await until('targetdestroyed', () => seen.some(line => line.startsWith('targetdestroyed')));
    listeners.forEach(([kind, listener]) => browser.off(kind, listener));
    return seen;
  }),
  onPage('waitForTarget', '/popups', async (page, { browser, home }) => {
    const waiting = browser.waitForTarget(target => target.url() === `${home}/second`);
    await page.evaluate(() => { window.open('/second'); });
    const popup = await (await waiting).page();
    await popup.waitForSelector('h1');
    const value = await popup.title();
    await popup.close();
    return value;
  }),
  onPage('target of a page', '/', async (page, { browser }) => {
    const target = page.target();
    return { type: target.type(), url: target.url(), same: await target.page() === page, browser: target.browser() === browser,
      listed: browser.targets().includes(target), context: target.browserContext() === browser.defaultBrowserContext() };
  }),
  act('contexts are created and closed', async ({ browser, home }) => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.goto(home);
    const during = { contexts: browser.browserContexts().length, pages: (await context.pages()).length, hasId: Boolean(context.id),
      targets: context.targets().map(target => target.type()) };
    const closed = next(page, 'close');
    await context.close();
    await closed;
    return { during, after: browser.browserContexts().length, closed: context.closed, page: page.isClosed() };
  }),
  inContext('several pages in a context', async (context, { home }) => {
    const pages = await Promise.all(['/', '/second', '/form'].map(async path => {
      const page = await context.newPage();
      await page.goto(home + path);
      return page;
    }));
    return { titles: await Promise.all(pages.map(page => page.title())), count: (await context.pages()).length };
  }),
  inContext('popup stays in its context', async (context, { home }) => {
    const page = await context.newPage();
    await page.goto(`${home}/popups`);
    const popup = await popupOf(page, '#opener');
    await popup.waitForFunction(() => window.seen);
    return { same: popup.browserContext() === context, pages: (await context.pages()).length };
  }),
  inContext('storage is isolated', async (context, { browser, home }) => {
    const mine = await context.newPage();
    const theirs = await browser.newPage();
    for (const page of [mine, theirs]) await page.goto(`${home}/storage`);
    await mine.evaluate(() => { localStorage.setItem('key', 'mine'); });
    const value = [await mine.evaluate(() => localStorage.getItem('key')), await theirs.evaluate(() => localStorage.getItem('key'))];
    await theirs.close();
    return value;
  }),

  // Cookies.
  inContext('cookies are set, sent and read', async (context, { home }) => {
    const page = await context.newPage();
    await context.setCookie({ name: 'given', value: 'one', domain: '127.0.0.1', path: '/', sameSite: 'Lax', httpOnly: true });
    await page.goto(`${home}/set-cookie?served=two`);
    await page.goto(`${home}/cookies`);
    const sent = JSON.parse(await page.$eval('body', body => body.innerText));
    const all = (await context.cookies()).sort(byName).map(briefly);
    await context.deleteCookie(...(await context.cookies()).filter(cookie => cookie.name === 'given'));
    return { sent, all, left: (await context.cookies()).map(cookie => cookie.name) };
  }),
  inContext('cookies are isolated', async (context, { browser, home }) => {
    const other = await browser.createBrowserContext();
    for (const [owner, value] of [[context, 'a'], [other, 'b']]) {
      await owner.setCookie({ name: 'who', value, domain: '127.0.0.1', path: '/' });
    }
    const sent = [];
    for (const owner of [context, other]) {
      const page = await owner.newPage();
      await page.goto(`${home}/cookies`);
      sent.push(JSON.parse(await page.$eval('body', body => body.innerText)));
    }
    const names = (await browser.cookies()).map(cookie => cookie.value);
    await other.close();
    return { sent, inDefault: names };
  }),
  onPage('cookies of the default context', '/set-cookie?plain=yes', async (page, { browser }) => {
    await browser.setCookie({ name: 'extra', value: 'too', domain: '127.0.0.1', path: '/' });
    const before = (await browser.cookies()).map(briefly).sort(byName);
    const ofPage = (await page.cookies()).map(cookie => cookie.name).sort();
    await browser.deleteCookie(...await browser.cookies());
    return { before, ofPage, after: await browser.cookies() };
  }),

  // Network.
  onPage('intercepts: fulfil, abort, continue', '/', async (page, { home }) => {
    await page.setRequestInterception(true);
    page.on('request', request => {
      if (request.url().endsWith('/made-up')) request.respond({ status: 201, contentType: 'application/json', body: '{"made":"up"}' });
      else if (request.url().endsWith('/refused')) request.abort('blockedbyclient');
      else if (request.url().endsWith('/headers')) request.continue({ headers: { ...request.headers(), 'x-extra': 'added' } });
      else request.continue();
    });
    await page.goto(`${home}/second`);
    return page.evaluate(async () => ({
      fulfilled: await fetch('/made-up').then(async r => [r.status, await r.json()]),
      aborted: await fetch('/refused').then(() => 'went through', error => error.message),
      changed: (await (await fetch('/headers')).json()).extra,
    }));
  }),
  onPage('intercepts a navigation', '/', async (page, { home }) => {
    await page.setRequestInterception(true);
    page.on('request', request => request.respond({ contentType: 'text/html', body: '<title>Invented</title>' }));
    await page.goto(`${home}/nowhere`);
    return page.title();
  }),
  onPage('posts, and sees the post', '/', async page => {
    const waiting = page.waitForRequest(request => request.url().endsWith('/echo'));
    const answer = await page.evaluate(() => fetch('/echo', { method: 'POST', body: 'ping' }).then(r => r.json()));
    const request = await waiting;
    return { answer, method: request.method(), post: request.postData(), type: request.resourceType() };
  }),
  onPage('request and response events', '/', async (page, { home }) => {
    const seen = [];
    page.on('request', request => seen.push(`request ${request.method()} ${request.url()} ${request.resourceType()}`));
    page.on('response', response => seen.push(`response ${response.status()} ${response.url()}`));
    page.on('requestfinished', request => seen.push(`finished ${request.url()}`));
    await page.goto(`${home}/noise`);
    await page.waitForFunction(() => document.title === 'Quiet');
    await until('three finished', () => seen.filter(line => line.startsWith('finished')).length >= 3);
    return seen.sort();
  }),
  onPage('request failed event', '/', async page => {
    const failed = next(page, 'requestfailed');
    await page.evaluate(() => fetch('http://127.0.0.1:1/').catch(() => {}));
    return (await failed).failure().errorText;
  }),
  onPage('response body', '/', async page => {
    const [response] = await Promise.all([
      page.waitForResponse(response => response.url().endsWith('/data.json')),
      page.evaluate(() => { fetch('/data.json').then(r => r.text()); }),
    ]);
    return { json: await response.json(), ok: response.ok(), from: response.remoteAddress().ip };
  }),
  onPage('extra headers', '/', async (page, { home }) => {
    await page.setExtraHTTPHeaders({ 'x-extra': 'always' });
    await page.goto(`${home}/headers`);
    return JSON.parse(await page.$eval('body', body => body.innerText)).extra;
  }),
  inContext('authenticates', async (context, { home }) => {
    const page = await context.newPage();
    await page.authenticate({ username: 'user', password: 'pass' });
    return [(await page.goto(`${home}/secret`)).status(), await page.title()];
  }),
  onPage('offline mode', '/', async (page, { home }) => {
    await page.setOfflineMode(true);
    const offline = await failure(() => page.goto(`${home}/second`));
    await page.setOfflineMode(false);
    await page.goto(`${home}/second`);
    return { offline, after: await page.title() };
  }),
  onPage('network idle', '/', async (page, { home }) => {
    await page.goto(`${home}/noise`, { waitUntil: 'networkidle0' });
    return page.title();
  }),
  onPage('websocket of a page', '/socket', page => shown(page, '#said')),

  // Events.
  onPage('console and page errors', '/', async (page, { home }) => {
    const consoled = [];
    const thrown = next(page, 'pageerror');
    page.on('console', message => consoled.push(`${message.type()}: ${message.text()}`));
    await page.goto(`${home}/noise`);
    await page.waitForFunction(() => document.title === 'Quiet');
    await until('four messages', () => consoled.length >= 4);
    return { consoled: consoled.sort(), thrown: (await thrown).message };
  }),
  onPage('console arguments', '/', async page => {
    const said = next(page, 'console');
    await page.evaluate(() => console.log({ deep: [1, 2] }, 'text'));
    return Promise.all((await said).args().map(arg => arg.jsonValue()));
  }),
  onPage('load events', '/', async (page, { home }) => {
    const seen = [];
    for (const event of ['domcontentloaded', 'load', 'framenavigated']) page.on(event, () => seen.push(event));
    await page.goto(`${home}/second`);
    return seen;
  }),
  ...['alert', 'confirm', 'prompt'].map(kind => onPage(`dialog: ${kind}`, '/dialogs', async page => {
    const seen = [];
    page.on('dialog', async dialog => {
      seen.push([dialog.type(), dialog.message(), dialog.defaultValue()]);
      await dialog.accept(kind === 'prompt' ? 'somebody' : undefined);
    });
    await page.click(`#${kind}`);
    return { seen, out: await shown(page, '#out') };
  })),
  onPage('dialog: dismissed', '/dialogs', async page => {
    page.on('dialog', dialog => dialog.dismiss());
    await page.click('#confirm');
    return shown(page, '#out');
  }),
  act('dialog: beforeunload', async ({ browser, home }) => {
    const page = await browser.newPage();
    await page.goto(`${home}/leaving`);
    await page.click('#touch');
    const asked = next(page, 'dialog');
    const closed = next(page, 'close');
    await page.close({ runBeforeUnload: true });
    const dialog = await asked;
    await dialog.accept();
    await closed;
    return dialog.type();
  }),

  // Screenshots.
  onPage('screenshot', '/', async page => {
    await page.setViewport({ width: 640, height: 480 });
    return pngSize(await page.screenshot());
  }),
  onPage('screenshot of the full page', '/tall', async page => {
    await page.setViewport({ width: 500, height: 400 });
    const { width, height } = pngSize(await page.screenshot({ fullPage: true }));
    return { width, taller: height > 2000 };
  }),
  onPage('screenshot of an element, and clipped', '/form', async page => {
    await page.setViewport({ width: 640, height: 480, deviceScaleFactor: 2 });
    return [pngSize(await page.screenshot({ clip: { x: 10, y: 10, width: 100, height: 50 } })),
      pngSize(await (await page.$('#over')).screenshot()).width];
  }),
  onPage('screenshot as jpeg', '/', async page => Buffer.from(await page.screenshot({ type: 'jpeg', quality: 50 })).toString('hex', 0, 3)),
  onPage('pdf', '/', async page => Buffer.from(await page.pdf()).toString('latin1', 0, 4)),
  onPage('pdf as a stream', '/', async page => {
    const reader = (await page.createPDFStream()).getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return Buffer.from(value).toString('latin1', 0, 4);
  }),

  // Workers.
  onPage('dedicated worker', '/', async (page, { home }) => {
    const created = next(page, 'workercreated');
    await page.goto(`${home}/worker`);
    const worker = await created;
    const value = { url: worker.url(), answer: await worker.evaluate(() => self.answer), listed: page.workers().length, said: await shown(page, '#said') };
    const destroyed = next(page, 'workerdestroyed');
    await page.evaluate(() => window.worker.terminate());
    await destroyed;
    return { ...value, left: page.workers().length };
  }),
  onPage('shared worker', '/', async (page, { browser, home }) => {
    await page.goto(`${home}/shared`);
    const target = await browser.waitForTarget(target => target.type() === 'shared_worker');
    const worker = await target.worker();
    return { url: target.url(), answer: await worker.evaluate(() => self.answer), said: await shown(page, '#said') };
  }),
  inContext('service worker', async (context, { home }) => {
    const page = await context.newPage();
    await page.goto(`${home}/service`);
    const said = await shown(page, '#said');
    const target = await context.waitForTarget(target => target.type() === 'service_worker');
    const worker = await target.worker();
    const answer = await worker.evaluate(() => self.answer);
    return { said, url: target.url(), answer, served: await page.evaluate(() => fetch('/from-service').then(r => r.text())) };
  }),

  // Frames.
  onPage('frames', '/frames', async page => {
    await inside(page, '/blank?nested');
    await until('five frames', () => page.frames().length === 5);
    return page.frames().map(frame => `${frame.name()} ${frame.url()} in ${frame.parentFrame()?.name() ?? null}`).sort();
  }),
  ...['same', 'cross'].map(kind => onPage(`evaluates and clicks in a frame (${kind} origin)`, '/frames', async page => {
    const frame = await inside(page, `/frame?${kind}`);
    await (await frame.waitForSelector('#inner')).click();
    return { title: await frame.evaluate(() => document.title), clicked: await frame.$eval('#inner', button => button.textContent) };
  })),
  onPage('frames attach, navigate and detach', '/', async page => {
    const seen = [];
    for (const event of ['frameattached', 'framedetached']) page.on(event, () => seen.push(event));
    const attached = next(page, 'frameattached');
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<iframe id="added" src="/second"></iframe>'));
    await attached;
    const frame = await inside(page, '/second');
    await frame.waitForSelector('h1');
    const detached = next(page, 'framedetached');
    await page.evaluate(() => document.querySelector('#added').remove());
    await detached;
    return { seen, detached: frame.detached };
  }),

  // Files.
  onPage('uploads files', '/upload', async (page, here) => {
    const input = await page.$('#file');
    await input.uploadFile(here.file('one.txt', 'first'), here.file('two.txt', 'second'));
    return shown(page, '#out');
  }),
  onPage('uploads through a file chooser', '/upload', async (page, here) => {
    const [chooser] = await Promise.all([page.waitForFileChooser(), page.click('#file')]);
    await chooser.accept([here.file('three.txt', 'third')]);
    return { multiple: chooser.isMultiple(), out: await shown(page, '#out') };
  }),
  onPage('downloads (browser session)', '/download', async (page, here) => {
    const session = await here.browser.target().createCDPSession();
    const arrived = await expectDownload(session, here);
    await page.click('#get');
    const value = await arrived();
    await session.detach();
    return value;
  }),
  onPage('downloads (page session)', '/download', async (page, here) => {
    const session = await page.createCDPSession();
    const arrived = await expectDownload(session, here);
    await page.click('#get');
    const value = await arrived();
    await session.detach();
    return value;
  }),
  onPage('downloads from a child frame', '/download-frame', async (page, here) => {
    const session = await here.browser.target().createCDPSession();
    const arrived = await expectDownload(session, here);
    const frame = await inside(page, '/download');
    await (await frame.waitForSelector('#get')).click();
    const value = await arrived();
    await session.detach();
    return value;
  }),
  onPage('downloads under their guid', '/download', async (page, here) => {
    const session = await here.browser.target().createCDPSession();
    const began = next(session, 'Browser.downloadWillBegin');
    const arrived = await expectDownload(session, here, { behavior: 'allowAndName' });
    await page.click('#get');
    const { files, ...value } = await arrived();
    await session.detach();
    return { ...value, namedByGuid: files[0] === (await began).guid };
  }),
  act('download behaviour of a context', async here => {
    const folder = here.folder();
    const context = await here.browser.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: folder } });
    const page = await context.newPage();
    await page.goto(`${here.home}/download`);
    await page.click('#get');
    await until('the file', () => readdirSync(folder).includes('file.txt'));
    const text = readFileSync(join(folder, 'file.txt'), 'utf8');
    await context.close();
    return text;
  }),

  // Permissions and emulation.
  inContext('permissions', async (context, { home }) => {
    const page = await context.newPage();
    await page.goto(home);
    const state = () => page.evaluate(async () => (await navigator.permissions.query({ name: 'geolocation' })).state);
    const states = [await state()];
    await context.overridePermissions(home, ['geolocation']);
    states.push(await state());
    await context.clearPermissionOverrides();
    states.push(await state());
    await context.setPermission(home, { permission: { name: 'geolocation' }, state: 'denied' });
    states.push(await state());
    return states;
  }),
  inContext('geolocation', async (context, { home }) => {
    const page = await context.newPage();
    await page.goto(home);
    await context.overridePermissions(home, ['geolocation']);
    await page.setGeolocation({ latitude: 48.5, longitude: 9.25 });
    return page.evaluate(() => new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve([coords.latitude, coords.longitude]), error => reject(new Error(error.message)))));
  }),
  onPage('viewport', '/', async page => {
    await page.setViewport({ width: 375, height: 667, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    return page.evaluate(() => [innerWidth, innerHeight, devicePixelRatio, 'ontouchstart' in window]);
  }),
  onPage('emulates a device', '/', async (page, { home }) => {
    await page.emulate({ userAgent: 'Pocket/1', viewport: { width: 320, height: 200, deviceScaleFactor: 1, isMobile: false, hasTouch: false, isLandscape: false } });
    await page.goto(`${home}/headers`);
    const { agent } = JSON.parse(await page.$eval('body', body => body.innerText));
    return { agent, script: await page.evaluate(() => navigator.userAgent), width: await page.evaluate(() => innerWidth) };
  }),
  onPage('media, timezone, cpu and vision', '/', async page => {
    await page.emulateMediaType('print');
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await page.emulateTimezone('Asia/Tokyo');
    await page.emulateCPUThrottling(2);
    await page.emulateVisionDeficiency('deuteranopia');
    return page.evaluate(() => [matchMedia('print').matches, matchMedia('(prefers-color-scheme: dark)').matches, new Date(0).getHours()]);
  }),
  onPage('javascript switched off', '/', async (page, { home }) => {
    await page.setJavaScriptEnabled(false);
    await page.goto(`${home}/noise`);
    return page.title();
  }),
  onPage('metrics and coverage', '/', async (page, { home }) => {
    await page.coverage.startJSCoverage();
    await page.goto(`${home}/worker`);
    const coverage = await page.coverage.stopJSCoverage();
    return { files: coverage.map(entry => entry.url), metrics: Object.keys(await page.metrics()).length };
  }),

  // Raw commands.
  onPage('page.createCDPSession', '/', async page => {
    const session = await page.createCDPSession();
    const { result } = await session.send('Runtime.evaluate', { expression: '6 * 7' });
    const wrong = await failure(() => session.send('Page.noSuchThing'));
    await session.detach();
    return { result: result.value, wrong, detached: await failure(() => session.send('Runtime.enable')) };
  }),
  act('browser.target().createCDPSession', async ({ browser }) => {
    const session = await browser.target().createCDPSession();
    const { product } = await session.send('Browser.getVersion');
    const { targetInfos } = await session.send('Target.getTargets');
    const { targetInfo } = await session.send('Target.getTargetInfo');
    await session.detach();
    return { product, targets: targetInfos.filter(info => !info.url.startsWith('chrome://')).map(info => `${info.type} ${info.url}`), self: targetInfo.type };
  }),
  onPage('CDP events on a session of one\'s own', '/', async (page, { home }) => {
    const session = await page.createCDPSession();
    await session.send('Network.enable');
    const sent = next(session, 'Network.requestWillBeSent', event => event.request.url.endsWith('/second'));
    await page.goto(`${home}/second`);
    return (await sent).type;
  }),

  // The end.
  act('page.close', async ({ browser, home }) => {
    const page = await browser.newPage();
    await page.goto(home);
    const closed = next(page, 'close');
    await page.close();
    await closed;
    return { closed: page.isClosed(), then: await failure(() => page.evaluate(() => 1)) };
  }),
  act('page closed during navigation', async ({ browser, home }) => {
    const page = await browser.newPage();
    const going = failure(() => page.goto(`${home}/slow`));
    await page.waitForRequest(request => request.url().endsWith('/never'));
    await page.close();
    return (await going).error !== undefined;
  }),
  act('crash of a page', async ({ browser, home }) => {
    const page = await browser.newPage();
    await page.goto(home);
    const crashed = next(page, 'error');
    const session = await page.createCDPSession();
    session.send('Page.crash').catch(() => {});
    const { message } = await crashed;
    await page.close();
    return { message, browserLives: (await browser.version()).length > 0 };
  }),
  act('nothing is left', async ({ browser }) => ({
    pages: (await browser.pages()).map(page => page.url()), contexts: browser.browserContexts().length,
  })),
  act('browser.close', async ({ browser }) => {
    const gone = next(browser, 'disconnected');
    await browser.close();
    await gone;
    return browser.connected;
  }),
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ ws }) => ({ browser: await puppeteer.connect({ browserWSEndpoint: ws }) }),
  leave: ({ browser }) => browser.disconnect(),
});
