#!/usr/bin/env node
// Proxies of sessions and contexts: node upstreams.mjs GHOSTMUX [BROWSER]
//
// Two users at once, in one browser, each by its own proxy with a user and a password: in the URL of the session, and as Playwright and
// Puppeteer name one for a context. On a server that limits nothing, and on one with tenants.

import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { folder, removeFolder } from './process.mjs';
import { act, must, tally } from './through-tls.mjs';
import { openHttpProxy, openSocksProxy } from './upstream.mjs';

const [program, browser = findBrowser()] = process.argv.slice(2);
const site = createServer(({ headers }, answer) => answer.writeHead(200, { 'Content-Type': 'text/html' }).end(`<link rel=icon href="data:,"><title>${headers.host.split(':')[0]}</title>`));
await new Promise(resolve => site.listen(0, '127.0.0.1', resolve));
const { port } = site.address();
const passwords = { anna: 'an:na@1', ben: 'b%n' };
const [http, socks] = await Promise.all([openHttpProxy(port, passwords), openSocksProxy(port, passwords)]);
const url = host => `http://${host}:${port}/`;
const pair = user => `${user}:${encodeURIComponent(passwords[user])}`;

const home = folder('upstreams');
const tenants = join(home, 'tenants.toml');
const token = (await promisify(execFile)(program, ['token', 'new', '--tenants', tenants, '--tenant', 'acme'])).stdout.trim();
await promisify(execFile)('sed', ['-i', 's/^\\[tenants.acme\\]$/&\\ncapabilities = ["private-network"]/', tenants]);
must(/private-network/.test(readFileSync(tenants, 'utf8')), 'the tenant lacks the capability');

const opened = async (page, host) => { await page.goto(url(host)); must(await page.title() === host, await page.title()); };
const came = (proxy, what) => must(proxy.asked.includes(what), `${what} is not among ${proxy.asked}`);

let failed = 0;
for (const [server, flags, query] of [['open', [], ''], ['gated', ['--tenants', tenants], `token=${token}`]]) {
  const ghostmux = await openGhostmux(program, browser, ['--max-browsers', '1', ...flags]);
  const at = more => `ws://${ghostmux.host}:${ghostmux.port}/?${[query, more].filter(Boolean).join('&')}`;
  const by = (scheme, user, proxy) => `proxy=${encodeURIComponent(`${scheme}://${pair(user)}@127.0.0.1:${proxy.port}`)}`;
  await act(`${server}: sessions of both clients by their own proxies`, async () => {
    const [anna, ben] = await Promise.all([
      chromium.connectOverCDP(at(by('http', 'anna', http))),
      puppeteer.connect({ browserWSEndpoint: at(by('socks5', 'ben', socks)) }),
    ]);
    await Promise.all([
      (async () => opened(await anna.contexts()[0].newPage(), `${server}-anna.test`))(),
      (async () => opened(await ben.newPage(), `${server}-ben.test`))(),
    ]);
    came(http, `anna ${server}-anna.test`);
    came(socks, `ben ${server}-ben.test`);
    await Promise.all([anna.close(), ben.disconnect()]);
  });
  await act(`${server}: Playwright, newContext({ proxy })`, async () => {
    const browser = await chromium.connectOverCDP(at());
    const contexts = await Promise.all(Object.keys(passwords).map(user => browser.newContext({
      proxy: { server: `http://127.0.0.1:${http.port}`, username: user, password: passwords[user], bypass: '127.0.0.1' },
    })));
    const pages = await Promise.all(contexts.map(context => context.newPage()));
    await Promise.all(pages.map((page, at) => opened(page, `${server}-playwright-${at}.test`)));
    came(http, `anna ${server}-playwright-0.test`);
    came(http, `ben ${server}-playwright-1.test`);
    const before = http.asked.length;
    await opened(pages[0], '127.0.0.1');
    must(http.asked.length === before, 'a bypassed host went through the proxy');
    await browser.close();
  });
  await act(`${server}: Puppeteer, createBrowserContext({ proxyServer }) and page.authenticate()`, async () => {
    const browser = await puppeteer.connect({ browserWSEndpoint: at() });
    await Promise.all(Object.entries(passwords).map(async ([username, password], at) => {
      const context = await browser.createBrowserContext({ proxyServer: `http://127.0.0.1:${http.port}`, proxyBypassList: ['127.0.0.1'] });
      const page = await context.newPage();
      await page.authenticate({ username, password });
      await opened(page, `${server}-puppeteer-${at}.test`);
      came(http, `${username} ${server}-puppeteer-${at}.test`);
      const before = http.asked.filter(asked => asked.endsWith(' 127.0.0.1')).length;
      await opened(page, '127.0.0.1');
      must(http.asked.filter(asked => asked.endsWith(' 127.0.0.1')).length === before, 'a bypassed host went through the proxy');
    }));
    await browser.disconnect();
  });
  await act(`${server}: by browserURL, whose answer has no password`, async () => {
    const base = `http://${ghostmux.host}:${ghostmux.port}`;
    const query = new URL(at(by('http', 'ben', http))).search;
    const version = await (await fetch(`${base}/json/version${query}`)).text();
    must(!version.includes('b%25n') && !version.includes('ben'), version);
    const browser = await puppeteer.connect({ browserURL: base + query });
    await opened(await browser.newPage(), `${server}-handed-out.test`);
    came(http, `ben ${server}-handed-out.test`);
    await browser.disconnect();
  });
  await act(`${server}: a wrong password`, async () => {
    const browser = await puppeteer.connect({ browserWSEndpoint: at(`proxy=http://anna:wrong%40127.0.0.1:${http.port}`) });
    const why = await (await browser.newPage()).goto(url('wrong.test')).then(() => 'loaded', error => error.message);
    must(/net::ERR_SOCKS_CONNECTION_FAILED/.test(why), why);
    must(!http.asked.some(asked => asked.endsWith(' wrong.test')), 'it was let through');
    await browser.disconnect();
  });
  if (server === 'open') {
    const left = await ghostmux.close();
    if (!left.obeyed || left.processes.length || left.profiles.length || left.files.length) {
      console.log('FAILED ghostmux left:', left);
      failed += 1;
    }
  } else {
    removeFolder(home);
    await Promise.all([http.close(), socks.close(), site.close()]);
    await finish(ghostmux, tally.failed + failed);
  }
}
