// Starts browserless, as installed in a directory by `npm install @browserless.io/browserless` (it needs Node.js 22), with a
// Chrome that is not the one of its own. It changes that installation: browserless starts only if all its browsers are there.
import { spawn } from 'node:child_process';
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';

/** A port that is free now: browserless cannot choose one and tell it. */
async function freePort() {
  const server = createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

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
  const port = await freePort();
  const server = spawn(process.execPath, [path.join(root, 'build/index.js')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
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
  const stop = async () => {
    const ended = new Promise(resolve => server.once('exit', resolve));
    server.kill();
    const late = setTimeout(() => server.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(late);
  };
  return { base, stop };
}
