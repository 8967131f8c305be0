// Places the boxes of the stacks that are open, as placing.py and routes.py do for an SVG.
"use strict";
(() => {
  const BESIDE = 30, BEND = 14, LANE = 16, LABELLED = 34, BARE = 20, STEEP = 0.07, MOST_STEEP = 36;
  const SWEEPS = 8, PAD = 18, HEADER = 32, RADIUS = 14, ARROW = 7, ABOVE = 12, OFF = 5, SPREAD = 24;
  const SIDE = 7, TURNS = 12, MARGIN = 10;
  const open = new Set(network.stacks.flatMap((stack, n) => (n && stack.open ? [n] : [])));
  const near = (number) => String(Math.round(number * 10) / 10);

  // The sizes of the nodes of a stack, with the plans of the open stacks among them.
  function planned(stack) {
    const sizes = stack.nodes.map(() => ({ width: 0, height: 0, ins: {}, outs: {} }));
    const inner = {};
    for (const [n, part] of Object.entries(stack.parts)) {
      if (part.stack !== undefined && open.has(part.stack)) {
        const plan = planned(network.stacks[part.stack]);
        inner[n] = plan;
        sizes[n] = outside(network.stacks[part.stack], plan, part.head[0]);
      } else {
        [sizes[n].width, sizes[n].height] = part.size;
      }
    }
    return Object.assign(place(stack, sizes), { inner, sizes });
  }

  function outside(stack, plan, least) {
    const width = Math.max(plan.width + 2 * PAD, least);
    const left = (width - plan.width) / 2;
    const ins = {}, outs = {};
    stack.nodes.forEach(([what, , number], n) => {
      const middle = centre(plan.spots[n]) + left - width / 2;
      if (what === "in") ins[stack.reads[number]] = middle;
      if (what === "out") outs[stack.gives[number]] = middle;
    });
    const only = Object.keys(ins);
    const results = stack.gives.filter((value) => value in outs);
    if (only.length === 1 && results.length) ins[only[0]] = outs[results[0]];
    return { width, height: HEADER + plan.height, ins, outs, isOpen: true };
  }

  const centre = (spot) => spot.x + spot.width / 2;
  const isBus = (stack, node) => stack.bus === node;

  function place(stack, sizes) {
    const { nodes, ranks, edges, labels } = stack;
    const heights = ranks.map((rank) => Math.max(0, ...rank.map((n) => sizes[n].height)));
    const links = linked(stack);
    const sides = sizes.map(({ width }) => [width / 2, width / 2]);
    for (const [value, [source]] of edges) {
      if (!(value in labels)) continue;
      const reach = (sizes[source].outs[value] ?? 0) + SIDE + labels[value][1];
      sides[source][1] = Math.max(sides[source][1], reach);
    }
    const middles = centred(stack, sizes, sides, links);
    const gaps = gapsOf(stack, middles, sizes, links);
    const bands = [];
    let y = 0;
    ranks.forEach((_, rank) => {
      bands.push([y, y + heights[rank]]);
      y += heights[rank] + gaps[rank];
    });
    const left = Math.min(...nodes.map((_, n) => middles[n] - sides[n][0]));
    const [lanes, right] = lanesOf(stack, sides, middles);
    const spots = nodes.map(([, rank], n) => {
      const [top, bottom] = bands[rank];
      const isTop = ranks[rank].some((other) => sizes[other].isOpen);
      const upper = isTop ? top : (top + bottom - sizes[n].height) / 2;
      const { width, height } = sizes[n];
      return { x: middles[n] - left - width / 2, y: upper, width, height };
    });
    for (const edge of Object.keys(lanes)) lanes[edge] -= left;
    const height = Math.max(...bands.map(([, bottom]) => bottom));
    return { width: right - left, height, spots, lanes, bands };
  }

  function linked({ nodes, edges }) {
    const found = new Map();
    for (const [value, chain, skips] of edges) {
      if (skips) continue;
      for (let i = 1; i < chain.length; i++) {
        const [a, b] = [chain[i - 1], chain[i]];
        const bends = (nodes[a][0] === "bend") + (nodes[b][0] === "bend");
        found.set(`${a} ${b}`, [a, b, value, [1, 2, 8][bends]]);
      }
    }
    return [...found.values()];
  }

  function centred(stack, sizes, sides, links) {
    const above = stack.nodes.map(() => []), below = stack.nodes.map(() => []);
    for (const [a, b, value, weight] of links) {
      if (isBus(stack, a)) continue;
      const apart = (sizes[a].outs[value] ?? 0) - (sizes[b].ins[value] ?? 0);
      above[b].push([a, apart, weight]);
      below[a].push([b, -apart, weight]);
    }
    const middles = stack.nodes.map(() => 0);
    const spread = (rank, wanted) => {
      const found = apart(stack, rank, wanted, sides);
      rank.forEach((node, n) => { middles[node] = found[n]; });
    };
    for (const rank of stack.ranks) spread(rank, rank.map(() => [0, 1]));
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const others = sweep % 2 ? below : above;
      const ranks = sweep % 2 ? [...stack.ranks].reverse() : stack.ranks;
      for (const rank of ranks) {
        spread(rank, rank.map((node) => {
          let total = 0, weights = 0;
          for (const [other, off, weight] of others[node]) {
            total += (middles[other] + off) * weight;
            weights += weight;
          }
          return weights ? [total / weights, weights] : [middles[node], 0.1];
        }));
      }
    }
    straighten(stack, sides, middles);
    return middles;
  }

  // The isotonic regression: the middles nearest to the wanted ones that keep apart.
  function apart(stack, rank, wanted, sides) {
    const offsets = [], pools = [];
    let at = 0;
    rank.forEach((node, n) => {
      if (n) {
        const both = stack.nodes[node][0] === "part" && stack.nodes[rank[n - 1]][0] === "part";
        at += sides[rank[n - 1]][1] + sides[node][0] + (both ? BESIDE : BEND);
      }
      offsets.push(at);
      let [mean, weight, count] = [wanted[n][0] - at, wanted[n][1], 1];
      while (pools.length && pools[pools.length - 1][0] > mean) {
        const [other, heavy, more] = pools.pop();
        mean = (mean * weight + other * heavy) / (weight + heavy);
        weight += heavy;
        count += more;
      }
      pools.push([mean, weight, count]);
    });
    const means = pools.flatMap(([mean, , count]) => Array(count).fill(mean));
    return means.map((mean, n) => mean + offsets[n]);
  }

  function straighten({ nodes, ranks, edges }, sides, middles) {
    const chains = new Map();
    for (const [, chain] of edges) {
      if (chain.length > 3) chains.set(chain.slice(1, -1).join(), chain.slice(1, -1));
    }
    const compare = (a, b) => {
      const n = a.findIndex((node, i) => node !== b[i]);
      return n < 0 ? a.length - b.length : n >= b.length ? 1 : a[n] - b[n];
    };
    for (const chain of [...chains.values()].sort(compare)) {
      let low = -Infinity, high = Infinity;
      for (const bend of chain) {
        const rank = ranks[nodes[bend][1]], at = rank.indexOf(bend);
        if (at) low = Math.max(low, middles[rank[at - 1]] + sides[rank[at - 1]][1] + BEND);
        if (at + 1 < rank.length) {
          high = Math.min(high, middles[rank[at + 1]] - sides[rank[at + 1]][0] - BEND);
        }
      }
      if (low > high) continue;
      const mean = chain.reduce((sum, bend) => sum + middles[bend], 0) / chain.length;
      const best = Math.min(Math.max(mean, low), high);
      for (const bend of chain) middles[bend] = best;
    }
  }

  function gapsOf(stack, middles, sizes, links) {
    const { nodes, ranks, edges, labels } = stack;
    const heights = ranks.map(() => BARE), far = ranks.map(() => 0);
    for (const [value, [source]] of edges) {
      if (value in labels) heights[nodes[source][1]] = LABELLED;
    }
    for (const [a, b, value] of links) {
      if (isBus(stack, a)) continue;
      const rank = nodes[a][1], start = middles[a] + (sizes[a].outs[value] ?? 0);
      far[rank] = Math.max(far[rank], Math.abs(start - middles[b] - (sizes[b].ins[value] ?? 0)));
    }
    return heights.map((height, rank) => height + Math.min(far[rank] * STEEP, MOST_STEEP));
  }

  function lanesOf({ nodes, ranks, edges }, sides, middles) {
    const reach = ranks.flatMap((rank) => {
      const right = rank.length ? Math.max(...rank.map((n) => middles[n] + sides[n][1])) : 0;
      return [right, right];
    });
    const trunks = new Map();
    edges.forEach(([value, chain, skips], number) => {
      if (!skips) return;
      const [start, end] = [nodes[chain[0]][1], nodes[chain[1]][1]];
      const trunk = trunks.get(value) ?? [start, end, []];
      trunk[1] = Math.max(trunk[1], end);
      trunk[2].push(number);
      trunks.set(value, trunk);
    });
    const lanes = {};
    const order = (a, b) => a[1] - a[0] - b[1] + b[0] || a[0] - b[0];
    for (const [start, end, numbers] of [...trunks.values()].sort(order)) {
      const lane = Math.max(...reach.slice(2 * start + 1, 2 * end + 1)) + LANE;
      for (const number of numbers) lanes[number] = lane;
      reach.fill(lane, 2 * start + 1, 2 * end + 1);
    }
    return [lanes, Math.max(...reach) + (Object.keys(lanes).length ? 4 : 0)];
  }

  // The lines of a stack: their points, whether they are smooth, and whether they go on.
  function routed(stack, plan) {
    const { nodes, ranks, edges } = stack;
    const { spots, bands, lanes, sizes } = plan;
    const band = (node) => bands[nodes[node][1]];
    const isFree = (node) =>
      ranks[nodes[node][1]].at(-1) === node && nodes[node][0] === "part" && !sizes[node].isOpen;
    const leave = (node, value) =>
      [centre(spots[node]) + (sizes[node].outs[value] ?? 0), spots[node].y + spots[node].height];
    const entries = edges.map(([value, chain]) =>
      centre(spots[chain.at(-1)]) + (sizes[chain.at(-1)].ins[value] ?? 0));
    const entering = new Map();
    edges.forEach(([value, chain, skips], n) => {
      const reader = chain.at(-1), before = chain.at(-2);
      if (value in sizes[reader].ins || nodes[reader][0] !== "part") return;
      if (skips && isFree(reader)) return;
      const from = isBus(stack, before) ? centre(spots[reader])
        : centre(spots[before]) + (sizes[before].outs[value] ?? 0);
      const lines = entering.get(reader) ?? [];
      lines.push([skips ? lanes[n] : from, n]);
      entering.set(reader, lines);
    });
    for (const [reader, lines] of entering) {
      const step = Math.min(SPREAD, (spots[reader].width - 40) / Math.max(lines.length - 1, 1));
      lines.sort((a, b) => a[0] - b[0] || a[1] - b[1]).forEach(([, n], at) => {
        entries[n] = centre(spots[reader]) + step * (at - (lines.length - 1) / 2);
      });
    }
    return edges.map(([value, chain, skips], n) => {
      const first = chain[0], last = chain.at(-1), entry = entries[n];
      const goesOn = nodes[last][0] === "out";
      if (skips) return { points: around(n, first, last, entry, value), skips, goesOn };
      let points = [leave(first, value), [leave(first, value)[0], band(first)[1]]];
      for (const bend of chain.slice(1, -1)) {
        points.push([centre(spots[bend]), band(bend)[0]], [centre(spots[bend]), band(bend)[1]]);
      }
      if (isBus(stack, first)) points = [[points.length > 2 ? points[2][0] : entry, 0], ...points.slice(2)];
      points.push([entry, band(last)[0]], [entry, goesOn ? plan.height : spots[last].y]);
      const kept = points.filter(([x, y], i) =>
        !i || Math.abs(x - points[i - 1][0]) + Math.abs(y - points[i - 1][1]) > 0.01);
      return { points: kept, smooth: true, goesOn };
    });

    function around(n, source, reader, entry, value) {
      const lane = lanes[n], from = spots[source], into = spots[reader];
      let points;
      if (isBus(stack, source)) {
        points = [[lane, 0]];
      } else if (isFree(source)) {
        const y = from.y + from.height / 2 + OFF;
        points = [[from.x + from.width, y], [lane, y]];
      } else {
        const [x, y] = leave(source, value), low = band(source)[1] + ABOVE;
        points = [[x, y], [x, low], [lane, low]];
      }
      if (isFree(reader)) {
        const y = into.y + into.height / 2 - OFF;
        return [...points, [lane, y], [into.x + into.width, y]];
      }
      const high = band(reader)[0] - ABOVE;
      return [...points, [lane, high], [entry, high], [entry, into.y]];
    }
  }

  const sign = (number) => (number > 0.005) - (number < -0.005);

  function line(route) {
    const points = route.points.map((point) => [...point]);
    const [[x0, y0], [x, y]] = points.slice(-2);
    const level = Math.abs(y - y0) < 0.01, s = sign(x - x0);
    const tip = level
      ? `M${near(x)} ${near(y)}L${near(x - s * ARROW)} ${near(y - 3.5)}L${near(x - s * ARROW)} ${near(y + 3.5)}Z`
      : `M${near(x)} ${near(y)}L${near(x - 3.5)} ${near(y - ARROW)}L${near(x + 3.5)} ${near(y - ARROW)}Z`;
    const short = route.goesOn ? 0 : Math.min(ARROW - 1, Math.abs(x - x0) + Math.abs(y - y0));
    points[points.length - 1] = level ? [x - s * short, y] : [x, y - short];
    const path = route.smooth ? smooth(points) : rounded(points);
    const [name, far] = route.skips ? ["skip", "tip far"] : ["edge", "tip"];
    return `<path class="${name}" d="${path}"/>` + (route.goesOn ? "" : `<path class="${far}" d="${tip}"/>`);
  }

  function smooth(points) {
    let [x0, y0] = points[0], path = `M${near(x0)} ${near(y0)}`;
    for (const [x, y] of points.slice(1)) {
      const half = near((y0 + y) / 2);
      path += Math.abs(x - x0) < 0.5 ? `L${near(x)} ${near(y)}`
        : `C${near(x0)} ${half} ${near(x)} ${half} ${near(x)} ${near(y)}`;
      [x0, y0] = [x, y];
    }
    return path;
  }

  function rounded(points) {
    let path = `M${near(points[0][0])} ${near(points[0][1])}`;
    for (let i = 1; i + 1 < points.length; i++) {
      const [[x0, y0], [x, y], [x1, y1]] = points.slice(i - 1, i + 2);
      const before = Math.abs(x - x0) + Math.abs(y - y0), behind = Math.abs(x1 - x) + Math.abs(y1 - y);
      const r = Math.min(RADIUS, before / 2, behind / 2);
      path += `L${near(x - sign(x - x0) * r)} ${near(y - sign(y - y0) * r)}`
        + `Q${near(x)} ${near(y)} ${near(x + sign(x1 - x) * r)} ${near(y + sign(y1 - y) * r)}`;
    }
    const [x, y] = points.at(-1);
    return `${path}L${near(x)} ${near(y)}`;
  }

  function drawn(stack, plan, x, y, level, out) {
    for (const route of routed(stack, plan)) {
      out.lines.push(line({ ...route, points: route.points.map(([px, py]) => [px + x, py + y]) }));
    }
    tags(stack, plan, x, y, level, out);
    for (const [n, part] of Object.entries(stack.parts)) {
      const spot = plan.spots[n], inner = plan.inner[n];
      const at = { x: spot.x + x, y: spot.y + y, width: spot.width, height: spot.height };
      out.boxes.push(box(part, at, Boolean(inner)));
      if (!inner) continue;
      const left = at.x + (spot.width - inner.width) / 2;
      drawn(network.stacks[part.stack], inner, left, at.y + HEADER, level + 1, out);
    }
  }

  function tags({ edges, labels }, { spots, sizes }, x, y, level, out) {
    for (const [value, [label, width]] of Object.entries(labels)) {
      const own = edges.filter((edge) => edge[0] === Number(value));
      const source = own[0][1][0];
      const at = centre(spots[source]) + (sizes[source].outs[value] ?? 0);
      const ends = own.filter((edge) => !edge[2]).map((edge) => centre(spots[edge[1][1]]));
      const left = ends.length && Math.min(...ends) > at + TURNS ? at - SIDE - width : at + SIDE;
      const text = `<text class="wire" x="${near(left + x)}" y="${near(spots[source].y + spots[source].height + 14 + y)}">${label}</text>`;
      out.tags.push(level ? `<g class="in">${text}</g>` : text);
    }
  }

  function box(part, { x, y, width, height }, isOpen) {
    const size = `width="${near(width)}" height="${near(height)}"`;
    const opens = part.stack === undefined ? ""
      : ` opens" tabindex="0" role="button" aria-expanded="${isOpen}" data-stack="${part.stack}`;
    const sheets = part.count
      ? [6, 3].map((off) => `<rect class="sheet" x="${off}" y="${off}" ${size} rx="6"/>`).join("") : "";
    const group = isOpen ? `<rect class="group" ${size} rx="8"/>` : "";
    const shared = part.shared ? " shared" : "";
    return `<g class="${part.kind}${opens}" data-path="${part.path}" transform="translate(${near(x)} ${near(y)})">`
      + `${sheets}${group}<rect class="box${shared}" width="${near(width)}" height="${near(isOpen ? HEADER : height)}" rx="6"/>`
      + `${isOpen ? part.head[1] : part.inside}</g>`;
  }

  const picture = document.getElementById("picture");

  function draw() {
    const plan = planned(network.stacks[0]);
    const out = { boxes: [], lines: [], tags: [] };
    drawn(network.stacks[0], plan, MARGIN, MARGIN, 0, out);
    const [width, height] = [plan.width + 2 * MARGIN, plan.height + 2 * MARGIN].map(Math.ceil);
    picture.setAttribute("width", width);
    picture.setAttribute("height", height);
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.innerHTML = [...out.boxes, ...out.lines, ...out.tags].join("");
  }

  // Opens or closes a stack. It stays where it is on the screen, and keeps the focus.
  function toggle(element) {
    const stack = Number(element.dataset.stack);
    const before = element.getBoundingClientRect();
    if (!open.delete(stack)) open.add(stack);
    draw();
    const now = picture.querySelector(`[data-stack="${stack}"]`);
    const after = now.getBoundingClientRect();
    window.scrollBy(0, after.top - before.top);
    now.focus({ preventScroll: true });
  }

  picture.addEventListener("click", (event) => {
    const element = event.target.closest("[data-stack]");
    if (element && !String(window.getSelection())) toggle(element);
  });
  picture.addEventListener("keydown", (event) => {
    const element = event.target.closest("[data-stack]");
    if (!element || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    toggle(element);
  });
  const all = (change) => () => {
    network.stacks.forEach((_, n) => { if (n) change(n); });
    draw();
  };
  document.getElementById("expand")?.addEventListener("click", all((n) => open.add(n)));
  document.getElementById("collapse")?.addEventListener("click", all((n) => open.delete(n)));
  draw();
})();
