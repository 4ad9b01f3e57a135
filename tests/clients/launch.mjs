#!/usr/bin/env node
// Launch options of real clients: node launch.mjs GHOSTMUX [BROWSER]
//
// The same flags are given to a Chrome that Puppeteer launches itself, to a session in a shared browser (where they are emulated) and
// to one in a dedicated browser: pages must see the same. Then what only ghostmux does: refusals, certificate errors of one session.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { run, same } from './acts.mjs';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';

const FLAGS = ['--window-size=701,502', '--lang=de-CH', '--user-agent=own/1.0 (client)', '--force-device-scale-factor=2', '--no-sandbox'];

const page = (request, response) => {
  response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    .end(`<!doctype html><link rel="icon" href="data:,"><title>${request.headers['user-agent']}|${`${request.headers['accept-language']}`.split(',')[0]}</title>
      <script>globalThis.first = navigator.userAgent + navigator.language</script>`);
};
const pem = readFileSync(new URL('self-signed.pem', import.meta.url));
const site = createServer(page).listen(0, '127.0.0.1');
const secure = createSecureServer({ key: pem, cert: pem }, page).listen(0, '127.0.0.1');
await Promise.all([once(site, 'listening'), once(secure, 'listening')]);
const home = `http://127.0.0.1:${site.address().port}`;
const insecure = `https://127.0.0.1:${secure.address().port}`;

/** What a page sees. Of its size only the width: a window of a full Chrome has a frame. */
const seen = async page => {
  await page.goto(home);
  return page.evaluate(() => ({
    width: innerWidth, scale: devicePixelRatio, agent: navigator.userAgent, language: navigator.language, first: globalThis.first,
    locale: Intl.DateTimeFormat().resolvedOptions().locale, number: (1234.5).toLocaleString(), asked: document.title,
  }));
};

const launch = options => `launch=${encodeURIComponent(JSON.stringify(options))}`;
const base64 = options => `launch=${encodeURIComponent(btoa(JSON.stringify(options)))}`;
const asFlags = FLAGS.map(flag => flag.split('=')).map(([name, value = '']) => `${name}=${encodeURIComponent(value)}`).join('&');

/** With Puppeteer, without an emulation of its own. */
const puppeteerAt = (address, query) => puppeteer.connect({ browserWSEndpoint: `ws://${address}/?${query}`, defaultViewport: null });

async function bare(path) {
  const browser = await puppeteer.launch({ executablePath: path, args: FLAGS, defaultViewport: null });
  try {
    const { width, scale, agent } = await seen(await browser.newPage());
    // Headless shell ignores --lang: what is meant by it, not what it does there.
    const [language, number] = ['de-CH', (1234.5).toLocaleString('de-CH')];
    return { width, scale, agent, language, first: agent + language, locale: language, number, asked: `${agent}|${language}` };
  } finally {
    await browser.close();
  }
}

const ACTS = {
  async 'Puppeteer: flags are emulated as a Chrome of its own has them'(address, path) {
    const expected = await bare(path);
    for (const query of [launch({ args: FLAGS }), base64({ args: FLAGS, headless: true }), asFlags]) {
      const browser = await puppeteerAt(address, query);
      const [first] = await browser.pages();
      same(await seen(first), expected, `the first page, ${query}`);
      same(await seen(await browser.newPage()), expected, `a new page, ${query}`);
      await browser.close();
    }
  },
  async 'Puppeteer: a dedicated browser gets the flags'(address, path) {
    const expected = await bare(path);
    const browser = await puppeteerAt(address, `${asFlags}&--font-render-hinting=none`);
    same(await seen(await browser.newPage()), expected, 'a new page');
    await browser.close();
  },
  async 'Puppeteer: its own viewport goes before the launch options'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?--window-size=701,502` });
    same((await seen(await browser.newPage())).width, 800, 'width');
    await browser.close();
  },
  async 'Puppeteer: defaultViewport and slowMo of launch'(address) {
    const options = { defaultViewport: { width: 411, height: 731, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }, slowMo: 100 };
    const browser = await puppeteerAt(address, launch(options));
    const page = await browser.newPage();
    await page.goto(home);
    const since = Date.now();
    same(await page.evaluate(() => [screen.width, devicePixelRatio, navigator.maxTouchPoints > 0]), [411, 2, true], 'viewport');
    if (Date.now() - since < 100) throw new Error('slowMo: it was as fast as ever');
    await browser.close();
  },
  async 'Puppeteer: only the session that accepts them has insecure certificates'(address) {
    const accepts = await puppeteerAt(address, launch({ acceptInsecureCerts: true }));
    const other = await puppeteerAt(address, '');
    const page = await accepts.newPage();
    same((await page.goto(insecure)).status(), 200, 'status');
    const popup = once(page, 'popup');
    await page.evaluate(url => { open(url); }, `${insecure}/popup`);
    await (await popup)[0].waitForFunction(() => document.title);
    const refused = await (await other.newPage()).goto(insecure).then(() => 'nothing', error => error.message);
    if (!refused.includes('ERR_CERT')) throw new Error(`the other session: ${refused}`);
    await accepts.close();
    await other.close();
  },
  async 'Playwright: flags are emulated, over WebSocket and HTTP'(address, path) {
    const expected = await bare(path);
    for (const endpoint of [`ws://${address}/?${launch({ args: FLAGS })}`, `http://${address}/?${asFlags}`]) {
      const browser = await chromium.connectOverCDP(endpoint);
      same(await seen(browser.contexts()[0].pages()[0]), expected, `the first page, ${endpoint}`);
      same(await seen(await browser.contexts()[0].newPage()), expected, `a new page, ${endpoint}`);
      await browser.close();
    }
  },
  async 'Playwright: what a context sets goes before the launch options'(address) {
    const browser = await chromium.connectOverCDP(`ws://${address}/?${asFlags}`);
    const context = await browser.newContext({ viewport: { width: 640, height: 480 }, locale: 'fr-FR', userAgent: 'other/2' });
    const { width, agent, language, locale } = await seen(await context.newPage());
    same([width, agent, language, locale], [640, 'other/2', 'fr-FR', 'fr-FR'], 'of the context');
    await browser.close();
  },
  async 'both: refused options are named'(address) {
    for (const [options, word] of [
      [{ args: ['--remote-debugging-port=1'] }, '--remote-debugging-port'], [{ args: ['--proxy-pac-url=x'] }, '--proxy-pac-url'],
      [{ stealth: true }, 'launch.stealth'], [{ userDataDir: '/tmp' }, 'launch.userDataDir'], [{ headless: 0 }, 'launch.headless'],
    ]) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`http://${address}/v1/sessions`, { method: 'POST', headers, body: JSON.stringify({ launch: options }) });
      const said = await answer.text();
      if (answer.status !== 400 || !said.includes(word)) throw new Error(`${said}, without ${word}`);
      const played = await chromium.connectOverCDP(`ws://${address}/?${launch(options)}`).then(() => 'nothing', error => error.message);
      if (!played.includes('400')) throw new Error(`Playwright, ${word}: ${played}`);
      const pulled = await puppeteerAt(address, launch(options)).then(() => 'nothing', error => `${error.message ?? error.error?.message}`);
      if (!pulled.includes('400')) throw new Error(`Puppeteer, ${word}: ${pulled}`);
    }
  },
};

const [program, path = findBrowser()] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path);
const failed = await run(ACTS, `${ghostmux.host}:${ghostmux.port}`, path);
site.close();
secure.close();
await finish(ghostmux, failed > 0);
