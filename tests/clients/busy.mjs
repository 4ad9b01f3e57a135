#!/usr/bin/env node
// A busy page is not affected when it is saved: node busy.mjs GHOSTMUX [BROWSER]
//
// Puppeteer drives two pages, each in a session of its own, in rounds: navigation, frame, worker, an
// intercepted request that it answers itself, console, an error, a dialog that it answers, a
// focused field. Meanwhile one of the sessions is saved five times by another client. The events of
// the client, in Puppeteer and on the wire, and the observations of the page itself must be equal.
// Both begin each round at the same time, so that the load of the machine is the same for both.

import { once } from 'node:events';
import { createServer } from 'node:http';
import puppeteer from 'puppeteer-core';
import { WebSocket } from 'ws';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { endAll } from './process.mjs';

const SAVES = 5;
/** The smallest number of rounds; more follow until the saves are done. */
const ROUNDS = 10;
/** How much longer a round may take than the same round of the session that is not saved, beside twice the longest of those. */
const PAUSE_MS = 2_000;
const PATIENCE_MS = 120_000;

// Chrome tells the title of a page some time after its load. The pages before and after the rounds
// are not waited for until then.
const TITLES_BY_TIME = /^Target\.targetInfoChanged page .*\/frame\?(first|other|last)$/;
// Events that depend on timing in a plain Chrome too, as does the number of the other events of
// their domains.
const BY_TIME = /^Network\.(dataReceived|resourceChangedPriority|policyUpdated)$/;

const html = body => `<!doctype html><meta charset=utf-8><link rel="icon" href="data:,"><body>${body}`;
const round = (number, other) => html(`<title>round ${number}</title><input id="field"><iframe src="${other}/frame?${number}"></iframe><script>
  for (const type of ['visibilitychange', 'freeze', 'resume']) document.addEventListener(type, () => console.log(type));
  for (const type of ['blur', 'resize', 'storage', 'offline', 'online']) addEventListener(type, () => console.log(type));
  localStorage.round = sessionStorage.round = ${number};
  const worker = new Worker('/worker.js');
  const said = new Promise(resolve => { worker.onmessage = event => resolve(event.data); });
  const loaded = new Promise(resolve => addEventListener('load', resolve));
  Promise.all([fetch('/answered?${number}').then(answer => answer.text()), said, loaded]).then(([text, said]) => {
    console.log(text, said);
    worker.terminate();
    setTimeout(() => { throw new Error('round ${number}'); });
    setTimeout(() => { document.title = confirm('round ${number}?') ? 'done' : 'refused'; });
  });
</script>`);

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://site');
  const other = `http://localhost:${server.address().port}`;
  const kind = url.pathname === '/worker.js' ? 'text/javascript' : 'text/html';
  const body = { '/round': () => round(url.search.slice(1), other), '/frame': () => html('frame'), '/worker.js': () => `postMessage('dug')` }[url.pathname];
  response.writeHead(body ? 200 : 404, { 'content-type': kind, 'cache-control': 'no-store' }).end(body?.());
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const site = `http://127.0.0.1:${server.address().port}`;

/** A connection of Puppeteer's with its events: each event of targets, and the names of the others. */
async function open(url) {
  const wire = { targets: [], names: new Set() };
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 0 });
  await once(socket, 'open');
  const transport = { send: text => socket.send(text), close: () => socket.close() };
  socket.on('message', data => {
    const text = `${data}`;
    const { method, params } = JSON.parse(text);
    if (method?.startsWith('Target.')) wire.targets.push(`${method} ${params.targetInfo?.type ?? ''} ${params.targetInfo?.url ?? ''}`);
    else if (method && !BY_TIME.test(method)) wire.names.add(method);
    transport.onmessage?.(text);
  });
  socket.on('close', () => transport.onclose?.());
  return { browser: await puppeteer.connect({ transport, defaultViewport: null }), wire };
}

