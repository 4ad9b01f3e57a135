// @playwright/mcp, connected by --cdp-endpoint. It uses the existing context and page.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performIfMain } from '../suite.mjs';
import { openServer, program } from './mcp.mjs';

const act = (name, run) => ({ name, run });
const refOf = (snapshot, pattern) => {
  const match = snapshot.match(new RegExp(`${pattern.source}.*\\[ref=(\\w+)\\]`));
  if (!match) throw new Error(`no ${pattern} in\n${snapshot}`);
  return match[1];
};
// The server answers in Markdown; the result of an evaluation is under "### Result".
const resultOf = text => text.match(/### Result\n([\s\S]*?)(\n###|$)/)?.[1].trim() ?? text;
const evaluate = async (server, expression) => JSON.parse(resultOf(await server.call('browser_evaluate', { function: `() => ${expression}` })));

export const acts = [
  act('tabs at start', async ({ server }) => resultOf(await server.call('browser_tabs', { action: 'list' }))),
  act('navigates and evaluates', async ({ server, home }) => {
    await server.call('browser_navigate', { url: home });
    return [await evaluate(server, 'document.title'), await evaluate(server, 'fetch("/data.json").then(r => r.json())')];
  }),
  act('types and clicks', async ({ server, home }) => {
    await server.call('browser_navigate', { url: `${home}/form` });
    const snapshot = await server.call('browser_snapshot');
    await server.call('browser_type', { target: refOf(snapshot, /textbox "name"/), text: 'Ada' });
    await server.call('browser_click', { target: refOf(snapshot, /button "Go"/) });
    return evaluate(server, 'document.querySelector("#out").textContent');
  }),
  act('screenshot', async ({ server }) => (await server.content('browser_take_screenshot', { scale: 'css' })).map(part => part.type).sort()),
  act('cookies', async ({ server, home }) => {
    await server.call('browser_navigate', { url: `${home}/set-cookie?by=mcp` });
    await server.call('browser_navigate', { url: `${home}/cookies` });
    return evaluate(server, 'document.body.innerText');
  }),
  act('dialog', async ({ server, home }) => {
    await server.call('browser_navigate', { url: `${home}/dialogs` });
    const snapshot = await server.call('browser_snapshot');
    await server.call('browser_click', { target: refOf(snapshot, /button "confirm"/) });
    await server.call('browser_handle_dialog', { accept: true });
    return evaluate(server, 'document.querySelector("#out").textContent');
  }),
  act('popup becomes a tab', async ({ server, home }) => {
    await server.call('browser_navigate', { url: `${home}/popups` });
    const snapshot = await server.call('browser_snapshot');
    await server.call('browser_click', { target: refOf(snapshot, /button "opener"/) });
    const listed = await server.call('browser_tabs', { action: 'list' });
    await server.call('browser_tabs', { action: 'close', index: 1 });
    return resultOf(listed).split('\n').length;
  }),
  act('console and network', async ({ server, home }) => {
    await server.call('browser_navigate', { url: `${home}/noise` });
    const said = await server.call('browser_console_messages', { level: 'info' });
    const asked = await server.call('browser_network_requests', { static: true });
    return [/a warning/.test(said), /thrown on purpose/.test(said), /\/noise/.test(asked)];
  }),
  act('uploads a file', async ({ server, home, dir }) => {
    await server.call('browser_navigate', { url: `${home}/upload` });
    const chooser = refOf(await server.call('browser_snapshot'), /button "Choose File/);
    await server.call('browser_click', { target: chooser });
    writeFileSync(join(dir, 'up.txt'), 'to be read');
    await server.call('browser_file_upload', { paths: [join(dir, 'up.txt')] });
    return evaluate(server, 'document.querySelector("#out").textContent');
  }),
  act('pdf', async ({ server, home, dir }) => {
    await server.call('browser_navigate', { url: home });
    await server.call('browser_pdf_save', { filename: join(dir, 'page.pdf') });
    return readFileSync(join(dir, 'page.pdf')).toString('latin1', 0, 4);
  }),
  act('tabs', async ({ server, home }) => {
    await server.call('browser_tabs', { action: 'new', url: `${home}/second` });
    const titles = [await evaluate(server, 'document.title')];
    await server.call('browser_tabs', { action: 'select', index: 0 });
    titles.push(await evaluate(server, 'location.pathname'));
    await server.call('browser_tabs', { action: 'close', index: 1 });
    return titles;
  }),
  act('connects by http too', async ({ http, home, dir }) => {
    const server = await openServer(program('@playwright/mcp', 'playwright-mcp'), ['--cdp-endpoint', http, '--output-dir', dir]);
    await server.call('browser_navigate', { url: home });
    const title = await evaluate(server, 'document.title');
    await server.close();
    return title;
  }),
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ ws, dir }) => ({ server: await openServer(program('@playwright/mcp', 'playwright-mcp'),
    ['--cdp-endpoint', ws, '--output-dir', dir, '--caps', 'pdf'], dir) }),
  leave: ({ server }) => server.close(),
});
