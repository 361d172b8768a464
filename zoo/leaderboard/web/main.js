// Views, the address behind "#", light and dark.
const VIEWS = [["table", "Leaderboard", tableView], ["plots", "Distributions", plotsView], ["speed", "Quality and speed", speedView], ["clips", "Clips", clipsView], ["protocols", "Protocols", protocolsView], ["papers", "From papers", papersView]];

function protocolsView() {
  const board = track();
  const others = board.entries.flatMap((e) => Object.values(e.scores).filter((s) => s.protocol).map((s) => [e.name, s.protocol]));
  return [el("p", { class: "muted" }, "The same name means different things in different papers. These are the exact measures behind the columns."),
    el("div", { class: "panels" }, board.columns.map((c) => el("section", { class: "panel" }, el("header", {}, el("h3", {}, metricName(c)), el("span", { class: "muted small" }, DIRECTIONS[c.better])), el("p", {}, `${c.summary}.`), signature(c.protocol)))),
    others.length ? [el("h2", {}, "† Other protocols, not ranked"), others.map(([name, text]) => el("p", {}, `${name}: `, el("code", {}, text)))] : null].flat(3).filter(Boolean);
}

/** A table for every table of a paper, those on our data set first. */
function papersView() {
  const groups = new Map();
  for (const r of sorted(DATA.reported, (r) => (r.dataset === DATA.dataset ? 0 : 1), 1)) groups.set(r.source, [...(groups.get(r.source) || []), r]);
  const paper = ([source, rows]) => {
    const names = [...new Set(rows.flatMap((r) => Object.keys(r.values)))];
    const flags = [...new Set(rows.flatMap((r) => Object.entries(r.flags).map(([name, why]) => `‡ ${name}: ${why}.`)))];
    const line = (r) => el("tr", {}, el("th", { scope: "row", class: "first" }, r.method), el("td", { class: "text" }, r.dataset || "–"),
      names.map((name) => el("td", { class: r.flags[name] && r.values[name] ? "left" : "" }, r.values[name] || "–", el("i", { class: "sign" }, r.flags[name] && r.values[name] ? "‡" : ""))));
    return el("section", {}, el("h2", {}, source), flags.map((text) => el("p", { class: "left small" }, text)),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": source }, el("table", { class: "compact" },
        el("thead", {}, el("tr", {}, ["method", "dataset", ...names].map((h, i) => el("th", { scope: "col", class: i === 0 ? "first" : i === 1 ? "text" : "" }, h, i > 1 ? el("i", { class: "sign" }) : null)))), el("tbody", {}, rows.map(line)))));
  };
  return [el("p", { class: "note" }, DATA.reportedNote), el("div", { class: "papers" }, [...groups].map(paper))];
}

function route() {
  const [, view, ...rest] = location.hash.split("/");
  if (view === "clip") {
    let name = rest.join("/");
    try { name = decodeURIComponent(name); } catch { /* as it is */ }
    return { view: "clip", clip: DATA.clips.indexOf(name) };
  }
  return { view: VIEWS.some(([key]) => key === view) ? view : "table" };
}

function notes() {
  if (!DATA.notes.length) return null;
  return el("details", { class: "note", open: DATA.notes.length <= 3 }, el("summary", {}, DATA.notes.length === 1 ? "A note" : `${DATA.notes.length} notes`), el("ul", {}, DATA.notes.map((text) => el("li", {}, text))));
}

function render() {
  stopPlayer();
  stopPlayer = () => {};
  const { view, clip } = route();
  $("views").replaceChildren(...VIEWS.map(([key, label]) => el("a", { href: `#/${key}`, "aria-current": key === view || (view === "clip" && key === "clips") ? "page" : null }, label)));
  const tab = $("views").querySelector("[aria-current]");
  if (tab) $("views").scrollLeft = tab.offsetLeft - ($("views").clientWidth - tab.offsetWidth) / 2;
  const bar = view === "papers" || DATA.tracks.length < 2 ? [] : [segments("Track", DATA.tracks.map((t, i) => [i, t.label.split(":")[0]]), state.track, (value) => { state.track = value; render(); }),
    el("span", { class: "muted small" }, track().label.split(":").slice(1).join(":").trim())];
  $("bar").replaceChildren(...bar);
  let body;
  if (!DATA.tracks.length && view !== "papers") body = [el("p", { class: "muted" }, "There are no results yet.")];
  else if (view === "clip") body = clip < 0 ? [el("p", {}, "This page has no such clip."), el("p", {}, el("a", { href: "#/clips" }, "All clips"))] : clipView(clip);
  else body = VIEWS.find(([key]) => key === view)[2]();
  $("main").replaceChildren(...[view === "table" ? notes() : null, ...body].flat(3).filter(Boolean));
}

function theme() {
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => { $("theme").textContent = dark() ? "☀" : "☾"; };
  let kept = null;
  try { kept = localStorage.getItem("zoo-theme"); } catch { /* a file may have no storage */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("zoo-theme", document.documentElement.dataset.theme); } catch { /* see above */ }
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

$("title").textContent = DATA.title;
$("subtitle").textContent = DATA.subtitle;
$("footer").textContent = "Made by zoo leaderboard from the rows of this folder alone.";
$("sheet-close").addEventListener("click", () => $("sheet").close());
$("sheet").addEventListener("click", (event) => { if (event.target === $("sheet")) $("sheet").close(); });
theme();
addEventListener("hashchange", () => { render(); scrollTo(0, 0); $("main").focus({ preventScroll: true }); });
render();
