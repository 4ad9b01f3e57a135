#!/usr/bin/env node
// Runs schemathesis against a ghostmux: the server must answer every generated request as its
// OpenAPI document says.
//   node api/run.mjs GHOSTMUX [--quick] [schemathesis' own options]

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser, openGhostmux } from '../endpoint.mjs';
import { Child, endAll, folder, removeFolder } from '../process.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SCHEMATHESIS = process.env.GHOSTMUX_SCHEMATHESIS ?? join(HERE, '.venv/bin/schemathesis');

const [program, ...rest] = process.argv.slice(2);
const quick = rest.includes('--quick');
const options = rest.filter(option => option !== '--quick');
const examples = quick ? 10 : 100;

// The server must accept what the document allows.
const profiles = folder('profiles');
const flags = ['--timeout-max', '0s', '--idle-timeout-max', '0s', '--keep-alive-max', '8784h', '--keep-files-max', '8784h', '--park-keep-alive', '1m',
  '--profiles-dir', profiles];
const ghostmux = await openGhostmux(program, findBrowser(), flags);
const server = `http://${ghostmux.host}:${ghostmux.port}`;
// After these two the server takes no new session; tests/it/pool.rs has them.
const ends = ['/v1/drain', '/v1/pause'].flatMap(path => ['--exclude-path', path]);
// The actions on a page have one shape, and quick actions too: a quick run has some of them.
const alike = quick ? ['--exclude-path-regex', '/pages/\\{page\\}/(?!(goto|click|evaluate|screenshot)$)|^/(content|pdf|scrape|markdown|links|download)$'] : [];
const dir = folder('api');
const child = new Child(SCHEMATHESIS, [
  '--config-file', join(HERE, 'schemathesis.toml'), 'run', `${server}/v1/openapi.json`, '--url', server, '--max-examples', String(examples), '--phases', quick ? 'examples,coverage,fuzzing' : 'examples,coverage,fuzzing,stateful',
  '--seed', '1', '--continue-on-failure', '--suppress-health-check', 'all', '--generation-database', 'none', '--no-color', ...ends, ...alike, ...options,
], { cwd: dir, env: { ...process.env, PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1', SCHEMATHESIS_HOOKS: 'hooks', GHOSTMUX_API_QUICK: quick ? '1' : '' } });
child.onLine(line => console.log(line));
const code = await child.over;
removeFolder(dir);
const left = await ghostmux.close();
removeFolder(profiles);
const isClean = left.obeyed && left.processes.length === 0 && left.files.length === 0;
if (!isClean) console.log('FAILED ghostmux left:', left);
await endAll();
process.exit(code === 0 && isClean ? 0 : 1);
