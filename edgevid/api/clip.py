"""One answer for one clip: the window in its middle, or the mean over every window of it, as `edgevid evaluate` takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic_ns
from typing import Literal, get_args

import numpy as np

from edgevid.capture.source import Source
from edgevid.errors import UsageError
from edgevid.events.decide import Decision
from edgevid.frames import Array, Frame
from edgevid.frames.sampling import centre_indices, stream_indices
from edgevid.inference.engine import Engine
from edgevid.lane import Lane

Views = Literal["centre", "all"]
VIEWS: tuple[Views, ...] = get_args(Views)
_NS_PER_S, _NS_PER_MS = 1e9, 1e6


def classify(lane: Lane, open_clip: Callable[[], Source], *, views: Views = "centre") -> Decision:
    """Answer once for a clip. A clip shorter than a window holds its last frame.

    Args:
        lane: The model; its stream is restarted.
        open_clip: Opens the clip. Called twice: the frames of a window are known only once the clip's length is.
        views: "centre" for the window in the middle, "all" for the mean over every window that a stream of the clip shows.

    Returns:
        A decision with the sensor time of the last frame that it saw.

    Raises:
        UsageError: `views` is neither, or the source is a camera.
        SourceError: The clip cannot be read.
        ContractError: Its frames are not of the model's kind.
    """
    if views not in VIEWS:
        raise UsageError(expected="views", choices=VIEWS, got=views)
    started_ns = monotonic_ns()
    with open_clip() as clip:
        if clip.live:
            raise UsageError(
                expected="a clip that ends",
                got=clip.name,
                found=f"the live source {clip.name}",
                hint="Use watch() or events().",
            )
        stamps_ns = [frame.timestamp_ns for frame in clip.frames()]
    indices = _indices(lane, stamps_ns, views)
    with open_clip() as clip:
        mean = np.mean(list(_scores(lane, clip, indices)), axis=0)
    probabilities = [float(score) for score in mean]
    label, score = lane.decider.name(probabilities)
    age_ms = (monotonic_ns() - started_ns) / _NS_PER_MS
    return Decision(
        stamps_ns[indices[-1]] / _NS_PER_S, label, score, probabilities, age_ms, lane.decider.labels, lane.name
    )


def _indices(lane: Lane, stamps_ns: Sequence[int], views: Views) -> list[int]:
    window = lane.engine.bundle.manifest.window
    interval_s = None if window.sampling == "uniform" else window.interval_s
    if views == "centre" or interval_s is None:
        return centre_indices(stamps_ns, frames=window.frames, interval_s=interval_s)
    return stream_indices(stamps_ns, frames=window.frames, interval_s=interval_s)


def _scores(lane: Lane, clip: Source, indices: Sequence[int]) -> Iterator[Array]:
    """Scores from the first full window on, for the frames with these indices; an index may repeat."""
    engine: Engine = lane.engine
    engine.restart()
    needed = engine.bundle.manifest.window.frames
    for count, frame in enumerate(_picked(clip.frames(), indices), start=1):
        lane.preprocessor.write(frame, engine.input_buffer())
        scores = engine.step()
        if scores is not None and count >= needed:
            yield scores


def _picked(frames: Iterator[Frame], indices: Sequence[int]) -> Iterator[Frame]:
    """The frames with ascending indices, each as often as its index occurs."""
    wanted = iter(indices)
    index = next(wanted, None)
    for place, frame in enumerate(frames):
        while place == index:
            yield frame
            index = next(wanted, None)
        if index is None:
            return
