// Stagehand 3, connected by `cdpUrl`. Its model is a script: each act lists the answers in the order in which they are asked
// for. An answer is computed from what the model is shown, so that it fails if the page is not in there.

import { existsSync, readFileSync } from 'node:fs';
import { Stagehand } from '@browserbasehq/stagehand';
import { AISdkClient } from '@browserbasehq/stagehand/lib/v3/llm/aisdk.js';
import { chromium } from 'playwright-core';
import { z } from 'zod';
import { performIfMain, pngSize, until, within, WAIT_MS } from '../suite.mjs';

/** A model in the interface of the AI SDK; `answers` is filled by the acts. */
class ScriptedModel {
  specificationVersion = 'v2';
  provider = 'scripted';
  modelId = 'scripted';
  supportedUrls = {};
  answers = [];

  async doGenerate({ prompt }) {
    const shown = prompt.flatMap(({ content }) => content).map(part => part.text ?? (typeof part === 'string' ? part : JSON.stringify(part))).join('\n');
    const answer = this.answers.shift();
    if (!answer) throw new Error(`no answer is left for\n${shown}`);
    const { tool, ...input } = answer(shown);
    const content = tool
      ? { type: 'tool-call', toolCallId: `call-${this.answers.length}`, toolName: tool, input: JSON.stringify(input) }
      : { type: 'text', text: JSON.stringify(input) };
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
    return { content: [content], finishReason: tool ? 'tool-calls' : 'stop', usage, warnings: [] };
  }
}

// The id of an element in the tree that the model is shown.
const idOf = (shown, pattern) => {
  const match = shown.match(new RegExp(`\\[(\\d+-\\d+)\\] ${pattern.source}`));
  if (!match) throw new Error(`no ${pattern} in\n${shown}`);
  return match[1];
};

async function open(cdpUrl, dir) {
  const model = new ScriptedModel();
  const stagehand = new Stagehand({
    env: 'LOCAL', localBrowserLaunchOptions: { cdpUrl, acceptDownloads: true, downloadsPath: dir }, llmClient: new AISdkClient({ model }), verbose: 0, disablePino: true,
  });
  await stagehand.init();
  return { stagehand, context: stagehand.context, script: (...answers) => { model.answers = answers; } };
}

const act = (name, run) => ({ name, run });
/** An act on a page that is opened for it. */
const onPage = (name, path, run) => act(name, async here => {
  const page = await here.context.newPage();
  try {
    await page.goto(here.home + path);
    return await run(page, here);
  } finally {
    await page.close();
  }
});
const textOf = (page, selector) => page.locator(selector).textContent();

