// The key points that a model sees, over the picture: lines between neighbours, as MediaPipe joins them.
// Points are shares of what the model sees, the whole picture or a region of it.

const SVG = "http://www.w3.org/2000/svg";
const LEAST_VISIBILITY = 0.5; // as MediaPipe draws them
const WHOLE = [0, 0, 1, 1];
// mediapipe/python/solutions/pose_connections.py and hands_connections.py
const POSE = "0-1 1-2 2-3 3-7 0-4 4-5 5-6 6-8 9-10 11-12 11-13 13-15 15-17 15-19 15-21 17-19 12-14 14-16 16-18 16-20 "
  + "16-22 18-20 11-23 12-24 23-24 23-25 24-26 25-27 26-28 27-29 28-30 29-31 30-32 27-31 28-32";
const HAND = "0-1 1-2 2-3 3-4 0-5 5-6 6-7 7-8 5-9 9-10 10-11 11-12 9-13 13-14 14-15 15-16 13-17 0-17 17-18 18-19 19-20";
const edges = (text) => text.split(" ").map((pair) => pair.split("-").map(Number));
const EDGES = { pose: edges(POSE), left: edges(HAND), right: edges(HAND) };

// The subject's sides. The eyes are 1 to 6; from the ears on, odd points are left.
function sideOf(group, index) {
  if (group !== "pose") return group;
  if (index === 0) return "middle";
  return (index <= 6 ? index <= 3 : index % 2 === 1) ? "left" : "right";
}

function draw(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
}

export class Skeleton {
  // svg: lies over the picture.
  constructor(svg) {
    this.svg = svg;
    this.points = {};
    this.box = WHOLE;
    this.size = [4, 3];
  }

  // points: for each group a list of [x, y] or [x, y, visibility], or null; none at all to clear.
  show(points, box) {
    this.points = points ?? {};
    this.box = box ?? WHOLE;
    this.paint();
  }

  // The size of the picture on the screen, in its own pixels.
  resize(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    this.size = [width, height];
    this.paint();
  }

  paint() {
    const [width, height] = this.size;
    const [left, top, across, down] = this.box;
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const groups = Object.entries(EDGES).filter(([group]) => this.points[group]);
    this.svg.toggleAttribute("hidden", !groups.length);
    for (const [group, pairs] of groups) {
      const placed = this.points[group].map(([x, y, visibility = 1]) => (visibility < LEAST_VISIBILITY ? null
        : [(left + x * across) * width, (top + y * down) * height]));
      for (const [first, second] of pairs) {
        if (!placed[first] || !placed[second]) continue;
        const [side, other] = [sideOf(group, first), sideOf(group, second)];
        const [[x1, y1], [x2, y2]] = [placed[first], placed[second]];
        draw(this.svg, "line", { x1, y1, x2, y2, class: side === other ? side : "middle" });
      }
      placed.forEach((point, index) => {
        // A line without length has a round end: a dot of the same size at any zoom.
        if (point) {
          const [x, y] = point;
          draw(this.svg, "line", { x1: x, y1: y, x2: x, y2: y, class: `dot ${sideOf(group, index)}` });
        }
      });
    }
  }
}
