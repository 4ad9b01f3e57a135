#!/usr/bin/env node
// TLS of ghostmux itself: node tls.mjs GHOSTMUX [BROWSER]
//
// Real clients, certificates that change, and connections that are no handshake or a slow one.

import { execFile } from 'node:child_process';
import { on, once } from 'node:events';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import puppeteer from 'puppeteer-core';
import { WebSocket } from 'ws';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';
import { PEM, trustCertificate } from './front.mjs';
import { folder, removeFolder } from './process.mjs';
import { PATIENCE_MS, act, ask, clients, must, tally } from './through-tls.mjs';

trustCertificate();

const TLS_TIMEOUT_MS = 1_500;
const [program, browser = findBrowser()] = process.argv.slice(2);
const run = promisify(execFile);
const home = folder('tls');
const file = name => join(home, name);
const tenants = file('tenants.toml');
writeFileSync(tenants, '[tenants.acme]\ncapabilities = ["admin"]\n');
const token = (await run(program, ['token', 'new', '--tenants', tenants, '--tenant', 'acme'])).stdout.trim();
const bearer = { Authorization: `Bearer ${token}` };
const [cert, key] = [file('cert.pem'), file('key.pem')];
copyFileSync(PEM, cert);
copyFileSync(PEM, key);

/** A new self-signed certificate and its key. */
async function newCertificate(name, hosts = 'DNS:localhost,IP:127.0.0.1') {
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${hosts}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)]);
}

// ---- what prevents the start ----

await newCertificate('other');
await newCertificate('third');
await newCertificate('elsewhere', 'DNS:elsewhere.example.com');
writeFileSync(file('empty.pem'), '');
writeFileSync(file('broken.pem'), readFileSync(PEM, 'utf8').replace(/CERTIFICATE-----\n.{20}/, 'CERTIFICATE-----\n%%%'));
for (const [flags, ...words] of [
  [['--tls-cert', cert], '--tls-cert', 'needs --tls-key'],
  [['--tls-cert', file('none.pem'), '--tls-key', key], 'tls_cert', file('none.pem'), 'cannot read'],
  [['--tls-cert', file('empty.pem'), '--tls-key', key], 'tls_cert', file('empty.pem'), 'no certificate'],
  [['--tls-cert', file('broken.pem'), '--tls-key', key], 'tls_cert', file('broken.pem'), 'no PEM'],
  [['--tls-cert', cert, '--tls-key', file('empty.pem')], 'tls_key', file('empty.pem'), 'no private key'],
  [['--tls-cert', cert, '--tls-key', file('other.key')], 'tls_key', file('other.key'), 'not the key of the certificate', cert],
  [['--public-url', 'wss://browsers.example.com'], '--public-url', 'wss://browsers.example.com', 'write https:'],
  [['--trusted-proxy', '10.0.0.0/99'], '--trusted-proxy', '10.0.0.0/99', 'ADDRESS/BITS'],
  [['--trusted-proxy', '127.0.0.1'], '--trusted-proxy', '127.0.0.1', '--proxy-secret'],
]) {
  await act(`${flags.filter(flag => flag.startsWith('--')).join(' ')}: ${words.at(-1)}`, async () => {
    const failed = await run(program, ['serve', '--listen', '127.0.0.1:0', ...flags], { timeout: PATIENCE_MS }).then(() => null, error => error);
    must(failed?.code === 2 && words.every(word => failed.stderr.includes(word)), failed ?? 'it started');
  });
}

// ---- clients ----

const ghostmux = await openGhostmux(program, browser, ['--tenants', tenants, '--tls-cert', cert, '--tls-key', key,
  '--tls-timeout', `${TLS_TIMEOUT_MS}ms`, '--tls-handshakes', '8']);
const { host, port } = ghostmux;
const base = `https://localhost:${port}`;
await clients('TLS of ghostmux', base, token);
await act('large messages in both directions, and a reader that is slow', async () => {
  const browser = await puppeteer.connect({ browserWSEndpoint: `wss://localhost:${port}/?token=${token}` });
  const page = await browser.newPage();
  const text = 'x'.repeat(10 << 20);
  must((await page.evaluate(text => text + text, text)).length === 2 * text.length, 'another length');
  // It reads nothing while three answers come, which have to wait here.
  const socket = new WebSocket(`wss://localhost:${port}/?token=${token}`);
  await once(socket, 'open');
  const say = (id, method, params, sessionId) => socket.send(JSON.stringify({ id, method, params, sessionId }));
  const next = async id => { for await (const [data] of on(socket, 'message')) { const message = JSON.parse(data); if (message.id === id) return message; } };
  const [{ result: { targetInfos } }] = await Promise.all([next(1), say(1, 'Target.getTargets')]);
  const targetId = targetInfos.find(info => info.type === 'page').targetId;
  const [{ result: { sessionId } }] = await Promise.all([next(2), say(2, 'Target.attachToTarget', { targetId, flatten: true })]);
  const all = Promise.all([3, 4, 5].map(next));
  socket.pause();
  for (const id of [3, 4, 5]) say(id, 'Runtime.evaluate', { expression: `'${id}'.repeat(8 << 20)`, returnByValue: true }, sessionId);
  // As much for another client, which takes as long.
  for (const id of [3, 4, 5]) must((await page.evaluate(id => `${id}`.repeat(8 << 20), id)).length === 8 << 20, 'another length');
  await browser.disconnect();
  socket.resume();
  for (const { id, result } of await all) must(result.result.value.length === 8 << 20 && result.result.value.startsWith(`${id}${id}`), `${id}`);
  socket.close();
});
await act('only HTTP/1.1 is offered', async () => {
  const socket = connectTls({ host, port, ALPNProtocols: ['h2', 'http/1.1'] });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  must(socket.alpnProtocol === 'http/1.1', `${socket.alpnProtocol}`);
  socket.destroy();
});

