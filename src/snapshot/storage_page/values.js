// Values that JavaScript can clone as JSON, and back: as docs/snapshot-content.md says ("Values").
const { Writer, Reader } = (() => {
  'use strict';
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

  return { Writer, Reader };
})();
