// A session that outlives its socket, with Puppeteer:  npm install puppeteer-core && node puppeteer.mjs [URL of ghostmux]

import puppeteer from 'puppeteer-core';

const server = (process.argv[2] ?? 'http://127.0.0.1:9222').replace(/^http/, 'ws');
const ghost = browser => browser.target().createCDPSession();

// Without keep_alive a session ends with its last socket. Times in URLs are milliseconds, or have a unit: 90s, 5m.
let browser = await puppeteer.connect({ browserWSEndpoint: `${server}/?keep_alive=1m&name=example` });
let cdp = await ghost(browser);
await cdp.send('ghost.enable');
const updated = new Promise(resolve => cdp.once('ghost.sessionUpdated', resolve));

const { session } = await cdp.send('ghost.getSession');
console.log(`session ${session.id} is ${session.state}`);
await cdp.send('ghost.updateSession', { keepAlive: 120_000, metadata: { order: '17' } });
console.log('event with metadata', (await updated).session.metadata);

const page = await browser.newPage();
await page.goto('data:text/html,<title>kept</title>');
await page.evaluate(() => { globalThis.visits = 1; });

// Disconnect: the pages continue. `browser.disconnect()`, a lost network or a killed script do the same.
const disconnected = new Promise(resolve => browser.once('disconnected', resolve));
await cdp.send('ghost.park');
await disconnected;

// Reconnect, from any machine: the same page, with its variables.
browser = await puppeteer.connect({ browserWSEndpoint: session.webSocketDebuggerUrl });
const titles = new Map();
for (const page of await browser.pages()) titles.set(await page.title(), page);
console.log('visits:', await titles.get('kept').evaluate(() => ++globalThis.visits));

cdp = await ghost(browser);
const { usage } = await cdp.send('ghost.getUsage');
console.log(`${usage.commands} commands, ${usage.pages} pages, ${usage.bytesOut} bytes to clients`);

// Create a session for another client, and find it in the list.
await cdp.send('ghost.createSession', { name: 'for-a-colleague', timeout: 3_600_000 });
const { sessions } = await cdp.send('ghost.listSessions', { name: 'for-a-colleague' });
console.log(`${sessions.length} for a colleague: ${sessions[0].webSocketDebuggerUrl}`);
await cdp.send('ghost.closeSession', { id: sessions[0].id });

await browser.close(); // Ends the session; `browser.disconnect()` would park it.
