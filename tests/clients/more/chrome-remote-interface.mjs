// chrome-remote-interface: page sockets found over HTTP (its default), and a target opened over the
// browser's socket.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import CDP from 'chrome-remote-interface';
import { pngSize, performIfMain, until } from '../suite.mjs';

const at = ({ http }) => ({ host: new URL(http).hostname, port: Number(new URL(http).port) });
const act = (name, run) => ({ name, run });

/** An act on a new page, through that page's own socket. */
const onPage = (name, run) => act(name, async here => {
  const target = await CDP.New({ ...at(here), url: 'about:blank' });
  const client = await CDP({ ...at(here), target });
  try {
    await Promise.all([client.Page.enable(), client.Runtime.enable(), client.DOM.enable(), client.Network.enable()]);
    return await run(client, here);
  } finally {
    await client.close();
    await CDP.Close({ ...at(here), id: target.id });
  }
});

const evaluate = async (client, expression) => (await client.Runtime.evaluate({ expression, awaitPromise: true, returnByValue: true })).result.value;
const go = async (client, url) => {
  const loaded = client.Page.loadEventFired();
  await client.Page.navigate({ url });
  await loaded;
};

export const acts = [
  act('version', async here => {
    const { webSocketDebuggerUrl, ...rest } = await CDP.Version(at(here));
    return { rest, url: webSocketDebuggerUrl.replace(/[^/]+$/, '…') };
  }),
  act('protocol', async here => {
    const { domains } = await CDP.Protocol(at(here));
    return ['Page', 'Target', 'Runtime'].every(name => domains.some(({ domain }) => domain === name));
  }),
  act('list', async here => (await CDP.List(at(here))).map(target => ({ keys: Object.keys(target).sort(), type: target.type, url: target.url }))),
  act('new, list, activate, close', async here => {
    const target = await CDP.New({ ...at(here), url: `${here.home}/second` });
    const listed = await until('its url', async () => (await CDP.List(at(here))).find(({ id, url }) => id === target.id && url.endsWith('/second')));
    await CDP.Activate({ ...at(here), id: target.id });
    await CDP.Close({ ...at(here), id: target.id });
    await until('it is gone', async () => !(await CDP.List(at(here))).some(({ id }) => id === target.id));
    return { type: target.type, url: listed.url };
  }),
  act('default target is the first page', async here => {
    const client = await CDP(at(here));
    const url = await evaluate(client, 'location.href');
    await client.close();
    return url;
  }),
  onPage('navigates and evaluates', async (client, { home }) => {
    await go(client, home);
    return [await evaluate(client, 'document.title'), await evaluate(client, 'fetch("/data.json").then(r => r.json())')];
  }),
  onPage('clicks and types', async (client, { home }) => {
    await go(client, `${home}/form`);
    await evaluate(client, 'who.focus()');
    for (const text of 'Ada') await client.Input.dispatchKeyEvent({ type: 'char', text });
    const { x, y } = await evaluate(client, '(({x, y, width, height}) => ({x: x + width / 2, y: y + height / 2}))(go.getBoundingClientRect())');
    for (const type of ['mousePressed', 'mouseReleased']) await client.Input.dispatchMouseEvent({ type, x, y, button: 'left', clickCount: 1 });
    return until('the text', () => evaluate(client, 'out.textContent'));
  }),
  onPage('screenshot', async (client, { home }) => {
    await go(client, home);
    await client.Emulation.setDeviceMetricsOverride({ width: 320, height: 200, deviceScaleFactor: 1, mobile: false });
    return pngSize(Buffer.from((await client.Page.captureScreenshot()).data, 'base64'));
  }),
  onPage('cookies', async (client, { home }) => {
    await client.Network.setCookie({ name: 'given', value: 'one', url: home });
    await go(client, `${home}/cookies`);
    const sent = JSON.parse(await evaluate(client, 'document.body.innerText'));
    await client.Network.clearBrowserCookies();
    return { sent, left: (await client.Network.getCookies()).cookies.length };
  }),
  onPage('Target domain on a page\'s own socket', async client => {
    const { targetInfos } = await client.Target.getTargets();
    return targetInfos.filter(info => info.type === 'page' && !info.url.startsWith('chrome://')).map(info => info.url).sort();
  }),
  onPage('pdf', async (client, { home }) => {
    await go(client, home);
    return Buffer.from((await client.Page.printToPDF()).data, 'base64').toString('latin1', 0, 4);
  }),
  onPage('answers a request itself', async (client, { home }) => {
    await go(client, home);
    await client.Fetch.enable({ patterns: [{ urlPattern: '*/made-up' }] });
    client.Fetch.requestPaused(({ requestId }) => client.Fetch.fulfillRequest({ requestId, responseCode: 200, body: btoa('{"made":"up"}') }));
    return evaluate(client, 'fetch("/made-up").then(r => r.json())');
  }),
  onPage('console, exceptions and network', async (client, { home }) => {
    const [said, thrown, asked] = [[], [], []];
    client.Runtime.consoleAPICalled(({ type, args }) => said.push([type, ...args.map(arg => arg.value ?? arg.type)]));
    client.Runtime.exceptionThrown(({ exceptionDetails }) => thrown.push(exceptionDetails.exception.description.split('\n')[0]));
    client.Network.responseReceived(({ response }) => asked.push([response.url, response.status]));
    await go(client, `${home}/noise`);
    await until('all was asked for', () => evaluate(client, 'document.title === "Quiet"'));
    return { said, thrown, asked: asked.sort() };
  }),
  onPage('popup', async (client, here) => {
    await go(client, `${here.home}/popups`);
    const opened = client.Page.windowOpen();
    await client.Runtime.evaluate({ expression: 'document.querySelector("#opener").click()', userGesture: true });
    const { url } = await opened;
    const child = await until('it is listed', async () => (await CDP.List(at(here))).find(target => target.url.endsWith('/popup?opener')));
    await CDP.Close({ ...at(here), id: child.id });
    return [url, child.type];
  }),
  onPage('a worker', async (client, { home }) => {
    const attached = client.Target.attachedToTarget();
    await client.Target.setAutoAttach({ autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    await go(client, `${home}/worker`);
    const { sessionId, targetInfo } = await attached;
    const { result } = await client.send('Runtime.evaluate', { expression: 'twice(answer)' }, sessionId);
    return [targetInfo.type, targetInfo.url, result.value];
  }),
  onPage('a frame of another origin', async (client, { home }) => {
    // An out-of-process frame is a separate target; one in the same process is in the frame tree of
    // its page.
    const children = [];
    client.Target.attachedToTarget(({ sessionId, targetInfo }) => targetInfo.type === 'iframe' && children.push(sessionId));
    await client.Target.setAutoAttach({ autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    await go(client, `${home}/frames`);
    const { frameTree } = await client.Page.getFrameTree();
    const frame = frameTree.childFrames?.find(({ frame }) => frame.url.endsWith('/frame?cross'))?.frame;
    const sessionId = frame ? undefined : await until('the frame is attached', () => children[0]);
    const world = frame && (await client.Page.createIsolatedWorld({ frameId: frame.id })).executionContextId;
    const { result } = await client.send('Runtime.evaluate', { expression: 'location.href', contextId: world }, sessionId);
    return result.value;
  }),
  onPage('uploads a file', async (client, { home, file }) => {
    await go(client, `${home}/upload`);
    const { root } = await client.DOM.getDocument();
    const { nodeId } = await client.DOM.querySelector({ nodeId: root.nodeId, selector: '#file' });
    await client.DOM.setFileInputFiles({ nodeId, files: [file('up.txt', 'to be read')] });
    return until('it was read', () => evaluate(client, 'document.querySelector("#out").textContent'));
  }),
  onPage('downloads a file', async (client, { home, folder }) => {
    const downloadPath = folder();
    await client.Browser.setDownloadBehavior({ behavior: 'allow', downloadPath });
    const over = new Promise(resolve => client.Page.downloadProgress(({ state }) => state === 'completed' && resolve()));
    await go(client, `${home}/download`);
    await client.Runtime.evaluate({ expression: 'document.querySelector("#get").click()', userGesture: true });
    await over;
    return until('the file', () => { try { return readFileSync(join(downloadPath, 'file.txt'), 'utf8'); } catch { return null; } });
  }),
  act('a context of its own', async ({ ws, home }) => {
    const client = await CDP({ target: ws, local: true });
    const { browserContextId } = await client.Target.createBrowserContext();
    const { targetId } = await client.Target.createTarget({ url: `${home}/set-cookie?apart=1`, browserContextId });
    const cookies = async id => (await client.Storage.getCookies({ browserContextId: id })).cookies.map(({ name }) => name);
    const apart = await until('its cookie', async () => { const names = await cookies(browserContextId); return names.length && names; });
    const { browserContextIds } = await client.Target.getBrowserContexts();
    await client.Target.disposeBrowserContext({ browserContextId });
    const { targetInfos } = await client.Target.getTargets();
    await client.close();
    return { apart, listed: browserContextIds.includes(browserContextId), left: targetInfos.some(info => info.targetId === targetId) };
  }),
  act('a target over the browser\'s socket', async ({ ws, home }) => {
    const client = await CDP({ target: ws, local: true });
    const { targetId } = await client.Target.createTarget({ url: 'about:blank' });
    const { sessionId } = await client.Target.attachToTarget({ targetId, flatten: true });
    await client.Page.enable(sessionId);
    const loaded = client.Page.loadEventFired(sessionId);
    await client.Page.navigate({ url: home }, sessionId);
    await loaded;
    const { result } = await client.Runtime.evaluate({ expression: 'document.title' }, sessionId);
    await client.Target.closeTarget({ targetId });
    await client.close();
    return result.value;
  }),
];

await performIfMain(import.meta.url, { acts, connect: async () => ({}), leave: () => {} });
