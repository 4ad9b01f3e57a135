// What clients do with a ghostmux behind TLS: Puppeteer and Playwright come by https: and wss: URLs with a tenant's token, and follow
// the URLs that the server hands out.

import { request } from 'node:https';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { WebSocket } from 'ws';
import { within } from './suite.mjs';

export const PATIENCE_MS = 60_000;

/** How many acts failed. */
export const tally = { failed: 0 };

/** Performs an act, and says whether it succeeded. */
export async function act(name, run) {
  try {
    await within(PATIENCE_MS, name, run());
    console.log(`ok ${name}`);
  } catch (error) {
    tally.failed += 1;
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
  }
}

/** Fails with `what` unless it holds. */
export function must(holds, what) {
  if (!holds) throw new Error(typeof what === 'string' ? what : JSON.stringify(what));
}

/** An answer over TLS: `{status, headers, text}`. */
export function ask(url, { method = 'GET', headers = {}, body, localAddress, rejectUnauthorized = true } = {}) {
  return new Promise((resolve, reject) => request(url, { method, headers, localAddress, rejectUnauthorized, family: 4, servername: 'localhost', agent: false }, async answer => {
    resolve({ status: answer.statusCode, headers: answer.headers, text: (await answer.toArray()).join('') });
  }).on('error', reject).end(body));
}

const puppeteerBy = async options => {
  const browser = await puppeteer.connect(options);
  must(await (await browser.newPage()).evaluate('6 * 7') === 42, '6 * 7');
  await browser.disconnect();
};
const playwrightBy = async (url, options) => {
  const browser = await chromium.connectOverCDP(url, options);
  must(await (await browser.contexts()[0].newPage()).evaluate('6 * 7') === 42, '6 * 7');
  await browser.close();
};

/** All ways of the clients to a server at `base`, an https: URL without a slash at its end. */
export async function clients(front, base, token) {
  const bearer = { Authorization: `Bearer ${token}` };
  const ws = base.replace('https:', 'wss:');
  const { pathname: prefix } = new URL(`${base}/`);
  await act(`${front}: Puppeteer, browserURL`, async () => {
    await puppeteerBy({ browserURL: `${base}/?token=${token}` });
    await puppeteerBy({ browserURL: `${base}/t/${token}` });
  });
  await act(`${front}: Puppeteer, browserWSEndpoint`, async () => {
    await puppeteerBy({ browserWSEndpoint: `${ws}/?token=${token}` });
    await puppeteerBy({ browserWSEndpoint: `${ws}/t/${token}/s/by-name`, headers: bearer });
  });
  await act(`${front}: Playwright, connectOverCDP`, async () => {
    await playwrightBy(`${base}/t/${token}`);
    await playwrightBy(`${base}/?token=${token}`);
    await playwrightBy(base, { headers: bearer });
    await playwrightBy(`${ws}/`, { headers: bearer });
  });
  await act(`${front}: every URL that is handed out works`, async () => {
    const json = { ...bearer, 'Content-Type': 'application/json' };
    const made = await ask(`${base}/v1/sessions`, { method: 'POST', headers: json, body: '{"keepAlive":60000}' });
    must(made.status === 201, made);
    const { id, webSocketDebuggerUrl: url } = JSON.parse(made.text);
    must(url.startsWith(`${ws}/devtools/browser/${id}`) && made.headers.location.startsWith(prefix), made);
    await puppeteerBy({ browserWSEndpoint: url });
    const found = await ask(new URL(made.headers.location, base).href, { headers: bearer });
    must(found.status === 200 && JSON.parse(found.text).webSocketDebuggerUrl.startsWith(`${ws}/`), found);
    const named = JSON.parse((await ask(`${base}/s/by-list/json/new?about:blank`, { method: 'PUT', headers: bearer })).text);
    must(named.webSocketDebuggerUrl.startsWith(`${ws}/devtools/page/`), named);
    const page = new WebSocketOf(named.webSocketDebuggerUrl);
    await page.says('Runtime.evaluate', { expression: '6 * 7' });
    const list = JSON.parse((await ask(`${base}/sessions`, { headers: bearer })).text);
    must(list.every(one => one.killURL.startsWith(`${base}/kill/`) && one.initialConnectURL.startsWith(`${ws}/`)), list);
    const killed = await ask(list.find(one => one.id === id).killURL, { headers: bearer });
    must(killed.status === 204, killed);
    const welcome = await ask(`${base}/`, { headers: { ...bearer, accept: 'text/html' } });
    must(welcome.text.includes(`'${base}'`) && welcome.text.includes(`href="${prefix}health"`), welcome.text);
  });
  await act(`${front}: without a token nothing`, async () => {
    must((await ask(`${base}/json/version`)).status === 401, 'answered');
    for (const connect of [() => puppeteer.connect({ browserWSEndpoint: `${ws}/` }), () => chromium.connectOverCDP(base)]) {
      const error = await connect().then(() => null, error => error);
      must(error && /401|token/.test(String(error.message ?? error)), `not refused: ${error}`);
    }
  });
}

/** A raw client of one URL. */
class WebSocketOf {
  #socket;

  constructor(url) {
    this.#socket = new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.once('open', () => resolve(socket)).once('error', reject);
    });
  }

  async says(method, params) {
    const socket = await this.#socket;
    const answer = new Promise((resolve, reject) => socket.once('message', data => resolve(JSON.parse(data))).once('close', reject));
    socket.send(JSON.stringify({ id: 1, method, params }));
    const { error } = await answer;
    socket.close();
    must(!error, error);
  }
}
