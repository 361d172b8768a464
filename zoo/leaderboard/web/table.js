// The table: sorted, filtered, with the columns that the reader wants.
const FACTS = [
  ["parameters", "parameters", (e) => e.parameters || null],
  ["frames/s", "frames/s", (e) => e.fps],
  ["real-time factor", "real-time factor", (e) => e.rtf],
  ["device", "device", (e) => e.device],
  ["shown", "is shown", (e) => e.shown],
  ["training", "training", (e) => e.training],
  ["trained on", "trained on", (e) => e.trained_on],
  ["weights", "weights", (e) => e.source],
  ["seeds", "seeds", (e) => (e.kind === "method" ? e.seeds.length : null)],
  ["clips", "clips", (e) => Math.max(-1, ...Object.values(e.scores).map((s) => s.clips))],
  ["coverage", "coverage", (e) => Math.min(2, ...Object.values(e.scores).map((s) => s.coverage))],
];
const TEXTS = new Set(["device", "shown", "training", "trained on", "weights"]);
const FIRST_HIGH = new Set(["frames/s", "coverage", "clips", "seeds"]);
state.hidden = new Set(["device", "shown", "weights", "real-time factor"]);

function tableView() {
  const holder = el("div");
  const draw = () => holder.replaceChildren(...tableParts());
  const tools = el("div", { class: "tools" },
    el("input", { type: "search", placeholder: "Filter by name or text", "aria-label": "Filter lines by name or text", value: state.text,
      oninput: (event) => { state.text = event.target.value; draw(); } }),
    kindBox("method", "methods", draw), kindBox("reference", "references", draw), columnBox(draw));
  draw();
  return [tools, holder];
}

function kindBox(kind, label, draw) {
  return el("label", {}, el("input", { type: "checkbox", checked: state.kinds[kind],
    onchange: (event) => { state.kinds[kind] = event.target.checked; draw(); } }), label);
}

function columnBox(draw) {
  const names = [...track().columns.map((c) => [`metric:${c.metric}`, c.metric]), ...FACTS.map(([key, label]) => [key, label])];
  const box = (key, label) => el("label", {}, el("input", { type: "checkbox", checked: !state.hidden.has(key),
    onchange: (event) => { event.target.checked ? state.hidden.delete(key) : state.hidden.add(key); draw(); } }), label);
  return el("details", { class: "columns", onkeydown: (event) => { if (event.key === "Escape") event.currentTarget.open = false; } },
    el("summary", {}, "Columns"), el("div", { class: "choices" }, names.map(([key, label]) => box(key, label))));
}

function shownEntries() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return track().entries.filter((entry) => {
    const text = [entry.name, entry.kind, entry.summary, entry.shown, entry.training, entry.device, entry.dist, entry.trained_on, entry.status].join(" ").toLowerCase();
    return state.kinds[entry.kind] && words.every((word) => text.includes(word));
  });
}

function tableParts() {
  const board = track();
  const columns = board.columns.filter((c) => !state.hidden.has(`metric:${c.metric}`));
  const about = FACTS.filter(([key]) => !state.hidden.has(key));
  const entries = order(shownEntries());
  const ranges = Object.fromEntries(columns.map((column) => [column.metric, rangeOf(board, column)]));
  const body = (kind) => entries.filter((e) => e.kind === kind).map((e) => line(e, columns, about, ranges));
  const width = 1 + columns.length + about.length;
  const references = body("reference");
  const table = el("table", {},
    el("thead", {}, el("tr", {}, heading("name", "method", "first", 1), columns.map(metricHeading),
      about.map(([key, label]) => heading(key, label, TEXTS.has(key) ? "text" : "", FIRST_HIGH.has(key) ? -1 : 1)))),
    el("tbody", { id: "methods" }, body("method")),
    references.length ? el("tbody", { id: "references" },
      el("tr", { class: "group" }, el("th", { colspan: width, scope: "colgroup" }, el("span", {}, "References: never ranked"))), references) : null);
  const nothing = entries.length ? null : el("p", { class: "muted" }, "No line fits the filter.");
  return [el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Leaderboard" }, table), nothing,
    el("p", { class: "muted small" }, `Beneath a value: 95 % interval (${DATA.intervals}); ± standard deviation over training seeds. ${DATA.legend}`),
    el("p", { class: "muted small" }, `${DATA.near} Bars show value and interval on a scale shared by the methods of the column. Real-time factor: time taken over time shown, at 25 frames per second. Coverage: share of frames, windows or words that could be scored, the least of the line.`)].filter(Boolean);
}

