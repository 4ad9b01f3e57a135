// A TCP relay that passes all bytes unchanged and records the last CDP frames, so that a failed act
// can show them.

import { createServer, connect } from 'node:net';
import { once } from 'node:events';

const FRAMES = 16;
const SHOWN = 200;

// Splits one direction of a connection into WebSocket frames after the HTTP head. Keeps only their
// first bytes.
class FrameReader {
  #note;
  #head = '';
  #pending = Buffer.alloc(0);
  #skip = 0;
  #state = 'http';

  constructor(note) {
    this.#note = note;
  }

  read(chunk) {
    if (this.#state === 'plain') return;
    if (this.#state === 'http') {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#note(this.#head.slice(0, this.#head.indexOf('\r\n')));
      if (!/^upgrade: *websocket/im.test(this.#head.slice(0, end + 2))) { this.#state = 'plain'; return; }
      this.#state = 'frames';
      chunk = Buffer.from(this.#head.slice(end + 4), 'latin1');
    }
    if (this.#skip >= chunk.length) { this.#skip -= chunk.length; return; }
    this.#pending = Buffer.concat([this.#pending, chunk.subarray(this.#skip)]);
    this.#skip = 0;
    while (this.#cut());
  }

  #cut() {
    const data = this.#pending;
    if (data.length < 2) return false;
    const masked = data[1] >> 7;
    let length = data[1] & 127;
    let at = 2;
    if (length === 126) { if (data.length < 4) return false; length = data.readUInt16BE(2); at = 4; }
    else if (length === 127) { if (data.length < 10) return false; length = Number(data.readBigUInt64BE(2)); at = 10; }
    if (data.length < at + masked * 4 + Math.min(length, SHOWN)) return false;
    const mask = masked ? data.subarray(at, at += 4) : null;
    const shown = Buffer.from(data.subarray(at, at + Math.min(length, SHOWN)));
    if (mask) for (let i = 0; i < shown.length; i++) shown[i] ^= mask[i & 3];
    const opcode = data[0] & 15;
    const compressed = data[0] & 64;
    this.#note(compressed ? `(compressed, ${length} bytes)` : opcode === 8 ? `close ${length > 1 ? shown.readUInt16BE(0) : ''} ${shown.subarray(2)}` :
      shown.toString() + (length > SHOWN ? `… (${length} bytes)` : ''));
    this.#skip = Math.max(0, at + length - data.length);
    this.#pending = data.subarray(Math.min(data.length, at + length));
    return true;
  }
}

/** Opens a relay to `host:port`: `{port, frames(), close()}`. It cannot read what is encrypted. */
export async function openTap(host, port, isEncrypted = false) {
  const frames = [];
  const sockets = new Set();
  const note = mark => text => { frames.push(`${mark} ${text}`); if (frames.length > FRAMES) frames.shift(); };
  const server = createServer({ noDelay: true }, client => {
    const upstream = connect({ host, port, noDelay: true });
    for (const [from, to, mark] of [[client, upstream, '>'], [upstream, client, '<']]) {
      const reader = new FrameReader(note(mark));
      sockets.add(from);
      if (!isEncrypted) from.on('data', chunk => reader.read(chunk));
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => { sockets.delete(from); to.end(); });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    frames: () => [...frames],
    close() { server.close(); sockets.forEach(socket => socket.destroy()); },
  };
}
