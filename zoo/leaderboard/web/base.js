// Data, state and the small functions that all views share. Text from the data only ever becomes text nodes.
const DATA = JSON.parse(document.getElementById("data").textContent);
const state = { track: 0, sort: null, text: "", kinds: { method: true, reference: true }, hidden: new Set() };
const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== "") node.append(child);
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const track = () => DATA.tracks[state.track];
const fmt = (value, decimals) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value), digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const text = decimals < 0 || size >= 1e15 ? size.toExponential(2).replace("+", "") : size.toLocaleString("en-US", digits);
  return value < 0 && /[1-9]/.test(text) ? "−" + text : text;
};
const spanOf = (score, decimals) =>
  score.low === null ? "" : fmt(score.low, decimals) + (score.low < 0 || decimals < 0 ? " to " : "–") + fmt(score.high, decimals);
const percent = (share) => (share >= 1 ? "100 %" : (Math.floor(share * 1000 + 1e-9) / 10).toFixed(1) + " %");
const MARKS = { best: "★", tie: "≈", apart: "∅" };
const markOf = (score) => (score.protocol ? "†" : MARKS[score.state] || "");
const STATES = { best: "best", tie: "not significantly worse than the best", worse: "significantly worse than the best", apart: "no clip in common with the best that has the same sound", "": "not ranked" };

/** Colour of a line: methods by their place in the alphabet, the same in every view and track; references grey. From the
 *  ninth method on colours come again with another shape. */
const METHODS = [...new Set(DATA.tracks.flatMap((t) => t.entries.filter((e) => e.kind === "method").map((e) => e.name)))].sort();
const colour = (entry) => (entry.kind === "method" ? `var(--c${METHODS.indexOf(entry.name) % 8})` : "var(--ref)");
const SHAPES = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`,
  (x, y, r) => `M${x - r / 3} ${y - r}h${r / 1.5}v${r / 1.5}h${r / 1.5}v${r / 1.5}h${-r / 1.5}v${r / 1.5}h${-r / 1.5}v${-r / 1.5}h${-r / 1.5}v${-r / 1.5}h${r / 1.5}z`,
];
const shape = (entry) => (entry.kind === "method" ? Math.floor(METHODS.indexOf(entry.name) / 8) % SHAPES.length : 0);
/** The sign of a line at a place of a picture. */
const point = (entry, x, y, r) => svg("path", { class: "sign", d: SHAPES[shape(entry)](x, y, r), fill: colour(entry) });
const swatch = (entry) => svg("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" }, point(entry, 6, 6, 4.6));

/** A metric as a heading: name, direction, unit. */
const metricName = (column) => [`${column.metric} ${column.arrow}`, column.unit ? el("span", { class: "muted" }, ` ${column.unit}`) : null];

/** Width of a bold label of a picture in pixels. */
function textWidth(text) {
  textWidth.ruler ||= document.createElement("canvas").getContext("2d");
  textWidth.ruler.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
  return textWidth.ruler.measureText(text).width;
}

/** Values of an entry clip by clip: the mean over the seeds that have one. */
function clipValues(board, entry, metric) {
  const seeds = entry.cells.map((cell) => (board.values[cell] || {})[metric]).filter(Boolean);
  return DATA.clips.map((_, place) => {
    const found = seeds.map((values) => values[place]).filter((value) => value !== null);
    return found.length ? found.reduce((a, b) => a + b, 0) / found.length : null;
  });
}

/** Less is better. */
function cost(column, value) {
  if (value === null) return null;
  if (column.better.startsWith("near")) return Math.abs(value - Number(column.better.slice(5)));
  return column.better === "higher" ? -value : value;
}

/** Sorts by number or text; what has none comes last in either direction. */
function sorted(items, key, direction) {
  const none = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
  return items
    .map((item, place) => ({ item, place, value: key(item) }))
    .sort((a, b) => {
      if (none(a.value) || none(b.value)) return none(a.value) - none(b.value) || a.place - b.place;
      const order = typeof a.value === "string" ? a.value.localeCompare(b.value) : a.value - b.value;
      return order * direction || a.place - b.place;
    })
    .map(({ item }) => item);
}

function select(label, options, value, change) {
  const box = el("select", { "aria-label": label, onchange: (event) => { change(event.target.value); refocus(`select[aria-label="${label}"]`); } });
  for (const [key, text] of options) box.append(el("option", { value: key, selected: String(key) === String(value) }, text));
  return el("label", {}, el("span", { class: "muted" }, label), box);
}

function segments(label, options, value, change) {
  const buttons = options.map(([key, text]) =>
    el("button", { type: "button", "aria-pressed": String(key === value), onclick: () => { change(key); refocus(`[aria-label="${label}"] [aria-pressed="true"]`); } }, text));
  return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

/** Where a change drew the view anew, what was pressed has gone: the keyboard goes on from what took its place. */
function refocus(css) {
  if (document.activeElement === document.body) document.querySelector(css)?.focus();
}

function openSheet(title, ...body) {
  $("sheet-title").textContent = title;
  $("sheet-body").replaceChildren(...body.flat().filter(Boolean));
  $("sheet").showModal();
  $("sheet-body").parentElement.scrollTop = 0;
}

function facts(pairs) {
  return el("dl", {}, pairs.filter(([, text]) => text).map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
}

/** The button that opens the protocol of a column; drawn, because few fonts have the sign. */
function infoButton(column) {
  const sign = svg("svg", { width: 15, height: 15, viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("circle", { cx: 8, cy: 8, r: 6.4, fill: "none", stroke: "currentColor", "stroke-width": 1.3 }),
    svg("path", { d: "M8 7.2v4M8 4.6v.2", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round" }));
  return el("button", { type: "button", class: "info", "aria-label": `Protocol of ${column.metric}`, onclick: () => aboutColumn(column) }, sign);
}

const signature = (text) => el("div", { class: "signature" }, text.split("|").map((part) => el("code", {}, part)));

const DIRECTIONS = { lower: "lower is better", higher: "higher is better", "near 0": "near 0 is better", "near 1": "near 1 is better" };

function aboutColumn(column) {
  const reduce = column.reduce === "ratio" ? "ratio of the sums over clips" : "mean of the clips' values";
  openSheet(`${column.metric} ${column.arrow}`, el("p", {}, column.summary + "."),
    facts([["direction", DIRECTIONS[column.better]], ["unit", column.unit], ["over clips", reduce], ["intervals", "95 %, " + DATA.intervals]]),
    el("h3", {}, "Protocol"), signature(column.protocol),
    el("p", { class: "muted small" }, "Only scores of this protocol are ranked with each other."));
}
