#!/usr/bin/env node
// Runs schemathesis against a ghostmux: the server must answer every generated request as its
// OpenAPI document says.
//   node api/run.mjs GHOSTMUX [--part K/N] [schemathesis' own options]
// With --part it tries the K-th of N parts of the paths, briefly.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser, openGhostmux } from '../endpoint.mjs';
import { Child, endAll, folder, removeFolder } from '../process.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SCHEMATHESIS = process.env.GHOSTMUX_SCHEMATHESIS ?? join(HERE, '.venv/bin/schemathesis');

const [program, ...rest] = process.argv.slice(2);
const at = rest.indexOf('--part');
const [part = ''] = at < 0 ? [] : rest.slice(at + 1);
if (at >= 0 && !/^[1-9]\d*\/[1-9]\d*$/.test(part)) throw new Error(`--part ${part}: say K/N, such as 1/4`);
const options = at < 0 ? rest : rest.toSpliced(at, 2);
const examples = part ? 10 : 100;

// The server must accept what the document allows.
const profiles = folder('profiles');
const flags = ['--timeout-max', '0s', '--idle-timeout-max', '0s', '--keep-alive-max', '8784h', '--keep-files-max', '8784h', '--park-keep-alive', '1m',
  '--profiles-dir', profiles];
const ghostmux = await openGhostmux(program, findBrowser(), flags);
const server = `http://${ghostmux.host}:${ghostmux.port}`;
// After these two the server takes no new session; tests/it/pool.rs has them.
const ends = ['/v1/drain', '/v1/pause'].flatMap(path => ['--exclude-path', path]);
const dir = folder('api');
const child = new Child(SCHEMATHESIS, [
  '--config-file', join(HERE, 'schemathesis.toml'), 'run', `${server}/v1/openapi.json`, '--url', server, '--max-examples', String(examples), '--phases', part ? 'examples,coverage,fuzzing' : 'examples,coverage,fuzzing,stateful',
  '--seed', '1', '--continue-on-failure', '--suppress-health-check', 'all', '--generation-database', 'none', '--no-color', ...ends, ...options,
], { cwd: dir, env: { ...process.env, PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1', SCHEMATHESIS_HOOKS: 'hooks', GHOSTMUX_API_PART: part } });
child.onLine(line => console.log(line));
const code = await child.over;
removeFolder(dir);
const left = await ghostmux.close();
removeFolder(profiles);
const isClean = left.obeyed && left.processes.length === 0 && left.files.length === 0;
if (!isClean) console.log('FAILED ghostmux left:', left);
await endAll();
process.exit(code === 0 && isClean ? 0 : 1);
