(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (v) => v == null ? "–" : Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? v.toPrecision(4) : v.toExponential(2);
  const shown = (v, percent) => v == null ? "–" : percent ? (100 * v).toFixed(2) + "%" : number(v);
  const all = JSON.parse(document.getElementById("chart-data").textContent);
  const sync = uPlot.sync("runs");
  const element = (name, parent, text) => {
    const made = parent.appendChild(document.createElement(name));
    if (text != null) made.textContent = text;
    return made;
  };

  // A table below a chart: a row for each run, a column for each kind of line. It shows the values
  // at the pointer, or else the last ones. A click on a row hides its lines.
  const legend = (box, chart, toggle) => {
    const kinds = [...new Set(chart.series.map((s) => s.kind))], rows = new Map();
    const table = element("table", box), head = element("tr", element("thead", table));
    table.className = "legend";
    const epoch = element("th", head);
    kinds.forEach((kind) => {
      const cell = element("th", head, kind);
      cell.className = "number";
    });
    const body = element("tbody", table);
    const cells = chart.series.map((s) => {
      if (!rows.has(s.run)) {
        const row = element("tr", body), name = element("td", row), mark = element("span", name);
        mark.className = "swatch";
        mark.style.background = "var(--series-" + (s.colour % 7 + 1) + ")";
        name.append(s.run);
        row.onclick = () => { row.classList.toggle("off"); toggle(s.run, !row.classList.contains("off")); };
        rows.set(s.run, kinds.map(() => { const cell = element("td", row); cell.className = "number"; return cell; }));
      }
      return rows.get(s.run)[kinds.indexOf(s.kind)];
    });
    return (at) => {
      epoch.textContent = at == null ? "last epoch" : "epoch " + chart.x[at];
      chart.series.forEach((s, n) => {
        const known = s.y.filter((v) => v != null);
        cells[n].textContent = shown(at == null ? known[known.length - 1] : s.y[at], chart.percent);
      });
    };
  };

  const draw = (place, chart) => {
    let plot, log = chart.log;
    const button = place.querySelector("[data-log]"), whole = place.querySelector("[data-zoom]");
    const box = place.querySelector(".live"), hidden = new Set();
    const canvas = element("div", box);
    const tell = legend(box, chart, (run, show) => {
      if (show) hidden.delete(run); else hidden.add(run);
      chart.series.forEach((s, n) => { if (s.run === run) plot.setSeries(n + 1, { show }); });
    });
    const positive = (y) => y.map((v) => v != null && v > 0 ? v : null);
    const make = () => {
      const x = plot && !whole.hidden ? { min: plot.scales.x.min, max: plot.scales.x.max } : null;
      if (plot) plot.destroy();
      const stroke = colour("--muted"), line = colour("--line"), font = "11px system-ui, sans-serif";
      const axis = { stroke, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
      const decade = (v) => Math.abs(Math.log10(v) % 1) < 1e-9 || Math.abs(Math.log10(v) % 1) > 1 - 1e-9;
      const tick = (v) => v == null || log && !decade(v) ? "" : chart.percent ? +(100 * v).toPrecision(4) + "%" : v !== 0 && Math.abs(v) < 1e-3 ? (+v.toPrecision(4)).toExponential() : String(+v.toPrecision(4));
      const epochs = (u, ticks) => ticks.map((v) => Number.isInteger(v) ? v : null);
      const kept = (u, ticks) => ticks.map((v) => !log || v != null && decade(v) ? v : null);
      plot = new uPlot({
        width: Math.max(canvas.clientWidth, 260), height: 250, legend: { show: false },
        cursor: { sync: { key: sync.key }, points: { size: 6 }, drag: { x: true, y: false }, focus: { prox: 24 } },
        focus: { alpha: .25 },
        scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
        axes: [
          { ...axis, grid: { ...axis.grid, filter: epochs }, ticks: { ...axis.ticks, filter: epochs }, size: 32, values: (u, ticks) => ticks.map((v) => Number.isInteger(v) ? String(v) : "") },
          { ...axis, grid: { ...axis.grid, filter: kept }, ticks: { ...axis.ticks, filter: kept }, size: 58, values: (u, ticks) => ticks.map(tick) },
        ],
        series: [
          {},
          ...chart.series.map((s) => ({
            stroke: colour("--series-" + (s.colour % 7 + 1)), width: 1.75, dash: s.dashed ? [6, 4] : undefined,
            points: { show: chart.x.length < 2 }, show: !hidden.has(s.run),
          })),
        ],
        hooks: {
          setSelect: [() => { whole.hidden = false; }],
          setCursor: [(u) => tell(u.cursor.idx)],
        },
      }, [chart.x, ...chart.series.map((s) => log ? positive(s.y) : s.y)], canvas);
      if (x) plot.setScale("x", x);
    };
    whole.onclick = () => {
      plot.setScale("x", { min: chart.x[0], max: chart.x[chart.x.length - 1] });
      whole.hidden = true;
    };
    canvas.addEventListener("dblclick", () => { whole.hidden = true; });
    if (button) {
      button.setAttribute("aria-pressed", log);
      button.onclick = () => { log = !log; button.setAttribute("aria-pressed", log); make(); };
    }
    tell(null);
    make();
    return { make, resize: () => plot.setSize({ width: Math.max(canvas.clientWidth, 260), height: 250 }) };
  };
  const made = all.map((chart, n) => draw(document.getElementById("chart-" + n), chart));
  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => made.forEach((m) => m.resize()), 100); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => made.forEach((m) => m.make()));
})();
