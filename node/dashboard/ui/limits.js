// The limits, and the form that changes one.

import { $, el, text, keep } from './dom.js';
import { count, rate, span, units, boundOf, plural, clock } from './format.js';

let tickNow = null;
let onSelect = () => {};

export function initLimits(select) {
  onSelect = select;
  $('limit').addEventListener('change', (e) => onSelect(e.target.value));
  for (const id of ['edit-limit', 'edit-window', 'edit-burst', 'edit-shadow']) $(id).addEventListener('input', preview);
  $('edit-form').addEventListener('submit', (e) => { e.preventDefault(); save(); });
  $('edit-cancel').addEventListener('click', () => $('edit').close());
  $('edit-delete').addEventListener('click', () => change('DELETE', null));
  $('edit').addEventListener('close', () => { $('edit-token').value = ''; });
}

export function showLimits(tick) {
  tickNow = tick;
  const chooser = $('limit');
  const names = tick.limits.map((l) => l.name);
  if (chooser.dataset.names !== JSON.stringify(names)) {
    chooser.dataset.names = JSON.stringify(names);
    chooser.replaceChildren(...tick.limits.map((l) => el('option', { value: l.name }, nameOf(l))));
  }
  chooser.value = tick.selected;
  const chosen = tick.limits.find((l) => l.name === tick.selected);
  text($('limit-rule'), chosen ? chosen.rule : '');
  keep($('limits').tBodies[0], tick.limits, (l) => l.name, (l) => {
    const edit = el('button', { type: 'button', 'aria-label': 'Change ' + l.name }, 'Change');
    edit.addEventListener('click', () => open(l.name));
    return el('tr', null, el('td', null, el('b'), el('span', { class: 'marks' })), el('td', { class: 'whole' }, el('span'), el('span', { class: 'sub' })),
      ...['Admitted/s', 'Denied/s', 'Worst', 'Expected', 'Seen'].map((label) => el('td', { class: 'n', 'data-label': label })), el('td', { class: 'n' }, edit));
  }, (row, l) => {
    const [name, rule, admitted, denied, bound, expected, seen, edit] = row.cells;
    row.classList.toggle('chosen', l.name === tick.selected);
    text(name.firstChild, nameOf(l));
    marks(name.lastChild, l);
    text(rule.firstChild, l.inline ? 'policies that come with requests' : l.rule);
    text(rule.lastChild, notes(l, tick));
    text(admitted, rate(l.allowed_per_s));
    text(denied, rate(l.denied_per_s) + (l.shadow && l.shadow_denied ? ' (' + count(l.shadow_denied) + ' in shadow)' : ''));
    text(bound, boundOf(l));
    text(expected, units(l.expected));
    text(seen, units(l.observed_peak));
    edit.firstChild.hidden = l.inline || tick.config.alone;
  });
  text($('limits-more'), tick.more_limits ? 'The ' + count(tick.limits.length) + ' busiest. ' + count(tick.more_limits) + ' more are at /v1/limits.' : '');
}

const nameOf = (l) => (l.inline ? 'inline' : l.name);

function marks(parent, l) {
  const all = [l.set && 'set', l.shadow && 'shadow'].filter(Boolean);
  if (parent.dataset.marks === all.join()) return;
  parent.dataset.marks = all.join();
  parent.replaceChildren(...all.map((m) => el('span', { class: 'mark' }, m)));
}

// notes say which limit is shadowed, and what is to come.
function notes(l, tick) {
  const all = [];
  if (l.overrides) all.push(count(l.overrides) + (l.overrides === 1 ? ' override' : ' overrides'));
  if (l.configured) all.push((l.set ? 'shadows the configured limit: ' : 'this node is configured with: ') + l.configured);
  if (l.since_ms) all.push('since ' + clock(l.since_ms));
  for (const p of tick.pending) if (p.name === l.name) all.push('at ' + clock(p.at_ms) + ': ' + (p.rule || 'deleted'));
  return all.join(' · ');
}

// editing is the limit in the form, as the node has it.
let editing = null;

