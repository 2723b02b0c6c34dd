// Probabilities over the last minute, on a plain canvas: a line per label, a band per event.

const SECONDS = 60;
const MOST_LINES = 8; // as many as there are colours
const GAP_S = 2; // decisions further apart are not joined by a line
const EDGE = { top: 8, right: 10, bottom: 20, left: 42 };

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.rows = [];
    this.events = [];
    this.model = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // rows: [time, score per label], oldest first. colors: label to the name of a CSS variable.
  show(model, rows, events, colors) {
    Object.assign(this, { model, rows, events, colors });
    this.draw();
  }

  draw() {
    const { canvas, model } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    const last = this.rows.length ? this.rows[this.rows.length - 1][0] : 0;
    const x = (t) => EDGE.left + (1 - (last - t) / SECONDS) * (width - EDGE.left - EDGE.right);
    const y = (score) => EDGE.top + (1 - score) * (height - EDGE.top - EDGE.bottom);
    this.drawGrid(pen, ink, x, y, width, last);
    if (!model || !this.rows.length) return;
    // Events and decisions may be older than the left edge.
    pen.save();
    pen.beginPath();
    pen.rect(EDGE.left, 0, width - EDGE.left - EDGE.right, height);
    pen.clip();
    this.drawBands(pen, ink, x, y, last);
    this.drawLines(pen, ink, x, y);
    pen.restore();
  }

  drawGrid(pen, ink, x, y, width, last) {
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = ink("--quiet");
    pen.strokeStyle = ink("--line");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const score of [0, 0.5, 1]) {
      // Half a pixel: a line of width 1 is sharp if it is centred on a row of pixels.
      pen.beginPath();
      pen.moveTo(EDGE.left, Math.round(y(score)) + 0.5);
      pen.lineTo(width - EDGE.right, Math.round(y(score)) + 0.5);
      pen.stroke();
      pen.fillText(`${score * 100}%`, EDGE.left - 6, y(score));
    }
    pen.textBaseline = "top";
    for (let back = 0; back <= SECONDS; back += 15) {
      pen.textAlign = back === 0 ? "right" : back === SECONDS ? "left" : "center";
      pen.fillText(back ? `−${back} s` : "now", x(last - back), y(0) + 6);
    }
    if (this.model) this.drawThreshold(pen, ink, y, width);
  }

  // The score at which an event may start.
  drawThreshold(pen, ink, y, width) {
    pen.save();
    pen.setLineDash([4, 4]);
    pen.strokeStyle = ink("--quiet");
    pen.beginPath();
    pen.moveTo(EDGE.left, y(this.model.enter));
    pen.lineTo(width - EDGE.right, y(this.model.enter));
    pen.stroke();
    pen.restore();
  }

  drawBands(pen, ink, x, y, last) {
    for (const event of this.events) {
      if (event.model !== this.model.name) continue;
      const left = x(event.start_s);
      const right = x(event.end_s === undefined ? last : event.end_s);
      pen.globalAlpha = 0.13;
      pen.fillStyle = ink(this.colors(event.event));
      pen.fillRect(left, y(1), Math.max(2, right - left), y(0) - y(1));
      pen.globalAlpha = 1;
    }
  }

  drawLines(pen, ink, x, y) {
    const { labels } = this.model;
    const highest = labels.map((_, index) => Math.max(...this.rows.map((row) => row[index + 1])));
    // The highest line is drawn last, on top of the others.
    const order = labels
      .map((_, index) => index)
      .sort((a, b) => highest[b] - highest[a])
      .slice(0, MOST_LINES)
      .reverse();
    pen.lineJoin = "round";
    for (const index of order) {
      const background = this.model.background.includes(labels[index]);
      pen.strokeStyle = ink(this.colors(labels[index]));
      pen.lineWidth = background ? 1.2 : 2;
      pen.globalAlpha = background ? 0.6 : 1;
      pen.beginPath();
      let before = -Infinity;
      for (const row of this.rows) {
        if (row[0] - before > GAP_S) pen.moveTo(x(row[0]), y(row[index + 1]));
        else pen.lineTo(x(row[0]), y(row[index + 1]));
        before = row[0];
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }
}
