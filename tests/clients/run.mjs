#!/usr/bin/env node
// Runs suites of real clients with a plain Chrome and with ghostmux, and compares their results.
// See README.md.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { findBrowser, openGhostmux, openPlainChrome, theirGhostmux } from './endpoint.mjs';
import { PEM, trustCertificate } from './front.mjs';
import { Child, endAll, folder, removeFolder } from './process.mjs';
import { openSite } from './site.mjs';
import { ACT_MS } from './suite.mjs';
import { openTap } from './tap.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const QUICK = ['puppeteer', 'playwright', 'raw'];
const js = file => ({ command: process.execPath, args: [join(HERE, file)] });
const python = (file, command = process.env.GHOSTMUX_PYTHON ?? join(HERE, '.venv/bin/python')) => ({ command, args: [join(HERE, file)] });

// `http: 'shared'`: a client that uses only host and port, which needs `--http-session shared` of
// ghostmux.
const SUITES = {
  puppeteer: js('puppeteer.mjs'),
  playwright: js('playwright.mjs'),
  raw: js('raw.mjs'),
  'puppeteer-bidi': js('puppeteer-bidi.mjs'),
  'chrome-remote-interface': js('more/chrome-remote-interface.mjs'),
  'puppeteer-cluster': js('more/puppeteer-cluster.mjs'),
  'playwright-mcp': js('more/playwright-mcp.mjs'),
  'chrome-devtools-mcp': js('more/chrome-devtools-mcp.mjs'),
  stagehand: js('agents/stagehand.mjs'),
  'agent-browser': js('agents/agent-browser.mjs'),
  selenium: { ...js('more/selenium.mjs'), http: 'shared' },
  pyppeteer: python('more/pyppeteer_acts.py'),
  'playwright-python': python('more/playwright_acts.py'),
  'browser-use': python('agents/browser_use_acts.py', join(HERE, 'agents/.venv/bin/python')),
  chromiumoxide: { command: process.env.CARGO ?? 'cargo', args: ['run', '--quiet', '--locked', '--manifest-path', join(HERE, 'chromiumoxide/Cargo.toml')], startMs: 600_000 },
};

const WIDEST = Math.max(...Object.keys(SUITES).map(name => name.length));

const USAGE = `node run.mjs (--proxy URL | --ghostmux PROGRAM | --plain-only) [options]
  --suite A,B       which suites (default: ${QUICK.join(',')}); known: ${Object.keys(SUITES).join(', ')}
  --all             all of them
  --act TEXT        only acts whose name contains TEXT
  --browser PATH    the browser, headless shell by default (also $GHOSTMUX_BROWSER)
  --proxy URL       a running ghostmux: http://127.0.0.1:PORT, with ?token=… if it requires one
  --ghostmux PATH   a ghostmux to start and to end; --ghostmux-flag adds a flag to it
  --tls             with --ghostmux: as a tenant that has every capability, with a token, through TLS of ghostmux
  --plain-only      only a plain Chrome: checks the suites themselves
  --query TEXT      of ghostmux's URL, such as isolation=dedicated
  --times N         so often, one after the other; 1 by default, 0 with --together (with --plain-only: each run must give the values of
                    the first)
  --together N      then N suites at once against the same ghostmux
  --json            one JSON object per act instead of the table`;

const { values: options } = parseArgs({ options: {
  suite: { type: 'string' }, all: { type: 'boolean' }, act: { type: 'string' }, browser: { type: 'string' }, proxy: { type: 'string' },
  ghostmux: { type: 'string' }, 'ghostmux-flag': { type: 'string', multiple: true, default: [] }, 'plain-only': { type: 'boolean' },
  tls: { type: 'boolean' },
  times: { type: 'string' }, query: { type: 'string' }, together: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' },
} });

const times = Number(options.times ?? (options.together ? 0 : 1));

