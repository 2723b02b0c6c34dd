// The live page. One socket carries JSON texts with a `kind`, and pictures as eight bytes of time
// followed by a JPEG.

import { Chart } from "/chart.js";
import { RegionEditor } from "/region.js";
import { Skeleton } from "/skeleton.js";

const $ = (id) => document.getElementById(id);
const KEEP_S = 61; // a little more than the chart shows, so that its left edge is never empty
const MOST_BARS = 10;
const MOST_EVENTS = 50; // as many as the server sends to a new viewer
const COLORS = 8;
const RETRY_MS = 2000;
const RETRY_WHEN_FULL_MS = 15000;
const SILENT_MS = 5000;
const LIVE_MS = 2000;
const NO_VIDEO_MS = 4000;
const TOO_MANY_VIEWERS = 1013;
const RUN_ENDED = 1001;
const CONDITIONS = {
  under_voltage: "The supply is too weak: under-voltage.",
  throttled: "The cores are throttled by heat.",
  capped: "The clock is capped.",
  soft_limit: "The soft temperature limit is reached.",
};

const state = {
  models: [],
  history: [],
  events: new Map(),
  latest: [],
  points: [], // the newest key points of each model
  chosen: 0,
  receivedMs: 0, // time of the last message
};
const chart = new Chart($("chart"));
const skeleton = new Skeleton($("skeleton"));
let line = null; // the socket
const region = new RegionEditor((text) => {
  const isOpen = line?.readyState === WebSocket.OPEN;
  if (isOpen) line.send(text);
  return isOpen;
});

