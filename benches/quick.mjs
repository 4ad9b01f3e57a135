// Quick actions beside those of browserless, with the same Chrome on the same machine: how many a second, and how long
// each takes. The two take turns, so that what disturbs the machine disturbs both.
//
//   npm install @browserless.io/browserless      (in an empty directory; it needs Node.js 22, and changes nothing here)
//   node benches/quick.mjs GHOSTMUX BROWSERLESS_DIRECTORY [--chrome FILE] [--rounds N] [--seconds N]
// GHOSTMUX is the binary of a release build.
import { createServer } from 'node:http';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startBrowserless } from '../scripts/browserless.mjs';
import { openGhostmux } from '../tests/clients/endpoint.mjs';
import { endAll } from '../tests/clients/process.mjs';
import { median, part } from './times.mjs';

const { values: wish, positionals: [ghostmux, directory] } = parseArgs({
  allowPositionals: true,
  options: {
    chrome: { type: 'string', default: '/usr/bin/chromium' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
  },
});
if (!ghostmux || !directory) {
  console.error('usage: node benches/quick.mjs GHOSTMUX BROWSERLESS_DIRECTORY [--chrome FILE] [--rounds N] [--seconds N]');
  process.exit(2);
}

/** A page with some text, a style sheet and an image, as a shop or an article has. */
const site = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': request.url.startsWith('/style') ? 'text/css' : 'text/html' });
  if (request.url.startsWith('/style'))
    return response.end('body { font: 16px sans-serif; margin: 2em } article { columns: 2 } h1 { color: #246 }');
  const text = Array.from({ length: 60 }, (_, at) => `<p>Paragraph ${at}: the quick brown fox jumps over the lazy dog.`);
  response.end(`<!doctype html><link rel=icon href="data:,"><link rel=stylesheet href=/style.css><title>Shop</title>
    <h1>Offers</h1><article>${text.join('')}</article>`);
});
await new Promise(resolve => site.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${site.address().port}/`;

async function startGhostmux() {
  const { host, port, close } = await openGhostmux(ghostmux, wish.chrome, ['--log=error']);
  return { base: `http://${host}:${port}`, stop: close };
}

async function ask(base, action) {
  const since = performance.now();
  const answer = await fetch(`${base}/${action}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ url }),
    signal: AbortSignal.timeout(60_000),
  });
  const bytes = await answer.arrayBuffer();
  if (answer.status !== 200 || bytes.byteLength < 1000)
    throw new Error(`${base}/${action}: ${answer.status} ${Buffer.from(bytes).toString().slice(0, 500)}`);
  return performance.now() - since;
}

/** The times of the requests that ended within some seconds, so many at a time. */
async function load(base, action, atOnce) {
  const times = [], since = performance.now(), until = since + 1000 * wish.seconds;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (performance.now() < until)
      times.push(await ask(base, action));
  }));
  return { perSecond: 1000 * times.length / (performance.now() - since), times };
}

/** The first request after the start of each server. */
const cold = { browserless: [], ghostmux: [] };
const rows = new Map();
const servers = { browserless: () => startBrowserless(directory, wish.chrome, { CONCURRENT: '16', QUEUED: '100' }), ghostmux: startGhostmux };
for (let round = 0; round < wish.rounds; round++) {
  for (const [name, start] of Object.entries(servers)) {
    const server = await start();
    try {
      cold[name].push(await ask(server.base, 'screenshot'));
      for (const action of ['screenshot', 'pdf', 'content']) {
        for (const atOnce of [1, 4]) {
          const key = `\`/${action}\`, ${atOnce} at a time`;
          if (!rows.has(key))
            rows.set(key, { browserless: [], ghostmux: [] });
          rows.get(key)[name].push(await load(server.base, action, atOnce));
        }
      }
    } finally {
      await server.stop();
    }
  }
}

const fixed = value => value >= 100 ? value.toFixed(0) : value.toFixed(1);
console.log('| | browserless | ghostmux | ratio |\n|---|---:|---:|---:|');
for (const [key, sides] of rows) {
  const rate = side => sides[side].map(one => one.perSecond);
  const ratio = median(rate('ghostmux').map((ours, at) => ours / rate('browserless')[at]));
  console.log(`| ${key} | ${fixed(median(rate('browserless')))} /s | ${fixed(median(rate('ghostmux')))} /s | ${ratio.toFixed(1)} x |`);
  for (const [name, share] of [['p50', 0.5], ['p99', 0.99]]) {
    const of = side => part(sides[side].flatMap(one => one.times), share);
    console.log(`| … ${name} | ${fixed(of('browserless'))} ms | ${fixed(of('ghostmux'))} ms | ${(of('ghostmux') / of('browserless')).toFixed(2)} x |`);
  }
}
const [theirs, ours] = [median(cold.browserless), median(cold.ghostmux)];
console.log(`| the first \`/screenshot\` after the start | ${fixed(theirs)} ms | ${fixed(ours)} ms | ${(ours / theirs).toFixed(2)} x |`);
endAll();
process.exit(0);
