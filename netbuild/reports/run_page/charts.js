(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (v) => v == null ? "–" : Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? v.toPrecision(4) : v.toExponential(2);
  const shown = (v, percent) => v == null ? "–" : percent ? (100 * v).toFixed(2) + "%" : number(v);
  const all = JSON.parse(document.getElementById("chart-data").textContent);
  const sync = uPlot.sync("runs");
  const draw = (place, chart) => {
    let plot, log = chart.log;
    const button = place.querySelector("[data-log]"), zoomed = place.querySelector("[data-zoom]");
    const box = place.querySelector(".live");
    const positive = (y) => y.map((v) => v != null && v > 0 ? v : null);
    const make = () => {
      const x = plot && zoomed && !zoomed.hidden ? { ...plot.scales.x } : null;
      const hidden = plot ? plot.series.map((s) => s.show) : null;
      if (plot) plot.destroy();
      const ink = colour("--muted"), line = colour("--line");
      const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
      const y = chart.series.map((s) => log ? positive(s.y) : s.y);
      plot = new uPlot({
        width: Math.max(box.clientWidth, 260), height: 250,
        cursor: { sync: { key: sync.key }, points: { size: 6 }, drag: { x: true, y: false }, focus: { prox: 24 } },
        focus: { alpha: .25 },
        scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
        axes: [
          { ...axis, values: (u, ticks) => ticks.map((v) => Number.isInteger(v) ? v : "") },
          { ...axis, size: 58, values: (u, ticks) => ticks.map((v) => v == null ? "" : chart.percent ? +(100 * v).toPrecision(4) + "%" : +v.toPrecision(4)) },
        ],
        series: [
          { label: "epoch" },
          ...chart.series.map((s, i) => ({
            label: s.name, stroke: colour("--series-" + (s.colour % 7 + 1)), width: 1.75, dash: s.dashed ? [6, 4] : undefined,
            spanGaps: false, points: { show: s.y.length < 2 }, show: hidden ? hidden[i + 1] : true,
            value: (u, v) => shown(v, chart.percent),
          })),
        ],
        hooks: {
          setSelect: [() => { if (zoomed) zoomed.hidden = false; }],
        },
      }, [chart.x, ...y], box);
      if (x && x.min != null) plot.setScale("x", { min: x.min, max: x.max });
    };
    const reset = () => { plot.setScale("x", { min: chart.x[0], max: chart.x[chart.x.length - 1] }); if (zoomed) zoomed.hidden = true; };
    if (zoomed) zoomed.onclick = reset;
    box.addEventListener("dblclick", () => { if (zoomed) zoomed.hidden = true; });
    if (button) {
      button.setAttribute("aria-pressed", log);
      button.onclick = () => { log = !log; button.setAttribute("aria-pressed", log); make(); };
    }
    make();
    return { make, resize: () => plot.setSize({ width: Math.max(box.clientWidth, 260), height: 250 }) };
  };
  const made = all.map((chart, n) => draw(document.getElementById("chart-" + n), chart));
  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => made.forEach((m) => m.resize()), 100); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => made.forEach((m) => m.make()));
})();
