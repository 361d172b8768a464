// Pictures: distributions over clips, and quality against speed.
const DOTS = 150;

function ticks(least, most, count) {
  const rough = (most - least) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let at = Math.ceil(least / step) * step; at <= most + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return { found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

const tickText = (value, decimals) => (decimals > 4 ? value.toExponential(1) : fmt(value, decimals));
const quantile = (values, share) => {
  const at = (values.length - 1) * share, low = Math.floor(at);
  return values[low] + (values[Math.min(low + 1, values.length - 1)] - values[low]) * (at - low);
};
const short = (name, letters) => (name.length > letters ? name.slice(0, letters - 1) + "…" : name);

function plotsView() {
  const panels = el("div", { class: "panels" });
  for (const column of track().columns) {
    const holder = el("div", { style: `min-height:${24 * track().entries.length + 26}px` });
    panels.append(el("section", { class: "panel", "data-metric": column.metric },
      el("header", {}, el("h3", {}, `${column.metric} ${column.arrow}`, el("span", { class: "muted" }, column.unit ? ` ${column.unit}` : "")),
        infoButton(column)), holder));
    whenSeen(holder, () => holder.replaceChildren(distribution(column, holder.clientWidth || 400)));
  }
  const few = DATA.clips.length > DOTS ? ` Of more than ${DOTS} clips, ${DOTS} that are spread evenly over the order of values are drawn.` : "";
  return [el("p", { class: "muted" }, `Every dot is a clip (mean over seeds); press one to watch it. Box: middle half of the clips, with the median. Diamond and line: the value over clips with its 95 % interval.${few}`), panels];
}

/** Draw once it comes into view, and again when its width changes. */
function whenSeen(node, draw) {
  let width = 0;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    observer.disconnect();
    new ResizeObserver(() => { if (node.clientWidth && node.clientWidth !== width) { width = node.clientWidth; draw(); } }).observe(node);
  }, { rootMargin: "300px" });
  observer.observe(node);
}

