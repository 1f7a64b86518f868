// The tracking sheet: sorted, filtered, annotated in place, downloaded.

import { byId, cell, fill, h, say, short } from "./dom.js";
import { getJson, listen, post } from "./api.js";
import { address } from "./app.js";

const COLUMNS = [["round", "round"], ["study", "study"], ["trials", "trials", 1], ["complete", "complete", 1], ["infeasible", "infeasible", 1], ["failed", "failed", 1],
  ["metric", "metric"], ["best_value", "best", 1], ["best_step", "at step", 1], ["best_trial", "best trial"], ["best_config", "configuration"], ["description", "goal"], ["note", "note"]];

const WIDE = ["best_config", "description", "note"];

export async function show(place, wanted, settings) {
  const state = { rows: [], sort: null, isDown: false, filter: "", settings };
  const draw = async () => { state.rows = (await getJson("sheet")).rows; body(state); };
  state.body = h("tbody", {});
  state.heads = COLUMNS.map(([key, words, isNumber]) => h("th", { scope: "col", class: isNumber ? "number" : null, "aria-sort": "none" },
    h("button", { type: "button", onclick: () => sort(state, key) }, words)));
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter rows", oninput: (event) => { state.filter = event.target.value; body(state); } });
  fill(place, h("h1", {}, "Sheet"), h("p", { class: "quiet" }, "One row a study. Click a heading to sort, a note to edit it."),
    h("div", { class: "row no-print" }, filter, ["csv", "md", "parquet"].map((form) => h("a", { class: "button", href: `/api/sheet-file?form=${form}`, download: `sheet.${form}` }, `Download ${form}`))),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sheet" }, h("table", {}, h("thead", {}, h("tr", {}, state.heads)), state.body)));
  await draw();
  return listen(null, () => { if (!state.body.querySelector("textarea")) draw().catch(() => {}); });
}

function sort(state, key) {
  state.isDown = state.sort === key ? !state.isDown : false;
  state.sort = key;
  state.heads.forEach((head, number) => head.setAttribute("aria-sort", COLUMNS[number][0] === key ? (state.isDown ? "descending" : "ascending") : "none"));
  body(state);
}

function body(state) {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = state.rows.filter((row) => { const text = Object.values(row).join(" ").toLowerCase(); return words.every((word) => text.includes(word)); });
  const { sort: key, isDown } = state;
  if (key) rows.sort((a, b) => (isDown ? -1 : 1) * compared(a[key], b[key]));
  fill(state.body, rows.map((row) => h("tr", {}, COLUMNS.map(([column, , isNumber]) => cell(content(state, row, column), isNumber ? "number" : WIDE.includes(column) ? "name wide" : "name")))));
  say(`${rows.length} rows`);
}

function compared(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

function content(state, row, column) {
  const value = row[column];
  if (column === "round") return h("a", { href: address("round", [value]) }, value);
  if (column === "best_trial" && value) return h("a", { href: address("trial", [row.round, value]) }, value);
  if (column === "note") return note(state, row);
  if (column === "best_config" && value) return Object.entries(JSON.parse(value)).map(([name, one]) => `${name} = ${typeof one === "number" ? short(one) : one}`).join(", ");
  return typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en") : short(value)) : value ?? "–";
}

function note(state, row) {
  if (state.settings.is_read_only) return row.note;
  const place = h("div", {});
  const shown = () => fill(place, h("button", { type: "button", onclick: edit, "aria-label": `Edit the note of ${row.round}: ${row.note || "none"}` }, row.note || "add a note"));
  const edit = () => {
    const text = h("textarea", { "aria-label": `Note of ${row.round}`, maxlength: 10000, value: row.note, onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep();
      if (event.key === "Escape") shown();
    } });
    const keep = async () => {
      try { await post("note", { round: row.round, note: text.value }); } catch (error) { place.append(h("p", { class: "error" }, error.message)); return; }
      state.rows.filter((other) => other.round === row.round).forEach((other) => { other.note = text.value; });
      body(state);
      byId("main").focus();
    };
    fill(place, text, h("div", { class: "row" }, h("button", { type: "button", class: "primary", onclick: keep }, "Keep"), h("button", { type: "button", onclick: shown }, "Cancel")));
    text.focus();
  };
  shown();
  return place;
}
