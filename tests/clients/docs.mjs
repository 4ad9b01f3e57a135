#!/usr/bin/env node
// Runs the commands and scripts of the pages as a reader would, with a ghostmux: node docs.mjs
// GHOSTMUX [BROWSER]. Where a page says port 9222, it is this ghostmux. tests/it/docs.rs checks the
// rest of the pages: links, files, flags.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { Child, folder, removeFolder } from './process.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 30_000;

// Commands that are not run, and why.
const SKIPPED = [
  [/^docker /, 'it needs a container engine'],
  [/^cargo (build|run|nextest|install) /, 'it compiles; the tests before this one did the same'],
];
// Scripts that are not run here, and why.
const SKIPPED_SCRIPTS = [
  [/^import \w+ from|^import \{ fork \}/m, 'it is whole: examples.mjs runs it'],
  [/installExtension|service_worker/, 'it needs a full Chrome and an extension: extensions.mjs has the same'],
  [/headless: false/, 'it needs a full Chrome and Xvfb: the tests of tests/it/headful.rs have the same'],
  [/gmx_…/, 'it needs a server with tenants: tenants.mjs connects with a token in every place'],
];
// Output that is not compared, and why.
const SKIPPED_OUTPUT = [[/"unreadable":\[\{/, 'it needs a damaged record']];

const pages = [ROOT, join(ROOT, 'docs'), join(ROOT, 'docs/adr')]
  .flatMap(dir => readdirSync(dir).filter(name => name.endsWith('.md')).map(name => join(dir, name)));

// The fenced blocks of a page: `{page, line, language, text}`.
function blocksOf(page) {
  const blocks = [];
  let open = null;
  readFileSync(page, 'utf8').split('\n').forEach((line, at) => {
    if (line.startsWith('```')) {
      if (open) blocks.push(open);
      open = open ? null : { page, line: at + 1, language: line.slice(3), lines: [] };
    } else open?.lines.push(line);
  });
  return blocks.map(({ lines, ...block }) => ({ ...block, text: lines.join('\n') }));
}

const [program, browser = findBrowser()] = process.argv.slice(2);
const PROGRAM = resolve(program);
const profiles = folder('profiles');
const ghostmux = await openGhostmux(PROGRAM, browser, ['--profiles-dir', profiles]);
const address = `${ghostmux.host}:${ghostmux.port}`;
const here = text => text.replaceAll(/(127\.0\.0\.1|localhost):9222/g, address);
const api = async (method, path, body) => {
  const answer = await fetch(`http://${address}${path}`, { method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text && JSON.parse(text);
};

// What the pages assume: a session $ID, a snapshot $SNAPSHOT or `id`, a web site, a ghostmux.toml.
const { id: ID } = await api('POST', '/v1/sessions', { keepAlive: 300_000 });
const { snapshot: { id: SNAPSHOT } } = await api('POST', `/v1/sessions/${ID}/snapshots`, { name: 'docs' });
const site = createServer((_, answer) => answer.end('a page')).listen(0, '127.0.0.1');
await once(site, 'listening');
const cwd = folder('docs');

function shell(command) {
  const env = { ...process.env, ID, SNAPSHOT, PATH: `${dirname(PROGRAM)}${delimiter}${process.env.PATH}` };
  return new Promise((done, fail) => {
    // An error that the server answers is a failure here.
    const strict = here(command).replaceAll('curl -s', 'curl -s --fail-with-body');
    execFile('bash', ['-euo', 'pipefail', '-c', strict], { cwd, env, timeout: PATIENCE_MS },
      (error, stdout, stderr) => (error ? fail(new Error(`${error.message}\n${stderr}`)) : done(stdout)));
  });
}

// Starts the server that a line starts, on another port, until it is ready.
async function serve(line) {
  const words = line.split(/\s+/);
  const variables = Object.fromEntries(words.filter(word => /^[A-Z_]+=/.test(word)).map(word => word.split('=')));
  // Always on loopback, wherever the page listens.
  const flags = words.slice(words.indexOf('serve') + 1).join(' ').replace(/--listen \S+ ?/, '').split(' ').filter(Boolean);
  const child = new Child(PROGRAM, ['serve', '--listen', '127.0.0.1:0', '--browser-path', browser, ...flags],
    { cwd, env: { ...process.env, GHOSTMUX_STORE: join(cwd, 'other.redb'), ...variables } });
  try {
    await child.says(/is ready: http/, PATIENCE_MS);
  } finally {
    await child.end(15_000, false);
  }
}

// Whether `make` would do it.
const dryRun = line => new Promise((done, fail) => {
  execFile('bash', ['-c', `${line} --dry-run`], { cwd: ROOT, timeout: PATIENCE_MS }, error => (error ? fail(error) : done()));
});

// Whether the tests that a `cargo test` names are there.
function testsExist(line) {
  const [, target] = line.match(/--test (\w+)/) ?? [];
  const [, filter] = line.match(/ (\w+)::/) ?? [];
  for (const path of [target && `tests/${target}/main.rs`, filter && `tests/${target}/${filter}.rs`]) {
    if (path && !existsSync(join(ROOT, path))) throw new Error(`${path} does not exist`);
  }
}

async function command(line) {
  const skipped = SKIPPED.find(([pattern]) => pattern.test(line));
  if (skipped) return;
  if (line.startsWith('make ')) await dryRun(line);
  else if (line.startsWith('cargo test')) testsExist(line);
  else if (/^([A-Z_]+=\S+ )*ghostmux serve/.test(line)) await serve(line);
  else return shell(line);
}

// Lines of commands, without what they say and without comments; a backslash continues a line.
const commandsOf = text => text.replaceAll('\\\n', ' ').split('\n').map(line => line.replace(/(^|\s)#.*$/, '').trim()).filter(Boolean);

// The names of the members in a JSON text, in order.
const members = text => [...text.matchAll(/"(\w+)":/g)].map(([, name]) => name);

async function session(text) {
  for (const part of text.split(/^\$ /m).filter(Boolean)) {
    const [line, ...output] = part.split('\n');
    const said = await command(line);
    const shown = output.join('\n').trim();
    if (!shown || SKIPPED_OUTPUT.some(([pattern]) => pattern.test(shown))) continue;
    const names = members(said ?? '');
    for (const name of members(shown)) {
      const at = names.indexOf(name);
      if (at < 0) throw new Error(`${line}\nsays ${said}\nand not, in this order, the members of ${shown}`);
      names.splice(0, at + 1);
    }
  }
}

async function script(text) {
  if (SKIPPED_SCRIPTS.some(([pattern]) => pattern.test(text))) return;
  const code = here(text).replaceAll('https://example.org', `http://127.0.0.1:${site.address().port}/`).replaceAll(/^import type .*$/gm, '');
  const makesBrowser = /const browser =/.test(code);
  const own = makesBrowser ? null : await puppeteer.connect({ browserURL: `http://${address}` });
  const names = ['puppeteer', 'chromium', 'id', ...(makesBrowser ? [] : ['browser'])];
  const AsyncFunction = (async () => {}).constructor;
  const made = await new AsyncFunction(...names, `${code}\nreturn browser;`)(puppeteer, chromium, SNAPSHOT, own);
  await made.close();
}

const RUN = {
  js: script,
  ts: script,
  console: session,
  async sh(text) { for (const line of commandsOf(text)) await command(line); },
  // A configuration, for the commands of its page.
  async toml(text) {
    writeFileSync(join(cwd, text.includes('[tenants.') ? 'all-tenants.toml' : 'ghostmux.toml'), here(text));
  },
  // A quotation: its lines stand in the sources.
  async rust(text) {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true }).filter(name => name.endsWith('.rs'))
      .map(name => readFileSync(join(ROOT, 'src', name), 'utf8')).join('\n');
    for (const line of text.split('\n').map(line => line.trim()).filter(Boolean)) {
      if (!sources.includes(line)) throw new Error(`the sources do not have the line ${line}`);
    }
  },
  // A configuration of Prometheus: what it reads is there.
  async yaml(text) {
    for (const [, target] of here(text).matchAll(/targets: \['([^']+)'\]/g)) {
      const answer = await fetch(`http://${target}/metrics`);
      if (!answer.ok) throw new Error(`${target}/metrics answers ${answer.status}`);
    }
  },
  // proxies.mjs reads these from the page, and runs nginx and haproxy with them.
  async nginx() {},
  async haproxy() {},
  // A unit of systemd, which is not run.
  async ini() {},
  // The page says that it is not tested.
  async caddy() {},
  // A drawing.
  async ''() {},
};

let failed = 0;
let count = 0;
for (const page of pages) {
  const blocks = blocksOf(page);
  // A page may show a file after the command that needs it.
  blocks.sort((one, other) => Number(other.language === 'toml') - Number(one.language === 'toml'));
  for (const { line, language, text } of blocks) {
    const place = `${page.slice(ROOT.length)}:${line} ${language}`;
    const started = Date.now();
    try {
      if (!RUN[language]) throw new Error(`blocks of ${language} are not run: say in docs.mjs how`);
      await RUN[language](text);
      count += language ? 1 : 0;
      if (language) console.log(`ok     ${place}, ${Date.now() - started} ms`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${place}: ${error.message}`);
    }
  }
}
if (count < 15) {
  console.log(`FAILED only ${count} blocks were found`);
  failed += 1;
}
for (const { id } of (await api('GET', '/v1/sessions')).sessions) await api('DELETE', `/v1/sessions/${id}`);
site.close();
removeFolder(cwd);
removeFolder(profiles);
await finish(ghostmux, failed > 0);
