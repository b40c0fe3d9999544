// The nodes: a drawing of who hears whom, and a table.

import { $, el, svg, text, keep } from './dom.js';
import { span, plural } from './format.js';

const most = 16; // more make a ball of wool: the table has them all

export function showNodes(tick) {
  // An incarnation that said bye, or that a later one replaced, counts no more.
  const nodes = tick.nodes.filter((n) => !n.left);
  drawGraph(nodes.slice(0, most));
  const shares = tick.detail.shares, all = Object.values(shares).reduce((a, b) => a + b, 0);
  keep($('nodes').tBodies[0], nodes, (n) => n.incarnation, () => el('tr', null,
    el('td', null, el('b'), el('span', { class: 'sub' })),
    el('td', { 'data-label': 'State' }, el('span', { class: 'state' })),
    el('td', { class: 'n', 'data-label': 'Lag' }),
    el('td', { class: 'n', 'data-label': 'Clock' }),
    el('td', { class: 'n', 'data-label': 'Share' }, el('meter', { min: 0, max: 1, value: 0 }), el('span')),
  ), (row, n) => {
    const [name, state, lag, skew, share] = row.cells;
    text(name.firstChild, n.name);
    text(name.lastChild, [n.self && 'this page is of this node', n.configured_otherwise && 'configured with other limits', n.behind && 'data is missing'].filter(Boolean).join(', '));
    state.firstChild.className = 'state ' + n.state;
    text(state.firstChild, stateOf(n));
    text(lag, n.self ? '–' : span(n.lag_ms));
    text(skew, n.self ? '–' : Math.abs(n.skew_ms) < 0.05 ? '0 ms' : span(n.skew_ms)); // it is an estimate
    // A node counts once, also while an earlier run of it is on the list.
    const runs = nodes.filter((other) => other.name === n.name), counts = all > 0 && (runs.find((other) => other.state === 'alive') ?? runs[0]) === n;
    const part = counts ? (shares[n.name] || 0) / all : 0;
    share.firstChild.value = part;
    share.firstChild.setAttribute('aria-label', 'share of ' + n.name);
    text(share.lastChild, counts ? Math.round(part * 100) + ' %' : '–');
  });
}

function stateOf(n) {
  if (n.joining) return n.self ? 'not ready' : 'joining';
  if (n.state === 'alive') return 'alive';
  return (n.state === 'suspect' ? 'silent' : 'gone') + ', ' + span(n.heard_ago_ms);
}

// hears reports whether a hears b; null if nobody knows, since a does not speak.
function hears(a, b) { return a.state !== 'alive' ? null : a.hears.includes(b.incarnation); }

function drawGraph(nodes) {
  const shape = JSON.stringify(nodes.map((n) => [n.name, n.state, n.joining, n.incarnation, n.hears]));
  const graph = $('graph');
  if (graph.dataset.shape === shape) return;
  graph.dataset.shape = shape;
  const w = 320, h = 220, r = nodes.length > 8 ? 15 : 20;
  const spots = nodes.map((n, i) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * i) / nodes.length;
    return nodes.length === 1 ? [w / 2, h / 2] : [w / 2 + 115 * Math.cos(angle), h / 2 - 4 + 74 * Math.sin(angle)];
  });
  const lines = [], says = [];
  for (let i = 0; i < nodes.length; i++) {
    for (let j = i + 1; j < nodes.length; j++) {
      const ab = hears(nodes[i], nodes[j]), ba = hears(nodes[j], nodes[i]);
      const both = ab && ba, one = !both && (ab || ba);
      // The arrow points the way that messages pass: to the one that hears.
      const [from, to] = one && ab ? [spots[j], spots[i]] : [spots[i], spots[j]];
      const d = Math.hypot(to[0] - from[0], to[1] - from[1]), cut = (r + 5) / d;
      lines.push(svg('line', {
        class: both ? 'both' : one ? 'one' : 'none',
        x1: from[0] + (to[0] - from[0]) * cut, y1: from[1] + (to[1] - from[1]) * cut,
        x2: to[0] - (to[0] - from[0]) * cut, y2: to[1] - (to[1] - from[1]) * cut,
        ...(one ? { 'marker-end': 'url(#arrow)' } : {}),
      }));
      const names = nodes[i].name + ' and ' + nodes[j].name;
      if (!both) says.push(names + (one ? ' hear each other one way only' : ' do not hear each other'));
    }
  }
  const dots = nodes.map((n, i) => svg('g', { class: n.state + (n.self ? ' self' : '') },
    svg('circle', { cx: spots[i][0], cy: spots[i][1], r }),
    svg('text', { x: spots[i][0], y: spots[i][1] + r + 14 }, n.name.length > 16 ? n.name.slice(0, 15) + '…' : n.name),
    svg('text', { class: 'sub', x: spots[i][0], y: spots[i][1] + 4 }, n.state === 'alive' ? (n.joining ? 'joins' : 'alive') : n.state === 'suspect' ? 'silent' : 'gone'),
  ));
  graph.replaceChildren(svg('defs', {}, svg('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, svg('path', { d: 'M0 0L8 4L0 8z' }))), ...lines, ...dots);
  graph.setAttribute('aria-label', plural(nodes.length, 'node', 'nodes') + '. ' + (says.join('. ') || 'All of them hear each other') + '.');
}
