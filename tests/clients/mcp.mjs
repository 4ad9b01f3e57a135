#!/usr/bin/env node
// The official SDKs of MCP as an agent uses them: node mcp.mjs GHOSTMUX [PYTHON]
//
// Over HTTP (`/mcp`) and over standard input and output (`ghostmux mcp`), in the protocol 2025-11-25 (version 1 of the SDK) and
// in 2026-07-28 (version 2), as a tenant with a token: it lists the tools, goes to a page, types, clicks, looks and asks a
// person. Its session ends with it. With a Python that has the SDK, agents/mcp_sdk.py does the same.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as modern from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { folder, removeFolder } from './process.mjs';
import { until, within } from './suite.mjs';

const PATIENCE_MS = 60_000;
const [program, python] = process.argv.slice(2);

const site = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><link rel="icon" href="data:,"><title>Shop</title>
    <form onsubmit="event.preventDefault(); out.textContent = 'Hello ' + who.value"><label>Name<input id="who"></label></form><p id="out">nobody</p>`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const page = `http://127.0.0.1:${site.address().port}/`;
const home = folder('mcp');
const file = join(home, 'tenants.toml');
const token = (await promisify(execFile)(program, ['token', 'new', '--tenants', file, '--tenant', 'acme'])).stdout.trim();
// The site of this run is on loopback.
await promisify(execFile)('sed', ['-i', 's/^\\[tenants.acme\\]$/&\\ncapabilities = ["private-network"]/', file]);
const ghostmux = await openGhostmux(program, findBrowser(), ['--tenants', file]);
const url = `http://${ghostmux.host}:${ghostmux.port}`;
const sessions = async () => {
  const answer = await fetch(`${url}/v1/sessions`, { headers: { 'x-api-key': token } });
  return (await answer.json()).sessions;
};

const http = Transport => new Transport(new URL(`${url}/mcp?caps=pdf,human`), { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
const stdio = Transport => new Transport({
  command: program, args: ['mcp', '--server', url, '--caps', 'pdf,human'], env: { ...process.env, GHOSTMUX_TOKEN: token }, stderr: 'inherit',
});
/** The client that knows no sessions, and the person who answers it. */
function modernClient() {
  const client = new modern.Client({ name: 'test', version: '1' },
    { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } });
  client.setRequestHandler('elicitation/create', ({ params }) => (params.message.startsWith('Which colour?')
    ? { action: 'accept', content: { answer: 'green' } } : { action: 'decline' }));
  return client;
}
const RUNS = {
  'HTTP, 2025-11-25': () => [new Client({ name: 'test', version: '1' }), http(StreamableHTTPClientTransport)],
  'standard input and output, 2025-11-25': () => [new Client({ name: 'test', version: '1' }), stdio(StdioClientTransport)],
  'HTTP, 2026-07-28': () => [modernClient(), http(modern.StreamableHTTPClientTransport)],
  'standard input and output, 2026-07-28': () => [modernClient(), stdio(ModernStdioClientTransport)],
};

async function drive([client, transport]) {
  await client.connect(transport);
  const { tools } = await client.listTools();
  if (tools.length !== 23) throw new Error(`${tools.length} tools`);
  if (!tools.every(tool => typeof tool.annotations.readOnlyHint === 'boolean')) throw new Error('a tool has no annotations');
  const isModern = client instanceof modern.Client;
  let session;
  const call = async (name, args = {}) => {
    const { content, isError } = await client.callTool({ name, arguments: { ...args, session } });
    const said = content.map(block => block.text ?? `${block.type} ${block.mimeType}`).join('\n');
    if (isError) throw new Error(`${name}: ${said}`);
    return said;
  };
  // Without sessions of the protocol, a tool opens one and the others name it.
  if (isModern) [, session] = (await call('browser_session', { action: 'new' })).match(/session: (\S+)/);
  const shown = await call('browser_navigate', { url: page });
  const [, target] = shown.match(/textbox "Name" .*\[ref=(\w+)\]/) ?? [];
  const greeted = await call('browser_type', { element: 'the name', target, text: 'Ada', submit: true });
  if (!greeted.includes('Hello Ada')) throw new Error(greeted);
  if (!(await call('browser_take_screenshot')).includes('image image/jpeg')) throw new Error('no picture');
  if (!(await call('browser_tabs', { action: 'list' })).includes('[Shop]')) throw new Error('no tab');
  const answer = await call('browser_ask_human', { question: 'Which colour?' });
  if (!answer.includes(isModern ? 'answered: green' : 'Ask the person')) throw new Error(answer);
  if ((await sessions()).length !== 1) throw new Error('not one session');
  // HTTP: DELETE. The command ends its session when its input ends. The sessions of tools are ended by one.
  if (isModern) await call('browser_session', { action: 'close' });
  else await transport.terminateSession?.();
  await client.close();
  await until('the session has ended', async () => (await sessions()).length === 0);
}

let failed = 0;
for (const [name, begin] of Object.entries(RUNS)) {
  try {
    await within(PATIENCE_MS, name, drive(begin()));
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
  }
}
if (python) {
  const script = fileURLToPath(new URL('agents/mcp_sdk.py', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(python, [script, program, url, token, page], { timeout: 4 * PATIENCE_MS });
    console.log(stdout.trim());
    await until('the sessions have ended', async () => (await sessions()).length === 0);
  } catch (error) {
    failed += 1;
    console.log(`FAILED Python: ${error.stack ?? error}`);
  }
}
site.close();
removeFolder(home);
await finish(ghostmux, failed);
