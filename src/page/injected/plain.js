// What is asked of a document as a whole, in the same isolated world as `ghostmux.js`, and before that: it needs nothing else.
globalThis.ghostmux = {
  // Its doctype and its elements, as HTML; as `page.content()` of Puppeteer and Playwright.
  document() {
    const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : '';
    return { status: 'done', html: doctype + (document.documentElement?.outerHTML ?? '') };
  },
  // The viewport, and whether the page is in the background.
  screen: () => ({ status: 'done', is: document.hidden, width: innerWidth, height: innerHeight, scale: devicePixelRatio }),
  // The status of the response of this document.
  response() {
    const [entry] = performance.getEntriesByType('navigation');
    return { status: 'done', code: entry?.responseStatus || null };
  },
};
