"""A square part of the picture that follows one person, as the clips of action data sets are cut.

The detector runs at fixed steps of the frames' own time. Between them the square glides, so it lies
where it would in a stream of any other rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic_ns

import numpy as np

from edgevid.frames import Frame, Pixels
from edgevid.frames.region import LEAST_PX
from edgevid.keypoints.assets import reader
from edgevid.keypoints.detector import Detector
from edgevid.keypoints.network import RgbPicture, times_table
from edgevid.keypoints.pose import person_detector
from edgevid.keypoints.roi import Roi
from edgevid.telemetry.latency import Ledger
from edgevid.units import NS_PER_S

MARGIN = 1.25
"""Side of the square over the diameter of the circle around the body, as MediaPipe cuts a pose."""
DETECT_S = 0.5
"""Time between two runs of the detector."""
GLIDE_S = 0.3
"""Time constant with which the square follows what was detected."""
LOST_S = 2.0
"""Time without the person after which the whole picture is seen again."""
_MOST_PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Square:
    """A square in pixels of the picture: its centre and its side."""

    x: float
    y: float
    side: float

    def towards(self, goal: Square, share: float) -> Square:
        """Return a square that is nearer to another one.

        Args:
            goal: The other one.
            share: What is left of the distance, 0 to 1.
        """
        return Square(
            goal.x + (self.x - goal.x) * share,
            goal.y + (self.y - goal.y) * share,
            goal.side + (self.side - goal.side) * share,
        )


def nearest(people: Iterable[Square], followed: Square | None) -> Square | None:
    """Return the person who is followed, among those who were detected.

    Args:
        people: The surest first.
        followed: The square so far; None if nobody is followed.

    Returns:
        The one nearest to the square's centre, at most a side away from it; the surest if nobody is
        followed. None if there is no such person.
    """
    if followed is None:
        return next(iter(people), None)
    away = [(math.hypot(each.x - followed.x, each.y - followed.y), each) for each in people]
    distance, person = min(away, key=lambda pair: pair[0], default=(math.inf, None))
    return person if distance <= followed.side else None


class PersonFollower:
    """Cuts a square around one person out of pictures. The models of a stream share a follower.

    The square lies inside of the picture where it fits. Where the picture is too narrow or too low
    for it, the rest is black. While nobody was found, and `LOST_S` after the person was last found,
    pictures are returned whole.

    Args:
        read: Returns the file of a network by its name; None for the user's cache.
        threads: Interpreter threads of the detector.

    Attributes:
        place: (left, top, width, height) of the newest square in shares of its picture, None for the
            whole one. Any thread may read it.
    """

    def __init__(self, *, read: Callable[[str], bytes] | None = None, threads: int = 1) -> None:
        self._read, self._threads = read, threads
        self._detector: Detector | None = None
        self._rgb = RgbPicture()
        self._canvas: Pixels = np.zeros((0, 0, 0), np.uint8)
        self._times = Ledger(1)
        self.place: tuple[float, float, float, float] | None = None
        self.restart()

    def open(self) -> Detector:
        """Load the detector, if it is not.

        Raises:
            AssetError: Its file is missing or altered.
            BackendError: The interpreter rejects it.
            MissingDependency: OpenCV is not installed.
        """
        if self._detector is None:
            self._detector = person_detector(self._read or reader(), threads=self._threads)
        return self._detector

    def restart(self) -> None:
        """Forget who was followed, as after a gap."""
        self._square: Square | None = None
        self._goal: Square | None = None
        self._due_ns: int | None = None
        self._now_ns = self._found_ns = 0
        self._frame: Frame | None = None
        self._part: Frame | None = None

    def crop(self, frame: Frame) -> Frame:
        """Return the part of a frame around the person.

        Args:
            frame: A picture. Feature rows and torn pictures are returned as they are.

        Returns:
            A frame with the same time, valid until the next call. A repeated `Frame` object is not
            cut again.

        Raises:
            AssetError: See `open`.

        Cost: a view, or a copy of the square where it reaches beyond the picture; the detector every
            `DETECT_S`. After the first picture of a size, nothing of a frame's size is allocated.
        """
        if frame is self._frame and self._part is not None:
            return self._part
        data = frame.data
        if frame.color == "none" or data.ndim != 3 or data.dtype != np.uint8 or min(data.shape[:2]) < LEAST_PX:
            return frame
        began_ns = monotonic_ns()
        self._advance(frame)
        self._frame, self._part = frame, frame if self._square is None else self._cut(frame, self._square)
        self._times.note(monotonic_ns() - began_ns)
        return self._part

    def as_table(self) -> str:
        """Return how often the detector ran and how long a frame took, without a final newline; empty before one."""
        if self._detector is None or not self._times.rows:
            return ""
        return times_table("person", {"detector": self._detector.network.times, "each frame": self._times})

    def _advance(self, frame: Frame) -> None:
        """Move the square to a frame's time, and look for the person if that is due."""
        now_ns = frame.timestamp_ns
        if self._square is not None and self._goal is not None:
            share = math.exp(-(now_ns - self._now_ns) / (GLIDE_S * NS_PER_S))
            self._square = self._square.towards(self._goal, share)
        self._now_ns = now_ns
        if self._due_ns is None or now_ns >= self._due_ns:
            self._plan_next(now_ns)
            self._detect(frame)
        if self._square is None:
            self.place = None

    def _plan_next(self, now_ns: int) -> None:
        step_ns = round(DETECT_S * NS_PER_S)
        first_ns = now_ns if self._due_ns is None else self._due_ns
        # On a grid from the first frame on, whatever the rate of the frames is.
        self._due_ns = now_ns + step_ns - (now_ns - first_ns) % step_ns

    def _detect(self, frame: Frame) -> None:
        found = self.open().find(self._rgb.of(frame), most=_MOST_PEOPLE)
        circles = [Roi.around(each.points[0], each.points[1]) for each in found]
        people = [Square(each.x, each.y, each.width * MARGIN) for each in circles if math.isfinite(each.width)]
        person = nearest(people, self._square)
        if person is not None:
            self._goal, self._found_ns = person, self._now_ns
            # The first square is where the person is: nothing glides through the picture to get there.
            self._square = self._square or person
        elif self._now_ns - self._found_ns >= LOST_S * NS_PER_S:
            self._square = self._goal = None

    def _cut(self, frame: Frame, square: Square) -> Frame:
        height, width, channels = frame.data.shape
        side = max(LEAST_PX, min(round(square.side), max(height, width)))
        left, right = _span(square.x, side, width)
        top, bottom = _span(square.y, side, height)
        self.place = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        part = frame.data[top:bottom, left:right]
        if part.shape[:2] != (side, side):
            part = self._with_bars(part, side, (max(height, width), channels))
        return Frame(part, frame.color, frame.timestamp_ns, frame.index)

    def _with_bars(self, part: Pixels, side: int, room: tuple[int, int]) -> Pixels:
        """Return the part in the middle of a black square, as a letterbox has it."""
        longest, channels = room
        if self._canvas.shape != (longest, longest, channels):
            self._canvas = np.zeros((longest, longest, channels), np.uint8)
        canvas = self._canvas[:side, :side]
        height, width = part.shape[:2]
        top, left = (side - height) // 2, (side - width) // 2
        canvas[:top] = canvas[top + height :] = 0
        canvas[:, :left] = canvas[:, left + width :] = 0
        canvas[top : top + height, left : left + width] = part
        return canvas


def _span(centre: float, side: int, length: int) -> tuple[int, int]:
    """Return where a stretch begins and ends inside of a length; all of it if the stretch is longer."""
    if side >= length:
        return 0, length
    start = min(max(round(centre - side / 2), 0), length - side)
    return start, start + side
