// Questions to the server: JSON, packed arrays (see web/pack.py), changes, and the stream of news.

const TYPES = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array, q2: Uint16Array };
const GAP = 65535;

async function ask(path, parameters, signal) {
  const query = new URLSearchParams(Object.entries(parameters || {}).filter(([, value]) => value));
  const answer = await fetch(`/api/${path}?${query}`, { signal, credentials: "same-origin" });
  if (!answer.ok) throw new Error(await told(answer));
  return answer;
}

async function told(answer) {
  try { return (await answer.json()).error || answer.statusText; } catch { return `${answer.status} ${answer.statusText}`; }
}

export async function getJson(path, parameters, signal) { return (await ask(path, parameters, signal)).json(); }

export async function getPacked(path, parameters, signal) {
  return unpacked(await (await ask(path, parameters, signal)).arrayBuffer());
}

export async function post(path, fields) {
  const answer = await fetch(`/api/${path}`, { method: "POST", credentials: "same-origin",
    headers: { "content-type": "application/json" }, body: JSON.stringify(fields) });
  if (!answer.ok) throw new Error(await told(answer));
  return answer.json();
}

export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const raw = head.arrays.map(([type, from, count]) => new TYPES[type](buffer, 4 + length + from, count));
  const arrays = raw.map((array, number) => {
    const [type, , , first, step] = head.arrays[number];
    if (type === "q2") return Float64Array.from(array, (code) => (code === GAP ? NaN : first + step * code));
    return first === undefined ? array : Float64Array.from(array, (place) => raw[first][place]);
  });
  const filled = (value) => {
    if (Array.isArray(value)) return value.map(filled);
    if (value === null || typeof value !== "object") return value;
    if (typeof value.$ === "number") return arrays[value.$];
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item)]));
  };
  return filled(head.document);
}

// Calls `news(version)` whenever the round (or, without one, anything) has changed; returns how to stop.
export function listen(round, news) {
  let known = null;
  const source = new EventSource(`/api/events${round ? `?round=${encodeURIComponent(round)}` : ""}`);
  source.onmessage = (event) => {
    const { version } = JSON.parse(event.data);
    if (known !== null && version !== known) news(version);
    known = version;
  };
  return () => source.close();
}
