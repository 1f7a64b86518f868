// Plots: Plotly draws, and a canvas above it shows what is pointed at, pinned or filtered, in all plots at once.

import { h, byId, fill, say, short } from "./dom.js";
import { getPacked } from "./api.js";
import { grid, isLine, paint, painted, placeholder } from "./mass.js";

const NEAR_POINT = 14, NEAR_LINE = 7;
// What findings of these codes say is seen where curves end.
const CLOSE_UPS = new Set(["overfitting", "late_variance", "still_improving", "saturated_early"]);
let loading = null;
let templates = null;

export function setTemplates(found) { templates = found; }

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = h("script", { src: "/static/plotly.min.js", onload: () => done(window.Plotly),
      onerror: () => failed(new Error("Plotly is not there: pip install 'tunebook[plots]'")) });
    document.head.append(script);
  });
  return loading;
}

export function layoutOf(drawing, width) {
  const margin = { l: 60, r: 16, t: 44, b: 48, ...(drawing.layout.margin || {}) };
  const legend = width < 480 ? { legend: { ...(drawing.layout.legend || {}), font: { size: 9 } },
    annotations: (drawing.layout.annotations || []).map(narrow) } : {};
  return { ...drawing.layout, ...legend, margin, height: drawing.height, template: templates[isDark() ? "dark" : "light"] };
}

// Words beside a point would run out of a narrow plot: they go above it.
function narrow(note) {
  const isBeside = note.xanchor === "left" && note.xref !== "paper" && note.yref !== "paper" && (note.xshift ?? 0) > 8;
  return { ...note, font: { ...note.font, size: 9 }, ...(isBeside ? { xanchor: "center", xshift: 0, yanchor: "bottom", yshift: 10 } : {}) };
}

const CONFIG = { responsive: true, scrollZoom: false, displaylogo: false };

// The buttons of a plot. The picture to keep is drawn by Plotly alone, with all marks.
function configOf(name, figure) {
  const save = { name: "picture", title: "Download plot as a png", icon: window.Plotly.Icons.camera,
    click: (div) => window.Plotly.downloadImage({ ...figure(), config: CONFIG },
      { format: "png", filename: name, width: div.clientWidth, height: div.clientHeight, scale: 2 }) };
  return { ...CONFIG, modeBarButtons: [[save, "zoom2d", "pan2d", "resetScale2d"]] };
}

// A plot without trials in it.
export async function plainPlot(target, data, layout, height = 300) {
  const drawing = { layout, height };
  const Plotly = await plotly();
  const laid = () => layoutOf(drawing, target.clientWidth), config = configOf("plot", () => ({ data, layout: laid() }));
  const draw = () => target.isConnected && Plotly.react(target, data, laid(), config);
  document.addEventListener("themechange", draw);
  return draw();
}

// The words about a trial that every plot shows.
export function trialWords(page, trial) {
  const { table, columns, objective } = page;
  const value = table.values[trial];
  const reached = Number.isFinite(value) ? `${objective.metric} = ${short(value)} at step ${table.steps[trial]}`
    : table.status_names[table.status[trial]];
  const settings = columns.map((column) => {
    const x = column.x[trial];
    if (column.categories ? x < 0 : !Number.isFinite(x)) return null;
    return `${column.name} = ${column.categories ? column.categories[x] : short(x)}`;
  }).filter((words) => words !== null);
  return { name: table.names[trial], study: table.studies[table.study[trial]], reached, settings };
}

export class LinkedPlot {
  constructor(page, drawing, link, open) {
    Object.assign(this, { page, drawing, link, open, isDrawn: false, items: [], full: null });
    this.div = h("div", { class: "plotly-target" });
    this.canvas = h("canvas", { class: "over", "aria-hidden": "true" });
    this.under = h("canvas", { class: "under", "aria-hidden": "true" });
    this.plot = h("div", { class: "plot", tabindex: 0, role: "application", style: `min-height:${drawing.height}px`,
      "aria-label": `${drawing.title}. Arrow keys go through the trials, best first; Enter opens one.` },
    this.under, this.div, this.canvas);
    this.tools = h("div", { class: "row no-print" });
    this.told = h("div", {});
    this.element = h("figure", { id: drawing.id, class: drawing.is_wide ? "wide" : null },
      h("div", { class: "head" }, h("h3", {}, drawing.title), this.tools), this.told, this.plot,
      this.caption = h("figcaption", {}, drawing.caption));
    this.listen();
  }

