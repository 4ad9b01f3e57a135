#!/usr/bin/env node
// Files: downloads and uploads of clients, and the same files by HTTP: node files.mjs GHOSTMUX [BROWSER]
//
// Puppeteer and Playwright, unchanged, download and upload in sessions with `host-files` and without. What their pages
// download is fetched by HTTP; what is uploaded by HTTP is chosen by the clients' own upload calls.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { folder } from './process.mjs';
import { next, within } from './suite.mjs';

const PATIENCE_MS = 60_000;
const LARGE = 51 << 20;

const site = createServer((request, response) => {
  if (request.url === '/report') {
    response.setHeader('content-disposition', 'attachment; filename="report.csv"');
    return response.end('a,b\n1,2\n');
  }
  response.setHeader('content-type', 'text/html');
  response.end('<!doctype html><link rel="icon" href="data:,"><a id=get href=/report>get</a><input type=file>');
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `http://127.0.0.1:${site.address().port}/`;

const same = (found, expected, what) => {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  }
};

const ask = async (address, path, options = {}) => {
  const answer = await fetch(`http://${address}${path}`, options);
  if (!answer.ok) throw new Error(`${options.method ?? 'GET'} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
};

/** Sessions are parked first, so that their URL is known. */
const begin = async address => (await ask(address, '/v1/sessions', {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"keepAlive":60000}',
})).json();

/** The only download of a session: its name and its content. */
const fetched = async (address, id) => {
  const path = `/v1/sessions/${id}/downloads`;
  const { downloads } = await (await ask(address, `${path}?wait=30s`)).json();
  same(downloads.map(one => [one.name, one.state]), [['report.csv', 'completed']], 'downloads');
  return (await ask(address, `${path}/${downloads[0].id}`)).text();
};

const upload = async (address, id, name, body) =>
  (await (await ask(address, `/v1/sessions/${id}/files/${name}`, { method: 'PUT', body })).json()).path;

/** What the page was given. */
const chosen = page => page.evaluate(async () => {
  const [file] = document.querySelector('input').files;
  return [file.name, file.size, await file.slice(0, 5).text()];
});

const withPuppeteer = async (address, act) => {
  const session = await begin(address);
  const browser = await puppeteer.connect({ browserWSEndpoint: session.webSocketDebuggerUrl });
  const page = await browser.newPage();
  await page.goto(home);
  await act(page, session.id, browser);
  await browser.close();
};

const withPlaywright = async (address, act, options = {}) => {
  const session = await begin(address);
  const browser = await chromium.connectOverCDP(session.webSocketDebuggerUrl, options);
  const page = await browser.contexts()[0].newPage();
  await page.goto(home);
  await act(page, session.id);
  await browser.close();
};

const large = Buffer.alloc(LARGE, 'large');
const expected = ['large.bin', LARGE, 'large'];

const ACTS = {
  async 'Puppeteer downloads, with host-files and without'(host, strict) {
    for (const address of [host, strict]) {
      await withPuppeteer(address, async (page, id, browser) => {
        const cdp = await browser.target().createCDPSession();
        const wanted = folder('downloads');
        await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: wanted, eventsEnabled: true });
        const done = next(cdp, 'Browser.downloadProgress', event => event.state === 'completed');
        await page.click('#get');
        await done;
        if (address === host) same(readFileSync(join(wanted, 'report.csv'), 'utf8'), 'a,b\n1,2\n', 'the file');
        same(await fetched(address, id), 'a,b\n1,2\n', 'by HTTP');
      });
    }
  },
  async 'Playwright downloads, with host-files and without'(host, strict) {
    for (const address of [host, strict]) {
      await withPlaywright(address, async (page, id) => {
        const [download] = await Promise.all([page.waitForEvent('download'), page.click('#get')]);
        same([download.suggestedFilename(), await download.failure()], ['report.csv', null], 'its event');
        if (address === host) {
          same(readFileSync(await download.path(), 'utf8'), 'a,b\n1,2\n', 'path()');
          const path = join(folder('saved'), 'saved.csv');
          await download.saveAs(path);
          same(readFileSync(path, 'utf8'), 'a,b\n1,2\n', 'saveAs()');
        }
        same(await fetched(address, id), 'a,b\n1,2\n', 'by HTTP');
      });
    }
  },
  async 'Puppeteer uploads what was put by HTTP, by path and by file chooser'(_, strict) {
    await withPuppeteer(strict, async (page, id) => {
      const path = await upload(strict, id, 'large.bin', large);
      await (await page.$('input')).uploadFile(path);
      same(await chosen(page), expected, 'uploadFile');
      await page.reload();
      const [chooser] = await Promise.all([page.waitForFileChooser(), page.click('input')]);
      await chooser.accept([path]);
      same(await chosen(page), expected, 'the file chooser');
    });
  },
  async 'Playwright uploads what was put by HTTP, and files of its own machine'(_, strict) {
    const own = join(folder('own'), 'own.txt');
    writeFileSync(own, 'own files');
    await withPlaywright(strict, async (page, id) => {
      // Its content goes through the connection.
      await page.setInputFiles('input', own);
      same(await chosen(page), ['own.txt', 9, 'own f'], 'setInputFiles');
      const path = await upload(strict, id, 'large.bin', large);
      const cdp = await page.context().newCDPSession(page);
      const { result } = await cdp.send('Runtime.evaluate', { expression: 'document.querySelector("input")' });
      await cdp.send('DOM.setFileInputFiles', { files: [path], objectId: result.objectId });
      same(await chosen(page), expected, 'setFileInputFiles');
    });
    await withPlaywright(strict, async (page, id) => {
      await page.setInputFiles('input', await upload(strict, id, 'large.bin', large));
      same(await chosen(page), expected, 'setInputFiles, isLocal');
    }, { isLocal: true });
  },
};

const [program, path = findBrowser()] = process.argv.slice(2);
const [host, strict] = await Promise.all([openGhostmux(program, path), openGhostmux(program, path, ['--strict'])]);
let failed = 0;
for (const [name, act] of Object.entries(ACTS)) {
  const done = act(...[host, strict].map(one => `${one.host}:${one.port}`));
  const result = await within(PATIENCE_MS, name, done).then(() => 'ok', error => `FAILED ${error.stack}`);
  console.log(`${name}: ${result}`);
  failed += result === 'ok' ? 0 : 1;
}
site.close();
const left = await host.close();
if (!left.obeyed || [left.processes, left.profiles, left.files].some(list => list.length > 0)) {
  console.log('FAILED ghostmux left:', left);
  failed += 1;
}
await finish(strict, failed > 0);
