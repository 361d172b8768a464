// Clips: a list from best to worst, and one clip with all its videos in step.
const clipLink = (place) => `#/clip/${encodeURIComponent(DATA.clips[place])}`;
const PAGE = 50;
const listing = { entry: null, metric: null, direction: -1, shown: PAGE };

function clipsView() {
  const board = track();
  if (!board.entries.length || !board.columns.length) return [el("p", { class: "muted" }, "There are no scores.")];
  const byName = (name) => board.entries.find((e) => e.name === name);
  if (!byName(listing.entry)) listing.entry = board.entries[0].name;
  if (!board.columns.some((c) => c.metric === listing.metric)) listing.metric = board.columns[0].metric;
  const change = (key) => (value) => { listing[key] = value; listing.shown = PAGE; render(); };
  return [el("div", { class: "tools" },
    select("Of", board.entries.map((e) => [e.name, e.name]), listing.entry, change("entry")),
    select("by", board.columns.map((c) => [c.metric, `${c.metric} ${c.arrow}`]), listing.metric, change("metric")),
    segments("Order", [[-1, "worst first"], [1, "best first"]], listing.direction, change("direction"))),
  clipList(board, byName(listing.entry), board.columns.find((c) => c.metric === listing.metric)), leftOut()];
}

function leftOut() {
  const parts = [];
  if (DATA.clips.length < DATA.allClips) parts.push(`${DATA.clips.length} of ${DATA.allClips} clips are on this page, evenly chosen; the table counts all.`);
  if (DATA.reasonsLeftOut) parts.push(`${DATA.reasonsLeftOut} reasons of single clips were left out; the rows have them.`);
  return parts.length ? el("p", { class: "muted small" }, parts.join(" ")) : null;
}

function clipList(board, entry, column) {
  const values = clipValues(board, entry, column.metric);
  const order = sorted(DATA.clips.map((_, place) => place), (place) => cost(column, values[place]), listing.direction);
  const numbers = values.filter((v) => v !== null);
  const [least, most] = [Math.min(0, ...numbers), Math.max(...numbers)];
  const rows = order.slice(0, listing.shown).map((place, rank) => {
    const value = values[place], why = value === null ? reasonsOf(board, entry.cells, column.metric, place).join("; ") : "";
    return el("tr", {}, el("td", { class: "muted" }, String(rank + 1)),
      el("th", { scope: "row", class: "text" }, el("a", { href: clipLink(place) }, DATA.clips[place])), el("td", { class: "text speaker" }, DATA.speakers[place]),
      el("td", {}, fmt(value, column.decimals)),
      el("td", { class: "meter-cell" }, value === null ? el("span", { class: "left small" }, why || "no row") :
        el("span", { class: "meter", style: `width:${(100 * (value - least)) / (most - least || 1)}%;background:${colour(entry)}` })));
  });
  const more = el("button", { type: "button", onclick: () => { listing.shown += PAGE; render(); } }, `Show ${PAGE} more`);
  return el("div", {}, el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Clips" }, el("table", { id: "clips" },
    el("thead", {}, el("tr", {}, [["", ""], ["clip", "text"], ["speaker", "text speaker"], [metricName(column), ""], ["", "text"]].map(([name, of]) => el("th", { scope: "col", class: of }, name)))),
    el("tbody", {}, rows))), order.length > listing.shown ? el("p", {}, more) : null);
}

function reasonsOf(board, cells, metric, place) {
  const found = cells.map((cell) => ((board.reasons[cell] || {})[metric] || {})[place]).filter((r) => r !== undefined);
  return [...new Set(found)].map((reason) => DATA.reasons[reason]);
}

const isReal = (entry) => entry.kind === "reference" && /^real/.test(entry.name);

/** The cells of a track with their lines: the real video first (of another track where this one has none), then methods,
 *  then the other references. */
function sources(board) {
  const all = board.entries.flatMap((entry) => entry.cells.map((cell, i) => ({ entry, cell, first: i === 0,
    label: entry.kind === "method" && entry.cells.length > 1 ? `${entry.name}, seed ${entry.seeds[i]}` : entry.name })));
  const place = ({ entry }) => (entry.kind === "reference" ? (isReal(entry) ? 0 : 2) : 1);
  const own = all.some((s) => isReal(s.entry)) ? null : DATA.tracks.flatMap((t) => t.entries).find(isReal);
  const real = own ? [{ entry: own, cell: own.cells[0], first: true, foreign: true, label: `${own.name}, with its own sound` }] : [];
  return [...real, ...sorted(all, place, 1)];
}

const hiddenCells = new Set();
let stopPlayer = () => {};

