// What changed: the node's log of the last hour, newest first.

import { $, el, text, keep } from './dom.js';
import { clock } from './format.js';

const most = 100, hour = 3600e3;
let entries = [];
const names = new Map(); // incarnation to node, also of those that are gone

export function showLog(tick) {
  for (const n of tick.nodes) names.set(n.incarnation, n.name);
  if (names.size > 1000) names.clear();
  if (tick.reset) entries = [];
  for (const e of tick.log) {
    const last = entries.at(-1);
    if (e.times > 1 && last && last.text === e.text) entries.pop(); // it came again
    entries.push(e);
  }
  entries = entries.filter((e) => tick.node.now_ms - e.at_ms < hour).slice(-most);
  text($('log-text'), entries.length === 0 ? 'nothing in the last hour, or since the node started' : 'in the last hour');
  const chosen = getSelection();
  if (chosen.type === 'Range' && $('log').contains(chosen.anchorNode)) return; // somebody copies from it
  keep($('log'), entries.toReversed(), (e) => e.seq, (e) => {
    const attrs = new Map(e.attrs), body = el('span', { class: e.level });
    const title = e.text[0].toUpperCase() + e.text.slice(1) + (attrs.has('peer') ? ': ' + attrs.get('peer') : attrs.has('limit') ? ': ' + attrs.get('limit') : '');
    body.append(el('b', null, title + (e.times > 1 ? ' (' + e.times + ' times)' : '')));
    if (attrs.has('old')) body.append(el('span', { class: 'change' }, el('del', null, attrs.get('old')), ' → ', el('ins', null, attrs.get('new') ?? '')));
    body.append(el('span', { class: 'more' }));
    return el('li', null, el('time', { datetime: new Date(e.at_ms).toISOString() }, clock(e.at_ms)), body);
  }, (li, e) => text(li.querySelector('.more'), rest(e)));
}

// rest says what the title does not. It is written again at each tick: a change can be heard of before its author's name is.
function rest(e) {
  const attrs = new Map(e.attrs), told = ['peer', 'limit', 'old', 'new'];
  if (attrs.has('peer')) told.push('incarnation');
  return [...attrs].filter(([k]) => !told.includes(k))
    .map(([k, v]) => (k === 'incarnation' && names.has(v) ? 'by node ' + names.get(v) : k === 'at' ? 'holds from ' + clock(Date.parse(v)) : k.replaceAll('_', ' ') + ' ' + v)).join(' · ');
}
