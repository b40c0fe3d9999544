// The page: it follows the node's stream of events and shows each.

import { $, el, text, keep } from './dom.js';
import { count, rate, span, units, boundOf, plural, clock } from './format.js';
import { Chart } from './charts.js';
import { History } from './history.js';
import { showNodes } from './nodes.js';
import { initClients, useClients } from './clients.js';
import { initLimits, showLimits, preview } from './limits.js';
import { showLog } from './log.js';

const history = new History();
const charts = {
  rate: new Chart($('chart-rate'), {
    label: 'Decisions per second', format: rate,
    series: [
      { label: 'admitted', color: '--admit', fill: '--admit-fill', swatch: 'admit' },
      { label: 'denied', color: '--deny', swatch: 'deny' },
    ],
  }),
  bound: new Chart($('chart-bound'), {
    label: 'Units beyond the limit', format: units,
    series: [
      { label: 'worst', color: '--deny', swatch: 'deny', missing: 'unknown' },
      { label: 'expected', color: '--third', swatch: 'third', missing: 'unknown' },
      { label: 'most seen', color: '--admit', swatch: 'admit' },
      { label: 'burst', color: '--muted', swatch: 'muted', dash: [4, 4] },
    ],
  }),
  latency: new Chart($('chart-latency'), {
    label: 'Time of a decision', format: (ns) => span(ns / 1e6),
    series: [
      { label: '99 %', color: '--deny', swatch: 'deny', spanGaps: true },
      { label: 'median', color: '--admit', swatch: 'admit', spanGaps: true },
    ],
  }),
};

let last = null; // the newest tick
let heardAt = 0, quietSince = Date.now();

function show(tick) {
  last = tick;
  heardAt = quietSince = Date.now();
  history.add(tick.points, tick.reset);
  const chosen = tick.limits.find((l) => l.name === tick.selected);
  showHead(tick);
  showTiles(tick);
  showLimits(tick);
  showNodes(tick);
  useClients(tick);
  showBound(tick, chosen);
  showLog(tick);
  preview();
  const times = history.times();
  charts.rate.set(times, [history.column('allowed'), history.column('denied')]);
  charts.bound.set(times, [history.column('bound'), history.column('expected'), history.column('peak'), times.map(() => chosen?.burst ?? null)]);
  charts.latency.set(times, [history.column('p99_ns'), history.column('p50_ns')]);
  link('live', 'live · ' + clock(tick.node.now_ms));
}

const states = { healthy: 'Healthy', degraded: 'Degraded: it decides, but the count may be off', unhealthy: 'Not healthy' };

function showHead(tick) {
  const n = tick.node;
  document.title = (tick.health.state === 'healthy' ? '' : '⚠ ') + n.cluster + ' · rate limiter';
  text($('cluster'), 'Cluster ' + n.cluster);
  text($('seen-from'), 'seen from ' + n.name);
  text($('version'), 'ratelimiter ' + tick.config.version);
  $('health').dataset.state = tick.health.state;
  text($('health-state'), states[tick.health.state]);
  const deniedNow = tick.detail.most_denied.filter((c) => c.denied_per_s > 0.05).length;
  const nodes = n.members > 1 ? plural(n.visible, 'node', 'nodes') + ' of ' + count(n.members) + ' hear each other. ' : 'This node is alone. ';
  const limit = tick.limits.find((l) => l.name === tick.selected);
  let denied = deniedNow ? plural(deniedNow, 'client is', 'clients are') : limit?.denied_per_s > 0.05 ? 'Clients are' : 'Nobody is';
  if (limit?.shadow) denied = 'Nobody is';
  const would = limit?.shadow && deniedNow ? ', which is a shadow: it would deny ' + plural(deniedNow, 'client', 'clients') : '';
  text($('health-text'), nodes + denied + ' being denied under ' + tick.selected + would + '.');
  keep($('findings'), tick.health.findings, (f) => f.text.replace(/\d+/g, '#'), () => el('li', null, el('b'), el('span')), (li, f) => {
    text(li.firstChild, f.text + '.');
    text(li.lastChild, 'Ends when: ' + f.until + '.');
  });
}

function showTiles(tick) {
  const at = history.column('sum_allowed').length - 1;
  const allowed = history.column('sum_allowed')[at] ?? null, denied = history.column('sum_denied')[at] ?? null;
  text($('t-admitted'), rate(allowed));
  text($('t-denied'), rate(denied));
  text($('t-denied-part'), allowed + denied > 0 ? Math.round((100 * denied) / (allowed + denied)) + ' % of all' : 'per second');
  const [p50, p99] = tick.latency_ns;
  text($('t-latency'), p99 === null ? '–' : span(p99 / 1e6));
  text($('t-latency-part'), p99 === null ? 'no decisions lately' : 'or less; half of them ' + span(p50 / 1e6));
  text($('t-nodes'), count(tick.node.visible) + ' of ' + count(tick.node.members));
  text($('t-clients'), count(tick.node.clients));
  text($('t-clients-part'), 'of ' + count(tick.node.max_clients));
}

// showBound says in a sentence how wrong the count can be.
function showBound(tick, l) {
  if (!l) return;
  const of = l.inline ? '' : ' beyond ' + l.rule;
  const parts = l.excess === undefined ? '' : ' X + r·σ, ' + boundOf(l) + ' =';
  const worst = l.bound === null ? 'How much one client can have got' + of + ' is not known now.' : 'At worst, one client got' + parts + ' ' + units(l.bound) + ' units' + of + (l.limit ? ': ' + Math.round((100 * l.bound) / l.limit) + ' % of a window' : '') + '.';
  text($('bound-text'), worst + ' Expect ' + (l.expected === null ? 'nothing in particular' : 'about ' + units(l.expected)) + '. The most that this node saw is ' + units(l.observed_peak) + '.');
}

function link(state, words) {
  $('link').dataset.state = state;
  text($('link-text'), words);
}

// lost says that the node does not answer. What is on the page stays, as the last that is known.
function lost() {
  const since = heardAt ? ' since ' + clock(heardAt) : '';
  link('lost', 'no news' + since);
  $('health').dataset.state = 'lost';
  text($('health-state'), 'No answer from ' + (last ? last.node.name : 'the node'));
  text($('health-text'), 'This page knows nothing new' + since + ', and tries again. Other nodes decide without this one.');
  $('findings').replaceChildren();
}

const patience = 4000; // milliseconds without news until the page says so
let source = null, again = 0;

const wanted = () => decodeURIComponent((location.hash.match(/^#limit=(.*)$/) || ['', ''])[1]);

function connect() {
  clearTimeout(again);
  source?.close();
  const limit = wanted();
  source = new EventSource('v1/events' + (limit ? '?limit=' + encodeURIComponent(limit) : ''));
  source.addEventListener('tick', (e) => show(JSON.parse(e.data)));
  source.addEventListener('error', () => {
    // A browser tries again by itself unless the answer was no stream, such as that too many look.
    if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, 5000);
  });
}

setInterval(() => { if (source && Date.now() - quietSince > patience) lost(); }, 1000);
addEventListener('hashchange', connect);
// A page that nobody sees needs no stream.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { source?.close(); source = null; clearTimeout(again); } else { quietSince = Date.now(); connect(); }
});

initClients(() => useClients(last));
initLimits((name) => { location.hash = 'limit=' + encodeURIComponent(name); });
connect();
