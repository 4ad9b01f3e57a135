// Reads and writes the storage of the origin it is served for, in a hidden page whose requests are all answered locally.
// A frame inside such a page is reached through its parent, so that partitioned storage can be reached too.
//
// Values of IndexedDB are written as docs/snapshot-content.md says ("Values").
const ghost = (() => {
  'use strict';
  const BATCH = 1 << 20;
  const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const GEOMETRY = { DOMPoint, DOMPointReadOnly, DOMRect, DOMRectReadOnly, DOMMatrix, DOMMatrixReadOnly, DOMQuad };
  const nameOf = value => Object.getPrototypeOf(value)?.constructor?.name ?? 'object';
  const bytes = buffer => new Uint8Array(buffer).toBase64();
  const unbytes = text => Uint8Array.fromBase64(text).buffer;

  // ---- values to JSON; what takes time is put into `jobs`

  class Writer {
    seen = new Map();
    jobs = [];
    size = 0;

    value(v) {
      switch (typeof v) {
        case 'string': this.size += v.length + 3; return v;
        case 'boolean': this.size += 6; return v;
        case 'undefined': this.size += 6; return ['u'];
        case 'bigint': { const text = String(v); this.size += text.length + 8; return ['i', text]; }
        case 'number':
          this.size += 12;
          return Number.isFinite(v) && !Object.is(v, -0) ? v : ['n', Object.is(v, -0) ? '-0' : String(v)];
        case 'object': return v === null ? null : this.object(v);
        default: throw new Error(`a ${typeof v}`);
      }
    }

    pairs(entries) {
      const all = [];
      for (const [k, v] of entries) all.push(this.value(k), this.value(v));
      return all;
    }

    later(promise, node, at) {
      this.jobs.push(promise.then(value => { node[at] = value; }));
    }

    object(v) {
      this.size += 16;
      const number = this.seen.get(v);
      if (number !== undefined) return ['r', number];
      this.seen.set(v, this.seen.size);
      if (Array.isArray(v)) {
        const keys = Object.keys(v);
        const dense = keys.length === v.length && keys.every((key, at) => key === String(at));
        return dense ? ['a', v.map(item => this.value(item))] : ['s', v.length, this.pairs(keys.map(key => [key, v[key]]))];
      }
      const proto = Object.getPrototypeOf(v);
      if (proto === Object.prototype || proto === null) return ['o', this.pairs(Object.entries(v))];
      if (v instanceof Date) return ['d', Number.isNaN(v.getTime()) ? null : v.getTime()];
      if (v instanceof Map) return ['m', this.pairs(v)];
      if (v instanceof Set) return ['S', [...v].map(item => this.value(item))];
      if (v instanceof RegExp) return ['x', v.source, v.flags];
      if (v instanceof Boolean || v instanceof Number || v instanceof String || v instanceof BigInt) {
        return ['O', this.value(v.valueOf())];
      }
      if (v instanceof ArrayBuffer) {
        this.size += v.byteLength * 4 / 3;
        return v.resizable ? ['b', bytes(v), v.maxByteLength] : ['b', bytes(v)];
      }
      if (ArrayBuffer.isView(v)) {
        const whole = v.buffer.resizable && this.tracksLength(v);
        const length = v instanceof DataView ? v.byteLength : v.length;
        return ['v', nameOf(v), this.value(v.buffer), v.byteOffset, whole ? null : length];
      }
      if (v instanceof Blob) {
        this.size += v.size * 4 / 3;
        const node = v instanceof File ? ['F', v.name, v.type, v.lastModified, null] : ['B', v.type, null];
        this.later(v.arrayBuffer().then(bytes), node, node.length - 1);
        return node;
      }
      if (v instanceof DOMException) return ['E', v.name, v.message];
      if (v instanceof Error) {
        const own = name => Object.hasOwn(v, name) ? v[name] : null;
        const node = ['e', ERRORS[nameOf(v)] ? nameOf(v) : 'Error', own('message'), typeof v.stack === 'string' ? v.stack : null];
        if (Object.hasOwn(v, 'cause')) node.push(this.value(v.cause));
        return node;
      }
      if (v instanceof ImageData && v.data instanceof Uint8ClampedArray) {
        this.size += v.data.length * 4 / 3;
        return ['I', v.width, v.height, v.colorSpace, new Uint8Array(v.data.buffer, v.data.byteOffset, v.data.length).toBase64()];
      }
      if (GEOMETRY[nameOf(v)]) return ['G', nameOf(v), this.pairs(Object.entries(v.toJSON()))];
      if (globalThis.CryptoKey && v instanceof CryptoKey) {
        if (!v.extractable) throw new Error('a CryptoKey that may not be exported');
        const node = ['K', null, this.value(plain(v.algorithm)), v.usages];
        this.later(crypto.subtle.exportKey('jwk', v), node, 1);
        return node;
      }
      throw new Error(`a ${nameOf(v)}`);
    }

    // Whether a view of a resizable buffer grows with it: only then its length changes when the buffer's does.
    tracksLength(v) {
      const { buffer } = v;
      const before = buffer.byteLength;
      if (before === buffer.maxByteLength) return false;
      const length = v.byteLength;
      try {
        buffer.resize(before + Math.min(v.BYTES_PER_ELEMENT ?? 1, buffer.maxByteLength - before));
        return v.byteLength !== length;
      } finally {
        buffer.resize(before);
      }
    }
  }

  // Algorithms of keys are plain but for their typed arrays.
  const plain = object => ({ ...object });

  // ---- JSON to values

  class Reader {
    objects = [];

    // Awaited only where there is something to wait for: most of what comes are plain values.
    async value(node) {
      if (!Array.isArray(node)) return node;
      const [tag, a, b, c, d] = node;
      switch (tag) {
        case 'u': return undefined;
        case 'n': return Number(a);
        case 'i': return BigInt(a);
        case 'r': return this.objects[a];
      }
      const number = this.objects.length;
      this.objects.push(undefined);
      const is = object => this.objects[number] = object;
      switch (tag) {
        case 'a': { const to = is([]); for (const item of a) to.push(Array.isArray(item) ? await this.value(item) : item); return to; }
        case 's': { const to = is([]); to.length = a; await this.fill(to, b); return to; }
        case 'o': { const to = is({}); await this.fill(to, a); return to; }
        case 'm': {
          const to = is(new Map());
          for (let at = 0; at < a.length; at += 2) to.set(await this.value(a[at]), await this.value(a[at + 1]));
          return to;
        }
        case 'S': { const to = is(new Set()); for (const item of a) to.add(await this.value(item)); return to; }
        case 'd': return is(new Date(a ?? NaN));
        case 'x': return is(new RegExp(a, b));
        case 'O': return is(Object(await this.value(a)));
        case 'b': {
          const buffer = unbytes(a);
          if (b === undefined) return is(buffer);
          const to = new ArrayBuffer(buffer.byteLength, { maxByteLength: b });
          new Uint8Array(to).set(new Uint8Array(buffer));
          return is(to);
        }
        case 'v': {
          const View = globalThis[a];
          if (!ArrayBuffer.isView(View?.prototype) && a !== 'DataView' && !Object.getPrototypeOf(Uint8Array).isPrototypeOf(View)) {
            throw new Error(`no such view: ${a}`);
          }
          const buffer = await this.value(b);
          return is(d === null ? new View(buffer, c) : new View(buffer, c, d));
        }
        case 'B': return is(new Blob([unbytes(b)], { type: a }));
        case 'F': return is(new File([unbytes(d)], a, { type: b, lastModified: c }));
        case 'e': {
          const to = is(new (ERRORS[a] ?? Error)());
          const put = (name, value) => Object.defineProperty(to, name, { value, writable: true, configurable: true });
          if (b !== null) put('message', b);
          if (c !== null) put('stack', c);
          if (node.length > 4) put('cause', await this.value(d));
          return to;
        }
        case 'E': return is(new DOMException(b, a));
        case 'I': return is(new ImageData(new Uint8ClampedArray(unbytes(d)), a, b, { colorSpace: c }));
        case 'G': {
          const Class = GEOMETRY[a], json = {};
          await this.fill(json, b);
          return is(Class.fromQuad?.(json) ?? Class.fromRect?.(json) ?? Class.fromPoint?.(json) ?? Class.fromMatrix(json));
        }
        case 'K': return is(await crypto.subtle.importKey('jwk', a, await this.value(b), true, c));
        default: throw new Error(`no such kind of value: ${JSON.stringify(tag)}`);
      }
    }

    async fill(to, pairs) {
      for (let at = 0; at < pairs.length; at += 2) {
        const node = pairs[at + 1], value = Array.isArray(node) ? await this.value(node) : node;
        Object.defineProperty(to, pairs[at], { value, writable: true, enumerable: true, configurable: true });
      }
    }
  }

  // ---- IndexedDB

  const done = request => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('a page keeps it open'));
  });
  const over = transaction => new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
  });
  let db = null, version = 0, cursor = null;

  const take = opened => {
    db = opened;
    // A page that wants to change it must not wait for us.
    db.onversionchange = () => db.close();
  };

  // What is written aside with every batch of rows: [store, key as text, why].
  const describe = key => { try { return JSON.stringify(new Writer().value(key)).slice(0, 100); } catch { return '?'; } };

  const ops = {
    async databases() {
      return (await indexedDB.databases()).map(({ name, version }) => ({ name, version }));
    },

    async open({ name }) {
      ops.close();
      const request = indexedDB.open(name);
      // It has gone meanwhile: it is not made anew.
      request.onupgradeneeded = () => request.transaction.abort();
      take(await done(request));
      ({ version } = db);
      cursor = { store: 0, after: null };
      const names = [...db.objectStoreNames];
      if (!names.length) return { version, stores: [] };
      const transaction = db.transaction(names, 'readonly');
      const stores = names.map(name => {
        const store = transaction.objectStore(name);
        const indexes = [...store.indexNames].map(name => store.index(name)).map(index =>
          ({ name: index.name, keyPath: index.keyPath, unique: index.unique, multiEntry: index.multiEntry }));
        return { name, keyPath: store.keyPath, autoIncrement: store.autoIncrement, indexes };
      });
      return { version, stores };
    },

    // The next rows, about BATCH of them in bytes, all of one transaction.
    async rows() {
      const names = [...db.objectStoreNames];
      const lost = [], batches = [], slow = [];
      let size = 0;
      if (cursor.store < names.length) {
        const transaction = db.transaction(names, 'readonly');
        const ended = over(transaction);
        while (cursor.store < names.length && size < BATCH) {
          const number = cursor.store, store = transaction.objectStore(names[number]), rows = [];
          batches.push({ store: number, rows });
          const range = cursor.after === null ? null : IDBKeyRange.lowerBound(cursor.after, true);
          const request = store.openCursor(range);
          await new Promise((resolve, reject) => {
            request.onerror = () => reject(request.error);
            request.onsuccess = () => {
              const at = request.result;
              if (!at) {
                cursor = { store: number + 1, after: null };
                return resolve();
              }
              cursor.after = at.key;
              const writer = new Writer();
              try {
                const row = [writer.value(at.key), writer.value(at.value)];
                size += writer.size;
                rows.push(row);
                if (writer.jobs.length) slow.push({ number, rows, row, key: at.key, jobs: writer.jobs });
              } catch (error) {
                lost.push([number, describe(at.key), String(error.message ?? error)]);
              }
              if (size < BATCH) at.continue(); else resolve();
            };
          });
        }
        await ended;
      }
      for (const { number, rows, row, key, jobs } of slow) {
        try {
          await Promise.all(jobs);
        } catch (error) {
          rows.splice(rows.indexOf(row), 1);
          lost.push([number, describe(key), String(error.message ?? error)]);
        }
      }
      const more = cursor.store < names.length;
      return { batches: batches.filter(({ rows }) => rows.length), lost, more };
    },

    close() {
      db?.close();
      db = null;
    },

    // Makes a database as it was; one of the same name goes first.
    async create({ name, version, stores }) {
      ops.close();
      await done(indexedDB.deleteDatabase(name));
      const request = indexedDB.open(name, version);
      request.onupgradeneeded = () => {
        for (const { name, keyPath, autoIncrement, indexes } of stores) {
          const store = request.result.createObjectStore(name, { keyPath, autoIncrement });
          for (const { name, keyPath, unique, multiEntry } of indexes) {
            store.createIndex(name, keyPath, { unique, multiEntry });
          }
        }
      };
      take(await done(request));
      return null;
    },

    // Puts rows into the store of this name; returns what could not be put.
    async put({ store: name, rows }) {
      const lost = [], ready = [];
      for (const [key, value] of rows) {
        try {
          // Key and value are one text: references count through both.
          const reader = new Reader();
          ready.push([await reader.value(key), await reader.value(value)]);
        } catch (error) {
          lost.push([JSON.stringify(key).slice(0, 100), String(error.message ?? error)]);
        }
      }
      const transaction = db.transaction([name], 'readwrite', { durability: 'relaxed' });
      const ended = over(transaction), store = transaction.objectStore(name);
      for (const [key, value] of ready) {
        const fail = error => lost.push([describe(key), String(error.message ?? error)]);
        try {
          const request = store.keyPath === null ? store.put(value, key) : store.put(value);
          request.onerror = event => {
            event.preventDefault();
            event.stopPropagation();
            fail(request.error);
          };
        } catch (error) {
          fail(error);
        }
      }
      await ended;
      return lost;
    },

    // The next key that a store's generator will give.
    async generator({ store: name, next }) {
      const transaction = db.transaction([name], 'readwrite', { durability: 'relaxed' });
      const ended = over(transaction), store = transaction.objectStore(name), last = next - 1;
      if (last >= 1 && await done(store.getKey(last)) === undefined) {
        if (store.keyPath === null) {
          store.put(0, last);
        } else {
          const value = {}, path = store.keyPath.split('.');
          path.slice(0, -1).reduce((at, name) => at[name] = {}, value)[path.at(-1)] = last;
          store.put(value);
        }
        store.delete(last);
      }
      await ended;
      return null;
    },

    // ---- the rest

    // localStorage in batches; `from` counts the keys that were there at the first one.
    local({ from }) {
      // Not `Object.keys`: it lacks those that are names of Storage itself.
      if (from === 0) ops.keys = Array.from(localStorage, (_, at) => localStorage.key(at));
      const items = [];
      let size = 0, at = from;
      for (; at < ops.keys.length && size < BATCH; ++at) {
        const value = localStorage.getItem(ops.keys[at]);
        if (value !== null) {
          items.push([ops.keys[at], value]);
          size += ops.keys[at].length + value.length;
        }
      }
      return { items, next: at < ops.keys.length ? at : null };
    },

    store({ items, session }) {
      const to = session ? sessionStorage : localStorage, lost = [];
      for (const [key, value] of items) {
        try {
          to.setItem(key, value);
        } catch (error) {
          lost.push([JSON.stringify(key).slice(0, 100), String(error.message ?? error)]);
        }
      }
      return lost;
    },

    // What no snapshot holds.
    async others() {
      const attempt = async of => { try { return await of(); } catch { return []; } };
      return {
        workers: await attempt(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope)),
        caches: await attempt(() => caches.keys()),
        files: await attempt(async () => {
          const names = [];
          for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
          return names;
        }),
      };
    },
  };

  // ---- frames inside frames

  let inner = null, waiting = new Map(), last = 0, parts = '';
  const ask = (op, args) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    inner.postMessage([last, op, args]);
  });

  const api = {
    origin: () => globalThis.origin,

    // Puts frames at these URLs inside each other; what is asked from then on is asked in the innermost.
    async enter(urls) {
      const frame = document.createElement('iframe');
      inner = await new Promise(resolve => {
        addEventListener('message', event => {
          if (event.source === frame.contentWindow && event.data === 'ghost') resolve(event.ports[0]);
        });
        frame.src = urls[0];
        document.body.append(frame);
      });
      inner.onmessage = ({ data: [number, result, error] }) => {
        const { resolve, reject } = waiting.get(number);
        waiting.delete(number);
        if (error === undefined) resolve(result); else reject(new Error(error));
      };
      return urls.length > 1 ? ask('enter', urls.slice(1)) : ask('origin');
    },

    // A long argument comes in parts.
    push: part => { parts += part; },

    // Does one thing, here or in the innermost frame; argument and result are JSON texts.
    async run(op, text) {
      const args = parts + (text ?? '');
      parts = '';
      if (inner) return ask('run', [op, args]);
      return JSON.stringify(await ops[op](args ? JSON.parse(args) : undefined) ?? null);
    },
  };

  if (parent !== window) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = async ({ data: [number, op, args] }) => {
      try {
        const result = op === 'run' ? await api.run(...args) : await api[op](args);
        port1.postMessage([number, result]);
      } catch (error) {
        port1.postMessage([number, null, String(error.message ?? error)]);
      }
    };
    parent.postMessage('ghost', '*', [port2]);
  }
  return api;
})();
