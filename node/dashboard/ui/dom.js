// Elements, made and kept. Text is only ever set as text: names come from clients.

export const $ = (id) => document.getElementById(id);

export function el(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

export function svg(tag, attrs, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attrs || {})) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// text sets a text if it is another one, so that readers of screens hear only changes.
export function text(e, value) { if (e.textContent !== value) e.textContent = value; }

// keep makes the children of parent those of items, in order. It keeps the element of each key, and
// the focus. While somebody points at the list or works in it, rows stay where they are. make makes
// an element, and update fills it.
export function keep(parent, items, key, make, update) {
  const old = new Map(), places = new Map(), focus = document.activeElement;
  for (const child of parent.children) { places.set(child.dataset.key, old.size); old.set(child.dataset.key, child); }
  if (parent.matches(':hover, :focus-within')) {
    const place = (item) => places.get(String(key(item))) ?? Infinity;
    items = items.map((item, i) => [item, i]).sort(([a, i], [b, j]) => (place(a) === place(b) ? i - j : place(a) - place(b))).map(([item]) => item);
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = String(key(item));
    let e = old.get(k);
    if (e) old.delete(k);
    else { e = make(item); e.dataset.key = k; }
    update(e, item);
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
  }
  for (const e of old.values()) e.remove();
  if (focus !== document.activeElement && parent.contains(focus)) focus.focus({ preventScroll: true }); // a move takes it
}
