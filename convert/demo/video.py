"""Write video files, and draw on video what a model saw in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.atomic import replacing
from edgevid.capture.opencv import VideoFile
from edgevid.errors import SourceError
from edgevid.events.decide import Decision, Event
from edgevid.frames import Array, Pixels
from edgevid.frames.imaging import opencv

CODECS = {"mp4v": ".mp4", "FFV1": ".avi"}
"""Codec to the suffix of its files: MPEG-4 for small files, FFV1 for exact ones. OpenCV's own build has both."""

_BAR_PX = 9
_PANEL_PX = 190
_HEIGHT_PX = 360
_FLASH_S = 1.0
_INK, _PAPER, _QUIET, _LOUD = (30, 30, 30), (250, 250, 250), (190, 160, 110), (60, 140, 250)


def write_video(path: str | Path, frames: Iterable[Pixels], *, fps: float, codec: str = "mp4v") -> None:
    """Write a video file, whole or not at all.

    Args:
        path: Where to; its suffix is the codec's.
        frames: (H, W, 3) uint8 BGR, all of one size; each is written before the next is asked for.
        fps: Frames a second.
        codec: One of `CODECS`.

    Raises:
        SourceError: OpenCV cannot write such a file here, or there is no frame.
    """
    cv2 = opencv("writing video files")
    writer: Any = None
    with replacing(path) as beside:
        try:
            for frame in frames:
                if writer is None:
                    writer = _open(cv2, beside, frame, fps=fps, codec=codec)
                writer.write(frame)
        finally:
            if writer is not None:
                writer.release()
        if not beside.exists():
            raise SourceError(expected=f"at least one frame to write to {path}", found="none", path=path)


def _open(cv2: Any, path: Path, frame: Pixels, *, fps: float, codec: str) -> Any:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        raise SourceError(
            expected=f"an OpenCV that writes {codec} video",
            found="one that does not",
            hint="Run: pip install opencv-python-headless.",
            path=path,
        )
    return writer


def annotate(
    source: str | Path,
    out: str | Path,
    *,
    labels: Sequence[str],
    decisions: Sequence[Decision],
    events: Sequence[Event],
) -> None:
    """Write a copy of a video that shows beside each frame the scores of the moment, and names each event as it comes.

    Args:
        source: The video that the model saw.
        out: The `.mp4` to write.
        labels: In the order of the scores.
        decisions: What the model answered, in order.
        events: What came of it, in order.

    Raises:
        SourceError: The video cannot be read, or not be written.
    """
    with VideoFile(source) as video:
        write_video(out, _annotated(video, labels, decisions, events), fps=video.fps)


def _annotated(
    video: VideoFile, labels: Sequence[str], decisions: Sequence[Decision], events: Sequence[Event]
) -> Iterator[Pixels]:
    cv2 = opencv("drawing on video")
    times = np.array([decision.t_s for decision in decisions])
    for frame in video.frames():
        t_s = frame.timestamp_ns / 1e9
        place = int(np.searchsorted(times, t_s + 1e-6)) - 1
        picture = _enlarged(cv2, frame.data)
        now = next((event for event in events if event.start_s <= t_s <= event.end_s + _FLASH_S), None)
        if now is not None:
            _flash(cv2, picture, now)
        yield np.hstack([picture, _panel(cv2, labels, decisions[place].probabilities if place >= 0 else None, t_s)])


def _enlarged(cv2: Any, pixels: Array) -> Pixels:
    width_px = round(pixels.shape[1] * _HEIGHT_PX / pixels.shape[0] / 2) * 2  # codecs want even sizes
    return np.asarray(cv2.resize(pixels, (width_px, _HEIGHT_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def _flash(cv2: Any, picture: Pixels, event: Event) -> None:
    height, width = picture.shape[:2]
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), _LOUD, 6)
    cv2.rectangle(picture, (0, height - 44), (width, height), _LOUD, -1)
    _write(cv2, picture, f"{event.label}  {event.score:.2f}", (14, height - 15), 0.8, _PAPER, 2)


def _panel(cv2: Any, labels: Sequence[str], scores: Sequence[float] | None, t_s: float) -> Pixels:
    panel: Pixels = np.full((_HEIGHT_PX, _PANEL_PX, 3), _PAPER, np.uint8)
    _write(cv2, panel, f"{t_s:6.2f} s", (12, 26), 0.55, _INK, 1)
    best = scores.index(max(scores)) if scores is not None else -1
    step_px = (_HEIGHT_PX - 50) // max(len(labels), 1)
    for index, label in enumerate(labels):
        top = 46 + index * step_px
        _write(cv2, panel, label, (12, top + 10), 0.42, _INK, 1)
        full_px = _PANEL_PX - 24
        cv2.rectangle(panel, (12, top + 15), (12 + full_px, top + 15 + _BAR_PX), (232, 232, 232), -1)
        if scores is not None:
            cv2.rectangle(
                panel,
                (12, top + 15),
                (12 + round(full_px * scores[index]), top + 15 + _BAR_PX),
                _LOUD if index == best else _QUIET,
                -1,
            )
    return panel


def _write(  # noqa: PLR0917  # in the order of cv2.putText
    cv2: Any, picture: Pixels, text: str, place: tuple[int, int], size: float, color: tuple[int, int, int], weight: int
) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, weight, cv2.LINE_AA)
