// The frame around the pages: which page an address means, the theme, the trail, printing.

import { byId, fill, h } from "./dom.js";
import { getJson } from "./api.js";
import { isDark, plotly, setTemplates } from "./plots.js";

const PAGES = { "": "./project.js", round: "./round.js", trial: "./trial.js", compare: "./compare.js", sheet: "./sheet.js" };
const settings = getJson("settings");
if (/^#\/(round|trial|compare)\//.test(location.hash)) plotly().catch(() => {});  // a page with plots tells when it failed
let leave = null;
let turn = 0;

export function address(page, parts = [], query = {}) {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${[page, ...parts.map(encodeURIComponent)].join("/")}${words ? `?${words}` : ""}`;
}

function read() {
  const [path, words] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...parts] = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { page, parts, query: Object.fromEntries(new URLSearchParams(words || "")) };
}

function trail({ page, parts, query }) {
  const keep = { objective: query.objective };
  const links = [["tunebook", "#/"]];
  if (["round", "trial", "compare"].includes(page)) links.push([parts[0], address("round", [parts[0]], keep)]);
  if (page === "trial") links.push([parts[1], null]);
  if (page === "compare") links.push(["compare", null]);
  if (page === "sheet") links.push(["sheet", null]);
  fill(byId("crumbs"), links.map(([words, target], number) => [
    number ? h("span", { class: "sep", "aria-hidden": "true" }, "›") : null,
    target ? h("a", { href: target }, words) : h("span", { "aria-current": "page" }, words)]).flat().filter(Boolean));
  document.title = [...links.map(([words]) => words)].reverse().join(" – ");
}

async function show() {
  if (location.hash === "#main") return;
  const wanted = read(), mine = ++turn, main = byId("main");
  leave?.();
  leave = null;
  byId("tip").hidden = true;
  byId("trial-bar").hidden = true;
  trail(wanted);
  const place = h("div", {});
  fill(main, place);
  try {
    const chosen = await settings;
    setTemplates(chosen.templates);
    const module = await import(PAGES[wanted.page] ?? PAGES[""]);
    if (mine !== turn) return;
    const stop = await module.show(place, wanted, chosen);
    if (mine === turn) leave = stop; else stop?.();
    main.dataset.ready = wanted.page || "project";
  } catch (error) {
    if (mine === turn) fill(place, h("p", { class: "error", role: "alert" }, error.message), h("p", {}, h("a", { href: "#/" }, "To the project")));
  }
}

function theme() {
  const button = byId("theme");
  const told = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  try { const kept = localStorage.getItem("tunebook-theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* not kept */ }
  const changed = () => { told(); document.dispatchEvent(new Event("themechange")); };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("tunebook-theme", document.documentElement.dataset.theme); } catch { /* not kept */ }
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  told();
}

theme();

// Paper is white: plots and words are redrawn in light colours for the time of printing.
byId("print").addEventListener("click", async () => {
  const root = document.documentElement, chosen = root.dataset.theme;
  const wear = (theme) => {
    if (theme === undefined) delete root.dataset.theme; else root.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  };
  if (isDark()) { wear("light"); await new Promise((done) => setTimeout(done, 800)); }
  window.print();
  if (root.dataset.theme !== chosen) wear(chosen);
});
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
addEventListener("hashchange", show);
show();