function clipView(place) {
  const board = track(), name = DATA.clips[place];
  const of = sources(board);
  for (const s of of) if (!s.first && !hiddenCells.has(`seen:${s.cell}`)) { hiddenCells.add(s.cell); hiddenCells.add(`seen:${s.cell}`); }
  const grid = el("div", { class: "videos" }), player = new Player();
  const draw = () => {
    const shown = of.filter((s) => !hiddenCells.has(s.cell));
    const rows = Math.ceil(shown.length / 6) || 1;
    grid.setAttribute("style", `--rows:${rows};--columns:${Math.ceil(shown.length / rows) || 1}`);
    grid.replaceChildren(...shown.map((s) => figure(board, s, place, player)));
    player.take([...grid.querySelectorAll("video")], shown.map((s) => s.label), shown.findIndex((s) => !s.foreign));
  };
  const chips = of.map((s) => el("button", { type: "button", "aria-pressed": String(!hiddenCells.has(s.cell)), onclick: (event) => {
    hiddenCells.has(s.cell) ? hiddenCells.delete(s.cell) : hiddenCells.add(s.cell);
    event.target.setAttribute("aria-pressed", String(!hiddenCells.has(s.cell)));
    draw();
  } }, s.label));
  draw();
  const keys = (event) => player.key(event);
  addEventListener("keydown", keys);
  stopPlayer = () => { removeEventListener("keydown", keys); player.stop(); };
  const step = (to, text) => (to >= 0 && to < DATA.clips.length ? el("a", { href: clipLink(to) }, text) : null);
  return [el("div", { class: "crumbs" }, el("h2", { style: "margin:0" }, name), el("span", { class: "muted" }, `speaker ${DATA.speakers[place]}`),
    step(place - 1, "← before"), step(place + 1, "next →"), el("a", { href: "#/clips" }, "all clips")),
  el("div", { class: "stage" }, grid, player.controls, el("div", { class: "chips", role: "group", "aria-label": "Videos shown" }, chips)), clipRows(board, of, place)];
}

