// The page that marks events. One socket carries JSON texts with a `kind`, and frames as JPEGs after a head.

import { Film } from "/film.js";
import { Marks } from "/marks.js";
import { Strips } from "/strip.js";

const $ = (id) => document.getElementById(id);
const COLORS = 8;
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const CLOSED = { 1001: "edgevid label ended", 1003: "not understood", 4001: "opened in another tab" };

const state = { videos: [], labels: [], file: "", video: -1, length: 1, saves: 0, saved: 0, socket: null };
const marks = new Marks();
const film = new Film($("video"), { send, onFrame, onStop: drawTransport });
const strips = new Strips($("overview"), $("strip"), {
  onSeek: (time) => film.show(time),
  onSelect: select,
  onGrab: (index) => {
    film.pause();
    marks.remember();
    marks.selected = index;
  },
  // The edge snaps to the frame that is shown there.
  onDrag: (index, edge, time) => {
    const [least, most] = marks.room(index, edge, state.length);
    const wanted = Math.min(Math.max(time, least), most);
    film.show(wanted, "at", (shown) => {
      const snapped = edge === "end" && film.isLast ? state.length : shown;
      // The frame before a neighbour's edge may begin before the edge itself.
      marks.move(index, edge, Math.min(Math.max(snapped, least), most));
      strips.place();
    });
  },
  onDrop: () => {
    // The frame of the last movement may be on its way.
    whenShown(() => {
      save();
      draw();
    });
  },
});

function whenShown(call) {
  if (film.waiting) setTimeout(() => whenShown(call), 10);
  else call();
}

