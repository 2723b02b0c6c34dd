"""One network of the key points: a square crop of a picture goes in, numbers come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns

import numpy as np

from edgevid.backends.litert import LiteRt
from edgevid.frames import Array, Color, Frame, Pixels
from edgevid.frames.imaging import converter, warper
from edgevid.keypoints.roi import Roi
from edgevid.tables import table
from edgevid.telemetry.latency import CAPACITY, Ledger
from edgevid.units import NS_PER_MS


class RgbPicture:
    """A picture of any color in RGB, as the networks take it, in a buffer that is used again."""

    def __init__(self) -> None:
        self._picture: Pixels = np.zeros((0, 0, 3), np.uint8)
        self._color: Color = "none"
        self._recolor: Callable[[Array, Array], None] | None = None

    def of(self, frame: Frame) -> Pixels:
        """Return the picture of a frame.

        Args:
            frame: A picture with color rgb, bgr or gray.

        Returns:
            (H, W, 3) uint8, valid until the next call; the frame's own pixels if they are RGB.
        """
        data = frame.data
        if frame.color == "rgb":
            # A region is a view, which OpenCV takes as well.
            return data
        shape = (*data.shape[:2], 3)
        if self._picture.shape != shape or frame.color != self._color:
            self._picture, self._color = np.zeros(shape, np.uint8), frame.color
            self._recolor = converter(frame.color, "rgb")
        assert self._recolor is not None
        self._recolor(data, self._picture)
        return self._picture


class Network:
    """A network with its crop.

    Args:
        data: The `.tflite` file.
        name: Its name, for messages.
        low: Value of a black pixel in the network's input; white is 1.
        has_bars: Whether pixels beyond the picture are black. Else the picture's edge is repeated.
        threads: Interpreter threads.

    Attributes:
        times: How long each run took, with its crop.

    Raises:
        BackendError: The interpreter rejects the file.
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self, data: bytes, name: str, *, low: float = 0.0, has_bars: bool = False, threads: int = 1) -> None:
        self._interpreter = LiteRt(threads=threads).open(data, name)
        detail = self._interpreter.get_input_details()[0]
        self._input = detail["index"]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]
        self.size_px = int(detail["shape"][1])
        self._scale, self._low = np.float32((1.0 - low) / 255.0), np.float32(low)
        self._crop: Pixels = np.zeros((self.size_px, self.size_px, 3), np.uint8)
        self._batch = np.zeros((1, self.size_px, self.size_px, 3), np.float32)
        self._warp = warper(self.size_px, has_bars=has_bars)
        self.times = Ledger(1)

    def run(self, picture: Pixels, roi: Roi) -> None:
        """Run the network on a part of a picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
            roi: The part.

        Cost: nothing of the picture's size is allocated.
        """
        began_ns = monotonic_ns()
        self._warp(picture, roi.matrix(self.size_px), self._crop)
        np.multiply(self._crop, self._scale, out=self._batch[0])
        np.add(self._batch, self._low, out=self._batch)
        self._interpreter.set_tensor(self._input, self._batch)
        self._interpreter.invoke()
        self.times.note(monotonic_ns() - began_ns)

    def output(self, index: int) -> Array:
        """Return an output of the last run.

        Args:
            index: Position among the file's outputs.

        Returns:
            A new array of the output's shape, without its batch of 1.
        """
        return self._interpreter.get_tensor(self._outputs[index])[0]


def times_table(heading: str, times: Mapping[str, Ledger], *, model_ms: float | None = None) -> str:
    """Return how often each network ran and how long it took, without a final newline.

    Args:
        heading: Heading of the first column.
        times: The times of each network, by its name.
        model_ms: Median time of the model on a row, for the ratio of each network to it; None for no ratio.
    """
    with_ratio = ("of model",) if model_ms else ()
    rows: list[tuple[object, ...]] = [(heading, "runs", "p50 ms", "p95 ms", "max ms", *with_ratio)]
    for name, each in times.items():
        newest_ms = each.newest(0, CAPACITY) / NS_PER_MS
        shown = np.percentile(newest_ms, [50, 95, 100]).tolist() if len(newest_ms) else [None] * 3
        ratio = (f"{shown[0] / model_ms:.0f} x" if shown[0] is not None else None,) if model_ms else ()
        rows.append((name, each.count(0), *shown, *ratio))
    return table(rows)
