// The part of the picture that the models see: drawn over the video, and changed by dragging.
// All numbers are shares of the picture.

const LEAST_PX = 8; // as many as the server takes, in pixels of the picture on the screen
const STEPS = 1000; // a share has three decimals
const WHOLE = [0, 0, 1, 1];
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);
const rounded = (share) => Math.round(Math.min(1, Math.max(0, share)) * STEPS) / STEPS;
const isWhole = (box) => box.every((each, index) => each === WHOLE[index]);

// Edges are rounded, not lengths, so that no sum exceeds 1.
function boxOf([left, top], [right, bottom]) {
  const [x, y] = [rounded(Math.min(left, right)), rounded(Math.min(top, bottom))];
  return [x, y, rounded(rounded(Math.max(left, right)) - x), rounded(rounded(Math.max(top, bottom)) - y)];
}

// As `--region` reads it: without a point, the numbers would be pixels.
function write(box) {
  const text = box.join(",");
  return text.includes(".") ? text : text.replace(/^\d+/, "$&.0");
}

function read(text) {
  const words = text.split(",").map((word) => word.trim());
  const box = words.map(Number);
  const isLegal = words.length === 4 && words.every((word) => /^(\d+\.?\d*|\.\d+)$/.test(word))
    && box[2] > 0 && box[3] > 0 && box[0] + box[2] <= 1 && box[1] + box[3] <= 1;
  return isLegal ? box : null;
}

function draw(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
}

export class RegionEditor {
  // send: passes a message to the server.
  constructor(send) {
    this.send = send;
    this.state = null;
    this.draft = null;
    this.size = [4, 3];
    $("regionbutton").onclick = () => this.begin();
    $("cancel").onclick = () => this.end();
    $("whole").onclick = () => this.choose(WHOLE);
    $("numbers").oninput = () => this.type();
    $("regionform").onsubmit = (event) => {
      event.preventDefault();
      this.save();
    };
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.draft && this.end());
    this.listenForDrags($("sight"));
  }

  // state: `box`, `masks`, `person`, `file` and `size` from the server; null for a source without pictures.
  show(state) {
    this.state = state;
    if (!state) this.end();
    this.paint();
  }

  // The size of the picture on the screen, in its own pixels.
  resize(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    this.size = [width, height];
    this.paint();
  }

  begin() {
    this.choose(this.state.box ?? WHOLE);
    const how = "Drag a rectangle over the picture.";
    this.say(this.state.file ? how : `${how} To keep it, start the run with \`--region\` and these numbers, `
      + "or with `--region-file FILE.toml` to save it here.");
  }

  end() {
    this.draft = null;
    this.paint();
  }

  choose(box) {
    this.draft = box;
    $("numbers").value = write(box);
    this.check(true);
    this.paint();
  }

  type() {
    const box = read($("numbers").value);
    if (box) this.draft = box;
    this.check(Boolean(box));
    this.paint();
  }

  check(isLegal) {
    $("numbers").setAttribute("aria-invalid", !isLegal);
    $("save").disabled = !isLegal;
  }

  save() {
    if ($("save").disabled || !this.state.file) return;
    $("save").disabled = true;
    this.say("Saving…");
    if (!this.send(JSON.stringify({ region: isWhole(this.draft) ? null : this.draft }))) {
      this.answer({ problem: "There is no connection." });
    }
  }

  // The server's answer to `save`.
  answer({ problem }) {
    $("save").disabled = false;
    if (problem) this.say(problem, true);
    else if (this.draft) this.say(`Saved in ${this.state.file}. The models see it from now on.`);
  }

  // text: backticks enclose what must not be broken at a dash.
  say(text, isProblem = false) {
    $("regionhint").replaceChildren(...text.split("`").map((part, index) => {
      const piece = document.createElement(index % 2 ? "code" : "span");
      piece.textContent = part;
      return piece;
    }));
    $("regionhint").classList.toggle("problem", isProblem);
  }

  listenForDrags(sight) {
    let start = null;
    sight.onpointerdown = (event) => {
      if (!this.draft || event.button) return;
      start = this.at(event);
      sight.setPointerCapture(event.pointerId);
      event.preventDefault();
    };
    sight.onpointermove = (event) => {
      if (!start) return;
      const box = boxOf(start, this.at(event));
      // A click, or the first pixels of a drag, is no rectangle.
      if (box[2] * this.size[0] >= LEAST_PX && box[3] * this.size[1] >= LEAST_PX) this.choose(box);
    };
    sight.onpointerup = sight.onpointercancel = () => {
      start = null;
    };
  }

  // The place of a pointer in the picture, which may be smaller than its element.
  at(event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = point.matrixTransform($("sight").getScreenCTM().inverse());
    return [x / this.size[0], y / this.size[1]];
  }

  paint() {
    const isEditing = Boolean(this.draft);
    // The square around a person lies in the region, which is shown too.
    const person = isEditing ? null : this.state?.person;
    const region = this.draft ?? this.state?.box ?? WHOLE;
    const box = person ?? region;
    const masks = this.state?.masks ?? [];
    $("regionbutton").hidden = !this.state || isEditing; // it would cover a corner of the picture
    $("regionform").hidden = !isEditing;
    $("save").hidden = !this.state?.file;
    $("screen").classList.toggle("editing", isEditing);
    // An SVG element has the attribute, but not the property.
    const isPlain = !this.state || (!isEditing && !masks.length && isWhole(box));
    $("sight").toggleAttribute("hidden", isPlain);
    $("sight").classList.toggle("person", Boolean(person));
    this.paintPixels(box);
    const [width, height] = this.size;
    const sight = $("sight");
    sight.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const placed = (share) => (
      { x: share[0] * width, y: share[1] * height, width: share[2] * width, height: share[3] * height }
    );
    const place = placed(box);
    const points = masks.map((mask) => mask.map((each, index) => each * this.size[index % 2]).join(" "));
    for (const id of ["sightbox", "sightclip", "sightline", "sightpolygons", "sightlines"]) $(id).replaceChildren();
    draw($("sightclip"), "rect", place);
    draw($("sightline"), "rect", place);
    if (person && !isWhole(region)) draw($("sightlines"), "rect", placed(region));
    if (points.length) {
      for (const each of points) {
        draw($("sightpolygons"), "polygon", { points: each });
        draw($("sightlines"), "polygon", { points: each });
      }
    } else {
      draw($("sightbox"), "rect", place);
    }
  }

  paintPixels(box) {
    const size = this.state?.size;
    const [width, height] = size ?? [0, 0];
    const edge = (index, share) => Math.round(share * (index ? height : width));
    const across = edge(0, box[0] + box[2]) - edge(0, box[0]);
    const down = edge(1, box[1] + box[3]) - edge(1, box[1]);
    $("pixels").textContent = size ? `${across} × ${down} px` : "";
    $("pixels").title = size ? `of ${width} × ${height} px` : "";
  }
}