function figure(board, { entry, cell, label }, place, player) {
  const folder = [DATA.videos, "cells", cell, "videos", DATA.files[place]].map((part) => part.split("/").map(encodeURIComponent).join("/")).join("/");
  const frame = el("div", { class: "frame" });
  const video = el("video", { playsinline: true, preload: "auto", "aria-label": label, "data-cell": cell });
  video.muted = true;
  video.addEventListener("error", () => {
    frame.append(el("div", { class: "none" }, "no video here"));
    if (!player.drop(video)) frame.closest(".stage")?.replaceChildren(el("p", { class: "muted" }, "The videos of this clip do not lie beside this page; zoo benchmark makes them."));
  });
  video.addEventListener("loadedmetadata", () => { frame.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`; });
  video.src = folder;
  frame.append(video);
  const metric = board.columns.find((c) => c.metric === listing.metric) || board.columns[0];
  const value = metric ? ((board.values[cell] || {})[metric.metric] || [])[place] : null;
  const sound = (board.sounds[cell] || {})[place];
  const text = [metric && value !== undefined ? `${metric.metric} ${fmt(value, metric.decimals)}` : "", sound ? `sound of ${sound}` : ""].filter(Boolean).join(", ");
  return el("figure", { class: isReal(entry) ? "real" : "" }, frame,
    el("figcaption", {}, el("span", { class: "who" }, swatch(entry), el("b", {}, label)), el("span", { class: "about" }, text)));
}

/** One set of controls that drives all videos; the others follow the first. */
class Player {
  constructor() {
    this.videos = [];
    this.heard = null;
    this.playing = false;
    this.play = el("button", { type: "button", id: "play", onclick: () => this.toggle() }, "▶ Play");
    this.seek = el("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0, "aria-label": "Time", oninput: () => this.at(Number(this.seek.value)) });
    this.time = el("span", { class: "time" });
    this.sound = el("select", { "aria-label": "Sound", onchange: () => this.hear(Number(this.sound.value)) });
    const frame = (by, text, label) => el("button", { type: "button", "aria-label": label, onclick: () => this.frame(by) }, text);
    this.controls = el("div", { class: "player", role: "group", "aria-label": "Player" }, this.play, frame(-1, "‹", "One frame back"), frame(1, "›", "One frame on"), this.seek, this.time,
      select("Speed", [[0.25, "¼"], [0.5, "½"], [1, "1"]], 1, (value) => { this.rate = Number(value); this.videos.forEach((v) => { v.playbackRate = this.rate; }); }),
      el("label", {}, el("span", { class: "muted" }, "Sound"), this.sound));
    this.rate = 1;
    this.last = 0;
    this.show();
  }

  /** Drive these videos; the one at `heard` gives the sound until another is chosen. */
  take(videos, labels, heard) {
    this.videos = videos;
    if (this.heard === null) this.heard = videos[Math.max(0, heard)] || null;
    this.labels = new Map(videos.map((video, i) => [video, labels[i]]));
    for (const video of videos) {
      video.playbackRate = this.rate;
      video.addEventListener("loadedmetadata", () => { this.show(); if (this.last) video.currentTime = this.last; if (this.playing) video.play().catch(() => {}); }, { once: true });
    }
    this.listSounds();
  }

  listSounds() {
    const options = [el("option", { value: -1 }, "off"), ...this.videos.map((video, i) => el("option", { value: i }, this.labels.get(video)))];
    this.sound.replaceChildren(...options);
    this.hear(this.heard && !this.videos.includes(this.heard) ? 0 : this.videos.indexOf(this.heard));
  }

  /** Goes on without one; how many are left. */
  drop(video) {
    this.videos = this.videos.filter((other) => other !== video);
    this.listSounds();
    this.show();
    return this.videos.length;
  }

  hear(which) {
    this.heard = this.videos[which] || null;
    this.sound.value = String(which);
    this.videos.forEach((video, i) => { video.muted = i !== which; });
  }

  get duration() { return Math.max(0, ...this.videos.map((video) => video.duration || 0)); }

  get lead() { return this.videos.find((video) => video.duration === this.duration) || this.videos[0]; }

  toggle() {
    if (this.playing) return this.pause();
    if (!this.videos.length) return undefined;
    if (this.lead.currentTime >= this.duration - 0.02) this.at(0);
    this.playing = true;
    this.play.textContent = "❚❚ Pause";
    // A browser may refuse to start sound without a press; then it goes on without.
    for (const video of this.videos) video.play().catch(() => { video.muted = true; video.play().catch(() => {}); });
    this.tick();
    return undefined;
  }

  pause() {
    this.playing = false;
    this.play.textContent = "▶ Play";
    this.videos.forEach((video) => video.pause());
    this.hear(this.videos.indexOf(this.heard));
    if (this.lead) this.at(this.lead.currentTime);
  }

  stop() {
    this.playing = false;
    for (const video of this.videos) { video.pause(); video.removeAttribute("src"); }
    this.videos = [];
  }

  at(time) {
    this.last = Math.max(0, Math.min(time, this.duration));
    for (const video of this.videos) video.currentTime = Math.min(this.last, video.duration || 0);
    this.show();
  }

  frame(by) {
    this.pause();
    if (this.lead) this.at((Math.round(this.lead.currentTime * 25 - 0.5 + 1e-6) + by + 0.5) / 25);
  }

  tick() {
    if (!this.playing || !this.lead) return;
    const now = this.lead.currentTime;
    this.last = now;
    for (const video of this.videos) {
      if (video !== this.lead && !video.seeking && !video.ended && Math.abs(video.currentTime - now) > 0.06 && now < (video.duration || 0)) video.currentTime = now;
    }
    this.show();
    if (this.lead.ended) { this.at(0); for (const video of this.videos) video.play().catch(() => {}); }
    requestAnimationFrame(() => this.tick());
  }

  show() {
    const length = this.duration;
    this.seek.max = length || 1;
    this.seek.value = this.last;
    this.time.textContent = `${this.last.toFixed(2)} / ${length.toFixed(2)} s`;
    this.play.disabled = !this.videos.length;
  }

  key(event) {
    const at = event.target, typed = at.tagName === "INPUT" && at.type !== "range";
    if (typed || /^(SELECT|TEXTAREA)$/.test(at.tagName) || event.altKey || event.ctrlKey || event.metaKey || $("sheet").open) return;
    // A button or link has Space for itself, and a table that scrolls sideways the arrows.
    if (event.key === " " ? /^(BUTTON|A|SUMMARY)$/.test(at.tagName) : at.classList?.contains("scroll")) return;
    if (event.key === " ") this.toggle();
    else if (event.key === "ArrowRight") this.frame(1);
    else if (event.key === "ArrowLeft") this.frame(-1);
    else return;
    event.preventDefault();
  }
}

function clipRows(board, of, place) {
  const reasons = [], own = of.filter((s) => !s.foreign);
  const valueOf = (cell, column) => ((board.values[cell] || {})[column.metric] || [])[place] ?? null;
  const best = new Map(board.columns.map((column) => [column, Math.min(...own.filter((s) => s.entry.kind === "method").map((s) => cost(column, valueOf(s.cell, column)) ?? Infinity))]));
  const rows = own.map(({ entry, cell, label }) => el("tr", {}, el("th", { scope: "row", class: "first" }, el("span", { class: "who" }, swatch(entry), el("span", {}, label))),
    board.columns.map((column) => {
      const value = valueOf(cell, column), why = reasonsOf(board, [cell], column.metric, place);
      for (const text of why) reasons.push([`${label}: ${text}`, column.metric]);
      const first = entry.kind === "method" && value !== null && cost(column, value) === best.get(column);
      return el("td", { class: why.length ? "left" : "" }, first ? el("b", { class: "leads" }, fmt(value, column.decimals)) : fmt(value, column.decimals));
    })));
  const byReason = new Map();
  for (const [text, metric] of reasons) byReason.set(text, [...(byReason.get(text) || []), metric]);
  return [el("h2", {}, "Scores of this clip"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores of this clip" }, el("table", { id: "rows", class: "compact" },
      el("thead", {}, el("tr", {}, el("th", { class: "first", scope: "col" }, "video"), board.columns.map((c) => el("th", { scope: "col" }, metricName(c))))), el("tbody", {}, rows))),
    el("p", { class: "muted small" }, "Bold: the best of the methods on this clip."),
    byReason.size ? el("ul", { class: "small" }, [...byReason].map(([text, metrics]) => el("li", {}, `${text} (${metrics.join(", ")})`))) : null];
}
