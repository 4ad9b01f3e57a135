// Compiled, never run: Puppeteer's CDPSession with the declarations of types/.

import type { Browser } from 'puppeteer-core';
import type { Ghost } from '../../../types/ghost.js';
import type {} from '../../../types/ghost-puppeteer.js';

export async function typed(browser: Browser): Promise<string> {
  const cdp = await browser.target().createCDPSession();
  await cdp.send('ghost.enable', { expiringNotice: 5_000 });
  cdp.on('ghost.sessionExpiring', ({ deadline, remaining }) => console.log(deadline satisfies Ghost.Deadline, remaining.toFixed()));
  const { session } = await cdp.send('ghost.getSession');
  const { sessions, next } = await cdp.send('ghost.listSessions', { state: 'parked', metadata: { job: '7' } });
  await cdp.send('ghost.closeSession', { id: sessions[0]?.id ?? next });
  const { usage } = await cdp.send('ghost.getUsage');
  // The types of Chrome's own domains are unchanged.
  const { product } = await cdp.send('Browser.getVersion');

  // @ts-expect-error no such state
  await cdp.send('ghost.listSessions', { state: 'asleep' });
  // @ts-expect-error no such command
  await cdp.send('ghost.getSesion');
  // @ts-expect-error milliseconds are a number
  await cdp.send('ghost.updateSession', { keepAlive: '5m' });
  return session.webSocketDebuggerUrl + usage.bytesOut.toFixed() + product;
}
