#!/usr/bin/env node
// Certificate errors that one session ignores, beside a plain Chrome that ignores them: node certificates.mjs GHOSTMUX [BROWSER]
//
// `acceptInsecureCerts` of Puppeteer, over CDP and over WebDriver BiDi, against an HTTPS server with a self-signed certificate. What
// loads, and what is said of the connection, must be the same as with a plain Chrome. In a plain Chrome the command is for everybody;
// with ghostmux another session in the same Chrome gets the error as before, which is tried with ghostmux alone.

import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { EventEmitter, once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux, openPlainChrome } from './endpoint.mjs';
import { within } from './suite.mjs';

const PATIENCE_MS = 60_000;
// Key and certificate, for 127.0.0.1: nobody trusts it.
const pem = readFileSync(new URL('self-signed.pem', import.meta.url));

function equal(what, found, wanted) {
  if (`${found}` !== `${wanted}`) throw new Error(`${what}: ${found}, not ${wanted}`);
}

const arrived = new EventEmitter();
const html = { 'content-type': 'text/html', 'cache-control': 'no-store', connection: 'close' };
const body = (title, content = '') => `<!doctype html><link rel="icon" href="data:,"><title>${title}</title>${content}`;
const insecure = createPlainServer((request, response) => { response.writeHead(200, html).end(body(request.url)); }).listen(0, '127.0.0.1');
const site = createServer({ key: pem, cert: pem }, (request, response) => {
  arrived.emit(request.url);
  if (request.url === '/redirect') return response.writeHead(302, { ...html, location: '/redirected' }).end();
  // Chrome blocks such a frame, or loads it by HTTPS: then its server does not know what that is.
  const content = request.url === '/mixed' ? `<iframe src="${plain}/inside"></iframe>` : '';
  response.writeHead(200, html).end(body(request.url, content));
}).listen(0, '127.0.0.1');
await Promise.all([once(site, 'listening'), once(insecure, 'listening')]);
const home = `https://127.0.0.1:${site.address().port}`;
const plain = `http://127.0.0.1:${insecure.address().port}`;

const title = async (page, path) => page.goto(home + path).then(() => page.title(), error => error.message.replace(home, ''));
const isRefused = message => /ERR_CERT_AUTHORITY_INVALID/.test(message);

async function isRefusedTo(what, page) {
  const found = await title(page, '/refused');
  if (!isRefused(found)) throw new Error(`${what}: ${found}, not a certificate error`);
}

/** What a response says of its connection; an error's message where the protocol cannot say it. */
function security(response) {
  try {
    const said = response.securityDetails();
    return said && {
      issuer: said.issuer(), subject: said.subjectName(), names: said.subjectAlternativeNames(), protocol: said.protocol(),
      valid: [said.validFrom(), said.validTo()],
    };
  } catch (error) {
    return error.message;
  }
}

/** What a client sees that ignores certificate errors: JSON, the same with a plain Chrome and with ghostmux. */
const ACTS = {
  async 'pages that were there, new pages, pop-ups and requests'(browser) {
    const [present] = await browser.pages();
    const seen = [await title(present, '/present')];
    const page = await browser.newPage();
    seen.push(await title(page, '/new'));
    // Over BiDi a script in a pop-up is never answered, by a plain Chrome either: that the server is asked has to do.
    const popup = once(arrived, '/popup');
    await page.evaluate(url => { window.open(url); }, `${home}/popup`);
    await within(PATIENCE_MS, 'the pop-up to ask for its page', popup);
    seen.push(await page.evaluate(url => fetch(url).then(got => got.status), `${home}/fetched`));
    return seen;
  },
  async 'a new context'(browser) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const seen = await title(page, '/context');
    await context.close();
    return seen;
  },
  async 'what is said of the connection'(browser) {
    const page = await browser.newPage();
    const responses = [];
    page.on('response', response => responses.push([response.status(), security(response)]));
    await page.goto(`${home}/secure`);
    await page.goto(`${home}/redirect`);
    await page.goto(`${plain}/insecure`);
    await page.close();
    return responses;
  },
  async 'intercepted requests'(browser) {
    const page = await browser.newPage();
    await page.setRequestInterception(true);
    page.on('request', request => request.continue());
    const response = await page.goto(`${home}/intercepted`);
    await page.close();
    return [response.status(), response.ok()];
  },
  async 'a page with an insecure frame'(browser) {
    const page = await browser.newPage();
    await page.goto(`${home}/mixed`, { waitUntil: 'load' });
    const sums = await Promise.all(page.frames().map((frame, n) => frame.evaluate(n => n + 1, n)));
    await page.close();
    return sums;
  },
};

