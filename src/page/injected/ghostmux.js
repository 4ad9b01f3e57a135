// The steps of ghostmux's actions in a page. It is evaluated behind Playwright's injected script, in the same function,
// in an isolated world: scripts of the page neither see nor change it. A step answers an object with a `status`:
// done; none, retry (`why` says what was seen: try again later); several (`count`, `matches`), selector and fail (`why`:
// give up); input, point (go on with input events); stale.
const injected = new (module.exports.InjectedScript())(globalThis, {
  isUnderTest: false, sdkLanguage: 'javascript', frameSeq: 0, testIdAttributeName: 'data-testid', stableRafCount: 1,
  browserName: 'chromium', shouldPrependErrorPrefix: false, isUtilityWorld: true, customEngines: [],
});
const { setTimeout, clearTimeout, performance } = globalThis;
const MATCHES = 5;
let frameElement = null;
let interception = null;
let chosen = null;

// The element that a selector names, or the answer that there is none. The root is the document.
function find({ selector }) {
  let parsed;
  try {
    parsed = injected.parseSelector(selector);
  } catch (error) {
    return { answer: { status: 'selector', why: String(error.message) } };
  }
  let all;
  try {
    all = injected.querySelectorAll(parsed, document);
  } catch (error) {
    return { answer: { status: 'selector', why: String(error.message) } };
  }
  if (all.length > 1)
    return { answer: { status: 'several', count: all.length, matches: all.slice(0, MATCHES).map(preview) } };
  if (all.length)
    return { element: all[0] };
  if (selector.startsWith('aria-ref='))
    return { answer: { status: 'stale' } };
  return { answer: { status: 'none', why: 'no element matches' } };
}

const preview = element => cut(injected.previewNode(element), 300);
const cut = (text, most) => text.length > most ? `${text.slice(0, most)}…` : text;
const retry = why => ({ status: 'retry', why });

// What `checkElementStates` says, as an answer; undefined if all is well.
function lacking(result) {
  if (!result)
    return;
  if (result === 'error:notconnected')
    return retry('the element was removed from the document');
  return retry(result.missingState === 'non-inert' ? 'the element is inert' : `the element is not ${result.missingState}`);
}

// Waits for the states, at most as long as an evaluation may take. A page that is not drawn draws no frames.
async function states(element, wanted) {
  let timer;
  const late = new Promise(resolve => timer = setTimeout(() => resolve({ missingState: 'stable: the page draws no frames' }), 2000));
  const result = await Promise.race([injected.checkElementStates(element, wanted, true), late]);
  clearTimeout(timer);
  return lacking(result);
}

// What a field lacks to be filled.
const fillable = element => states(element, ['visible', 'enabled', 'editable', 'non-inert']);

function clickablePoint(element) {
  const rects = [...element.getClientRects()];
  if (!rects.length)
    return retry('the element is not visible');
  const clip = rect => {
    const left = Math.max(rect.left, 0), top = Math.max(rect.top, 0);
    const right = Math.min(rect.right, innerWidth), bottom = Math.min(rect.bottom, innerHeight);
    return { left, top, width: Math.max(right - left, 0), height: Math.max(bottom - top, 0) };
  };
  const rect = rects.map(clip).find(({ width, height }) => width * height > 0.99);
  if (!rect)
    return retry('the element is outside of the viewport');
  const round = value => Math.round(value * 100) / 100;
  return { status: 'point', x: round(rect.left + rect.width / 2), y: round(rect.top + rect.height / 2) };
}

// A point of an element, from the upper left corner of its padding. It is scrolled into view if it is not.
function positionIn(element, { x, y }) {
  const at = () => {
    const { left, top } = element.getBoundingClientRect();
    return { x: left + (element.clientLeft ?? 0) + x, y: top + (element.clientTop ?? 0) + y };
  };
  const isOutside = point => point.x < 0 || point.y < 0 || point.x >= innerWidth || point.y >= innerHeight;
  let point = at();
  if (isOutside(point)) {
    scrollBy({ left: point.x - innerWidth / 2, top: point.y - innerHeight / 2, behavior: 'instant' });
    point = at();
  }
  return isOutside(point) ? retry('the position is outside of the viewport') : { status: 'point', ...point };
}