  listen() {
    this.stop = this.link.subscribe((what) => { if (this.isDrawn) this.lighten(what); });
    this.onTheme = () => { if (this.isDrawn) this.draw(); };
    document.addEventListener("themechange", this.onTheme);
    this.plot.addEventListener("pointermove", (event) => this.move(event));
    this.plot.addEventListener("pointerleave", () => { this.link.hover(null); byId("tip").hidden = true; });
    this.plot.addEventListener("pointerdown", (event) => this.press(event), true);
    this.plot.addEventListener("click", (event) => this.click(event));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => { if (this.isDrawn) requestAnimationFrame(() => this.light()); });
    this.observer.observe(this.plot);
  }

  close() {
    this.stop();
    this.observer.disconnect();
    document.removeEventListener("themechange", this.onTheme);
    if (this.isDrawn && window.Plotly) window.Plotly.purge(this.div);
  }

  get isLinked() { return this.items.length > 0; }

  // The data of a plot that comes by itself; false when it has nothing to show after all.
  async fetched() {
    if (this.drawing.data !== null) return true;
    this.asked ??= getPacked("plot", { ...this.page.query, id: this.drawing.id });
    const found = await this.asked;
    this.asked = null;
    if (this.drawing.data !== null) return true;
    if (!found.data?.length) { this.element.remove(); return false; }
    this.drawing = { ...found, layout: { ...found.layout, ...this.marked } };
    fill(this.caption, found.caption);
    return true;
  }

  async draw() {
    const Plotly = await plotly();
    if (!await this.fetched() || !this.plot.isConnected) return;
    const traces = this.drawing.data.map((trace) => ({ ...trace }));
    const isLinked = traces.some((trace) => trace.customdata || trace.trials || trace.trial !== undefined);
    const layout = { ...layoutOf(this.drawing, this.plot.clientWidth), hovermode: isLinked ? false : "closest", dragmode: "zoom" };
    if (this.kept) Object.assign(layout, this.kept);
    const shown = traces.map(({ trials, trial, ...trace }) => trace), chosen = painted(traces);
    this.mass = [...chosen].map((number) => [number, traces[number]]);
    const axisNow = (name) => ({ ...this.div.layout[name], showgrid: this.drawing.layout[name]?.showgrid ?? true });
    const config = configOf(this.drawing.id, () => ({ data: shown, layout: { ...layout, xaxis: axisNow("xaxis"), yaxis: axisNow("yaxis") } }));
    // What is painted lies below Plotly's drawing, whose grid would be drawn over it: the grid is painted too.
    this.grids = chosen.size ? ["xaxis", "yaxis"].filter((axis) => this.drawing.layout[axis]?.showgrid !== false) : [];
    const seen = chosen.size ? { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: { ...layout.xaxis, showgrid: false }, yaxis: { ...layout.yaxis, showgrid: false } } : {};
    await Plotly.react(this.div, shown.map((trace, number) => (chosen.has(number) ? placeholder(trace) : trace)), { ...layout, ...seen }, config);
    if (!this.isDrawn) {
      this.div.on("plotly_afterplot", () => this.moved());
      this.div.on("plotly_relayouting", () => this.moved());
      this.div.on("plotly_relayout", (change) => this.zoomed(change));
      if (this.drawing.switches?.length) this.offerSwitches();
    }
    this.isDrawn = true;
    this.index(traces);
    this.moved();
    this.element.dataset.drawn = "yes";
  }

  // Axes are where they are now: whatever lies on a canvas has to follow.
  moved() {
    this.pixels = null;
    this.paintMass();
    this.light();
  }

  paintMass() {
    const place = this.place();
    if (!this.mass?.length || !place) { this.under.width = this.under.height = 0; return; }
    const pen = this.cleared(this.under);
    let n_marks = 0;
    for (const axis of this.grids) grid(pen, this.div._fullLayout[axis], place.box, axis === "xaxis", templates[isDark() ? "dark" : "light"].layout.xaxis.gridcolor);
    for (const [number, trace] of this.mass) {
      if (this.div._fullData?.[number]?.visible !== true) continue;
      n_marks += trace.trials?.length ?? trace.x.length;
      pen.save();
      clipTo(pen, place.box, isLine(trace) ? 0 : 8);
      paint(pen, trace, place.x, trace.yaxis === "y2" ? place.secondY : place.firstY);
      pen.restore();
    }
    pen.restore();
    this.element.dataset.painted = String(n_marks);
  }

  // The pen of a canvas as large as the plot, with nothing on it; whoever takes it has to restore it.
  cleared(canvas) {
    const width = this.plot.clientWidth, height = this.plot.clientHeight, scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.save();
    return pen;
  }

  offerSwitches() {
    const buttons = this.drawing.switches.map(({ label, changes }) => h("button", { type: "button", onclick: () => {
      window.Plotly.relayout(this.div, changes);
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === label)));
    } }, label));
    const type = this.drawing.layout.yaxis?.type === "log" ? "log" : "linear";
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === type)));
    this.closer = h("button", { type: "button", "aria-pressed": "false", title: "Only the values of the best trials after the first quarter of the run",
      onclick: () => this.comeCloser() }, "close up");
    buttons.push(this.closer);
    this.tools.append(...buttons);
  }

  // Curves start high and end close together: where they end is what tells which overfits, and is seen from near only.
  comeCloser() {
    const bright = this.items.filter((item) => !item.isFaint && !item.isPoint && item.xs.length > 1);
    const last = Math.max(...bright.map((item) => item.xs[item.xs.length - 1]));
    const values = bright.flatMap((item) => [...item.ys].filter((value, at) => Number.isFinite(value) && item.xs[at] >= last / 4));
    if (!values.length) return;
    const low = Math.min(...values), high = Math.max(...values), room = 0.06 * (high - low || Math.abs(high) || 1);
    window.Plotly.relayout(this.div, { "yaxis.type": "linear", "yaxis.dtick": null, "yaxis.range": [low - room, high + room] });
    this.tools.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(button === this.closer)));
  }

  update(drawing) {
    const layout = this.marked ? { ...drawing.layout, ...this.marked } : drawing.layout;
    this.drawing = { ...drawing, layout };
    this.full = this.asked = null;
    if (this.isDrawn) this.draw();
  }

  mark(layout) {
    this.marked = layout;
    this.drawing = { ...this.drawing, layout: { ...this.drawing.layout, ...layout } };
    if (this.isDrawn) window.Plotly.relayout(this.div, { shapes: layout.shapes || [], annotations: layout.annotations || [],
      ...(layout.xaxis?.range ? { "xaxis.range": layout.xaxis.range } : {}) });
  }

  // Full resolution where somebody zooms into curves.
  async zoomed(change) {
    if (!this.drawing.id.startsWith("curves-") && this.drawing.id !== "grad-norm") return;
    const low = change["xaxis.range[0]"], high = change["xaxis.range[1]"];
    clearTimeout(this.timer);
    if (low === undefined || high === undefined) {
      if (this.full && (change["xaxis.autorange"] || change["xaxis.range"])) {
        this.drawing = { ...this.drawing, data: this.full };
        this.full = this.kept = null;
        this.draw();
      }
      return;
    }
    this.timer = setTimeout(async () => {
      const found = await getPacked("plot", { ...this.page.query, id: this.drawing.id, low: String(low), high: String(high) })
        .catch(() => null);
      if (!found) return;
      this.full ??= this.drawing.data;
      this.kept = { xaxis: { ...this.div.layout.xaxis }, yaxis: { ...this.div.layout.yaxis } };
      this.drawing = { ...this.drawing, data: found.data };
      await this.draw();
      this.kept = null;
      this.element.dataset.zoomed = `${low}:${high}`;
    }, 200);
  }

  // Everything that can be pointed at: points, and lines split where they have a gap.
  index(traces) {
    this.items = [];
    this.pixels = null;
    for (const trace of traces) {
      const colours = trace.marker?.color;
      const colour = (number) => (Array.isArray(colours) ? colours[number] : colours) || trace.line?.color
        || trace.marker?.line?.color || "#0072B2";
      if (trace.trial !== undefined) {
        this.items.push({ trial: trace.trial, xs: trace.x, ys: trace.y, second: trace.yaxis === "y2", colour: colour(0) });
      } else if (trace.trials) {
        let from = 0;
        for (const trial of trace.trials) {
          let to = from;
          while (to < trace.x.length && !Number.isNaN(trace.x[to])) to += 1;
          this.items.push({ trial, xs: trace.x.subarray(from, to), ys: trace.y.subarray(from, to), colour: colour(0),
            isFaint: true });
          from = to + 1;
        }
      } else if (trace.customdata) {
        const isCross = trace.marker?.symbol === "x-thin";
        for (let number = 0; number < trace.customdata.length; number += 1) {
          this.items.push({ trial: trace.customdata[number], xs: [trace.x[number]], ys: [trace.y[number]], isPoint: true,
            second: trace.yaxis === "y2", colour: isCross ? "#D3212D" : colour(number), isCross });
        }
      }
    }
    this.byTrial = Map.groupBy ? Map.groupBy(this.items, (item) => item.trial) : grouped(this.items);
  }

  place() {
    const layout = this.div._fullLayout;
    if (!layout?.xaxis) return null;
    const x = layout.xaxis, firstY = layout.yaxis, secondY = layout.yaxis2 || firstY;
    return { x, firstY, secondY, box: { left: x._offset, top: firstY._offset, right: x._offset + x._length, bottom: firstY._offset + firstY._length },
      at: (item, number) => {
        const y = item.second ? secondY : firstY;
        return [x._offset + x.d2p(item.xs[number]), y._offset + y.d2p(item.ys[number])];
      } };
  }

  measured() {
    if (this.pixels) return this.pixels;
    const place = this.place();
    if (!place) return [];
    this.pixels = this.items.map((item) => {
      const path = item.path ??= new Float32Array(2 * item.xs.length);
      for (let number = 0; number < item.xs.length; number += 1) {
        const [x, y] = place.at(item, number);
        path[2 * number] = x;
        path[2 * number + 1] = y;
      }
      return path;
    });
    return this.pixels;
  }

  spot(event) {
    const frame = this.plot.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  nearest([x, y]) {
    const pixels = this.measured(), passing = this.link.passing;
    let best = null, least = NEAR_POINT ** 2;
    for (let number = 0; number < pixels.length; number += 1) {
      const item = this.items[number], path = pixels[number];
      if (passing && !passing.has(item.trial)) continue;
      if (item.isPoint) {
        const away = (path[0] - x) ** 2 + (path[1] - y) ** 2;
        if (away < least) { least = away; best = item.trial; }
        continue;
      }
      // A line gives way to a point of the same distance, and a faint one to a bright one.
      const handicap = (NEAR_POINT / NEAR_LINE) ** 2 * (item.isFaint ? 1.6 : 1);
      for (let at = 0; at + 3 < path.length; at += 2) {
        if (path[at] > x + NEAR_LINE || path[at + 2] < x - NEAR_LINE) continue;
        const away = handicap * toSegment(x, y, path[at], path[at + 1], path[at + 2], path[at + 3]);
        if (away < least) { least = away; best = item.trial; }
      }
    }
    return best;
  }

  move(event) {
    if (!this.isDrawn || !this.isLinked) return;
    if (this.start) { this.stretch(event); return; }
    const place = this.place(), [x, y] = this.spot(event);
    const isInside = place && x > place.box.left - 8 && x < place.box.right + 8 && y > place.box.top - 8 && y < place.box.bottom + 8;
    const trial = isInside ? this.nearest([x, y]) : null;
    this.plot.style.cursor = trial === null ? "" : "pointer";
    this.link.hover(trial);
    this.tip(trial, event.clientX, event.clientY);
  }

  tip(trial, x, y) {
    const tip = byId("tip");
    tip.hidden = trial === null;
    if (trial === null) return;
    const words = trialWords(this.page, trial);
    fill(tip, h("strong", {}, words.name), h("div", {}, words.study), h("div", {}, h("strong", {}, words.reached)),
      words.settings.map((setting) => h("div", {}, setting)));
    tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(y + 14, innerHeight - tip.offsetHeight - 8)}px`;
  }

  press(event) {
    if (this.page.drag !== "filter" || event.pointerType === "touch" || event.button !== 0 || !this.isLinked) return;
    if (event.target.closest?.(".modebar, .legend, .legendtoggle")) return;
    const place = this.place(), [x, y] = this.spot(event);
    if (!place || x < place.box.left || x > place.box.right || y < place.box.top || y > place.box.bottom) return;
    event.stopPropagation();
    event.preventDefault();
    this.start = [x, y];
    this.plot.setPointerCapture(event.pointerId);
    const done = (last) => {
      this.plot.removeEventListener("pointerup", done, true);
      this.finish(last);
    };
    this.plot.addEventListener("pointerup", done, true);
  }

  stretch(event) {
    const [x, y] = this.spot(event), [x0, y0] = this.start;
    if (Math.hypot(x - x0, y - y0) < 5) return;
    this.brush ??= this.plot.appendChild(h("div", { class: "brush" }));
    Object.assign(this.brush.style, { left: `${Math.min(x, x0)}px`, top: `${Math.min(y, y0)}px`,
      width: `${Math.abs(x - x0)}px`, height: `${Math.abs(y - y0)}px` });
  }

  finish(event) {
    const [x, y] = this.spot(event), [x0, y0] = this.start;
    this.start = null;
    this.brush?.remove();
    const wasBrush = Boolean(this.brush);
    this.brush = null;
    if (!wasBrush) return;
    this.brushed = true;
    this.choose([Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)]);
  }

  // Trials inside: a point in the box, a curve with a point in it, a line of parallel coordinates that crosses
  // every axis within the box there.
  choose([left, top, right, bottom]) {
    const pixels = this.measured(), found = new Set(), needsAll = this.drawing.id === "parallel";
    pixels.forEach((path, number) => {
      let within = 0, inside = 0;
      for (let at = 0; at < path.length; at += 2) {
        if (path[at] < left || path[at] > right) continue;
        within += 1;
        if (path[at + 1] >= top && path[at + 1] <= bottom) inside += 1;
      }
      if (inside && (!needsAll || inside === within)) found.add(this.items[number].trial);
    });
    this.link.filter(this.drawing.title, found.size ? found : null);
  }

  click(event) {
    if (this.brushed) { this.brushed = false; return; }
    if (!this.isLinked || event.target.closest?.(".modebar")) return;
    const trial = this.nearest(this.spot(event));
    if (trial !== null) this.link.toggle(trial);
  }

  key(event) {
    const ranked = [...this.page.table.order].filter((trial) => this.byTrial?.has(trial));
    if (!ranked.length) return;
    const current = this.link.hovered ?? [...this.link.pinned][0];
    const at = ranked.indexOf(current);
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: ranked.length - 1 }[event.key];
    if (event.key === "Enter" && current !== undefined && current !== null) this.open(current);
    else if (event.key === "Escape") { this.link.hover(null); this.link.pin([]); this.link.clear(); }
    else if (next !== undefined) {
      const trial = ranked[Math.max(0, Math.min(ranked.length - 1, next))];
      const words = trialWords(this.page, trial);
      this.link.hover(trial);
      this.link.pin([trial]);
      say(`Rank ${ranked.indexOf(trial) + 1} of ${ranked.length}: ${words.name}, ${words.reached}. ${words.settings.join(", ")}`);
    } else return;
    event.preventDefault();
  }

  lighten() {
    this.plot.classList.toggle("filtered", this.link.passing !== null && this.isLinked);
    this.light();
  }

  light() {
    this.element.dataset.lit = "0";
    const place = this.place(), hasMarks = this.link.hovered !== null || this.link.pinned.size > 0 || this.link.passing !== null;
    if (!hasMarks && !this.isLit) return;
    const pen = this.cleared(this.canvas);
    this.isLit = hasMarks;
    if (!place || !this.isLinked || !hasMarks) { pen.restore(); return; }
    clipTo(pen, place.box);
    const passing = this.link.passing;
    if (passing) this.paint(pen, passing, (item) => ({ colour: item.colour, width: item.isFaint ? 1 : 2, radius: 4 }));
    const bright = isDark() ? "#FFFFFF" : "#000000";
    const lit = this.paint(pen, this.link.pinned, () => ({ colour: "#CC79A7", width: 4, radius: 9, ring: bright }));
    const over = this.link.hovered === null ? 0
      : this.paint(pen, new Set([this.link.hovered]), () => ({ colour: bright, width: 3, radius: 9, ring: "#E69F00" }));
    this.element.dataset.lit = String(lit + over);
    pen.restore();
  }

  paint(pen, trials, look) {
    const pixels = this.measured();
    let painted = 0;
    this.items.forEach((item, number) => {
      if (!trials.has(item.trial)) return;
      const { colour, width, radius, ring } = look(item), path = pixels[number];
      painted += 1;
      pen.strokeStyle = ring && item.isPoint ? ring : colour;
      pen.fillStyle = item.colour;
      pen.lineWidth = item.isPoint ? 2.5 : width;
      pen.beginPath();
      if (item.isCross) {
        const [x, y] = path, r = ring ? 8 : 4;
        pen.strokeStyle = "#D3212D";
        pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r);
        pen.stroke();
      } else if (item.isPoint) {
        pen.arc(path[0], path[1], radius, 0, 2 * Math.PI);
        if (ring) { pen.stroke(); pen.beginPath(); pen.arc(path[0], path[1], radius / 2, 0, 2 * Math.PI); }
        pen.fill();
      } else {
        let isDown = false;
        for (let at = 0; at < path.length; at += 2) {
          const isKnown = Number.isFinite(path[at]) && Number.isFinite(path[at + 1]);
          if (isKnown && isDown) pen.lineTo(path[at], path[at + 1]); else if (isKnown) pen.moveTo(path[at], path[at + 1]);
          isDown = isKnown;
        }
        pen.stroke();
      }
    });
    return painted;
  }

  // Show why a finding says what it says: its words above the plot, its trials lit.
  tell(card) {
    document.querySelectorAll("figure.evidence").forEach((other) => other.classList.remove("evidence"));
    document.querySelectorAll("figure .told").forEach((other) => other.remove());
    this.element.classList.add("evidence");
    fill(this.told, h("p", { class: "told" }, h("strong", {}, `${card.severity}: `), card.says));
    this.link.pin(card.trials);
    if (this.closer && CLOSE_UPS.has(card.code)) this.comeCloser();
    this.element.scrollIntoView({ block: "start" });
    this.plot.focus({ preventScroll: true });
  }
}

// The box of the axes, and a little more where marks at its edge are to be whole.
function clipTo(pen, box, more = 8) {
  pen.beginPath();
  pen.rect(box.left - more, box.top - more, box.right - box.left + 2 * more, box.bottom - box.top + 2 * more);
  pen.clip();
}

function grouped(items) {
  const found = new Map();
  for (const item of items) found.set(item.trial, [...(found.get(item.trial) || []), item]);
  return found;
}

function toSegment(x, y, x0, y0, x1, y1) {
  const dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
  const share = square ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / square)) : 0;
  const away = (x0 + share * dx - x) ** 2 + (y0 + share * dy - y) ** 2;
  return Number.isNaN(away) ? Infinity : away;
}

// Draws plots when they come near the window, one after the other, so that words and keys never wait for all of
// them; and all of them before printing.
export class Gallery {
  constructor() {
    this.plots = new Map();
    this.waiting = new Set();
    this.watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      this.watch.unobserve(entry.target);
      this.want(this.plots.get(entry.target.id));
    }), { rootMargin: "300px" });
    this.onPrint = () => this.all();
    addEventListener("beforeprint", this.onPrint);
  }

  failed(figure, error) { figure.append(h("p", { class: "error" }, error.message)); }

  add(plot) { this.plots.set(plot.drawing.id, plot); this.watch.observe(plot.element); return plot.element; }

  want(plot) {
    if (!plot) return;
    plot.fetched().catch(() => {});  // on its way while others are drawn; drawing tells when it failed
    this.waiting.add(plot);
    this.working ??= this.work().finally(() => { this.working = null; });
  }

  async work() {
    while (this.waiting.size) {
      await pause();
      const [plot] = this.waiting;
      this.waiting.delete(plot);
      await plot.draw().catch((error) => this.failed(plot.element, error));
    }
  }

  // Every plot drawn: what is printed has to be there, near the window or not.
  async all() {
    this.plots.forEach((plot) => { if (!plot.isDrawn) { this.watch.unobserve(plot.element); this.want(plot); } });
    while (this.working) await this.working;
  }

  close() {
    removeEventListener("beforeprint", this.onPrint);
    this.watch.disconnect();
    this.waiting.clear();
    this.plots.forEach((plot) => plot.close());
  }
}

function pause() { return globalThis.scheduler?.yield ? scheduler.yield() : new Promise((done) => setTimeout(done)); }
