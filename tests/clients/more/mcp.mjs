// An MCP server under test: started over stdio, called tool by tool.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

/** The program of an npm package. */
export function program(name, bin) {
  const require = createRequire(import.meta.url);
  const home = require.resolve.paths(name).map(path => join(path, name)).find(path => {
    try { return require(join(path, 'package.json')); } catch { return false; }
  });
  return join(dirname(join(home, 'package.json')), require(join(home, 'package.json')).bin[bin]);
}

/** Starts a server in a directory whose files it may read: `{call(tool, args) → text, content(tool, args), close()}`. */
export async function openServer(script, args, cwd) {
  const transport = new StdioClientTransport({ command: process.execPath, args: [script, ...args], cwd, stderr: 'ignore', env: { ...process.env } });
  const client = new Client({ name: 'ghostmux-clients', version: '1.0.0' });
  await client.connect(transport);
  const content = async (name, input = {}) => {
    const result = await client.callTool({ name, arguments: input });
    if (result.isError) throw new Error(`${name}: ${result.content.map(part => part.text).join('\n')}`);
    return result.content;
  };
  return {
    content,
    call: async (name, input) => (await content(name, input)).filter(part => part.type === 'text').map(part => part.text).join('\n'),
    close: () => client.close(),
  };
}
