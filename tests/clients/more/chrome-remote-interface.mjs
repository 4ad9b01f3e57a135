// chrome-remote-interface: page sockets found through HTTP (its default), and a target made over the browser's socket.

import CDP from 'chrome-remote-interface';
import { pngSize, performIfMain, until } from '../suite.mjs';

const at = ({ http }) => ({ host: new URL(http).hostname, port: Number(new URL(http).port) });
const act = (name, run) => ({ name, run });

/** An act on a fresh page, through that page's own socket. */
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
