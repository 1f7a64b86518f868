"""The parts of the report that no round changes: its style and its script."""

from __future__ import annotations

from string import Template

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --quiet: #59616b; --paper: #ffffff; --card: #f6f8fa; --line: #d5dae0;
  --blocking: #b3141f; --warning: #8a5a00; --note: #00629b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --quiet: #9aa4af; --paper: #15181d; --card: #1d2128;
  --line: #343b45; --blocking: #ff8a80; --warning: #f2b84b; --note: #6cb8ea; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 40px 0 12px; padding-bottom: 4px; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 4px; overflow-wrap: anywhere; }
p { margin: 0 0 8px; } .quiet { color: var(--quiet); } a { color: var(--note); }
nav { margin: 12px 0 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
.cards { display: grid; gap: 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--note); border-radius: 6px;
  padding: 12px 16px; overflow-wrap: anywhere; break-inside: avoid; }
.card.blocking { border-left-color: var(--blocking); } .card.warning { border-left-color: var(--warning); }
.severity { font-weight: 700; text-transform: uppercase; font-size: .8rem; letter-spacing: .04em; color: var(--note); }
.blocking .severity { color: var(--blocking); } .warning .severity { color: var(--warning); }
.says { font-weight: 600; margin: 2px 0 6px; }
.next { border-top: 1px dashed var(--line); padding-top: 6px; margin-bottom: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr)); gap: 24px 20px; }
figure.wide { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; break-inside: avoid; scroll-margin-top: 12px; }
figcaption { color: var(--quiet); font-size: .875rem; padding: 0 8px; }
figure:target { outline: 2px solid var(--note); outline-offset: 4px; border-radius: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; } td.number, th.number { text-align: right; }
td.name { overflow-wrap: anywhere; min-width: 11em; } td.name:last-child { min-width: 22em; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px;
  overflow-x: auto; }
noscript p { border: 1px solid var(--line); padding: 10px; }
@media print { main { max-width: none; padding: 0; } nav { display: none; } h2 { break-after: avoid; }
  .plots { grid-template-columns: 1fr 1fr; } figcaption:empty { display: none; } }
"""

#: Starts Plotly after the words are on the screen (it takes a second), then draws a plot when it comes near the
#: window, all of them before printing, and all that were drawn again when the theme changes.
SCRIPT = """
(function () {
  "use strict";
  var page = JSON.parse(document.getElementById("plots").textContent);
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var drawn = {};
  function theme() { return page.templates[dark.matches ? "dark" : "light"]; }
  function numbers(packed) {
    if (Array.isArray(packed)) { return packed; }
    var bytes = Uint8Array.from(atob(packed.bdata), function (c) { return c.charCodeAt(0); });
    return Array.from(new Int32Array(bytes.buffer));
  }
  function withText(trace) {
    if (trace.customdata === undefined) { return trace; }
    var trials = numbers(trace.customdata);
    return Object.assign({}, trace, { customdata: trials, text: trials.map(function (t) { return page.hover[t]; }) });
  }
  function draw(id, template) {
    var plot = page.drawings[id];
    drawn[id] = true;
    var layout = Object.assign({}, plot.layout, { template: template || theme() });
    return Plotly.react(document.getElementById(id + "-plot"), plot.data.map(withText), layout, {
      responsive: true, scrollZoom: false, displaylogo: false,
      modeBarButtons: [["toImage", "pan2d", "resetScale2d"]] });
  }
  function drawAll(template) {
    if (!window.Plotly) { return; }
    Object.keys(page.drawings).forEach(function (id) { draw(id, template); });
  }
  var watch = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target.id); }
    });
  }, { rootMargin: "300px" });
  function start() {
    var script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.appendChild(script);
    Object.keys(page.drawings).forEach(function (id) { watch.observe(document.getElementById(id)); });
  }
  requestAnimationFrame(function () { setTimeout(start, 0); });
  dark.addEventListener("change", function () { Object.keys(drawn).forEach(function (id) { draw(id); }); });
  window.addEventListener("beforeprint", function () { drawAll(page.templates.light); });
  window.addEventListener("afterprint", function () { drawAll(); });
})();
"""

#: Nothing may be loaded from anywhere; scripts and styles are those of the file itself.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="$policy">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
<script type="application/json" id="plots">$plots</script>
<script type="text/plain" id="plotly">$plotly</script>
<script>$script</script>
</body>
</html>
""")