function order(entries) {
  const sort = state.sort;
  if (!sort) return entries;
  if (sort.key === "name") return sorted(entries, (e) => e.name.toLowerCase(), sort.direction);
  if (sort.key.startsWith("metric:")) {
    const metric = sort.key.slice(7);
    return sorted(entries, (e) => (e.scores[metric] ? e.scores[metric].cost : null), sort.direction);
  }
  const fact = FACTS.find(([key]) => key === sort.key);
  return fact ? sorted(entries, fact[2], sort.direction) : entries;
}

/** A heading to sort by; `first` is the direction of the first press, `rises` whether what is shown rises with it. */
function heading(key, label, className, first, rises = true, more = null) {
  const active = state.sort && state.sort.key === key;
  const up = active && (state.sort.direction === 1) === rises;
  const press = () => {
    state.sort = { key, direction: active ? -state.sort.direction : first };
    render();
    document.querySelector(`[data-sort="${CSS.escape(key)}"]`).focus();
  };
  return el("th", { scope: "col", class: className, "aria-sort": active ? (up ? "ascending" : "descending") : null },
    el("span", { class: "head" }, el("button", { type: "button", class: "sort", "data-sort": key, onclick: press }, label), more));
}

function metricHeading(column) {
  const label = [`${column.metric} ${column.arrow}`, column.unit ? el("span", { class: "unit" }, column.unit) : null];
  return heading(`metric:${column.metric}`, label, "", 1, column.better !== "higher", infoButton(column));
}

/** The span of the methods' intervals, on which the small bars of a column are drawn. */
function rangeOf(board, column) {
  const scores = board.entries.filter((e) => e.kind === "method").map((e) => e.scores[column.metric]).filter((s) => s && s.value !== null);
  const ends = scores.flatMap((s) => [s.value, s.low, s.high]).filter((v) => v !== null);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, 1];
}

function line(entry, columns, about, ranges) {
  const state_ = entry.status === "done" ? null : el("span", { class: "about" }, el("span", { class: "state" }, entry.status), ` ${entry.reason}`);
  return el("tr", { "data-entry": entry.name },
    el("th", { scope: "row", class: "first" },
      el("span", { class: "who" }, entry.kind === "method" ? swatch(entry) : null,
        el("button", { type: "button", class: "name", onclick: () => aboutEntry(entry) }, entry.name)),
      el("span", { class: "about" }, entry.kind === "method" ? entry.shown : entry.summary), state_),
    columns.map((column) => scoreCell(entry, column, ranges[column.metric])),
    about.map(([key]) => el("td", { class: TEXTS.has(key) ? "text" : "" }, entry.facts[key] || (TEXTS.has(key) ? "" : "–"))));
}

