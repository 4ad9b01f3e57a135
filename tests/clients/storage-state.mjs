#!/usr/bin/env node
// Playwright's `storageState` with a plain Chrome. `GHOSTMUX_BROWSER` is the Chrome.
//
// `storage-state.mjs save URL…` fills the storage of each URL's origin; `storage-state.mjs load
// URL…` starts with the state on standard input instead. Both print `{state, seen}`: the context's
// `storageState`, and what each site's own script finds.

import { json } from 'node:stream/consumers';
import { chromium } from 'playwright-core';
import { findBrowser } from './endpoint.mjs';

// In the page: writes every kind of value that Playwright's format supports.
async function fill() {
  localStorage.token = `t-${origin}`;
  localStorage.json = JSON.stringify({ a: 'é😀', lines: 'a\nb\u2028c' });
  localStorage[''] = '';
  const shared = { n: 1 };
  const cycle = { shared, list: [shared], when: new Date(1) };
  cycle.self = cycle;
  const error = new TypeError('bad');
  error.stack = 'TypeError: bad\n    at nowhere';
  const rows = [
    [{ plain: [1, 'two', null, true, {}, []] }, 'plain'], [cycle, 'cycle'], [undefined, 'undefined'], [null, 'null'], ['text', new Uint8Array([1, 2]).buffer],
    [{ m: new Map([['k', { v: 1 }], [{ o: 1 }, new Set([1, 'x'])]]), big: 2n ** 70n, odd: [NaN, Infinity, -Infinity, -0], r: /a+/gi, u: undefined }, new Date(0)],
    [{ u8: new Uint8Array([0, 255]), f64: new Float64Array([1.5, NaN]), b64: new BigInt64Array([-1n]), c: new Uint8ClampedArray([1]), buffer: new ArrayBuffer(3) },
      [1, ['x', new Date(5)], new Uint8Array([9]).buffer]],
    [error, -Infinity],
  ];
  const open = (name, version, make) => new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onerror = () => reject(request.error);
    request.onupgradeneeded = () => make(request.result);
    request.onsuccess = () => { request.result.close(); resolve(); };
  });
  await open('empty', 1, () => {});
  await open('firebaseLocalStorageDb', 2, db => {
    db.createObjectStore('firebaseLocalStorage', { keyPath: 'fbase_key' }).put({ fbase_key: 'user', value: { uid: 'u1', stsTokenManager: { accessToken: 'x.y.z' } } });
    db.createObjectStore('auto', { autoIncrement: true }).put('first');
    const out = db.createObjectStore('out');
    rows.forEach(([value, key]) => out.put(value, key));
    const path = db.createObjectStore('path', { keyPath: ['a', 'b'] });
    path.createIndex('by name', 'name', { unique: true });
    path.createIndex('tags', 'tags', { multiEntry: true });
    path.createIndex('both', ['a', 'name']);
    path.put({ a: 1, b: 'x', name: 'n', tags: ['t'] });
  });
}

// In the page: returns all that it finds, as text.
async function look() {
  const show = (value, seen = new Map()) => {
    if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : `${typeof value} ${String(value)}`;
    if (seen.has(value)) return `#${seen.get(value)}`;
    seen.set(value, seen.size);
    const all = items => [...items].map(item => show(item, seen)).join();
    const kind = value.constructor.name;
    if (value instanceof Date) return `Date ${value.getTime()}`;
    if (value instanceof RegExp) return String(value);
    if (value instanceof Error) return [value.name, value.message, value.stack].join();
    if (value instanceof ArrayBuffer) return `ArrayBuffer ${new Uint8Array(value)}`;
    if (ArrayBuffer.isView(value)) return `${kind} ${all(value)} of ${value.buffer.byteLength}`;
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) return `${kind} [${all(value)}]`;
    return `${kind} {${Object.entries(value).map(([name, item]) => `${name}: ${show(item, seen)}`).join()}}`;
  };
  const done = request => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const found = [document.cookie.split('; ').sort().join('; '), ...Object.entries(localStorage).map(String).sort()];
  for (const { name, version } of (await indexedDB.databases()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const db = await done(indexedDB.open(name));
    found.push(`${name} ${version}`);
    for (const name of db.objectStoreNames) {
      const store = db.transaction(name).objectStore(name);
      const indexes = [...store.indexNames].map(name => store.index(name)).map(index => show([index.name, index.keyPath, index.unique, index.multiEntry]));
      found.push(`${name} ${show([store.keyPath, store.autoIncrement])} ${indexes}`);
      const [keys, values] = [await done(store.getAllKeys()), await done(store.getAll())];
      keys.forEach((key, at) => found.push(`${show(key)} => ${show(values[at])}`));
    }
    db.close();
  }
  return found;
}

const [what, ...urls] = process.argv.slice(2);
const storageState = what === 'load' ? await json(process.stdin) : undefined;
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath: findBrowser(), args, timeout: 60_000 });
try {
  const context = await browser.newContext({ storageState });
  const seen = [];
  for (const url of urls) {
    const page = await context.newPage();
    await page.goto(url);
    if (what === 'save') await page.evaluate(fill);
    seen.push(await page.evaluate(look));
    await page.close();
  }
  console.log(JSON.stringify({ state: await context.storageState({ indexedDB: true }), seen }));
} finally {
  await browser.close();
}
