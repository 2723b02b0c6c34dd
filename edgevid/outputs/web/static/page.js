// The live page: one socket, everything on it. Texts are JSON with a `kind`; pictures are eight bytes of time and a JPEG.

import { Chart } from "/chart.js";

const $ = (id) => document.getElementById(id);
const KEEP_S = 61;
const BARS = 10;
const state = { models: [], history: [], events: new Map(), latest: [], chosen: 0, vitals: null, heard: 0 };
const chart = new Chart($("chart"));
const make = (tag, text, name) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
};
const percent = (score) => `${Math.round(score * 100)}%`;
const words = (label) => label.replaceAll("_", " ");

// A label keeps its colour, the background has none.
function colorOf(label, model = state.models[state.chosen]) {
  if (!model || model.background.includes(label)) return "--quiet";
  const own = model.labels.filter((each) => !model.background.includes(each));
  return `--c${Math.max(0, own.indexOf(label)) % 8}`;
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    state.heard = Date.now();
    if (typeof data === "string") hear(JSON.parse(data));
    else show(data, () => socket.readyState === WebSocket.OPEN && socket.send("ok"));
  };
  socket.onclose = ({ code }) => {
    say(code === 1013 ? "too many viewers" : code === 1001 ? "run ended" : "reconnecting", "off");
    setTimeout(connect, code === 1013 ? 15000 : 2000);
  };
}

function say(text, name) {
  $("link").textContent = text;
  $("link").className = `pill ${name}`;
}

function hear(message) {
  ({ hello, state: decided, event: happened, vitals })[message.kind]?.(message);
}

function hello({ models, history, events, source, version }) {
  Object.assign(state, { models, history, latest: models.map(() => null), chosen: Math.min(state.chosen, models.length - 1) });
  state.events = new Map(events.map((each) => [each.id, each]));
  $("source").textContent = source;
  $("source").title = `${source} · edgevid ${version}`;
  document.title = `edgevid · ${source}`;
  say("live", "on");
  choices();
  everything();
}

function choices() {
  $("models").hidden = state.models.length < 2;
  $("models").replaceChildren(...state.models.map(({ name }, index) => {
    const button = make("button", name);
    button.setAttribute("aria-pressed", index === state.chosen);
    button.onclick = () => { state.chosen = index; choices(); everything(); };
    return button;
  }));
}

function decided({ decisions }) {
  for (const { model, at, ...rest } of decisions) {
    const rows = state.history[model];
    if (rows.length && at[0] < rows[rows.length - 1][0]) rows.length = 0; // time was set back
    rows.push(at);
    while (rows.length && at[0] - rows[0][0] > KEEP_S) rows.shift();
    state.latest[model] = { ...rest, scores: at.slice(1), t: at[0] };
  }
  now();
}

function happened(event) {
  state.events.delete(event.id);
  state.events.set(event.id, event);
  while (state.events.size > 50) state.events.delete(state.events.keys().next().value);
  list();
  now();
}

function everything() {
  const model = state.models[state.chosen];
  $("about").textContent = model ? model.about : "";
  $("bars").replaceChildren();
  values([]);
  list();
  now();
}

// What the chosen model says now: the label, its event, the bars and the chart.
function now() {
  const model = state.models[state.chosen];
  const latest = state.latest[state.chosen];
  if (!model) return;
  const going = [...state.events.values()].findLast((each) => each.model === model.name && each.phase === "start");
  const mark = `var(${colorOf(going ? going.event : latest?.label ?? "", model)})`;
  $("stage").style.setProperty("--mark", mark);
  $("stage").classList.toggle("event", Boolean(going));
  if (!going) $("ongoing").textContent = "no event";
  if (latest) {
    $("label").textContent = words(latest.label);
    $("label").classList.toggle("background", model.background.includes(latest.label));
    $("score").textContent = percent(latest.score);
    $("level").style.transform = `scaleX(${latest.score})`;
    if (going) $("ongoing").textContent = `event: ${words(going.event)} for ${Math.max(0, latest.t - going.start_s).toFixed(1)} s`;
    bars(model, latest.scores);
    values(latest.values);
  }
  chart.show(model, state.history[state.chosen], [...state.events.values()], (label) => colorOf(label, model));
}

function bars(model, scores) {
  const top = scores.indexOf(Math.max(...scores));
  let order = model.labels.map((_, index) => index);
  if (order.length > BARS) order = order.sort((a, b) => scores[b] - scores[a]).slice(0, BARS);
  const list = $("bars");
  while (list.children.length > order.length) list.lastChild.remove();
  while (list.children.length < order.length) {
    const row = make("li");
    const track = make("div", undefined, "track");
    track.append(make("i"));
    row.append(make("b"), track, make("span", "", "number"));
    list.append(row);
  }
  order.forEach((index, place) => {
    const row = list.children[place];
    const [name, track, number] = row.children;
    row.classList.toggle("top", index === top);
    row.style.setProperty("--mark", `var(${colorOf(model.labels[index], model)})`);
    if (name.textContent !== words(model.labels[index])) name.textContent = name.title = words(model.labels[index]);
    track.firstChild.style.transform = `scaleX(${scores[index]})`;
    number.textContent = percent(scores[index]);
  });
}