/** Whom it does not concern, which no plain Chrome can say. */
const OWN = {
  async 'CDP: nobody else, and only until it is turned off'(browserWSEndpoint) {
    const other = await puppeteer.connect({ browserWSEndpoint });
    const browser = await puppeteer.connect({ browserWSEndpoint, acceptInsecureCerts: true });
    const root = await browser.target().createCDPSession();
    // Its first request is for the page itself: nobody is attached yet.
    const target = browser.waitForTarget(target => target.url() === `${home}/at-once`);
    await root.send('Target.createTarget', { url: `${home}/at-once` });
    const page = await (await target).page();
    await within(PATIENCE_MS, 'the page to load', page.waitForFunction(() => document.title === '/at-once'));
    await isRefusedTo('another session', await other.newPage());
    await isRefusedTo('a page that was there in another session', (await other.pages())[0]);
    // It ends with the command, for the pages that are there too.
    const off = () => browser._connection.send('Security.setIgnoreCertificateErrors', { ignore: false });
    await off();
    await isRefusedTo('the same page', page);
    await isRefusedTo('a new page', await browser.newPage());
    equal('the answer when nothing is on', JSON.stringify(await off()), '{}');
    await Promise.all([browser, other].map(user => user.close()));
  },
  async 'BiDi: nobody else'(browserWSEndpoint) {
    const other = await puppeteer.connect({ browserWSEndpoint, protocol: 'webDriverBiDi' });
    const browser = await puppeteer.connect({ browserWSEndpoint, protocol: 'webDriverBiDi', acceptInsecureCerts: true });
    equal('its own page', await title(await browser.newPage(), '/own'), '/own');
    await isRefusedTo('another session', await other.newPage());
    await Promise.all([browser, other].map(user => user.close()));
  },
};

const [program, path] = process.argv.slice(2);
const browser = path ?? findBrowser();
const [chrome, ghostmux] = [await openPlainChrome(browser), await openGhostmux(program, browser)];
const urls = await Promise.all([chrome, ghostmux].map(async ({ host, port }) => (
  (await (await fetch(`http://${host}:${port}/json/version`)).json()).webSocketDebuggerUrl)));
let failed = 0;
function report(name, problem) {
  console.log(`${name}: ${problem ? `FAILED ${problem}` : 'ok'}`);
  failed += problem ? 1 : 0;
}
for (const protocol of ['cdp', 'webDriverBiDi']) {
  const users = await Promise.all(urls.map(browserWSEndpoint => puppeteer.connect({ browserWSEndpoint, protocol, acceptInsecureCerts: true })));
  for (const [name, act] of Object.entries(ACTS)) {
    const values = [];
    for (const user of users) values.push(await within(PATIENCE_MS, name, act(user)).catch(error => ({ error: error.stack })));
    const same = !values[0].error && isDeepStrictEqual(...values);
    report(`${protocol}, ${name}`, same ? null : `\n  plain Chrome: ${JSON.stringify(values[0])}\n  ghostmux: ${JSON.stringify(values[1])}`);
  }
  await Promise.all(users.map(user => user.disconnect()));
}
for (const [name, act] of Object.entries(OWN)) {
  const url = `ws://${ghostmux.host}:${ghostmux.port}`;
  report(name, await within(PATIENCE_MS, name, act(url)).then(() => null, error => error.stack));
}
site.close();
insecure.close();
await chrome.close();
await finish(ghostmux, failed > 0);
