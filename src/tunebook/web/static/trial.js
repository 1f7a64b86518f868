// One trial: its configuration against the baseline, its curves, what they show, its output, how to do it again.

import { cell, duration, fill, h, short, table } from "./dom.js";
import { getPacked, post } from "./api.js";
import { address } from "./app.js";
import { plainPlot } from "./plots.js";

const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"];

export async function show(place, { parts: [round, trial], query }, settings) {
  const asked = { round, trial, objective: query.objective };
  const found = await getPacked("trial", asked);
  render(place, found, settings, query);
  getPacked("trial", { ...asked, diagnosed: "1" }).then((full) => tell(place.querySelector("#diagnosis"), full.diagnosis))
    .catch((error) => tell(place.querySelector("#diagnosis"), null, error.message));
}

function render(place, found, settings, query) {
  const value = found.value === null ? "no finite value" : `${short(found.value)} at step ${found.step.toLocaleString("en")}`;
  const rank = found.rank ? `Rank ${found.rank} of ${found.n_ranked}.` : "";
  fill(place,
    h("h1", {}, found.trial),
    h("p", {}, h("span", { class: `badge ${found.status}` }, found.status), found.cause ? ` ${found.cause.replaceAll("_", " ")}` : "",
      ` ${found.metric}: `, h("strong", {}, value), `. ${rank}`),
    h("p", { class: "small quiet" }, `Study ${found.study} · seed ${found.seed} · ${found.purpose} · took ${duration(found.seconds)}`),
    found.detail ? h("pre", { "aria-label": "What was recorded at its end" }, found.detail) : null,
    section("Diagnosis", h("div", { id: "diagnosis", role: "status" }, h("p", { class: "quiet" }, "The curves are being read…"))),
    section("Curves", h("div", { class: "plots" }, found.curves.map((panel, number) => figure(panel, number, found)))),
    section("Configuration", config(found)),
    found.repeats.length ? section("The same configuration with other seeds", table(["trial", { text: "seed", kind: "number" }, { text: found.metric, kind: "number" }],
      found.repeats.map((one) => h("tr", {}, cell(h("a", { href: address("trial", [found.round, one.trial], { objective: query.objective }) }, one.trial), "name"), cell(String(one.seed), "number"), cell(short(one.value), "number"))))) : null,
    section("How to reproduce it", recipe(found.reproduce)),
    section("Output", found.output ? [h("p", { class: "small quiet" }, `Attempt ${found.output.attempt}, ${found.output.is_cut ? "the end of " : ""}${found.output.bytes.toLocaleString("en")} bytes`),
      h("pre", { tabindex: 0, "aria-label": "Output" }, found.output.text || "(it printed nothing)")] : h("p", { class: "quiet" }, "No output of it lies in this project.")),
    section("Checkpoints", found.checkpoints.length ? table([{ text: "step", kind: "number" }, { text: found.metric, kind: "number" }, "path"],
      found.checkpoints.map((one) => h("tr", {}, cell(one.step.toLocaleString("en"), "number"), cell(short(one.value), "number"), cell(h("code", {}, one.path), "name"))))
      : h("p", { class: "quiet" }, "No checkpoint was kept in this project.")),
    found.notes.length || !settings.is_read_only ? section("Notes", found.notes.map((one) => h("p", {}, one.text, " ", h("span", { class: "small quiet" }, one.at.slice(0, 10)))), settings.is_read_only ? null : note(found)) : null);
}

function section(title, ...content) { return h("section", { "aria-label": title }, h("h2", {}, title), content); }

function figure(panel, number, found) {
  const target = h("div", { role: "img", "aria-label": `${panel.quantity} against the training step`, style: "min-height:300px" });
  const traces = panel.lines.map((line, place) => ({ type: "scatter", mode: line.steps.length > 40 ? "lines" : "lines+markers", name: plain(line.metric), x: line.steps, y: line.values,
    line: { color: COLOURS[place % COLOURS.length], width: 2.2, dash: line.metric.startsWith("train/") ? "dot" : "solid" }, marker: { size: 5 } }));
  const shapes = number === 0 && found.step >= 0 ? [{ type: "line", xref: "x", yref: "paper", x0: found.step, x1: found.step, y0: 0, y1: 1, line: { color: "#8A8F98", width: 1.5, dash: "dash" } }] : [];
  const draw = (type) => plainPlot(target, traces, { xaxis: { title: { text: "training step" } }, yaxis: { title: { text: plain(panel.quantity) }, type }, shapes, showlegend: true });
  const positive = panel.lines.every((line) => line.values.every((value) => !(value <= 0)));
  const buttons = positive ? ["linear", "log"].map((type) => h("button", { type: "button", "aria-pressed": String(type === "linear"), onclick: (event) => {
    draw(type);
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === event.currentTarget)));
  } }, type)) : [];
  requestAnimationFrame(() => draw("linear").catch((error) => target.append(error.message)));
  return h("figure", {}, h("div", { class: "head" }, h("h3", {}, panel.quantity), h("div", { class: "row no-print" }, buttons)), target,
    h("figcaption", {}, panel.lines.length > 1 ? "Dotted: training. " : "", number === 0 && found.step >= 0 ? "The dashed line is where the objective was reached." : ""));
}

// Plotly understands some markup in labels.
function plain(text) { return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); }

function config(found) {
  const heads = ["hyperparameter", "role", "value", ...(found.has_baseline ? ["baseline", ""] : [])];
  return [found.has_baseline ? null : h("p", { class: "small quiet" }, "There is no baseline yet to compare with."),
    table(heads, found.config.map((row) => h("tr", { class: row.differs ? "differs" : null }, cell(row.name, "name"), cell(row.role), cell(row.value ?? "does not exist"),
      found.has_baseline ? [cell(row.baseline ?? "does not exist"), cell(row.differs ? "differs" : "")] : [])), { label: "Configuration" })];
}

function tell(target, diagnosis, problem) {
  if (!target) return;
  if (!diagnosis) { fill(target, h("p", { class: "quiet" }, problem || "Its curves were not diagnosed.")); return; }
  fill(target, h("ul", {}, diagnosis.map((one) => h("li", {}, one.is_given || one.score === null ? h("strong", {}, one.words) : one.words,
    one.score === null ? "" : ` (${one.label.replaceAll("_", " ")}: score ${one.score.toFixed(2)}${one.is_given ? "" : ", a hint only"})`))));
  target.dataset.told = "yes";
}

function recipe(found) {
  return [h("pre", {}, found.steps.join("\n")),
    h("p", { class: "small" }, `Pipeline ${found.pipeline}, seed ${found.seed}${found.python ? `, Python ${found.python}` : ""}${found.is_dirty ? "; the code had changes that were not committed (their difference is in the provenance)" : ""}.`),
    found.was_started_by ? h("p", { class: "small quiet" }, "It was started by ", h("code", {}, found.was_started_by)) : null,
    h("details", {}, h("summary", {}, "Configuration as JSON"), h("pre", {}, found.config))];
}

function note(found) {
  const text = h("textarea", { "aria-label": "A note about this trial", maxlength: 10000 }), told = h("span", { role: "status" });
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      await post("note", { round: found.round, trial: found.trial, note: text.value });
      event.target.before(h("p", {}, text.value, " ", h("span", { class: "small quiet" }, "just now")));
      text.value = "";
      told.textContent = "Kept.";
    } catch (error) { told.textContent = error.message; }
  } }, text, h("div", { class: "row" }, h("button", { type: "submit" }, "Keep note"), told));
}
