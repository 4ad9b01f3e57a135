#!/usr/bin/env node
// The conformance suite of MCP: node agents/conformance.mjs GHOSTMUX
//
// Most of its scenarios for servers call tools of a server that was written for them, or ask for prompts, resources and logs,
// which this one does not have. The others must pass. It needs Node.js 22.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findBrowser, finish, openGhostmux } from '../endpoint.mjs';
import { folder, removeFolder } from '../process.mjs';

const APPLY = ['server-initialize', 'ping', 'tools-list', 'server-sse-multiple-streams', 'dns-rebinding-protection'];
const PATIENCE_MS = 60_000;
const SUITE = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url));

const [program] = process.argv.slice(2);
if (Number(process.versions.node.split('.')[0]) < 22) {
  console.log(`skipped: the conformance suite needs Node.js 22, and this is ${process.version}`);
  process.exit();
}
// The suite calls as a page of the server's own origin does, which has to be allowed.
const free = createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address();
free.close();
await once(free, 'close');
const origin = `http://127.0.0.1:${port}`;
const ghostmux = await openGhostmux(program, findBrowser(), ['--listen', `127.0.0.1:${port}`, '--allow-origin', origin]);

const dir = folder('conformance');
let failed = 0;
for (const scenario of APPLY) {
  const args = [SUITE, 'server', '--url', `${origin}/mcp`, '--scenario', scenario];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8', timeout: PATIENCE_MS });
  const [counts] = stdout.match(/Passed: .*/) ?? ['no result'];
  if (status !== 0 || !/Passed: (\d+)\/\1, 0 failed/.test(counts)) {
    failed += 1;
    console.log(`FAILED ${scenario}: ${stdout}${stderr.slice(-1000)}`);
  } else console.log(`ok ${scenario}: ${counts}`);
}
removeFolder(dir);
await finish(ghostmux, failed);
