#!/usr/bin/env node
// Profiles: log in once, and be logged in from then on: node profiles.mjs GHOSTMUX [BROWSER]
//
// Puppeteer and Playwright log in to a site, in a session with `?profile=NAME&persist=true`, and close it; the next session
// with `?profile=NAME` is logged in, whichever client it is. The same with `?user_data=NAME`. None of them waits for anything.

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { openSite, runAll, same } from './acts.mjs';
import { findBrowser, openGhostmux } from './endpoint.mjs';
import { folder } from './process.mjs';

const { home } = await openSite((request, response) => {
  const login = /^\/login\/(\w+)/.exec(request.url)?.[1];
  if (login) response.setHeader('set-cookie', `user=${login}; HttpOnly; Path=/; Max-Age=1000`);
  return [/user=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'nobody'];
});

const withPuppeteer = async (address, query, act) => {
  const browser = await puppeteer.connect({ browserWSEndpoint: `ws://${address}/?${query}` });
  const page = await browser.newPage();
  await page.goto(`${home}/`);
  const result = await act(page);
  await browser.close();
  return result;
};

const withPlaywright = async (address, query, act) => {
  const browser = await chromium.connectOverCDP(`http://${address}/?${query}`);
  const page = await browser.contexts()[0].newPage();
  await page.goto(`${home}/`);
  const result = await act(page);
  await browser.close();
  return result;
};

const user = async page => [await page.title(), await page.evaluate(() => localStorage.theme ?? null)];

const login = name => async page => {
  const before = await user(page);
  await page.goto(`${home}/login/${name}`);
  await page.evaluate(name => { localStorage.theme = name; }, name);
  return before;
};

const ACTS = {
  async 'Puppeteer logs in once, and is logged in with the next session'(address) {
    same(await withPuppeteer(address, 'profile=one&persist=true', login('ann')), ['nobody', null], 'the first time');
    same(await withPuppeteer(address, 'profile=one', user), ['ann', 'ann'], 'the second time');
    // A session without `persist` saves nothing.
    same(await withPuppeteer(address, 'profile=one', login('eve')), ['ann', 'ann'], 'the third time');
    same(await withPlaywright(address, 'profile=one', user), ['ann', 'ann'], 'with Playwright');
  },
  async 'Playwright logs in once, and is logged in with the next session'(address) {
    same(await withPlaywright(address, 'profile=two&persist=true', login('bob')), ['nobody', null], 'the first time');
    same(await withPlaywright(address, 'profile=two&persist=true', login('cid')), ['bob', 'bob'], 'the second time');
    same(await withPlaywright(address, 'profile=two', user), ['cid', 'cid'], 'the third time');
    same(await withPuppeteer(address, 'profile=two', user), ['cid', 'cid'], 'with Puppeteer');
  },
  async 'user data are there again for either client'(address) {
    same(await withPuppeteer(address, 'user_data=three', login('dan')), ['nobody', null], 'the first time');
    same(await withPlaywright(address, 'user_data=three', login('eva')), ['dan', 'dan'], 'with Playwright');
    same(await withPuppeteer(address, 'user_data=three', user), ['eva', 'eva'], 'the third time');
    const removed = await fetch(`http://${address}/v1/profiles/three?kind=userData`, { method: 'DELETE' });
    same(removed.status, 204, 'DELETE');
  },
  async 'a profile that does not exist is refused in words'(address) {
    const refused = await withPlaywright(address, 'profile=none', user).then(() => 'nothing', error => error.message);
    if (!refused.includes('404')) throw new Error(`refused: ${refused}`);
  },
};

const [program, path] = process.argv.slice(2);
const profiles = folder('profiles');
const ghostmux = await openGhostmux(program, path ?? findBrowser(), ['--profiles-dir', profiles]);
await runAll(ACTS, ghostmux);
