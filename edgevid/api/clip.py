"""Classify one clip: by the window in its middle, or by the mean over all of its windows.

`edgevid evaluate` classifies clips in the same two ways.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Literal, get_args

import numpy as np

from edgevid.capture import Flip, Rotation, open_source
from edgevid.capture.source import Source
from edgevid.errors import UsageError
from edgevid.events.decide import Decision
from edgevid.frames import Array, Frame
from edgevid.frames.sampling import centre_indices, describe_short, interval_indices, stream_indices
from edgevid.inference.engine import Engine
from edgevid.lane import Lane
from edgevid.units import NS_PER_MS, NS_PER_S

Views = Literal["centre", "all"]
VIEWS: tuple[Views, ...] = get_args(Views)
_log = logging.getLogger(__name__)


def opener(lane: Lane, clip: str | Path, *, rotate: Rotation = 0, flip: Flip = "none") -> Callable[[], Source]:
    """Return a function that opens a clip for a model.

    Args:
        lane: The lane of the model.
        clip: The clip.
        rotate: See `open_source`.
        flip: See `open_source`.
    """
    manifest, has_keypoints = lane.engine.bundle.manifest, lane.stage is not None
    return lambda: open_source(str(clip), manifest, rotate=rotate, flip=flip, has_keypoints=has_keypoints)


def classify(lane: Lane, open_clip: Callable[[], Source], *, views: Views = "centre") -> Decision:
    """Classify a clip. If the clip is shorter than the window, log a warning and repeat its last frame.

    Args:
        lane: The lane of the model. Its engine is restarted.
        open_clip: Opens the clip. Called twice.
        views: "centre" for the window in the middle, "all" for the mean over every window of a
            stream of the clip.

    Returns:
        A decision with the time of the last frame that the model saw.

    Raises:
        UsageError: `views` is not legal, or the source is a camera.
        SourceError: The clip cannot be read.
        ContractError: The clip does not fit the model's input.
    """
    if views not in VIEWS:
        raise UsageError(expected="views", choices=VIEWS, got=views)
    started_ns = monotonic_ns()
    # The first pass finds the times of the frames, which decide on the frames of a window. A clip
    # in memory would need one pass, but hundreds of megabytes.
    with open_clip() as clip:
        if clip.live:
            raise UsageError(
                expected="a clip that ends",
                found=f"the live source {clip.name}",
                hint="Use watch() or events().",
            )
        stamps_ns = [frame.timestamp_ns for frame in clip.frames()]
        _warn_if_short(lane, stamps_ns, clip.name)
    indices = _indices(lane, stamps_ns, views)
    with open_clip() as clip:
        mean = np.mean(list(_scores(lane, clip, indices)), axis=0)
    probabilities = [float(score) for score in mean]
    label, score = lane.decider.name(probabilities)
    age_ms = (monotonic_ns() - started_ns) / NS_PER_MS
    return Decision(
        stamps_ns[indices[-1]] / NS_PER_S, label, score, probabilities, age_ms, lane.decider.labels, lane.name
    )


def _warn_if_short(lane: Lane, stamps_ns: Sequence[int], name: str) -> None:
    window = lane.engine.bundle.manifest.window
    is_uniform = window.sampling == "uniform"
    count = len(stamps_ns) if is_uniform else len(interval_indices(stamps_ns, window.interval_s))
    if count < window.frames:
        _log.warning("%s", describe_short(name, count, window.frames))


def _indices(lane: Lane, stamps_ns: Sequence[int], views: Views) -> list[int]:
    window = lane.engine.bundle.manifest.window
    interval_s = None if window.sampling == "uniform" else window.interval_s
    # Uniform sampling spreads one window over the whole clip, so there is no other view.
    if views == "centre" or interval_s is None:
        return centre_indices(stamps_ns, frames=window.frames, interval_s=interval_s)
    return stream_indices(stamps_ns, frames=window.frames, interval_s=interval_s)


def _scores(lane: Lane, clip: Source, indices: Sequence[int]) -> Iterator[Array]:
    """Yield the scores from the first full window on. An index may occur several times."""
    engine: Engine = lane.engine
    engine.restart()
    if lane.stage is not None:
        lane.stage.restart()
    if lane.follower is not None:
        lane.follower.restart()
    window_frames = engine.bundle.manifest.window.frames
    for count, frame in enumerate(_frames_at(_followed(lane, clip.frames()), indices), start=1):
        lane.prepare(frame)
        scores = engine.step()
        if scores is not None and count >= window_frames:
            yield scores


def _followed(lane: Lane, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield all frames; show each to the follower of a person, who is followed from the first frame on."""
    for frame in frames:
        if lane.follower is not None:
            lane.see(frame)
        yield frame


def _frames_at(frames: Iterator[Frame], indices: Sequence[int]) -> Iterator[Frame]:
    """Yield the frames at ascending indices, each as often as its index occurs."""
    remaining = iter(indices)
    wanted = next(remaining, None)
    for index, frame in enumerate(frames):
        while index == wanted:
            yield frame
            wanted = next(remaining, None)
        if wanted is None:
            return
