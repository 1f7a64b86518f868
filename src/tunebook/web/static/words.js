// Small pieces that several pages show.

import { h, short } from "./dom.js";

const STATES = ["running", "pending", "complete", "infeasible", "failed"];

export function counted(trials) {
  const all = STATES.reduce((sum, state) => sum + (trials[state] || 0), 0);
  const parts = STATES.filter((state) => trials[state]).map((state) => `${trials[state].toLocaleString("en")} ${state}`);
  return `${all.toLocaleString("en")} trial${all === 1 ? "" : "s"}: ${parts.join(", ") || "none"}`;
}

export function progressOf(trials) {
  const left = (trials.pending || 0) + (trials.running || 0);
  if (!left) return null;
  const all = STATES.reduce((sum, state) => sum + (trials[state] || 0), 0);
  return h("progress", { max: all, value: all - left, "aria-label": `${all - left} of ${all} trials have ended` });
}

export function objectiveWords(objective) {
  return `${objective.metric}, ${objective.direction}, ${objective.reduce}`;
}

export function interval(improvement) {
  if (!improvement) return "";
  return `${short(improvement.estimate)} (${short(improvement.low)} to ${short(improvement.high)} at ${Math.round(100 * improvement.level)} %)`;
}
