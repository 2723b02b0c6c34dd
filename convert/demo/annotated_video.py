"""Writing video files, and annotating a video with the answers of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.atomic import replacing
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError
from edgevid.events.decide import Decision, Event
from edgevid.frames import Array, Pixels
from edgevid.frames.imaging import opencv
from edgevid.units import NS_PER_S

CODECS = {"mp4v": ".mp4", "FFV1": ".avi"}
"""Codecs with the suffix of their files.

MPEG-4 makes small files, and FFV1 is lossless. The wheels of OpenCV contain both.
"""

_BAR_PX = 9
_PANEL_PX = 190
_HEIGHT_PX = 360
# An event remains visible for this long after its end; most are short.
_FLASH_S = 1.0
# Tolerance for times that were rounded to the frame rate of the file.
_SAME_TIME_S = 1e-6
# BGR.
_INK, _PAPER, _QUIET, _LOUD = (30, 30, 30), (250, 250, 250), (190, 160, 110), (60, 140, 250)


def write_video(path: str | Path, frames: Iterable[Pixels], *, fps: float, codec: str = "mp4v") -> None:
    """Write a video file, atomically.

    Args:
        path: The file, with the suffix of the codec.
        frames: (H, W, 3) uint8 BGR, all of one size. Each is written before the next is requested,
            so one buffer may serve all.
        fps: Frames per second.
        codec: One of `CODECS`.

    Raises:
        SourceError: OpenCV cannot write such a file on this machine, or there is no frame.
    """
    cv2 = opencv("writing video files")
    writer: Any = None
    with replacing(path) as temporary:
        try:
            for frame in frames:
                # The first frame determines the size of the video.
                if writer is None:
                    writer = _open(cv2, temporary, frame, fps=fps, codec=codec)
                writer.write(frame)
        finally:
            if writer is not None:
                writer.release()
        if not temporary.exists():
            raise SourceError(expected=f"at least one frame to write to {path}", found="none", path=path)


def _open(cv2: Any, path: Path, frame: Pixels, *, fps: float, codec: str) -> Any:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        raise SourceError(
            expected=f"an OpenCV that writes {codec} video",
            found="one without this codec",
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
    """Write a copy of a video with the scores next to each frame, and the name of each event.

    Args:
        source: The video that the model ran on.
        out: The `.mp4` file to write.
        labels: Labels in the order of the scores.
        decisions: Decisions of the model, in order.
        events: Events of the model, in order.

    Raises:
        SourceError: The video cannot be read or written.
    """
    with VideoFile(source) as video:
        write_video(out, _annotated(video, labels, decisions, events), fps=video.fps)


def _annotated(
    video: VideoFile, labels: Sequence[str], decisions: Sequence[Decision], events: Sequence[Event]
) -> Iterator[Pixels]:
    cv2 = opencv("drawing on video")
    times = np.array([decision.t_s for decision in decisions])
    for frame in video.frames():
        t_s = frame.timestamp_ns / NS_PER_S
        latest = int(np.searchsorted(times, t_s + _SAME_TIME_S)) - 1
        picture = _enlarge(cv2, frame.data)
        event = next((event for event in events if event.start_s <= t_s <= event.end_s + _FLASH_S), None)
        if event is not None:
            _draw_event(cv2, picture, event)
        scores = decisions[latest].probabilities if latest >= 0 else None
        yield np.hstack([picture, _panel(cv2, labels, scores, t_s)])


def _enlarge(cv2: Any, pixels: Array) -> Pixels:
    # Codecs require even sizes.
    width_px = round(pixels.shape[1] * _HEIGHT_PX / pixels.shape[0] / 2) * 2
    return np.asarray(cv2.resize(pixels, (width_px, _HEIGHT_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def _draw_event(cv2: Any, picture: Pixels, event: Event) -> None:
    height, width = picture.shape[:2]
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), _LOUD, 6)
    cv2.rectangle(picture, (0, height - 44), (width, height), _LOUD, -1)
    _write(cv2, picture, f"{event.label}  {event.score:.2f}", (14, height - 15), 0.8, _PAPER, 2)


def _panel(cv2: Any, labels: Sequence[str], scores: Sequence[float] | None, t_s: float) -> Pixels:
    """Return the time and a bar for the score of each class; no bars before the first decision."""
    panel: Pixels = np.full((_HEIGHT_PX, _PANEL_PX, 3), _PAPER, np.uint8)
    _write(cv2, panel, f"{t_s:6.2f} s", (12, 26), 0.55, _INK, 1)
    best = scores.index(max(scores)) if scores is not None else -1
    step_px = (_HEIGHT_PX - 50) // max(len(labels), 1)
    full_px = _PANEL_PX - 24
    for index, label in enumerate(labels):
        top = 46 + index * step_px
        _write(cv2, panel, label, (12, top + 10), 0.42, _INK, 1)
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
