#!/usr/bin/env node
// Extracts Playwright's injected script from an installed playwright-core package:
// node scripts/playwright-injected.mjs [DIRECTORY OF THE PACKAGE]. With --check it compares only.
// The script and its licence go to src/page/injected/; docs/adr/0011-playwrights-locators.md says
// why it is used. To update it, change the version in tests/clients/package.json first.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const isCheck = args.includes('--check');
const from = args.find(arg => !arg.startsWith('--')) ?? join(ROOT, 'tests/clients/node_modules/playwright-core');

const { version } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
const bundle = readFileSync(join(from, 'lib/coreBundle.js'), 'utf8');
// The bundle holds the script as one string literal.
const found = /src\/generated\/injectedScriptSource\.ts"\(\) \{\s*"use strict";\s*\w+ = ('(?:[^'\\]|\\[^])*');/.exec(bundle);
if (!found) throw new Error(`${from}: the bundle of ${version} has the injected script in another form`);
const script = Function(`return ${found[1]}`)();

const files = {
  'playwright.js': `// Copyright (c) Microsoft Corporation. Licensed under the Apache License, Version 2.0.\n`
    + `// The injected script of playwright-core ${version}, extracted by scripts/playwright-injected.mjs. Do not edit.\n${script.trim()}\n`,
  NOTICE: readFileSync(join(from, 'NOTICE'), 'utf8'),
  LICENSE: readFileSync(join(from, 'LICENSE'), 'utf8'),
};
const to = join(ROOT, 'src/page/injected');
mkdirSync(to, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const path = join(to, name);
  if (!isCheck) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) throw new Error(`${path} is not that of playwright-core ${version}; run scripts/playwright-injected.mjs`);
}
