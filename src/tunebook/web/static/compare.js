// Compare: is it better, how sure, and the buttons that act on the answer.

import { brief, fill, h, percent, short } from "./dom.js";
import { getJson, getPacked, listen, post } from "./api.js";
import { address } from "./app.js";
import { Gallery, LinkedPlot, plainPlot } from "./plots.js";
import { Link } from "./link.js";
import { interval } from "./words.js";

const COMPLEXITY = [["none", "no complexity: other values of what is there anyway"], ["some", "some complexity"], ["much", "much complexity"]];

export async function show(place, { parts: [round], query }, settings) {
  const asked = { round, objective: query.objective, complexity: query.complexity };
  let gallery = new Gallery();
  const told = h("p", { role: "status", id: "told" });  // outlives what is drawn again around it
  const draw = async () => {
    const [found, data] = await Promise.all([getPacked("compare", asked), getPacked("round", { round, objective: query.objective })]);
    gallery.close();
    gallery = new Gallery();
    render(place, found, data, { asked, settings, gallery, told, draw });
  };
  await draw();
  const stop = listen(round, () => { if (!place.querySelector("dialog[open], details[open]")) draw().catch(() => {}); });
  return () => { stop(); gallery.close(); };
}

function render(place, found, data, context) {
  const { asked, settings, gallery } = context, link = new Link();
  const page = { ...data, query: { round: asked.round, objective: asked.objective }, drag: "zoom" };
  const open = (trial) => { location.hash = address("trial", [asked.round, data.table.names[trial]], { objective: asked.objective }); };
  const figures = found.isolation.map((drawing) => new LinkedPlot(page, { ...drawing, id: `compare-${drawing.id}` }, link, open));
  fill(place,
    h("h1", {}, `Compare: ${found.round}`),
    h("p", {}, data.goal),
    found.verdict ? verdict(found, context) : h("p", { class: "card plain" }, h("strong", {}, "No verdict: "), found.why_not),
    section("Settings, isolated", figures.length ? h("div", { class: "plots" }, figures.map((figure) => gallery.add(figure))) : h("p", { class: "quiet" }, "This round compares no settings."),
      figures.length ? h("p", { class: "small quiet" }, "Whiskers: 95 % interval of the expected best of as many trials in every setting, so that a setting with more trials has no advantage.") : null),
    section("Repeats as points", repeats(found)),
    found.verdict ? section("Caveats", found.verdict.caveats.length ? h("ul", {}, found.verdict.caveats.map((one) => h("li", {}, one))) : h("p", {}, "None recorded.")) : null,
    settings.is_read_only ? h("p", { class: "quiet" }, "This page is read-only: deciding is for the command line.") : actions(found, context));
}

function section(title, ...content) { return h("section", { "aria-label": title }, h("h2", {}, title), content); }

function verdict(found, { asked }) {
  const one = found.verdict, isAlone = !one.baseline || !one.candidate || one.baseline.trial === one.candidate.trial;
  const choose = h("select", { "aria-label": "How much complexity the change adds", onchange: (event) => {
    location.hash = address("compare", [asked.round], { objective: asked.objective, complexity: event.target.value });
  } }, COMPLEXITY.map(([value, words]) => h("option", { value, selected: value === (asked.complexity || "some") }, words)));
  return section("Verdict",
    h("div", { class: "row" }, h("span", { class: `verdict-word ${one.verdict}` }, one.verdict), h("span", { class: "small" }, "for a change that adds "), choose),
    one.answers.map((answer) => h("p", { class: "answer" }, answer)),
    h("ul", { class: "small" }, one.because.map((reason) => h("li", {}, reason))),
    one.needs.seeds ? h("p", {}, h("strong", {}, "To settle it: "), h("code", {}, `tunebook repeat ${asked.round} --seeds ${one.needs.seeds}`)) : null,
    h("div", { class: "two" },
      h("div", {}, h("h3", {}, "Is this configuration better than the baseline's?"), isAlone ? h("p", { class: "quiet" }, "There is no baseline to compare it with yet.") : null, isAlone ? null : chance(one.configuration.probability_of_improvement, one.threshold),
        isAlone ? contender("runner-up", one.runner_up, one.runner_up?.text, asked) : h("p", {}, one.configuration_text, "."), isAlone ? null : contender("baseline", one.baseline, one.baseline_text, { ...asked, round: one.baseline_round }), contender("candidate", one.candidate, one.candidate_text, asked)),
      h("div", {}, h("h3", {}, "Is this setting better, once everything else is tuned?"),
        one.settings.length ? one.settings.map((answer, number) => [chance(answer.probability_of_improvement, null), h("p", {}, one.setting_texts[number], ".")]) : h("p", { class: "quiet" }, "There is one setting only."))),
    improvements(one));
}

