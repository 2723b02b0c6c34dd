"use strict";
// Plays the seconds that a person clicks on. Everything else of the page works without it.
(() => {
  const LEAD_S = 1, TAIL_S = 1;
  const dock = document.querySelector(".tl-player");
  const video = dock.querySelector("video");
  const note = dock.querySelector(".tl-note");
  const pictures = dock.querySelector(".tl-pictures");
  const heads = [];
  let wanted = null;
  let plots = [];

  function show(address, name, what, shots) {
    dock.hidden = false;
    dock.querySelector(".tl-what").textContent = what;
    note.textContent = "";
    pictures.hidden = true;
    const images = shots ? document.getElementById(shots)?.querySelectorAll("img") ?? [] : [];
    pictures.replaceChildren(...[...images].map((image) => image.cloneNode()));
    // Several models may have watched one recording.
    plots = [...document.querySelectorAll(".tl")]
      .filter((each) => each.dataset.video === address && each.dataset.name === name)
      .flatMap((each) => [...each.querySelectorAll(".tl-plot")]);
    video.hidden = !address;
    if (!address) {
      video.removeAttribute("src");
      refuse(`There is no video of ${name} to play.`);
    } else if (video.getAttribute("src") !== address || video.error) {
      video.setAttribute("src", address);
      video.load();
    } else {
      seek();
    }
  }

  function refuse(text) {
    video.hidden = true;
    pictures.hidden = false;
    note.textContent = text + (pictures.childElementCount ? " These are frames of it." : "");
  }

  function seek() {
    if (wanted === null || video.readyState < 1) return;
    video.currentTime = wanted.from;
    // A browser may refuse to start by itself; its own button is there.
    video.play().catch(() => {});
  }

  function mark(t) {
    while (heads.length) heads.pop().remove();
    for (const plot of plots) {
      const share = (t - Number(plot.dataset.from)) / Number(plot.dataset.span);
      if (share < 0 || share >= 1) continue;
      const head = document.createElement("i");
      head.className = "tl-head";
      head.style.left = `${100 * share}%`;
      plot.append(head);
      heads.push(head);
    }
  }

  video.addEventListener("loadedmetadata", seek);
  video.addEventListener("timeupdate", () => {
    mark(video.currentTime);
    if (wanted?.until && video.currentTime >= wanted.until) {
      video.pause();
      wanted.until = null;
    }
  });
  video.addEventListener("error", () => {
    if (video.getAttribute("src")) refuse(`This browser cannot play ${video.dataset.name}.`);
  });
  dock.querySelector(".tl-close").addEventListener("click", () => {
    video.pause();
    dock.hidden = true;
    while (heads.length) heads.pop().remove();
  });

  function play(owner, from, until, what, shots) {
    wanted = { from: Math.max(0, from), until };
    video.dataset.name = owner.dataset.name;
    show(owner.dataset.video, owner.dataset.name, what, shots);
    mark(wanted.from);
  }

  function clock(t) {
    const s = Math.floor(t), pad = (n) => String(n).padStart(2, "0");
    return s >= 3600 ? `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`;
  }

  document.addEventListener("click", (event) => {
    const band = event.target.closest(".tl-mark, .tl-card");
    if (band) {
      const owner = band.closest(".tl") ?? band;
      const { start, end, shots } = band.dataset;
      play(owner, Number(start) - LEAD_S, Number(end) + TAIL_S, band.title || band.getAttribute("aria-label"), shots);
      return;
    }
    const plot = event.target.closest(".tl-plot");
    if (plot && !event.target.closest(".tl-over")) {
      const box = plot.getBoundingClientRect();
      const t = Number(plot.dataset.from) + (event.clientX - box.left) / box.width * Number(plot.dataset.span);
      const owner = plot.closest(".tl");
      play(owner, t, null, `${owner.dataset.name}, ${clock(t)}`, "");
    }
  });
})();
