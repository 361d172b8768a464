// The table: sorted, filtered, with the columns that the reader wants.
const FACTS = [
  ["clips", "clips", (e) => Math.max(-1, ...Object.values(e.scores).map((s) => s.clips))],
  ["coverage", "coverage", (e) => Math.min(2, ...Object.values(e.scores).map((s) => s.coverage))],
  ["shown", "is shown", (e) => e.shown],
  ["trained on", "trained on", (e) => e.trained_on],
  ["training", "training", (e) => e.training],
  ["weights", "weights", (e) => e.source],
  ["seeds", "seeds", (e) => (e.kind === "method" ? e.seeds.length : null)],
  ["parameters", "parameters", (e) => e.parameters || null],
  ["frames/s", "frames/s", (e) => e.fps],
  ["real-time factor", "real‑time factor", (e) => e.rtf],
  ["device", "device", (e) => e.device],
];
const COUNTS = new Set(["clips", "coverage"]);
const TEXTS = new Set(["device", "shown", "training", "trained on", "weights"]);
const FIRST_HIGH = new Set(["frames/s", "coverage", "clips", "seeds"]);

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

/** Two tables of the same lines: what they got, and what they are. */
function tableParts() {
  const board = track(), entries = order(shownEntries());
  const of = (kind) => entries.filter((e) => e.kind === kind);
  const columns = board.columns.filter((c) => !state.hidden.has(`metric:${c.metric}`));
  const counts = FACTS.filter(([key]) => COUNTS.has(key) && !state.hidden.has(key));
  const about = FACTS.filter(([key]) => !COUNTS.has(key) && !state.hidden.has(key));
  const ranges = Object.fromEntries(columns.map((column) => [column.metric, rangeOf(board, column)]));
  const scores = (kind) => of(kind).map((e) => row(e, true, columns.map((column) => scoreCell(e, column, ranges[column.metric])), factCells(e, counts)));
  const facts = of("method").map((e) => row(e, false, factCells(e, about)));
  const summaries = of("reference").map((e) => row(e, false, el("td", { class: "text summary", colspan: about.length || 1 }, e.summary)));
  return [grid("Leaderboard", "scores", [columns.map(metricHeading), counts.map(factHeading)], scores("method"), scores("reference")),
    entries.length ? null : el("p", { class: "muted" }, "No line fits the filter."), legend(),
    about.length ? [el("h2", {}, "What they are"), grid("What they are", "facts", about.map(factHeading), facts, summaries), el("p", { class: "muted small" }, DATA.rtf)] : null].flat().filter(Boolean);
}

function grid(name, className, headings, methods, references) {
  const width = 1 + headings.flat().length;
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name }, el("table", { class: className },
    el("thead", {}, el("tr", {}, heading("name", "method", "first", 1), headings)),
    el("tbody", { class: "methods" }, methods),
    references.length ? el("tbody", { class: "references" },
      el("tr", { class: "group" }, el("th", { colspan: width, scope: "colgroup" }, el("span", {}, "References: never ranked"))), references) : null));
}

function row(entry, scored, ...cells) {
  const unfinished = entry.status === "done" ? null : el("span", { class: "about" }, el("span", { class: "state" }, entry.status), ` ${entry.reason}`);
  return el("tr", { "data-entry": entry.name },
    el("th", { scope: "row", class: "first" },
      el("span", { class: "who" }, swatch(entry), el("button", { type: "button", class: entry.name.length > 24 ? "name long" : "name", onclick: () => aboutEntry(entry) }, entry.name)),
      scored && entry.kind === "method" ? el("span", { class: "about" }, entry.shown) : null, scored ? unfinished : null), cells);
}

const factCells = (entry, about) => about.map(([key]) => el("td", { class: TEXTS.has(key) ? `text ${key.replace(" ", "-")}` : "count" }, entry.facts[key] || "–"));

function legend() {
  const items = [["1.2–1.4", `beneath a value: 95 % interval (${DATA.intervals})`], ["±", "standard deviation over training seeds, apart from the interval"], ...Object.entries(DATA.signs), ["→1", DATA.near.slice(0, -1)],
    ["coverage", "share of frames, windows or words that could be scored; the least of the line's metrics"]];
  return el("dl", { class: "legend" }, items.map(([sign, meaning]) => el("div", {}, el("dt", {}, sign), el("dd", {}, meaning))));
}

/** What the reader chose, where this track has it; else what the leaderboard is ordered by, best first. */
function sorting() {
  const chosen = state.sort, own = `metric:${track().sort}`;
  const there = chosen && (!chosen.key.startsWith("metric:") || track().columns.some((c) => `metric:${c.metric}` === chosen.key));
  return there ? chosen : { key: own, direction: 1 };
}

function order(entries) {
  const { key, direction } = sorting(), metric = key.slice(7), fact = FACTS.find(([name]) => name === key);
  const of = key === "name" ? (e) => e.name.toLowerCase() : fact ? fact[2] : (e) => (e.scores[metric] ? e.scores[metric].cost : null);
  return sorted(entries, of, direction);
}

/** A heading to sort by; `first` is the direction of the first press, `rises` whether what is shown rises with it. */
function heading(key, label, className, first, rises = true, more = null) {
  const now = sorting(), active = now.key === key;
  const up = active && (now.direction === 1) === rises;
  const press = () => {
    state.sort = { key, direction: active ? -now.direction : first };
    render();
    document.querySelector(`[data-sort="${CSS.escape(key)}"]`).focus();
  };
  return el("th", { scope: "col", class: className, "aria-sort": active ? (up ? "ascending" : "descending") : null },
    el("span", { class: "head" }, el("button", { type: "button", class: "sort", "data-sort": key, onclick: press }, label), more));
}

const factHeading = ([key, label]) => heading(key, label, TEXTS.has(key) ? `text ${key.replace(" ", "-")}` : "", FIRST_HIGH.has(key) ? -1 : 1);

/** A long name may break behind its underscores. */
const brokenName = ({ metric, arrow }) => (metric.length < 12 ? metric : metric.split("_").flatMap((part, i) => (i ? ["_", el("wbr"), part] : part))).concat(`\u00a0${arrow}`);

const metricHeading = (column) => heading(`metric:${column.metric}`, brokenName(column), "", 1, column.better !== "higher",
  el("span", { class: "unit" }, column.unit, infoButton(column)));

/** The span of the methods' intervals, on which the small bars of a column are drawn. */
function rangeOf(board, column) {
  const scores = board.entries.filter((e) => e.kind === "method").map((e) => e.scores[column.metric]).filter((s) => s && s.value !== null);
  const ends = scores.flatMap((s) => [s.value, s.low, s.high]).filter((v) => v !== null);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, 1];
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
      [entry.seeds.length > 1 ? "seeds" : "seed", entry.kind === "method" ? entry.seeds.join(", ") : ""], ["from", entry.dist], ["status", f.status]]),
    rows.length ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores" }, el("table", { class: "compact" }, el("thead", {}, el("tr", {}, head.map((h, i) => el("th", { scope: "col", class: i ? "" : "first" }, h)))), el("tbody", {}, rows))) : null,
    remarks.size ? el("ul", { class: "small" }, [...remarks].map(([text, metrics]) => el("li", {}, `${text} (${metrics.length === scored.length ? "all metrics" : metrics.join(", ")})`))) : null,
    rows.length && entry.kind === "method" ? el("p", { class: "muted small" }, "p: of the comparison with the best, paired by clip, after Holm's correction; from 0.05 on it is a tie.") : null);
}
