// agent-browser, command by command: each is a process, and the first one starts a daemon that stays connected.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openServer } from '../more/mcp.mjs';
import { performIfMain, pngSize, WAIT_MS } from '../suite.mjs';

const PROGRAM = fileURLToPath(new URL('node_modules/agent-browser/bin/agent-browser.js', import.meta.url));

// Nothing of this user's is read or written, and nothing leaves this machine. A daemon that nobody closes ends by itself.
const environment = dir => ({
  ...process.env, HOME: dir, AGENT_BROWSER_SOCKET_DIR: dir, AGENT_BROWSER_NO_VERSION_CHECK: '1', AGENT_BROWSER_IDLE_TIMEOUT_MS: `${WAIT_MS}`, NO_COLOR: '1',
});

/** The command line in a session of agent-browser's: `(…args) → what it prints`. */
const commands = (dir, session) => (...args) => new Promise((resolve, reject) => {
  const env = { ...environment(dir), AGENT_BROWSER_SESSION: session };
  execFile(process.execPath, [PROGRAM, ...args], { env, timeout: WAIT_MS }, (error, stdout, stderr) => {
    if (error) reject(new Error(`${args.join(' ')}: ${stdout}${stderr || error.message}`));
    else resolve(stdout.trim());
  });
});

const act = (name, run) => ({ name, run });
const refOf = (snapshot, pattern) => {
  const match = snapshot.match(new RegExp(`${pattern.source}.*\\bref=(\\w+)\\]`));
  if (!match) throw new Error(`no ${pattern} in\n${snapshot}`);
  return `@${match[1]}`;
};
const evaluate = async (run, expression) => JSON.parse(await run('eval', expression));

export const acts = [
  act('tabs at start', ({ run }) => run('tab', 'list')),
  act('opens and evaluates', async ({ run, home }) => {
    await run('open', home);
    return [await run('get', 'title'), await run('get', 'url'), await evaluate(run, 'fetch("/data.json").then(r => r.json())')];
  }),
  act('snapshot, fill and click', async ({ run, home }) => {
    await run('open', `${home}/form`);
    const snapshot = await run('snapshot', '-i');
    await run('fill', refOf(snapshot, /textbox "name"/), 'Ada');
    await run('check', refOf(snapshot, /checkbox/));
    await run('select', refOf(snapshot, /combobox/), 'green');
    await run('click', refOf(snapshot, /button "Go"/));
    return [snapshot, await run('get', 'text', '#out')];
  }),
  act('finds by role, label and text', async ({ run, home }) => {
    await run('open', `${home}/form`);
    await run('find', 'placeholder', 'name', 'fill', 'Bob');
    await run('find', 'role', 'button', 'click', '--name', 'Go');
    return [await run('get', 'value', '#who'), await run('get', 'text', '#out')];
  }),
  act('several commands in one call', ({ run, home }) => run('batch', `open ${home}/second`, 'get title', 'snapshot -i')),
  act('screenshot', async ({ run, home, dir }) => {
    await run('set', 'viewport', '320', '200');
    await run('open', home);
    await run('screenshot', `${dir}/page.png`);
    return pngSize(readFileSync(`${dir}/page.png`));
  }),
  act('pdf', async ({ run, dir }) => {
    await run('pdf', `${dir}/page.pdf`);
    return readFileSync(`${dir}/page.pdf`).toString('latin1', 0, 4);
  }),
  act('cookies', async ({ run, home }) => {
    await run('open', `${home}/set-cookie?served=two`);
    await run('cookies', 'set', 'given', 'one', '--url', home);
    await run('open', `${home}/cookies`);
    return [await run('get', 'text', 'body'), (await run('cookies')).split('\n').sort()];
  }),
  act('dialog', async ({ run, home }) => {
    await run('open', `${home}/dialogs`);
    await run('click', refOf(await run('snapshot', '-i'), /button "confirm"/));
    const status = await run('dialog', 'status');
    await run('dialog', 'accept');
    return [/confirm dialog is open: "sure\?"/.test(status), await run('get', 'text', '#out')];
  }),
  act('popup becomes a tab', async ({ run, home }) => {
    await run('open', `${home}/popups`);
    await run('click', '#opener');
    const listed = await run('tab', 'list');
    await run('tab', 'close');
    return [listed.split('\n').length, (await run('tab', 'list')).split('\n').length];
  }),
  act('tabs', async ({ run, home }) => {
    await run('open', home);
    await run('tab', 'new', `${home}/second`);
    const title = await run('get', 'title');
    await run('tab', 'close');
    return [title, await run('get', 'title')];
  }),
  act('frames', async ({ run, home }) => {
    await run('open', `${home}/frames`);
    const snapshot = await run('snapshot', '-i');
    await run('frame', '#same');
    await run('click', '#inner');
    const clicked = await run('get', 'text', '#inner');
    await run('frame', 'main');
    return [snapshot, clicked];
  }),
  act('console and network', async ({ run, home }) => {
    await run('open', `${home}/noise`);
    await run('wait', '--fn', 'document.title === "Quiet"');
    const asked = await run('network', 'requests', '--filter', '/missing');
    return [/a warning/.test(await run('console')), /GET \S+\/missing \(Fetch\) 404/.test(asked)];
  }),
  act('routes', async ({ run, home }) => {
    await run('open', home);
    await run('network', 'route', '**/made-up', '--body', '{"made":"up"}');
    const made = await evaluate(run, 'fetch("/made-up").then(r => r.json())');
    await run('network', 'unroute');
    return made;
  }),
  act('uploads and downloads', async ({ run, home, dir, file }) => {
    await run('open', `${home}/upload`);
    await run('upload', '#file', file('up.txt', 'to be read'));
    await run('wait', '--fn', 'out.textContent');
    const uploaded = await run('get', 'text', '#out');
    await run('open', `${home}/download`);
    await run('download', '#get', `${dir}/saved.txt`);
    return [uploaded, readFileSync(`${dir}/saved.txt`, 'utf8')];
  }),
  act('comes back to its page', async ({ ws, dir, home }) => {
    const run = commands(dir, 'back');
    const url = new URL(ws);
    url.searchParams.set('session', `agent-browser-${process.pid}`);
    url.searchParams.set('keep_alive', '10s');
    await run('connect', url.href);
    await run('open', `${home}/form`);
    await run('fill', '#who', 'Ada');
    await run('close');
    // Without what it has noted of its tab.
    const again = commands(dir, 'again');
    await again('connect', url.href);
    const found = [await again('get', 'url'), await again('get', 'value', '#who')];
    await again('close');
    return found;
  }),
  act('connects by http too, with --cdp', async ({ http, dir, home }) => {
    const run = commands(dir, 'http');
    await run('--cdp', http, 'open', `${home}/second`);
    const title = await run('--cdp', http, 'get', 'title');
    await run('close');
    return title;
  }),
  act('as an MCP server', async ({ ws, dir, home }) => {
    Object.assign(process.env, environment(dir), { AGENT_BROWSER_SESSION: 'mcp' });
    const server = await openServer(PROGRAM, ['mcp', '--cdp', ws], dir);
    await server.call('agent_browser_open', { url: `${home}/form` });
    const snapshot = await server.call('agent_browser_snapshot', { interactive: true });
    await server.call('agent_browser_close');
    await server.close();
    return snapshot;
  }),
];

await performIfMain(import.meta.url, {
  acts,
  async connect({ ws, dir }) {
    const run = commands(dir, 'acts');
    await run('connect', ws);
    return { run };
  },
  leave: ({ run }) => run('close'),
});
