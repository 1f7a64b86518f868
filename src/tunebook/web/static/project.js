// The project: its rounds as a story, launches marked, how far the baseline has come.

import { h, fill, short } from "./dom.js";
import { getJson, listen } from "./api.js";
import { address } from "./app.js";
import { counted, interval, progressOf } from "./words.js";

export async function show(place) {
  const verdicts = new Map(), asker = new Asker(verdicts);
  const draw = async () => {
    const found = await getJson("project");
    render(place, found, verdicts);
    asker.watch(place, found);
  };
  await draw();
  const stop = listen(null, () => draw().catch(() => {}));
  return () => { stop(); asker.close(); };
}

// Asks for the verdicts of rounds that come into view, one at a time: each takes the server a moment, and a browser
// has few connections, which whoever opens a round wants for himself.
class Asker {
  constructor(verdicts) { Object.assign(this, { verdicts, waiting: [], isClosed: false }); }

  watch(place, found) {
    this.observer?.disconnect();
    this.waiting = [];
    const rounds = new Map(found.rounds.map((round) => [round.round, round]));
    this.observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        this.observer.unobserve(target);
        this.waiting.push(() => tellVerdict(target, rounds.get(target.dataset.verdict), this.verdicts, found.version));
      }
      this.working ??= this.work().finally(() => { this.working = null; });
    }, { rootMargin: "200px" });
    place.querySelectorAll("[data-verdict]").forEach((target) => this.observer.observe(target));
  }

  async work() { while (this.waiting.length && !this.isClosed) await this.waiting.shift()(); }

  close() { this.isClosed = true; this.observer?.disconnect(); }
}

function render(place, found, verdicts) {
  const current = found.launches.find((launch) => launch.launch === found.current);
  fill(place,
    h("h1", {}, found.name),
    h("section", { "aria-labelledby": "now" },
      h("h2", { id: "now" }, "Where it stands"),
      h("div", { class: "two" },
        h("div", {}, h("h3", {}, "Current baseline"), baseline(current)),
        h("div", {}, h("h3", {}, "Improvement so far"), gain(found.improvement)))),
    h("section", { "aria-labelledby": "rounds" },
      h("h2", { id: "rounds" }, "Rounds"),
      found.rounds.length ? h("ol", { class: "story" }, found.rounds.filter((round) => !round.part_of).map((round) => story(round, found, verdicts)))
        : h("p", {}, "No round has run yet. ", h("code", {}, "tunebook run rounds/01-….toml"), " starts the first.")),
    found.launches.length ? ledger(found) : null);
}

function baseline(launch) {
  if (!launch) return h("p", { class: "quiet" }, "No launch yet. Compare a round and adopt its candidate, or train the first baseline with ", h("code", {}, "tunebook baseline DESIGN"), ".");
  return [h("p", {}, h("span", { class: "badge launch" }, `launch ${launch.launch}`), " ",
    h("a", { href: address("trial", [launch.round, launch.trial]) }, launch.trial), " of ", h("a", { href: address("round", [launch.round]) }, launch.round)),
  h("p", { class: "small" }, launch.config_text)];
}

function gain(improvement) {
  if (!improvement) return h("p", { class: "quiet" }, "Nothing measured yet: the first launch is what later ones are compared with.");
  const part = improvement.launches > 1 ? `the sum of ${improvement.launches} launches` : "one launch";
  return [h("p", {}, h("strong", {}, short(improvement.estimate)), ` better (${short(improvement.low)} to ${short(improvement.high)} at ${Math.round(100 * improvement.level)} %)`),
    h("p", { class: "small quiet" }, `In units of the objective, ${part}; positive is better.`)];
}

function story(round, found, verdicts) {
  if (round.is_final) return lastTraining(round, found);
  const launches = found.launches.filter((launch) => launch.round === round.round && launch.examines === null);
  const cut = found.launches.filter((launch) => launch.rolls_back !== null).map((launch) => launch.rolls_back);
  return h("li", { class: launches.some((launch) => !launch.keeps) ? "launched" : null },
    h("h3", {}, h("a", { href: address("round", [round.round]) }, `${round.number}. ${round.round}`), " ",
      launches.map((launch) => launch.keeps ? h("span", { class: "badge keep" }, "baseline kept") : launch.rolls_back === null
        ? h("span", { class: "badge launch" }, `launch ${launch.launch}${launch.launch === found.current ? ", in force" : ""}${cut.includes(launch.launch) ? ", rolled back" : ""}`)
        : h("span", { class: "badge unresolved" }, `takes back ${launch.rolls_back}`))),
    h("p", {}, round.goal),
    h("p", { class: "small quiet" }, counted(round.trials), round.origin === "native" ? "" : ` · imported (${round.origin})`),
    progressOf(round.trials),
    adopted(launches.filter((launch) => launch.rolls_back === null && !launch.keeps && !cut.includes(launch.launch)).at(-1), round)
      ?? h("p", { "data-verdict": round.round }, verdicts.has(round.round) ? verdicts.get(round.round).words : h("span", { class: "quiet" }, "The comparison is being worked out…")),
    parts(found.rounds.filter((other) => other.part_of === round.round)),
    round.notes.slice(-1).map((note) => h("p", { class: "small quiet" }, `Note: ${note.text}`)));
}

