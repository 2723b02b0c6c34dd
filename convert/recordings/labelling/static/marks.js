// The events of one recording, and every change that a person can make to them.
// An event lasts from its first frame to the first frame after it. No two overlap.

const SHORTEST_S = 0.001;

export class Marks {
  constructor() {
    this.load([], "", "", false);
  }

  load(events, group, condition, stated) {
    this.events = events.map(([label, start, end]) => ({ label, start, end }));
    Object.assign(this, { group, condition, stated, open: null, selected: -1 });
    this.past = [];
    this.future = [];
  }

  asRows() {
    return this.events.map(({ label, start, end }) => [label, start, end]);
  }

  // Index of the event that a frame at a time belongs to, or -1.
  indexAt(time) {
    return this.events.findIndex(({ start, end }) => start <= time && time < end);
  }

  // Begin the event of a label, or end it. Returns why not, or "".
  press(label, time, endTime) {
    if (this.open) {
      const { label: opened, start } = this.open;
      const reason = this.end(endTime > start && opened === label ? endTime : time);
      if (reason || opened === label) return reason;
    }
    return this.begin(label, time);
  }

  begin(label, time) {
    const inside = this.events[this.indexAt(time)];
    if (inside) return `${inside.label} happens here already: delete it, or move its edge, first.`;
    this.remember();
    this.open = { label, start: time };
    return "";
  }

  end(time) {
    const { label, start } = this.open;
    if (time <= start) return `${label} began at ${start.toFixed(3)} s: go on to the first frame after it, or press Esc.`;
    const other = this.events.find((each) => each.start < time && start < each.end);
    if (other) return `${label} would overlap ${other.label} at ${other.start.toFixed(3)} s: end it before, or press Esc.`;
    this.remember();
    this.open = null;
    this.stated = false;
    this.add({ label, start, end: time });
    return "";
  }

  cancel() {
    if (!this.open) return;
    this.remember();
    this.open = null;
  }

  remove() {
    if (this.selected < 0) return false;
    this.remember();
    this.events.splice(this.selected, 1);
    this.selected = -1;
    return true;
  }

  rename(label) {
    if (this.selected < 0 || this.events[this.selected].label === label) return false;
    this.remember();
    this.events[this.selected].label = label;
    return true;
  }

  // The times between which an edge can move.
  room(index, edge, length) {
    const { start, end } = this.events[index];
    if (edge === "start") return [this.events[index - 1]?.end ?? 0, end - SHORTEST_S];
    return [start + SHORTEST_S, this.events[index + 1]?.start ?? length];
  }

  // Move an edge without remembering each step; `remember` before the first. The time is one in its room.
  move(index, edge, time) {
    this.events[index][edge] = time;
  }

  describe(name, value) {
    if (this[name] === value) return false;
    this.remember();
    this[name] = value;
    return true;
  }

  add(event) {
    this.events.push(event);
    this.events.sort((a, b) => a.start - b.start);
    this.selected = this.events.indexOf(event);
  }

  snapshot() {
    const { events, group, condition, stated, open, selected } = this;
    return JSON.stringify({ events, group, condition, stated, open, selected });
  }

  remember() {
    this.past.push(this.snapshot());
    this.future = [];
  }

  undo() {
    return this.restore(this.past, this.future);
  }

  redo() {
    return this.restore(this.future, this.past);
  }

  restore(from, to) {
    if (!from.length) return false;
    to.push(this.snapshot());
    Object.assign(this, JSON.parse(from.pop()));
    return true;
  }
}
