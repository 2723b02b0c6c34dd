"""The suite's stream: gestures of several persons, rendered before it is played, so that playing costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgevid.bench.reference.score import Moment
from edgevid.bundle.manifest import Manifest
from edgevid.capture.source import ClosingSource
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Array, Frame
from edgevid.units import NS_PER_S

# Each person has a room of their own. Nothing was trained on these seeds.
SEEDS = (7001, 7002, 7003, 7004, 7005)
PERSON_S = 120.0


class Film(ClosingSource):
    """Rendered frames, RGB, at the model's interval.

    Args:
        frames: (N, H, W, 3) uint8.
        interval_s: Time between two frames.
    """

    live = False
    name = "reference stream"

    def __init__(self, frames: Array, *, interval_s: float) -> None:
        self._frames, self._interval_s = frames, interval_s

    def frames(self) -> Iterator[Frame]:
        """Yield the frames with their times, from 0 on."""
        for index, picture in enumerate(self._frames):
            yield Frame(picture, "rgb", round(index * self._interval_s * NS_PER_S), index)


def render(manifest: Manifest, path: Path, *, person_s: float = PERSON_S) -> tuple[Film, tuple[Moment, ...]]:
    """Render the stream into a file that is mapped into memory.

    Args:
        manifest: Of the model; it states size and interval.
        path: The file.
        person_s: Time of each person.

    Returns:
        The stream and its truth.
    """
    spec, interval_s = manifest.input, manifest.window.interval_s
    each = round(person_s / interval_s)
    shape = (each * len(SEEDS), spec.height, spec.width, 3)
    frames = np.memmap(path, np.uint8, mode="w+", shape=shape)
    truth: list[Moment] = []
    for number, seed in enumerate(SEEDS):
        source = GestureSource(
            seed=seed, height_px=spec.height, width_px=spec.width, fps=1 / interval_s, duration_s=person_s
        )
        first = number * each
        for index, frame in enumerate(source.frames()):
            frames[first + index] = frame.data
        truth += [
            Moment(
                label=gesture.label,
                start_s=first * interval_s + gesture.start_s,
                end_s=first * interval_s + gesture.end_s,
            )
            for gesture in source.truth
        ]
    return Film(frames, interval_s=interval_s), tuple(truth)
