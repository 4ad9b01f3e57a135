#!/usr/bin/env node
// One login with Puppeteer, used twenty times with Playwright: node login.mjs GHOSTMUX [BROWSER]
//
// The site keeps a session in an HttpOnly cookie, a CSRF token in sessionStorage and a token in
// IndexedDB as Firebase does, and requires all three of one login. One session logs in and is
// saved; one starts from the snapshot, twenty are cloned. All are logged in without another login,
// and no session reads what another one writes afterwards.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { endAll } from './process.mjs';

const CLONES = 20;
const PATIENCE_MS = 120_000;

const DATABASE = `
  const database = () => new Promise((resolve, reject) => {
    const open = indexedDB.open('firebaseLocalStorageDb', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('firebaseLocalStorage', { keyPath: 'fbase_key' });
    open.onsuccess = () => resolve(open.result);
    open.onerror = () => reject(open.error);
  });
  const within = async (mode, act) => {
    const base = await database();
    const request = act(base.transaction('firebaseLocalStorage', mode).objectStore('firebaseLocalStorage'));
    await new Promise((resolve, reject) => { request.onsuccess = resolve; request.onerror = () => reject(request.error); });
    base.close();
    return request.result;
  };
  const keep = (key, value) => within('readwrite', store => store.put({ fbase_key: key, value }));
  const kept = async key => (await within('readonly', store => store.get(key)))?.value ?? null;`;

const PAGES = {
  '/login': `<!doctype html><title>Log in</title><form><input name="user"><button>Log in</button></form><script>${DATABASE}
    const ready = fetch('/csrf').then(r => r.text()).then(csrf => { sessionStorage.csrf = csrf; });
    document.forms[0].onsubmit = async event => {
      event.preventDefault();
      await ready;
      const answer = await fetch('/login', { method: 'POST', headers: { 'x-csrf': sessionStorage.csrf }, body: document.forms[0].user.value });
      await keep('firebase:authUser', { stsTokenManager: { accessToken: await answer.text(), expirationTime: Date.now() + 3600_000 } });
      location = '/account';
    };</script>`,
  '/account': `<!doctype html><title>Account</title><p id="who"></p><script>${DATABASE}
    const whoami = async () => {
      const user = await kept('firebase:authUser');
      const headers = { 'x-csrf': sessionStorage.csrf ?? '', authorization: 'Bearer ' + user?.stsTokenManager.accessToken };
      return (await fetch('/whoami', { method: 'POST', headers })).text();
    };
    const write = async mark => { localStorage.mark = mark; sessionStorage.mark = mark; document.cookie = 'mark=' + mark; await keep('mark', mark); };
    const read = async () => [localStorage.mark, sessionStorage.mark, document.cookie.match(/mark=(\\w+)/)?.[1], await kept('mark')].map(mark => mark ?? null);
    whoami().then(name => { who.textContent = name; });</script>`,
};

const logins = new Map();
let csrfs = 0;
const body = async request => { let text = ''; for await (const piece of request) text += piece; return text; };
const server = createServer(async (request, response) => {
  const page = request.method === 'GET' && PAGES[request.url];
  const cookie = request.headers.cookie?.match(/sid=([\w-]+)/)?.[1];
  if (page) return response.setHeader('content-type', 'text/html').end(page);
  if (request.url === '/csrf') return response.end(`csrf-${csrfs += 1}`);
  if (request.url === '/login') {
    const [sid, token] = [randomUUID(), randomUUID()];
    logins.set(sid, { user: await body(request), token, csrf: request.headers['x-csrf'] });
    return response.setHeader('set-cookie', `sid=${sid}; HttpOnly; SameSite=Strict; Path=/`).end(token);
  }
  if (request.url === '/whoami') {
    const login = logins.get(cookie);
    const is = login && login.csrf === request.headers['x-csrf'] && request.headers.authorization === `Bearer ${login.token}`;
    return response.writeHead(is ? 200 : 401).end(is ? login.user : `nobody: cookie ${Boolean(login)}, csrf ${request.headers['x-csrf']}`);
  }
  response.writeHead(404).end();
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const site = `http://127.0.0.1:${server.address().port}`;

function expect(what, found, wanted) {
  const [text, expected] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (text !== expected) throw new Error(`${what}: ${text}, not ${expected}`);
}

async function logIn(url) {
  const browser = await puppeteer.connect({ browserWSEndpoint: url });
  const page = await browser.newPage();
  await page.goto(`${site}/login`);
  await page.type('input', 'ada');
  await Promise.all([page.waitForNavigation(), page.click('button')]);
  await page.waitForFunction(() => document.querySelector('#who')?.textContent === 'ada');
  return { browser, page, ghost: await browser.target().createCDPSession() };
}

/** Connects with Playwright and finds the session's page. */
async function drive(url) {
  const browser = await chromium.connectOverCDP(url);
  const page = browser.contexts()[0].pages().find(one => one.url() === `${site}/account`);
  if (!page) throw new Error(`no account page in ${url}: ${browser.contexts()[0].pages().map(one => one.url())}`);
  return { browser, page };
}

async function run(ghostmux) {
  const at = `ws://${ghostmux.host}:${ghostmux.port}`;
  const first = await logIn(`${at}/?keep_alive=5m`);
  const { snapshot, report } = await first.ghost.send('ghost.saveSnapshot', { name: 'logged in' });
  expect('what the snapshot lacks', report.omitted, []);

  const restored = await drive(`${at}/?snapshot=${snapshot.id}`);
  expect('who the restored session is', await restored.page.evaluate('whoami()'), 'ada');
  await restored.page.evaluate('write("restored")');

  const since = performance.now();
  const { sessions } = await first.ghost.send('ghost.cloneSession', { count: CLONES, keepAlive: 300_000 });
  console.log(`       ${CLONES} clones in ${Math.round(performance.now() - since)} ms`);
  const clones = await Promise.all(sessions.map(({ webSocketDebuggerUrl }) => drive(webSocketDebuggerUrl)));
  expect('clones', clones.length, CLONES);
  await Promise.all(clones.map(async ({ page }, at) => {
    expect(`who clone ${at} is`, await page.evaluate('whoami()'), 'ada');
    expect(`what clone ${at} reads of others`, await page.evaluate('read()'), [null, null, null, null]);
    await page.evaluate(`write("clone${at}")`);
  }));
  // After all have written, each reads its own value.
  await Promise.all(clones.map(async ({ page }, at) =>
    expect(`what clone ${at} reads`, await page.evaluate('read()'), Array(4).fill(`clone${at}`))));
  expect('what the restored one reads', await restored.page.evaluate('read()'), Array(4).fill('restored'));
  expect('what the first one reads', await first.page.evaluate('read()'), [null, null, null, null]);
  expect('logins', logins.size, 1);
  await Promise.all([restored, ...clones].map(({ browser }) => browser.close()));
  await first.browser.disconnect();
}

const [program, browser] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, browser ?? findBrowser());
let why = null;
const timer = setTimeout(() => { console.log(`FAILED not done in ${PATIENCE_MS / 1000} s`); endAll(); process.exit(1); }, PATIENCE_MS);
await run(ghostmux).catch(error => { why = error.stack; });
clearTimeout(timer);
console.log(why ? `FAILED a login that is saved and cloned: ${why}` : `ok     one login, a snapshot of it and ${CLONES} clones`);
await finish(ghostmux, why !== null);
