// The points of the charts that the page holds: as many as the node does, so that a page that is
// open for days takes no more memory.

const most = 600;

export class History {
  constructor() { this.columns = {}; }

  add(points, reset) {
    for (const [name, values] of Object.entries(points)) {
      const before = reset ? [] : this.columns[name] || [];
      this.columns[name] = before.concat(values).slice(-most);
    }
  }

  times() { return (this.columns.at_ms || []).map((ms) => ms / 1e3); }

  column(name, scale = 1) {
    const all = this.columns[name] || [];
    return scale === 1 ? all : all.map((v) => (v === null ? null : v * scale));
  }
}