async function open(name) {
  $('edit-error').textContent = '';
  try {
    const answer = await fetch('v1/limits/' + encodeURIComponent(name));
    const spec = await answer.json();
    editing = { name, spec, tag: answer.headers.get('ETag'), was: tickNow.limits.find((l) => l.name === name) };
    if (!answer.ok) throw new Error(spec.detail);
  } catch (e) {
    editing = null;
    text($('edit-error'), e.message || 'The node does not answer.');
  }
  const spec = editing?.spec || {};
  text($('edit-title'), 'Change ' + name);
  text($('edit-now'), editing?.was ? 'Now: ' + editing.was.rule : '');
  $('edit-limit').value = spec.limit ?? '';
  $('edit-window').value = spec.window ?? '';
  $('edit-burst').value = spec.burst ?? '';
  $('edit-burst').disabled = spec.algorithm !== undefined && spec.algorithm !== 'gcra';
  $('edit-shadow').checked = Boolean(spec.shadow);
  $('edit-delete').hidden = !editing?.was?.set;
  $('edit-delete').textContent = editing?.was?.configured ? 'Back to the configured limit' : 'Delete this limit';
  if (!$('edit').open) $('edit').showModal();
  $('edit-limit').focus();
  if (name !== tickNow.selected) onSelect(name); // the preview needs its clients
  preview();
}

const words = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800, month: 2592000, year: 31536000 };
const parts = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 };

// seconds is the length of a window as people write it, null for something else.
function seconds(window) {
  const t = String(window).trim();
  if (t in words) return words[t];
  if (/^\d+(\.\d+)?$/.test(t)) return Number(t);
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|ns))+$/.test(t)) return null;
  let all = 0;
  for (const [, n, , unit] of t.matchAll(/(\d+(\.\d+)?)(h|ms|m|s|us|ns)/g)) all += n * parts[unit];
  return all;
}

// preview says how many of the heaviest clients the change would deny at their present rates.
export function preview() {
  if (!$('edit').open || !editing || !tickNow) return;
  const limit = Number($('edit-limit').value), window = seconds($('edit-window').value);
  if (!(limit > 0) || !(window > 0) || tickNow.selected !== editing.name) { text($('edit-preview'), ''); return; }
  const own = tickNow.detail.heaviest.filter((c) => c.override < 0), others = tickNow.detail.heaviest.length - own.length;
  const over = (r) => own.filter((c) => c.asked_per_s > r);
  const then = over(limit / window), now = editing.was ? over(editing.was.limit / (editing.was.window_ms / 1e3)) : [];
  if (own.length === 0) { text($('edit-preview'), 'No client has asked for this limit at this node, so there is nothing to preview.'); return; }
  const names = then.slice(0, 3).map((c) => c.name + ' (' + rate(c.asked_per_s) + '/s)').join(', ') + (then.length > 3 ? ' and ' + (then.length - 3) + ' more' : '');
  text($('edit-preview'), rate(limit / window) + '/s. At their present rates it ' + ($('edit-shadow').checked ? 'would count as denied ' : 'denies ') + then.length + ' of the ' + plural(own.length, 'heaviest client', 'heaviest clients') + (names ? ': ' + names : '') +
    '. The present limit ' + (editing.spec.shadow ? 'counts ' + now.length + ' as denied' : 'denies ' + now.length) + '.' + (others ? ' ' + plural(others, 'more has a rule of its own.', 'more have rules of their own.') : ''));
}

function save() {
  if (!editing) return;
  const spec = { ...editing.spec, limit: Number($('edit-limit').value), shadow: $('edit-shadow').checked };
  const window = $('edit-window').value.trim();
  spec.window = /^\d+(\.\d+)?$/.test(window) ? Number(window) : window;
  delete spec.unlimited;
  delete spec.block;
  const burst = $('edit-burst').value;
  if (burst && !$('edit-burst').disabled) spec.burst = Number(burst);
  else delete spec.burst;
  change('PUT', spec);
}

async function change(method, spec) {
  if (!editing) return;
  const headers = { 'Content-Type': 'application/json' }, token = $('edit-token').value;
  if (token) headers.Authorization = 'Bearer ' + token;
  if (editing.tag) headers['If-Match'] = editing.tag;
  $('edit-save').disabled = true;
  try {
    const answer = await fetch('v1/limits/' + encodeURIComponent(editing.name), { method, headers, body: spec && JSON.stringify(spec) });
    if (answer.ok) { $('edit').close(); return; }
    const problem = await answer.json();
    const detail = answer.status === 412 ? 'Somebody changed this limit meanwhile. Close the form and look again.' : problem.detail;
    text($('edit-error'), detail || 'The node refused the change.');
    if (answer.status === 403) $('edit-token').focus();
  } catch {
    text($('edit-error'), 'The node does not answer. Nothing is known of the change.');
  } finally {
    $('edit-save').disabled = false;
  }
}
