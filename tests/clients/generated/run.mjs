#!/usr/bin/env node
// Clients in TypeScript and Python, generated from the OpenAPI document of a server: node generated/run.mjs GHOSTMUX [BROWSER]
//
// The TypeScript is checked against the generated types. Both programs do the same with that server, and their values must be
// those of `expected`. The examples of the document must have the shapes that it describes.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import Ajv from 'ajv/dist/2020.js';
import { findBrowser, finish, openGhostmux } from '../endpoint.mjs';
import { folder, removeFolder } from '../process.mjs';

const PATIENCE_MS = 120_000;
const HERE = fileURLToPath(new URL('.', import.meta.url));
const BIN = join(HERE, '.venv/bin');
// What openapi-python-client does not know: a body that is sent as lines of JSON. The same operation takes JSON, too.
const SKIPPED = ['POST /v1/snapshots'];
const [program, browser = findBrowser()] = process.argv.slice(2);

const site = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><link rel="icon" href="data:,"><title>Shop</title>
    <label>Name<input id="who"></label><button onclick="out.textContent = 'Hello ' + who.value">Greet</button><button>Greet others</button><p id="out">nobody</p>
    <input type="file" id="file" onchange="this.files[0].text().then(text => content.textContent = this.files[0].name + ': ' + text)">
    <p id="content"></p><a id="save" href="data:text/plain,saved" download="saved.txt">Save</a>`);
}).listen(0, '127.0.0.1');
await once(site, 'listening');
const home = `http://127.0.0.1:${site.address().port}/`;

const expected = language => ({
  created: { name: language, state: 'parked', keepAlive: 300_000, metadata: { language }, clients: 0 },
  repeated: true,
  listed: { ours: [true], others: 0 },
  went: { url: home, navigated: true, status: 200 },
  text: 'Hello Ada',
  value: 42,
  picture: { format: 'png', width: 640, height: 480 },
  file: { name: 'note.txt', size: 6 },
  uploaded: 'note.txt: a note',
  download: { name: 'saved.txt', content: 'saved' },
  job: { operation: 'pageEvaluate', state: 'done', value: 'Shop' },
  pdf: '%PDF-',
  several: { status: 422, type: 'urn:ghostmux:several-elements', count: 2 },
  unknown: { status: 404, type: 'urn:ghostmux:no-session', title: 'Not Found' },
  ended: 204,
  after: 'urn:ghostmux:no-session',
});

/** What a program writes. */
function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    execFile(command, args, { timeout: PATIENCE_MS, maxBuffer: 1 << 26, ...options },
      (error, stdout, stderr) => (error ? fail(new Error(`${error.message}\n${stdout}${stderr}`)) : done({ stdout, stderr })));
  });
}

const dir = folder('generated');
const ghostmux = await openGhostmux(program, browser);
const server = `http://${ghostmux.host}:${ghostmux.port}`;
const url = `${server}/v1/openapi.json`;
const document = await (await fetch(url)).json();

const parts = {
  async TypeScript() {
    symlinkSync(join(HERE, 'node_modules'), join(dir, 'node_modules'));
    copyFileSync(join(HERE, 'scenario.ts'), join(dir, 'scenario.ts'));
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({
      compilerOptions: { target: 'es2023', lib: ['es2023', 'dom'], module: 'nodenext', strict: true, types: ['node'], typeRoots: [join(HERE, '../node_modules/@types')] },
      files: ['scenario.ts'],
    }));
    await run(join(HERE, 'node_modules/.bin/openapi-typescript'), [url, '-o', join(dir, 'ghostmux.d.ts')]);
    await run(join(HERE, '../node_modules/.bin/tsc'), ['-p', dir]);
    const { stdout } = await run(process.execPath, [join(dir, 'scenario.js'), server, home]);
    compare(JSON.parse(stdout), expected('typescript'));
  },
  async Python() {
    const made = join(dir, 'ghostmux_client');
    const { stderr } = await run(join(BIN, 'openapi-python-client'),
      ['generate', '--url', url, '--config', join(HERE, 'client.yml'), '--meta', 'none', '--output-path', made]);
    const skipped = [...stderr.matchAll(/^WARNING parsing (.+) within/gm)].map(([, operation]) => operation);
    if (!isDeepStrictEqual(skipped, SKIPPED) || /^(Unable|ERROR)/m.test(stderr)) throw new Error(stderr);
    const env = { ...process.env, PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: '1' };
    const { stdout } = await run(join(BIN, 'python'), [join(HERE, 'scenario.py'), server, home], { env });
    compare(JSON.parse(stdout), expected('python'));
  },
  async examples() {
    // Formats such as `binary` are those of OpenAPI.
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema({ $id: 'document', components: document.components });
    const wrong = [];
    let count = 0;
    const check = (name, reference, example) => {
      count += 1;
      const validate = ajv.compile({ $ref: `document${reference}` });
      if (!validate(example)) wrong.push(`${name}: ${ajv.errorsText(validate.errors)}`);
    };
    for (const operation of Object.values(document.paths).flatMap(Object.values)) {
      for (const [place, { content = {} }] of Object.entries({ body: operation.requestBody ?? {}, ...operation.responses })) {
        const { schema, example } = content['application/json'] ?? {};
        if (example !== undefined) check(`${operation.operationId} ${place}`, schema.$ref, example);
      }
    }
    for (const [name, { examples = [] }] of Object.entries(document.components.schemas)) {
      examples.forEach(example => check(name, `#/components/schemas/${name}`, example));
    }
    if (wrong.length || count < 150) throw new Error(`${count} examples\n${wrong.join('\n')}`);
  },
};

function compare(seen, wanted) {
  const names = [...new Set([...Object.keys(seen), ...Object.keys(wanted)])].filter(name => !isDeepStrictEqual(seen[name], wanted[name]));
  if (names.length) throw new Error(names.map(name => `${name}: ${JSON.stringify(seen[name])}, expected ${JSON.stringify(wanted[name])}`).join('\n'));
}

const failures = await Promise.all(Object.entries(parts).map(async ([name, part]) => {
  const started = Date.now();
  try {
    await part();
    console.log(`ok ${name}, ${Date.now() - started} ms`);
    return 0;
  } catch (error) {
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
    return 1;
  }
}));
site.close();
removeFolder(dir);
await finish(ghostmux, failures.includes(1));
