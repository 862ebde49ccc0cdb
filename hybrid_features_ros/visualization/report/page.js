// SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
// SPDX-License-Identifier: Apache-2.0
"use strict";
// Draws the report from the JSON in #data. One cursor (a time) is shared by every drawing.

const { runs: RUNS, states: STATES, defaults: DEFAULTS } = JSON.parse(document.getElementById("data").textContent);
const SEVERAL = RUNS.length > 1;
const END = Math.max(...RUNS.map((r) => r.seconds.at(-1)), 1e-3);
const listeners = [];
let shown = RUNS[0]; // the run whose states, counts, timing and frames are shown
let cursor = null;

const colour = (run) => `var(--run${RUNS.indexOf(run) % 6})`;
const resolve = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const finite = (v) => v !== null && v !== undefined;
const fixed = (v, digits) => (finite(v) ? v.toFixed(digits) : "–");

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes))
    key.startsWith("on") ? made.addEventListener(key.slice(2), value) : made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function vector(tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function setCursor(seconds) {
  cursor = seconds;
  for (const listen of listeners) listen();
}

/** Index of the frame of a run that is nearest to a time. */
function nearest(run, seconds) {
  let low = 0, high = run.seconds.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    run.seconds[middle] < seconds ? (low = middle) : (high = middle);
  }
  return seconds - run.seconds[low] < run.seconds[high] - seconds ? low : high;
}

/** Round steps between two numbers, about `count` of them. */
function ticks(low, high, count) {
  const raw = (high - low || 1) / count, base = 10 ** Math.floor(Math.log10(raw));
  const step = base * [1, 2, 5, 10].find((m) => m * base >= raw);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) found.push(+v.toPrecision(8));
  return found;
}

