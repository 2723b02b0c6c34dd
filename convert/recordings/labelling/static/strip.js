// Two strips of time: the whole recording, and the part around the current frame, where edges are dragged.

export class Strips {
  // `onSeek(time)`, `onSelect(index)`, `onGrab()`, `onDrag(index, edge, time)` and `onDrop()` are called.
  constructor(overview, strip, calls) {
    Object.assign(this, { overview, strip, calls });
    Object.assign(this, { length: 1, span: 20, from: 0, marks: null, time: 0, grabbed: null });
    this.scrub(overview, () => [0, this.length]);
    this.scrub(strip, () => [this.from, this.from + this.shown()]);
  }

  shown() {
    return Math.min(this.span, this.length);
  }

  zoom(factor) {
    this.span = Math.min(Math.max(this.shown() * factor, 0.5), Math.max(this.length, 0.5));
  }

  // Keep the current frame in the middle, except while an edge is held.
  follow(time) {
    this.time = time;
    if (this.grabbed) return;
    const most = Math.max(this.length - this.shown(), 0);
    this.from = Math.min(Math.max(time - this.shown() / 2, 0), most);
  }

  timeAt(element, event, [from, until]) {
    const box = element.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return from + share * (until - from);
  }

  scrub(element, range) {
    let held = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".mark")) return;
      held = range(); // the strip moves with the frame: the hand must not run after it
      element.setPointerCapture(event.pointerId);
      this.calls.onSeek(this.timeAt(element, event, held));
    });
    element.addEventListener("pointermove", (event) => held && this.calls.onSeek(this.timeAt(element, event, held)));
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => (held = null));
  }

  draw(marks, colorOf) {
    if (this.grabbed) {
      this.place();
      return;
    }
    this.marks = marks;
    const open = marks.open && { ...marks.open, end: Math.max(this.time, marks.open.start), open: true };
    for (const element of [this.overview, this.strip]) {
      const isStrip = element === this.strip;
      const bars = marks.events.map((event, index) => this.bar(event, index, isStrip, colorOf));
      if (open) bars.push(this.bar(open, -1, false, colorOf));
      const head = document.createElement("i");
      head.className = "head";
      element.replaceChildren(...bars, head);
    }
    const view = document.createElement("i");
    view.className = "view";
    this.overview.append(view);
    this.place();
  }

  bar(event, index, isStrip, colorOf) {
    const bar = document.createElement(isStrip ? "button" : "i");
    bar.className = `mark${event.open ? " open" : ""}${isStrip && index === this.marks.selected ? " selected" : ""}`;
    bar.style.setProperty("--mark", `var(${colorOf(event.label)})`);
    bar.event = event;
    if (!isStrip) return bar;
    bar.title = event.label;
    bar.setAttribute("aria-label", `${event.label} from ${event.start.toFixed(3)} to ${event.end.toFixed(3)} seconds`);
    const name = document.createElement("b");
    name.textContent = event.label;
    bar.append(name, this.edge(bar, index, "start"), this.edge(bar, index, "end"));
    bar.addEventListener("click", () => this.calls.onSelect(index));
    return bar;
  }

  edge(bar, index, which) {
    const edge = document.createElement("i");
    edge.className = `edge ${which}`;
    edge.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      edge.setPointerCapture(event.pointerId);
      this.grabbed = [this.from, this.from + this.shown()];
      this.calls.onGrab(index);
    });
    edge.addEventListener("pointermove", (event) => {
      if (this.grabbed) this.calls.onDrag(index, which, this.timeAt(this.strip, event, this.grabbed));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      edge.addEventListener(name, () => {
        if (!this.grabbed) return;
        this.grabbed = null;
        this.calls.onDrop();
      });
    }
    // The click after a drag must not select again.
    edge.addEventListener("click", (event) => event.stopPropagation());
    return edge;
  }

  // Put everything where its time is.
  place() {
    this.placeIn(this.overview, 0, this.length);
    this.placeIn(this.strip, this.from, this.shown());
    const view = this.overview.querySelector(".view");
    if (view) this.spread(view, this.from, this.from + this.shown(), 0, this.length);
  }

  placeIn(element, from, span) {
    for (const bar of element.querySelectorAll(".mark")) {
      if (bar.event.open) bar.event.end = Math.max(this.time, bar.event.start);
      this.spread(bar, bar.event.start, bar.event.end, from, span);
    }
    const head = element.querySelector(".head");
    if (head) head.style.left = `${((this.time - from) / span) * 100}%`;
  }

  spread(element, start, end, from, span) {
    element.style.left = `${((start - from) / span) * 100}%`;
    element.style.width = `${((end - start) / span) * 100}%`;
  }
}