// The file input that gets the next files.
function choose(input, count) {
  if (input.webkitdirectory)
    return { status: 'fail', why: 'the file input takes a directory, and files were given' };
  if (count > 1 && !input.multiple)
    return { status: 'fail', why: `the file input takes one file, and ${count} were given` };
  chosen = input;
  return { status: 'done', is: input.multiple };
}

function scrollTo(element, attempt) {
  const block = [undefined, 'end', 'center', 'start'][attempt % 4];
  if (block)
    element.scrollIntoView({ block, inline: block, behavior: 'instant' });
  else
    element.scrollIntoViewIfNeeded(true);
}

// What is done with an element, and what it is retargeted to, as Playwright does.
const steps = {
  // Everything before a pointer action: its point.
  async pointer(element, { kind, enabled, force, trial, position, attempt }) {
    interception = null;
    if (!force) {
      const answer = await states(element, enabled ? ['visible', 'enabled', 'stable', 'non-inert'] : ['visible', 'stable']);
      if (answer)
        return answer;
    }
    scrollTo(element, attempt);
    const point = position ? positionIn(element, position) : clickablePoint(element);
    if (point.status !== 'point') {
      return force ? { status: 'fail', why: point.why } : point;
    }
    if (!force) {
      const hit = injected.setupHitTargetInterceptor(element, kind, { x: point.x, y: point.y }, trial);
      if (hit === 'error:notconnected')
        return retry('the element was removed from the document');
      if (typeof hit === 'string')
        return retry(`${hit} intercepts pointer events`);
      interception = hit;
    }
    return point;
  },
  isChecked(element) {
    return { status: 'done', is: injected.elementState(element, 'checked').matches };
  },
  async fill(element, { value, force }) {
    const answer = force ? undefined : await fillable(element);
    if (answer)
      return answer;
    const result = injected.fill(element, value);
    if (result === 'error:notconnected')
      return retry('the element was removed from the document');
    return { status: result === 'needsinput' ? 'input' : 'done' };
  },
  // The origin of the document of a field that can be filled.
  async origin(element, { force }) {
    const answer = force ? undefined : await fillable(element);
    return answer ?? { status: 'done', text: globalThis.origin };
  },
  // Puts a secret into a field, or at the cursor: no other document gets it, as nothing comes between the check and that.
  secret(element, { value, origin, atCursor }) {
    if (globalThis.origin !== origin)
      return retry('the document is of another origin');
    if (!atCursor) {
      const result = injected.fill(element, value);
      if (result === 'error:notconnected')
        return retry('the element was removed from the document');
      if (result !== 'needsinput')
        return { status: 'done' };
    }
    let focused = document.activeElement;
    while (focused?.shadowRoot?.activeElement)
      focused = focused.shadowRoot.activeElement;
    const field = injected.retarget(element, 'follow-label') ?? element;
    const isFocused = atCursor ? focused && !/^(I?FRAME|BODY)$/.test(focused.nodeName) : field.getRootNode().activeElement === field;
    if (!isFocused)
      return retry('the field has lost the focus');
    return document.execCommand('insertText', false, value) ? { status: 'done' } : retry('the field takes no text');
  },
  focus(element, { reset }) {
    if (injected.focusNode(element, reset) === 'error:notconnected')
      return retry('the element was removed from the document');
    return { status: 'done' };
  },
  blur(element) {
    if (injected.blurNode(element) === 'error:notconnected')
      return retry('the element was removed from the document');
    return { status: 'done' };
  },
  // The element for a script of a caller: `take` gives it.
  choose(element) {
    chosen = element;
    return { status: 'done' };
  },
  // The file input of an element or of its label; `other` if it is none.
  fileInput(element, { count }) {
    const input = injected.retarget(element, 'follow-label');
    return input?.nodeName === 'INPUT' && input.type === 'file' ? choose(input, count) : { status: 'other' };
  },
  async select(element, { values }) {
    const answer = await states(element, ['visible', 'enabled', 'non-inert']);
    if (answer)
      return answer;
    const result = injected.selectOptions(element, values.map(valueOrLabel => ({ valueOrLabel })));
    if (result === 'error:optionsnotfound')
      return retry('the list does not have all of these options');
    if (result === 'error:optionnotenabled')
      return retry('an option is disabled');
    if (!Array.isArray(result))
      return retry('the element was removed from the document');
    return { status: 'done', values: result };
  },
  async scroll(element) {
    const answer = await states(element, ['stable']);
    if (answer)
      return answer;
    element.scrollIntoViewIfNeeded(true);
    return { status: 'done' };
  },
  // The frame of an element, and where the content of the frame begins.
  frame(element) {
    if (!['IFRAME', 'FRAME', 'OBJECT'].includes(element.nodeName))
      return { status: 'fail', why: `${preview(element)} is no frame` };
    frameElement = element;
    return { status: 'done' };
  },
  text: element => ({ status: 'done', text: element.innerText ?? element.textContent }),
  html: element => ({ status: 'done', html: element.outerHTML }),
  attributes: element => ({ status: 'done', attributes: attributesOf(element, Infinity) }),
  simple: element => simple(element),
  links: (element, { limit }) => ({ status: 'done', links: linksOf(element, limit) }),
  // The area of an element in the document.
  async area(element) {
    const answer = await states(element, ['visible', 'stable']);
    if (answer)
      return answer;
    element.scrollIntoViewIfNeeded(true);
    const { x, y, width, height } = element.getBoundingClientRect();
    return { status: 'done', x, y, width, height };
  },
  snapshot,
};

