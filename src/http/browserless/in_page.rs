//! The functions that quick actions call in a page, in an isolated world: scripts of the page neither see nor change them. PURE.

/// Writes a document in place of the present one.
pub(super) const SET_CONTENT: &str = "html => { document.open(); document.write(html); document.close(); }";

/// Adds a script, and waits until it has run.
pub(super) const ADD_SCRIPT: &str = "({ url, content, type, id }) => new Promise((resolve, reject) => {
  const script = document.createElement('script');
  if (type)
    script.type = type;
  if (id)
    script.id = id;
  if (url) {
    script.src = url;
    script.addEventListener('load', () => resolve(), { once: true });
    script.addEventListener('error', () => reject(new Error(`the script ${url} could not be loaded`)), { once: true });
  } else {
    script.text = content;
    resolve();
  }
  document.head.append(script);
})";

/// Adds a style, and waits until it is loaded.
pub(super) const ADD_STYLE: &str = "({ url, content }) => new Promise((resolve, reject) => {
  const style = document.createElement(url ? 'link' : 'style');
  if (url) {
    style.rel = 'stylesheet';
    style.href = url;
  } else {
    style.append(document.createTextNode(content));
  }
  style.addEventListener('load', () => resolve(), { once: true });
  style.addEventListener('error', () => reject(new Error(`the style ${url} could not be loaded`)), { once: true });
  document.head.append(style);
})";

/// Waits for an event of the document or its window.
pub(super) const WAIT_FOR_EVENT: &str = "event => new Promise(resolve => {
  document.addEventListener(event, () => resolve(), { once: true });
  window.addEventListener(event, () => resolve(), { once: true });
})";

/// Scrolls to the end in steps of half a viewport, and back.
pub(super) const SCROLL: &str = "() => new Promise(resolve => {
  const down = () => {
    window.scrollBy(0, Math.max(1, Math.floor(window.innerHeight / 2)));
    const left = document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
    if (left > 1) {
      setTimeout(down, 100);
    } else {
      window.scrollTo(0, 0);
      setTimeout(resolve, 500);
    }
  };
  down();
})";

/// The height of the page in CSS pixels.
pub(super) const HEIGHT: &str = "() => {
  const { body, documentElement: root } = document;
  return Math.max(body?.scrollHeight ?? 0, body?.offsetHeight ?? 0, root.clientHeight, root.scrollHeight, root.offsetHeight);
}";

/// Waits until the fonts of the page are loaded.
pub(super) const FONTS: &str = "() => document.fonts.ready.then(() => undefined)";

/// Reads the elements of some selectors.
pub(super) const SCRAPE: &str = "selectors => selectors.map(selector => ({
  results: [...document.querySelectorAll(selector)].map(element => {
    const { left, top } = element.getBoundingClientRect();
    return {
      attributes: [...element.attributes].map(({ name, value }) => ({ name, value })),
      height: element.offsetHeight,
      html: element.innerHTML,
      left,
      text: element.innerText,
      top,
      width: element.offsetWidth,
    };
  }),
  selector,
}))";