function scoreCell(entry, column, range) {
  const score = entry.scores[column.metric];
  if (!score || score.value === null) {
    return el("td", {}, el("span", { class: "value" }, el("b", {}, "–"), el("i")), score && score.reason ? el("span", { class: "sub left" }, "not scored") : null);
  }
  const d = column.decimals;
  const counted = score.seeds.filter((v) => v !== null).length;
  const same = new Set(Object.values(entry.scores).map((s) => s.coverage)).size === 1;
  const off = column.better.startsWith("near") && column.reduce === "mean" ? `${fmt(score.cost, d)} off` : "";
  return el("td", { class: score.state },
    el("span", { class: "value" }, el("b", {}, fmt(score.value, d)), el("i", { "aria-label": STATES[score.state] }, markOf(score))),
    entry.kind === "method" ? rangeBar(entry, score, range) : null,
    el("span", { class: "sub" }, spanOf(score, d)),
    off ? el("span", { class: "sub" }, off) : null,
    score.spread !== null ? el("span", { class: "sub" }, `±${fmt(score.spread, d)}`) : null,
    counted > 0 && counted < score.seeds.length ? el("span", { class: "sub left" }, `${counted} of ${score.seeds.length} seeds`) : null,
    score.coverage < 1 && !same ? el("span", { class: "sub left" }, `${percent(score.coverage)} scored`) : null);
}

function rangeBar(entry, score, [least, most]) {
  const x = (value) => 3 + (78 * (value - least)) / (most - least || 1);
  const mark = svg("svg", { class: "range", viewBox: "0 0 84 9", "aria-hidden": "true" }, svg("line", { x1: 3, x2: 81, y1: 4.5, y2: 4.5, class: "grid" }));
  if (score.low !== null) mark.append(svg("line", { x1: x(score.low), x2: x(score.high), y1: 4.5, y2: 4.5, stroke: colour(entry), "stroke-width": 3, "stroke-linecap": "round", opacity: 0.55 }));
  mark.append(point(entry, x(score.value), 4.5, 3));
  return mark;
}

function aboutEntry(entry) {
  const f = entry.facts;
  const scored = track().columns.filter((c) => entry.scores[c.metric]);
  const rows = scored.map((column) => {
    const score = entry.scores[column.metric], d = column.decimals;
    const ranked = score.protocol ? "other protocol" : score.state;
    return el("tr", {}, el("th", { scope: "row", class: "first" }, `${column.metric} ${column.arrow}`), el("td", {}, fmt(score.value, d), el("span", { class: "muted" }, markOf(score))),
      el("td", {}, spanOf(score, d)), el("td", {}, score.seeds.map((v) => fmt(v, d)).join(", ")), el("td", {}, score.p === null ? "" : score.p < 0.001 ? "<0.001" : score.p.toFixed(3)),
      el("td", {}, `${score.clips}`), el("td", {}, percent(score.coverage)), el("td", { class: "text" }, ranked));
  });
  const remarks = new Map();
  for (const column of scored) {
    const score = entry.scores[column.metric];
    for (const text of [score.protocol && `† ${score.protocol}`, score.reason]) if (text) remarks.set(text, [...(remarks.get(text) || []), column.metric]);
  }
  const head = ["", "value", "95 % interval", entry.seeds.length > 1 ? "each seed" : "seed", "p", "clips", "coverage", ""];
  openSheet(entry.name, el("p", {}, entry.summary),
    facts([["kind", entry.kind === "method" ? "method" : "reference, never ranked"], ["is shown", entry.shown], ["training", entry.training], ["trained on", entry.trained_on],
      ["weights", entry.source], ["parameters", f.parameters], ["speed", entry.fps ? `${f["frames/s"]} frames/s, real-time factor ${f["real-time factor"]} on ${entry.device}` : ""],
      ["seeds", entry.kind === "method" ? entry.seeds.join(", ") : ""], ["from", entry.dist], ["status", f.status]]),
    rows.length ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((h, i) => el("th", { scope: "col", class: i ? "" : "first" }, h)))), el("tbody", {}, rows))) : null,
    remarks.size ? el("ul", { class: "small" }, [...remarks].map(([text, metrics]) => el("li", {}, `${text} (${metrics.length === scored.length ? "all metrics" : metrics.join(", ")})`))) : null,
    rows.length && entry.kind === "method" ? el("p", { class: "muted small" }, "p: of the comparison with the best, paired by clip, after Holm's correction; from 0.05 on it is a tie.") : null);
}