const colorOf = (label) => `--c${Math.max(state.labels.indexOf(label), 0) % COLORS}`;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/label`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => (typeof data === "string" ? receive(JSON.parse(data)) : film.receive(data));
  socket.onclose = ({ code }) => {
    showLink(CLOSED[code] ?? "not connected", "off");
    film.pause();
    if (state.saved < state.saves) complain("The last changes are not saved. Start edgevid label again and reload.");
  };
  state.socket = socket;
}

function send(message) {
  if (state.socket.readyState === WebSocket.OPEN) state.socket.send(JSON.stringify(message));
}

function receive(message) {
  const handlers = {
    hello: onHello,
    video: onVideo,
    saved: onSaved,
    refused: ({ text }) => {
      showLink("not saved", "off");
      complain(text);
    },
    none: ({ id }) => film.receiveNone(id),
    failed: ({ id, text }) => {
      complain(text);
      film.receiveFailure(id);
    },
  };
  handlers[message.kind]?.(message);
}

function onHello({ videos, labels, file }) {
  Object.assign(state, { videos, labels: [...labels], file });
  showLink("saved", "on");
  openVideo(Math.max(videos.findIndex(({ events }) => events === null), 0));
}

function openVideo(index) {
  film.pause();
  complain("");
  send({ do: "open", video: index });
}

function onVideo({ video, name, length_s, events, group, condition, stated }) {
  Object.assign(state, { video, length: length_s });
  marks.load(events, group, condition, stated && !events.length);
  film.reset(video);
  strips.length = length_s;
  $("source").textContent = `${name} · ${state.file}`;
  for (const name of ["group", "condition"]) $(name).value = marks[name];
  $("about").open = Boolean(group || condition);
  film.show(0, "at", () => (document.body.dataset.video = name));
  draw();
}

// Every change is sent at once; the server writes the whole file.
function save() {
  state.saves += 1;
  showLink("saving", "");
  const { group, condition, stated } = marks;
  send({ do: "save", video: state.video, id: state.saves, events: marks.asRows(), group, condition, stated });
}

function onSaved({ id, video, events }) {
  state.saved = Math.max(state.saved, id);
  state.videos[video].events = events;
  if (state.saved === state.saves) {
    showLink("saved", "on");
    complain("");
  }
  drawVideos();
}

function showLink(text, className) {
  $("link").textContent = text;
  $("link").className = `pill ${className}`;
}

function complain(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

// The end of an event that the current frame ends: the first frame after it, or the end of the last frame.
const endTime = () => (film.isLast ? state.length : film.time);

function press(label) {
  const before = marks.asRows().length;
  const opened = marks.open;
  const reason = marks.press(label, film.time, endTime());
  complain(reason);
  if (marks.events.length !== before || (opened && !marks.open)) save();
  draw();
}

function change(isChanged) {
  if (isChanged) save();
  complain("");
  draw();
}

function select(index) {
  marks.selected = index;
  const event = marks.events[index];
  if (event) film.show(event.start);
  draw();
}

function selectNext(direction) {
  const time = film.time;
  const later = marks.events.findIndex(({ start }) => start > time + 1e-6);
  const earlier = marks.events.findLastIndex(({ start }) => start < time - 1e-6);
  const index = direction > 0 ? later : earlier;
  if (index >= 0) select(index);
}

function moveEdge(edge) {
  if (marks.selected < 0) return;
  const [least, most] = marks.room(marks.selected, edge, state.length);
  const time = edge === "end" ? endTime() : film.time;
  if (time < least || time > most) {
    complain(`The ${edge === "start" ? "begin" : "end"} can be from ${least.toFixed(3)} to ${most.toFixed(3)} s.`);
    return;
  }
  marks.remember();
  marks.move(marks.selected, edge, time);
  change(true);
}

function addLabel(label) {
  if (!label || state.labels.includes(label)) return;
  state.labels.push(label);
  drawLabels();
}

function onFrame() {
  strips.follow(film.time);
  strips.place();
  drawNow();
  drawTransport();
}

function drawNow() {
  const event = marks.open ?? marks.events[marks.indexAt(film.time)];
  $("label").textContent = event ? `${event.label}${marks.open ? " …" : ""}` : "no event";
  $("label").className = event ? "on" : "";
  $("label").style.setProperty("--mark", `var(${colorOf(event?.label)})`);
  $("clock").textContent = `${film.time.toFixed(3)} s`;
  $("from").textContent = `${strips.from.toFixed(1)} s`;
  $("until").textContent = `${(strips.from + strips.shown()).toFixed(1)} of ${state.length.toFixed(1)} s`;
  $("overview").setAttribute("aria-valuenow", film.time.toFixed(3));
  $("overview").setAttribute("aria-valuemax", state.length.toFixed(3));
}

function drawTransport() {
  $("play").textContent = film.isPlaying ? "Pause" : "Play";
  for (const id of ["play", "on-frame", "on-second"]) $(id).disabled = film.isLast && !film.isPlaying;
}

function drawLabels() {
  const buttons = state.labels.map((label, index) => {
    const button = make("button", label);
    button.style.setProperty("--mark", `var(${colorOf(label)})`);
    button.setAttribute("aria-pressed", String(marks.open?.label === label));
    if (index < 9) button.append(make("kbd", String(index + 1)));
    button.addEventListener("click", () => press(label));
    const item = make("li");
    item.append(button);
    return item;
  });
  $("labels").replaceChildren(...buttons);
}

function drawEvents() {
  const rows = marks.events.map(({ label, start, end }, index) => {
    const row = make("li", undefined, index === marks.selected ? "selected" : "");
    row.style.setProperty("--mark", `var(${colorOf(label)})`);
    const button = make("button");
    button.append(make("b", label), make("span", `${start.toFixed(2)} – ${end.toFixed(2)} s`, "number"));
    button.addEventListener("click", () => select(index));
    row.append(button);
    return row;
  });
  $("events").replaceChildren(...rows);
  showSelected();
  $("count").textContent = marks.events.length ? `${marks.events.length} in this recording` : "none yet";
  $("nothing").hidden = marks.events.length > 0 || marks.open !== null;
  $("stated").checked = marks.stated;
  $("undo").disabled = !marks.past.length;
  $("redo").disabled = !marks.future.length;
  $("delete").disabled = marks.selected < 0;
}

// Scroll the list, and never the page: a hand is on a label.
function showSelected() {
  const list = $("events");
  const row = list.children[marks.selected];
  if (!row) return;
  const above = row.offsetTop - list.offsetTop;
  const least = above + row.offsetHeight - list.clientHeight;
  list.scrollTop = Math.min(Math.max(list.scrollTop, least), above);
}

function drawVideos() {
  const rows = state.videos.map(({ name, events }, index) => {
    const button = make("button");
    const words = events === null ? "not labelled" : events === 0 ? "nothing happens" : `${events} events`;
    button.append(make("span", name), make("span", words, "quiet"));
    button.setAttribute("aria-current", String(index === state.video));
    button.addEventListener("click", () => {
      if (marks.open) complain(`${marks.open.label} has begun: end it, or press Esc, before you open another recording.`);
      else openVideo(index);
    });
    const item = make("li");
    item.append(button);
    return item;
  });
  $("videos").replaceChildren(...rows);
  const done = state.videos.filter(({ events }) => events !== null).length;
  $("progress").textContent = `${done} of ${state.videos.length} labelled`;
}

function draw() {
  strips.follow(film.time);
  strips.draw(marks, colorOf);
  drawNow();
  drawTransport();
  drawLabels();
  drawEvents();
  drawVideos();
}

function togglePlay() {
  if (film.isPlaying) film.pause();
  else film.play();
  drawTransport();
}

const jump = (seconds) => film.show(Math.min(Math.max(film.goal + seconds, 0), state.length));

function zoom(factor) {
  strips.zoom(factor);
  draw();
}

function changeSpeed(direction) {
  const index = SPEEDS.indexOf(film.speed) + direction;
  if (index < 0 || index >= SPEEDS.length) return;
  film.setSpeed(SPEEDS[index]);
  $("speed").value = String(SPEEDS[index]);
}

const KEYS = {
  " ": togglePlay,
  ArrowLeft: ({ shiftKey }) => (shiftKey ? jump(-1) : film.step("before")),
  ArrowRight: ({ shiftKey }) => (shiftKey ? jump(1) : film.step("after")),
  Home: () => film.show(0),
  End: () => film.show(state.length),
  Delete: () => change(marks.remove()),
  Backspace: () => change(marks.remove()),
  Escape: () => {
    marks.cancel();
    change(false);
  },
  u: ({ shiftKey }) => change(shiftKey ? marks.redo() : marks.undo()),
  n: () => selectNext(1),
  p: () => selectNext(-1),
  "[": () => moveEdge("start"),
  "]": () => moveEdge("end"),
  ",": () => changeSpeed(-1),
  ".": () => changeSpeed(1),
  "-": () => zoom(2),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input:not([type=checkbox]), select") || event.altKey) return;
  const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  if ((event.ctrlKey || event.metaKey) && !isUndo) return;
  const digit = /^[1-9]$/.test(event.key) ? state.labels[Number(event.key) - 1] : undefined;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = isUndo ? KEYS.u : digit !== undefined ? () => press(digit) : KEYS[name];
  if (!action || state.video < 0) return;
  // A focused button must not be pressed by the space that plays.
  event.preventDefault();
  action(event);
});
document.addEventListener("keyup", (event) => event.key === " " && event.target.closest("button") && event.preventDefault());

$("play").addEventListener("click", togglePlay);
$("video").addEventListener("click", togglePlay);
$("back-frame").addEventListener("click", () => film.step("before"));
$("on-frame").addEventListener("click", () => film.step("after"));
$("back-second").addEventListener("click", () => jump(-1));
$("on-second").addEventListener("click", () => jump(1));
$("zoom-in").addEventListener("click", () => zoom(0.5));
$("zoom-out").addEventListener("click", () => zoom(2));
$("undo").addEventListener("click", () => change(marks.undo()));
$("redo").addEventListener("click", () => change(marks.redo()));
$("delete").addEventListener("click", () => change(marks.remove()));
$("stated").addEventListener("change", ({ target }) => change(marks.describe("stated", target.checked)));
for (const name of ["group", "condition"]) {
  $(name).addEventListener("change", ({ target }) => change(marks.describe(name, target.value.trim())));
}
$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  addLabel($("new-label").value.trim());
  $("new-label").value = "";
  $("new-label").blur();
});
for (const speed of SPEEDS) $("speed").append(new Option(`${speed}×`, String(speed), speed === 1, speed === 1));
$("speed").addEventListener("change", ({ target }) => {
  film.setSpeed(Number(target.value));
  target.blur();
});
window.addEventListener("resize", () => strips.place());
window.addEventListener("beforeunload", (event) => (marks.open || state.saved < state.saves) && event.preventDefault());

connect();
