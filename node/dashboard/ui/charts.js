// The charts: one class over uPlot, in the colours of the page.

import { el } from './dom.js';

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const two = (n) => String(n).padStart(2, '0');
const height = 200;
const least = 60; // seconds that the time axis shows at least

export class Chart {
  // series are {key, label, color, fill, format, dash}; colour names are those of the style sheet.
  constructor(parent, { series, format, label }) {
    this.parent = parent;
    this.series = series;
    this.format = format;
    this.label = label;
    this.keys = el('div', { class: 'keys' });
    this.values = series.map((s) => {
      const value = el('b', null, '–');
      this.keys.append(el('span', null, el('i', { class: 'swatch ' + s.swatch }), s.label + ' ', value));
      return value;
    });
    this.canvas = el('div', { class: 'canvas', role: 'img', 'aria-label': label });
    parent.append(this.keys, this.canvas);
    this.data = [[], ...series.map(() => [])];
    new ResizeObserver(() => this.resize()).observe(parent);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  draw() {
    if (this.plot) this.plot.destroy();
    const axis = { stroke: css('--muted'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    this.plot = new uPlot({
      width: Math.max(200, this.parent.clientWidth), height,
      legend: { show: false },
      cursor: { sync: { key: 'time' }, drag: { x: false, y: false }, points: { size: 7 } },
      padding: [10, 26, 0, 0],
      scales: {
        x: { time: true, range: (u, min, max) => [Math.min(min, max - least), max] },
        y: { range: (u, min, max) => [0, (max > 0 ? max : 1) * 1.1] },
      },
      axes: [
        { ...axis, size: 28, space: 76, values: (u, all) => all.map((s) => { const t = new Date(s * 1e3); return two(t.getHours()) + ':' + two(t.getMinutes()) + (all.length > 1 && all[1] - all[0] < 60 ? ':' + two(t.getSeconds()) : ''); }) },
        { ...axis, size: 64, values: (u, all) => all.map((v) => this.format(v)) },
      ],
      series: [{}, ...this.series.map((s) => ({
        label: s.label, stroke: css(s.color), width: s.dash ? 1.5 : 2, fill: s.fill && css(s.fill), dash: s.dash, points: { show: false }, spanGaps: Boolean(s.spanGaps),
      }))],
      hooks: { setCursor: [() => this.tell()] },
    }, this.data, this.canvas);
    this.tell();
  }

  resize() {
    if (!this.plot) return;
    const width = Math.max(200, this.parent.clientWidth);
    if (width !== this.plot.width) this.plot.setSize({ width, height });
  }

  // set shows points: the times in seconds, and a column for each series.
  set(times, columns) {
    this.data = [times, ...columns];
    if (this.plot) this.plot.setData(this.data);
    else this.draw();
    this.tell();
  }

  // tell shows the values under the pointer, otherwise the newest ones.
  tell() {
    const at = this.plot?.cursor.idx ?? this.data[0].length - 1;
    this.values.forEach((e, i) => {
      const v = this.data[i + 1][at];
      const t = v === null || v === undefined ? this.series[i].missing || '–' : this.format(v);
      if (e.textContent !== t) e.textContent = t;
    });
    this.canvas.setAttribute('aria-label', this.label + ': ' + this.series.map((s, i) => s.label + ' ' + this.values[i].textContent).join(', '));
  }
}
