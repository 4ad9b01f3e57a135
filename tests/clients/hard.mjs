#!/usr/bin/env node
// Pages that are hard on purpose (fixtures/hard): the same scenario by Playwright in a plain Chrome and by HTTP here must have
// the same values. Screenshots are those of Puppeteer in the plain Chrome within 0.1 % of the pixels, and PDFs are its PDFs.
//   node hard.mjs GHOSTMUX [BROWSER]

import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { PNG } from 'pngjs';
import { findBrowser, finish, openGhostmux, openPlainChrome } from './endpoint.mjs';

const [program, browser = findBrowser()] = process.argv.slice(2);
const SIZE = { width: 800, height: 600 };
/** Most of the pixels that may differ. */
const DIFFERENT = 0.001;
const FILES = [{ name: 'a.txt', mimeType: 'text/plain', content: 'first' }, { name: 'b.csv', mimeType: 'text/csv', content: '1,2' }];

const site = createServer(async (request, response) => {
  if (request.url === '/hang') return;
  if (request.url === '/slow') await new Promise(done => setTimeout(done, 400));
  const file = request.url === '/slow' ? '/hard/popup.html' : request.url;
  response.writeHead(200, { 'content-type': 'text/html' }).end(readFileSync(fileURLToPath(new URL(`../../fixtures${file}`, import.meta.url))));
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `http://127.0.0.1:${site.address().port}`;

/** What went wrong, as both name it. */
class Failed extends Error {}

/** A page by Playwright. A selector with `frame` is one in that frame. */
function byPlaywright(page) {
  const at = (selector, frame) => (frame ? page.frameLocator(frame).locator(selector) : page.locator(selector));
  const failing = async work => {
    try { return await work; } catch (error) {
      if (/strict mode violation/.test(error.message)) throw new Failed('several-elements');
      if (error.name === 'TimeoutError') throw new Failed('action-timeout');
      throw error;
    }
  };
  return {
    goto: (path, options = {}) => failing(page.goto(home + path, { waitUntil: 'domcontentloaded', ...options }).then(answer => answer.status())),
    click: (selector, { frame, ...options } = {}) => failing(at(selector, frame).click(options)),
    fill: (selector, value, { frame, ...options } = {}) => failing(at(selector, frame).fill(value, options)),
    press: (selector, key) => failing(at(selector).press(key)),
    select: (selector, value) => failing(at(selector).selectOption(value)),
    check: selector => failing(at(selector).check()),
    scroll: selector => failing(at(selector).scrollIntoViewIfNeeded()),
    text: (selector, { frame, ...options } = {}) => failing(at(selector, frame).innerText(options)),
    value: expression => failing(page.evaluate(expression)),
    wait: (selector, state = 'visible') => failing(at(selector).waitFor({ state })),
    until: expression => failing(page.waitForFunction(expression).then(() => undefined)),
    async dialog(selector, answer, promptText) {
      const [, message] = await Promise.all([at(selector).click(), page.waitForEvent('dialog').then(async dialog => {
        await (answer ? dialog.accept(promptText) : dialog.dismiss());
        return dialog.message();
      })]);
      return message;
    },
    async popup(selector) {
      const [popup] = await Promise.all([page.waitForEvent('popup'), at(selector).click()]);
      const url = popup.url();
      await popup.close();
      return url;
    },
    async choose(selector) {
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), at(selector).click()]);
      await chooser.setFiles(FILES.map(({ name, mimeType, content }) => ({ name, mimeType, buffer: Buffer.from(content) })));
      return chooser.isMultiple();
    },
  };
}

