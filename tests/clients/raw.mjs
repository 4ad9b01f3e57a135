// The protocol itself, over a bare WebSocket: behaviour that clients rely on implicitly. Each act
// has its own connection.

import { WebSocket } from 'ws';
import { performIfMain, until, within, WAIT_MS } from './suite.mjs';

const PAGE_FLAVOUR = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true };
const TAB_FLAVOUR = { ...PAGE_FLAVOUR, filter: [{ type: 'page', exclude: true }, {}] };
const ANY = { filter: [{}] };

/** One connection: sends frames and records the received ones in order. */
class Wire {
  #socket;
  #lastId = 0;
  #waiting = new Set();
  frames = [];
  closed = null;

  static async open(url) {
    const wire = new Wire();
    wire.#socket = new WebSocket(url, { perMessageDeflate: false });
    wire.#socket.on('message', data => wire.#take(JSON.parse(data)));
    wire.#socket.on('close', (code, reason) => { wire.closed = { code, reason: `${reason}` }; wire.#take({ method: 'closed' }); });
    await within(WAIT_MS, 'open', new Promise((resolve, reject) => wire.#socket.on('open', resolve).on('error', reject)));
    return wire;
  }

  #take(frame) {
    this.frames.push(frame);
    for (const waiting of this.#waiting) if (waiting.accept(frame)) waiting.resolve(frame);
  }

  /** The next frame for which `accept` holds. */
  frame(what, accept) {
    const waiting = { accept };
    this.#waiting.add(waiting);
    return within(WAIT_MS, what, new Promise(resolve => { waiting.resolve = resolve; })).finally(() => this.#waiting.delete(waiting));
  }

  event(method, accept = () => true) {
    return this.frame(method, frame => frame.method === method && accept(frame.params, frame));
  }

  /** Sends a frame unchanged, text or not. */
  write(data) {
    this.#socket.send(data);
  }

  /** Sends a command; returns the whole reply, a result or an error. */
  ask(method, params, sessionId) {
    const id = ++this.#lastId;
    const reply = this.frame(`reply to ${method}`, frame => frame.id === id);
    this.write(JSON.stringify({ id, method, params, sessionId }));
    return reply;
  }

  /** Sends a command that must succeed; returns its result. */
  async send(method, params, sessionId) {
    const { result, error } = await this.ask(method, params, sessionId);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async evaluate(sessionId, expression) {
    const { result } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
    return result.value;
  }

  /** A new attached page: `{targetId, sessionId}`. */
  async page(url = 'about:blank', browserContextId = undefined) {
    const { targetId } = await this.send('Target.createTarget', { url, browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    await until('loaded', () => this.evaluate(sessionId, `location.href !== 'about:blank' || ${url === 'about:blank'} ? document.readyState === 'complete' : false`));
    return { targetId, sessionId };
  }

  /** A new page of an auto-attaching client: `{targetId, sessionId}`, running. */
  async handed(url) {
    const attached = this.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.type === 'page');
    const { targetId } = await this.send('Target.createTarget', { url });
    const { params: { sessionId } } = await attached;
    await this.send('Runtime.runIfWaitingForDebugger', {}, sessionId);
    await until('loaded', () => this.evaluate(sessionId, `location.href === ${JSON.stringify(url)} && document.readyState === 'complete'`));
    return { targetId, sessionId };
  }

  /** The frames since `mark` as text, without what depends on titles and timing. */
  told(mark, names = {}) {
    return this.frames.slice(mark).filter(frame => !['Target.targetInfoChanged', 'closed'].includes(frame.method)).map(frame => {
      const level = frame.sessionId ? ` on ${names[frame.sessionId] ?? 'a session'}` : '';
      if (frame.id) return `reply${frame.error ? ` ${frame.error.code}` : ''}${level}`;
      const { targetInfo, waitingForDebugger } = frame.params;
      return `${frame.method}${targetInfo ? ` ${targetInfo.type}` : ''}${waitingForDebugger ? ' waiting' : ''}${level}`;
    });
  }

  /** Closes what the act opened, and the connection. */
  async leave() {
    if (this.closed) return;
    await this.send('Target.setAutoAttach', { autoAttach: false, waitForDebuggerOnStart: false, flatten: true });
    // A page in the middle of a navigation may survive one attempt, and a tab closes a little later
    // than its page.
    await until('one page and its tab are left', async () => {
      const { targetInfos } = await this.send('Target.getTargets', { filter: [{ type: 'page' }, { type: 'tab' }] });
      const left = targetInfos.filter(info => info.url !== 'about:blank');
      for (const { targetId } of left.filter(info => info.type === 'page')) await this.ask('Target.closeTarget', { targetId });
      return left.length === 0;
    });
    this.#socket.close();
    await until('closed', () => this.closed);
  }

  cut() {
    this.#socket.terminate();
  }
}

const act = (name, run) => ({
  name,
  run: async here => {
    const wire = await Wire.open(here.ws);
    try {
      const value = await run(wire, here);
      await wire.leave();
      return value;
    } finally {
      wire.cut();
    }
  },
});

/** An act whose value is right only on the proxy: a plain Chrome has a race, or does not answer. */
const better = (expected, act) => ({ ...act, racyOnPlainChrome: expected });

const NO_TARGET = 'A'.repeat(32);
// Of invalid JSON only the code is compared: the text depends on the parser.
const refusal = ({ error, result, sessionId }) => (error ? { code: error.code, ...(error.code !== -32700 && { message: error.message }), ...(error.data && { data: error.data }), hasSession: sessionId !== undefined } : { result });
// The targets of every connection: without Chrome's own pages, and without the browser targets of
// other connections.
const ours = infos => infos.filter(info => !info.url.startsWith('chrome://') && info.type !== 'browser_ui' && (info.type !== 'browser' || info.attached));
const inWords = ({ type, url, attached, canAccessOpener }) => ({ type, url, attached, canAccessOpener });
const sorted = list => list.map(inWords).sort((a, b) => (`${a.type} ${a.url}` < `${b.type} ${b.url}` ? -1 : 1));
const shape = value => Object.keys(value).sort();
const settled = wire => wire.send('Browser.getVersion');
const seenIn = (wire, sessionId) => until('window.seen', () => wire.evaluate(sessionId, 'window.seen'));
const click = (wire, sessionId, selector) =>
  wire.send('Runtime.evaluate', { expression: `document.querySelector('${selector}').click()`, userGesture: true }, sessionId);

// All kinds of errors at the root, with Chrome's answers.
const wrongs = {
  'attach to no target': ['Target.attachToTarget', { targetId: NO_TARGET, flatten: true }],
  'close no target': ['Target.closeTarget', { targetId: NO_TARGET }],
  'activate no target': ['Target.activateTarget', { targetId: NO_TARGET }],
  'info of no target': ['Target.getTargetInfo', { targetId: NO_TARGET }],
  'detach no session': ['Target.detachFromTarget', { sessionId: NO_TARGET }],
  'message to no session': ['Target.sendMessageToTarget', { sessionId: NO_TARGET, message: '{"id":1,"method":"Runtime.enable"}' }],
  'dispose no context': ['Target.disposeBrowserContext', { browserContextId: NO_TARGET }],
  'target in no context': ['Target.createTarget', { url: 'about:blank', browserContextId: NO_TARGET }],
  'cookies of no context': ['Storage.getCookies', { browserContextId: NO_TARGET }],
  'auto-attach that is not flat': ['Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false }],
  'auto-attach to tabs and pages': ['Target.setAutoAttach', { ...PAGE_FLAVOUR, ...ANY }],
  'no such method': ['Target.noSuchThing', {}],
  'no such domain': ['Nonsense.method', {}],
  'a page\'s method at the root': ['Runtime.evaluate', { expression: '1' }],
  'parameter missing': ['Target.attachToTarget', {}],
  'parameter of a wrong type': ['Target.attachToTarget', { targetId: 5 }],
  'filter without discovery': ['Target.setDiscoverTargets', { discover: false, filter: [{}] }],
};

// Frames that are not commands, with Chrome's answers.
const malformed = {
  'not JSON': '{"id":1,',
  'not an object': '[1]',
  'no id': '{"method":"Browser.getVersion"}',
  'id is text': '{"id":"1","method":"Browser.getVersion"}',
  'id is a fraction': '{"id":1.5,"method":"Browser.getVersion"}',
  'no method': '{"id":7}',
  'method is a number': '{"id":7,"method":5}',
  'params is a number': '{"id":7,"method":"Browser.getVersion","params":5}',
  'a key too many': '{"id":7,"method":"Browser.getVersion","extra":1}',
  'no such session': `{"id":7,"method":"Runtime.enable","sessionId":"${NO_TARGET}"}`,
  'a key twice': '{"id":7,"id":8,"method":"Browser.getVersion"}',
};

const orderOfCreation = flavour => async wire => {
  await wire.send('Target.setDiscoverTargets', { discover: true, ...ANY });
  if (flavour) await wire.send('Target.setAutoAttach', flavour);
  await settled(wire);
  const mark = wire.frames.length;
  const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' });
  const told = wire.told(mark);
  await wire.send('Target.closeTarget', { targetId });
  return told;
};

const heldPopup = (kind, flavour) => async (wire, { home }) => {
  const opener = await wire.page(`${home}/popups`);
  await wire.send('Target.setAutoAttach', flavour);
  const isPopup = ({ targetInfo }) => targetInfo.type === 'page' && targetInfo.targetId !== opener.targetId && targetInfo.url !== 'about:blank#first';
  let popup = wire.event('Target.attachedToTarget', (params, frame) => isPopup(params) && params.waitingForDebugger !== undefined && (flavour.filter ? frame.sessionId : true));
  if (flavour.filter) {
    const { params: { sessionId: tab } } = await (click(wire, opener.sessionId, `#${kind}`), wire.event('Target.attachedToTarget', ({ targetInfo, waitingForDebugger }) => targetInfo.type === 'tab' && waitingForDebugger));
    wire.ask('Target.setAutoAttach', PAGE_FLAVOUR, tab);
    wire.ask('Runtime.runIfWaitingForDebugger', {}, tab);
  } else {
    click(wire, opener.sessionId, `#${kind}`);
  }
  const { params: { sessionId, targetInfo } } = await popup;
  const requested = wire.frames.some(frame => frame.method === 'Network.requestWillBeSent');
  wire.ask('Emulation.setUserAgentOverride', { userAgent: 'Prepared/1' }, sessionId);
  wire.ask('Page.enable', {}, sessionId);
  wire.ask('Page.addScriptToEvaluateOnNewDocument', { source: 'window.marker = "early"' }, sessionId);
  wire.ask('Runtime.runIfWaitingForDebugger', {}, sessionId);
  return { seen: await seenIn(wire, sessionId), knowsOpener: targetInfo.openerId === opener.targetId, requested };
};

export const acts = [
  // The root.
  act('Browser.getVersion', wire => wire.send('Browser.getVersion')),
  act('getBrowserContexts', async wire => {
    const { browserContextIds, defaultBrowserContextId } = await wire.send('Target.getBrowserContexts');
    return { others: browserContextIds.length, defaultIsId: /^[0-9A-F]{32}$/.test(defaultBrowserContextId) };
  }),
  act('getTargetInfo of the browser', async wire => (await wire.send('Target.getTargetInfo')).targetInfo),
  act('getTargetInfo of a page', async (wire, { home }) => {
    const { targetId } = await wire.page(home);
    const { targetInfo } = await wire.send('Target.getTargetInfo', { targetId });
    const { defaultBrowserContextId } = await wire.send('Target.getBrowserContexts');
    return { ...inWords(targetInfo), keys: shape(targetInfo), inDefault: targetInfo.browserContextId === defaultBrowserContextId };
  }),
  act('getTargets', async wire => sorted(ours((await wire.send('Target.getTargets')).targetInfos))),
  act('getTargets of every type', async wire => sorted(ours((await wire.send('Target.getTargets', ANY)).targetInfos))),
  act('getTargets of one type', async wire => sorted(ours((await wire.send('Target.getTargets', { filter: [{ type: 'tab' }] })).targetInfos))),
  act('setDiscoverTargets reports existing targets before its reply', async wire => {
    await wire.send('Target.setDiscoverTargets', { discover: true, ...ANY });
    return sorted(ours(wire.frames.filter(frame => frame.method === 'Target.targetCreated').map(frame => frame.params.targetInfo)));
  }),
  act('setDiscoverTargets by default', async wire => {
    await wire.send('Target.setDiscoverTargets', { discover: true });
    return sorted(ours(wire.frames.filter(frame => frame.method === 'Target.targetCreated').map(frame => frame.params.targetInfo)));
  }),
  act('setDiscoverTargets off', async wire => {
    await wire.send('Target.setDiscoverTargets', { discover: true });
    await wire.send('Target.setDiscoverTargets', { discover: false });
    const mark = wire.frames.length;
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' });
    await wire.send('Target.closeTarget', { targetId });
    return wire.told(mark);
  }),
  act('targetInfoChanged follows a navigation', async (wire, { home }) => {
    const { targetId, sessionId } = await wire.page(home);
    await wire.send('Target.setDiscoverTargets', { discover: true });
    const changed = wire.event('Target.targetInfoChanged', ({ targetInfo }) => targetInfo.targetId === targetId && targetInfo.url.endsWith('/second'));
    await wire.send('Page.navigate', { url: `${home}/second` }, sessionId);
    return inWords((await changed).params.targetInfo);
  }),
  act('errors at the root', async wire => {
    const said = {};
    for (const [name, [method, params]] of Object.entries(wrongs)) said[name] = refusal(await wire.ask(method, params));
    return said;
  }),
  act('malformed frames', async wire => {
    const said = {};
    for (const [name, frame] of Object.entries(malformed)) {
      const answer = wire.frame(name, ({ error }) => error);
      wire.write(frame);
      const { id, ...rest } = await answer;
      said[name] = { id: id ?? null, ...refusal(rest) };
    }
    return { said, lives: (await wire.ask('Browser.getVersion')).result !== undefined };
  }),
  act('ids of every size, and two pending commands with the same id', async wire => {
    const ids = [-1, 0, 2147483647, -2147483648, 9, 9];
    ids.forEach(id => wire.write(JSON.stringify({ id, method: 'Browser.getVersion' })));
    await until('six replies', () => wire.frames.length >= ids.length);
    return wire.frames.map(frame => frame.id).sort((a, b) => a - b);
  }),
  act('replies come in order', async wire => {
    const { targetId, sessionId } = await wire.page();
    const mark = wire.frames.length;
    await Promise.all(Array.from({ length: 100 }, (_, i) => wire.send('Runtime.evaluate', { expression: `${i}` }, sessionId)));
    const values = wire.frames.slice(mark).map(frame => frame.result?.result?.value);
    await wire.send('Target.closeTarget', { targetId });
    return values.every((value, i) => value === i);
  }),
  act('large frames', async wire => {
    const { targetId, sessionId } = await wire.page();
    const up = await wire.evaluate(sessionId, `'${'u'.repeat(4_000_000)}'.length`);
    const down = await wire.evaluate(sessionId, `'ü'.repeat(2_000_000)`);
    await wire.send('Target.closeTarget', { targetId });
    return [up, down.length, down.at(-1)];
  }),
  act('text of every kind', async wire => {
    const { targetId, sessionId } = await wire.page();
    const value = await wire.evaluate(sessionId, `['ü', '\\u2028', '\\ud83d\\ude00', '\\ud800', '","sessionId":"x"}', '\\0']`);
    await wire.send('Target.closeTarget', { targetId });
    return value;
  }),

  // CDP sessions.
  ...[['nobody attaches by itself', null], ['page flavour', PAGE_FLAVOUR], ['page flavour, not waiting', { ...PAGE_FLAVOUR, waitForDebuggerOnStart: false }], ['tab flavour', TAB_FLAVOUR]]
    .map(([name, flavour]) => act(`order of createTarget: ${name}`, orderOfCreation(flavour))),
  act('attachToTarget: the event precedes the reply', async wire => {
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' });
    const mark = wire.frames.length;
    const { sessionId } = await wire.send('Target.attachToTarget', { targetId, flatten: true });
    const told = wire.told(mark);
    const sum = await wire.evaluate(sessionId, '6 * 7');
    await wire.send('Target.detachFromTarget', { sessionId });
    const after = refusal(await wire.ask('Runtime.evaluate', { expression: '1' }, sessionId));
    await wire.send('Target.closeTarget', { targetId });
    return { told, sum, after };
  }),
  act('two CDP sessions on one page', async (wire, { home }) => {
    const { targetId, sessionId: one } = await wire.page(home);
    const { sessionId: two } = await wire.send('Target.attachToTarget', { targetId, flatten: true });
    await wire.send('Runtime.enable', {}, one);
    const mark = wire.frames.length;
    await wire.evaluate(two, 'console.log("only one CDP session has Runtime enabled"); window.shared = 5');
    const events = wire.told(mark, { [one]: 'one', [two]: 'two' });
    await wire.send('Target.detachFromTarget', { sessionId: two });
    return { events, left: await wire.evaluate(one, 'window.shared') };
  }),
  act('errors on a page', async (wire, { home }) => {
    const { sessionId } = await wire.page(home);
    const said = [];
    for (const [method, params] of [['Page.noSuchThing'], ['Nonsense.method'], ['Page.navigate', {}], ['Target.getBrowserContexts'], ['Target.createBrowserContext'],
      ['Runtime.evaluate', { expression: 5 }], ['DOM.getDocument', { depth: 'deep' }]]) said.push({ method, ...refusal(await wire.ask(method, params, sessionId)) });
    return said;
  }),
  act('an ended CDP session', async (wire, { home }) => {
    const { sessionId } = await wire.page(home);
    await wire.send('Target.detachFromTarget', { sessionId });
    return [refusal(await wire.ask('Runtime.enable', {}, sessionId)), refusal(await wire.ask('Target.detachFromTarget', { sessionId }))];
  }),
  better({ code: -32001, hasSession: true }, act('pending commands of an ended CDP session', async (wire, { home }) => {
    const { sessionId } = await wire.page(home);
    const id = 4242;
    wire.write(JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression: 'new Promise(() => {})', awaitPromise: true }, sessionId }));
    await wire.evaluate(sessionId, '1');
    await wire.send('Target.detachFromTarget', { sessionId });
    await settled(wire);
    const { error, sessionId: named } = wire.frames.find(frame => frame.id === id) ?? {};
    return error ? { code: error.code, hasSession: named === sessionId } : 'never answered';
  })),
  act('not flat: sendMessageToTarget', async (wire, { home }) => {
    const { targetId } = await wire.page(home);
    const mark = wire.frames.length;
    const { sessionId } = await wire.send('Target.attachToTarget', { targetId });
    const attached = wire.told(mark);
    const received = async message => {
      const arrived = wire.event('Target.receivedMessageFromTarget', params => JSON.parse(params.message).id === message.id);
      await wire.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify(message) });
      const { params } = await arrived;
      return { ...JSON.parse(params.message), keys: shape(params), mine: params.sessionId === sessionId };
    };
    const sum = await received({ id: 1, method: 'Runtime.evaluate', params: { expression: '6 * 7', returnByValue: true } });
    const wrong = await received({ id: 2, method: 'Page.noSuchThing' });
    const evented = wire.event('Target.receivedMessageFromTarget', ({ message }) => JSON.parse(message).method === 'Page.frameNavigated');
    await received({ id: 3, method: 'Page.enable' });
    await received({ id: 4, method: 'Page.navigate', params: { url: `${home}/second` } });
    const event = JSON.parse((await evented).params.message).params.frame.url;
    const flat = refusal(await wire.ask('Runtime.evaluate', { expression: '1' }, sessionId));
    await wire.send('Target.detachFromTarget', { sessionId });
    return { attached, sum, wrong, event, flat };
  }),
  act('attachToBrowserTarget is a second root', async wire => {
    const mark = wire.frames.length;
    const { sessionId } = await wire.send('Target.attachToBrowserTarget');
    const told = wire.told(mark);
    const { product } = await wire.send('Browser.getVersion', {}, sessionId);
    await wire.send('Target.setDiscoverTargets', { discover: true }, sessionId);
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' }, sessionId);
    const events = wire.frames.filter(frame => frame.method === 'Target.targetCreated' && frame.params.targetInfo.targetId === targetId)
      .map(frame => frame.sessionId === sessionId);
    await wire.send('Target.closeTarget', { targetId });
    await wire.send('Target.detachFromTarget', { sessionId });
    return { told, named: product.length > 0, eventsOnTheSecond: events, gone: refusal(await wire.ask('Browser.getVersion', {}, sessionId)) };
  }),
  act('attachToTarget on the browser makes a root', async wire => {
    const { targetInfo } = await wire.send('Target.getTargetInfo');
    const { sessionId } = await wire.send('Target.attachToTarget', { targetId: targetInfo.targetId, flatten: true });
    return shape(await wire.send('Target.getBrowserContexts', {}, sessionId));
  }),
  act('a second root auto-attaches', async wire => {
    const { sessionId } = await wire.send('Target.attachToBrowserTarget');
    await wire.send('Target.setAutoAttach', { ...PAGE_FLAVOUR, waitForDebuggerOnStart: false }, sessionId);
    const attached = wire.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.url.endsWith('#made') || targetInfo.type === 'page');
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' });
    const frame = await attached;
    await wire.send('Target.closeTarget', { targetId });
    return frame.sessionId === sessionId;
  }),

