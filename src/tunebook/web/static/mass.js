// The many marks of a large round, painted onto one canvas below Plotly's drawing: an element of the document for
// every trial costs seconds, and nobody points at an element, because whoever points at a trial finds it by place.

const MANY = 400;

// Which traces are painted: all those of many trials, once a plot has too many marks for elements of their own.
export function painted(traces) {
  const marks = (trace) => trace.trials?.length ?? (isPoints(trace) ? trace.customdata.length : 0);
  const all = traces.reduce((sum, trace) => sum + marks(trace), 0);
  return new Set(all > MANY ? traces.map((trace, number) => (marks(trace) > 30 ? number : -1)).filter((number) => number >= 0) : []);
}

function isPoints(trace) { return Boolean(trace.customdata) && trace.mode === "markers"; }

// What Plotly draws in the place of a painted trace: its entry in the legend, and nothing else.
export function placeholder(trace) {
  const { trials, trial, customdata, ...kept } = trace;
  return { ...kept, x: [null], y: [null] };
}

export function isLine(trace) { return !isPoints(trace); }

// The lines of an axis at its ticks, as Plotly would draw them.
export function grid(pen, axis, box, isAcross, colour) {
  pen.save();
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const { x: tick, minor } of axis._vals || []) {
    const at = Math.round(axis._offset + axis.l2p(tick)) + 0.5;
    const isInside = isAcross ? at > box.left && at <= box.right + 1 : at > box.top - 1 && at < box.bottom;
    if (minor || !isInside) continue;
    if (isAcross) { pen.moveTo(at, box.top); pen.lineTo(at, box.bottom); } else { pen.moveTo(box.left, at); pen.lineTo(box.right, at); }
  }
  pen.stroke();
  pen.restore();
}

export function paint(pen, trace, x, y) {
  pen.save();
  pen.globalAlpha = (trace.opacity ?? 1) * (trace.marker?.opacity ?? 1);
  if (isPoints(trace)) points(pen, trace, x, y); else lines(pen, trace, x, y);
  pen.restore();
}

function lines(pen, trace, x, y) {
  pen.strokeStyle = trace.line.color;
  pen.lineWidth = trace.line.width ?? 1;
  pen.lineJoin = "bevel";
  pen.beginPath();
  let isDown = false;
  for (let number = 0; number < trace.x.length; number += 1) {
    const across = x._offset + x.d2p(trace.x[number]), down = y._offset + y.d2p(trace.y[number]);
    if (!(Number.isFinite(across) && Number.isFinite(down))) { isDown = false; continue; }
    if (isDown) pen.lineTo(across, down); else pen.moveTo(across, down);
    isDown = true;
  }
  pen.stroke();
}

function points(pen, trace, x, y) {
  const { marker } = trace, symbol = marker.symbol ?? "circle", isLine = symbol.endsWith("-open") || symbol === "x-thin";
  const draw = SHAPES[symbol.replace("-open", "")] ?? SHAPES.circle, r = (marker.size ?? 6) / 2;
  pen.fillStyle = marker.color ?? "#8A8F98";
  pen.strokeStyle = isLine ? marker.line?.color ?? marker.color : "transparent";
  pen.lineWidth = marker.line?.width ?? 1;
  for (let number = 0; number < trace.x.length; number += 1) {
    const across = x._offset + x.d2p(trace.x[number]), down = y._offset + y.d2p(trace.y[number]);
    if (!(Number.isFinite(across) && Number.isFinite(down))) continue;
    // A path for each, so that marks on top of one another look darker than one alone.
    pen.beginPath();
    draw(pen, across, down, r);
    if (isLine) pen.stroke(); else pen.fill();
  }
}

const corners = (...at) => (pen, x, y, r) => {
  at.forEach(([dx, dy], number) => (number ? pen.lineTo(x + dx * r, y + dy * r) : pen.moveTo(x + dx * r, y + dy * r)));
  pen.closePath();
};
const SHAPES = {
  circle: (pen, x, y, r) => pen.arc(x, y, r, 0, 2 * Math.PI),
  square: (pen, x, y, r) => pen.rect(x - r, y - r, 2 * r, 2 * r),
  diamond: corners([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]),
  "triangle-up": corners([-1.15, 0.6], [1.15, 0.6], [0, -1.15]),
  "triangle-down": corners([-1.15, -0.6], [1.15, -0.6], [0, 1.15]),
  "x-thin": (pen, x, y, r) => { pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r); },
};
