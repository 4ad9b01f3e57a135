#!/usr/bin/env node
// ghostmux behind nginx and haproxy with TLS: node proxies.mjs GHOSTMUX [BROWSER]
//
// The proxies have the configuration of docs/tls.md.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { freePort, openHaproxy, openNginx, trustCertificate } from './front.mjs';
import { folder, removeFolder } from './process.mjs';
import { PATIENCE_MS, act, ask, clients, must, tally } from './through-tls.mjs';

trustCertificate();

const [program, browser = findBrowser()] = process.argv.slice(2);
const home = folder('proxies');
const tenants = join(home, 'tenants.toml');
const tokenOf = async (...flags) => (await promisify(execFile)(program, ['token', 'new', '--tenants', tenants, ...flags])).stdout.trim();
const token = await tokenOf('--tenant', 'acme');
// Of a network from which this program can come: all of 127.0.0.0/8 is this machine.
const far = await tokenOf('--tenant', 'acme', '--name', 'far', '--from', '127.0.0.9/32');
const bearer = { Authorization: `Bearer ${token}` };

const secret = randomBytes(32).toString('hex');
writeFileSync(join(home, 'secret'), `${secret}\n`);
const settings = join(home, 'ghostmux.toml');
const audit = join(home, 'audit.log');
const configure = publicUrl => writeFileSync(settings, [
  `tenants = '${tenants}'`, `audit = '${audit}'`, `trusted_proxy = ['127.0.0.1']`, `proxy_secret = '${home}/secret'`,
  ...(publicUrl ? [`public_url = '${publicUrl}'`] : []),
].join('\n'));
const stripped = `https://localhost:${await freePort()}/pool`;
configure(stripped);
const ghostmux = await openGhostmux(program, browser, ['--config', settings]);
const upstream = `${ghostmux.host}:${ghostmux.port}`;

/** Changes the public URL of the running server. */
async function republish(publicUrl, asked) {
  configure(publicUrl);
  process.kill(ghostmux.pid, 'SIGHUP');
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const said = await ask(`${asked}/json/version`, { headers: bearer });
    if (said.text.includes(`"${asked.replace('https:', 'wss:')}/devtools/`)) return;
    must(Date.now() < end, `the public URL stays: ${said.text}`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

const portOf = url => Number(new URL(url).port);
const nginx = await openNginx({ port: portOf(stripped), upstream, secret, strips: true });
await clients('nginx that removes the prefix', stripped, token);
await act('nginx: the address of the client decides', async () => {
  const headers = { 'x-api-key': far };
  const from = async (localAddress, more = {}) => (await ask(`${stripped}/v1/sessions`, { headers: { ...headers, ...more }, localAddress })).status;
  must(await from('127.0.0.9') === 200, 'refused to its network');
  must(await from('127.0.0.1') === 401, 'accepted from elsewhere');
  for (const forged of [{ 'X-Forwarded-For': '127.0.0.9' }, { Forwarded: 'for=127.0.0.9' }]) {
    must(await from('127.0.0.1', forged) === 401, `believed ${JSON.stringify(forged)} of a client of nginx`);
    const direct = await fetch(`http://${upstream}/v1/sessions`, { headers: { ...headers, ...forged } });
    must(direct.status === 403, `believed ${JSON.stringify(forged)} without the secret: ${direct.status}`);
  }
  await ask(`${stripped}/json/version`, { localAddress: '127.0.0.8' });
  const end = Date.now() + 5_000;
  while (!/"denied".*"127\.0\.0\.8"/.test(readFileSync(audit, 'utf8'))) {
    must(Date.now() < end, readFileSync(audit, 'utf8'));
    await new Promise(resolve => setTimeout(resolve, 20));
  }
});
await act('nginx: another name is refused', async () => {
  const answer = await ask(`${stripped}/json/version`, { headers: { ...bearer, host: 'evil.example' } });
  must(answer.status === 500 && answer.text.startsWith('Host header'), answer);
});
const passed = `https://localhost:${await freePort()}/pool`;
const passing = await openNginx({ port: portOf(passed), upstream, secret });
await republish(passed, passed);
await clients('nginx that passes the prefix', passed, token);
// Without a public URL, what the proxy says of the client's request counts.
const haproxy = await openHaproxy({ port: await freePort(), upstream, secret });
const balanced = `https://localhost:${haproxy.port}`;
await republish(null, balanced);
await clients('haproxy without a public URL', balanced, token);
for (const front of [nginx, passing, haproxy]) await front.close();

removeFolder(home);
await finish(ghostmux, tally.failed);
