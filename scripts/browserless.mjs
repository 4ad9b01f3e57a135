// Starts browserless, as installed in a directory by `npm install @browserless.io/browserless` (it needs Node.js 22), with a
// Chrome that is not the one of its own. It changes that installation: browserless starts only if all its browsers are there.
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { freePort } from '../tests/clients/front.mjs';
import { Child } from '../tests/clients/process.mjs';

/** Starts it with these settings. Resolves when it answers, with its address and a function that ends it. */
export async function startBrowserless(directory, chrome, settings = {}) {
  const root = path.join(directory, 'node_modules/@browserless.io/browserless');
  // It looks for its dependencies below itself.
  await symlink(path.join(path.resolve(directory), 'node_modules'), path.join(root, 'node_modules')).catch(() => {});
  for (const browser of ['chrome', 'edge', 'firefox', 'webkit'])
    await rm(path.join(root, 'build/routes', browser), { recursive: true, force: true });
  const replace = async (file, from, to) => {
    const text = await readFile(path.join(root, 'build', file), 'utf8');
    await writeFile(path.join(root, 'build', file), text.replace(from, to));
  };
  await replace('utils.js', 'exists(playwright.chromium.executablePath())', 'true');
  await replace('browsers/browsers.cdp.js', 'executablePath = playwright.chromium.executablePath();', 'executablePath = process.env.CHROME;');
  // It cannot choose one and tell it.
  const port = await freePort();
  const server = new Child(process.execPath, [path.join(root, 'build/index.js')], {
    cwd: root,
    env: {
      ...process.env, PORT: String(port), HOST: '127.0.0.1', TIMEOUT: '15000', CONCURRENT: '2', DEBUG: '-*', CHROME: chrome,
      CHROME_EXECUTABLE_PATH: chrome, PUPPETEER_EXECUTABLE_PATH: chrome, ENABLE_DEBUGGER: 'false', ...settings,
    },
  });
  const base = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    try { await fetch(`${base}/active`); break; } catch (error) { if (tries > 200) throw error; }
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  return { base, stop: () => server.end(10_000) };
}
