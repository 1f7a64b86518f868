// One round: what the checks say, the studies side by side, and plots that light up together.

import { brief, byId, cell, fill, h, say, short, table } from "./dom.js";
import { getJson, getPacked, listen } from "./api.js";
import { address } from "./app.js";
import { Gallery, LinkedPlot, plotly, trialWords } from "./plots.js";
import { Link } from "./link.js";
import { counted, objectiveWords, progressOf } from "./words.js";

const REST = 2000, AGAIN = 10000;
const MOST_ROWS = 30;

export async function show(place, { parts: [name], query }) {
  const page = new RoundPage(place, { round: name, objective: query.objective });
  await page.start(query.finding);
  return () => page.close();
}

class RoundPage {
  constructor(place, query) {
    Object.assign(this, { place, query, drag: "filter", link: new Link(), gallery: new Gallery(), isClosed: false });
  }

  async start(finding) {
    plotly().catch(() => {});  // on its way while the data is, also when one comes here from another page
    this.take(await getPacked("round", this.query));
    this.build();
    this.link.subscribe((what) => this.linked(what));
    this.stop = listen(this.query.round, () => this.news());
    this.check(finding);
    this.tellVerdict();
    this.diagnose();
  }

  close() {
    this.isClosed = true;
    this.stop?.();
    clearTimeout(this.timer);
    clearTimeout(this.again);
    this.gallery.close();
  }

  take(found) { Object.assign(this, found); this.found = found; }

  build() {
    this.part = Object.fromEntries(["live", "short", "objective", "findings", "studies", "labels", "trials"].map((key) => [key, h("div", {})]));
    const chapters = this.chapters.map((chapter) => this.chapter(chapter));
    fill(this.place,
      h("h1", {}, this.query.round),
      h("p", {}, h("strong", {}, this.goal)),
      this.roles.map((sentence) => h("p", { class: "small" }, sentence)),
      this.part.live, this.part.short, this.part.objective,
      this.section("findings", "What the checks found", this.part.findings),
      this.section("studies", "Studies side by side", this.part.studies),
      this.section("labels", "What the curves show", this.part.labels),
      this.dragging(), chapters,
      this.section("trials", "Best trials", this.part.trials));
    fill(this.part.findings, h("p", { class: "quiet", role: "status" }, "The checks are running…"));
    fill(this.part.labels, h("p", { class: "quiet" }, "The curves are being read…"));
    this.refreshWords();
    this.inShort();
  }

