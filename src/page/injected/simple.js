// The content of an element as HTML of few kinds of elements, well closed, at most DEEPEST deep: what `htmd` reads.
// What is not rendered is left out; open shadow roots are written in place of the light tree.
const DEEPEST = 64;
// So many elements inside of each other are looked at, whether they are written or not.
const LEVELS = 400;
const LONGEST = 2_000_000;
const INLINE = { B: 'strong', STRONG: 'strong', I: 'em', EM: 'em', S: 'del', STRIKE: 'del', DEL: 'del', CODE: 'code', KBD: 'code', SAMP: 'code', A: 'a' };
const BLOCKS = ['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'P', 'UL', 'OL', 'LI', 'BLOCKQUOTE', 'PRE', 'TABLE', 'THEAD', 'TBODY', 'TR', 'TH', 'TD'];
const LEFT_OUT = ['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'IFRAME', 'OBJECT', 'SVG', 'CANVAS', 'SELECT', 'TEXTAREA', 'DATALIST'];
// Elements that are not written again inside of themselves: nothing is gained, and the reader would have to repair it.
const ONCE = ['P', 'PRE', 'TABLE', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6'];
const escaped = text => text.replace(/[&<>"]/g, character => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]);

function simple(root) {
  let parts = [], length = 0;
  const write = text => {
    length += text.length;
    if (length > LONGEST)
      throw new Error(`it has more than ${LONGEST} characters; name a smaller element`);
    parts.push(text);
  };
  const children = (node, open, level) => {
    const all = node.shadowRoot?.childNodes ?? (node.nodeName === 'SLOT' && node.assignedNodes().length ? node.assignedNodes() : node.childNodes);
    for (const child of all)
      visit(child, open, level + 1);
  };
  const within = (tag, attributes, node, open, mark, level) => {
    write(`<${tag}${attributes}>`);
    children(node, [...open, mark], level);
    write(`</${tag}>`);
  };
  const visit = (node, open, level) => {
    if (node.nodeType === Node.TEXT_NODE)
      return write(escaped(node.data));
    if (node.nodeType !== Node.ELEMENT_NODE)
      return;
    const name = node.nodeName.toUpperCase();
    if (LEFT_OUT.includes(name))
      return;
    const { display, visibility } = getComputedStyle(node);
    if (display === 'none' || visibility === 'hidden')
      return;
    if (open.length >= DEEPEST || level >= LEVELS)
      return write(escaped(node.textContent));
    if (name === 'BR' || name === 'HR')
      return write(`<${name.toLowerCase()}>`);
    if (name === 'IMG')
      return write(/^https?:/.test(node.src) ? `<img src="${escaped(node.src)}" alt="${escaped(node.alt)}">` : escaped(node.alt));
    const inline = INLINE[name];
    if (inline) {
      const href = name === 'A' && /^(https?|mailto|tel):/.test(node.href) ? node.href : null;
      if (open.includes(inline) || name === 'A' && !href)
        return children(node, open, level);
      return within(inline, href ? ` href="${escaped(href)}"` : '', node, open, inline, level);
    }
    if (BLOCKS.includes(name)) {
      const isOpen = ONCE.includes(name) && ONCE.some(other => open.includes(other) && (other === name || name !== 'TABLE'));
      if (!isOpen) {
        const start = name === 'OL' && node.start !== 1 ? ` start="${Number(node.start)}"` : '';
        return within(name.toLowerCase(), start, node, open, name, level);
      }
    }
    if (display.startsWith('inline') || display === 'contents')
      return children(node, open, level);
    // Anything else that stands apart. In a paragraph it would end the paragraph.
    if (ONCE.some(other => open.includes(other))) {
      write(' ');
      return children(node, open, level);
    }
    within('div', '', node, open, 'DIV', level);
  };
  visit(root, [], 0);
  return { status: 'done', html: parts.join('').toWellFormed() };
}
