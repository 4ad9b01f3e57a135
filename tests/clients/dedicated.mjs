#!/usr/bin/env node
// A browser of one's own, for what a shared one cannot give: node dedicated.mjs GHOSTMUX [BROWSER]
//
// The examples of Puppeteer and Playwright for traces, the clipboard, windows, screens and requests of the whole browser
// run unchanged with `?isolation=dedicated`, while a session in the shared browser sees nothing of them.

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { openSite, run, same } from './acts.mjs';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';

const { home, close } = await openSite();

/** The names of the events of a trace. */
const names = trace => new Set(JSON.parse(Buffer.from(trace).toString()).traceEvents.map(event => event.name));

const copyAndRead = async text => {
  await navigator.clipboard.writeText(text);
  return navigator.clipboard.readText();
};

const ACTS = {
  async 'Puppeteer finds the page of a new browser, and makes more'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?isolation=dedicated` });
    same((await browser.pages()).map(page => page.url()), ['about:blank'], 'pages');
    const [page] = await browser.pages();
    await page.goto(`${home}/first`);
    const context = await browser.createBrowserContext();
    await (await context.newPage()).goto(`${home}/apart`);
    same(browser.browserContexts().length, 2, 'contexts');
    await context.close();
    same((await browser.pages()).length, 1, 'pages after the context was closed');
    await browser.close();
  },
  async 'Puppeteer traces a page'(address) {
    const browser = await puppeteer.connect({ browserURL: `http://${address}/?isolation=dedicated` });
    const page = await browser.newPage();
    await page.tracing.start({ screenshots: true });
    await page.goto(`${home}/traced`);
    const trace = await page.tracing.stop();
    if (!names(trace).has('ResourceSendRequest')) throw new Error('the trace has no request');
    await browser.close();
  },
  async 'Puppeteer copies and pastes'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?isolation=dedicated` });
    const page = await browser.newPage();
    await page.goto(home);
    await page.bringToFront();
    await browser.defaultBrowserContext().overridePermissions(home, ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write']);
    same(await page.evaluate(copyAndRead, 'of Puppeteer'), 'of Puppeteer', 'clipboard');
    await browser.close();
  },
  async 'Puppeteer adds a screen, and sets the bounds of a window'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?isolation=dedicated` });
    const [screen] = await browser.screens();
    const added = await browser.addScreen({ left: screen.width, top: 0, width: 6000, height: 5000 });
    same((await browser.screens()).map(one => one.width), [screen.width, 6000], 'screens');
    const page = await browser.newPage({ type: 'window' });
    const windowId = await page.windowId();
    const bounds = { left: screen.width + 10, top: 20, width: 5000, height: 4500 };
    await browser.setWindowBounds(windowId, bounds);
    const { left, top, width, height } = await browser.getWindowBounds(windowId);
    same({ left, top, width, height }, bounds, 'bounds');
    await browser.removeScreen(added.id);
    same((await browser.screens()).length, 1, 'screens at the end');
    await browser.close();
  },
  async 'Puppeteer answers the requests of all pages'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?isolation=dedicated` });
    const cdp = await browser.target().createCDPSession();
    cdp.on('Fetch.requestPaused', ({ requestId }) => cdp.send('Fetch.fulfillRequest', {
      requestId, responseCode: 200, body: Buffer.from('<title>made here</title>').toString('base64'),
    }));
    await cdp.send('Fetch.enable', { patterns: [{ urlPattern: `${home}/*` }] });
    for (const context of [browser.defaultBrowserContext(), await browser.createBrowserContext()]) {
      const page = await context.newPage();
      await page.goto(`${home}/anything`);
      same(await page.title(), 'made here', 'title');
    }
    await browser.close();
  },
  async 'Playwright finds the page of a new browser, and makes more'(address) {
    const browser = await chromium.connectOverCDP(`http://${address}/?isolation=dedicated`);
    const [context] = browser.contexts();
    same(context.pages().map(page => page.url()), ['about:blank'], 'pages');
    await context.pages()[0].goto(`${home}/first`);
    const other = await browser.newContext();
    await (await other.newPage()).goto(`${home}/apart`);
    await other.close();
    same(context.pages().length, 1, 'pages');
    await browser.close();
  },
  async 'Playwright traces a page'(address) {
    const browser = await chromium.connectOverCDP(`ws://${address}/?isolation=dedicated`);
    const page = await browser.contexts()[0].newPage();
    await browser.startTracing(page, { screenshots: true });
    await page.goto(`${home}/traced`);
    const trace = await browser.stopTracing();
    if (!names(trace).has('ResourceSendRequest')) throw new Error('the trace has no request');
    await browser.close();
  },
  async 'Playwright copies and pastes'(address) {
    const browser = await chromium.connectOverCDP(`ws://${address}/?isolation=dedicated`);
    const [context] = browser.contexts();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    await page.goto(home);
    await page.bringToFront();
    same(await page.evaluate(copyAndRead, 'of Playwright'), 'of Playwright', 'clipboard');
    await browser.close();
  },
  async 'a shared browser refuses the same, and says where it works'(address) {
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/` });
    const page = await browser.newPage();
    const refused = await browser.defaultBrowserContext().overridePermissions(home, ['clipboard-read'])
      .then(() => 'nothing', error => error.message);
    if (!refused.includes('isolation=dedicated')) throw new Error(`refused: ${refused}`);
    await page.close();
    await browser.close();
  },
};

const [program, path] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path ?? findBrowser());
// Somebody else is in the shared browser all the time.
const stays = await puppeteer.connect({ browserWSEndpoint: `ws://${ghostmux.host}:${ghostmux.port}/` });
const theirs = await stays.newPage();
await theirs.goto(`${home}/theirs`);
const failed = await run(ACTS, `${ghostmux.host}:${ghostmux.port}`);
same(await theirs.title(), '/theirs', 'the page of the shared session');
same((await stays.pages()).length, 2, 'pages of the shared session');
await stays.close();
close();
await finish(ghostmux, failed > 0);
