// Puppeteer over WebDriver BiDi: it brings its own mapper from BiDi to CDP, which runs in the client.

import puppeteer from 'puppeteer-core';
import { WAIT_MS, performIfMain, pngSize, within } from './suite.mjs';

const onPage = (name, path, run) => ({
  name,
  run: async here => {
    const page = await here.browser.newPage();
    try {
      await page.goto(here.home + path);
      return await run(page, here);
    } finally {
      await page.close();
    }
  },
});

export const acts = [
  onPage('a page and what scripts answer', '/', async page => ({
    title: await page.title(),
    url: page.url(),
    sum: await page.evaluate((one, other) => one + other, 40, 2),
    failure: await page.evaluate(() => { throw new Error('on purpose'); }).catch(error => error.message.split('\n')[0]),
  })),
  onPage('typing and clicking', '/form', async page => {
    await page.type('#who', 'Ada');
    await page.click('#go');
    return page.$eval('#who', field => field.value);
  }),
  onPage('a picture', '/', async page => {
    await page.setViewport({ width: 320, height: 200 });
    return pngSize(await page.screenshot());
  }),
  onPage('going on and back', '/', async (page, { home }) => {
    await page.goto(`${home}/second`);
    await page.goBack();
    return page.title();
  }),
  onPage('answers and requests', '/', async (page, { home }) => {
    const asked = [];
    page.on('request', request => asked.push(request.method()));
    const answer = await page.goto(`${home}/second`);
    return { status: answer.status(), ok: answer.ok(), first: asked[0] };
  }),
  onPage('what a page says on its console', '/', async page => {
    const said = new Promise(resolve => { page.once('console', message => resolve(`${message.type()} ${message.text()}`)); });
    await page.evaluate(() => { console.warn('careful'); });
    return within(WAIT_MS, 'a message', said);
  }),
  onPage('a dialog', '/', async page => {
    page.once('dialog', dialog => dialog.accept('yes'));
    return page.evaluate(() => prompt('?'));
  }),
  onPage('frames', '/frames', async page => page.frames().length),
  onPage('a pop-up', '/', async (page, { home }) => {
    const popup = new Promise(resolve => { page.once('popup', resolve); });
    await page.evaluate(url => { window.open(url); }, `${home}/second`);
    return Boolean(await within(WAIT_MS, 'a pop-up', popup));
  }),
  {
    name: 'contexts of its own',
    run: async ({ browser, home }) => {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.goto(`${home}/`);
      await page.evaluate(() => { document.cookie = 'own=1'; });
      const other = await browser.newPage();
      await other.goto(`${home}/`);
      const cookies = await Promise.all([page, other].map(each => each.evaluate(() => document.cookie.includes('own=1'))));
      await other.close();
      await context.close();
      return { cookies, contexts: browser.browserContexts().length };
    },
  },
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ ws }) => ({ browser: await puppeteer.connect({ browserWSEndpoint: ws, protocol: 'webDriverBiDi' }) }),
  leave: ({ browser }) => browser.disconnect(),
});