/** A page by HTTP. */
function byHttp(base) {
  const ask = async (action, body) => {
    const answer = await fetch(`${base}/${action}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const result = await answer.json();
    if (answer.ok) return result;
    const kind = result.type.replace('urn:ghostmux:', '');
    throw ['action-timeout', 'several-elements'].includes(kind) ? new Failed(kind) : new Error(JSON.stringify(result));
  };
  const at = (selector, frame) => ({ locator: { css: selector, ...frame && { frame: { css: frame } } } });
  const files = FILES.map(file => ({ ...file, content: Buffer.from(file.content).toString('base64') }));
  return {
    ask,
    goto: async (path, options = {}) => (await ask('goto', { url: home + path, waitUntil: 'domcontentloaded', ...options })).status,
    click: async (selector, { frame, ...options } = {}) => { await ask('click', { ...at(selector, frame), ...options }); },
    fill: async (selector, value, { frame, ...options } = {}) => { await ask('fill', { ...at(selector, frame), value, ...options }); },
    press: async (selector, key) => { await ask('press', { ...at(selector), key }); },
    select: async (selector, value) => (await ask('select', { ...at(selector), values: [value] })).values,
    check: async selector => { await ask('check', at(selector)); },
    scroll: async selector => { await ask('scroll', at(selector)); },
    text: async (selector, { frame, ...options } = {}) => (await ask('text', { ...at(selector, frame), ...options })).text,
    value: async expression => (await ask('evaluate', { expression })).value,
    wait: async (selector, state = 'visible') => { await ask('wait', { ...at(selector), state }); },
    until: async expression => { await ask('wait', { function: `() => ${expression}` }); },
    dialog: async (selector, accept, promptText) => {
      const done = await ask('click', { ...at(selector), expect: { dialog: { accept, ...promptText !== undefined && { promptText } } } });
      return done.dialogs[0].message;
    },
    popup: async selector => {
      const done = await ask('click', { ...at(selector), expect: { popup: {} } });
      const { targetId, url } = done.expected.popup;
      await fetch(`${base.replace(/[^/]*$/, targetId)}`, { method: 'DELETE' });
      return url;
    },
    choose: async selector => (await ask('click', { ...at(selector), expect: { fileChooser: { files } } })).fileChooser.multiple,
  };
}

/** The outcome of something that may fail in a way that both know. */
const outcome = work => work.catch(error => { if (error instanceof Failed) return error.message; throw error; });

const SCENARIOS = {
  async 'elements that are late, move, are covered, disabled, replaced, and far away'(page) {
    await page.goto('/hard/late.html');
    for (const selector of ['#late button', '#moving', '#covered', '#disabled', '#replaced', '#far']) await page.click(selector);
    await page.fill('#readonly', 'after');
    return [await page.text('#out'), await page.value('readonly.value'), await page.value('scrollY > 4000')];
  },
  async 'actions that cannot be done end at their limit'(page) {
    await page.goto('/hard/late.html');
    return [
      await outcome(page.click('#restless', { timeout: 700 })), await outcome(page.click('#nothing', { timeout: 300 })),
      await outcome(page.click('#list li', { timeout: 2000 })), await outcome(page.text('#nothing', { timeout: 300 })),
      await outcome(page.click('#restless', { force: true, timeout: 2000 })), await page.text('#out'),
    ];
  },
  async 'shadow roots and a frame of another site'(page) {
    await page.goto('/hard/parts.html');
    await page.click('#host button');
    await page.click('button', { frame: '#other' });
    await page.fill('input', 'typed', { frame: '#other' });
    await page.until('out.textContent.includes("inside")');
    return [await page.text('#out'), await page.text('button', { frame: '#other' })];
  },
  async 'dialogs, popups, and a file input behind a button'(page) {
    await page.goto('/hard/parts.html');
    const seen = [await page.dialog('#confirm', true), await page.dialog('#confirm', false), await page.dialog('#prompt', true, 'Ada'), await page.dialog('#prompt', false)];
    seen.push(await page.popup('#popup'), await page.choose('#choose'));
    await page.until('out.textContent.includes("b.csv")');
    return [...seen, await page.text('#out')];
  },
  async 'forms and keys'(page) {
    await page.goto('/hard/parts.html');
    const selected = await page.select('#select', 'see');
    await page.check('#check');
    await page.check('#check');
    await page.fill('#rich', 'poor');
    for (const key of ['a', 'Shift+B', 'Enter', 'ArrowLeft', 'Backspace']) await page.press('#keys', key);
    return [selected, await page.text('#out'), await page.text('#rich'), await page.value('keys.value')];
  },
  async 'a list that has no end'(page) {
    await page.goto('/hard/endless.html');
    for (let count = 20; count < 200; count += 20) {
      await page.scroll('#end');
      await page.until(`list.children.length >= ${count + 20}`);
    }
    await page.click('li:nth-child(200)');
    return [await page.text('li:last-child'), await page.value('list.children.length')];
  },
  async 'a hundred thousand nodes'(page) {
    await page.goto('/hard/large.html');
    await page.click('#last');
    return [await page.text('#out'), await page.text('li:nth-child(33333) b'), await page.value('document.querySelectorAll("*").length > 66666')];
  },
  async 'a page that allows no untrusted scripts'(page) {
    await page.goto('/hard/trusted.html');
    await page.fill('#field', 'Ada');
    await page.click('button');
    return [await page.text('#out'), await page.value('1 + 1')];
  },
  async 'slow and hanging networks'(page) {
    return [
      await page.goto('/slow'), await page.goto('/hard/hanging.html'), await page.text('p'),
      await outcome(page.goto('/hard/hanging.html', { waitUntil: 'load', timeout: 700 })), await page.text('p'),
      await outcome(page.goto('/hang', { timeout: 500 })), await page.goto('/hard/popup.html'), await page.value('document.title'),
    ];
  },
};

/** The share of the pixels that differ. */
function difference(one, other) {
  const [a, b] = [one, other].map(bytes => PNG.sync.read(Buffer.from(bytes)));
  if (a.width !== b.width || a.height !== b.height) throw new Error(`${a.width} x ${a.height} and ${b.width} x ${b.height}`);
  let count = 0;
  for (let at = 0; at < a.data.length; at += 4) if (a.data.readUInt32LE(at) !== b.data.readUInt32LE(at)) count += 1;
  return count / (a.data.length / 4);
}

/** A PDF without its times. */
const timeless = bytes => Buffer.from(bytes).toString('latin1').replace(/\((D:\d{14}[^)]*)\)/g, '(time)');

const NO_MARGIN = { top: 0, right: 0, bottom: 0, left: 0 };
const PICTURES = {
  'a screenshot of the viewport': ['/hard/tall.html', 'screenshot', {}, page => page.screenshot()],
  'a screenshot of 30,000 pixels': ['/hard/tall.html', 'screenshot', { fullPage: true }, page => page.screenshot({ fullPage: true })],
  'a screenshot of an element': ['/hard/tall.html', 'screenshot', { selector: '#part' }, async page => (await page.$('#part')).screenshot()],
  'a screenshot of an area': ['/hard/parts.html', 'screenshot', { clip: { x: 10, y: 20, width: 300, height: 200 } },
    page => page.screenshot({ clip: { x: 10, y: 20, width: 300, height: 200 } })],
  // Puppeteer prints without margins, and always says whether a PDF is tagged and has an outline.
  'a PDF of 500 pages': ['/hard/long.html', 'pdf', { margin: NO_MARGIN, tagged: true, outline: false }, page => page.pdf({ timeout: 60_000 })],
  'a PDF with its options': ['/hard/tall.html', 'pdf',
    { landscape: true, printBackground: true, pageRanges: '2-3', scale: 0.5, paperWidth: 5, paperHeight: 7, margin: { ...NO_MARGIN, left: 1 }, tagged: false, outline: true },
    page => page.pdf({ landscape: true, printBackground: true, pageRanges: '2-3', scale: 0.5, width: '5in', height: '7in', margin: { left: '1in' }, tagged: false, outline: true })],
};

const [ghostmux, plain] = await Promise.all([openGhostmux(program, browser, ['--page-result', '64MiB']), openPlainChrome(browser)]);
const server = `http://${ghostmux.host}:${ghostmux.port}/v1/sessions`;
const post = async (url, body) => (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
const { id } = await post(server, { keepAlive: 300_000 });
await post(`${server}/${id}/pages`, {});
const http = byHttp(`${server}/${id}/pages/first`);
await http.ask('viewport', SIZE);
const direct = await chromium.connectOverCDP(`http://${plain.host}:${plain.port}`);
const context = await direct.newContext({ viewport: SIZE });
const puppets = await puppeteer.connect({ browserWSEndpoint: `ws://${plain.host}:${plain.port}${plain.path}`, defaultViewport: SIZE });

let failed = 0;
async function check(name, run) {
  const since = Date.now();
  try {
    const problem = await run();
    if (problem) throw new Error(problem);
    console.log(`ok ${name}, ${Date.now() - since} ms`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
  }
}
for (const [name, scenario] of Object.entries(SCENARIOS)) {
  await check(name, async () => {
    const page = await context.newPage();
    const [wanted, seen] = await Promise.all([scenario(byPlaywright(page)), scenario(http)]);
    await page.close();
    if (!isDeepStrictEqual(seen, wanted)) return `${JSON.stringify(seen)}, Playwright ${JSON.stringify(wanted)}`;
  });
}
for (const [name, [path, action, options, take]] of Object.entries(PICTURES)) {
  await check(name, async () => {
    const page = await puppets.newPage();
    await Promise.all([page.goto(home + path), http.goto(path, { waitUntil: 'load' })]);
    // One after the other: two large pictures at once take turns anyway.
    const wanted = await take(page);
    const { data } = await http.ask(action, { ...options, timeout: 60_000 });
    await page.close();
    const seen = Buffer.from(data, 'base64');
    if (action === 'pdf') return timeless(seen) === timeless(wanted) ? undefined : `${seen.length} bytes, ${wanted.length} of Puppeteer`;
    const share = difference(seen, wanted);
    if (share > DIFFERENT) return `${(100 * share).toFixed(2)} % of the pixels differ`;
  });
}
await puppets.disconnect();
await direct.close();
await plain.close();
site.closeAllConnections();
site.close();
await finish(ghostmux, failed);
