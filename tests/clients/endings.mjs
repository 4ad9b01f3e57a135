#!/usr/bin/env node
// How sessions end and park, as Puppeteer and Playwright observe it, and how clients reconnect:
// node endings.mjs GHOSTMUX [BROWSER]
//
// For each ending: the close code and reason on the wire, the client's `disconnected` event, the
// error of a pending command, and the result of a reconnect to the session's URL: the same page
// with its variables, or a refusal with the reason.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { family } from './process.mjs';
import { openTap } from './tap.mjs';

const PATIENCE_MS = 60_000;
const PAGE = 'data:text/html,<title>kept</title>';

const CLIENTS = {
  Puppeteer: {
    async connect(url) {
      const browser = await puppeteer.connect({ browserWSEndpoint: url });
      return { browser, ghost: await browser.target().createCDPSession(), pages: () => browser.pages(), newPage: () => browser.newPage() };
    },
    leave: browser => browser.disconnect(),
    async intercept(page, seen) {
      await page.setRequestInterception(true);
      page.on('request', request => request.url().includes('/held') ? seen() : request.continue());
    },
    underWay: /Target closed|Session closed|detached/,
    refused: /Unexpected server response: 404/,
  },
  Playwright: {
    async connect(url) {
      const browser = await chromium.connectOverCDP(url);
      const [context] = browser.contexts();
      return { browser, ghost: await browser.newBrowserCDPSession(), pages: async () => context.pages(), newPage: () => context.newPage() };
    },
    leave: browser => browser.close(),
    intercept: (page, seen) => page.context().route('**/held', seen),
    underWay: /Target page, context or browser has been closed/,
    refused: /404 no such session .*; it ended/,
  },
};

// The action that ends it (`cause`), the expected close frame, and whether the session exists
// afterwards.
const ENDINGS = [
  { name: 'park', cause: ({ ghost }) => ghost.send('ghost.park'), close: ({ url }) => `close 1000 ${url}`, comesBack: true },
  { name: 'takeover', cause: ({ client, url }) => client.connect(`${url}?takeover=true`), close: /^close 4009 \S+/, comesBack: true },
  { name: 'timeout', cause: ({ ghost }) => ghost.send('ghost.updateSession', { timeout: 1 }), close: /^close 4001 \S+/ },
  { name: 'idle timeout', cause: ({ ghost }) => ghost.send('ghost.updateSession', { idleTimeout: 50 }), close: /^close 4002 \S+/ },
  { name: 'DELETE', cause: ({ rest }) => fetch(rest, { method: 'DELETE' }), close: /^close 1000 \S+/ },
  { name: 'kill', cause: ({ server, id }) => fetch(`${server}/kill/${id}`), close: /^close 4003 \S+/ },
  { name: 'browser lost', cause: ({ kill }) => kill(), close: /^close 1011 \S+/, event: 'ghost.browserLost' },
];

const within = (promise, what) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  promise.then(resolve, reject).finally(() => clearTimeout(timer));
});

const reasonOf = promise => promise.then(value => `no error but ${value}`, error => error.message);

function expect(what, found, wanted) {
  if (typeof wanted === 'string' ? found !== wanted : !wanted.test(found)) throw new Error(`${what}: ${found}, not ${wanted}`);
}

