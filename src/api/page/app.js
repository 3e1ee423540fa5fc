// The page: what its address says is asked, and what comes back is shown.

import * as bridge from "./ask.js";
import { Combobox } from "./combobox.js";
import * as detail from "./detail.js";
import { byId, complain, make, show } from "./dom.js";
import { explain } from "./empty.js";
import { copy, curl } from "./export.js";
import { bestChoice, choices, groups } from "./groups.js";
import { mark, shapeOf } from "./paint.js";
import { Plot } from "./plot.js";
import { columns } from "./points.js";
import { bounds, read, readZoom, write, writeZoom } from "./state.js";
import { health, Status } from "./status.js";
import { Table } from "./table.js";
import { count, isUtc, parseTime, plural, setZone, time, timeField, unitOf, value } from "./text.js";

const FIELDS = ["query", "own", "min", "max", "range", "limit", "order"];
const COMPLAINING = ["query", "own", "min", "max", "start", "end"];

let state = read(location.search);
let traceUrl = null;
/** What was found, and when and how it was asked for. */
let answer = null;
let asking = null;
let picked = null;

const table = new Table({ body: byId("table").tBodies[0], onPick: pick });
const status = new Status(byId("status"));
const plot = new Plot({
  host: byId("canvas"), canvas: byId("points"), marks: byId("marks"), tip: byId("tip"),
  onZoom: (zoom) => change({ zoom: writeZoom(zoom) }),
  onPick: (index) => pick(index, true),
});
const combobox = new Combobox(byId("query"), byId("suggestions"));

/* The form and the state. */

function fillForm() {
  for (const name of FIELDS) byId(name).value = state[name];
  const { start, end } = state.range === "custom" ? bounds(state) : {};
  byId("start").value = start === undefined ? "" : timeField(start);
  byId("end").value = end === undefined ? "" : timeField(end);
  byId("scale").value = state.scale;
  show(byId("custom"), state.range === "custom");
  const set = [state.own, state.min, state.max, state.limit === "10000" ? "" : state.limit, state.order === "time" ? "" : "value"].filter(Boolean).length;
  byId("more-set").textContent = ` (${set} set)`;
  show(byId("more-set"), set > 0);
  if (set > 0) byId("more").open = true;
}

/** The state that the form stands for; `null` if something in it is wrong, which is said there. */
function readForm() {
  const form = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]));
  const times = { start: "", end: "" };
  let wrong = null;
  for (const name of COMPLAINING) complain(byId(name), null);
  for (const name of form.range === "custom" ? ["start", "end"] : []) {
    try {
      const text = byId(name).value;
      if (text.trim()) times[name] = String(parseTime(text) / 1000);
    } catch (error) {
      complain(byId(name), error.message);
      wrong ??= byId(name);
    }
  }
  wrong?.focus();
  if (!times.start && !times.end && form.range === "custom") form.range = "all";
  return wrong ? null : { ...state, ...form, ...times, zoom: "" };
}

/** Goes to another state: what was asked stays unless it changes what is asked for. */
function change(part, replace = false) {
  const before = state;
  state = { ...state, ...part };
  const address = write(state);
  if (address !== `?${new URLSearchParams(location.search)}`) history[replace ? "replaceState" : "pushState"](null, "", address);
  const asks = ["view", "start", "end", ...FIELDS].some((name) => state[name] !== before[name]);
  fillForm();
  if (asks) look();
  else if (answer) present();
}

/** Asks for something else from where it is offered. */
const ask = (part) => change({ colour: "", zoom: "", ...part });

/* Asking. */

async function run() {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const asked = { bounds: bounds(state, bridge.now()), at: bridge.now(), state };
  busy(true);
  try {
    const parameters = bridge.parameters(state, asked.bounds);
    const points = columns(await bridge.exemplars(parameters, mine.signal));
    if (asking !== mine) return;
    const all = choices(points);
    const units = new Set(points.series.map(({ __name__: metric }) => unitOf(metric)));
    answer = { ...asked, points, choices: all, best: bestChoice(points, all), unit: units.size === 1 ? [...units][0] : "" };
    picked = null;
    present();
    await tell(mine.signal);
  } catch (error) {
    if (asking === mine && error.name !== "AbortError") fail(error);
  } finally {
    if (asking === mine) busy(false);
  }
  health();
}

function busy(is) {
  show(byId("progress"), is);
  show(byId("cancel"), is);
  byId("exemplars-view").setAttribute("aria-busy", String(is));
  if (!is) return;
  byId("summary").textContent = "Asking…";
  show(byId("failure"), false);
  for (const name of COMPLAINING) complain(byId(name), null);
}