  section(id, title, ...content) { return h("section", { "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), content); }

  chapter(chapter) {
    const grid = h("div", { class: "plots" }, chapter.drawings.map((drawing) => this.figure(drawing)));
    const made = this.section(chapter.drawings[0].id + "-chapter", chapter.title, grid);
    made.dataset.chapter = chapter.title;
    return made;
  }

  figure(drawing) { return this.gallery.add(new LinkedPlot(this, drawing, this.link, (trial) => this.open(trial))); }

  open(trial) { location.hash = address("trial", [this.query.round, this.table.names[trial]], { objective: this.query.objective }); }

  refreshWords() {
    fill(this.part.live, h("p", { class: "quiet small", "data-counts": true }, counted(this.counts)), progressOf(this.counts));
    fill(this.part.objective, this.objectiveForm());
    fill(this.part.studies, this.studyTable());
    fill(this.part.trials, this.trialTable());
  }

  objectiveForm() {
    const own = this.objective;
    const metric = h("select", { name: "metric", "aria-label": "Metric" }, [...new Set([own.metric, ...this.metrics])].map((one) => h("option", { value: one, selected: one === own.metric }, one)));
    const direction = h("select", { name: "direction", "aria-label": "Direction" }, ["minimize", "maximize"].map((one) => h("option", { value: one, selected: one === own.direction }, one)));
    const choices = [...new Set([own.reduce, "best", "final", "last:5"])];
    const reduce = h("input", { name: "reduce", "aria-label": "Reduction: best, final, last:5 or at:1000", value: own.reduce, size: 9, list: "reductions",
      required: true, pattern: "\\s*(best|final|at:\\d+|last:[1-9]\\d*)\\s*", title: "best, final, last:5 (the mean of the last 5) or at:1000 (the value at that step)" });
    const send = (event) => {
      event.preventDefault();
      const chosen = `"${metric.value.replace(/["\\]/g, "\\$&")}" ${reduce.value.trim()} ${direction.value}`;
      location.hash = address("round", [this.query.round], { objective: chosen });
    };
    const isOther = objectiveWords(own) !== objectiveWords(this.own_objective);
    return h("form", { class: "row no-print", onsubmit: send, "aria-label": "Objective" },
      h("span", { class: "quiet" }, "Judged by"), metric, direction, reduce,
      h("datalist", { id: "reductions" }, choices.map((one) => h("option", { value: one }))),
      h("button", { type: "submit" }, "Recompute"),
      isOther ? h("a", { href: address("round", [this.query.round]) }, `Back to the round's own (${objectiveWords(this.own_objective)})`) : null,
      h("a", { class: "button", href: `/report?${new URLSearchParams(Object.entries(this.query).filter(([, v]) => v))}`, target: "_blank", rel: "noopener" }, "Printable report"));
  }

  studyTable() {
    const best = this.studies.filter((study) => study.best).map((study) => study.best.value);
    const top = this.objective.direction === "minimize" ? Math.min(...best) : Math.max(...best);
    return table(["study", ...["trials", "complete", "infeasible", "failed", `best ${this.objective.metric}`, "at step"].map((text) => ({ text, kind: "number" })), "best trial"],
      this.studies.map((study) => h("tr", {}, cell(study.study, "name"), ["trials", "complete", "infeasible", "failed"].map((key) => cell(study[key].toLocaleString("en"), "number")),
        cell(study.best ? [short(study.best.value), study.best.value === top ? " (best)" : ""] : "–", "number"), cell(study.best ? study.best.step.toLocaleString("en") : "–", "number"),
        cell(study.best ? h("a", { href: this.linkTo(study.best.trial), title: study.best.trial }, brief(study.best.trial)) : "no trial has a finite objective", "name"))), { label: "Studies" });
  }

  linkTo(trial, place = this.query.round) { return address("trial", [place, trial], { objective: this.query.objective }); }

  trialTable() {
    const passing = this.link.passing;
    const order = [...this.table.order].filter((trial) => !passing || passing.has(trial)).slice(0, MOST_ROWS);
    const rows = order.map((trial) => {
      const words = trialWords(this, trial);
      const row = h("tr", { "data-trial": trial }, cell([h("a", { href: this.linkTo(words.name), title: words.name }, brief(words.name)), this.table.searched[trial] ? "" : h("span", { class: "quiet" }, " (a repeat)")], "name"), cell(words.study, "name"),
        cell(short(this.table.values[trial]), "number"), cell(this.table.steps[trial].toLocaleString("en"), "number"),
        cell(this.labelsOf?.get(words.name)?.map((label) => label.replaceAll("_", " ")).join(", ") || "", "name"), cell(words.settings.join(", "), "name"));
      row.addEventListener("pointerenter", () => this.link.hover(trial));
      row.addEventListener("pointerleave", () => this.link.hover(null));
      row.addEventListener("focusin", () => this.link.hover(trial));
      return row;
    });
    return [h("p", { class: "small quiet" }, `The best ${rows.length} of ${(passing ? passing.size : this.table.names.length).toLocaleString("en")} trials${passing ? " that pass the filter" : ""}.`),
      table(["trial", "study", { text: this.objective.metric, kind: "number" }, { text: "step", kind: "number" }, "curves show", "configuration"], rows, { label: "Best trials" })];
  }

  dragging() {
    const modes = [["filter", "Drag filters"], ["zoom", "Drag zooms"]].map(([mode, words]) => h("button", { type: "button", "aria-pressed": String(this.drag === mode), onclick: (event) => {
      this.drag = mode;
      modes.forEach((button) => button.setAttribute("aria-pressed", String(button === event.currentTarget)));
    } }, words));
    this.filterWords = h("span", { class: "small" });
    return h("div", { class: "row tabs no-print", role: "group", "aria-label": "Plots" }, modes, this.filterWords,
      h("span", { class: "small quiet" }, "Point at a trial to light it everywhere; click pins it."));
  }

  linked(what) {
    if (what === "hover") {
      this.part.trials.querySelectorAll("tr.lit").forEach((row) => row.classList.remove("lit"));
      this.part.trials.querySelector(`tr[data-trial="${this.link.hovered}"]`)?.classList.add("lit");
    } else if (what === "filter") {
      const passing = this.link.passing;
      fill(this.filterWords, passing ? [`${passing.size.toLocaleString("en")} trials in ${[...this.link.filters.keys()].join(" and ")} `,
        h("button", { type: "button", onclick: () => this.link.clear() }, "Clear filter")] : []);
      if (passing) say(`${passing.size} trials pass the filter`);
      fill(this.part.trials, this.trialTable());
    } else this.bar();
  }

  bar() {
    const bar = byId("trial-bar"), [trial] = this.link.pinned;
    bar.hidden = trial === undefined;
    if (trial === undefined) return;
    const words = trialWords(this, trial);
    fill(bar, h("strong", {}, words.name), h("span", {}, words.reached), h("span", { class: "quiet small" }, words.settings.join(", ")),
      h("a", { class: "button primary", href: this.linkTo(words.name) }, "Open trial"),
      h("button", { type: "button", onclick: () => this.link.pin([]) }, "Unpin"));
  }

  async check(wanted) {
    try {
      const found = await getPacked("findings", this.query);
      if (this.isClosed) return;
      this.found_cards = found.cards;
      this.cards(found);
      this.inShort();
      for (const [id, layout] of Object.entries(found.layouts)) this.gallery.plots.get(id)?.mark(layout);
      this.derive(found.derived);
      if (wanted) this.openCard(found.cards.find((card) => card.code === wanted));
      this.place.dataset.checked = found.version;
      clearTimeout(this.again);
      if (!found.is_current) this.again = setTimeout(() => { if (!this.isClosed) this.check(); }, AGAIN);
    } catch (error) {
      if (this.isClosed) return;
      fill(this.part.findings, h("p", { class: "error", role: "alert" }, error.message, " ", h("button", { type: "button", onclick: () => this.check(wanted) }, "Try again")));
    }
  }

  cards(found) {
    const counts = ["blocking", "warning", "note"].map((severity) => [severity, found.cards.filter((card) => card.severity === severity).length]);
    const words = counts.filter(([, count]) => count).map(([severity, count]) => `${count} ${severity}${count > 1 && severity !== "blocking" ? "s" : ""}`).join(", ");
    const main = found.cards.filter((card) => card.severity !== "note"), notes = found.cards.filter((card) => card.severity === "note");
    fill(this.part.findings,
      h("p", { class: "small quiet", role: "status" }, words || "No check found anything to say. That is not proof that all is well: see how many trials there were.",
        found.is_current ? "" : " (some trials behind: the round is running)"),
      h("div", { class: "cards" }, main.map((card) => this.card(card))),
      notes.length ? h("details", { open: main.length < 4 }, h("summary", {}, `${notes.length} note${notes.length > 1 ? "s" : ""}`), h("div", { class: "cards" }, notes.map((card) => this.card(card)))) : null);
  }

  card(card) {
    const about = [card.code.replaceAll("_", " "), card.requirement, card.subject_text, card.confidence_text].filter(Boolean).join(" · ");
    return h("article", { class: `card ${card.severity}` },
      h("p", {}, h("span", { class: "severity" }, card.severity), " ", h("span", { class: "quiet small" }, about)),
      h("p", { class: "says" }, card.says), h("p", {}, card.why),
      card.next_text ? h("p", {}, h("strong", {}, "Next: "), card.next_text) : null,
      card.plot ? h("button", { type: "button", onclick: () => this.openCard(card), "aria-label": `Show the plot behind: ${card.says}` }, "Show the evidence") : null);
  }

  openCard(card) {
    const plot = card && this.gallery.plots.get(card.plot);
    if (!plot) return;
    plot.tell(card);
    say(`The plot ${plot.drawing.title} shows: ${card.says}`);
  }

  derive(drawings) {
    const grid = this.place.querySelector('[data-chapter="Is the search space wide enough"] .plots');
    for (const drawing of drawings) {
      const known = this.gallery.plots.get(drawing.id);
      if (known) known.update(drawing); else grid?.append(this.figure(drawing));
    }
  }

  async tellVerdict() {
    this.verdict = await getJson("verdict", this.query).catch((error) => ({ verdict: null, why_not: error.message }));
    if (!this.isClosed) this.inShort();
  }

  // The four questions somebody comes with, answered in a line each as the answers arrive.
  inShort() {
    const wait = h("span", { class: "quiet" }, "…");
    const more = h("a", { class: "button primary no-print", href: address("compare", [this.query.round], { objective: this.query.objective }) }, "Compare and decide");
    const lines = [["Which is better, and how sure?", this.verdict ? this.better() : wait], ["Is the search space wide enough?", this.found_cards ? this.wide() : wait],
      ["Which trials overfit?", this.labelsOf ? this.overfit() : wait], ["What next?", this.found_cards && this.verdict ? this.next() : wait]];
    const isAnswered = Boolean(this.verdict && this.found_cards && this.labelsOf);
    fill(this.part.short, h("div", { class: "card plain", id: "in-short", "data-answered": isAnswered }, h("dl", {}, lines.map(([question, answer]) => [h("dt", {}, question), h("dd", {}, answer)])), h("p", {}, more)));
  }

  better() {
    const found = this.verdict;
    if (!found.verdict) return [h("span", { class: "quiet" }, "Not known yet: "), found.why_not];
    const isAlone = !found.baseline || !found.candidate || found.baseline.trial === found.candidate.trial;
    const who = (part, one, text, place = this.query.round) => (one ? h("div", { class: "small" }, `The ${part}: `, h("a", { href: this.linkTo(one.trial, place), title: one.trial }, brief(one.trial)), place === this.query.round ? "" : ` of ${place}`, text ? ` (${text})` : "") : null);
    return [found.answers.map((answer, number) => h("div", {}, number ? null : h("span", { class: `badge ${found.verdict}` }, isAlone ? "no baseline yet" : found.verdict), number ? "" : " ", answer)),
      who("candidate", found.candidate, found.candidate_text), isAlone ? who("runner-up", found.runner_up, found.runner_up?.text) : who("baseline", found.baseline, found.baseline_text, found.baseline_round)];
  }

  wide() {
    const tight = this.found_cards.filter((card) => card.code === "boundary"), few = this.found_cards.filter((card) => card.code === "undersampled");
    const words = { blocking: "No: ", warning: "Probably not: ", note: "Perhaps not: " };
    if (tight.length) return tight.map((card) => h("div", {}, h("strong", {}, words[card.severity]), card.says, " ", this.evidenceButton(card)));
    const { feasible, configurations } = this.n_searched, several = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
    const seen = configurations < feasible ? `${several(configurations, "configuration")} in ${several(feasible, "feasible trial")}` : several(feasible, "feasible trial");
    const isFew = configurations < this.too_few;
    return [isFew ? [h("strong", {}, "Not known: "), `${several(configurations, "configuration")} that could be trained ${configurations === 1 ? "is" : "are"} too few to tell where a range should end.`] : few.length ? [h("strong", {}, "Not known: "), few[0].says]
      : [h("strong", {}, "As far as can be seen: "), `in ${seen} no group of good ones crowds at a searched bound.`],
      this.found_cards.filter((card) => card.code === "infeasible_region").map((card) => h("div", { class: "small" }, card.says, " ", this.evidenceButton(card)))];
  }

  overfit() {
    const names = [...this.labelsOf].filter(([, labels]) => labels.includes("overfitting")).map(([name]) => name);
    if (!names.length) return `None of ${this.n_diagnosed.toLocaleString("en")} whose curves could be read: in none does validation worsen while training goes on improving.`;
    const place = new Map(this.table.names.map((name, number) => [name, number])), best = new Set([...this.table.best].map((trial) => this.table.names[trial]));
    const among = names.filter((name) => best.has(name)), listed = [...among, ...names.filter((name) => !best.has(name))].slice(0, 3);
    return [`${names.length} of ${this.table.names.length.toLocaleString("en")}${among.length ? `, ${among.length} of them among the best ${best.size}` : ""}: `,
      listed.map((name, number) => [number ? ", " : "", h("a", { href: this.linkTo(name), title: name }, brief(name))]), names.length > 3 ? " and others. " : ". ",
      h("button", { type: "button", onclick: () => this.link.filter("overfitting", names.map((name) => place.get(name))) }, "Show them in the plots")];
  }

  next() {
    const first = this.found_cards.find((card) => card.severity !== "note" && card.next_text);
    const seeds = this.verdict.needs?.seeds;
    const decide = (words) => h("a", { href: address("compare", [this.query.round], { objective: this.query.objective }) }, words);
    const steps = [this.verdict.verdict === "adopt" ? [decide("Adopt the candidate"), " as the new baseline."] : null,
      seeds ? ["Settle the comparison with more seeds: ", h("code", {}, `tunebook repeat ${this.query.round} --seeds ${seeds}`), "."] : null,
      this.verdict.verdict === "unresolved" && this.verdict.baseline?.trial === this.verdict.candidate?.trial ? ["There is no baseline yet: ", decide("adopt the best"), " so that later rounds have something to beat."] : null,
      first ? first.next_text : null, [decide("Save the next design"), ": it has every change that the findings ask for."]];
    return h("ol", { class: "steps" }, steps.filter(Boolean).map((step) => h("li", {}, step)));
  }

  evidenceButton(card) { return card.plot ? h("button", { type: "button", class: "no-print", onclick: () => this.openCard(card) }, "Show") : null; }

  async diagnose() {
    const found = await getJson("diagnoses", this.query).catch((error) => ({ error: error.message }));
    if (this.isClosed) return;
    if (found.error) { fill(this.part.labels, h("p", { class: "error" }, found.error)); return; }
    const place = new Map(this.table.names.map((name, number) => [name, number]));
    this.labelsOf = new Map();
    this.n_diagnosed = found.n_diagnosed;
    for (const [label, names] of Object.entries(found.labels)) for (const name of names) this.labelsOf.set(name, [...(this.labelsOf.get(name) || []), label]);
    const rows = Object.entries(found.labels).sort(([, a], [, b]) => b.length - a.length).map(([label, names]) => h("tr", {},
      cell(label.replaceAll("_", " "), "name"), cell(names.length.toLocaleString("en"), "number"), cell(found.words[label], "name"),
      cell(h("button", { type: "button", onclick: () => this.link.filter(label.replaceAll("_", " "), names.map((name) => place.get(name))) }, names.length === 1 ? "Show it" : `Show these ${names.length}`))));
    fill(this.part.labels, rows.length ? table(["label", { text: "trials", kind: "number" }, "meaning", "in the plots"], rows, { label: "Labels of curves" })
      : h("p", {}, "Nothing stands out in any curve."));
    fill(this.part.trials, this.trialTable());
    this.inShort();
  }

  // The round changed: fetch it again, but not more often than every two seconds.
  news() {
    if (this.timer) return;
    const wait = Math.max(0, REST - (Date.now() - (this.last || 0)));
    this.timer = setTimeout(async () => {
      this.timer = null;
      this.last = Date.now();
      try {
        const found = await getPacked("round", this.query);
        if (this.isClosed) return;
        this.take(found);
        this.refreshWords();
        for (const chapter of found.chapters) this.renew(chapter);
        this.place.dataset.version = found.version;
        const isDone = !found.counts.pending && !found.counts.running;
        say(counted(found.counts));
        this.check();
        this.tellVerdict();
        if (isDone) this.diagnose();
      } catch { /* the next news will tell */ }
    }, wait);
  }

  renew(chapter) {
    let grid = this.place.querySelector(`[data-chapter="${CSS.escape(chapter.title)}"] .plots`);
    for (const drawing of chapter.drawings) {
      const known = this.gallery.plots.get(drawing.id);
      if (known) { known.update(drawing); continue; }
      if (!grid) {
        const made = this.section(`${drawing.id}-chapter`, chapter.title, h("div", { class: "plots" }));
        made.dataset.chapter = chapter.title;
        this.part.trials.parentElement.before(made);
        grid = made.querySelector(".plots");
      }
      grid.append(this.figure(drawing));
    }
  }
}