export const acts = [
  act('pages at start', ({ context }) => context.pages().map(page => page.url())),
  onPage('navigates and evaluates', '/', async (page, { home }) => {
    const title = await page.title();
    const response = await page.goto(`${home}/second`);
    return [title, await page.title(), response.status(), await page.evaluate(() => fetch('/data.json').then(r => r.json()))];
  }),
  onPage('fills and clicks', '/form', async page => {
    await page.locator('#who').fill('Ada');
    await page.locator('#colour').selectOption('green');
    await page.locator('#sure').click();
    await page.locator('#go').click();
    return textOf(page, '#out');
  }),
  onPage('screenshot', '/', async page => {
    await page.setViewportSize(320, 200);
    return pngSize(await page.screenshot());
  }),
  act('cookies', async ({ context, home }) => {
    await context.addCookies([{ name: 'given', value: 'one', url: home }]);
    const page = await context.newPage();
    await page.goto(`${home}/set-cookie?served=two`);
    await page.goto(`${home}/cookies`);
    const sent = await textOf(page, 'body');
    const kept = (await context.cookies()).map(cookie => cookie.name).sort();
    await page.close();
    return [sent, kept];
  }),
  onPage('popup becomes the active page', '/popups', async (page, { context }) => {
    await page.locator('#opener').click();
    const popup = await until('the popup is the active page', () => context.pages().find(one => one.url().includes('/popup?')));
    const url = popup.url();
    await popup.close();
    return url;
  }),
  onPage('frame of another origin', '/frames', async page => {
    await page.frameLocator('#cross').locator('#inner').click();
    return page.deepLocator('#cross >> #inner').textContent();
  }),
  onPage('console', '/blank', async (page, { home }) => {
    const said = [];
    page.on('console', message => said.push([message.type(), message.text()]));
    await page.goto(`${home}/noise`);
    const ofPage = () => said.filter(([, text]) => !text.startsWith('[v3-piercer]')); // Stagehand's own script
    return until('three messages', () => ofPage().length >= 3 && ofPage().slice(0, 3));
  }),
  onPage('uploads a file', '/upload', async (page, { file }) => {
    await page.locator('#file').setInputFiles(file('up.txt', 'to be read'));
    return until('the file was read', () => textOf(page, '#out'));
  }),
  onPage('downloads a file', '/download', async (page, { dir }) => {
    await page.locator('#get').click();
    await until('the file is there', () => existsSync(`${dir}/file.txt`));
    return readFileSync(`${dir}/file.txt`, 'utf8');
  }),
  onPage('blocks a domain', '/blank', async (page, { context, home, other }) => {
    const reaches = url => page.evaluate(at => fetch(at).then(r => r.status, () => 'blocked'), `${url}/data.json`);
    await context.setDomainPolicy({ blockedDomains: ['127.0.0.1'] });
    const reached = [await reaches(home), await reaches(other)];
    await context.setDomainPolicy(null);
    return [...reached, await reaches(home)];
  }),
  onPage('extract without a model', '/form', async (page, { stagehand }) => (await stagehand.extract({ page })).pageText.replace(/\d+-\d+/g, 'id')),
  onPage('act: an action that was observed before', '/form', async (page, { stagehand, script }) => {
    script(shown => ({ elements: [{ elementId: idOf(shown, /button: Go/), description: 'the button', method: 'click', arguments: [] }] }));
    const [action] = await stagehand.observe('find the button', { page });
    await page.locator('#who').fill('Ada');
    const { success } = await stagehand.act(action, { page });
    return [action, success, await textOf(page, '#out')];
  }),
  onPage('act: an instruction', '/form', async (page, { stagehand, script }) => {
    script(shown => ({ action: { elementId: idOf(shown, /textbox: name/), description: 'the name', method: 'fill', arguments: ['Ada'] }, twoStep: false }));
    const { success, actions } = await stagehand.act('type the name Ada', { page });
    return [success, actions, await page.locator('#who').inputValue()];
  }),
  onPage('extract: an instruction and a schema', '/', async (page, { stagehand, script }) => {
    script(shown => ({ heading: shown.match(/heading: (\w+)/)[1] }), () => ({ progress: 'all', completed: true }));
    return stagehand.extract('the heading', z.object({ heading: z.string() }), { page });
  }),
  onPage('an agent', '/', async (page, { stagehand, script, home }) => {
    script(
      () => ({ tool: 'goto', url: `${home}/form` }),
      () => ({ tool: 'act', action: 'type the name Ada' }),
      shown => ({ action: { elementId: idOf(shown, /textbox: name/), description: 'the name', method: 'fill', arguments: ['Ada'] }, twoStep: false }),
      () => ({ tool: 'screenshot' }),
      () => ({ tool: 'act', action: 'click Go' }),
      shown => ({ action: { elementId: idOf(shown, /button: Go/), description: 'the button', method: 'click', arguments: [] }, twoStep: false }),
      () => ({ tool: 'ariaTree' }),
      shown => ({ tool: 'done', reasoning: shown.match(/hello \w+, red, false/)[0], taskComplete: true }),
      shown => ({ tool: 'done', reasoning: shown.match(/hello \w+, red, false/)[0], taskComplete: true }),
    );
    const { success, completed, message, actions } = await stagehand.agent().execute({ instruction: 'fill the form', maxSteps: 8, page });
    return [success, completed, message, actions.map(action => action.type), await textOf(page, '#out')];
  }),
  act('Playwright and Stagehand on the same page', async ({ ws, dir, home }) => {
    const { stagehand, context, script } = await open(named(ws, 'both'), dir);
    const browser = await chromium.connectOverCDP(stagehand.connectURL());
    const page = browser.contexts()[0].pages().find(one => one.url() === context.pages()[0].url());
    await page.goto(`${home}/form`);
    script(shown => ({ action: { elementId: idOf(shown, /textbox: name/), description: 'the name', method: 'fill', arguments: ['Ada'] }, twoStep: false }));
    await stagehand.act('type the name Ada', { page });
    const value = await page.inputValue('#who');
    await page.goto('about:blank');
    await browser.close();
    await stagehand.close();
    return value;
  }),
  act('comes back to its page', async ({ ws, dir, home }) => {
    const first = await open(named(ws, 'back'), dir);
    const page = await first.context.newPage();
    await page.goto(`${home}/form`);
    await page.locator('#who').fill('Ada');
    await first.stagehand.close();
    const again = await open(named(ws, 'back'), dir);
    const found = again.context.pages().find(one => one.url() === `${home}/form`);
    const value = await found.locator('#who').inputValue();
    await found.close();
    await again.stagehand.close();
    return value;
  }),
];

/** The address of a session that is found again by its name; a plain Chrome does not look at it. */
function named(ws, name) {
  const url = new URL(ws);
  url.searchParams.set('session', `stagehand-${name}-${process.pid}`);
  url.searchParams.set('keep_alive', '10s');
  return url.href;
}

await performIfMain(import.meta.url, {
  acts,
  connect: ({ ws, dir }) => open(ws, dir),
  leave: ({ stagehand }) => within(WAIT_MS, 'close', stagehand.close()),
});