async function see(client, ending, ghostmux) {
  const tap = await openTap(ghostmux.host, ghostmux.port);
  const server = `127.0.0.1:${tap.port}`;
  const { browser, ghost, newPage } = await client.connect(`ws://${server}/?keep_alive=2m`);
  const { session } = await ghost.send('ghost.getSession');
  await ghost.send('ghost.enable');
  const page = await newPage();
  await page.goto(PAGE);
  await page.evaluate(() => { globalThis.kept = 41; });
  const told = ending.event ? new Promise(resolve => { ghost.on(ending.event, resolve); }) : Promise.resolve();
  const disconnected = new Promise(resolve => { browser.on('disconnected', resolve); });
  const underWay = reasonOf(page.evaluate(() => new Promise(() => {})));
  const url = session.webSocketDebuggerUrl;
  const kill = async () => {
    const chromes = family(ghostmux.pid).filter(one => one.parent === ghostmux.pid && one.profile);
    chromes.forEach(one => process.kill(one.pid, 'SIGKILL'));
  };
  // The reply may be lost with the socket. For a takeover the result is the new client.
  const caused = Promise.resolve(ending.cause({ client, ghost, url, rest: `http://${server}/v1/sessions/${session.id}`, server: `http://${server}`, id: session.id, kill })).catch(() => null);
  await within(told, ending.event);
  await within(disconnected, 'the client\'s `disconnected`');
  expect('the command under way', await within(underWay, 'the command under way'), client.underWay);
  const close = tap.frames().filter(frame => frame.startsWith('< close ')).map(frame => frame.slice(2)).join(' and ');
  expect('the close frame', close, typeof ending.close === 'function' ? ending.close({ url }) : ending.close);
  if (ending.comesBack) {
    const by = (await caused)?.browser ? await caused : await client.connect(url);
    const [back] = await Promise.all((await by.pages()).map(async one => await one.title() === 'kept' ? one : null)).then(found => found.filter(Boolean));
    expect('the page\'s variable', `${await back?.evaluate(() => ++globalThis.kept)}`, '42');
    await by.ghost.send('ghost.closeSession').catch(() => {});
  } else {
    expect('coming back', await reasonOf(client.connect(url)), client.refused);
    const { status, detail } = await (await fetch(`http://${server}/v1/sessions/${session.id}`)).json();
    expect('the session', `${status} ${detail}`, /^404 .*ended/);
    const anew = await within(client.connect(`ws://${server}/`), 'a new session');
    await client.leave(anew.browser);
  }
  tap.close();
  return close;
}

// The proxy waits up to 5 s for an unresponsive page; intercepted requests continue long before.
const AT_ONCE_MS = 4_000;

// A client is lost while it holds a navigation, which then continues: to the same site, and to
// another one.
async function loseNavigation(client, host, ghostmux) {
  const site = createServer((request, response) => {
    if (request.url === '/held') site.emit('held');
    response.setHeader('content-type', 'text/html').end('<title>page</title>');
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const { port } = site.address();
  const tap = await openTap(ghostmux.host, ghostmux.port);
  const { newPage } = await client.connect(`ws://127.0.0.1:${tap.port}/?keep_alive=1m`);
  const page = await newPage();
  await page.goto(`http://127.0.0.1:${port}/first`);
  const intercepted = new Promise((resolve, reject) => { client.intercept(page, resolve).catch(reject).then(() => page.goto(`http://${host}:${port}/held`)).catch(() => {}); });
  await within(intercepted, 'the interception');
  const goesOn = once(site, 'held', { signal: AbortSignal.timeout(AT_ONCE_MS) });
  tap.close();
  await goesOn.catch(() => { throw new Error(`the navigation did not continue within ${AT_ONCE_MS} ms`); });
  site.close();
  return 'the navigation went on';
}

const [program, path] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path ?? findBrowser());
let failed = 0;
for (const ending of ENDINGS) {
  for (const [name, client] of Object.entries(CLIENTS)) {
    const result = await within(see(client, ending, ghostmux), ending.name).then(close => `ok     ${close}`, error => `FAILED ${error.stack}`);
    console.log(`${name}, ${ending.name}: ${result}`);
    failed += result.startsWith('ok') ? 0 : 1;
  }
}
for (const [name, client] of Object.entries(CLIENTS)) {
  for (const host of ['127.0.0.1', 'localhost']) {
    const result = await within(loseNavigation(client, host, ghostmux), 'a lost navigation').then(close => `ok     ${close}`, error => `FAILED ${error.stack}`);
    console.log(`${name}, lost while it intercepts a navigation to ${host}: ${result}`);
    failed += result.startsWith('ok') ? 0 : 1;
  }
}
await finish(ghostmux, failed > 0);
