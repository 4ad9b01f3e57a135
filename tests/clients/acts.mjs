// What the programs for one capability each have in common: a site of one page, acts by name, comparisons.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { finish } from './endpoint.mjs';
import { within } from './suite.mjs';

const PATIENCE_MS = 60_000;

/** Fails if two values are not alike as JSON. */
export function same(found, expected, what) {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  }
}

/** A site on loopback: its URL, and `close()`. `pageOf(request, response)` returns the title and what comes after it. */
export async function openSite(pageOf = request => [request.url, '<p>text']) {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.setHeader('cache-control', 'no-store');
    const [title, body = ''] = pageOf(request, response);
    response.end(`<!doctype html><link rel="icon" href="data:,"><title>${title}</title>${body}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { home: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Runs acts by name, one after another, each with `given`; prints how they ended, and returns how many failed. */
export async function run(acts, ...given) {
  let failed = 0;
  for (const [name, act] of Object.entries(acts)) {
    const result = await within(PATIENCE_MS, name, act(...given)).then(() => 'ok', error => `FAILED ${error.stack}`);
    console.log(`${name}: ${result}`);
    failed += result === 'ok' ? 0 : 1;
  }
  return failed;
}

/** Runs acts with the address of a ghostmux, and ends it and this program. */
export async function runAll(acts, ghostmux, ...given) {
  const failed = await run(acts, `${ghostmux.host}:${ghostmux.port}`, ...given);
  await finish(ghostmux, failed > 0);
}
