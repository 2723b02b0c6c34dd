"""A live source with faults on a schedule: everything that can happen to a camera in a month."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgevid.capture.source import ClosingSource
from edgevid.errors import SourceError
from edgevid.frames import Frame

STEP_NS = 100_000_000
LATEST_S = 10.0


@dataclass
class Script:
    """What is shown and what happens, shared by all the sources that are opened one after another.

    Attributes:
        classes: For each frame the index of the class to show.
        faults: By frame: a key of `FAULTS`.
        over: Called when all was shown.
    """

    classes: list[int]
    faults: Mapping[int, str]
    over: Callable[[], None] = lambda: None
    place: int = 0
    now_ns: int = STEP_NS
    closed_for: int = 0
    done_with: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    hung: threading.Event = field(default_factory=threading.Event)


class Weather(ClosingSource):
    """The camera. It waits until the loop has processed a frame, so no result depends on speed."""

    name = "weather"
    live = True
    reopens = True

    def __init__(self, script: Script) -> None:
        self._script = script

    def frames(self) -> Iterator[Frame]:
        script = self._script
        while script.place < len(script.classes):
            index, script.place = script.place, script.place + 1
            script.now_ns += STEP_NS
            frame = Frame(np.full((6, 8, 3), script.classes[index], np.uint8), "rgb", script.now_ns, index)
            yield FAULTS[script.faults.get(index, "none")](script, frame)
            script.done_with.acquire(timeout=LATEST_S)
        script.over()
        script.hung.wait(LATEST_S)

    def release(self, frame: Frame) -> None:
        self._script.done_with.release()

    def reopen(self) -> Weather:
        if self._script.closed_for:
            self._script.closed_for -= 1
            raise SourceError("Expected a camera, got none: it is unplugged.")
        self._script.now_ns += 10 * STEP_NS
        return Weather(self._script)


def unplugged(script: Script, frame: Frame) -> Frame:
    """It ends, and is away for two tries."""
    script.closed_for = 2
    raise SourceError("Expected a frame, the cable is out.")


def hangs(script: Script, frame: Frame) -> Frame:
    """The driver does not come back."""
    script.hung.wait(LATEST_S)
    raise SourceError("Expected a frame, the driver woke up too late.")


def backwards(script: Script, frame: Frame) -> Frame:
    script.now_ns -= 50 * STEP_NS
    return dataclasses.replace(frame, timestamp_ns=script.now_ns)


def jumps(script: Script, frame: Frame) -> Frame:
    script.now_ns += 3600 * 1_000_000_000
    return dataclasses.replace(frame, timestamp_ns=script.now_ns)


def twice(script: Script, frame: Frame) -> Frame:
    script.now_ns -= STEP_NS
    return dataclasses.replace(frame, timestamp_ns=script.now_ns)


def lost(script: Script, frame: Frame) -> Frame:
    return dataclasses.replace(frame, index=frame.index + 3)


def data(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Script, Frame], Frame]:
    return lambda _script, frame: dataclasses.replace(frame, data=change(frame.data))


FAULTS: dict[str, Callable[[Script, Frame], Frame]] = {
    "none": lambda _script, frame: frame,
    "unplugged": unplugged,
    "hangs": hangs,
    "torn to a row": data(lambda pixels: pixels.reshape(-1)),
    "torn to nothing": data(lambda pixels: pixels[:0]),
    "torn in depth": data(lambda pixels: pixels[:, :, :2]),
    "another type": data(lambda pixels: pixels.astype(np.float32)),
    "another size": data(lambda pixels: np.full((12, 16, 3), pixels[0, 0, 0], np.uint8)),
    "backwards": backwards,
    "the clock jumps": jumps,
    "the same time twice": twice,
    "frames lost before it": lost,
}
TORN = ("torn to a row", "torn to nothing", "torn in depth", "another type")