// What takes input. Playwright's snapshots have no such option.
const INTERACTIVE = new Set([
  'button', 'checkbox', 'combobox', 'link', 'listbox', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'radio',
  'searchbox', 'slider', 'spinbutton', 'switch', 'tab', 'textbox', 'treeitem',
]);

// The accessibility snapshot of an element. References begin behind the `last` one that was given in this frame, so that
// none is given to another element in the next document. The content of frames is put in by the caller.
function snapshot(element, { depth, boxes, interactive, frame, last }) {
  lastRef = Math.max(lastRef, last);
  injected._frameSeq = frame;
  const { json, iframeDepths } = injected.ariaSnapshotJSON(element, { mode: 'ai', depth: depth ?? undefined, boxes });
  const nodes = interactive ? interactiveOf(json) : json;
  // A depth of 0 means all to Playwright.
  if (depth === 0)
    nodes.forEach(node => delete node.children);
  nodes.forEach(emptyFrames);
  const lines = new Map();
  const text = renderAriaSnapshotAsYaml(nodes, { lineToNode: lines });
  const frames = [...lines].filter(([, node]) => node.role === 'iframe' && node.ref)
    .map(([line, { ref }]) => ({ ref, line, depth: iframeDepths[ref] ?? 0 }));
  return { status: 'done', snapshot: text, frames, last: lastRef };
}

function emptyFrames(node) {
  if (typeof node === 'string')
    return;
  if (node.role === 'iframe' && node.ref) {
    delete node.text;
    delete node.children;
  }
  node.children?.forEach(emptyFrames);
}

// The nodes that take input, each below the next one of them.
function interactiveOf(nodes) {
  return nodes.flatMap(node => {
    if (typeof node === 'string')
      return [];
    const children = interactiveOf(node.children ?? []);
    if (node.role === 'iframe')
      return [node];
    if (!node.ref || !INTERACTIVE.has(node.role) && node.cursor !== 'pointer')
      return children;
    const kept = { ...node, children };
    if (!children.length && !node.name && node.text === undefined)
      kept.text = textOf(node).trim() || undefined;
    return [kept];
  });
}

const textOf = node => typeof node === 'string' ? node : node.text ?? (node.children ?? []).map(textOf).join(' ');

const attributesOf = (element, most) =>
  Object.fromEntries([...element.attributes].map(({ name, value }) => [name, cut(value, most)]));

function linksOf(root, limit) {
  const all = root.querySelectorAll('a[href], area[href]');
  return [...all].slice(0, limit).map(link => ({ url: String(link.href), text: cut((link.innerText ?? '').trim(), 200) }));
}

