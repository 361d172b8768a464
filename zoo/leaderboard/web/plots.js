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
const short = (text, room) => {
  if (textWidth(text) <= room) return text;
  let letters = text.length;
  while (letters > 1 && textWidth(text.slice(0, letters) + "…") > room) letters--;
  return text.slice(0, letters) + "…";
};

function plotsView() {
  const panels = el("div", { class: "panels" });
  for (const column of track().columns) {
    const holder = el("div", { style: `min-height:${24 * track().entries.length + 26}px` });
    panels.append(el("section", { class: "panel", "data-metric": column.metric },
      el("header", {}, el("h3", {}, metricName(column)), el("span", { class: "muted small" }, DIRECTIONS[column.better]), infoButton(column)), holder));
    whenSeen(holder, () => holder.replaceChildren(distribution(column, holder.clientWidth)));
  }
  const few = DATA.clips.length > DOTS ? ` Of more than ${DOTS} clips, ${DOTS} that are spread evenly over the order of values are drawn.` : "";
  return [el("p", { class: "muted" }, `Every dot is a clip (mean over seeds); press one to watch it. Box: middle half of the clips, with the median. Diamond and line: the value over clips with its 95 % interval. An arrow points to a reference that is far off the scale.${few}`), panels];
}

/** Draw once it comes into view, and again when its width changes. */
function whenSeen(node, draw) {
  let width = 0;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    observer.disconnect();
    new ResizeObserver(() => { if (node.clientWidth > 100 && node.clientWidth !== width) { width = node.clientWidth; draw(); } }).observe(node);
  }, { rootMargin: "300px" });
  observer.observe(node);
}

/** Ends of the scale. A reference that would squeeze all others into a third of it (the real video's PSNR) stays off it. */
function scale(rows) {
  const ends = (some) => {
    const all = some.flatMap(({ values, score }) => [values[0].value, values[values.length - 1].value, score.low ?? score.value, score.high ?? score.value]);
    return [Math.min(...all), Math.max(...all)];
  };
  const size = ([least, most]) => most - least;
  let kept = rows;
  for (const row of rows.filter((r) => r.entry.kind === "reference")) {
    const rest = kept.filter((r) => r !== row);
    if (rest.length && size(ends(rest)) > 0 && size(ends(kept)) > 3 * size(ends(rest))) kept = rest;
  }
  return ends(kept);
}

