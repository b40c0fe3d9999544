"use strict";
(() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const number = (v) => v == null ? "–" : Math.abs(v) >= 100 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(3)));
  const height = 260;

  // marks draws what happened as dotted lines with their text.
  const marks = (all) => ({
    hooks: {
      draw: (u) => {
        const c = u.ctx;
        c.save();
        c.strokeStyle = c.fillStyle = color("soft");
        c.setLineDash([2, 4]);
        c.font = Math.round(11 * devicePixelRatio) + "px system-ui, sans-serif";
        all.forEach((m, i) => {
          const x = u.valToPos(m.x, "x", true);
          if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
          c.beginPath();
          c.moveTo(x, u.bbox.top);
          c.lineTo(x, u.bbox.top + u.bbox.height);
          c.stroke();
          const right = x > u.bbox.left + u.bbox.width / 2;
          c.textAlign = right ? "right" : "left";
          c.fillText(m.text, x + (right ? -4 : 4) * devicePixelRatio, u.bbox.top + (14 + 14 * (i % 4)) * devicePixelRatio);
        });
        c.restore();
      },
    },
  });

  const draw = (figure, chart) => {
    figure.querySelectorAll(".uplot").forEach((old) => old.remove());
    const time = chart.XUnit === "time";
    const axis = { stroke: color("soft"), grid: { stroke: color("rule"), width: 1 }, ticks: { stroke: color("rule"), width: 1 } };
    const clock = (u, all, axis, space, step) => all.map((v, i) => {
      const at = new Date(v * 1e3).toISOString();
      const day = step >= 86400 || i === 0 || v % 86400 === 0 ? at.slice(0, 10) : "";
      return step >= 86400 ? day : at.slice(11, step < 60 ? 19 : 16) + (day && "\n" + day);
    });
    const xs = time ? clock : chart.XUnit === "s" ? (u, all) => all.map((v) => v + " s") : undefined;
    const above = chart.Lines.every((l) => l.y.every((v) => v == null || v > 0));
    const u = new uPlot({
      width: figure.clientWidth,
      height,
      scales: { x: { time, distr: chart.LogX ? 3 : 1, range: (u, low, high) => [low, high > low ? high : low + 1] }, y: chart.Log ? (above ? { distr: 3 } : { distr: 4, range: (u, low, high) => [0, (high || 1) * 1.3] }) : { range: (u, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.05] } },
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "UTC"),
      legend: { live: true },
      axes: [
        { ...axis, values: xs, label: time ? "UTC" : chart.XUnit === "s" ? undefined : chart.XUnit },
        { ...axis, label: chart.Y, size: 64, values: (u, all) => all.map((v) => v == null ? "" : number(v)) },
      ],
      series: [
        time ? { label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" } : { label: chart.XUnit === "s" ? "time" : chart.XUnit, value: (u, v) => v == null ? "–" : chart.XUnit === "s" ? v + " s" : number(v) },
        ...chart.Lines.map((l) => ({
          label: l.name,
          stroke: color(l.style),
          width: l.style === "strong" ? 2.5 : 1.5,
          dash: l.style === "bound" ? [7, 4] : undefined,
          value: (u, v) => number(v),
        })),
      ],
      plugins: [marks(chart.Marks || [])],
    }, [chart.X, ...chart.Lines.map((l) => l.y)], figure);
    figure.plotted = u;
  };

  const figures = [...document.querySelectorAll("figure.chart")].map((figure) => [figure, JSON.parse(figure.querySelector("script").textContent)]);
  const all = () => figures.forEach(([figure, chart]) => draw(figure, chart));
  all();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  addEventListener("resize", () => figures.forEach(([figure]) => figure.plotted.setSize({ width: figure.clientWidth, height })));

  document.getElementById("download")?.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.getElementById("data").textContent], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