/** SVG path through points; a missing one leaves a gap. */
function trace(points) {
  let path = "", open = false;
  for (const p of points) {
    if (!p) { open = false; continue; }
    path += `${open ? "L" : "M"}${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    open = true;
  }
  return path;
}

// ---------------------------------------------------------------- charts over time

const WIDE = 1280, LEFT = 52, RIGHT = 8;
const at = (seconds) => LEFT + (seconds / END) * (WIDE - LEFT - RIGHT);

function frame(title, note, height) {
  const svg = vector("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": title });
  const line = vector("line", { class: "cursor", y1: 0, y2: height - 18 });
  for (const t of ticks(0, END, 12)) {
    svg.append(vector("line", { class: "axis", x1: at(t), x2: at(t), y1: 0, y2: height - 18 }));
    svg.append(vector("text", { x: at(t), y: height - 4, "text-anchor": "middle" }, `${t}${t ? "" : " s"}`));
  }
  svg.addEventListener("pointermove", (e) => {
    const box = svg.getBoundingClientRect();
    const x = ((e.clientX - box.left) / box.width) * WIDE;
    setCursor(Math.min(Math.max(((x - LEFT) / (WIDE - LEFT - RIGHT)) * END, 0), END));
  });
  listeners.push(() => {
    line.style.visibility = cursor === null ? "hidden" : "visible";
    if (cursor !== null) { line.setAttribute("x1", at(cursor)); line.setAttribute("x2", at(cursor)); }
  });
  const box = node("div", { class: "chart" }, node("h2", {}, title), node("p", { class: "note" }, note), svg);
  return { box, svg, line };
}

function percentile(values, share) {
  const sorted = values.filter(finite).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

/** Lines over time. `series` holds {run, values, stroke, wash, dash, area}; areas reach down to `base` or zero. */
function chart(title, note, series, { height = 150, digits = 2, top } = {}) {
  const { box, svg, line } = frame(title, note, height);
  const all = series.flatMap((s) => (s.area || s.wash || s.dash ? [] : s.values)).concat(top ? [top] : []);
  const highest = Math.max(...(all.length ? all : series.flatMap((s) => s.values)).filter(finite), 1e-9) * 1.08;
  const limit = top ?? highest;
  const up = (v) => (height - 18) * (1 - Math.min(v, limit * 1.02) / limit);
  for (const v of ticks(0, limit, 3)) {
    svg.append(vector("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: up(v), y2: up(v) }));
    svg.append(vector("text", { x: LEFT - 8, y: up(v) + 4, "text-anchor": "end" }, v));
  }
  for (const s of series) {
    const visible = (v) => finite(v) && !(s.dash && v > limit);
    const points = s.run.seconds.map((t, i) => (visible(s.values[i]) ? [at(t), up(s.values[i])] : null));
    if (s.area || s.wash) {
      const base = s.run.seconds.map((t, i) => [at(t), up(s.base ? s.base[i] : 0)]).reverse();
      const outline = trace(points.map((p, i) => p ?? [at(s.run.seconds[i]), up(0)]).concat(base)) + "Z";
      svg.append(vector("path", { class: s.wash ? "wash" : "area", d: outline, ...(s.area ? { fill: s.stroke } : {}) }));
    } else {
      svg.append(vector("path", {
        class: "trace", d: trace(points), stroke: s.stroke, ...(s.dash ? { "stroke-dasharray": "3 5", "stroke-opacity": 0.8 } : {}),
      }));
    }
  }
  svg.append(line);
  return box;
}

function legend(items) {
  return node("div", { class: "legend" }, ...items.map(([name, fill, rule]) => {
    const mark = node("i", rule ? { class: "rule" } : {});
    mark.style.background = fill;
    return node("span", {}, mark, name);
  }));
}

/** Runs of equal values: [value, first, last]. */
function stretches(values) {
  const found = [];
  values.forEach((v, i) => (found.length && found.at(-1)[0] === v ? (found.at(-1)[2] = i) : found.push([v, i, i])));
  return found;
}

function band(run) {
  const { box, svg, line } = frame("State", "as published in status", 46);
  for (const [state, first, last] of stretches(run.states)) {
    const end = run.seconds[Math.min(last + 1, run.seconds.length - 1)];
    const rect = vector("rect", {
      x: at(run.seconds[first]), y: 2, width: Math.max(at(end) - at(run.seconds[first]), 1.5), height: 24, fill: `var(--s${state})`,
    });
    rect.append(vector("title", {}, `${STATES[state]} from ${fixed(run.seconds[first], 2)} s`));
    svg.append(rect);
  }
  svg.append(line);
  box.append(legend([...new Set(run.states)].sort().map((s) => [STATES[s], `var(--s${s})`])));
  return box;
}

function errors() {
  const card = node("section", { class: "card" });
  const withTruth = RUNS.filter((r) => r.errors.position);
  const turning = { run: RUNS[0], values: RUNS[0].turning, wash: true };
  const fastest = Math.max(...RUNS[0].turning.filter(finite), 1e-9);
  if (!withTruth.length) {
    card.append(chart("Turning", "degrees a second, as estimated; without truth there are no errors to show", RUNS.map((run) => ({ run, values: run.turning, stroke: colour(run) }))));
  } else {
    const highest = Math.max(...withTruth.flatMap((r) => r.errors.orientation).filter(finite), 1e-9) * 1.08;
    card.append(
      chart("Position error", "metres to the truth after alignment; dotted: the estimated standard deviation, where it is not beyond the scale", [
        ...withTruth.map((run) => ({ run, values: run.sigma, stroke: colour(run), dash: true })),
        ...withTruth.map((run) => ({ run, values: run.errors.position, stroke: colour(run) })),
      ]),
      chart("Orientation error", `degrees since the first frame; grey: how fast the camera turns, up to ${fixed(fastest, 0)} degrees a second`, [
        { ...turning, values: turning.values.map((v) => (v / fastest) * highest) },
        ...withTruth.map((run) => ({ run, values: run.errors.orientation, stroke: colour(run) })),
      ], { top: highest }),
    );
  }
  if (SEVERAL) card.append(legend(RUNS.map((r) => [r.name, colour(r), true])));
  return card;
}

function details() {
  const card = node("section", { class: "card" });
  const run = shown, stages = Object.keys(run.ms);
  const sums = [], layers = [];
  let base = run.seconds.map(() => 0);
  stages.forEach((name, k) => {
    const values = base.map((v, i) => v + (run.ms[name][i] ?? 0));
    layers.push({ run, values, base, area: true, stroke: `var(--run${k % 6})` });
    base = values;
  });
  sums.push(...base);
  card.append(
    band(run),
    chart("Keypoints, matches, inliers", "of every frame", [
      { run, values: run.keypoints, stroke: "var(--truth)" },
      { run, values: run.matches, stroke: "var(--run5)" },
      { run, values: run.inliers, stroke: "var(--run2)" },
    ], { height: 130 }),
    legend([["keypoints", "var(--truth)", true], ["matches with the map", "var(--run5)", true], ["inliers", "var(--run2)", true]]),
    chart("Time", "milliseconds of each stage, stacked; the scale ends at the slowest two per cent", layers, { height: 130, top: percentile(sums, 0.98) * 1.15 || 1 }),
    legend(stages.map((name, k) => [`${name} (median ${fixed(run.metrics.ms[name]?.median, 1)})`, `var(--run${k % 6})`])),
  );
  return card;
}

// ---------------------------------------------------------------- the path

function extent() {
  const points = RUNS.flatMap((r) => [...r.path, ...(r.truth ?? [])]).filter((p) => finite(p[0]));
  const low = [0, 1, 2].map((k) => Math.min(...points.map((p) => p[k])));
  const high = [0, 1, 2].map((k) => Math.max(...points.map((p) => p[k])));
  const size = Math.max(...low.map((v, k) => high[k] - v), 1e-3);
  return { low, high, centre: low.map((v, k) => (v + high[k]) / 2), size };
}
const BOX = extent();

function above() {
  const W = 600, H = 480, margin = 34;
  const span = [0, 1].map((k) => BOX.high[k] - BOX.low[k]);
  const scale = Math.min((W - 2 * margin) / Math.max(span[0], BOX.size / 50), (H - 2 * margin) / Math.max(span[1], BOX.size / 50));
  const place = (p) => (finite(p[0]) ? [W / 2 + (p[0] - BOX.centre[0]) * scale, H / 2 - (p[1] - BOX.centre[1]) * scale] : null);
  const svg = vector("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "camera path seen from above" });
  const reach = [W / scale / 2, H / scale / 2];
  for (const k of [0, 1]) {
    for (const v of ticks(BOX.centre[k] - reach[k], BOX.centre[k] + reach[k], k ? 5 : 6)) {
      const [x, y] = place(k ? [BOX.centre[0], v] : [v, BOX.centre[1]]);
      svg.append(vector("line", k ? { class: "axis", x1: 0, x2: W, y1: y, y2: y } : { class: "axis", x1: x, x2: x, y1: 0, y2: H }));
      svg.append(vector("text", k ? { x: 2, y: y - 3 } : { x: x + 3, y: H - 3 }, `${v} m`));
    }
  }
  const truth = RUNS.find((r) => r.truth)?.truth;
  if (truth) svg.append(vector("path", { class: "truth", d: trace(truth.map(place)) }));
  const dots = [];
  for (const run of RUNS) {
    if (SEVERAL) svg.append(vector("path", { class: "trace", d: trace(run.path.map(place)), stroke: colour(run) }));
    else for (const [state, first, last] of stretches(run.states))
      svg.append(vector("path", { class: "trace", d: trace(run.path.slice(first, last + 2).map(place)), stroke: `var(--s${state})`, "stroke-width": 2 }));
    const dot = vector("circle", { class: "dot", r: 6, fill: SEVERAL ? colour(run) : "var(--ink)" });
    dots.push([run, dot]);
  }
  const start = place(RUNS[0].path[0]);
  svg.append(vector("circle", { cx: start[0], cy: start[1], r: 4, fill: "var(--ink)" }), vector("text", { x: start[0] + 8, y: start[1] + 4 }, "start"));
  svg.append(...dots.map((d) => d[1]));
  listeners.push(() => {
    for (const [run, dot] of dots) {
      const p = cursor === null ? null : place(run.path[nearest(run, cursor)]);
      dot.style.visibility = p ? "visible" : "hidden";
      if (p) { dot.setAttribute("cx", p[0]); dot.setAttribute("cy", p[1]); }
    }
  });
  const keys = [...(truth ? [["truth", "var(--truth)", true]] : [])];
  if (SEVERAL) keys.push(...RUNS.map((r) => [r.name, colour(r), true]));
  else keys.push(...[...new Set(RUNS[0].states)].sort().map((s) => [STATES[s], `var(--s${s})`, true]));
  return node("section", { class: "card half" }, node("h2", {}, "From above"),
    node("p", { class: "note" }, truth ? "aligned to the truth" : "no truth to compare with; one camera alone has no metric scale"), svg, legend(keys));
}

function inSpace() {
  const canvas = node("canvas", { class: "turn", tabindex: 0, role: "img", "aria-label": "camera path in three dimensions; drag or use the arrow keys to turn it" });
  const view = { yaw: -0.7, pitch: 0.5, zoom: 1 };
  const initial = { ...view };
  let awaited = false;
  const draw = () => {
    awaited = false;
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    if (!box.width) return;
    canvas.width = box.width * ratio; canvas.height = box.height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.lineJoin = pen.lineCap = "round";
    const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const distance = 2.4 * BOX.size, focal = (Math.min(box.width, box.height) * 1.9 * view.zoom);
    const place = (p) => {
      const [x, y, z] = [0, 1, 2].map((k) => p[k] - BOX.centre[k]);
      const u = cy * x - sy * y, v = sy * x + cy * y;
      const depth = distance + cp * v - sp * z, height = sp * v + cp * z;
      return depth > 1e-6 ? [box.width / 2 + (focal * u) / depth, box.height / 2 - (focal * height) / depth] : null;
    };
    const stroke = (points, style, width, alpha = 1) => {
      pen.strokeStyle = style; pen.lineWidth = width; pen.globalAlpha = alpha; pen.beginPath();
      let open = false;
      for (const p of points) {
        const q = p && finite(p[0]) ? place(p) : null;
        if (q) open ? pen.lineTo(...q) : pen.moveTo(...q);
        open = Boolean(q);
      }
      pen.stroke(); pen.globalAlpha = 1;
    };
    const floor = BOX.low[2] - 0.04 * BOX.size, half = 0.75 * BOX.size;
    for (const k of [0, 1]) for (const v of ticks(BOX.centre[k] - half, BOX.centre[k] + half, 8)) {
      const ends = [-1, 1].map((s) => { const p = [0, 0, floor]; p[k] = v; p[1 - k] = BOX.centre[1 - k] + s * half; return p; });
      stroke(ends, resolve("--line"), 1, 0.8);
    }
    const truth = RUNS.find((r) => r.truth)?.truth;
    if (truth) stroke(truth, resolve("--truth"), 4, 0.55);
    const frustum = (run, i, style, size, width) => {
      const c = run.path[i], f = run.forward[i], r = run.right[i];
      const d = [f[1] * r[2] - f[2] * r[1], f[2] * r[0] - f[0] * r[2], f[0] * r[1] - f[1] * r[0]]; // down = forward x right
      const corner = (a, b) => c.map((v, k) => v + size * (f[k] + 0.6 * a * r[k] + 0.45 * b * d[k]));
      const q = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
      stroke([...q, q[0]], style, width);
      for (const p of q) stroke([c, p], style, width, 0.7);
      stroke([q[0], c.map((v, k) => v + size * (f[k] - 0.75 * d[k])), q[1]], style, width); // this way up
    };
    for (const run of RUNS) {
      const own = resolve(`--run${RUNS.indexOf(run) % 6}`);
      if (SEVERAL) stroke(run.path, own, 1.8);
      else for (const [state, first, last] of stretches(run.states)) stroke(run.path.slice(first, last + 2), resolve(`--s${state}`), 2.2);
      const every = Math.max(1, Math.round(run.path.length / 24));
      if (run === shown) for (let i = 0; i < run.path.length; i += every) frustum(run, i, resolve("--soft"), 0.035 * BOX.size, 0.8);
      if (cursor !== null) frustum(run, nearest(run, cursor), SEVERAL ? own : resolve("--ink"), 0.09 * BOX.size, 2);
    }
  };
  const request = () => { if (!awaited) { awaited = true; requestAnimationFrame(draw); } };
  const turn = (yaw, pitch) => { view.yaw += yaw; view.pitch = Math.min(Math.max(view.pitch + pitch, -1.55), 1.55); request(); };
  canvas.addEventListener("pointerdown", (e) => canvas.setPointerCapture(e.pointerId));
  canvas.addEventListener("pointermove", (e) => { if (e.buttons) turn(e.movementX * 0.008, e.movementY * 0.008); });
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); view.zoom = Math.min(Math.max(view.zoom * Math.exp(-e.deltaY * 0.0012), 0.3), 20); request(); }, { passive: false });
  canvas.addEventListener("dblclick", () => { Object.assign(view, initial); request(); });
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
    if (step) { e.preventDefault(); turn(...step); }
  });
  new ResizeObserver(request).observe(canvas);
  listeners.push(request);
  return node("section", { class: "card half" }, node("h2", {}, "In space"),
    node("p", { class: "note" }, "drag to turn, scroll to zoom, double-click to begin again"), canvas);
}

// ---------------------------------------------------------------- figures, frames, configuration

const total = (run) => percentile(run.seconds.map((_, i) => Object.values(run.ms).reduce((sum, times) => sum + (times[i] ?? 0), 0)), 0.5);
const FIGURES = [ // name, unit, digits, value, is more better?
  ["position error, rmse", "m", 3, (r) => r.metrics.ate_rmse_m, false],
  ["rotation over 30 frames, median", "°", 2, (r) => r.metrics.rot_rpe_30f_median_deg, false],
  ["the same, 95th percentile", "°", 2, (r) => r.metrics.rot_rpe_30f_p95_deg, false],
  ["translation over 30 frames, median", "m", 3, (r) => r.metrics.rpe_trans_30f_median_m, false],
  ["frames with orientation", "%", 1, (r) => (100 * r.metrics.with_orientation) / Math.max(r.metrics.frames, 1), true],
  ["frames with translation", "%", 1, (r) => (100 * r.metrics.with_translation) / Math.max(r.metrics.frames, 1), true],
  ["new maps after a loss", "", 0, (r) => r.metrics.resets, false],
  ["a frame, median", "ms", 1, total, false],
  ["NEES (6: consistent)", "", 1, (r) => r.metrics.nees_mean, null],
  ["scale found by the alignment", "", 3, (r) => r.metrics.scale, null],
];

function figures() {
  const chosen = ["position error, rmse", "rotation over 30 frames, median", "the same, 95th percentile", "frames with orientation", "new maps after a loss", "a frame, median"];
  return FIGURES.filter((f) => chosen.includes(f[0])).map(([name, unit, digits, value]) =>
    node("section", { class: "card figure" }, node("b", {}, fixed(value(RUNS[0]), digits), node("small", {}, unit)), node("span", {}, name)));
}

function comparison() {
  const rows = FIGURES.filter((f) => RUNS.some((r) => finite(f[3](r)))).map(([name, unit, digits, value, more]) => {
    const values = RUNS.map(value), known = values.filter(finite);
    const best = more === null || new Set(known).size < 2 ? null : more ? Math.max(...known) : Math.min(...known);
    return node("tr", {}, node("td", {}, name), ...values.map((v) =>
      node("td", { class: `number${finite(v) && v === best ? " best" : ""}` }, `${fixed(v, digits)}${finite(v) ? ` ${unit}` : ""}`)));
  });
  const head = node("tr", {}, node("th", {}, ""), ...RUNS.map((r) => node("th", { class: "number" }, r.name)));
  return node("section", { class: "card" }, node("h2", {}, "Side by side"), node("div", { class: "scroll" }, node("table", {}, head, ...rows)));
}

function frames() {
  const large = node("img", { alt: "" });
  const dialog = node("dialog", { onclick: () => dialog.close() }, large);
  const strip = node("div", { class: "strip" }, ...shown.shots.map((s) => {
    const source = `data:image/jpeg;base64,${s.jpeg}`;
    return node("button", { class: "shot", onpointerenter: () => setCursor(s.t), onclick: () => { large.src = source; dialog.showModal(); } },
      node("img", { src: source, alt: `frame at ${s.t} s with its features`, decoding: "async" }),
      node("span", {}, `${fixed(s.t, 2)} s · ${s.features} features, ${s.inliers} inliers`));
  }));
  return node("section", { class: "card" }, node("h2", {}, "Frames"), node("p", { class: "note" }, "circle: scale, radius: orientation; green agrees with the motion, orange does not; blue: where the keyframe saw it"), strip, dialog);
}

function configuration() {
  const names = [...new Set(RUNS.flatMap((r) => Object.keys(r.metrics.protocol.config)))];
  const rows = names.map((name) => {
    const values = RUNS.map((r) => r.metrics.protocol.config[name]);
    const other = values.some((v) => v !== values[0]) || values[0] !== DEFAULTS[name];
    return node("tr", other ? { class: "other" } : {}, node("td", {}, node("code", {}, name)), ...values.map((v) => node("td", {}, node("code", {}, JSON.stringify(v) ?? "–"))));
  });
  const head = node("tr", {}, node("th", {}, "parameter"), ...RUNS.map((r) => node("th", {}, SEVERAL ? r.name : "value")));
  const protocol = RUNS.map((r) => Object.entries({ mode: r.metrics.protocol.mode, "every n-th frame": r.metrics.protocol.every, ...(r.metrics.protocol.metrics ?? {}) }));
  const keys = [...new Set(protocol.flatMap((p) => p.map((e) => e[0])))];
  const lines = keys.map((k) => node("tr", {}, node("td", {}, k), ...protocol.map((p) => node("td", {}, String(p.find((e) => e[0] === k)?.[1] ?? "–")))));
  return node("section", { class: "card" },
    node("details", { open: "" }, node("summary", {}, "How it was measured"), node("div", { class: "scroll" }, node("table", {}, ...lines))),
    node("details", {}, node("summary", {}, "Configuration"), node("p", { class: "note" }, "in colour: not the default, or not the same in every run"), node("div", { class: "scroll" }, node("table", {}, head, ...rows))));
}

function reading() {
  const bar = node("div", { class: "reading", role: "status" });
  listeners.push(() => {
    bar.style.visibility = cursor === null ? "hidden" : "visible";
    if (cursor === null) return;
    const i = nearest(shown, cursor), e = shown.errors, why = shown.reasons[shown.reason[i]];
    bar.textContent = [
      `${fixed(shown.seconds[i], 2)} s`, STATES[shown.states[i]], `${shown.inliers[i]} of ${shown.matches[i]} matches`,
      ...(e.position && finite(e.position[i]) ? [`${fixed(e.position[i], 3)} m`, `${fixed(e.orientation[i], 2)}°`] : []), ...(why ? [why] : []),
    ].join("  ·  ");
  });
  return bar;
}

function header() {
  const m = shown.metrics, seconds = shown.seconds.at(-1);
  const theme = node("button", { onclick: () => { paint(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); } }, "Light · Dark");
  const text = SEVERAL ? `${RUNS.length} runs side by side` :
    `${m.protocol.sequence} · ${m.protocol.mode} · ${m.protocol.config["features.extractor"]} · ${m.frames} frames in ${fixed(seconds, 1)} s`;
  return node("header", {}, node("div", {}, node("h1", {}, SEVERAL ? "Comparison" : shown.name), node("p", {}, text)), theme);
}

function paint(theme) {
  document.documentElement.dataset.theme = theme;
  setCursor(cursor);
}

function build() {
  listeners.length = 0;
  const picks = node("div", { class: "picks" }, "Details of", ...RUNS.map((r) =>
    node("button", { "aria-pressed": String(r === shown), onclick: () => { shown = r; build(); } }, r.name)));
  const grid = node("div", { class: "grid" },
    ...(SEVERAL ? [comparison()] : figures()), above(), inSpace(), errors(), ...(SEVERAL ? [picks] : []), details(), frames(), configuration());
  const page = document.getElementById("page");
  const scroll = window.scrollY;
  page.replaceChildren(header(), grid, reading());
  window.scrollTo(0, scroll);
  setCursor(cursor);
  page.dataset.ready = String(document.querySelectorAll("svg path").length);
}

paint(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
build();
