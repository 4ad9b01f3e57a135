#!/usr/bin/env node
// Runs the scripts of examples/ as a reader would, with a ghostmux: node examples.mjs GHOSTMUX
// [BROWSER]

import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { Child, folder, removeFolder } from './process.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const EXAMPLES = join(HERE, '../../examples');
const PATIENCE_MS = 90_000;

// Each script and its expected output.
const SAYS = {
  'puppeteer.mjs': [/^event with metadata { order: '17' }$/, /^visits: 2$/, /^\d+ commands, \d+ pages/, /^1 for a colleague: ws:/],
  'playwright.mjs': [/^event with metadata { order: '17' }$/, /^visits: 2$/, /^\d+ commands, \d+ pages/, /^1 for a colleague: ws:/],
  'cdp.mjs': [/^event ghost.sessionUpdated/, /^closed with 1000 ws:/, /^visits: 2$/, /keepAlive/, /^closed with 1000 /],
  'rest.sh': [/"name":"nightly"/, /"timeout":3600000/, /^{"sessions":\[{/, /^{"pages":\[/, /"wallTime":/, /^{"pressure":/, /"status":404/],
};

// The scripts of docs/reconnect.md, by their headings.
const RECONNECT = readFileSync(join(HERE, '../../docs/reconnect.md'), 'utf8');
const SHOWN = [...RECONNECT.matchAll(/^### (.*)\n\n```js\n([^]*?)^```/gm)].map(([, name, text]) => ({ name: `docs/reconnect.md, ${name}`, text }));
const SHOWN_SAY = [/^the first process ended by SIGKILL$/, /^in the basket: apples, pears$/];
if (SHOWN.length !== 3) throw new Error(`docs/reconnect.md shows ${SHOWN.length} scripts, not one for each client`);

async function run(name, says, server, text) {
  // A directory with the clients installed, as after `npm install`.
  const dir = folder('example');
  const script = text ? 'back.mjs' : name;
  if (text) writeFileSync(join(dir, script), text);
  else copyFileSync(join(EXAMPLES, script), join(dir, script));
  symlinkSync(join(HERE, 'node_modules'), join(dir, 'node_modules'));
  const [command, ...args] = script.endsWith('.sh') ? ['bash', script] : [process.execPath, script];
  const child = new Child(command, [...args, server], { cwd: dir });
  const said = [];
  child.onLine(line => said.push(line));
  const timer = setTimeout(() => child.signal('SIGKILL'), PATIENCE_MS);
  const code = await child.over;
  clearTimeout(timer);
  removeFolder(dir);
  const missing = says.filter(pattern => !said.some(line => pattern.test(line)));
  if (code === 0 && missing.length === 0) return null;
  return `it ended with ${code}${missing.map(pattern => `, without ${pattern}`).join('')}\n${said.join('\n')}`;
}

const [program, browser] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, browser ?? findBrowser());
const server = `http://${ghostmux.host}:${ghostmux.port}`;
let failed = 0;
const report = (name, why) => {
  console.log(`${why ? 'FAILED' : 'ok    '} ${name}${why ? `: ${why}` : ''}`);
  failed += why ? 1 : 0;
};
for (const [script, says] of Object.entries(SAYS)) report(`examples/${script}`, await run(script, says, server));
for (const { name, text } of SHOWN) report(name, await run(name, SHOWN_SAY, server, text));
const { sessions } = await (await fetch(`${server}/v1/sessions`)).json();
if (sessions.length > 0) {
  console.log('FAILED sessions are left:', sessions);
  failed += 1;
}
await finish(ghostmux, failed > 0);
