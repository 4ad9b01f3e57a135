// The same without a client library:  npm install ws && node cdp.mjs [URL of ghostmux]

import { WebSocket } from 'ws';

const server = (process.argv[2] ?? 'http://127.0.0.1:9222').replace(/^http/, 'ws');

/** A connection: `send` is a command, `closed` is the code and reason that it ends with. */
async function connect(url) {
  const socket = new WebSocket(url);
  const pending = new Map();
  const closed = new Promise(resolve => socket.once('close', (code, reason) => resolve(`${code} ${reason}`)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('message', text => {
    const { id, method, params, result, error } = JSON.parse(text);
    if (method?.startsWith('ghost.')) console.log('event', method, Object.keys(params));
    if (id === undefined) return;
    const { resolve, reject } = pending.get(id);
    pending.delete(id);
    if (error) reject(new Error(`${error.message} (${error.code})`));
    else resolve(result);
  });
  let last = 0;
  const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
    pending.set(++last, { resolve, reject });
    socket.send(JSON.stringify({ id: last, method, params, sessionId }));
  });
  return { send, closed };
}

const first = await connect(`${server}/?keep_alive=1m`);
await first.send('ghost.enable', { expiringNotice: 10_000 });
const { session } = await first.send('ghost.getSession');
await first.send('ghost.updateSession', { name: 'example' });

const { targetId } = await first.send('Target.createTarget', { url: 'about:blank' });
const page = await first.send('Target.attachToTarget', { targetId, flatten: true });
await first.send('Runtime.evaluate', { expression: 'globalThis.visits = 1' }, page.sessionId);
await first.send('ghost.park');
console.log('closed with', await first.closed); // The reason is the URL for reconnecting.

const second = await connect(session.webSocketDebuggerUrl);
const { sessionId } = await second.send('Target.attachToTarget', { targetId, flatten: true });
const { result } = await second.send('Runtime.evaluate', { expression: '++globalThis.visits' }, sessionId);
console.log('visits:', result.value);

// An invalid request gets a CDP error and changes nothing.
await second.send('ghost.updateSession', { keepAlive: -1 }).catch(error => console.log(error.message));
await second.send('ghost.closeSession');
console.log('closed with', await second.closed);