/** Drives a page, a round whenever `next(rounds)` is true. Returns the events, the observations and the duration of each round. */
async function drive(at, next, began = () => {}) {
  const { browser, wire } = await open(`${at}/?keep_alive=1m`);
  const told = [];
  const listen = (emitter, events) => Object.entries(events).forEach(([name, show]) => emitter.on(name, value => told.push(`${name} ${show(value)}`)));
  const target = target => `${target.type()} ${target.url()}`;
  const frame = frame => frame.url(), request = request => `${request.method()} ${request.url()}`;
  listen(browser, { targetcreated: target, targetchanged: target, targetdestroyed: target, disconnected: String });
  const [other] = await browser.pages();
  await other.goto(`${site}/frame?other`);
  const page = await browser.newPage();
  const failed = request => `${request.url()} ${request.failure()?.errorText}`;
  listen(page, {
    frameattached: () => '', framedetached: () => '', framenavigated: frame, request, requestfinished: request, requestfailed: failed,
    response: response => `${response.status()} ${response.url()}`, console: message => `${message.type()} ${message.text()}`, pageerror: error => error.message,
    dialog: dialog => dialog.message(), workercreated: worker => worker.url(), workerdestroyed: worker => worker.url(),
    popup: String, close: String, error: String, load: String, domcontentloaded: String,
  });
  await page.setRequestInterception(true);
  page.on('request', request => {
    if (request.url().includes('/answered')) request.respond({ status: 200, contentType: 'text/plain', body: request.url().replace(/.*\?/, 'answer ') });
    else request.continue();
  });
  page.on('dialog', dialog => dialog.accept());
  // The first events of a page depend on timing: its first URL may be reported by its tab or by
  // itself.
  await page.goto(`${site}/frame?first`);
  told.length = wire.targets.length = 0;
  wire.names.clear();
  await began(await browser.target().createCDPSession());
  const durations = [];
  for (let number = 0; await next(number); number++) {
    const since = performance.now();
    await page.goto(`${site}/round?${number}`);
    await page.focus('#field');
    await page.waitForFunction(() => document.title === 'done', { polling: 10 });
    await page.keyboard.type('typed');
    const seen = await page.evaluate(() => [document.visibilityState, document.hasFocus(), document.activeElement.id, field.value, localStorage.round, sessionStorage.round]);
    told.push(`seen ${JSON.stringify(seen)}`);
    durations.push(performance.now() - since);
  }
  // The events of the last round have arrived.
  await page.goto(`${site}/frame?last`);
  const pages = (await browser.pages()).length;
  await browser.disconnect();
  return { durations, told: [...told, `pages ${pages}`], targets: wire.targets.filter(event => !TITLES_BY_TIME.test(event)), names: [...wire.names] };
}

/** For `count` callers: each waits until all have called, and all get the same answer of `decide`. */
function inStep(count, decide) {
  const waiting = [];
  return number => new Promise(resolve => {
    waiting.push(resolve);
    if (waiting.length < count) return;
    const answer = decide(number);
    for (const resolve of waiting.splice(0)) resolve(answer);
  });
}

/** The entries that one list has more often than the other. */
function without(list, other) {
  const left = [...other];
  return list.filter(item => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

async function save(server, id) {
  const answer = await fetch(`${server}/v1/sessions/${id}/snapshots`, { method: 'POST' });
  const { snapshot, detail } = await answer.json();
  if (answer.status !== 201) throw new Error(`it was not saved: ${answer.status} ${detail}`);
  return snapshot;
}

async function run(ghostmux) {
  const address = `${ghostmux.host}:${ghostmux.port}`;
  let saved = 0, saving = null;
  const began = async ghost => {
    const { session } = await ghost.send('ghost.getSession');
    saving = (async () => { for (; saved < SAVES; saved++) await save(`http://${address}`, session.id); })();
    // Awaited below.
    saving.catch(() => { saved = SAVES; });
  };
  const next = inStep(2, rounds => rounds < ROUNDS || saved < SAVES);
  const [disturbed, alone] = await Promise.all([
    drive(`ws://${address}`, next, began),
    drive(`ws://${address}`, next, ghost => ghost.send('ghost.getSession')),
  ]);
  await saving;
  for (const what of ['told', 'targets', 'names']) {
    const [more, less] = [without(disturbed[what], alone[what]), without(alone[what], disturbed[what])];
    if (more.length + less.length > 0) throw new Error(`${what}: only with saves ${JSON.stringify(more)}, only without saves ${JSON.stringify(less)}`);
  }
  const seen = [...new Set(disturbed.told.filter(event => event.startsWith('seen ')))];
  if (!seen.every(event => event.startsWith('seen ["visible",true,"field","typed",'))) throw new Error(`the page saw ${seen}`);
  const pauses = disturbed.durations.map((took, number) => took - alone.durations[number]);
  const pause = Math.round(Math.max(...pauses));
  if (pause > PAUSE_MS + 2 * Math.max(...alone.durations)) throw new Error(`a round took ${pause} ms longer than without a save: ${disturbed.durations}; ${alone.durations}`);
  return `${pauses.length} rounds, ${SAVES} saves, ${disturbed.told.length} events; a round took at most ${pause} ms longer than without a save`;
}

const [program, browser] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, browser ?? findBrowser());
const timer = setTimeout(() => { console.log(`FAILED not done in ${PATIENCE_MS / 1000} s`); endAll(); process.exit(1); }, PATIENCE_MS);
const result = await run(ghostmux).then(what => `ok     ${what}`, error => `FAILED a busy page that is saved: ${error.stack}`);
clearTimeout(timer);
console.log(result);
await finish(ghostmux, !result.startsWith('ok'));
