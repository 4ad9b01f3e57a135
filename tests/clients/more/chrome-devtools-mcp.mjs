// chrome-devtools-mcp, connected by --wsEndpoint and by --browserUrl.

import { performIfMain } from '../suite.mjs';
import { openServer, program } from './mcp.mjs';

const QUIET = ['--no-usage-statistics', '--no-performance-crux'];
const open = args => openServer(program('chrome-devtools-mcp', 'chrome-devtools-mcp'), [...args, ...QUIET]);

const act = (name, run) => ({ name, run });
const pages = text => [...text.matchAll(/^(\d+): (.*?)( \[selected\].*)?$/gm)].map(([, id, name, selected]) => ({ id: Number(id), name, selected: Boolean(selected) }));
const uidOf = (snapshot, pattern) => {
  const match = snapshot.match(new RegExp(`uid=(\\S+) ${pattern.source}`));
  if (!match) throw new Error(`no ${pattern} in\n${snapshot}`);
  return match[1];
};
const evaluate = async (server, pageId, expression) =>
  JSON.parse((await server.call('evaluate_script', { pageId, function: `() => ${expression}` })).match(/```json\n([\s\S]*?)\n```/)[1]);

/** An act on a page that the server opens and closes. */
const onPage = (name, path, run) => act(name, async here => {
  const { server, home } = here;
  const { id } = pages(await server.call('new_page', { url: home + path })).find(page => page.selected);
  try {
    return await run(id, here);
  } finally {
    await server.call('close_page', { pageId: id });
  }
});

export const acts = [
  act('pages at start', async ({ server }) => pages(await server.call('list_pages')).map(page => page.name)),
  onPage('navigates and evaluates', '/', async (id, { server, home }) => {
    const title = await evaluate(server, id, 'document.title');
    await server.call('navigate_page', { pageId: id, type: 'url', url: `${home}/second` });
    return [title, await evaluate(server, id, 'document.title')];
  }),
  onPage('fills and clicks', '/form', async (id, { server }) => {
    const snapshot = await server.call('take_snapshot', { pageId: id });
    await server.call('fill', { pageId: id, uid: uidOf(snapshot, /textbox/), value: 'Ada' });
    await server.call('click', { pageId: id, uid: uidOf(snapshot, /button "Go"/) });
    return evaluate(server, id, 'document.querySelector("#out").textContent');
  }),
  onPage('screenshot', '/', async (id, { server }) => (await server.content('take_screenshot', { pageId: id })).map(part => part.type).sort()),
  onPage('console and network', '/noise', async (id, { server }) => {
    const said = await server.call('list_console_messages', { pageId: id });
    const asked = await server.call('list_network_requests', { pageId: id });
    return [/a warning/.test(said), /\/data\.json/.test(asked)];
  }),
  onPage('uploads a file', '/upload', async (id, { server, file }) => {
    const uid = uidOf(await server.call('take_snapshot', { pageId: id }), /button "Choose Files/);
    await server.call('upload_file', { pageId: id, uid, filePaths: [file('up.txt', 'to be read')] });
    return evaluate(server, id, 'document.querySelector("#out").textContent');
  }),
  act('a page in a context of its own', async ({ server, home }) => {
    const { id } = pages(await server.call('new_page', { url: `${home}/cookies`, isolatedContext: 'apart' })).find(page => page.selected);
    const sent = await evaluate(server, id, 'document.body.innerText');
    await server.call('close_page', { pageId: id });
    return sent;
  }),
  act('connects by browserUrl too', async ({ http }) => {
    const server = await open(['--browserUrl', http]);
    const { length } = pages(await server.call('list_pages'));
    await server.close();
    return length;
  }),
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ ws }) => ({ server: await open(['--wsEndpoint', ws]) }),
  leave: ({ server }) => server.close(),
});
