// What is looked at, in the page's address: whoever opens the address sees the same.

const DEFAULTS = {
  view: "", query: "", range: "15m", start: "", end: "", own: "", min: "", max: "",
  limit: "10000", order: "time", colour: "", scale: "log", zoom: "",
};

const RANGES = { "15m": 15 * 60, "1h": 3600, "6h": 6 * 3600, "24h": 24 * 3600 };

/** The state that an address stands for. A link may name a start or an end alone. */
export function read(search) {
  const parameters = new URLSearchParams(search);
  const state = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) state[name] = parameters.get(name) ?? DEFAULTS[name];
  if ((parameters.has("start") || parameters.has("end")) && !parameters.has("range")) state.range = "custom";
  if (!(state.range in RANGES) && state.range !== "all") state.range = "custom";
  if (!["1000", "10000", "100000"].includes(state.limit)) state.limit = DEFAULTS.limit;
  if (state.order !== "value") state.order = "time";
  if (state.scale !== "linear") state.scale = "log";
  return state;
}

/** The address of a state, relative to the page. */
export function write(state) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const written = name === "range" && state.range === "custom" ? "" : state[name];
    const bounds = name === "start" || name === "end";
    if (written && written !== value && !(bounds && state.range !== "custom")) parameters.set(name, written);
  }
  // Without bounds it is everything.
  if (state.range === "custom" && !state.start && !state.end) parameters.set("range", "all");
  return `?${parameters}`;
}

/** First and last millisecond of the range, where it has a bound. Fields are seconds since 1970. */
export function bounds(state, now) {
  if (state.range === "all") return {};
  if (state.range in RANGES) return { start: now - RANGES[state.range] * 1000 };
  const bound = (text) => (text === "" || Number.isNaN(Number(text)) ? Date.parse(text) : Math.round(Number(text) * 1000));
  const [start, end] = [bound(state.start), bound(state.end)];
  return { ...(Number.isNaN(start) ? {} : { start }), ...(Number.isNaN(end) ? {} : { end }) };
}

/** A zoom as text, and back: four numbers, or nothing. */
export const writeZoom = (zoom) => (zoom ? [zoom.left, zoom.right, zoom.bottom, zoom.top].map((at) => Number(at.toPrecision(15))).join("_") : "");

export function readZoom(text) {
  const [left, right, bottom, top, ...rest] = text.split("_").map(Number);
  const right_order = right > left && top > bottom;
  return text && right_order && rest.length === 0 && [left, right, bottom, top].every(Number.isFinite) ? { left, right, bottom, top } : null;
}
