// Reads and writes the storage of the origin it is served for, in a hidden page whose requests are all answered locally.
// A frame inside such a page is reached through its parent, so that partitioned storage can be reached too.
// `Writer` and `Reader` are of values.js.
const ghost = (() => {
  'use strict';
  const BATCH = 1 << 20;

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

  // What no snapshot holds; Chrome takes its time, so it is asked for with the first thing that is read.
  const gather = async () => {
    const attempt = async of => { try { return await of(); } catch { return []; } };
    const [workers, names, files] = await Promise.all([
      attempt(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope)),
      attempt(() => caches.keys()),
      attempt(async () => {
        const names = [];
        for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
        return names;
      }),
    ]);
    return { workers, caches: names, files };
  };
  let gathered = null;

  const ops = {
    async databases() {
      gathered ??= gather();
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

    // The next rows, about BATCH of them in bytes, all of one transaction. With the last ones the database is closed.
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
      if (!more) ops.close();
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
      gathered ??= gather();
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

    async others() {
      const found = await (gathered ?? gather());
      gathered = null;
      return found;
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