function distribution(column, width) {
  const board = track(), right = 12, rowHeight = 24, height = board.entries.length * rowHeight + 26;
  const left = Math.min(width * 0.36, 10 + Math.max(...board.entries.map((e) => textWidth(e.name))));
  const rows = board.entries.map((entry) => ({ entry, score: entry.scores[column.metric],
    values: clipValues(board, entry, column.metric).map((value, clip) => ({ value, clip })).filter((v) => v.value !== null).sort((a, b) => a.value - b.value) }));
  const [least, most] = scale(rows.filter((row) => row.values.length));
  const x = (value) => left + 8 + ((width - left - right - 8) * (value - least)) / (most - least || 1);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Distribution of ${column.metric} over clips` });
  const marks = ticks(least, most, width < 360 ? 3 : 5);
  for (const at of marks.found) {
    picture.append(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: height - 20 }),
      svg("text", { class: "tick", x: x(at), y: height - 6, "text-anchor": "middle" }, tickText(at, marks.decimals)));
  }
  rows.forEach((row, place) => {
    const y = place * rowHeight + rowHeight / 2 + 2, { entry, score, values } = row;
    picture.append(svg("text", { x: 0, y: y + 4, class: entry.kind === "method" ? "who" : "tick" }, short(entry.name, left - 4), svg("title", {}, entry.name)));
    if (!values.length) picture.append(svg("text", { class: "tick", x: left + 8, y: y + 4 }, "not scored"));
    else if (score.value > most || score.value < least) {
      const text = fmt(score.value, column.decimals), above = score.value > most;
      picture.append(svg("text", { class: "tick away", x: above ? width - right : left + 8, y: y + 4, "text-anchor": above ? "end" : "start" }, above ? `${text} →` : `← ${text}`));
    } else picture.append(strip(row, column, y, x));
  });
  return picture;
}

function strip({ entry, score, values }, column, y, x) {
  const ink = colour(entry), sortedValues = values.map((v) => v.value), group = svg("g", {});
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
  requestAnimationFrame(() => whenSeen(holder, () => holder.replaceChildren(scatter(column, timed, holder.clientWidth - 28))));
  return [el("div", { class: "tools" }, select("Quality", board.columns.map((c) => [c.metric, `${c.metric} ${c.arrow}`]), speedMetric, (value) => { speedMetric = value; render(); })),
    holder,
    el("p", { class: "muted small" }, `Generation alone, on ${devices.join("; ")}${devices.length > 1 ? " (not comparable between devices)" : ""}. Lines: 95 % interval over clips. Better is further to the right and, by the direction of the metric, ${column.better === "higher" ? "up" : column.better === "lower" ? "down" : "towards " + column.better.slice(5)}.`)];
}

function scatter(column, entries, width) {
  const shown = entries.filter((e) => e.scores[column.metric] && e.scores[column.metric].value !== null);
  const height = Math.max(280, Math.min(460, width * 0.55)), left = 62, bottom = 44, top = 16;
  const speeds = [...shown.map((e) => e.fps), 25];
  const [slow, fast] = [Math.min(...speeds) / 1.6, Math.max(...speeds) * 1.15];
  const right = Math.min(width * 0.2, 16 + Math.max(...shown.map((e) => textWidth(e.name))));
  const ends = shown.flatMap((e) => { const s = e.scores[column.metric]; return [s.value, s.low ?? s.value, s.high ?? s.value]; });
  const pad = (Math.max(...ends) - Math.min(...ends) || Math.abs(ends[0]) || 1) * 0.12;
  const [least, most] = [Math.min(...ends) - pad, Math.max(...ends) + pad];
  const x = (fps) => left + ((width - left - right) * Math.log(fps / slow)) / Math.log(fast / slow);
  const y = (value) => height - bottom - ((height - bottom - top) * (value - least)) / (most - least || 1);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${column.metric} against frames per second` });
  const marks = ticks(least, most, 8);
  for (const at of marks.found) picture.append(svg("line", { class: "grid", x1: left, x2: width - 4, y1: y(at), y2: y(at) }), svg("text", { class: "tick", x: left - 8, y: y(at) + 4, "text-anchor": "end" }, tickText(at, marks.decimals)));
  for (let power = -2; power < 6; power++) for (const digit of [1, 2, 5]) {
    const at = digit * 10 ** power;
    if (at < slow || at > fast || (digit > 1 && (x(2) - x(1)) < 44)) continue;
    picture.append(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: height - bottom, y2: height - bottom + 5 }), svg("text", { class: "tick", x: x(at), y: height - bottom + 19, "text-anchor": "middle" }, Number(at.toPrecision(2)).toLocaleString("en-US")));
  }
  picture.append(svg("line", { x1: x(25), x2: x(25), y1: top, y2: height - bottom, stroke: "var(--muted)", "stroke-dasharray": "3 4" }), svg("text", { class: "tick", x: x(25) + 5, y: top + 10 }, "real time"),
    svg("text", { class: "tick", x: width - 4, y: height - 6, "text-anchor": "end" }, "frames per second →"), svg("text", { class: "tick", x: 2, y: top - 4 }, `${column.metric} ${column.arrow}${column.unit ? " " + column.unit : ""}`));
  const drawn = sorted(shown, (e) => -e.scores[column.metric].value, 1).map((entry) => {
    const score = entry.scores[column.metric];
    return { entry, score, x: x(entry.fps), y: y(score.value), low: y(score.low ?? score.value), high: y(score.high ?? score.value) };
  });
  for (const { entry, score, x: at, y: of, low, high } of drawn) {
    picture.append(svg("line", { x1: at, x2: at, y1: low, y2: high, stroke: colour(entry), "stroke-width": 2, opacity: 0.6 }),
      fill(point(entry, at, of, 6), {}, [svg("title", {}, `${entry.name}: ${fmt(score.value, column.decimals)} at ${entry.facts["frames/s"]} frames/s on ${entry.device}`)]));
  }
  const taken = drawn.map((d) => [d.x - 7, d.x + 7, d.high, d.low]);
  for (const d of drawn) {
    const text = short(d.entry.name, width * 0.45), box = freePlace(d, textWidth(text), taken, [left, width - 4, top, height - bottom]);
    taken.push(box);
    picture.append(svg("text", { class: "who", x: box[0], y: box[3] - 4, style: `fill:${colour(d.entry)}` }, text));
  }
  return picture;
}

/** A place for a name beside its point where it covers nothing: left, right, top, bottom. */
function freePlace(point, wide, taken, [left, right, top, bottom]) {
  const places = [];
  for (let off = 0; off < 200; off += 4) for (const dy of off ? [-off, off] : [0]) for (const x of [point.x + 11, point.x - 11 - wide]) {
    places.push([x, x + wide, point.y + dy - 8, point.y + dy + 8]);
  }
  const inside = places.filter((p) => p[0] >= left && p[1] <= right && p[2] >= top && p[3] <= bottom);
  return inside.find((p) => taken.every((t) => p[1] < t[0] || p[0] > t[1] || p[3] < t[2] || p[2] > t[3])) || inside[0] || places[0];
}
