#!/usr/bin/env node
// Sessions by a name, for clients that take only an HTTP address: node named.mjs GHOSTMUX [BROWSER]
//
// Puppeteer (`browserURL`) and Playwright (`connectOverCDP`) come to `http://HOST:PORT/s/NAME`: both at once share the session of
// that name, whoever comes later resumes it, also out of hibernation, and another name is another session.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { until, within } from './suite.mjs';

const PATIENCE_MS = 60_000;

const site = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    .end(`<!doctype html><link rel="icon" href="data:,"><title>${request.url}</title>`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `http://127.0.0.1:${site.address().port}`;

/** Both clients: the URLs of the pages they see, how they open one, the page at a URL, and how they leave. */
const USERS = {
  async Puppeteer(browserURL) {
    const browser = await puppeteer.connect({ browserURL });
    return {
      pages: async () => (await browser.pages()).map(page => page.url()),
      open: async url => (await browser.newPage()).goto(url),
      on: async url => (await browser.pages()).find(page => page.url() === url),
      leave: () => browser.disconnect(),
    };
  },
  async Playwright(url) {
    const browser = await chromium.connectOverCDP(url);
    const [context] = browser.contexts();
    return {
      pages: () => context.pages().map(page => page.url()),
      open: async url => (await context.newPage()).goto(url),
      on: url => context.pages().find(page => page.url() === url),
      leave: () => browser.close(),
    };
  },
};

const sees = (user, url) => until(`${url} is seen`, async () => (await user.pages()).includes(url));

const ACTS = {
  async 'two at once share a session'(address, first, second) {
    const url = `${address}/s/${first}-at-once`;
    const [one, other] = await Promise.all([USERS[first](url), USERS[second](url)]);
    await one.open(`${home}/one`);
    await sees(other, `${home}/one`);
    const stranger = await USERS[second](`${address}/s/${first}-stranger`);
    if ((await stranger.pages()).includes(`${home}/one`)) throw new Error('a session of another name sees the page');
    await Promise.all([one, other, stranger].map(user => user.leave()));
  },
  async 'one that comes later resumes it'(address, first, second) {
    const url = `${address}/s/${first}-later`;
    const one = await USERS[first](`${url}?keep_alive=5m&hibernate_after=1h`);
    await one.open(`${home}/parked`);
    await one.leave();
    const other = await USERS[second](url);
    await sees(other, `${home}/parked`);
    await other.leave();
  },
  async 'one that comes much later wakes it'(address, first, second) {
    const name = `${first}-asleep`;
    const one = await USERS[first](`${address}/s/${name}?keep_alive=5m&hibernate_after=200`);
    await one.open(`${home}/asleep`);
    await (await one.on(`${home}/asleep`)).evaluate(value => { localStorage.kept = value; }, first);
    await one.leave();
    await until('it hibernates', async () => {
      const { sessions } = await (await fetch(`${address}/v1/sessions?name=${name}`)).json();
      return sessions[0]?.state === 'hibernated';
    });
    const other = await USERS[second](`${address}/s/${name}`);
    await sees(other, `${home}/asleep`);
    const stored = await (await other.on(`${home}/asleep`)).evaluate(() => localStorage.kept);
    if (stored !== first) throw new Error(`what is stored: ${stored}, not ${first}`);
    await other.leave();
  },
  async '?session=NAME names it too'(address, first, second) {
    const one = await USERS[first](`${address}/?session=${first}-query`);
    await one.open(`${home}/query`);
    const other = await USERS[second](`${address}/s/${first}-query`);
    await sees(other, `${home}/query`);
    await Promise.all([one, other].map(user => user.leave()));
  },
};

const [program, path] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path ?? findBrowser());
let failed = 0;
for (const [name, act] of Object.entries(ACTS)) {
  for (const [first, second] of [['Puppeteer', 'Playwright'], ['Playwright', 'Puppeteer']]) {
    const done = act(`http://${ghostmux.host}:${ghostmux.port}`, first, second);
    const result = await within(PATIENCE_MS, name, done).then(() => 'ok', error => `FAILED ${error.stack}`);
    console.log(`${first} first, ${name}: ${result}`);
    failed += result === 'ok' ? 0 : 1;
  }
}
site.close();
await finish(ghostmux, failed > 0);
