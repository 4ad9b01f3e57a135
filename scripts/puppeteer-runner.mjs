#!/usr/bin/env node
// Copies Puppeteer's bundle for browsers from an installed puppeteer-core package:
// node scripts/puppeteer-runner.mjs [DIRECTORY OF THE PACKAGE]. With --check it compares only.
// The bundle goes to src/page/runner/, where /function and /download run code with it. To update it, change the
// version in tests/clients/package.json first.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const isCheck = args.includes('--check');
const from = args.find(arg => !arg.startsWith('--')) ?? join(ROOT, 'tests/clients/node_modules/puppeteer-core');

const { version } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
const bundle = readFileSync(join(from, 'lib/es5-iife/puppeteer-core-browser.js'), 'utf8');
if (!/^var Puppeteer = /m.test(bundle)) throw new Error(`${from}: the bundle of ${version} has another form`);
const content = bundle.trim();
const files = {
  'puppeteer.js': `// Copyright Google Inc. Licensed under the Apache License, Version 2.0.\n`
    + `// The bundle for browsers of puppeteer-core ${version}, copied by scripts/puppeteer-runner.mjs. Do not edit.\n${content}\n`,
  NOTICE: `Puppeteer\nCopyright Google Inc.\n\n`
    + `puppeteer.js is the bundle for browsers of puppeteer-core ${version} (https://github.com/puppeteer/puppeteer),\n`
    + `available under the Apache License, Version 2.0, whose text is in ../injected/LICENSE. The bundle has parts of rxjs\n`
    + `(Apache-2.0), mitt and parsel-js (MIT), with their notices.\n`,
};
for (const [name, text] of Object.entries(files)) {
  const path = join(ROOT, 'src/page/runner', name);
  if (!isCheck) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) throw new Error(`${path} is not that of puppeteer-core ${version}; run scripts/puppeteer-runner.mjs`);
}