  // Auto-attach.
  ...[['page flavour', PAGE_FLAVOUR], ['tab flavour', TAB_FLAVOUR]].map(([name, flavour]) =>
    act(`setAutoAttach attaches existing targets before its reply: ${name}`, async wire => {
      await wire.send('Target.setAutoAttach', flavour);
      return wire.frames.filter(frame => frame.method === 'Target.attachedToTarget' && ours([frame.params.targetInfo]).length)
        .map(({ params }) => ({ ...inWords(params.targetInfo), waiting: params.waitingForDebugger }));
    })),
  act('setAutoAttach again, off, and on again', async wire => {
    const steps = [];
    for (const params of [PAGE_FLAVOUR, PAGE_FLAVOUR, { ...PAGE_FLAVOUR, autoAttach: false }, PAGE_FLAVOUR]) {
      const mark = wire.frames.length;
      await wire.send('Target.setAutoAttach', params);
      steps.push(wire.frames.slice(mark).filter(frame => frame.method && ours([frame.params.targetInfo ?? { url: '' }]).length).map(frame => frame.method));
    }
    return steps;
  }),
  act('an auto-attached CDP session can be detached', async wire => {
    await wire.send('Target.setAutoAttach', PAGE_FLAVOUR);
    const attached = wire.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.type === 'page');
    const { targetId } = await wire.send('Target.createTarget', { url: 'about:blank#made' });
    const { params: { sessionId } } = await attached;
    await wire.send('Runtime.runIfWaitingForDebugger', {}, sessionId);
    const mark = wire.frames.length;
    await wire.send('Target.detachFromTarget', { sessionId });
    const told = wire.told(mark);
    await wire.send('Target.closeTarget', { targetId });
    return told;
  }),
  act('a page waits until it is resumed', async (wire, { home }) => {
    await wire.send('Target.setAutoAttach', PAGE_FLAVOUR);
    const attached = wire.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.type === 'page');
    await wire.send('Target.createTarget', { url: `${home}/popup` });
    const { params: { sessionId, waitingForDebugger } } = await attached;
    // A command that the page itself must answer is not answered before it runs.
    wire.ask('Page.enable', {}, sessionId);
    await settled(wire);
    await wire.send('Runtime.runIfWaitingForDebugger', {}, sessionId);
    return { waitingForDebugger, opener: (await seenIn(wire, sessionId)).opener };
  }),
  act('popup is held (opener, page flavour)', heldPopup('opener', PAGE_FLAVOUR)),
  act('popup is held (cross, page flavour)', heldPopup('cross', PAGE_FLAVOUR)),
  act('popup is held (noopener, page flavour)', heldPopup('noopener', PAGE_FLAVOUR)),
  act('popup is held (opener, tab flavour)', heldPopup('opener', TAB_FLAVOUR)),
  act('popup is held (cross, tab flavour)', heldPopup('cross', TAB_FLAVOUR)),
  act('a page\'s own auto-attach: dedicated worker', async (wire, { home }) => {
    const { targetId, sessionId } = await wire.page(`${home}/blank`);
    await wire.send('Target.setAutoAttach', PAGE_FLAVOUR, sessionId);
    const attached = wire.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.type === 'worker');
    await wire.send('Page.navigate', { url: `${home}/worker` }, sessionId);
    const { params, sessionId: on } = await attached;
    await wire.send('Runtime.runIfWaitingForDebugger', {}, params.sessionId);
    const answer = await until('the answer', () => wire.evaluate(params.sessionId, 'self.answer'));
    const gone = wire.event('Target.detachedFromTarget', ({ sessionId }) => sessionId === params.sessionId);
    await wire.evaluate(sessionId, 'window.worker.terminate()');
    await gone;
    const late = refusal(await wire.ask('Runtime.enable', {}, params.sessionId));
    await wire.send('Target.closeTarget', { targetId });
    return { ...inWords(params.targetInfo), waiting: params.waitingForDebugger, onThePage: on === sessionId, answer, late };
  }),
  ...['shared', 'service'].map(kind => act(`root auto-attach: ${kind} worker`, async (wire, { home }) => {
    const { browserContextId } = await wire.send('Target.createBrowserContext', { disposeOnDetach: true });
    const { sessionId: page } = await wire.page(`${home}/blank`, browserContextId);
    await wire.send('Target.setAutoAttach', PAGE_FLAVOUR);
    const attached = wire.event('Target.attachedToTarget', ({ targetInfo }) => targetInfo.type === `${kind}_worker`);
    await wire.send('Page.navigate', { url: `${home}/${kind}` }, page);
    const { params, sessionId: on } = await attached;
    await wire.send('Runtime.runIfWaitingForDebugger', {}, params.sessionId);
    const answer = await until('the answer', () => wire.evaluate(params.sessionId, 'self.answer'));
    const said = await until('the page is told', () => wire.evaluate(page, 'document.querySelector("#said").textContent'));
    await wire.send('Target.disposeBrowserContext', { browserContextId });
    return { type: params.targetInfo.type, url: params.targetInfo.url, waiting: params.waitingForDebugger, onTheRoot: on === undefined,
      sameContext: params.targetInfo.browserContextId === browserContextId, answer, said };
  })),

  // Contexts.
  act('a context and its targets', async (wire, { home }) => {
    const { browserContextId } = await wire.send('Target.createBrowserContext');
    const { targetId, sessionId } = await wire.page(home, browserContextId);
    const { browserContextIds } = await wire.send('Target.getBrowserContexts');
    const { targetInfo } = await wire.send('Target.getTargetInfo', { targetId });
    await wire.send('Target.setDiscoverTargets', { discover: true });
    const mark = wire.frames.length;
    await wire.send('Target.disposeBrowserContext', { browserContextId });
    return { listed: browserContextIds.includes(browserContextId), inIt: targetInfo.browserContextId === browserContextId, told: wire.told(mark),
      late: refusal(await wire.ask('Runtime.enable', {}, sessionId)), left: (await wire.send('Target.getBrowserContexts')).browserContextIds.length };
  }),
  act('the default context cannot be disposed of', async wire => {
    const { defaultBrowserContextId: browserContextId } = await wire.send('Target.getBrowserContexts');
    return refusal(await wire.ask('Target.disposeBrowserContext', { browserContextId }));
  }),
  act('the default context by its id', async (wire, { home }) => {
    const { defaultBrowserContextId } = await wire.send('Target.getBrowserContexts');
    const { targetId } = await wire.page(home, defaultBrowserContextId);
    const { targetInfo } = await wire.send('Target.getTargetInfo', { targetId });
    await wire.send('Storage.setCookies', { cookies: [{ name: 'a', value: 'b', url: home }], browserContextId: defaultBrowserContextId });
    const { cookies } = await wire.send('Storage.getCookies');
    await wire.send('Storage.clearCookies');
    return { same: targetInfo.browserContextId === defaultBrowserContextId, cookies: cookies.map(cookie => cookie.name) };
  }),
  act('cookies of two contexts', async (wire, { home }) => {
    const read = [];
    const ids = [(await wire.send('Target.createBrowserContext')).browserContextId, (await wire.send('Target.createBrowserContext')).browserContextId];
    for (const [i, browserContextId] of ids.entries()) {
      await wire.send('Storage.setCookies', { cookies: [{ name: 'who', value: `${i}`, url: home }], browserContextId });
    }
    for (const browserContextId of [...ids, undefined]) {
      const { cookies } = await wire.send('Storage.getCookies', { browserContextId });
      read.push(cookies.map(({ name, value, domain, session }) => ({ name, value, domain, session })));
    }
    for (const browserContextId of ids) await wire.send('Target.disposeBrowserContext', { browserContextId });
    return read;
  }),
  act('cookies through a page', async (wire, { home }) => {
    const { sessionId } = await wire.page(`${home}/set-cookie?through=page`);
    const names = ({ cookies }) => cookies.map(cookie => cookie.name).sort();
    const read = [names(await wire.send('Network.getCookies', {}, sessionId)), names(await wire.send('Storage.getCookies', {}, sessionId)), names(await wire.send('Storage.getCookies'))];
    await wire.send('Storage.clearCookies');
    return read;
  }),

  // The end.
  act('order of closeTarget', async (wire, { home }) => {
    await wire.send('Target.setDiscoverTargets', { discover: true, ...ANY });
    const { targetId, sessionId } = await wire.page(home);
    const mark = wire.frames.length;
    await wire.send('Target.closeTarget', { targetId });
    const told = () => wire.told(mark, { [sessionId]: 'the page' });
    await until('page and tab are gone', () => told().filter(line => line === 'Target.targetDestroyed').length === 2);
    return told();
  }),
  act('Page.close', async (wire, { home }) => {
    const { sessionId } = await wire.page(home);
    const gone = wire.event('Target.detachedFromTarget', params => params.sessionId === sessionId);
    await wire.send('Page.close', {}, sessionId);
    await gone;
    return refusal(await wire.ask('Runtime.enable', {}, sessionId));
  }),
  act('a crash is reported', async (wire, { home }) => {
    await wire.send('Target.setDiscoverTargets', { discover: true });
    const { targetId, sessionId } = await wire.page(home);
    await wire.send('Inspector.enable', {}, sessionId);
    const told = [wire.event('Target.targetCrashed', params => params.targetId === targetId), wire.event('Inspector.targetCrashed')];
    wire.write(JSON.stringify({ id: 999, method: 'Page.crash', sessionId }));
    const [{ params }, { sessionId: on }] = await Promise.all(told);
    return { status: params.status, code: params.errorCode, onThePage: on === sessionId };
  }),
  act('windows', async (wire, { home }) => {
    const { targetId, sessionId } = await wire.page(home);
    const { windowId, bounds } = await wire.send('Browser.getWindowForTarget', {}, sessionId);
    const byRoot = await wire.send('Browser.getWindowForTarget', { targetId });
    await wire.send('Browser.setWindowBounds', { windowId, bounds: { width: 700, height: 500 } }, sessionId);
    const { bounds: after } = await wire.send('Browser.getWindowBounds', { windowId }, sessionId);
    return { keys: shape(bounds), same: byRoot.windowId === windowId, width: after.width, height: after.height };
  }),
  act('a binary frame ends the connection', async wire => {
    wire.write(Buffer.from('{"id":1,"method":"Browser.getVersion"}'));
    await until('closed', () => wire.closed);
    return wire.frames.filter(frame => frame.id).length;
  }),
  act('Browser.close', async wire => {
    const { result } = await wire.ask('Browser.close');
    await until('closed', () => wire.closed);
    return result;
  }),
];

await performIfMain(import.meta.url, { acts, connect: async () => ({}), leave: () => {} });