function contender(part, one, text, asked) {
  return one ? h("p", { class: "small" }, h("strong", {}, `${part} `), h("a", { href: address("trial", [asked.round, one.trial], { objective: asked.objective }) }, one.trial), `${one.repeats === undefined ? "" : ` (${one.repeats} repeats)`}: ${text}`) : null;
}

function chance(probability, threshold) {
  if (probability === null) return h("p", { class: "quiet" }, "Unknown.");
  const track = h("div", { class: "track", "aria-hidden": "true" }, h("i"), threshold === null ? null : h("b", { title: "asked for" }));
  track.firstChild.style.width = `${100 * probability}%`;
  if (threshold !== null) track.lastChild.style.left = `${100 * threshold}%`;
  return h("div", { class: "chance" }, track, h("strong", {}, percent(probability), threshold === null ? "" : ` (asked for: ${percent(threshold)})`));
}

function improvements(one) {
  const rows = [["configuration", one.configuration.improvement], ...one.settings.map((answer) => [Object.entries(answer.setting).map(([name, value]) => `${name}=${value}`).join(", ") || "setting", answer.improvement])].filter(([, gain]) => gain);
  if (!rows.length) return null;
  const target = h("div", { role: "img", "aria-label": `Improvements with intervals: ${rows.map(([name, gain]) => `${name} ${interval(gain)}`).join("; ")}` });
  const trace = { type: "scatter", mode: "markers", x: rows.map(([, gain]) => gain.estimate), y: rows.map(([name]) => plain(String(name))), marker: { size: 12, symbol: "diamond", color: "#E69F00" },
    error_x: { type: "data", symmetric: false, array: rows.map(([, gain]) => gain.high - gain.estimate), arrayminus: rows.map(([, gain]) => gain.estimate - gain.low), thickness: 2, color: "#E69F00" } };
  const zero = { type: "line", xref: "x", yref: "paper", x0: 0, x1: 0, y0: 0, y1: 1, line: { color: "#8A8F98", dash: "dash" } };
  const layout = { xaxis: { title: { text: "improvement (right is better)" } }, yaxis: { type: "category", autorange: "reversed" }, shapes: [zero], showlegend: false, margin: { t: 16 } };
  requestAnimationFrame(() => plainPlot(target, [trace], layout, 120 + 50 * rows.length).catch(() => {}));
  return h("figure", {}, target, h("figcaption", {}, "Estimates with their intervals. An interval on both sides of the line leaves open which is better."));
}

function repeats(found) {
  const rows = found.repeats.filter((row) => row.values.length || row.chosen_by !== null);
  if (!rows.length) return h("p", { class: "quiet" }, "Nothing was run again yet. ", h("code", {}, `tunebook repeat ${found.round}`), " runs the best of every setting with other seeds.");
  const name = (row) => plain(`${row.part ? `${row.part}: ` : ""}${brief(row.trial, 14)}`);
  const points = { type: "scatter", mode: "markers", name: "repeats", x: [], y: [], marker: { size: 9, color: "#0072B2", opacity: 0.75 } };
  const means = { type: "scatter", mode: "markers", name: "mean of repeats", x: [], y: [], marker: { size: 22, symbol: "line-ew", line: { width: 3, color: "#E69F00" } } };
  const first = { type: "scatter", mode: "markers", name: "the run the search chose by", x: [], y: [], marker: { size: 10, symbol: "circle-open", color: "#8A8F98", line: { width: 2 } } };
  rows.forEach((row, place) => {
    row.values.forEach((value, number) => { points.x.push(place + 0.3 * (((number + 1) * 0.618) % 1 - 0.5)); points.y.push(value); });
    if (row.values.length) { means.x.push(place); means.y.push(row.values.reduce((sum, value) => sum + value, 0) / row.values.length); }
    if (row.chosen_by !== null) { first.x.push(place); first.y.push(row.chosen_by); }
  });
  const target = h("div", { role: "img", "aria-label": `Runs of ${rows.length} configurations: ${rows.map((row) => `${row.part || row.trial} ${row.values.map((value) => short(value)).join(", ")}`).join("; ")}` });
  const layout = { xaxis: { tickvals: rows.map((_, place) => place), ticktext: rows.map(name), range: [-0.6, rows.length - 0.4] }, yaxis: { title: { text: plain(`${found.metric} (${found.direction === "minimize" ? "lower" : "higher"} is better)`) } }, showlegend: true };
  requestAnimationFrame(() => plainPlot(target, [points, means, first], layout, 360).catch((error) => target.append(error.message)));
  const lost = rows.filter((row) => row.infeasible);
  return h("figure", {}, target, h("figcaption", {}, "Each point is one run with a seed of its own. The open circle is the run that was picked because it was the best: it is lucky on average, and does not count."),
    lost.map((row) => h("p", { class: "small" }, `${row.part || row.trial}: ${row.infeasible} infeasible`)));
}

