// Numbers and times as people read them. null is a number that nobody knows.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function count(n) {
  if (n === null || n === undefined) return 'unknown';
  return n >= 1e5 ? short.format(n) : grouped.format(n);
}

export function rate(n) {
  if (n === null || n === undefined) return '–';
  return n < 9.95 ? String(Math.round(n * 10) / 10) : count(n);
}

export function units(n) {
  if (n === null || n === undefined) return 'unknown';
  return n < 99.5 ? String(Math.round(n * 10) / 10) : count(n);
}

// boundOf is the live bound. That of a bounded limit has two parts: what it may be exceeded by, and what
// clocks add, which are X and r·σ in docs/bounded.md.
export const boundOf = (l) => (l.excess === undefined || l.bound === null ? units(l.bound) : units(l.excess) + ' + ' + units(Math.max(0, l.bound - l.excess)));

// span is a time given in milliseconds.
export function span(ms) {
  if (ms === null || ms === undefined) return 'unknown';
  const size = Math.abs(ms), sign = ms < 0 ? '−' : '';
  const digits = (v) => (v < 9.95 ? String(Math.round(v * 10) / 10) : String(Math.round(v)));
  if (size === 0) return '0 ms';
  if (size < 1e-3) return sign + digits(size * 1e6) + ' ns';
  if (size < 1) return sign + digits(size * 1e3) + ' µs';
  if (size < 1e3) return sign + digits(size) + ' ms';
  if (size < 6e4) return sign + digits(size / 1e3) + ' s';
  if (size < 3.6e6) return sign + digits(size / 6e4) + ' min';
  if (size < 8.64e7) return sign + digits(size / 3.6e6) + ' h';
  return sign + digits(size / 8.64e7) + ' days';
}

const two = (n) => String(n).padStart(2, '0');

export function clock(ms) {
  const t = new Date(ms);
  return two(t.getHours()) + ':' + two(t.getMinutes()) + ':' + two(t.getSeconds());
}

// plural is such as "1 client" or "3 clients".
export function plural(n, one, many) { return count(n) + ' ' + (n === 1 ? one : many); }