/** Runs one suite with an endpoint; returns a Map of act to `{value | error, expected?, frames?}`. */
async function perform(name, endpoint, site, slowness = 1) {
  const suite = SUITES[name];
  const tap = await openTap(endpoint.host, endpoint.port, endpoint.tls);
  const dir = folder(name);
  const s = endpoint.tls ? 's' : '';
  const http = `http${s}://127.0.0.1:${tap.port}${endpoint.query ? `/${endpoint.query}` : ''}`;
  const place = { http, ws: `ws${s}://127.0.0.1:${tap.port}${endpoint.path}${endpoint.query}`, port: tap.port, home: site.home, other: site.other, dir,
    actMs: ACT_MS * slowness, only: options.act ?? '' };
  const child = new Child(suite.command, suite.args, { cwd: HERE, env: { ...process.env, SUITE: JSON.stringify(place) } });
  const results = new Map();
  let expected = null;
  // The suite limits the time of its acts; this limit is for a suite that hangs. A compiled one is
  // compiled before its first line.
  const patience = first => setTimeout(() => child.signal('SIGKILL'), first ? suite.startMs ?? 60_000 : 2 * ACT_MS * slowness);
  let watch = patience(true);
  child.onLine((line, stream) => {
    if (stream !== 'stdout' || !line.startsWith('{')) return;
    clearTimeout(watch);
    watch = patience(false);
    const { acts, act, ...result } = JSON.parse(line);
    if (acts) expected = acts;
    if (act) results.set(act, 'error' in result ? { ...result, frames: tap.frames() } : result);
  });
  const code = await child.over;
  clearTimeout(watch);
  child.signal('SIGKILL'); // what it started and did not end
  const missing = (expected ?? ['starts']).filter(act => !results.has(act));
  for (const act of missing) results.set(act, { error: `no answer; the suite ended (${code})\n${child.tail()}`, frames: tap.frames() });
  tap.close();
  removeFolder(dir);
  return results;
}

const plainRun = async (name, browser, site) => {
  const chrome = await openPlainChrome(browser);
  try {
    return await perform(name, chrome, site);
  } finally {
    await chrome.close();
  }
};

const tally = { passed: 0, failed: 0 };
const short = result => {
  if (!result) return '-';
  const text = 'error' in result ? `! ${result.error.split('\n')[0]}` : JSON.stringify(result.value);
  return text.length > 44 ? `${text.slice(0, 43)}…` : text;
};

// An act passes if both sides have the same value, or, if a plain Chrome may lose a race, if the
// proxy has the expected one.
const passes = (plain, proxy) => {
  if (proxy && 'error' in proxy) return false;
  if (proxy && 'expected' in proxy) return options['plain-only'] || isDeepStrictEqual(proxy.value, proxy.expected);
  if ('error' in plain) return 'expected' in plain;
  return !proxy || isDeepStrictEqual(plain.value, proxy.value);
};

function report(suite, plain, proxy, sides = ['plain', 'proxy']) {
  for (const act of new Set([...plain.keys(), ...(proxy?.keys() ?? [])])) {
    const [one, two] = [plain.get(act) ?? { error: 'not done' }, proxy && (proxy.get(act) ?? { error: 'not done' })];
    const passed = passes(one, two);
    tally[passed ? 'passed' : 'failed']++;
    if (options.json) {
      console.log(JSON.stringify({ suite, act, passed, [sides[0]]: one, [sides[1]]: two }));
      continue;
    }
    const note = 'expected' in (two ?? one) ? ' (racy)' : '';
    console.log(`${passed ? '  ok ' : ' FAIL'} ${suite.padEnd(WIDEST)} ${(act + note).padEnd(58)} ${short(one).padEnd(44)} ${two ? short(two).padEnd(44) : ''}`.trimEnd());
    if (passed) continue;
    for (const [side, result] of [[sides[0], one], [sides[1], two]]) {
      if (!result) continue;
      console.log(`       ${side}: ${'error' in result ? result.error.replaceAll('\n', '\n         ') : JSON.stringify(result.value)}`);
      if (result.frames) console.log(`       last frames:\n${result.frames.map(frame => `         ${frame}`).join('\n')}`);
    }
    if ('expected' in (two ?? {})) console.log(`       expected: ${JSON.stringify(two.expected)}`);
  }
}

function check(suite, act, value, wanted) {
  report(suite, new Map([[act, { value: wanted }]]), new Map([[act, { value }]]), ['wanted', 'found']);
}

