// What stands in front of a ghostmux: nginx and haproxy with the configuration of docs/tls.md, on free ports of loopback.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, folder, removeFolder } from './process.mjs';

const START_MS = 30_000;
const PAGE = fileURLToPath(new URL('../../docs/tls.md', import.meta.url));
/** Key and certificate, for 127.0.0.1 and localhost. */
export const PEM = fileURLToPath(new URL('self-signed.pem', import.meta.url));

/** Runs this program again such that Node.js trusts the certificate: it reads the variable only at its start. */
export function trustCertificate() {
  if (process.env.NODE_EXTRA_CA_CERTS === PEM) return;
  const { status } = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env: { ...process.env, NODE_EXTRA_CA_CERTS: PEM } });
  process.exit(status ?? 1);
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const find = name => [`/usr/sbin/${name}`, `/usr/bin/${name}`, `/usr/local/sbin/${name}`].find(existsSync) ?? name;

// The first block of the page in this language.
function example(language) {
  const [, text] = readFileSync(PAGE, 'utf8').match(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm')) ?? [];
  if (!text) throw new Error(`${PAGE} has no example in ${language}`);
  return text;
}

// Names and paths of an example, as they are here. What is not in the example would be left as it is, so that is an error.
function here(text, values) {
  return Object.entries(values).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example of ${PAGE} does not have ${from}`);
    return text.replaceAll(from, to);
  }, text);
}

async function start(command, args, port, home) {
  const child = new Child(find(command), args);
  const end = Date.now() + START_MS;
  for (;;) {
    const answer = await fetch(`https://localhost:${port}/`).then(() => true, error => error.cause?.code !== 'ECONNREFUSED');
    if (answer) break;
    if (Date.now() > end || child.process.exitCode !== null) throw new Error(`${command} does not listen on ${port}\n${child.tail()}`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return {
    port,
    async close() {
      await child.end();
      removeFolder(home);
    },
  };
}

/** nginx with TLS at `/pool/` of this port, which removes that from paths if it `strips`. */
export async function openNginx({ port, upstream, secret, strips = false }) {
  const home = folder('nginx');
  const server = here(example('nginx'), {
    'listen 443 ssl': `listen 127.0.0.1:${port} ssl`, 'browsers.example.com': 'localhost', '/etc/ssl/browsers.pem': PEM, '/etc/ssl/browsers.key': PEM,
    'http://127.0.0.1:9222;': `http://${upstream}${strips ? '/' : ''};`, SECRET: secret,
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${home}/${name};`).join(' ');
  const file = join(home, 'nginx.conf');
  writeFileSync(file, `daemon off; master_process off; pid ${home}/pid; error_log stderr warn;
events {}
http { access_log off; ${temporary}
${server}
}`);
  return start('nginx', ['-e', 'stderr', '-p', home, '-c', file], port, home);
}

/** haproxy with TLS at this port. */
export async function openHaproxy({ port, upstream, secret }) {
  const home = folder('haproxy');
  const file = join(home, 'haproxy.cfg');
  writeFileSync(file, here(example('haproxy'), {
    'bind :443': `bind 127.0.0.1:${port}`, '/etc/ssl/browsers.pem': PEM, '127.0.0.1:9222': upstream, SECRET: secret,
  }));
  return start('haproxy', ['-db', '-f', file], port, home);
}
