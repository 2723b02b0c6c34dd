// The frames of one recording: asked for by time, shown on a canvas, played at their own times.

const HEAD_BYTES = 13; // number of the request (4), whether it is the last frame (1), time (8)
const AHEAD = 10; // frames that wait to be shown; the server sends 16 at a request
const MOST_STEPS = 2; // of a key that is held, while frames come more slowly
const LATE_MS = 250; // playback slows down rather than skip frames

export class Film {
  // `send` sends a message; `onFrame` is called after a frame is shown; `onStop` when playing ends.
  constructor(canvas, { send, onFrame, onStop }) {
    Object.assign(this, { canvas, send, onFrame, onStop });
    this.pen = canvas.getContext("2d");
    this.number = 0;
    this.speed = 1;
    this.reset(-1);
  }

  reset(video) {
    this.pause();
    Object.assign(this, { video, time: 0, isLast: false, waiting: null, next: null, steps: [], asked: 0, decoding: Promise.resolve() });
  }

  // Show a frame. While one is on its way, only the newest wish is kept.
  show(time, move = "at", done = null) {
    this.pause();
    const wish = { time, move, done };
    if (move === "at") this.steps = [];
    if (this.waiting) this.next = wish;
    else this.ask(wish);
  }

  ask(wish) {
    this.waiting = wish;
    this.asked = ++this.number;
    this.send({ do: "show", video: this.video, id: this.asked, move: wish.move, time_s: wish.time });
  }

  // One frame on or back, counted from the frame that will be shown.
  step(move) {
    if (this.waiting) this.steps.length < MOST_STEPS && this.steps.push(move);
    else this.show(this.time, move);
  }

  // The time that is asked for, or else the one that is shown.
  get goal() {
    const wish = this.next ?? this.waiting;
    return wish?.move === "at" ? wish.time : this.time;
  }

  play() {
    if (this.isPlaying || this.waiting || this.isLast) return;
    Object.assign(this, { isPlaying: true, queue: [], anchor: null, isAsking: false, isComplete: false });
    this.tail = this.time;
    this.asked = ++this.number;
    this.more();
    const tick = (now) => {
      if (!this.isPlaying) return;
      this.tick(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    for (const { bitmap } of this.queue) bitmap.close();
    this.queue = [];
    this.asked = ++this.number; // frames that are still on their way are ignored
    this.onStop();
  }

  more() {
    this.isAsking = true;
    this.due = 16;
    this.send({ do: "next", video: this.video, id: this.asked, time_s: this.tail });
  }

  tick(now) {
    const first = this.queue[0];
    if (!first) {
      if (this.isComplete) this.pause();
      return;
    }
    this.anchor ??= { now, time: this.time };
    const wantedMs = ((first.time - this.anchor.time) * 1000) / this.speed;
    const lateMs = now - this.anchor.now - wantedMs;
    if (lateMs < 0) return;
    this.queue.shift();
    this.paint(first);
    if (lateMs > LATE_MS) this.anchor = { now, time: first.time };
    if (!this.isAsking && !this.isComplete && this.queue.length < AHEAD) this.more();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.anchor = null;
  }

  // A frame from the server.
  receive(data) {
    const head = new DataView(data);
    const frame = { isLast: head.getUint8(4) === 1, time: head.getFloat64(5) };
    const number = head.getUint32(0);
    if (number === this.asked && this.isPlaying) {
      this.tail = frame.time;
      this.due -= 1;
    }
    const jpeg = new Blob([new Uint8Array(data, HEAD_BYTES)], { type: "image/jpeg" });
    this.decoding = this.decoding.then(async () => {
      const bitmap = await createImageBitmap(jpeg);
      if (number !== this.asked) bitmap.close();
      else this.take({ ...frame, bitmap });
    });
  }

  // The server has no frame there: before the first, or after the last.
  receiveNone(number) {
    if (number !== this.asked) return;
    if (this.isPlaying) Object.assign(this, { isComplete: true, isAsking: false });
    else this.answered(null);
  }

  // A request failed: do not wait for its answer.
  receiveFailure(number) {
    if (number !== this.asked) return;
    if (this.isPlaying) this.pause();
    else this.answered(null);
  }

  take(frame) {
    if (!this.isPlaying) {
      this.paint(frame);
      this.answered(frame);
      return;
    }
    this.queue.push(frame);
    this.isComplete = frame.isLast;
    if (this.due <= 0 || frame.isLast) this.isAsking = false;
  }

  answered(frame) {
    const { done } = this.waiting ?? {};
    this.waiting = null;
    if (done && frame) done(frame.time);
    if (this.next) {
      const wish = this.next;
      this.next = null;
      this.ask(wish);
    } else if (this.steps.length) {
      this.show(this.time, this.steps.shift());
    }
  }

  paint({ bitmap, time, isLast }) {
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.pen.drawImage(bitmap, 0, 0);
    bitmap.close();
    Object.assign(this, { time, isLast });
    this.onFrame();
  }
}
