#!/usr/bin/env node
// Certificate errors that one session ignores: node certificates.mjs GHOSTMUX [BROWSER]
//
// `acceptInsecureCerts` of Puppeteer, over CDP and over WebDriver BiDi, against an HTTPS server with a self-signed certificate:
// present pages, new pages and pop-ups of that session load; another session in the same Chrome gets the error.

import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { EventEmitter, once } from 'node:events';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { within } from './suite.mjs';

const PATIENCE_MS = 60_000;
// Key and certificate, for 127.0.0.1: nobody trusts it.
const pem = readFileSync(new URL('self-signed.pem', import.meta.url));

function equal(what, found, wanted) {
  if (`${found}` !== `${wanted}`) throw new Error(`${what}: ${found}, not ${wanted}`);
}

const arrived = new EventEmitter();
const site = createServer({ key: pem, cert: pem }, (request, response) => {
  arrived.emit(request.url);
  response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store', connection: 'close' })
    .end(`<!doctype html><link rel="icon" href="data:,"><title>${request.url}</title>`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `https://127.0.0.1:${site.address().port}`;

const title = async (page, path) => page.goto(home + path).then(() => page.title(), error => error.message);
const isRefused = message => /ERR_CERT_AUTHORITY_INVALID/.test(message);

async function isRefusedTo(what, page) {
  const found = await title(page, '/refused');
  if (!isRefused(found)) throw new Error(`${what}: ${found}, not a certificate error`);
}

async function loads(browser) {
  const [present] = await browser.pages();
  equal('a page that was there', await title(present, '/present'), '/present');
  const page = await browser.newPage();
  equal('a new page', await title(page, '/new'), '/new');
  // Over BiDi a script in a pop-up is never answered, by a plain Chrome either: that the server is asked has to do.
  const popup = once(arrived, '/popup');
  await page.evaluate(url => { window.open(url); }, `${home}/popup`);
  await within(PATIENCE_MS, 'the pop-up to ask for its page', popup);
  equal('a request of a script', await page.evaluate(url => fetch(url).then(got => got.status), `${home}/fetched`), 200);
  return page;
}

const ACTS = {
  async 'Puppeteer over CDP'(browserWSEndpoint) {
    const other = await puppeteer.connect({ browserWSEndpoint });
    const browser = await puppeteer.connect({ browserWSEndpoint, acceptInsecureCerts: true });
    const page = await loads(browser);
    const root = await browser.target().createCDPSession();
    // Its first request is for the page itself: nobody is attached yet.
    const target = browser.waitForTarget(target => target.url() === `${home}/at-once`);
    await root.send('Target.createTarget', { url: `${home}/at-once` });
    const atOnce = await (await target).page();
    await within(PATIENCE_MS, 'the page to load', atOnce.waitForFunction(() => document.title === '/at-once'));
    await isRefusedTo('another session', await other.newPage());
    await isRefusedTo('a page that was there in another session', (await other.pages())[0]);
    // It ends with the command, for the pages that are there too.
    await browser._connection.send('Security.setIgnoreCertificateErrors', { ignore: false });
    await isRefusedTo('the same page', page);
    await isRefusedTo('a new page', await browser.newPage());
    await Promise.all([browser, other].map(user => user.close()));
  },
  async 'Puppeteer over WebDriver BiDi'(browserWSEndpoint) {
    const other = await puppeteer.connect({ browserWSEndpoint, protocol: 'webDriverBiDi' });
    const browser = await puppeteer.connect({ browserWSEndpoint, protocol: 'webDriverBiDi', acceptInsecureCerts: true });
    await loads(browser);
    await isRefusedTo('another session', await other.newPage());
    await Promise.all([browser, other].map(user => user.close()));
  },
};

const [program, path] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path ?? findBrowser());
let failed = 0;
for (const [name, act] of Object.entries(ACTS)) {
  const url = `ws://${ghostmux.host}:${ghostmux.port}`;
  const result = await within(PATIENCE_MS, name, act(url)).then(() => 'ok', error => `FAILED ${error.stack}`);
  console.log(`${name}: ${result}`);
  failed += result === 'ok' ? 0 : 1;
}
site.close();
await finish(ghostmux, failed > 0);