const percent = (score) => `${Math.round(score * 100)}%`;
const words = (label) => label.replaceAll("_", " ");

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A label keeps its colour for the whole run; background labels are grey.
function colorOf(label, model = state.models[state.chosen]) {
  if (!model || model.background.includes(label)) return "--quiet";
  const events = model.labels.filter((each) => !model.background.includes(each));
  return `--c${Math.max(0, events.indexOf(label)) % COLORS}`;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/live`);
  line = socket;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    state.receivedMs = Date.now();
    if (typeof data === "string") {
      receive(JSON.parse(data));
    } else {
      showPicture(data, () => socket.readyState === WebSocket.OPEN && socket.send("ok"));
    }
  };
  socket.onclose = ({ code }) => {
    const reasons = { [TOO_MANY_VIEWERS]: "too many viewers", [RUN_ENDED]: "run ended" };
    showLink(reasons[code] ?? "reconnecting", "off");
    setTimeout(connect, code === TOO_MANY_VIEWERS ? RETRY_WHEN_FULL_MS : RETRY_MS);
  };
}

function showLink(text, className) {
  $("link").textContent = text;
  $("link").className = `pill ${className}`;
}

function receive(message) {
  const handlers = {
    hello: onHello,
    state: onState,
    event: onEvent,
    points: onPoints,
    vitals: onVitals,
    region: (message) => region.show(message),
    saved: (message) => region.answer(message),
  };
  handlers[message.kind]?.(message);
}

function onHello({ models, history, events, points, source, version, region: seen }) {
  state.models = models;
  state.history = history;
  state.latest = models.map(() => null);
  state.points = points;
  state.chosen = Math.min(state.chosen, models.length - 1);
  state.events = new Map(events.map((each) => [each.id, each]));
  $("source").textContent = source;
  $("source").title = `${source} · edgevid ${version}`;
  document.title = `edgevid · ${source}`;
  showLink("live", "on");
  region.show(seen);
  showPoints();
  showModels();
  showAll();
}

function showModels() {
  $("models").hidden = state.models.length < 2;
  $("models").replaceChildren(...state.models.map(({ name }, index) => {
    const button = make("button", name);
    button.setAttribute("aria-pressed", index === state.chosen);
    button.onclick = () => {
      state.chosen = index;
      showModels();
      showPoints();
      showAll();
    };
    return button;
  }));
}

function onState({ decisions }) {
  for (const { model, at, ...rest } of decisions) {
    const rows = state.history[model];
    if (rows.length && at[0] < rows[rows.length - 1][0]) rows.length = 0; // time was set back
    rows.push(at);
    while (rows.length && at[0] - rows[0][0] > KEEP_S) rows.shift();
    state.latest[model] = { ...rest, scores: at.slice(1), t: at[0] };
  }
  showNow();
}

function onPoints({ model, points }) {
  state.points[model] = points;
  if (model === state.chosen) showPoints();
}

function showPoints() {
  skeleton.show(state.points[state.chosen], region.state?.box);
}

function onEvent(event) {
  // Deleted first: a Map keeps the position of a key that is set again.
  state.events.delete(event.id);
  state.events.set(event.id, event);
  while (state.events.size > MOST_EVENTS) state.events.delete(state.events.keys().next().value);
  showEvents();
  showNow();
}

function showAll() {
  const model = state.models[state.chosen];
  $("about").textContent = model ? model.about : "";
  $("bars").replaceChildren();
  showValues([]);
  showEvents();
  showNow();
}

// The present of the chosen model: label, open event, bars and chart.
function showNow() {
  const model = state.models[state.chosen];
  const latest = state.latest[state.chosen];
  if (!model) return;
  const open = [...state.events.values()]
    .findLast((each) => each.model === model.name && each.phase === "start");
  const mark = `var(${colorOf(open ? open.event : latest?.label ?? "", model)})`;
  $("stage").style.setProperty("--mark", mark);
  $("stage").classList.toggle("event", Boolean(open));
  if (!open) $("ongoing").textContent = "no event";
  if (latest) {
    $("label").textContent = words(latest.label);
    $("label").classList.toggle("background", model.background.includes(latest.label));
    $("score").textContent = percent(latest.score);
    $("level").style.transform = `scaleX(${latest.score})`;
    if (open) {
      const seconds = Math.max(0, latest.t - open.start_s).toFixed(1);
      $("ongoing").textContent = `event: ${words(open.event)} for ${seconds} s`;
    }
    showBars(model, latest.scores);
    showValues(latest.values);
  }
  const color = (label) => colorOf(label, model);
  chart.show(model, state.history[state.chosen], [...state.events.values()], color);
}

function showBars(model, scores) {
  const top = scores.indexOf(Math.max(...scores));
  let order = model.labels.map((_, index) => index);
  if (order.length > MOST_BARS) {
    order = order.sort((a, b) => scores[b] - scores[a]).slice(0, MOST_BARS);
  }
  // Elements are reused: creating them anew ten times a second would flicker and cost battery.
  const list = $("bars");
  while (list.children.length > order.length) list.lastChild.remove();
  while (list.children.length < order.length) list.append(makeBar());
  order.forEach((index, place) => {
    const row = list.children[place];
    const [name, track, number] = row.children;
    const text = words(model.labels[index]);
    row.classList.toggle("top", index === top);
    row.style.setProperty("--mark", `var(${colorOf(model.labels[index], model)})`);
    if (name.textContent !== text) name.textContent = name.title = text;
    track.firstChild.style.transform = `scaleX(${scores[index]})`;
    number.textContent = percent(scores[index]);
  });
}

function makeBar() {
  const row = make("li");
  const track = make("div", undefined, "track");
  track.append(make("i"));
  row.append(make("b"), track, make("span", "", "number"));
  return row;
}

// Values besides the probabilities, such as the corners of a box: plain numbers.
function showValues(values) {
  $("values").hidden = !values.length;
  $("values").replaceChildren(...values.map(([name, numbers, more]) => {
    const row = make("div");
    const rest = more ? `  and ${more.toLocaleString()} more` : "";
    row.append(make("dt", words(name)), make("dd", numbers.join("  ") + rest, "number"));
    return row;
  }));
}

function showEvents() {
  const newestFirst = [...state.events.values()].reverse();
  $("noevents").hidden = newestFirst.length > 0;
  $("count").textContent = newestFirst.length ? `the last ${newestFirst.length}` : "";
  $("events").replaceChildren(...newestFirst.map(makeEvent));
}

function makeEvent(event) {
  const row = make("li");
  const model = state.models.find(({ name }) => name === event.model);
  row.style.setProperty("--mark", `var(${colorOf(event.event, model)})`);
  const length = event.phase === "start"
    ? make("span", "now", "number going")
    : make("span", `${event.duration_s.toFixed(1)} s · ${percent(event.score)}`, "number");
  const when = startOf(event);
  const where = state.models.length > 1 ? `${when} · ${event.model}` : when;
  row.append(make("b", words(event.event)), length, make("span", where, "when quiet"));
  return row;
}

// The time of a live event, with its date unless that is today; else its position in the stream.
function startOf({ start, start_s }) {
  if (!start) return `at ${start_s.toFixed(1)} s`;
  const date = new Date(start);
  if (date.toDateString() === new Date().toDateString()) return date.toLocaleTimeString();
  return date.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

function onVitals(message) {
  showFacts(message);
  showTroubles(message);
  showOutputs(message.outputs);
  showLatency(message);
}

function showFacts(message) {
  const lost = Object.values(message.drops).reduce((sum, count) => sum + count, 0);
  const causes = Object.entries(message.drops).map(([cause, count]) => `${cause} ${count}`).join(", ");
  const heat = message.temperature_c >= 80 ? "bad" : message.temperature_c >= 70 ? "warn" : "";
  const facts = [
    ["Answer age", message.age_p50_ms, "ms", "", "from the sensor to the decision, median of the last answers"],
    ["Age, p99", message.age_p99_ms, "ms", "", "99 of 100 answers were younger"],
    ["Model", message.model_fps, "fps"],
    ["Camera", message.camera_fps, "fps"],
    ["Dropped", lost, "frames", lost ? "warn" : "", causes],
    ["Memory", message.rss_mib, "MiB"],
    ["Temperature", message.temperature_c, "°C", heat],
    ["Clock", message.clock_mhz, "MHz"],
    ["Viewers", message.viewers, ""],
  ].filter(([, value]) => value !== undefined && value !== null); // no board knows all of them
  $("facts").replaceChildren(...facts.map(([name, value, unit, level, title]) => {
    const row = make("div", undefined, level);
    const text = Number.isInteger(value) ? value.toLocaleString() : value.toFixed(value < 100 ? 1 : 0);
    const number = make("dd", text);
    if (unit) number.append(" ", make("small", unit));
    if (title) row.title = title;
    row.append(make("dt", name), number);
    return row;
  }));
}

function showTroubles(message) {
  const troubles = Object.keys(CONDITIONS).filter((name) => message[name]).map((name) => CONDITIONS[name]);
  if (message.pace_level) {
    const cost = message.pace_level === 1 ? "fewer answers" : "fewer answers, of longer windows than trained";
    troubles.push(`The device cannot keep up: pace level ${message.pace_level} of 3, ${cost}.`);
  }
  if (message.starved) troubles.push("The source delivers too few frames: windows are longer than trained.");
  if (message.fallbacks) troubles.push("The accelerator is lost; the model runs on the CPU.");
  for (const { name, problem } of message.outputs) if (problem) troubles.push(`${name}: ${problem}`);
  $("troubles").replaceChildren(...troubles.map((text) => make("li", text)));
}

function showOutputs(reports) {
  $("outputs").replaceChildren(...reports.map(({ name, waiting, dropped }) => {
    const row = make("tr");
    const causes = Object.entries(dropped)
      .map(([cause, count]) => `${count.toLocaleString()} ${words(cause)}`)
      .join(", ");
    row.append(make("td", name), make("td", waiting.toLocaleString()), make("td", causes || "none"));
    return row;
  }));
}

function showLatency(message) {
  const latency = message.latency_ms[state.models[state.chosen]?.name] ?? {};
  $("stages").replaceChildren(...Object.entries(latency).map(([stage, values]) => {
    const row = make("tr");
    const name = make("td", stage);
    name.title = message.stages[stage] ?? "";
    row.append(name, ...values.map((value) => make("td", value.toFixed(value >= 100 ? 0 : 2))));
    return row;
  }));
}

async function showPicture(data, onShown) {
  try {
    const jpeg = new Blob([new Uint8Array(data, 8)], { type: "image/jpeg" });
    const picture = await createImageBitmap(jpeg);
    const canvas = $("video");
    // Setting a size clears the canvas, even if it is the same.
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
    }
    region.resize(picture.width, picture.height);
    skeleton.resize(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    $("screen").hidden = false;
    $("novideo").hidden = true;
    canvas.dataset.shown = Number(canvas.dataset.shown || 0) + 1;
    canvas.dataset.time = new DataView(data).getFloat64(0);
  } finally {
    // Also for a broken JPEG: without an "ok" the server sends no further picture.
    onShown();
  }
}

// A device that loses power or network does not close the socket: only the silence shows it.
function checkSilence() {
  const silentMs = Date.now() - state.receivedMs;
  if (state.receivedMs && silentMs > SILENT_MS && $("link").classList.contains("on")) {
    showLink("no news", "");
  } else if (state.receivedMs && silentMs < LIVE_MS && $("link").textContent === "no news") {
    showLink("live", "on");
  }
}

function checkVideo() {
  if (!$("video").dataset.shown) {
    $("screen").hidden = true;
    $("novideo").hidden = false;
  }
}

setInterval(checkSilence, 1000);
setTimeout(checkVideo, NO_VIDEO_MS);
// The chart's colours are read when it is drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showNow);
connect();
