// Records what browserless answers to the requests of fixtures/browserless.json, and writes the answers beside them.
// tests/it/quick_corpus.rs sends the same requests to ghostmux and compares.
//
//   npm install @browserless.io/browserless      (in an empty directory; it needs Node.js 22)
// It changes that installation: browserless starts only if all its browsers are installed.
//   CHROME=/usr/bin/chromium node record-browserless.mjs DIRECTORY
import { createServer } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { startBrowserless } from './browserless.mjs';

const [directory] = process.argv.slice(2);
const fixture = path.join(path.dirname(new URL(import.meta.url).pathname), '../fixtures/browserless.json');
const corpus = JSON.parse(await readFile(fixture, 'utf8'));

// The same site as tests/it/quick_corpus.rs has.
const site = createServer((request, response) => {
  const url = new URL(request.url, 'http://site');
  const send = (status, type, body, headers = {}) => {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
    response.end(body);
  };
  if (url.pathname === '/echo') {
    const names = ['cookie', 'user-agent', 'x-test', 'referer', 'authorization'];
    const lines = names.filter(name => request.headers[name]).map(name => `${name}: ${request.headers[name]}`);
    return send(200, 'text/html', `<!doctype html><link rel=icon href="data:,"><title>echo</title><pre>${lines.join('\n')}</pre>`);
  }
  if (url.pathname === '/auth' && !request.headers.authorization)
    return send(401, 'text/html', 'who?', { 'WWW-Authenticate': 'Basic realm="x"' });
  if (url.pathname === '/missing')
    return send(404, 'text/html', '<title>none</title>not here');
  if (url.pathname === '/redirect')
    return send(302, 'text/plain', '', { Location: '/page' });
  if (url.pathname === '/pixel.png')
    return send(200, 'image/png', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'));
  if (url.pathname === '/script.js')
    return send(200, 'text/javascript', 'document.title += " script"');
  if (url.pathname === '/never')
    return;
  return send(200, 'text/html', '<!doctype html><link rel=icon href="data:,"><title>page</title><h1>Page</h1><img src="/pixel.png" onload="this.alt = \'image\'" onerror="this.alt = \'no image\'"><script src="/script.js"></script>');
});
await new Promise(resolve => site.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${site.address().port}`;

const { base, stop } = await startBrowserless(directory, process.env.CHROME);

// What is compared of an answer.
export function facts(status, type, headers, bytes) {
  const facts = { status, type };
  for (const name of ['x-response-code', 'x-response-status', 'x-response-url', 'x-response-ip'])
    if (headers.get(name) !== null)
      facts[name] = headers.get(name).replaceAll(origin, 'SITE');
  const text = bytes.toString('utf8');
  const png = data => data.subarray(1, 4).toString() === 'PNG' && [data.readUInt32BE(16), data.readUInt32BE(20)];
  if (png(bytes))
    facts.png = png(bytes);
  else if (/^[A-Za-z0-9+/]{100,}=*$/.test(text) && png(Buffer.from(text, 'base64')))
    facts.base64 = png(Buffer.from(text, 'base64'));
  else if (bytes.subarray(6, 10).toString() === 'JFIF')
    facts.jpeg = true;
  else if (bytes.subarray(8, 12).toString() === 'WEBP')
    facts.webp = true;
  else if (text.startsWith('%PDF'))
    facts.pdf = { pages: bytes.toString('latin1').split('/Type /Page\n').length - 1, box: bytes.toString('latin1').match(/\/MediaBox \[[^\]]*\]/)?.[0] };
  else if (/json/.test(type ?? '') && status === 200)
    facts.json = JSON.parse(text.replaceAll(origin, 'SITE'));
  else
    facts.text = text.replaceAll(origin, 'SITE').slice(0, 4000);
  return facts;
}

for (const one of corpus) {
  const body = JSON.stringify(one.body).replaceAll('SITE', origin);
  try {
    const answer = await fetch(`${base}${one.path}`, {
      method: 'POST', body, headers: { 'Content-Type': 'application/json' }, signal: AbortSignal.timeout(40000),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    one.answer = facts(answer.status, answer.headers.get('content-type'), answer.headers, bytes);
  } catch (error) {
    one.answer = { failed: String(error) };
  }
  console.log(one.name, JSON.stringify(one.answer).slice(0, 160));
}
await writeFile(fixture, `[\n${corpus.map(one => '  ' + JSON.stringify(one)).join(',\n')}\n]\n`);
await stop();
process.exit(0);
