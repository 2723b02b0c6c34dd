// Probabilities over the last minute: one line a label, a band for each event. Plain canvas, drawn when there is something new.

const SECONDS = 60;
const EDGE = { top: 8, right: 10, bottom: 20, left: 42 };

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.rows = [];
    this.events = [];
    this.model = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

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
    this.grid(pen, ink, x, y, width, last);
    if (!model || !this.rows.length) return;
    pen.save();
    pen.beginPath();
    pen.rect(EDGE.left, 0, width - EDGE.left - EDGE.right, height);
    pen.clip();
    this.bands(pen, ink, x, y, last);
    this.lines(pen, ink, x, y);
    pen.restore();
  }

  grid(pen, ink, x, y, width, last) {
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = ink("--quiet");
    pen.strokeStyle = ink("--line");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const score of [0, 0.5, 1]) {
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
    if (this.model) {
      pen.save();
      pen.setLineDash([4, 4]);
      pen.strokeStyle = ink("--quiet");
      pen.beginPath();
      pen.moveTo(EDGE.left, y(this.model.enter));
      pen.lineTo(width - EDGE.right, y(this.model.enter));
      pen.stroke();
      pen.restore();
    }
  }

  bands(pen, ink, x, y, last) {
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

  lines(pen, ink, x, y) {
    const { labels } = this.model;
    const highest = labels.map((_, index) => Math.max(...this.rows.map((row) => row[index + 1])));
    const order = labels.map((_, index) => index).sort((a, b) => highest[b] - highest[a]).slice(0, 8).reverse();
    pen.lineJoin = "round";
    for (const index of order) {
      const background = this.model.background.includes(labels[index]);
      pen.strokeStyle = ink(this.colors(labels[index]));
      pen.lineWidth = background ? 1.2 : 2;
      pen.globalAlpha = background ? 0.6 : 1;
      pen.beginPath();
      let before = -Infinity;
      for (const row of this.rows) {
        if (row[0] - before > 2) pen.moveTo(x(row[0]), y(row[index + 1]));
        else pen.lineTo(x(row[0]), y(row[index + 1]));
        before = row[0];
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }
}
