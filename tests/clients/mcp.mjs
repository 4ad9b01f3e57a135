#!/usr/bin/env node
// The official SDK of MCP as an agent uses it: node mcp.mjs GHOSTMUX [BROWSER]
//
// Over HTTP (`/mcp`) and over standard input and output (`ghostmux mcp`), as a tenant with a token: it lists the tools, goes
// to a page, types, clicks and looks. Its session ends with it.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { folder, removeFolder } from './process.mjs';
import { until, within } from './suite.mjs';

const PATIENCE_MS = 60_000;
const [program, browser = findBrowser()] = process.argv.slice(2);

const site = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><link rel="icon" href="data:,"><title>Shop</title>
    <form onsubmit="event.preventDefault(); out.textContent = 'Hello ' + who.value"><label>Name<input id="who"></label></form><p id="out">nobody</p>`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = folder('mcp');
const file = join(home, 'tenants.toml');
const token = (await promisify(execFile)(program, ['token', 'new', '--tenants', file, '--tenant', 'acme'])).stdout.trim();
// The site of this run is on loopback.
await promisify(execFile)('sed', ['-i', 's/^\\[tenants.acme\\]$/&\\ncapabilities = ["private-network"]/', file]);
const ghostmux = await openGhostmux(program, browser, ['--tenants', file]);
const url = `http://${ghostmux.host}:${ghostmux.port}`;
const sessions = async () => {
  const answer = await fetch(`${url}/v1/sessions`, { headers: { 'x-api-key': token } });
  return (await answer.json()).sessions;
};

const TRANSPORTS = {
  HTTP: () => new StreamableHTTPClientTransport(new URL(`${url}/mcp?caps=pdf`), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }),
  'standard input and output': () => new StdioClientTransport({
    command: program, args: ['mcp', '--server', url, '--caps', 'pdf'], env: { ...process.env, GHOSTMUX_TOKEN: token }, stderr: 'inherit',
  }),
};

async function drive(transport) {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  const { tools } = await client.listTools();
  if (tools.length !== 22) throw new Error(`${tools.length} tools`);
  if (!tools.every(tool => typeof tool.annotations.readOnlyHint === 'boolean')) throw new Error('a tool has no annotations');
  const call = async (name, args = {}) => {
    const { content, isError } = await client.callTool({ name, arguments: args });
    const said = content.map(block => block.text ?? `${block.type} ${block.mimeType}`).join('\n');
    if (isError) throw new Error(`${name}: ${said}`);
    return said;
  };
  const shown = await call('browser_navigate', { url: `http://127.0.0.1:${site.address().port}/` });
  const [, target] = shown.match(/textbox "Name" .*\[ref=(\w+)\]/) ?? [];
  const greeted = await call('browser_type', { element: 'the name', target, text: 'Ada', submit: true });
  if (!greeted.includes('Hello Ada')) throw new Error(greeted);
  if (!(await call('browser_take_screenshot')).includes('image image/jpeg')) throw new Error('no picture');
  if (!(await call('browser_tabs', { action: 'list' })).includes('[Shop]')) throw new Error('no tab');
  if ((await sessions()).length !== 1) throw new Error('not one session');
  // HTTP: DELETE. The command ends its session when its input ends.
  await transport.terminateSession?.();
  await client.close();
  await until('the session has ended', async () => (await sessions()).length === 0);
}

let failed = 0;
for (const [name, transport] of Object.entries(TRANSPORTS)) {
  try {
    await within(PATIENCE_MS, name, drive(transport()));
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
  }
}
site.close();
removeFolder(home);
await finish(ghostmux, failed);
