// The clients of the selected limit, and why one stands where it stands.

import { $, el, svg, text, keep } from './dom.js';
import { count, rate, span, units, plural } from './format.js';

let list = 'most_denied';
const shown = 10;

// isShadow reports whether the selected limit denies nobody, and counts who it would deny.
const isShadow = (tick) => Boolean(tick.limits.find((l) => l.name === tick.selected)?.shadow);

export function showClients(tick) {
  const all = tick.detail[list], denied = list === 'most_denied', shadow = isShadow(tick);
  text($('clients-text'), all.length === 0
    ? (denied ? (shadow ? 'Nobody would have been' : 'Nobody has been') + ' denied under ' + tick.selected + ' at this node.' : 'Nobody has asked for ' + tick.selected + ' at this node.')
    : 'Units a second over the last minute, at this node' + (shadow ? '. All of them passed: ' + tick.selected + ' is a shadow' : '') + (tick.config.redacted ? '; names are hidden by configuration.' : '. Choose one to see why.'));
  const widest = Math.max(1, ...all.map((c) => c.allowed_per_s + c.denied_per_s));
  keep($('clients'), all.slice(0, shown), (c) => c.name, (c) => {
    const flow = svg('svg', { class: 'flow', viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      svg('rect', { class: 'back', width: 100, height: 4 }), svg('rect', { class: 'a', height: 4 }), svg('rect', { class: 'd', height: 4 }));
    const button = el('button', { type: 'button' }, el('span', { class: 'name' }), el('span', { class: 'numbers' }, el('span', { class: 'admit-text' }), ' ', el('span', { class: 'deny-text' })), flow, el('span', { class: 'why' }));
    button.addEventListener('click', () => explain(button.closest('li').client, tick.selected));
    return el('li', null, button);
  }, (li, c) => {
    li.client = c;
    const [name, numbers, flow, why] = li.firstChild.children;
    text(name, c.name);
    text(numbers.children[0], rate(c.allowed_per_s) + '/s in');
    text(numbers.children[1], rate(c.denied_per_s) + (shadow ? '/s over' : '/s denied'));
    const a = (100 * c.allowed_per_s) / widest, d = (100 * c.denied_per_s) / widest;
    flow.children[1].setAttribute('width', a);
    flow.children[2].setAttribute('x', a);
    flow.children[2].setAttribute('width', d);
    text(why, reason(c));
  });
}

// reason says in a line why a client is denied, or that it is not.
function reason(c) {
  if (c.denied_per_s > 0.05 && c.quota_per_s) return 'Asks all nodes for about ' + rate(c.asked_per_s) + '/s. Its rule allows ' + rate(c.quota_per_s) + '/s.';
  if (c.denied_per_s > 0.05) return 'Its rule: ' + c.rule + '.';
  return c.passes ? plural(c.remaining, 'unit left', 'units left') + '. ' + count(c.denied_units) + ' denied in all.' : 'Would be denied now: one unit passes in ' + span(c.retry_after_ms) + '.';
}

let tickNow = null;

export function initClients(onChange) {
  for (const [id, is] of [['tab-denied', 'most_denied'], ['tab-heaviest', 'heaviest']]) {
    $(id).addEventListener('click', () => {
      list = is;
      $('tab-denied').setAttribute('aria-pressed', String(list === 'most_denied'));
      $('tab-heaviest').setAttribute('aria-pressed', String(list === 'heaviest'));
      onChange();
    });
  }
  $('ask').addEventListener('submit', (e) => {
    e.preventDefault();
    explain({ name: $('ask-client').value }, tickNow.selected, true);
  });
  $('explain-close').addEventListener('click', () => $('explain').close());
}

export function useClients(tick) {
  tickNow = tick;
  $('ask').hidden = tick.config.alone;
  showClients(tick);
}

// explain asks the node about a client. A row whose name is hidden tells what it has itself.
async function explain(c, limit, typed = false) {
  text($('explain-title'), c.name + ' under ' + limit);
  const body = $('explain-body');
  body.replaceChildren(el('p', { class: 'muted' }, 'Asking…'));
  if (!$('explain').open) $('explain').showModal();
  if (!typed && (tickNow.config.redacted || tickNow.config.alone)) {
    body.replaceChildren(...ofRow(c));
    return;
  }
  try {
    const answer = await fetch('v1/explain?client=' + encodeURIComponent(c.name) + '&limit=' + encodeURIComponent(limit));
    const x = await answer.json();
    body.replaceChildren(...(answer.ok ? ofExplanation(x, typed ? null : c) : [el('p', { class: 'error' }, x.detail || 'The node refused to answer.')]));
  } catch {
    body.replaceChildren(el('p', { class: 'error' }, 'The node does not answer.'));
  }
}

function facts(list) { return el('dl', { class: 'facts' }, ...list.filter(Boolean).flatMap(([k, v]) => [el('dt', null, k), el('dd', null, v)])); }

const flowFact = (c) => [['Over the last minute', rate(c.allowed_per_s) + (isShadow(tickNow) ? '/s within the limit and ' + rate(c.denied_per_s) + '/s over it, which passed as well, at this node' : '/s admitted and ' + rate(c.denied_per_s) + '/s denied at this node')], ['Asks all nodes for', 'about ' + rate(c.asked_per_s) + '/s']];

function byNode(units) {
  const all = Object.values(units).reduce((a, b) => a + b, 0);
  const rows = Object.entries(units).sort((a, b) => b[1] - a[1]).map(([name, n]) => el('tr', null, el('td', null, name || 'unknown'), el('td', { class: 'n' }, count(n)), el('td', { class: 'n' }, Math.round((100 * n) / Math.max(1, all)) + ' %')));
  if (rows.length === 0) return [el('p', { class: 'muted' }, 'No node holds anything that counts now.')];
  return [el('h3', null, 'Admitted in the windows that count, by node'), el('table', null, el('tbody', null, ...rows))];
}

function ofRow(c) {
  return [
    el('p', { class: 'verdict' }, isShadow(tickNow) && c.remaining === 0 ? 'Admitted now, though nothing is left: the limit is a shadow.' : c.passes ? 'One unit would pass now: ' + plural(c.remaining, 'unit is', 'units are') + ' left.' : 'Denied now. One unit passes again in ' + span(c.retry_after_ms) + '.'),
    facts([['Rule', c.rule], ...flowFact(c)]), ...byNode(c.nodes),
  ];
}

// accountText says what the answering node may admit by itself under a bounded limit. A node that has
// used its credit, or that has just started, owes before it owns.
function accountText(a) {
  const owes = a.own_units < 0 ? ' (it owes ' + units(-a.own_units) + ' first)' : '';
  const share = a.room_units ? (owes ? 'nothing' : units(a.own_units)) + ' of its share of ' + units(a.room_units) + owes : 'no share of this client';
  return share + (a.credit_units ? ', credit ' + units(a.credit_units) : '') + ', and ' + units(a.borrowed_units) + ' borrowed; it lent ' + units(a.lent_units);
}

function ofExplanation(x, c) {
  const d = x.decision, units = {};
  for (const w of x.windows) for (const n of w.nodes) units[n.node || 'unknown'] = (units[n.node || 'unknown'] || 0) + n.admitted_units - Math.min(n.admitted_units, n.given_back_units);
  let verdict = 'One unit would pass now: ' + plural(d.remaining ?? 0, 'unit is', 'units are') + ' left of a burst of ' + count(d.burst) + '.';
  if (x.policy.unlimited) verdict = 'Always admitted: the rule sets no limit.';
  else if (x.policy.block) verdict = 'Always denied: the rule blocks this client.';
  else if (d.reason === 'shadow') verdict = 'Admitted now, though its burst of ' + count(d.burst) + ' is used up: the limit is a shadow.';
  else if (d.reason === 'short') verdict = 'Denied now: other nodes hold what is left of its burst of ' + count(d.burst) + ', and this one has asked them. One unit passes again in ' + span(d.retry_after_ms) + '.';
  else if (!d.allowed) verdict = 'Denied now: its burst of ' + count(d.burst) + ' is used up. One unit passes again in ' + span(d.retry_after_ms) + '.';
  const rule = x.policy.block ? 'block' : x.policy.unlimited ? 'unlimited' : count(x.policy.limit) + ' per ' + (typeof x.policy.window === 'number' ? span(x.policy.window * 1e3) : x.policy.window) + ', burst ' + count(x.policy.burst);
  const from = x.override ? 'override ' + (x.override.name || (x.override.selector ? x.override.selector + ' ' + x.override.value : x.override.index)) : "the limit's own";
  return [
    el('p', { class: 'verdict' }, verdict),
    facts([
      ['Rule', rule + ' (' + from + ')'],
      x.counts_as !== x.client && ['Counts as', x.counts_as],
      ...(c ? flowFact(c) : []),
      ['Whole burst is back', d.reset_after_ms ? 'in ' + span(d.reset_after_ms) + ' if it asks for nothing' : 'now'],
      x.since && ['Rule holds since', new Date(x.since).toLocaleString()],
      x.reset && ['Last reset', new Date(x.reset).toLocaleString()],
      x.account && ['This node may admit', accountText(x.account)],
      x.shared && ['Shares an entry', 'yes: the client table is full'],
    ]), ...byNode(units),
  ];
}