/** The targets that a new client sees. */
async function targetsOfNewcomer({ host, port, path, query, tls }) {
  const socket = new WebSocket(`ws${tls ? 's' : ''}://${host}:${port}${path}${query}`);
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer to Target.getTargets')), ACT_MS);
      socket.on('error', reject);
      socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'Target.getTargets', params: { filter: [{}] } })));
      socket.on('message', data => {
        clearTimeout(timer);
        const { result, error } = JSON.parse(data);
        if (error) reject(new Error(error.message));
        else resolve(result.targetInfos.map(info => `${info.type} ${info.url}`).sort());
      });
    });
  } catch (error) {
    return `${error}`;
  } finally {
    socket.terminate();
  }
}

/** A ghostmux of this run with TLS and a tenant, whose token is in the query. */
async function openWithTls(program, browser, flags) {
  const home = folder('tenants');
  const tenants = join(home, 'tenants.toml');
  writeFileSync(tenants, '[tenants.acme]\ncapabilities = ["host-files", "tracing", "private-network", "launch-args", "dedicated", "clipboard"]\n');
  const token = execFileSync(program, ['token', 'new', '--tenants', tenants, '--tenant', 'acme'], { encoding: 'utf8' }).trim();
  const proxy = await openGhostmux(program, browser, ['--tenants', tenants, '--tls-cert', PEM, '--tls-key', PEM, ...flags]);
  return {
    ...proxy, tls: true, query: `?token=${token}`,
    async close() {
      const left = await proxy.close();
      removeFolder(home);
      return left;
    },
  };
}

async function together(count, suites, plain, proxy, site) {
  const names = Array.from({ length: count }, (_, i) => suites[i % suites.length]);
  const runs = await Promise.all(names.map(name => perform(name, proxy, site, 3)));
  runs.forEach((run, i) => report(`${names[i]}#${i + 1}`, plain.get(names[i]), run));
}

function chosen() {
  if (options.all) return Object.keys(SUITES).filter(name => options.ghostmux || options['plain-only'] || !SUITES[name].http);
  const names = options.suite?.split(',') ?? QUICK;
  const unknown = names.find(name => !SUITES[name]);
  if (unknown) throw new Error(`no such suite: ${unknown}\n${USAGE}`);
  return names;
}

async function main() {
  if (options.help) return console.log(USAGE);
  if (options.tls) trustCertificate();
  if (!options.proxy && !options.ghostmux && !options['plain-only']) throw new Error(USAGE);
  const browser = options.browser ?? findBrowser();
  const names = chosen();
  const site = await openSite();
  const plain = new Map();
  const open = async flags => {
    const proxy = await (options.proxy ? theirGhostmux(options.proxy)
      : (options.tls ? openWithTls : openGhostmux)(options.ghostmux, browser, [...options['ghostmux-flag'], ...flags]));
    return options.query ? Object.assign(proxy, { query: `?${options.query}` }) : proxy;
  };
  const close = async proxy => {
    const left = await proxy.close();
    if (left) check('ghostmux', 'ends by SIGTERM and leaves nothing', left, { obeyed: true, processes: [], profiles: [], files: [] });
  };
  if (options['plain-only']) {
    for (const name of names) {
      const first = await plainRun(name, browser, site);
      report(name, first);
      for (let run = 1; run < times; run++) report(name, first, await plainRun(name, browser, site), ['first', `run ${run + 1}`]);
    }
    return site.close();
  }
  for (const [flags, group] of [[[], names.filter(name => !SUITES[name].http)], [['--http-session', 'shared'], names.filter(name => SUITES[name].http)]]) {
    if (group.length === 0) continue;
    const proxy = await open(flags);
    try {
      const before = await targetsOfNewcomer(proxy);
      for (const name of group) {
        plain.set(name, await plainRun(name, browser, site));
        for (let run = 0; run < times; run++) report(name, plain.get(name), await perform(name, proxy, site));
      }
      if (options.together && flags.length === 0) await together(Number(options.together), group.filter(name => QUICK.includes(name)), plain, proxy, site);
      check('ghostmux', 'a newcomer sees nothing of others', await targetsOfNewcomer(proxy), before);
      check('ghostmux', 'a newcomer has one blank page', Array.isArray(before) && before.filter(target => target.startsWith('page ')), ['page about:blank']);
    } finally {
      await close(proxy);
    }
  }
  site.close();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { endAll(); process.exit(130); });
try {
  await main();
} catch (error) {
  console.error(error.message);
  tally.failed++;
} finally {
  endAll();
}
if (!options.help) console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 ? 0 : 1);
