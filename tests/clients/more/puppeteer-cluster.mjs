// puppeteer-cluster: it can only launch browsers, so its launch function connects.

import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';
import { WAIT_MS, next, performIfMain, pngSize } from '../suite.mjs';

const { Cluster } = createRequire(import.meta.url)('puppeteer-cluster');

const withCluster = (name, concurrency, run) => ({
  name,
  run: async here => {
    const failures = [];
    const cluster = await Cluster.launch({
      concurrency: Cluster[concurrency], maxConcurrency: 2, timeout: WAIT_MS,
      puppeteer: { launch: () => puppeteer.connect({ browserWSEndpoint: here.ws }) },
    });
    cluster.on('taskerror', error => failures.push(error.message));
    const value = await run(cluster, here);
    await cluster.idle();
    return { value, failures };
  },
});

const paths = ['/', '/second', '/form', '/frames', '/tall', '/storage'];

export const acts = [
  withCluster('pages of one context', 'CONCURRENCY_PAGE', async (cluster, { home }) => Promise.all(paths.map(path => cluster.execute(`${home}${path}`, async ({ page, data }) => {
    await page.goto(data);
    return page.title();
  })))),
  withCluster('a context for each task', 'CONCURRENCY_CONTEXT', async (cluster, { home }) => Promise.all(paths.map((path, i) => cluster.execute(async ({ page }) => {
    await page.goto(`${home}/set-cookie?task=${i}`);
    await page.goto(`${home}/cookies`);
    return JSON.parse(await page.$eval('body', body => body.innerText));
  })))),
  withCluster('clicks, types and takes pictures', 'CONCURRENCY_CONTEXT', async (cluster, { home }) => cluster.execute(async ({ page }) => {
    await page.setViewport({ width: 320, height: 200 });
    await page.goto(`${home}/form`);
    await page.type('#who', 'Ada');
    await page.click('#go');
    return [await page.$eval('#out', out => out.textContent), pngSize(await page.screenshot())];
  })),
  withCluster('popup, interception and pdf', 'CONCURRENCY_CONTEXT', async (cluster, { home }) => cluster.execute(async ({ page }) => {
    await page.goto(`${home}/popups`);
    const opened = next(page, 'popup');
    await page.click('#opener');
    const child = await opened;
    await child.waitForFunction('window.seen');
    await page.setRequestInterception(true);
    page.on('request', request => (request.url().endsWith('/made-up') ? request.respond({ body: '{"made":"up"}' }) : request.continue()));
    const made = await page.evaluate('fetch("/made-up").then(r => r.json())');
    return [child.url(), made, Buffer.from(await page.pdf()).toString('latin1', 0, 4)];
  })),
  withCluster('a task that fails', 'CONCURRENCY_CONTEXT', async (cluster, { home }) => {
    cluster.queue(async ({ page }) => { await page.goto(home); throw new Error('on purpose'); });
    return cluster.execute(async ({ page }) => { await page.goto(home); return page.title(); });
  }),
  // This one ends with Browser.close, which also ends a plain Chrome.
  { name: 'cluster.close', run: async ({ ws, home }) => {
    const cluster = await Cluster.launch({ concurrency: Cluster.CONCURRENCY_CONTEXT, maxConcurrency: 2,
      puppeteer: { launch: () => puppeteer.connect({ browserWSEndpoint: ws }) } });
    const title = await cluster.execute(async ({ page }) => { await page.goto(home); return page.title(); });
    await cluster.idle();
    await cluster.close();
    return title;
  } },
];

await performIfMain(import.meta.url, { acts, connect: async () => ({}), leave: () => {} });