// What the model gives beside its probabilities: numbers as they are, such as the corners of a box.
function values(given) {
  $("values").hidden = !given.length;
  $("values").replaceChildren(...given.map(([name, numbers, more]) => {
    const row = make("div");
    row.append(make("dt", words(name)), make("dd", numbers.join("  ") + (more ? `  and ${more.toLocaleString()} more` : ""), "number"));
    return row;
  }));
}

function list() {
  const all = [...state.events.values()].reverse();
  $("noevents").hidden = all.length > 0;
  $("count").textContent = all.length ? `the last ${all.length}` : "";
  $("events").replaceChildren(...all.map((event) => {
    const row = make("li");
    const model = state.models.find(({ name }) => name === event.model);
    row.style.setProperty("--mark", `var(${colorOf(event.event, model)})`);
    const length = event.phase === "start" ? make("span", "now", "number going") : make("span", `${event.duration_s.toFixed(1)} s · ${percent(event.score)}`, "number");
    const when = moment(event);
    row.append(make("b", words(event.event)), length, make("span", state.models.length > 1 ? `${when} · ${event.model}` : when, "when quiet"));
    return row;
  }));
}

// The date of a live event, the day only where it is not today's; else its place in the stream.
function moment({ start, start_s }) {
  if (!start) return `at ${start_s.toFixed(1)} s`;
  const date = new Date(start);
  return date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString() : date.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

function vitals(message) {
  state.vitals = message;
  const lost = Object.values(message.drops).reduce((sum, count) => sum + count, 0);
  const facts = [
    ["Answer age", message.age_p50_ms, "ms", "", "from the sensor to the decision, median of the last answers"],
    ["Age, p99", message.age_p99_ms, "ms", "", "99 of 100 answers were younger"],
    ["Model", message.model_fps, "fps"],
    ["Camera", message.camera_fps, "fps"],
    ["Dropped", lost, "frames", lost ? "warn" : "", Object.entries(message.drops).map(([cause, count]) => `${cause} ${count}`).join(", ")],
    ["Memory", message.rss_mib, "MiB"],
    ["Temperature", message.temperature_c, "°C", message.temperature_c >= 80 ? "bad" : message.temperature_c >= 70 ? "warn" : ""],
    ["Clock", message.clock_mhz, "MHz"],
    ["Viewers", message.viewers, ""],
  ].filter(([, value]) => value !== undefined && value !== null);
  $("facts").replaceChildren(...facts.map(([name, value, unit, level, title]) => {
    const row = make("div", undefined, level);
    const number = make("dd", Number.isInteger(value) ? value.toLocaleString() : value.toFixed(value < 100 ? 1 : 0));
    if (unit) number.append(" ", make("small", unit));
    if (title) row.title = title;
    row.append(make("dt", name), number);
    return row;
  }));
  const meaning = { under_voltage: "The supply is too weak: under-voltage.", throttled: "The cores are throttled by heat.", capped: "The clock is capped.", soft_limit: "The soft temperature limit is reached." };
  const troubles = Object.entries(meaning).filter(([name]) => message[name]).map(([, text]) => text);
  if (message.pace_level) troubles.push(`The device cannot keep up: pace level ${message.pace_level} of 3, ${message.pace_level === 1 ? "fewer answers" : "fewer answers, of longer windows than trained"}.`);
  if (message.fallbacks) troubles.push("The accelerator is lost; the CPU does its work.");
  for (const { name, problem } of message.outputs) if (problem) troubles.push(`${name}: ${problem}`);
  $("troubles").replaceChildren(...troubles.map((text) => make("li", text)));
  outputs(message.outputs);
  const latency = message.latency_ms[state.models[state.chosen]?.name] ?? {};
  $("stages").replaceChildren(...Object.entries(latency).map(([stage, values]) => {
    const row = make("tr");
    const name = make("td", stage);
    name.title = message.stages[stage] ?? "";
    row.append(name, ...values.map((value) => make("td", value >= 100 ? value.toFixed(0) : value.toFixed(2))));
    return row;
  }));
}

// What each way out holds, and what did not get through it.
function outputs(reports) {
  $("outputs").replaceChildren(...reports.map(({ name, waiting, dropped }) => {
    const row = make("tr");
    const lost = Object.entries(dropped).map(([cause, count]) => `${count.toLocaleString()} ${words(cause)}`).join(", ");
    row.append(make("td", name), make("td", waiting.toLocaleString()), make("td", lost || "none"));
    return row;
  }));
}

async function show(data, shown) {
  try {
    const picture = await createImageBitmap(new Blob([new Uint8Array(data, 8)], { type: "image/jpeg" }));
    const canvas = $("video");
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    canvas.hidden = false;
    $("novideo").hidden = true;
    canvas.dataset.shown = Number(canvas.dataset.shown || 0) + 1;
    canvas.dataset.time = new DataView(data).getFloat64(0);
  } finally {
    shown();
  }
}

// A silence that is no close: the device is gone, or the network is.
setInterval(() => { if (state.heard && Date.now() - state.heard > 5000 && $("link").classList.contains("on")) say("no news", ""); else if (state.heard && Date.now() - state.heard < 2000 && $("link").textContent === "no news") say("live", "on"); }, 1000);
setTimeout(() => { if (!$("video").dataset.shown) { $("video").hidden = true; $("novideo").hidden = false; } }, 4000);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", now);
connect();
