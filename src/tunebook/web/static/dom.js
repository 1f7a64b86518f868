// Elements from plain values. Text always goes in as text: nothing on this page parses a value as markup.

export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

export function say(words) { byId("say").textContent = words; }

export function fill(target, ...children) {
  target.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return target;
}

// A number with four digits, as the report writes it.
export function short(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return trimmed(value.toExponential(digits - 1));
  return size < 10 ** digits ? String(Number(value.toPrecision(digits))) : value.toFixed(0);
}

function trimmed(text) { return text.replace(/\.?0+e/, "e").replace("e+", "e"); }

export const percent = (share) => (share > 0.995 && share < 1 ? "over 99 %" : share < 0.005 && share > 0
  ? "under 1 %" : `${Math.round(100 * share)} %`);

export function table(heads, rows, attributes = {}) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": attributes.label || "Table" },
    h("table", {},
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: head.kind }, head.text ?? head)))),
      h("tbody", {}, rows)));
}

export function cell(content, kind = "") { return h("td", { class: kind || null }, content ?? ""); }

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 60) return `${short(seconds, 3)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

// The end of a long name: imported trials are called by their path, and its end tells them apart.
export function brief(name, longest = 40) { return name.length <= longest ? name : `…${name.slice(1 - longest)}`; }