function distribution(column, width) {
  const board = track(), left = Math.min(132, width * 0.32), right = 12, rowHeight = 24;
  const rows = board.entries.map((entry) => ({ entry, score: entry.scores[column.metric],
    values: clipValues(board, entry, column.metric).map((value, clip) => ({ value, clip })).filter((v) => v.value !== null).sort((a, b) => a.value - b.value) }))
    .filter((row) => row.values.length);
  const all = rows.flatMap((row) => [row.values[0].value, row.values[row.values.length - 1].value, row.score.low ?? row.score.value, row.score.high ?? row.score.value]);
  const least = Math.min(...all), most = Math.max(...all), height = rows.length * rowHeight + 26;
  const x = (value) => left + 8 + ((width - left - right - 8) * (value - least)) / (most - least || 1);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Distribution of ${column.metric} over clips` });
  const marks = ticks(least, most, width < 360 ? 3 : 5);
  for (const at of marks.found) {
    picture.append(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: height - 20 }),
      svg("text", { class: "tick", x: x(at), y: height - 6, "text-anchor": "middle" }, tickText(at, marks.decimals)));
  }
  rows.forEach((row, place) => picture.append(strip(row, column, place * rowHeight + rowHeight / 2 + 2, x, left)));
  return picture;
}

function strip({ entry, score, values }, column, y, x, left) {
  const ink = colour(entry), sortedValues = values.map((v) => v.value);
  const group = svg("g", {}, svg("text", { x: 0, y: y + 4, style: entry.kind === "method" ? "font-weight:600" : "fill:var(--muted)" }, short(entry.name, Math.floor(left / 7)), svg("title", {}, entry.name)));
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(sortedValues, share));
  group.append(svg("rect", { x: x(low), y: y - 7, width: Math.max(1, x(high) - x(low)), height: 14, rx: 3, fill: ink, opacity: 0.16 }),
    svg("line", { x1: x(middle), x2: x(middle), y1: y - 7, y2: y + 7, stroke: ink, "stroke-width": 2, opacity: 0.6 }));
  const count = Math.min(DOTS, values.length);
  for (let i = 0; i < count; i++) {
    const { value, clip } = values[count === 1 ? 0 : Math.round((i * (values.length - 1)) / (count - 1))];
    const jitter = (((clip * 7919) % 11) - 5) * 1.05;
    group.append(svg("circle", { class: "dot", cx: x(value).toFixed(1), cy: (y + jitter).toFixed(1), r: 2.6, fill: ink, opacity: 0.5, onclick: () => { location.hash = clipLink(clip); } },
      svg("title", {}, `${entry.name}, ${DATA.clips[clip]}: ${fmt(value, column.decimals)}`)));
  }
  if (score.value !== null) {
    if (score.low !== null) group.append(svg("line", { x1: x(score.low), x2: x(score.high), y1: y, y2: y, stroke: "var(--panel)", "stroke-width": 6 }), svg("line", { x1: x(score.low), x2: x(score.high), y1: y, y2: y, stroke: "var(--ink)", "stroke-width": 2.2 }));
    group.append(svg("path", { d: `M${x(score.value)} ${y - 5.5}l4.5 5.5-4.5 5.5-4.5-5.5z`, fill: ink, stroke: "var(--panel)", "stroke-width": 1.4 }));
  }
  return group;
}

let speedMetric = null;

function speedView() {
  const board = track();
  const timed = board.entries.filter((e) => e.kind === "method" && e.fps);
  if (!timed.length) return [el("p", { class: "muted" }, "No method was timed.")];
  if (!board.columns.some((c) => c.metric === speedMetric)) speedMetric = board.columns.length ? board.columns[0].metric : null;
  if (!speedMetric) return [el("p", { class: "muted" }, "There are no scores.")];
  const column = board.columns.find((c) => c.metric === speedMetric);
  const holder = el("div", { class: "panel", style: "max-width:980px" });
  const devices = [...new Set(timed.map((e) => e.device))];
  requestAnimationFrame(() => whenSeen(holder, () => holder.replaceChildren(scatter(column, timed, holder.clientWidth - 30))));
  return [el("div", { class: "tools" }, select("Quality", board.columns.map((c) => [c.metric, `${c.metric} ${c.arrow}`]), speedMetric, (value) => { speedMetric = value; render(); })),
    holder,
    el("p", { class: "muted small" }, `Generation alone, on ${devices.join("; ")}${devices.length > 1 ? " (not comparable between devices)" : ""}. Lines: 95 % interval over clips. Better is further to the right and, by the direction of the metric, ${column.better === "higher" ? "up" : column.better === "lower" ? "down" : "towards " + column.better.slice(5)}.`)];
}

function scatter(column, entries, width) {
  const shown = entries.filter((e) => e.scores[column.metric] && e.scores[column.metric].value !== null);
  const height = Math.max(280, Math.min(460, width * 0.55)), left = 62, bottom = 44, top = 16, right = 16;
  const speeds = [...shown.map((e) => e.fps), 25];
  const [slow, fast] = [Math.min(...speeds) / 1.6, Math.max(...speeds) * 1.9];
  const ends = shown.flatMap((e) => { const s = e.scores[column.metric]; return [s.value, s.low ?? s.value, s.high ?? s.value]; });
  const pad = (Math.max(...ends) - Math.min(...ends) || Math.abs(ends[0]) || 1) * 0.12;
  const [least, most] = [Math.min(...ends) - pad, Math.max(...ends) + pad];
  const x = (fps) => left + ((width - left - right) * Math.log(fps / slow)) / Math.log(fast / slow);
  const y = (value) => height - bottom - ((height - bottom - top) * (value - least)) / (most - least || 1);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${column.metric} against frames per second` });
  const marks = ticks(least, most, 8);
  for (const at of marks.found) picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(at), y2: y(at) }), svg("text", { class: "tick", x: left - 8, y: y(at) + 4, "text-anchor": "end" }, tickText(at, marks.decimals)));
  for (let power = -2; power < 6; power++) for (const digit of [1, 2, 5]) {
    const at = digit * 10 ** power;
    if (at >= slow && at <= fast) picture.append(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: height - bottom, y2: height - bottom + 5 }), svg("text", { class: "tick", x: x(at), y: height - bottom + 19, "text-anchor": "middle" }, String(Number(at.toPrecision(2)))));
  }
  picture.append(svg("line", { x1: x(25), x2: x(25), y1: top, y2: height - bottom, stroke: "var(--muted)", "stroke-dasharray": "3 4" }), svg("text", { class: "tick", x: x(25) + 5, y: top + 10 }, "real time"),
    svg("text", { class: "tick", x: width - right, y: height - 6, "text-anchor": "end" }, "frames per second →"), svg("text", { class: "tick", x: 2, y: top - 4 }, `${column.metric} ${column.arrow}${column.unit ? " " + column.unit : ""}`));
  const labels = [];
  for (const entry of sorted(shown, (e) => -e.scores[column.metric].value, 1)) {
    const score = entry.scores[column.metric], ink = colour(entry);
    if (score.low !== null) picture.append(svg("line", { x1: x(entry.fps), x2: x(entry.fps), y1: y(score.low), y2: y(score.high), stroke: ink, "stroke-width": 2, opacity: 0.6 }));
    picture.append(fill(point(entry, x(entry.fps), y(score.value), 6), {}, [svg("title", {}, `${entry.name}: ${fmt(score.value, column.decimals)} at ${entry.facts["frames/s"]} frames/s on ${entry.device}`)]));
    const end = x(entry.fps) > width * 0.7;
    let at = y(score.value) + 4;
    while (labels.some((other) => Math.abs(other.at - at) < 14 && Math.abs(other.x - x(entry.fps)) < 140)) at += 14;
    labels.push({ at, x: x(entry.fps) });
    picture.append(svg("text", { x: x(entry.fps) + (end ? -11 : 11), y: at, "text-anchor": end ? "end" : "start", style: "font-weight:600" }, short(entry.name, 26)));
  }
  return picture;
}
