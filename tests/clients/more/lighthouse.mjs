#!/usr/bin/env node
// Lighthouse in a browser of one's own: node more/lighthouse.mjs GHOSTMUX [BROWSER]
//
// It must give a full report, with every category scored, and the same scores for all that does not measure time as with a
// Chrome that it drives directly.

import lighthouse from 'lighthouse';
import puppeteer from 'puppeteer-core';
import { openSite, runAll, same } from '../acts.mjs';
import { findBrowser, openGhostmux, openPlainChrome } from '../endpoint.mjs';

const { home } = await openSite((request, response) => {
  if (request.url === '/robots.txt') {
    response.setHeader('content-type', 'text/plain');
    return ['', ''];
  }
  return ['A page', `<meta name="viewport" content="width=device-width"><meta name="description" content="A page for Lighthouse">
    <h1>A page</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="10" height="10"><p>Some text.
    <button onclick="this.textContent = 'pressed'">press</button><script>localStorage.visited = '1';</script>`];
});

/** What must be alike: the scores of the categories that measure no time, and how each audit ended. */
async function reportOf(options, page) {
  const { lhr } = await lighthouse(`${home}/`, { output: 'json', logLevel: 'error', ...options }, undefined, page);
  if (lhr.runtimeError) throw new Error(JSON.stringify(lhr.runtimeError));
  const scores = Object.fromEntries(Object.values(lhr.categories).map(one => [one.id, one.score]));
  const { performance, ...others } = scores;
  if (!Object.values(scores).every(score => typeof score === 'number')) throw new Error(`not all are scored: ${JSON.stringify(scores)}`);
  const failed = Object.values(lhr.audits).filter(audit => audit.scoreDisplayMode === 'error').map(audit => `${audit.id}: ${audit.errorMessage}`);
  same(failed, [], 'audits that failed');
  console.log(`  ${JSON.stringify(scores)}, ${Object.keys(lhr.audits).length} audits, warnings: ${JSON.stringify(lhr.runWarnings)}`);
  return { others, audits: Object.keys(lhr.audits).length, warnings: lhr.runWarnings };
}

const ACTS = {
  async 'Lighthouse gives the report that it gives with a Chrome of its own'(address, path) {
    const chrome = await openPlainChrome(path);
    const expected = await reportOf({ hostname: chrome.host, port: chrome.port }).finally(() => chrome.close());
    const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?isolation=dedicated`, defaultViewport: null });
    same(await reportOf({}, await browser.newPage()), expected, 'with a page of Puppeteer');
    await browser.close();
  },
};

const [program, path = findBrowser()] = process.argv.slice(2);
await runAll(ACTS, await openGhostmux(program, path), path);
