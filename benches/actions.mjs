// The cost of a page action: by HTTP, and by Playwright through ghostmux, beside Playwright on a Chrome of its own. The
// three take turns, so that what disturbs the machine disturbs all.
//
//   make test-packages && cargo build --release && node benches/actions.mjs target/release/ghostmux [--chrome FILE] [--rounds N]
import { createRequire } from 'node:module';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { findBrowser, finish, openGhostmux } from '../tests/clients/endpoint.mjs';
import { median, part } from './times.mjs';

const { chromium } = createRequire(new URL('../tests/clients/', import.meta.url))('playwright-core');
const { values: wish, positionals: [ghostmux] } = parseArgs({
  allowPositionals: true,
  options: {
    chrome: { type: 'string', default: findBrowser() },
    rounds: { type: 'string', default: '200' },
  },
});
if (!ghostmux) {
  console.error('usage: node benches/actions.mjs GHOSTMUX [--chrome FILE] [--rounds N]');
  process.exit(2);
}

const CONTENT = `<!doctype html><title>Form</title><button onclick="this.dataset.times = 1 + +this.dataset.times" data-times=0>Buy</button>
  <input placeholder=Name><ul>${'<li><a href=#>An entry of the list</a>'.repeat(200)}</ul>`;
const server = await openGhostmux(ghostmux, wish.chrome, ['--log=error']);
const address = `${server.host}:${server.port}`;

async function post(url, body = {}) {
  const answer = await fetch(url, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok)
    throw new Error(`${url}: ${JSON.stringify(said)}`);
  return said;
}

/** The actions of a page of Playwright. */
const byPlaywright = page => ({
  click: () => page.click('button'),
  fill: () => page.fill('input', `Ada ${Math.random()}`),
  text: () => page.textContent('button'),
  evaluate: () => page.evaluate('6 * 7'),
  screenshot: () => page.screenshot(),
});
const direct = await chromium.launch({ executablePath: wish.chrome, args: ['--no-sandbox'] });
const proxied = await chromium.connectOverCDP(`ws://${address}`);
const pages = [await direct.newPage(), await proxied.contexts()[0].newPage()];
for (const page of pages) {
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.setContent(CONTENT);
}
const session = await post(`http://${address}/v1/sessions`);
const { targetId } = await post(`http://${address}/v1/sessions/${session.id}/pages`);
const at = `http://${address}/v1/sessions/${session.id}/pages/${targetId}`;
await post(`${at}/viewport`, { width: 1280, height: 720 });
await post(`${at}/evaluate`, { function: 'html => { document.write(html); document.close() }', args: [CONTENT] });
const sides = [
  byPlaywright(pages[0]),
  byPlaywright(pages[1]),
  {
    click: () => post(`${at}/click`, { selector: 'button' }),
    fill: () => post(`${at}/fill`, { selector: 'input', value: `Ada ${Math.random()}` }),
    text: () => post(`${at}/text`, { selector: 'button' }),
    evaluate: () => post(`${at}/evaluate`, { expression: '6 * 7' }),
    screenshot: () => post(`${at}/screenshot`),
  },
];

console.log('| action | Playwright, its own Chrome | Playwright, ghostmux | HTTP | HTTP beside the first |\n|---|---:|---:|---:|---:|');
for (const action of Object.keys(sides[0])) {
  const times = sides.map(() => []);
  for (let round = -5; round < wish.rounds; round++) {
    for (const [index, side] of sides.entries()) {
      const since = performance.now();
      await side[action]();
      if (round >= 0)
        times[index].push(performance.now() - since);
    }
  }
  const shown = times.map(values => `${median(values).toFixed(1)} ms (${part(values, 0.99).toFixed(1)})`);
  const ratio = median(times[2].map((time, index) => time / times[0][index]));
  console.log(`| \`${action}\`, p50 (p99) | ${shown.join(' | ')} | ${ratio.toFixed(2)} x |`);
}
const clicks = await Promise.all(pages.map(page => page.evaluate('document.querySelector("button").dataset.times')));
const { value } = await post(`${at}/evaluate`, { expression: 'document.querySelector("button").dataset.times' });
if (new Set([...clicks, value]).size !== 1)
  throw new Error(`not all clicked as often: ${clicks} ${value}`);
await direct.close();
await finish(server, false);
