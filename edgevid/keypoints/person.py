"""A square part of the picture that follows one person, as the clips of action data sets are cut.

The detector runs at fixed steps of the frames' own time. Between them the square moves on as the person
did, so it lies where it would in a stream of any other rate.
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
DETECT_S = 0.25
"""Time between two runs of the detector."""
GLIDE_S = 0.2
"""Time constant with which the square gets from where it was to where the person was detected."""
LOST_S = 2.0
"""Time without the person after which the whole picture is seen again."""
_MOST_PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Square:
    """A square in pixels of the picture: its centre and its side."""

    x: float
    y: float
    side: float

    def moved(self, x: float, y: float, side: float = 0.0) -> Square:
        """Return it in another place, and larger by a number of pixels."""
        return Square(self.x + x, self.y + y, self.side + side)


@dataclass(frozen=True, slots=True)
class _Track:
    """Where the square lies from a run of the detector on.

    Attributes:
        goal: Around the person as detected.
        x_px_s: Speed of the person to the right.
        y_px_s: Speed downwards.
        lag: What the square was away from the goal: x, y and side in pixels.
        since_ns: Time of the run.
    """

    goal: Square
    x_px_s: float
    y_px_s: float
    lag: tuple[float, float, float]
    since_ns: int

    @classmethod
    def begin(cls, person: Square, now_ns: int) -> _Track:
        """Return the track of a new person: nothing glides through the picture to get there."""
        return cls(person, 0.0, 0.0, (0.0, 0.0, 0.0), now_ns)

    def at(self, now_ns: int) -> Square:
        """Return the square at a time."""
        left = math.exp(-(now_ns - self.since_ns) / (GLIDE_S * NS_PER_S))
        x, y, side = self.lag
        return self._goal_at(now_ns).moved(x * left, y * left, side * left)

    def found(self, person: Square, now_ns: int) -> _Track:
        """Return the track after the person was detected again."""
        span_s = (now_ns - self.since_ns) / NS_PER_S
        # Means with what was before: detections tremble, sizes more than places.
        x_px_s = (self.x_px_s + (person.x - self.goal.x) / span_s) / 2
        y_px_s = (self.y_px_s + (person.y - self.goal.y) / span_s) / 2
        goal = Square(person.x, person.y, (self.goal.side + person.side) / 2)
        return _Track(goal, x_px_s, y_px_s, self._lag_behind(goal, now_ns), now_ns)

    def missed(self, now_ns: int) -> _Track:
        """Return the track after the person was not detected: the square comes to rest."""
        goal = self._goal_at(now_ns)
        return _Track(goal, 0.0, 0.0, self._lag_behind(goal, now_ns), now_ns)

    def _goal_at(self, now_ns: int) -> Square:
        past_s = (now_ns - self.since_ns) / NS_PER_S
        return self.goal.moved(self.x_px_s * past_s, self.y_px_s * past_s)

    def _lag_behind(self, goal: Square, now_ns: int) -> tuple[float, float, float]:
        square = self.at(now_ns)
        return square.x - goal.x, square.y - goal.y, square.side - goal.side


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
        self._track: _Track | None = None
        self._due_ns: int | None = None
        self._found_ns = 0
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
        now_ns = frame.timestamp_ns
        if self._due_ns is None or now_ns >= self._due_ns:
            self._plan_next(now_ns)
            self._track = self._detect(frame)
        if self._track is None:
            self.place, part = None, frame
        else:
            part = self._cut(frame, self._track.at(now_ns))
        self._frame, self._part = frame, part
        self._times.note(monotonic_ns() - began_ns)
        return part

    def as_table(self) -> str:
        """Return how often the detector ran and how long a frame took, without a final newline; empty before one."""
        if self._detector is None or not self._times.rows:
            return ""
        return times_table("person", {"detector": self._detector.network.times, "each frame": self._times})

    def _plan_next(self, now_ns: int) -> None:
        step_ns = round(DETECT_S * NS_PER_S)
        first_ns = now_ns if self._due_ns is None else self._due_ns
        # On a grid from the first frame on, whatever the rate of the frames is.
        self._due_ns = now_ns + step_ns - (now_ns - first_ns) % step_ns

    def _detect(self, frame: Frame) -> _Track | None:
        """Find the person; return where the square lies from now on, None for the whole picture."""
        track, now_ns = self._track, frame.timestamp_ns
        found = self.open().find(self._rgb.of(frame), most=_MOST_PEOPLE)
        circles = [Roi.around(each.points[0], each.points[1]) for each in found]
        people = [Square(each.x, each.y, each.width * MARGIN) for each in circles if math.isfinite(each.width)]
        person = nearest(people, None if track is None else track.at(now_ns))
        if person is not None:
            self._found_ns = now_ns
            return _Track.begin(person, now_ns) if track is None else track.found(person, now_ns)
        if track is None or now_ns - self._found_ns >= LOST_S * NS_PER_S:
            return None
        return track.missed(now_ns)

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