function plain(text) { return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); }

function actions(found, context) {
  return section("Decide", context.told, found.verdict ? [launchForm(found, context), keepForm(found, context)] : null, nextForm(found, context));
}

function base(found, { asked }) { return { round: found.round, objective: asked.objective, complexity: asked.complexity }; }

function launchForm(found, context) {
  const one = found.verdict;
  if (!one.candidate) return null;
  const isOverruling = one.verdict !== "adopt";
  const note = h("textarea", { name: "note", required: isOverruling, "aria-label": "Why", placeholder: isOverruling ? "The verdict is not adopt. Say why you overrule it." : "A note for the ledger (optional)" });
  return h("details", { id: "launch" }, h("summary", {}, `Write the launch: adopt ${one.candidate.trial}${isOverruling ? " against the verdict" : ""}`), h("form", { onsubmit: async (event) => {
    event.preventDefault();
    await attempt(context, async () => {
      const done = await post("adopt", { ...base(found, context), candidate: one.candidate.trial, verdict: one.verdict, note: note.value });
      return [`Launch ${done.launch} is written: `, h("a", { href: "#/" }, "see the project")];
    });
  } }, h("p", { class: "small" }, one.candidate_text), note, h("button", { type: "submit", class: "primary" }, "Write launch")));
}

function keepForm(found, context) {
  const note = h("textarea", { name: "note", "aria-label": "Why", placeholder: "Why (optional: the verdict's reasons are kept)" });
  return h("details", { id: "keep" }, h("summary", {}, "Keep the baseline"), h("form", { onsubmit: async (event) => {
    event.preventDefault();
    await attempt(context, async () => {
      const done = await post("keep", { ...base(found, context), note: note.value });
      return [`Entry ${done.entry} of the ledger records that ${done.trial} stays the baseline: `, h("a", { href: "#/" }, "see the project")];
    });
  } }, note, h("button", { type: "submit" }, "Record that the baseline stays")));
}

function nextForm(found, context) {
  const body = h("div", {}, h("p", { class: "quiet" }, "The checks are running…"));
  const made = h("details", { id: "next", ontoggle: async () => {
    if (!made.open || made.dataset.asked) return;
    made.dataset.asked = "yes";
    try { fill(body, proposal(await getJson("next", { round: found.round, objective: context.asked.objective }), found, context)); } catch (error) { fill(body, h("p", { class: "error" }, error.message)); }
  } }, h("summary", {}, "Save the next design"), body);
  return made;
}

function proposal(next, found, context) {
  const name = h("input", { name: "name", value: next.name, required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}", "aria-label": "Name of the design" });
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    await attempt(context, async () => { const done = await post("save-next", { ...base(found, context), name: name.value }); return [`${done.file} is written. Run it with `, h("code", {}, `tunebook run ${done.file}`)]; });
  } },
  next.changes.length ? h("ul", {}, next.changes.map((change) => h("li", {}, h("code", {}, change.key), `: ${change.text} (${change.source})`))) : h("p", {}, "Nothing in the findings asks for a change of the search."),
  next.first.map((step) => h("p", {}, h("strong", {}, "Before it: "), step)),
  h("pre", { tabindex: 0, "aria-label": "The design" }, next.design), h("div", { class: "row" }, h("label", {}, "Save as rounds/", name, ".toml"), h("button", { type: "submit", class: "primary" }, "Save design")));
}

// What was done is said, and shows in all the rest; what went wrong leaves the form as it was filled in.
async function attempt({ told, draw }, act) {
  told.className = "";
  try {
    fill(told, await act());
    await draw().catch(() => {});
  } catch (error) {
    told.className = "error";
    fill(told, error.message);
  }
  told.scrollIntoView({ block: "nearest" });
}