// ---- connections that are no handshake ----

/** What the other side says to these bytes, and after how many milliseconds it closes. */
function say(bytes, localAddress) {
  const since = Date.now();
  return new Promise(resolve => {
    let text = '';
    const socket = connectPlain({ host, port, localAddress }, () => bytes && socket.write(bytes));
    socket.on('data', data => { text += data; }).on('error', () => {}).on('close', () => resolve({ text, ms: Date.now() - since }));
  });
}

await act('HTTP without TLS is told what to do', async () => {
  const { text } = await say('GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n');
  must(text.startsWith('HTTP/1.1 400 ') && text.includes('https://') && text.includes('urn:ghostmux:no-tls'), text);
  const refused = await fetch(`http://${host}:${port}/json/version`);
  must(refused.status === 400 && (await refused.json()).detail.includes('wss://'), 'fetch');
});
await act('other bytes are not answered', async () => {
  const { text } = await say(Buffer.from([0, 1, 2, 3]));
  must(text === '', text);
});
await act('handshakes are limited in time and number, for each source', async () => {
  // Two of the eight places are for one source.
  const slow = [say(''), say(Buffer.from([0x16, 3, 1]))];
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const third = say('');
    if ((await third).ms < TLS_TIMEOUT_MS / 2) break;
    must(Date.now() < end, 'a third one waits');
    slow.push(say(''), say(''));
  }
  // Another source still has places.
  must((await ask(`${base}/healthz`, { localAddress: '127.0.0.5' })).status === 200, 'another source');
  for (const one of await Promise.all(slow)) must(one.ms < TLS_TIMEOUT_MS * 10 && one.text === '', one);
  must((await ask(`${base}/healthz`)).status === 200, 'afterwards');
  const metrics = (await ask(`${base}/metrics`, { headers: bearer })).text;
  for (const reason of ['slow', 'full', 'failed']) must(new RegExp(`tls_handshakes_failed_total{reason="${reason}"} [1-9]`).test(metrics), metrics);
});

// ---- certificates that change ----

const shown = () => new Promise((resolve, reject) => {
  const socket = connectTls({ host, port, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().subject?.CN);
    socket.destroy();
  }).on('error', reject);
});
const put = (name, as) => { copyFileSync(file(name), `${as}.new`); renameSync(`${as}.new`, as); };
async function until(name) {
  const end = Date.now() + PATIENCE_MS;
  while (await shown() !== name) {
    must(Date.now() < end, `new connections see ${await shown()}, not ${name}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
const reload = () => run(program, ['reload', '--server', base], { env: { ...process.env, GHOSTMUX_TOKEN: token, SSL_CERT_FILE: cert } });

await act('certificates are read again when the files change', async () => {
  const warned = ghostmux.says(/WARN.*the certificate expires at .*, in 1 day/, PATIENCE_MS);
  put('other.key', key);
  put('other.pem', cert);
  await until('other');
  await warned;
});
await act('a wrong certificate leaves the old one in force', async () => {
  put('third.key', key);
  const failed = await reload().then(() => null, error => error);
  must(failed && failed.stderr.includes(key) && failed.stderr.includes('not the key'), failed ?? 'reloaded');
  must(await shown() === 'other', 'another certificate');
  put('other.key', key);
});
await act('the end of the certificate is in the status and the metrics, and ghostmux doctor warns', async () => {
  const { stdout } = await run('openssl', ['x509', '-enddate', '-noout', '-in', file('other.pem')]);
  const end = Date.parse(stdout.trim().replace('notAfter=', ''));
  const status = JSON.parse((await ask(`${base}/v1/status`, { headers: bearer, rejectUnauthorized: false })).text);
  must(status.tlsCertificateExpiresAt === end, status);
  const metrics = (await ask(`${base}/metrics`, { headers: bearer, rejectUnauthorized: false })).text;
  must(metrics.includes(`\nghostmux_tls_certificate_expiry_timestamp_seconds ${end / 1000}\n`), metrics);
  const env = { ...process.env, GHOSTMUX_TOKEN: token, SSL_CERT_FILE: cert };
  const shown = (await run(program, ['status', '--server', base], { env })).stdout;
  must(shown.includes('tls       the certificate expires at') && shown.includes('in 1 day'), shown);
  const doctor = await run(program, ['doctor', '--json', '--tls-cert', cert, '--tls-key', key, ...(browser ? ['--browser-path', browser] : [])])
    .catch(failed => failed);
  const check = JSON.parse(doctor.stdout).checks.find(check => check.check === 'tls_cert');
  must(check.level === 'warn' && check.found.includes('in 1 day') && check.remedy, check);
});
await act('certificates are read again by ghostmux reload and by SIGHUP', async () => {
  must((await reload()).stdout.startsWith('loaded '), 'reload');
  put('third.key', key);
  put('third.pem', cert);
  process.kill(ghostmux.pid, 'SIGHUP');
  await until('third');
});
await act('ghostmux trusts a certificate of its file for the names in it only', async () => {
  put('elsewhere.key', key);
  put('elsewhere.pem', cert);
  await until('elsewhere');
  const failed = await reload().then(() => null, error => error);
  must(failed && failed.stderr.includes('not valid for name'), failed ?? 'reloaded');
});

removeFolder(home);
await finish(ghostmux, tally.failed);
