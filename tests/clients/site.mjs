// A small web site on loopback with a page for each kind of act. It has two origins, `home`
// (http://127.0.0.1:A) and `other` (http://localhost:B), which are also two sites for Chrome. It
// has no state, so several clients may use it at once.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

const html = (title, body) =>
  ({ type: 'text/html; charset=utf-8', body: `<!doctype html><html><head><title>${title}</title><link rel="icon" href="data:,"></head><body>${body}</body></html>` });
const script = body => ({ type: 'text/javascript', body });
const json = value => ({ type: 'application/json', body: JSON.stringify(value), headers: { 'access-control-allow-origin': '*' } });
const asText = value => JSON.stringify(value).replaceAll('<', '\\u003c');

// The state at a popup's first script: shows whether a client prepared it in time.
const witness = request => `<script>
  window.seen = { script: navigator.userAgent, request: ${asText(request.headers['user-agent'])},
                  marker: window.marker ?? null, opener: Boolean(window.opener) };
</script>`;

const pages = {
  '/': () => html('Home', '<h1>Home</h1><p id="text">first page</p><a id="next" href="/second">second</a>'),
  '/second': () => html('Second', '<h1>Second</h1><a id="back" href="/">home</a>'),
  '/blank': () => html('Blank', ''),
  '/redirect': () => ({ status: 302, headers: { location: '/second' } }),
  '/missing': () => ({ ...html('Missing', 'nothing here'), status: 404 }),
  '/tall': () => html('Tall', '<div style="height:2000px;background:linear-gradient(red,blue)"></div><p id="end">end</p>'),
  '/form': () => html('Form', `
    <form onsubmit="event.preventDefault(); out.textContent = 'hello ' + who.value + ', ' + colour.value + ', ' + sure.checked">
      <input id="who" placeholder="name"> <input id="sure" type="checkbox">
      <select id="colour"><option>red</option><option>green</option></select>
      <button id="go">Go</button>
    </form>
    <div id="over" onmouseover="this.textContent='hovered'">hover me</div>
    <p id="out"></p><p id="keys"></p>
    <script>who.addEventListener('keydown', event => { keys.textContent += event.key + ' '; });</script>`),
  '/popups': (request, site) => html('Popups', `
    <button id="opener" onclick="window.child = window.open('/popup?opener')">opener</button>
    <button id="named" onclick="window.child = window.open('/popup?named', 'named', 'width=300,height=200')">named</button>
    <button id="noopener" onclick="window.open('/popup?noopener', '_blank', 'noopener')">noopener</button>
    <button id="blank" onclick="window.child = window.open('about:blank'); child.document.title = 'Written'">blank</button>
    <a id="link" href="/popup?link" target="_blank">link</a>
    <a id="cross" href="${site.other}/popup?cross" target="_blank" rel="opener">cross</a>`),
  '/popup': request => html('Popup', `${witness(request)}<button id="close" onclick="window.close()">close</button>`),
  '/frames': (request, site) => html('Frames', `
    <iframe id="same" name="same" src="/frame?same"></iframe>
    <iframe id="cross" name="cross" src="${site.other}/frame?cross"></iframe>`),
  '/frame': () => html('Frame', `
    <button id="inner" onclick="this.textContent = 'clicked ' + (window.count = (window.count ?? 0) + 1)">inner</button>
    <iframe name="nested" src="/blank?nested"></iframe>`),
  '/worker': () => html('Worker', `<p id="said"></p><script>
    window.worker = new Worker('/worker.js', { name: 'digger' });
    worker.onmessage = event => { said.textContent = event.data; };</script>`),
  '/worker.js': () => script(`self.answer = 42; self.twice = n => n * 2; postMessage('dug');`),
  '/shared': () => html('Shared', `<p id="said"></p><script>
    window.worker = new SharedWorker('/shared.js', { name: 'commons' });
    worker.port.onmessage = event => { said.textContent = event.data; };
    worker.port.start();</script>`),
  '/shared.js': () => script(`self.answer = 43; onconnect = event => event.ports[0].postMessage('shared');`),
  '/service': () => html('Service', `<p id="said"></p><script>
    navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready)
      .then(() => { said.textContent = 'ready'; });</script>`),
  '/service.js': () => script(`self.answer = 44; oninstall = () => skipWaiting();
    onactivate = event => event.waitUntil(clients.claim());
    onfetch = event => { if (event.request.url.endsWith('/from-service')) event.respondWith(new Response('served by worker')); };`),
  '/download': () => html('Download', '<a id="get" href="/file.txt">get</a>'),
  '/download-frame': () => html('DownloadFrame', '<iframe name="inside" src="/download"></iframe>'),
  '/file.txt': () => ({ type: 'text/plain', body: 'contents of the file\n', headers: { 'content-disposition': 'attachment; filename="file.txt"' } }),
  '/upload': () => html('Upload', `<input id="file" type="file" multiple><p id="out"></p><script>
    file.onchange = async () => {
      const read = await Promise.all([...file.files].map(async f => f.name + '=' + await f.text()));
      out.textContent = read.sort().join(';');
    };</script>`),
  '/cookies': request => json((request.headers.cookie ?? '').split('; ').filter(Boolean).sort()),
  '/set-cookie': (request, site, url) => ({ ...html('Cookie', 'set'),
    headers: { 'set-cookie': [...url.searchParams].map(([name, value]) => `${name}=${value}; Path=/; HttpOnly`) } }),
  '/headers': request => json({ agent: request.headers['user-agent'], extra: request.headers['x-extra'] ?? null,
    language: request.headers['accept-language'] ?? null }),
  '/echo': (request, site, url, body) => json({ method: request.method, body }),
  '/data.json': () => json({ answer: 42 }),
  '/storage': () => html('Storage', ''),
  '/dialogs': () => html('Dialogs', `<p id="out"></p>
    <button id="alert" onclick="alert('careful'); out.textContent = 'alerted'">alert</button>
    <button id="confirm" onclick="out.textContent = confirm('sure?')">confirm</button>
    <button id="prompt" onclick="out.textContent = prompt('name?', 'nobody')">prompt</button>`),
  '/leaving': () => html('Leaving', `<button id="touch">touch</button>
    <script>addEventListener('beforeunload', event => { event.preventDefault(); event.returnValue = 'x'; });</script>`),
  '/noise': () => html('Noise', `<script>
    console.log('a log', 1, { two: 2 }); console.warn('a warning'); console.error('an error');
    setTimeout(() => { throw new Error('thrown on purpose'); });
    const read = path => fetch(path).then(response => response.text());
    read('/data.json').then(() => read('/missing')).then(() => { document.title = 'Quiet'; });</script>`),
  '/slow': () => html('Slow', '<p id="text">here at once</p><img src="/never">'),
  '/socket': () => html('Socket', `<p id="said"></p><script>
    const socket = new WebSocket('ws://' + location.host + '/echo-socket');
    socket.onopen = () => socket.send('over the wire');
    socket.onmessage = event => { said.textContent = event.data; };</script>`),
  '/secret': request => request.headers.authorization === `Basic ${btoa('user:pass')}`
    ? html('Secret', 'let in')
    : { ...html('Refused', 'refused'), status: 401, headers: { 'www-authenticate': 'Basic realm="secret"' } },
  '/favicon.ico': () => ({ status: 204 }),
};

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

async function answer(site, request, response) {
  const url = new URL(request.url, 'http://site');
  if (url.pathname === '/never') return;
  const page = pages[url.pathname] ?? pages['/missing'];
  const { status = 200, type, body = '', headers = {} } = page(request, site, url, await bodyOf(request));
  response.writeHead(status, { 'cache-control': 'no-store', ...(type && { 'content-type': type }), ...headers });
  response.end(body);
}

async function listen(site) {
  const server = createServer((request, response) => answer(site, request, response).catch(() => response.destroy()));
  new WebSocketServer({ server, path: '/echo-socket' }).on('connection', socket =>
    socket.on('message', data => socket.send(`echo: ${data}`)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Starts the site; `close()` ends it with all open connections. */
export async function openSite() {
  const site = {};
  const servers = [await listen(site), await listen(site)];
  site.home = `http://127.0.0.1:${servers[0].address().port}`;
  site.other = `http://localhost:${servers[1].address().port}`;
  site.close = () => servers.forEach(server => { server.closeAllConnections(); server.close(); });
  return site;
}
