// Proxies that want a user and a password, for tests of clients: an HTTP one with CONNECT and plain requests, and a SOCKS5 one. Each
// finds every name at one site, and notes which user asked for which host.

import { createServer as createHttp, request } from 'node:http';
import { connect, createServer as createTcp } from 'node:net';

const listening = (server, made) => {
  const open = new Set();
  server.on('connection', socket => { open.add(socket); socket.on('close', () => open.delete(socket)); });
  const close = () => new Promise(resolve => { server.close(resolve); open.forEach(socket => socket.destroy()); });
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve({ ...made, port: server.address().port, close })));
};

/** An HTTP proxy in front of the site at `port`, for the users of `passwords`: `{port, asked, close()}`. */
export function openHttpProxy(port, passwords) {
  const asked = [];
  const userOf = header => {
    const [user, ...parts] = Buffer.from((header ?? '').replace(/^Basic /, ''), 'base64').toString().split(':');
    return user && passwords[user] === parts.join(':') ? user : undefined;
  };
  const challenge = { 'Proxy-Authenticate': 'Basic realm="test"', 'Content-Length': 0 };
  const server = createHttp((incoming, answer) => {
    const { headers, method, url } = incoming;
    const user = userOf(headers['proxy-authorization']);
    if (!user) return answer.writeHead(407, challenge).end();
    const { hostname, pathname, search } = new URL(url);
    asked.push(`${user} ${hostname}`);
    const { 'proxy-authorization': _, ...rest } = headers;
    incoming.pipe(request({ host: '127.0.0.1', port, method, path: pathname + search, headers: rest }, from => {
      answer.writeHead(from.statusCode, from.headers);
      from.pipe(answer);
    }).on('error', () => answer.destroy()));
  });
  server.on('connect', ({ headers, url }, socket) => {
    socket.on('error', () => {});
    const user = userOf(headers['proxy-authorization']);
    if (!user) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\nContent-Length: 0\r\n\r\n');
    asked.push(`${user} ${url.split(':')[0]}`);
    const remote = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      remote.pipe(socket).pipe(remote);
    }).on('error', () => socket.destroy());
  });
  return listening(server, { asked });
}

/** A SOCKS5 proxy in front of the site at `port`, for the users of `passwords`: `{port, asked, close()}`. */
export function openSocksProxy(port, passwords) {
  const asked = [];
  const server = createTcp(async socket => {
    socket.on('error', () => {});
    const read = async count => {
      for (;;) {
        const bytes = socket.read(count);
        if (bytes) return bytes;
        if (socket.readableEnded || socket.destroyed) throw new Error('ended');
        await new Promise(resolve => { socket.once('readable', resolve); socket.once('close', resolve); });
      }
    };
    const counted = async () => (await read((await read(1))[0])).toString();
    try {
      await read((await read(2))[1]);
      socket.write(Uint8Array.of(5, 2));
      await read(1);
      const [user, password] = [await counted(), await counted()];
      if (passwords[user] !== password) return socket.end(Uint8Array.of(1, 1));
      socket.write(Uint8Array.of(1, 0));
      const kind = (await read(4))[3];
      const host = kind === 3 ? await counted() : [...await read(4)].join('.');
      await read(2);
      asked.push(`${user} ${host}`);
      const remote = connect(port, '127.0.0.1', () => {
        socket.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
        remote.pipe(socket).pipe(remote);
      }).on('error', () => socket.destroy());
    } catch { socket.destroy(); }
  });
  return listening(server, { asked });
}