// What a launch was adopted on: the verdict of today compares the round with that launch, which says nothing any more.
function adopted(launch, round) {
  const { configuration: answer, baseline, candidate, verdict } = launch?.evidence ?? {};
  if (!answer) return null;
  const sure = answer.probability_of_improvement, against = verdict === "adopt" ? "" : ` against the verdict (${verdict})`;
  const words = baseline?.trial === candidate?.trial ? "Adopted: there was nothing to compare it with."
    : sure === null ? `Adopted${against}: nothing told how sure the comparison with the baseline before it was.`
    : `Adopted${against}: better than the baseline before it with a probability of ${Math.round(100 * sure)} %; the improvement was ${interval(answer.improvement)}.`;
  return h("p", {}, words, " ", h("a", { href: address("compare", [round.round]), "aria-label": `Compare ${round.round}` }, "Compare"));
}

// Rounds of the guided procedures, and repetitions of the search: they belong to the round they were made from.
function parts(rounds) {
  if (!rounds.length) return null;
  return h("details", {}, h("summary", {}, `${rounds.length} round${rounds.length > 1 ? "s" : ""} made from it`),
    h("ul", {}, rounds.map((round) => h("li", {}, h("a", { href: address("round", [round.round]) }, round.round), h("span", { class: "small quiet" }, ` ${counted(round.trials)}`)))));
}

// A final training compares nothing: it has what the test set said.
function lastTraining(round, found) {
  const looks = found.launches.filter((launch) => launch.round === round.round && launch.examines !== null);
  return h("li", {}, h("h3", {}, h("a", { href: address("round", [round.round]) }, `${round.number}. ${round.round}`), " ", looks.map((look) => h("span", { class: "badge" }, `test set of launch ${look.examines}`))),
    h("p", {}, round.goal), h("p", { class: "small quiet" }, counted(round.trials)), progressOf(round.trials),
    looks.length ? looks.map((look) => h("p", {}, h("strong", {}, testWords(look)), `, trained on ${look.evidence.trained_on}`)) : h("p", { class: "quiet" }, "The test set was not looked at."));
}

function testWords(look) {
  const values = look.evidence.test ?? { [look.evidence.metric]: look.evidence.values[0] };
  return Object.entries(values).map(([name, value]) => `${name} ${short(value)}`).join(", ");
}

async function tellVerdict(target, round, verdicts, version) {
  const known = verdicts.get(round.round);
  if (known?.version === version) { fill(target, known.make()); return; }
  const answer = await getJson("verdict", { round: round.round }).catch((error) => ({ verdict: null, why_not: error.message }));
  const make = () => (answer.verdict
    ? [h("span", { class: `badge ${answer.verdict}` }, answer.runner_up ? "no baseline yet" : answer.verdict), " ", answer.answers.join(" "), " ", h("a", { href: address("compare", [round.round]), "aria-label": `Compare ${round.round}` }, "Compare")]
    : [h("span", { class: "quiet" }, `No verdict: ${answer.why_not}`)]);
  verdicts.set(round.round, { version, make, words: answer.answers?.join(" ") || "" });
  fill(target, make());
}

function entryWords(entry) {
  if (entry.examines !== null) return `entry ${entry.launch}: test set of launch ${entry.examines}, ${testWords(entry)}`;
  if (entry.keeps) return `entry ${entry.launch}: the baseline stayed`;
  return entry.rolls_back === null ? `launch ${entry.launch}` : `entry ${entry.launch} takes back ${entry.rolls_back}`;
}

function ledger(found) {
  return h("section", { "aria-labelledby": "ledger" }, h("h2", { id: "ledger" }, "Ledger"),
    h("ol", { class: "story" }, [...found.launches].reverse().map((launch) => h("li", {},
      h("p", {}, h("span", { class: "badge launch" }, entryWords(launch)),
        ` ${launch.at.slice(0, 10)}${launch.who ? ` by ${launch.who}` : ""}: ${launch.round}`),
      launch.note ? h("p", {}, launch.note) : null,
      h("p", { class: "small quiet" }, launch.config_text),
      launch.command ? h("pre", {}, launch.command) : null))));
}
