"""Streams and engines to test the loop with. The answer is written in the pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgevid.backends.fake import Fake
from edgevid.bundle.manifest import Manifest
from edgevid.capture.source import ClosingSource
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from tests.models.bundles import LABELS, bundle_for, window_manifest

PROBABILITY = 230 / 256


def encode(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The feature is the first five numbers of the frame."""
    return [inputs[0].reshape(1, -1)[:, :5].astype(np.int8)]


def answer(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The newest frame's first pixel, modulo the classes, is the index of the class."""
    scores = np.full((1, len(LABELS)), -122, np.int8)
    scores[0, (int(inputs[0][0, -1, 0]) + 128) % len(LABELS)] = round(PROBABILITY * 256) - 128
    return [scores]


def engine_for(manifest: Manifest | None = None) -> Engine:
    """An engine that reads its answer from the pixels. Its encoder and head share a quantization grid."""
    return Engine(bundle_for(manifest or window_manifest()), backend=Fake({"encoder": encode, "head": answer}))


class Script(ClosingSource):
    """A source that shows the classes it is told to.

    Args:
        classes: For each frame the index of the class to show, or None for a second of silence.
        step_s: Time between frames.
        sizes: (H, W) of the frames, the last for all that follow.
    """

    name = "script"
    live = False

    def __init__(
        self, classes: Sequence[int | None], *, step_s: float = 0.1, sizes: Sequence[tuple[int, int]] = ((6, 8),)
    ) -> None:
        self.closed = 0
        self._classes = classes
        self._step_s = step_s
        self._sizes = sizes

    def frames(self) -> Iterator[Frame]:
        t_s = 0.0
        for index, shown in enumerate(self._classes):
            if shown is None:
                t_s += 1.0
                continue
            size = self._sizes[min(index, len(self._sizes) - 1)]
            yield Frame(np.full((*size, 3), shown, np.uint8), "rgb", round(t_s * 1e9), index)
            t_s += self._step_s

    def close(self) -> None:
        self.closed += 1
