// Playwright over CDP: typical use, act by act.

import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { failure, performIfMain, pngSize, until, WAIT_MS } from './suite.mjs';

const act = (name, run) => ({ name, run });

/** An act on a new page of a new context, which shows `path`. */
const onPage = (name, path, run, options) => act(name, async here => {
  const context = await here.browser.newContext(options);
  context.setDefaultTimeout(WAIT_MS);
  try {
    const page = await context.newPage();
    await page.goto(here.home + path);
    return await run(page, { ...here, context });
  } finally {
    await context.close();
  }
});

/** An act on a new page of the existing context. */
const onDefaultPage = (name, path, run) => act(name, async here => {
  const [context] = here.browser.contexts();
  const page = await context.newPage();
  try {
    await page.goto(here.home + path);
    return await run(page, { ...here, context });
  } finally {
    await page.close();
  }
});

const popupOf = async (page, selector) => {
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(selector)]);
  return popup;
};
const seenBy = async popup => {
  await popup.waitForFunction(() => window.seen);
  return popup.evaluate(() => window.seen);
};
const shown = async (page, selector) => {
  await page.waitForFunction(selector => document.querySelector(selector).textContent, selector);
  return page.textContent(selector);
};
const bodyOf = page => page.innerText('body').then(JSON.parse);
const names = cookies => cookies.map(({ name, value }) => `${name}=${value}`).sort();
const saved = async (download, folder) => {
  const path = `${folder}/saved`;
  await download.saveAs(path);
  return { name: download.suggestedFilename(), url: download.url(), text: readFileSync(path, 'utf8'), failure: await download.failure() };
};