function cancel() {
  asking?.abort();
  asking = null;
  busy(false);
  byId("summary").textContent = answer ? `Cancelled. What is shown was asked for at ${time(answer.at)}.` : "Cancelled.";
}

function fail(error) {
  byId("summary").textContent = answer ? `That failed. What is shown was asked for at ${time(answer.at)}.` : "";
  if (error.field) {
    if (byId(error.field).closest("#more")) byId("more").open = true;
    complain(byId(error.field), error.message);
    byId(error.field).focus();
    return;
  }
  byId("failure").textContent = error instanceof bridge.Failure ? error.message : `The page has failed: ${error.message}`;
  show(byId("failure"), true);
}

/* Showing. */

function present() {
  const { points } = answer;
  show(byId("results"), points.length > 0);
  show(byId("detail"), picked !== null);
  if (points.length === 0) return;
  const colour = answer.choices.includes(state.colour) ? state.colour : answer.best;
  if (answer.colour !== colour) {
    answer.colour = colour;
    answer.groups = groups(points, colour);
    byId("colour").replaceChildren(...answer.choices.map((choice) => make("option", { value: choice, selected: choice === colour }, choice === "(series)" ? "series" : choice)));
  }
  const zoom = readZoom(state.zoom);
  plot.show({ points, groups: answer.groups, unit: answer.unit, scale: state.scale, zoom });
  plot.pick(picked);
  table.show({ points, wanted: (index) => plot.sees(index), unit: answer.unit, traceUrl, picked });
  byId("table-title").textContent = zoom ? "Greatest value first, of what is seen" : "Greatest value first";
  byId("reset").disabled = !zoom;
  byId("narrow").disabled = !zoom;
  byId("points").setAttribute("aria-label", `Scatter plot of ${description(points)}`);
  legend(answer.groups);
}

function legend(grouped) {
  const items = grouped.all.map((group, index) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    canvas.width = canvas.height = 28;
    canvas.className = "key";
    // After the plot, which looks the colours up.
    requestAnimationFrame(() => mark(canvas.getContext("2d"), shapeOf(group, index), 14, 14, 9, plot.colours.marks[index]));
    return make("li", {}, canvas, make("span", { dir: "auto" }, group.text), make("span", { className: "count" }, ` ${count(group.points)}`));
  });
  byId("legend").replaceChildren(...items);
}

function description(points) {
  const { first, last, least, greatest, drawable } = points.extent;
  const span = `${plural(points.length, "exemplar")} of ${points.series.length} series, from ${time(first)} to ${time(last)}`;
  return drawable > 0 ? `${span}, values from ${value(least, answer.unit)} to ${value(greatest, answer.unit)}` : span;
}

/** Says what was found, and what was not. */
async function tell(signal) {
  const { points } = answer;
  const { drawable } = points.extent;
  const [limited, empty] = [byId("limited"), byId("empty")];
  show(limited, points.length >= Number(state.limit));
  show(empty, points.length === 0);
  if (points.length === 0) {
    byId("summary").textContent = "No exemplars found.";
    return explain(empty, { state, ask, signal });
  }
  const unseen = points.length - drawable;
  byId("summary").textContent = `${description(points)}.${unseen > 0 ? ` ${plural(unseen, "value is", "values are")} no number and only in the table.` : ""}`;
  if (limited.hidden) return undefined;
  const which = state.order === "value" ? "greatest" : "newest";
  const other = state.order === "value" ? { order: "time" } : { order: "value" };
  limited.replaceChildren(`Only the ${which} ${count(points.length)} are shown; there may be more. `,
    ...(state.limit === "100000" ? [] : [action("Show up to 100,000", () => ask({ limit: "100000" }))]),
    action(state.order === "value" ? "Show the newest instead" : "Show the greatest instead", () => ask(other)));
  return undefined;
}

function action(text, done) {
  const button = make("button", { type: "button" }, text);
  button.addEventListener("click", done);
  return button;
}

function pick(index, focus) {
  picked = index;
  plot.pick(index);
  table.pick(index);
  const section = byId("detail");
  show(section, index !== null);
  if (index === null) return;
  const close = () => {
    pick(null);
    byId("table").querySelector(`tr[data-index="${index}"] button`)?.focus();
  };
  detail.fill(section, { points: answer.points, index, unit: answer.unit, traceUrl, ask, close });
  if (focus) section.focus();
}

/* Taking away. */

/** The question with a fixed end, so that it finds the same later. */
function fixed() {
  const { last } = answer.points.extent;
  const { start, end } = answer.bounds;
  return { start, end: end ?? (answer.state.range === "all" ? undefined : Math.max(answer.at, last)) };
}