Object.assign(globalThis.ghostmux, {
  // A step on the one element of a selector; without a selector on the root of the document.
  async run({ step: name, ...args }) {
    const { element, answer } = args.selector === undefined
      ? { element: ['snapshot', 'text', 'simple'].includes(name) ? document.body ?? document.documentElement : document.documentElement }
      : find(args);
    if (answer)
      return answer;
    if (!element)
      return retry('the document is empty');
    try {
      return await steps[name](element, args);
    } catch (error) {
      return { status: 'fail', why: String(error?.message ?? error) };
    }
  },
  // The parts of a selector, each for one document.
  chunks({ selector }) {
    let parsed;
    try {
      parsed = injected.parseSelector(selector);
    } catch (error) {
      return { status: 'selector', why: String(error.message) };
    }
    const chunks = [[]];
    for (const part of parsed.parts) {
      if (part.name === 'internal:control' && part.body === 'enter-frame')
        chunks.push([]);
      else
        chunks.at(-1).push(part);
    }
    if (chunks.length > 1 && (parsed.capture !== undefined || chunks.some(chunk => !chunk.length)))
      return { status: 'selector', why: 'a selector with frames needs an element before and behind each of them' };
    return { status: 'done', chunks: chunks.length === 1 ? [selector] : chunks.map(parts => stringifySelector({ parts })) };
  },
  choose,
  // What was chosen, once: an element is not kept for longer than it is needed.
  take() {
    const element = chosen;
    chosen = null;
    return element;
  },
  // Gives files with their content to the file input that was chosen.
  setFiles({ files }) {
    const why = injected.setInputFiles(ghostmux.take(), files);
    return why ? { status: 'fail', why } : { status: 'done' };
  },
  // Covers elements, as Playwright does.
  mask({ selector, colour }) {
    try {
      injected.addMaskedElements(injected.querySelectorAll(injected.parseSelector(selector), document), colour);
    } catch (error) {
      return { status: 'selector', why: String(error.message) };
    }
    return { status: 'done' };
  },
  unmask() {
    injected.hideHighlight();
    return { status: 'done' };
  },
  frameElement: () => frameElement,
  // Where the content of the frame begins, in the viewport of this document; with `hits`, only if nothing covers the frame
  // at this point of its content.
  frameOffset({ x, y, hits }) {
    if (!frameElement?.isConnected)
      return retry('the frame was removed from the document');
    const { left, top } = frameElement.getBoundingClientRect();
    const style = getComputedStyle(frameElement);
    const { clientLeft, clientTop } = frameElement;
    const at = { x: left + clientLeft + parseFloat(style.paddingLeft), y: top + clientTop + parseFloat(style.paddingTop) };
    const hit = hits ? injected.expectHitTarget({ x: at.x + x, y: at.y + y }, frameElement) : 'done';
    return hit === 'done' ? { status: 'point', ...at } : retry(`${hit.hitTargetDescription} intercepts pointer events`);
  },
  // Ends a pointer action: whether the element has received all of its events.
  release() {
    const result = interception ? interception.stop() : 'done';
    interception = null;
    return result === 'done' ? { status: 'done' } : retry(`${result.hitTargetDescription} intercepts pointer events`);
  },
  // Whether an element has a state; any number may match as long as it has none.
  state({ selector, state }) {
    const { element, answer } = find({ selector });
    if (answer && answer.status !== 'none')
      return answer;
    const visible = !!element && injected.elementState(element, 'visible', true).matches;
    const is = { visible, hidden: !visible, attached: !!element, detached: !element }[state];
    const seen = !element ? 'no element matches' : `the element ${preview(element)} is ${visible ? 'visible' : 'hidden'}`;
    return is ? { status: 'done' } : retry(seen);
  },
  query({ selector, limit }) {
    let all;
    try {
      all = injected.querySelectorAll(injected.parseSelector(selector), document);
    } catch (error) {
      return { status: 'selector', why: String(error.message) };
    }
    const elements = all.slice(0, limit).map(element => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return {
        tag: element.nodeName.toLowerCase(), text: cut((element.innerText ?? element.textContent ?? '').trim(), 200),
        visible: injected.utils.isElementVisible(element), attributes: attributesOf(element, 1000), x, y, width, height,
      };
    });
    return { status: 'done', count: all.length, elements };
  },
});
