// The endpoints of clients: a plain Chrome of this run, a ghostmux of this run, or a running
// ghostmux.

import { existsSync, readdirSync } from 'node:fs';
import { Child, endAll, family, folder, leftovers, removeFolder } from './process.mjs';

const START_MS = 30_000;

// The programs themselves: Debian's /usr/bin/chromium-headless-shell is a script, and killing it
// does not end the browser.
const BROWSERS = ['/usr/lib/chromium/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/google-chrome'];

/** The browser to test with, unless one is named. */
export function findBrowser() {
  const found = [process.env.GHOSTMUX_BROWSER, ...BROWSERS].find(path => path && existsSync(path));
  if (!found) throw new Error('no browser found: name one with --browser');
  return found;
}

/** A full Chrome, which has what a headless shell lacks; none is installed: undefined. */
export function findFullBrowser() {
  const all = [process.env.GHOSTMUX_BROWSER, ...BROWSERS];
  return all.find(path => path && existsSync(path) && !/headless.shell/.test(path));
}

// The flags of the launchers of Puppeteer and Playwright, as far as a page can observe them.
const FLAGS = [
  '--headless', '--remote-debugging-port=0', '--allow-pre-commit-input', '--disable-back-forward-cache', '--disable-background-networking',
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-breakpad', '--disable-component-update',
  '--disable-default-apps', '--disable-dev-shm-usage', '--disable-extensions', '--disable-field-trial-config', '--disable-hang-monitor',
  '--disable-popup-blocking', '--disable-prompt-on-repost', '--disable-renderer-backgrounding', '--disable-sync', '--export-tagged-pdf',
  '--force-color-profile=srgb', '--generate-pdf-document-outline', '--hide-scrollbars', '--metrics-recording-only', '--mute-audio',
  '--no-default-browser-check', '--no-first-run', '--password-store=basic', '--use-mock-keychain',
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,Translate,MediaRouter,OptimizationHints',
];

/** A separate Chrome with a debugging port: `{host, port, ws, close()}`. */
export async function openPlainChrome(browser) {
  const profile = folder('chrome');
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = new Child(browser, [...FLAGS, ...sandbox, `--user-data-dir=${profile}`, 'about:blank']);
  const [, port, path] = await child.says(/^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)(\S+)/, START_MS);
  return {
    host: '127.0.0.1', port: Number(port), path, query: '',
    async close() {
      await child.end();
      removeFolder(profile);
    },
  };
}

/** A ghostmux that is already running. */
export function theirGhostmux(url) {
  const { hostname, port, pathname, search } = new URL(url);
  return { host: hostname, port: Number(port || 80), path: pathname, query: search, async close() {} };
}

/** A ghostmux of this run; `close()` returns the processes and files that it left. */
export async function openGhostmux(program, browser, flags = []) {
  const home = folder('ghostmux');
  // The store's directory is kept, everything else must be removed.
  const store = folder('store');
  const at = flags.indexOf('--profiles-dir');
  const kept = at < 0 ? undefined : flags[at + 1];
  const listen = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const child = new Child(program, ['serve', ...listen, '--browser-path', browser, ...flags],
    { env: { ...process.env, TMPDIR: home, GHOSTMUX_STORE: `${store}/store.redb` } });
  const [, host, port] = await child.says(/is ready: https?:\/\/([^\s:/"]+):(\d+)/, START_MS);
  const end = child.over.then(code => { if (!child.ending) console.error(`ghostmux ended by itself (${code})\n${child.tail()}`); });
  return {
    host, port: Number(port), path: '/', query: '', pid: child.process.pid,
    /** The first match of a pattern in what it logs from now on. */
    says: (pattern, ms) => child.says(pattern, ms),
    async close() {
      const members = family(child.process.pid);
      child.ending = true;
      const obeyed = await endWithout(child);
      await end;
      const left = { obeyed, ...await gone(members, kept), files: readdirSync(home) };
      removeFolder(home);
      removeFolder(store);
      return left;
    },
  };
}

/** Ends a ghostmux of this run, and this program; the exit code is 1 if something failed or ghostmux left something. */
export async function finish(ghostmux, failed) {
  const left = await ghostmux.close();
  const isClean = left.obeyed && [left.processes, left.profiles, left.files].every(list => list.length === 0);
  if (!isClean) console.log('FAILED ghostmux left:', left);
  endAll();
  process.exit(failed || !isClean ? 1 : 0);
}

// Ends only the proxy itself, not its process group: it must end its Chromes itself.
async function endWithout(child) {
  child.signal('SIGTERM', false);
  let obeyed = true;
  const timer = setTimeout(() => { obeyed = false; child.signal('SIGKILL', false); }, 15_000);
  await child.over;
  clearTimeout(timer);
  return obeyed;
}

// Chrome's child processes end a moment after their parent.
async function gone(members, kept) {
  const end = Date.now() + 5_000;
  for (;;) {
    const left = leftovers(members, kept);
    if ((left.processes.length === 0 && left.profiles.length === 0) || Date.now() > end) {
      left.processes.forEach(pid => { try { process.kill(pid, 'SIGKILL'); } catch { /* gone now */ } });
      return left;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
