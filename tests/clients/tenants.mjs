#!/usr/bin/env node
// Tokens in every place where a client can give one: node tenants.mjs GHOSTMUX [BROWSER]
//
// Puppeteer and Playwright come with `Authorization`, `x-api-key`, `?token=`, `/t/TOKEN/`, and a host name whose first label is
// the token; each opens a page in a session of its tenant. Without a token, and with another's, they get an error.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { folder, removeFolder } from './process.mjs';
import { within } from './suite.mjs';

const PATIENCE_MS = 60_000;
const [program, browser = findBrowser()] = process.argv.slice(2);
const home = folder('tenants');
const file = join(home, 'tenants.toml');
const tokenOf = async (...flags) => (await promisify(execFile)(program, ['token', 'new', '--tenants', file, ...flags])).stdout.trim();
const token = await tokenOf('--tenant', 'acme');
const spent = await tokenOf('--tenant', 'acme', '--name', 'spent', '--expires', '2020-01-01');
// `*.localhost` leads to this machine for the clients too.
const ghostmux = await openGhostmux(program, browser, ['--tenants', file, '--token-host', '*.ghost.localhost']);
const address = `${ghostmux.host}:${ghostmux.port}`;
const label = token.replaceAll('_', '-');

// The place of the token: the URL of a WebSocket, that of HTTP, and headers.
const PLACES = {
  Authorization: { ws: `ws://${address}/`, http: `http://${address}`, headers: { Authorization: `Bearer ${token}` } },
  'x-api-key': { ws: `ws://${address}/`, http: `http://${address}`, headers: { 'x-api-key': token } },
  '?token=': { ws: `ws://${address}/?token=${token}`, http: `http://${address}/?token=${token}` },
  '/t/TOKEN/': { ws: `ws://${address}/t/${token}/`, http: `http://${address}/t/${token}` },
};

const CLIENTS = {
  async 'Puppeteer, browserWSEndpoint'({ ws, headers }) {
    const browser = await puppeteer.connect({ browserWSEndpoint: ws, headers });
    return [await (await browser.newPage()).evaluate('6 * 7'), () => browser.disconnect()];
  },
  async 'Playwright, connectOverCDP by ws://'({ ws, headers }) {
    const browser = await chromium.connectOverCDP(ws, { headers });
    return [await (await browser.contexts()[0].newPage()).evaluate('6 * 7'), () => browser.close()];
  },
  async 'Playwright, connectOverCDP by http://'({ http, headers }) {
    const browser = await chromium.connectOverCDP(http, { headers });
    return [await (await browser.contexts()[0].newPage()).evaluate('6 * 7'), () => browser.close()];
  },
};

let failed = 0;
async function act(name, run) {
  try {
    await within(PATIENCE_MS, name, run());
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
  }
}

for (const [place, how] of Object.entries(PLACES)) {
  for (const [client, connect] of Object.entries(CLIENTS)) {
    await act(`${client}, ${place}`, async () => {
      const [result, leave] = await connect(how);
      if (result !== 42) throw new Error(`6 * 7 is ${result}`);
      await leave();
    });
  }
}
await act('HTTP by a host name with the token', async () => {
  // By the address: not every resolver knows names below localhost.
  const { request } = await import('node:http');
  const body = await new Promise((resolve, reject) => request({
    host: ghostmux.host, port: ghostmux.port, path: '/json/version', headers: { host: `${label}.ghost.localhost:${ghostmux.port}` },
  }, async answer => resolve((await answer.toArray()).join(''))).on('error', reject).end());
  const { webSocketDebuggerUrl: url } = JSON.parse(body);
  if (url.includes('gmx') || !url.startsWith(`ws://ghostmux.ghost.localhost:${ghostmux.port}/`)) throw new Error(url);
  const { pathname, search } = new URL(url);
  const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}${pathname}${search}` });
  await browser.newPage();
  await browser.disconnect();
});
for (const [name, query] of [['no token', ''], ['an expired token', `?token=${spent}`]]) {
  await act(`${name} is refused`, async () => {
    for (const connect of [
      () => puppeteer.connect({ browserWSEndpoint: `ws://${address}/${query}` }),
      () => chromium.connectOverCDP(`http://${address}/${query}`),
    ]) {
      const error = await connect().then(() => null, error => error);
      if (!error || !/401|token/.test(String(error.message ?? error))) throw new Error(`not refused: ${error}`);
    }
  });
}
removeFolder(home);
await finish(ghostmux, failed);
