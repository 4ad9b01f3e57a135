// Evaluated in the runner page with Puppeteer's bundle. Returns what the server calls; no name of it is global.
Puppeteer => {
  /** The frames of Puppeteer that the server has not taken, and who waits for one. */
  let frames = [];
  let wake = () => {};
  const transport = {
    send: frame => {
      frames.push(frame);
      wake();
    },
    close: () => {},
  };
  // Nobody answers dialogs of this page.
  globalThis.alert = globalThis.print = () => {};
  globalThis.confirm = () => false;
  globalThis.prompt = () => null;

  /** The function of a module, or of what older versions of browserless ran. */
  const load = async code => {
    const isModule = /(^|[\n;}])\s*export\s/.test(code);
    const source = isModule ? code
      : `const module = { exports: {} }, exports = module.exports; ${code}\n;export default module.exports;`;
    const url = URL.createObjectURL(new Blob([source, '\n//# sourceURL=function.js'], { type: 'text/javascript' }));
    try {
      const { default: run } = await import(url);
      if (typeof run !== 'function')
        throw new TypeError('the code exports no function: write export default async ({ page, context }) => { … }');
      return run;
    } finally {
      URL.revokeObjectURL(url);
    }
  };

  const bytesOf = value => {
    if (value instanceof ArrayBuffer)
      return new Uint8Array(value);
    return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null;
  };
  const isType = type => typeof type === 'string' && /^[a-z]+\/[\w.+-]+(\s*;[ -~]*)?$/i.test(type);
  const pretty = value => JSON.stringify(value, null, '  ');

  /** What is answered: a type, and a text or bytes. The rules are those of browserless, which ends texts with a line end. */
  const described = value => {
    const bytes = bytesOf(value);
    if (bytes)
      return { bytes };
    if (typeof value === 'string')
      return { type: value.startsWith('<') ? 'text/html' : 'text/plain', text: `${value}\n` };
    if (typeof value !== 'object')
      return { type: 'text/plain', text: `${String(value)}\n` };
    if (value && 'data' in value && isType(value.type) && !/json/i.test(value.type)) {
      const { type, data } = value;
      const bytes = bytesOf(data);
      if (bytes)
        return { type, bytes };
      return typeof data === 'string' ? { type, data } : { type, text: pretty(data) ?? '' };
    }
    return { type: 'application/json', text: `${pretty(value)}\n` };
  };

  /** Bytes as a JSON string can have them. */
  const inBase64 = bytes => {
    let letters = '';
    for (let at = 0; at < bytes.length; at += 0x6000)
      letters += btoa(String.fromCharCode(...bytes.subarray(at, at + 0x6000)));
    return letters;
  };

  return {
    /** The next frames for the session, at least one. */
    pull: async () => {
      if (!frames.length)
        await new Promise(resolve => { wake = resolve; });
      const taken = frames;
      frames = [];
      return taken;
    },
    /** Frames of the session. */
    push: frames => {
      for (const frame of frames)
        transport.onmessage?.(frame);
    },
    /** Runs the code, and describes its result or its error. */
    run: async ({ code, context, page: target, timeout, most }) => {
      try {
        const run = await load(code);
        const browser = await Puppeteer.default.connect({ transport, protocolTimeout: timeout });
        const page = (await browser.pages()).find(page => page.target()._targetId === target);
        const { type, bytes, ...texts } = described(await run({ page, context }));
        const [[name, text] = []] = Object.entries(texts);
        const size = (bytes ?? text).length;
        if (size > most)
          return { size };
        return bytes ? { type, base64: inBase64(bytes) } : { type, [name]: text.toWellFormed() };
      } catch (error) {
        const isError = error instanceof Error;
        const message = isError ? `${error.name}: ${error.message}` : String(error);
        const stack = isError ? String(error.stack) : '';
        return { error: { message: message.slice(0, 10_000).toWellFormed(), stack: stack.slice(0, 10_000).toWellFormed() } };
      }
    },
  };
}