async function handOver(text, what) {
  show(byId("copied"), true);
  const done = await copy(text, byId("copied-text"));
  byId("copied-label").textContent = done ? `${what} copied:` : `${what}, to be copied (Ctrl+C):`;
}

function link() {
  const { start, end } = fixed();
  const second = (at) => (at === undefined ? "" : String(at / 1000));
  const range = answer.state.range === "all" ? "all" : "custom";
  return new URL(write({ ...state, range, start: second(start), end: second(end), colour: byId("colour").value }), location.href).href;
}

/* What is clicked. */

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  combobox.close();
  const next = readForm();
  if (!next) return;
  const before = write(state);
  change(next);
  // Asked once more, even if it is the same.
  if (before === write(state)) run();
});
byId("cancel").addEventListener("click", cancel);
byId("range").addEventListener("change", () => {
  const custom = byId("range").value === "custom";
  show(byId("custom"), custom);
  if (!custom) return byId("ask").requestSubmit();
  // From what was asked last: mostly only one of them is to be changed.
  const { start, end = bridge.now() } = answer?.bounds ?? {};
  if (!byId("start").value && start !== undefined) byId("start").value = timeField(Math.floor(start / 1000) * 1000);
  if (!byId("end").value) byId("end").value = timeField(Math.ceil(end / 1000) * 1000);
  byId("start").focus();
  return undefined;
});
byId("colour").addEventListener("change", () => change({ colour: byId("colour").value }, true));
byId("scale").addEventListener("change", () => change({ scale: byId("scale").value }, true));

const ZOOMS = {
  "zoom-in": () => plot.zoomed(0.5), "zoom-out": () => plot.zoomed(2),
  earlier: () => plot.zoomed(1, -0.25), later: () => plot.zoomed(1, 0.25), reset: () => null,
};
const KEYS = { "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", ArrowLeft: "earlier", ArrowRight: "later", 0: "reset" };
const zoomBy = (name) => change({ zoom: writeZoom(ZOOMS[name]()) }, true);
for (const name of Object.keys(ZOOMS)) byId(name).addEventListener("click", () => zoomBy(name));
byId("zoom-in").parentElement.addEventListener("keydown", (event) => {
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  zoomBy(KEYS[event.key]);
});
byId("narrow").addEventListener("click", () => {
  const { left, right, bottom, top } = plot.view();
  const second = (at) => String(at / 1000);
  ask({ range: "custom", start: second(Math.ceil(left)), end: second(Math.floor(right)), min: String(bottom), max: String(top) });
});
byId("copy-curl").addEventListener("click", () => handOver(curl(bridge.parameters(answer.state, fixed()), location.href), "Command line"));
byId("copy-link").addEventListener("click", () => handOver(link(), "Link"));

for (const [id, view] of [["to-exemplars", ""], ["to-status", "status"]]) {
  byId(id).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    change({ view });
    byId("main").focus();
  });
}

/* What this browser remembers. */

function remember(id, apply) {
  const select = byId(id);
  try {
    select.value = localStorage.getItem(id) ?? select.value;
  } catch {
    // Not allowed to: then it is forgotten with the page.
  }
  apply(select.value);
  select.addEventListener("change", () => {
    try {
      localStorage.setItem(id, select.value);
    } catch {
      // As above.
    }
    apply(select.value);
    fillForm();
    if (answer && picked !== null) pick(picked, false);
    if (answer) {
      present();
      tell();
    }
    if (status.running) status.refresh();
  });
}

remember("zone", (zone) => {
  setZone(zone);
  for (const place of document.querySelectorAll(".zone-name")) place.textContent = isUtc() ? "(UTC)" : "(local time)";
});
remember("theme", (theme) => {
  document.documentElement.dataset.theme = theme;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => answer && present());

/* Beginning. */

function look() {
  const isStatus = state.view === "status";
  show(byId("exemplars-view"), !isStatus);
  show(byId("status-view"), isStatus);
  byId(isStatus ? "to-status" : "to-exemplars").setAttribute("aria-current", "page");
  byId(isStatus ? "to-exemplars" : "to-status").removeAttribute("aria-current");
  document.title = isStatus ? "Status – exemplar-bridge" : `${state.query || "Exemplars"} – exemplar-bridge`;
  if (isStatus) return status.start();
  status.stop();
  // Back from the status, what was found is still there.
  const same = answer && [...FIELDS, "start", "end"].every((name) => answer.state[name] === state[name]);
  return same ? present() : run();
}

addEventListener("popstate", () => {
  state = read(location.search);
  fillForm();
  look();
});

fillForm();
try {
  ({ trace_url: traceUrl } = await bridge.settings());
} catch {
  // No links then; what is asked next says what is wrong.
}
look();