export const acts = [
  // The initial state of the browser.
  act('starts with one context and one blank page', ({ browser }) => browser.contexts().map(context => context.pages().map(page => page.url()))),
  act('the initial page works', async ({ browser, home }) => {
    const page = browser.contexts()[0].pages()[0];
    await page.goto(home);
    const title = await page.title();
    await page.goto('about:blank');
    return title;
  }),
  act('version', ({ browser }) => browser.version()),
  act('is connected', ({ browser }) => ({ connected: browser.isConnected(), type: browser.browserType().name() })),

  // Pages.
  onPage('navigates', '/', async (page, { home }) => {
    const response = await page.goto(`${home}/second`);
    return { status: response.status(), url: page.url(), title: await page.title(), type: (await response.allHeaders())['content-type'] };
  }),
  onPage('follows redirects', '/', async (page, { home }) => {
    const response = await page.goto(`${home}/redirect`);
    return { url: response.url(), from: response.request().redirectedFrom().url() };
  }),
  onPage('clicks a link', '/', async page => {
    await page.getByRole('link', { name: 'second' }).click();
    await page.waitForURL('**/second');
    return page.title();
  }),
  onPage('goes back, forward and reloads', '/', async (page, { home }) => {
    await page.goto(`${home}/second`);
    const titles = [];
    for (const move of ['goBack', 'goForward', 'reload']) {
      await page[move]({ waitUntil: 'commit' });
      titles.push(await page.locator('h1').textContent());
    }
    return titles;
  }),
  onPage('navigation errors', '/', page => failure(() => page.goto('http://127.0.0.1:1/'))),
  onPage('slow page', '/', async (page, { home }) => {
    await page.goto(`${home}/slow`, { waitUntil: 'domcontentloaded' });
    return { text: await page.textContent('#text'), late: (await failure(() => page.waitForLoadState('load', { timeout: 300 }))).error };
  }),
  onPage('setContent and content', '/', async page => {
    await page.setContent('<p id="x">set</p>');
    return [await page.textContent('#x'), await page.content()];
  }),
  onDefaultPage('a page of the default context', '/', async (page, { context }) => ({
    title: await page.title(), pages: context.pages().length, sameContext: page.context() === context,
  })),

  // Evaluation.
  onPage('evaluates', '/', page => page.evaluate(([a, b]) => ({ sum: a + b, text: 'ü ✓', none: null, list: [a, b] }), [1, 2])),
  onPage('evaluates promises', '/', page => page.evaluate(async () => (await fetch('/data.json')).json())),
  onPage('evaluation errors', '/', page => failure(() => page.evaluate(() => { throw new TypeError('on purpose'); }))),
  onPage('handles', '/', async page => {
    const handle = await page.evaluateHandle(() => ({ a: 1 }));
    return [await handle.evaluate(object => object.a + 1), await handle.jsonValue()];
  }),
  onPage('large result', '/', page => page.evaluate(() => 'x'.repeat(3_000_000)).then(text => text.length)),
  onPage('large argument', '/', page => page.evaluate(text => text.length, 'y'.repeat(1_000_000))),
  onPage('many at once', '/', page => Promise.all(Array.from({ length: 50 }, (_, i) => page.evaluate(i => i * i, i)))),
  onPage('exposeFunction', '/', async page => {
    await page.exposeFunction('triple', n => n * 3);
    return page.evaluate(() => window.triple(14));
  }),
  onPage('exposeBinding on the context reaches popups', '/popups', async (page, { context }) => {
    await context.exposeBinding('whoami', source => source.page.url());
    const popup = await popupOf(page, '#opener');
    await seenBy(popup);
    return [await page.evaluate(() => window.whoami()), await popup.evaluate(() => window.whoami())];
  }),
  onPage('addInitScript', '/', async (page, { home }) => {
    await page.addInitScript(() => { window.marker = 'set early'; });
    await page.goto(`${home}/popup`);
    return page.evaluate(() => window.seen.marker);
  }),
  onPage('waitForFunction polls', '/', async page => {
    const waiting = page.waitForFunction(() => window.ready);
    await page.evaluate(() => { window.ready = 'yes'; });
    return (await waiting).jsonValue();
  }),

  // Input.
  onPage('locators: fill, check, select, click', '/form', async page => {
    await page.getByPlaceholder('name').fill('Ada ü');
    await page.locator('#sure').check();
    await page.locator('#colour').selectOption('green');
    await page.getByRole('button', { name: 'Go' }).click();
    return page.locator('#out').textContent();
  }),
  onPage('types key by key', '/form', async page => {
    await page.locator('#who').pressSequentially('abc');
    await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Backspace');
    return { value: await page.inputValue('#who'), keys: await page.textContent('#keys') };
  }),
  onPage('hovers', '/form', async page => {
    await page.hover('#over');
    return page.textContent('#over');
  }),
  onPage('locator counts and filters', '/form', async page => [
    await page.locator('input').count(), await page.locator('option', { hasText: 'green' }).count(), await page.locator('#who').isVisible(),
  ]),
  onPage('aria snapshot', '/form', page => page.locator('body').ariaSnapshot()),

  // Popups.
  onPage('popup with opener', '/popups', async (page, { context }) => {
    const popup = await popupOf(page, '#opener');
    const seen = await seenBy(popup);
    return { title: await popup.title(), url: popup.url(), seen, opener: await popup.opener() === page, pages: context.pages().length };
  }),
  onPage('opener and popup reach each other', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await seenBy(popup);
    return [await page.evaluate(() => window.child.document.title), await popup.evaluate(() => window.opener.document.title)];
  }),
  ...['named', 'noopener', 'link', 'cross'].map(kind => onPage(`popup (${kind})`, '/popups', async (page, { context }) => {
    const [popup] = await Promise.all([context.waitForEvent('page'), page.click(`#${kind}`)]);
    const seen = await seenBy(popup);
    return { url: popup.url(), seen, opener: Boolean(await popup.opener()) };
  })),
  onPage('about:blank popup', '/popups', async page => {
    const popup = await popupOf(page, '#blank');
    return { url: popup.url(), title: await popup.title() };
  }),
  onPage('popup closes itself', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await seenBy(popup);
    // The page may close before its click is answered, in a plain Chrome too.
    await Promise.all([popup.waitForEvent('close'), popup.click('#close').catch(() => {})]);
    return [popup.isClosed(), await page.evaluate(() => window.child.closed)];
  }),
  ...['opener', 'cross', 'noopener', 'link'].map(kind => onPage(`init script, user agent and route reach a popup (${kind})`, '/popups', async (page, { context }) => {
    await context.addInitScript(() => { window.marker = 'early'; });
    const routed = [];
    await context.route('**/popup**', route => { routed.push(route.request().url()); return route.continue(); });
    const [popup] = await Promise.all([context.waitForEvent('page'), page.click(`#${kind}`)]);
    return { seen: await seenBy(popup), routed };
  }, { userAgent: 'Prepared/1' })),
  onPage('popup inherits viewport and locale', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await seenBy(popup);
    return popup.evaluate(() => [innerWidth, innerHeight, navigator.language]);
  }, { viewport: { width: 400, height: 300 }, locale: 'de-DE' }),

  // Contexts.
  act('contexts are created and closed', async ({ browser, home }) => {
    const before = browser.contexts().length;
    const context = await browser.newContext();
    const pages = await Promise.all(['/', '/second', '/form'].map(async path => {
      const page = await context.newPage();
      await page.goto(home + path);
      return page;
    }));
    const during = [browser.contexts().length - before, context.pages().length, await Promise.all(pages.map(page => page.title()))];
    await context.close();
    return { during, after: browser.contexts().length - before, closed: pages.map(page => page.isClosed()) };
  }),
  act('page events of a context', async ({ browser, home }) => {
    const context = await browser.newContext();
    const seen = [];
    context.on('page', page => { seen.push('page'); page.on('close', () => seen.push('close')); });
    context.on('close', () => seen.push('context closed'));
    const page = await context.newPage();
    await page.goto(home);
    await page.close();
    await context.newPage();
    await context.close();
    return seen;
  }),
  act('several pages, brought to front', async ({ browser, home }) => {
    const context = await browser.newContext();
    const pages = [await context.newPage(), await context.newPage(), await context.newPage()];
    const seen = [];
    for (const page of pages) {
      await page.bringToFront();
      await page.goto(`${home}/form`);
      await page.click('#go');
      seen.push(await page.evaluate(() => [document.visibilityState, document.hasFocus()]));
    }
    await context.close();
    return seen;
  }),
  act('storage is isolated', async ({ browser, home }) => {
    const read = [];
    const contexts = [await browser.newContext(), await browser.newContext()];
    for (const [i, context] of contexts.entries()) {
      const page = await context.newPage();
      await page.goto(`${home}/storage`);
      read.push(await page.evaluate(() => localStorage.getItem('key')));
      await page.evaluate(i => localStorage.setItem('key', `from ${i}`), i);
      read.push(await page.evaluate(() => localStorage.getItem('key')));
    }
    for (const context of contexts) await context.close();
    return read;
  }),
  act('storageState is saved and restored', async ({ browser, home }) => {
    const first = await browser.newContext();
    const page = await first.newPage();
    await page.goto(`${home}/set-cookie?kept=yes`);
    await page.evaluate(() => localStorage.setItem('key', 'kept'));
    const state = await first.storageState();
    await first.close();
    const second = await browser.newContext({ storageState: state });
    const again = await second.newPage();
    await again.goto(`${home}/cookies`);
    const value = { cookies: await bodyOf(again), local: await again.evaluate(() => localStorage.getItem('key')), origins: state.origins };
    await second.close();
    return value;
  }),

  // Cookies.
  onPage('cookies are set, sent, read and cleared', '/set-cookie?served=two', async (page, { context, home }) => {
    await context.addCookies([{ name: 'given', value: 'one', url: home, sameSite: 'Lax', httpOnly: true }]);
    await page.goto(`${home}/cookies`);
    const all = (await context.cookies()).sort((a, b) => (a.name < b.name ? -1 : 1));
    await context.clearCookies({ name: 'given' });
    return { sent: await bodyOf(page), all, left: names(await context.cookies()) };
  }),
  act('cookies are isolated', async ({ browser, home }) => {
    const contexts = [await browser.newContext(), await browser.newContext()];
    for (const [i, context] of contexts.entries()) await context.addCookies([{ name: 'who', value: `${i}`, url: home }]);
    const sent = [];
    for (const context of contexts) {
      const page = await context.newPage();
      await page.goto(`${home}/cookies`);
      sent.push(await bodyOf(page));
    }
    const inDefault = names(await browser.contexts()[0].cookies());
    for (const context of contexts) await context.close();
    return { sent, inDefault };
  }),
  onDefaultPage('cookies of the default context', '/set-cookie?plain=yes', async (page, { context, home }) => {
    await context.addCookies([{ name: 'extra', value: 'too', url: home }]);
    const before = names(await context.cookies());
    await context.clearCookies();
    return { before, after: await context.cookies() };
  }),

  // Network.
  onPage('routes: fulfil, abort, change', '/', async (page, { home }) => {
    await page.route('**/made-up', route => route.fulfill({ status: 201, json: { made: 'up' } }));
    await page.route('**/refused', route => route.abort());
    await page.route('**/headers', route => route.continue({ headers: { ...route.request().headers(), 'x-extra': 'added' } }));
    await page.goto(`${home}/second`);
    return page.evaluate(async () => ({
      fulfilled: await fetch('/made-up').then(async r => [r.status, await r.json()]),
      aborted: await fetch('/refused').then(() => 'went through', error => error.message),
      changed: (await (await fetch('/headers')).json()).extra,
    }));
  }),
  onPage('routes of the context cover every page', '/', async (page, { context, home }) => {
    await context.route('**/nowhere', route => route.fulfill({ contentType: 'text/html', body: '<title>Invented</title>' }));
    const other = await context.newPage();
    await other.goto(`${home}/nowhere`);
    await page.goto(`${home}/nowhere`);
    return [await page.title(), await other.title()];
  }),
  onPage('route.fetch changes an answer', '/', async page => {
    await page.route('**/data.json', async route => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...await response.json(), more: true } });
    });
    return page.evaluate(() => fetch('/data.json').then(r => r.json()));
  }),
  onPage('posts, and sees the post', '/', async page => {
    const waiting = page.waitForRequest('**/echo');
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
    await until('three finished', () => seen.filter(line => line.startsWith('finished')).length >= 3);
    return seen.sort();
  }),
  onPage('request failed event', '/', async page => {
    const [request] = await Promise.all([page.waitForEvent('requestfailed'), page.evaluate(() => fetch('http://127.0.0.1:1/').catch(() => {}))]);
    return request.failure().errorText;
  }),
  onPage('response body, sizes and server', '/', async page => {
    const [response] = await Promise.all([page.waitForResponse('**/data.json'), page.evaluate(() => { fetch('/data.json').then(r => r.text()); })]);
    return { json: await response.json(), body: (await response.request().sizes()).responseBodySize, ip: (await response.serverAddr()).ipAddress };
  }),
  onPage('extra headers', '/headers', async page => (await bodyOf(page)).extra, { extraHTTPHeaders: { 'x-extra': 'always' } }),
  onPage('http credentials', '/secret', page => page.title(), { httpCredentials: { username: 'user', password: 'pass' } }),
  onPage('offline', '/', async (page, { context, home }) => {
    await context.setOffline(true);
    const offline = await failure(() => page.goto(`${home}/second`));
    await context.setOffline(false);
    await page.goto(`${home}/second`);
    return { offline, after: await page.title() };
  }),
  onPage('network idle', '/', async (page, { home }) => {
    await page.goto(`${home}/noise`, { waitUntil: 'networkidle' });
    return page.title();
  }),
  onPage('websocket of a page', '/', async (page, { home }) => {
    const [socket] = await Promise.all([page.waitForEvent('websocket'), page.goto(`${home}/socket`)]);
    return [socket.url().replace(/\/\/.*\//, '//home/'), await shown(page, '#said')];
  }),
  onPage('routeWebSocket', '/', async (page, { home }) => {
    await page.routeWebSocket('**/echo-socket', socket => socket.onMessage(message => socket.send(`made up: ${message}`)));
    await page.goto(`${home}/socket`);
    return shown(page, '#said');
  }),
  onPage('requests of the context itself', '/set-cookie?api=1', async (page, { context, home }) => {
    const response = await context.request.get(`${home}/cookies`);
    return response.json();
  }),

  // Events.
  onPage('console and page errors', '/', async (page, { home }) => {
    const consoled = [];
    page.on('console', message => consoled.push(`${message.type()}: ${message.text()}`));
    const [error] = await Promise.all([page.waitForEvent('pageerror'), page.goto(`${home}/noise`)]);
    await until('four messages', () => consoled.length >= 4);
    return { consoled: consoled.sort(), thrown: error.message };
  }),
  onPage('console arguments', '/', async page => {
    const [message] = await Promise.all([page.waitForEvent('console'), page.evaluate(() => console.log({ deep: [1, 2] }, 'text'))]);
    return Promise.all(message.args().map(arg => arg.jsonValue()));
  }),
  onPage('console of every page through the context', '/', async (page, { context, home }) => {
    const thrown = context.waitForEvent('weberror');
    await page.goto(`${home}/noise`);
    return (await thrown).error().message;
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
  onPage('dialog: nobody listens', '/dialogs', async page => {
    await page.click('#confirm');
    return shown(page, '#out');
  }),
  onPage('dialog: beforeunload', '/leaving', async page => {
    await page.click('#touch');
    const asked = page.waitForEvent('dialog');
    const closed = page.waitForEvent('close');
    await page.close({ runBeforeUnload: true });
    const dialog = await asked;
    await dialog.accept();
    await closed;
    return dialog.type();
  }),

  // Screenshots.
  onPage('screenshot', '/', async page => pngSize(await page.screenshot()), { viewport: { width: 640, height: 480 } }),
  onPage('screenshot of the full page', '/tall', async page => {
    const { width, height } = pngSize(await page.screenshot({ fullPage: true }));
    return { width, taller: height > 2000 };
  }, { viewport: { width: 500, height: 400 } }),
  onPage('screenshot of an element, and clipped', '/form', async page => [
    pngSize(await page.screenshot({ clip: { x: 10, y: 10, width: 100, height: 50 } })),
    pngSize(await page.locator('#over').screenshot()).width,
  ], { viewport: { width: 640, height: 480 }, deviceScaleFactor: 2 }),
  onPage('screenshot as jpeg', '/', async page => (await page.screenshot({ type: 'jpeg', quality: 50 })).toString('hex', 0, 3)),
  onPage('screenshot of a popup', '/popups', async page => {
    const popup = await popupOf(page, '#opener');
    await seenBy(popup);
    return pngSize(await popup.screenshot());
  }, { viewport: { width: 320, height: 240 } }),
  onPage('pdf', '/', async page => (await page.pdf()).toString('latin1', 0, 4)),

  // Workers.
  onPage('dedicated worker', '/', async (page, { home }) => {
    const [worker] = await Promise.all([page.waitForEvent('worker'), page.goto(`${home}/worker`)]);
    const value = { url: worker.url(), answer: await worker.evaluate(() => self.answer), said: await shown(page, '#said'), listed: page.workers().length };
    await Promise.all([worker.waitForEvent('close'), page.evaluate(() => window.worker.terminate())]);
    return { ...value, left: page.workers().length };
  }),
  onPage('shared worker', '/shared', page => shown(page, '#said')),
  onPage('service worker', '/', async (page, { context, home }) => {
    const [worker] = await Promise.all([context.waitForEvent('serviceworker'), page.goto(`${home}/service`)]);
    const said = await shown(page, '#said');
    return { said, url: worker.url(), answer: await worker.evaluate(() => self.answer), listed: context.serviceWorkers().length,
      served: await page.evaluate(() => fetch('/from-service').then(r => r.text())) };
  }),

  // Frames.
  onPage('frames', '/frames', async page => {
    await until('five frames', () => page.frames().filter(frame => frame.url().startsWith('http')).length === 5);
    return page.frames().map(frame => `${frame.name()} ${frame.url()} in ${frame.parentFrame()?.name() ?? null}`).sort();
  }),
  ...['same', 'cross'].map(kind => onPage(`evaluates and clicks in a frame (${kind} origin)`, '/frames', async page => {
    const frame = page.frameLocator(`#${kind}`);
    await frame.locator('#inner').click();
    return { clicked: await frame.locator('#inner').textContent(), title: await page.frame(kind).evaluate(() => document.title) };
  })),
  onPage('init script and routes reach a cross-origin frame', '/', async (page, { context, home }) => {
    await context.addInitScript(() => { window.marker = `early in ${location.pathname}`; });
    await page.goto(`${home}/frames`);
    return [await page.evaluate(() => window.marker), await page.frame('cross').evaluate(() => window.marker)];
  }),
  onPage('frames attach and detach', '/', async page => {
    const attached = page.waitForEvent('frameattached');
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<iframe id="added" src="/second"></iframe>'));
    const frame = await attached;
    await frame.waitForSelector('h1');
    const detached = page.waitForEvent('framedetached');
    await page.evaluate(() => document.querySelector('#added').remove());
    return [await detached === frame, frame.isDetached(), page.frames().length];
  }),

  // Files.
  onPage('uploads files', '/upload', async (page, here) => {
    await page.setInputFiles('#file', [here.file('one.txt', 'first'), here.file('two.txt', 'second')]);
    return shown(page, '#out');
  }),
  onPage('uploads from memory', '/upload', async page => {
    await page.setInputFiles('#file', { name: 'made.txt', mimeType: 'text/plain', buffer: Buffer.from('up') });
    return shown(page, '#out');
  }),
  onPage('uploads through a file chooser', '/upload', async (page, here) => {
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.click('#file')]);
    await chooser.setFiles(here.file('three.txt', 'third'));
    return { multiple: chooser.isMultiple(), out: await shown(page, '#out') };
  }),
  onPage('downloads', '/download', async (page, here) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#get')]);
    return saved(download, here.folder());
  }),
  onDefaultPage('downloads in the default context', '/download', async (page, here) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#get')]);
    return saved(download, here.folder());
  }),
  onPage('downloads from a child frame', '/download-frame', async (page, here) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.frameLocator('iframe').locator('#get').click()]);
    return saved(download, here.folder());
  }),
  onPage('reads and deletes a download', '/download', async page => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#get')]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    await download.delete();
    return Buffer.concat(chunks).toString();
  }),
  onPage('downloads refused', '/download', async page => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#get')]);
    return (await failure(() => download.path())).error;
  }, { acceptDownloads: false }),

  // Permissions and emulation.
  onPage('permissions', '/', async (page, { context, home }) => {
    const state = () => page.evaluate(async () => (await navigator.permissions.query({ name: 'geolocation' })).state);
    const states = [await state()];
    await context.grantPermissions(['geolocation'], { origin: home });
    states.push(await state());
    await context.clearPermissions();
    states.push(await state());
    return states;
  }),
  onPage('geolocation', '/', page => page.evaluate(() => new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(
    ({ coords }) => resolve([coords.latitude, coords.longitude]), error => reject(new Error(error.message))))),
  { geolocation: { latitude: 48.5, longitude: 9.25 }, permissions: ['geolocation'] }),
  onPage('a device', '/headers', async page => ({
    agent: (await bodyOf(page)).agent, script: await page.evaluate(() => [navigator.userAgent, innerWidth, devicePixelRatio, 'ontouchstart' in window]),
  }), { userAgent: 'Pocket/1', viewport: { width: 320, height: 200 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }),
  onPage('locale, timezone and colour scheme', '/headers', async page => ({
    sent: (await bodyOf(page)).language,
    script: await page.evaluate(() => [navigator.language, new Date(0).getHours(), matchMedia('(prefers-color-scheme: dark)').matches]),
  }), { locale: 'de-DE', timezoneId: 'Asia/Tokyo', colorScheme: 'dark' }),
  onPage('emulates media', '/', async page => {
    await page.emulateMedia({ media: 'print', reducedMotion: 'reduce' });
    return page.evaluate(() => [matchMedia('print').matches, matchMedia('(prefers-reduced-motion: reduce)').matches]);
  }),
  onPage('viewport changes', '/', async page => {
    await page.setViewportSize({ width: 375, height: 667 });
    return page.evaluate(() => [innerWidth, innerHeight]);
  }),
  onPage('javascript switched off', '/noise', page => page.title(), { javaScriptEnabled: false }),
  onPage('clock', '/', async page => {
    await page.clock.setFixedTime(new Date('2030-01-02T03:04:05Z'));
    return page.evaluate(() => new Date().toISOString());
  }),

  // Raw commands.
  onPage('newCDPSession on a page', '/', async (page, { context }) => {
    const session = await context.newCDPSession(page);
    const { result } = await session.send('Runtime.evaluate', { expression: '6 * 7' });
    const wrong = await failure(() => session.send('Page.noSuchThing'));
    await session.detach();
    return { result: result.value, wrong, detached: (await failure(() => session.send('Runtime.enable'))).error !== undefined };
  }),
  onPage('newCDPSession on a frame is refused or works', '/frames', async (page, { context }) =>
    Boolean((await failure(() => context.newCDPSession(page.frame('same')))).error)),
  act('newBrowserCDPSession', async ({ browser }) => {
    const session = await browser.newBrowserCDPSession();
    const { product } = await session.send('Browser.getVersion');
    const { targetInfo } = await session.send('Target.getTargetInfo');
    const { targetInfos } = await session.send('Target.getTargets');
    await session.detach();
    return { product, self: targetInfo.type, targets: targetInfos.filter(info => !info.url.startsWith('chrome://')).map(info => `${info.type} ${info.url}`) };
  }),
  onPage('CDP events on a session of one\'s own', '/', async (page, { context, home }) => {
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    const sent = new Promise(resolve => session.on('Network.requestWillBeSent', event => event.request.url.endsWith('/second') && resolve(event.type)));
    await page.goto(`${home}/second`);
    return sent;
  }),
  onPage('coverage', '/', async (page, { home }) => {
    await page.coverage.startJSCoverage();
    await page.goto(`${home}/worker`);
    return (await page.coverage.stopJSCoverage()).map(entry => entry.url);
  }),
  onPage('trace of Playwright\'s own', '/', async (page, { context, folder }) => {
    await context.tracing.start({ screenshots: true, snapshots: true });
    await page.click('#next');
    const path = `${folder()}/trace.zip`;
    await context.tracing.stop({ path });
    return readFileSync(path).toString('latin1', 0, 2);
  }),

  // The end.
  onPage('page.close', '/', async page => {
    await Promise.all([page.waitForEvent('close'), page.close()]);
    return [page.isClosed(), (await failure(() => page.title())).error];
  }),
  onPage('page closed during navigation', '/', async (page, { home }) => {
    const going = failure(() => page.goto(`${home}/slow`));
    await page.waitForRequest('**/never');
    await page.close();
    return (await going).error !== undefined;
  }),
  onPage('context closed in the middle of work', '/', async (page, { context }) => {
    const waiting = failure(() => page.evaluate(() => new Promise(() => {})));
    await context.close();
    return (await waiting).error;
  }),
  onPage('crash of a page', '/', async (page, { context }) => {
    const session = await context.newCDPSession(page);
    const crashed = page.waitForEvent('crash');
    session.send('Page.crash').catch(() => {});
    await crashed;
    const other = await context.newPage();
    return other.evaluate(() => 1 + 1);
  }),
  act('nothing is left', ({ browser }) => browser.contexts().map(context => context.pages().map(page => page.url()))),

  // When a second connection to a plain Chrome ends, it removes the first one's download behaviour,
  // and each of the two treats the other's pages as pages of its default context.
  act('connects by http too', async ({ http }) => {
    const browser = await chromium.connectOverCDP(http);
    const value = { version: browser.version(), contexts: browser.contexts().length };
    await browser.close();
    return value;
  }),
  act('close ends the connection', async ({ ws }) => {
    const browser = await chromium.connectOverCDP(ws);
    const page = await (await browser.newContext()).newPage();
    const gone = new Promise(resolve => browser.once('disconnected', resolve));
    await browser.close();
    await gone;
    return { connected: browser.isConnected(), page: page.isClosed() };
  }),
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ ws }) => ({ browser: await chromium.connectOverCDP(ws) }),
  leave: ({ browser }) => browser.close(),
});
