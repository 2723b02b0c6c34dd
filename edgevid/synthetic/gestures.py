"""Plan the motion of a hand: seven gestures, and idle motion between them.

Only the motion decides the class. The same hand occurs in the same places in every class. Hands
that rest, tremble, turn, wander, drift, enter or leave belong to class "none". Directions are those
of the picture: left is towards its first column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.errors import UsageError
from edgevid.frames import Array

BACKGROUND = "none"
GESTURES = ("circle_ccw", "circle_cw", "swipe_down", "swipe_left", "swipe_right", "swipe_up", "wave")
LABELS = tuple(sorted((*GESTURES, BACKGROUND)))

# Rows of poses per second; poses between two rows are interpolated. The fastest circle turns by
# 1/56 of a turn per row.
_RATE_HZ = 100
# Range of the palm's column and row during gestures and idle acts; the fingers reach beyond it.
_LOW, _HIGH = 0.2, 0.8
# Row of a palm whose hand is below the picture at every size of a hand.
_OUT_OF_SIGHT = 1.45
# Drifting hands stay below half the speed of the slowest swipe at its middle, so that a drift is
# never a swipe.
_DRIFT_PER_S = 0.4
# A minimum-jerk motion peaks at 1.875 times its mean speed.
_PEAK_OVER_MEAN = 1.875
# The shortest gesture with its pause.
_LEAST_S = 1.8
# Directions as angles; rows grow downwards, so positive angles turn clockwise.
_DIRECTION_RAD = {"swipe_right": 0.0, "swipe_down": math.pi / 2, "swipe_left": math.pi, "swipe_up": -math.pi / 2}


@dataclass(frozen=True, slots=True)
class Gesture:
    """The ground truth of one gesture in a stream.

    Attributes:
        label: One of `GESTURES`.
        start_s: Time at which the hand starts the gesture.
        end_s: Time at which the gesture is complete.
    """

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Track:
    """The pose of a hand over time.

    Attributes:
        poses: (N, 3) float64, 100 rows per second: the palm's column and row as fractions of the
            picture, and the turn of the hand in radians.
        truth: Gestures in the track, in order.
    """

    poses: Array
    truth: tuple[Gesture, ...]

    @property
    def duration_s(self) -> float:
        """Length of the track."""
        return len(self.poses) / _RATE_HZ

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Return the pose at a time.

        Args:
            t_s: Time since the start; times beyond the ends give the first or last pose.

        Returns:
            Column and row as fractions of the picture, and the turn in radians.
        """
        place = min(max(t_s * _RATE_HZ, 0.0), len(self.poses) - 1.0)
        index = int(place)
        before, after = self.poses[index], self.poses[min(index + 1, len(self.poses) - 1)]
        x, y, turn = before + (place - index) * (after - before)
        return float(x), float(y), float(turn)

    def cut(self, start_s: float, duration_s: float) -> Track:
        """Return a section of the track.

        Returns:
            The section, with its own time from 0; gestures that reach beyond it are cut off.
        """
        first = round(start_s * _RATE_HZ)
        poses = self.poses[first : first + math.ceil(duration_s * _RATE_HZ) + 1]
        inside = [
            Gesture(gesture.label, max(gesture.start_s - start_s, 0.0), min(gesture.end_s - start_s, duration_s))
            for gesture in self.truth
            if gesture.end_s > start_s and gesture.start_s < start_s + duration_s
        ]
        return Track(poses, tuple(inside))


def plan(rng: np.random.Generator, labels: Sequence[str], *, arm_rad: float = 0.0) -> Track:
    """Plan a sequence of gestures, with pauses of more than a second between them.

    Args:
        rng: Source of all randomness; the same state gives the same track.
        labels: Sequence of `LABELS`; "none" is one idle act.
        arm_rad: Direction in which the arm leaves the picture, from straight down; the hand enters
            and leaves that way.

    Returns:
        The track, with a pause at both ends.

    Raises:
        UsageError: A label is not one of `LABELS`.
    """
    for label in labels:
        if label not in LABELS:
            raise UsageError(expected="a label", choices=LABELS, got=label)
    planner = _Planner(rng, arm_rad)
    for label in labels:
        planner.idle() if label == BACKGROUND else planner.gesture(label)
    planner.rest(rng.uniform(1.2, 2.0))
    return planner.track()


def plan_stream(rng: np.random.Generator, duration_s: float, *, arm_rad: float = 0.0) -> Track:
    """Plan random gestures for a given time; each occurs once before any is repeated.

    Args:
        rng: Source of all randomness; the same state gives the same track.
        duration_s: Length in seconds; the track may be slightly longer.
        arm_rad: Direction in which the arm leaves the picture, from straight down.

    Returns:
        The track; its truth holds the gestures that end within the time.
    """
    labels: list[str] = []
    # Enough labels even if every gesture is as short as possible; the rest is cut off below.
    while len(labels) * _LEAST_S < duration_s + 2:
        for label in rng.permutation(GESTURES):
            labels += [BACKGROUND, str(label)] if rng.random() < 0.2 else [str(label)]
    track = plan(rng, labels, arm_rad=arm_rad)
    whole = tuple(gesture for gesture in track.truth if gesture.end_s <= duration_s)
    return Track(track.cut(0.0, duration_s).poses, whole)


class _Planner:
    """Builds a track piece by piece; each piece starts at the pose in which the last one ended."""

    def __init__(self, rng: np.random.Generator, arm_rad: float) -> None:
        self._rng = rng
        self._arm = np.array([math.sin(arm_rad), math.cos(arm_rad)])
        self._pose = np.array([*rng.uniform(_LOW, _HIGH, 2), rng.uniform(-0.3, 0.3)])
        self._pieces: list[Array] = []
        self._rows = 0
        self._truth: list[Gesture] = []
        # Half of the tracks start with an empty picture.
        if rng.random() < 0.5:
            self._pose = self._out_of_sight(self._pose)

    def gesture(self, label: str) -> None:
        """Pause, move to a start from which the gesture fits into the picture, and make it."""
        path = _gesture_path(self._rng, label)
        starts = _fitting_starts(self._rng, path)
        # Take the nearer of two starts: a hand seldom crosses the whole picture first.
        self._pause_towards(min(starts, key=lambda spot: float(np.linalg.norm(spot - self._pose[:2]))))
        start_s = self._rows / _RATE_HZ
        self._add(self._pose + path)
        self._truth.append(Gesture(label, start_s, self._rows / _RATE_HZ))

    def idle(self) -> None:
        """Do one random act that is not a gesture."""
        self.rest(self._rng.uniform(0.3, 0.6))
        act = self._rng.choice(("rest", "tremble", "turn", "wander", "leave"))
        if act == "leave":
            self._move(self._out_of_sight(self._pose), self._rng.uniform(0.5, 0.8))
            self.rest(self._rng.uniform(0.8, 2.0))
            return
        self._come_into_sight()
        {"rest": self._long_rest, "tremble": self._tremble, "turn": self._turn, "wander": self._wander}[str(act)]()

    def rest(self, seconds: float) -> None:
        """Hold still."""
        self._add(np.repeat(self._pose[None], round(seconds * _RATE_HZ), axis=0))

    def track(self) -> Track:
        """Return the pieces as one track."""
        poses = np.concatenate(self._pieces)
        # A living hand is never quite still.
        tremor = _smooth_noise(self._rng, len(poses), 6.0) * np.array([0.003, 0.003, 0.03])
        return Track(poses + tremor, tuple(self._truth))

    def _long_rest(self) -> None:
        self.rest(self._rng.uniform(1.0, 2.5))

    def _tremble(self) -> None:
        count = round(self._rng.uniform(1.0, 2.5) * _RATE_HZ)
        # The half sine fades the trembling in and out.
        scale = np.array([0.012, 0.012, 0.08]) * np.sin(np.linspace(0, math.pi, count))[:, None]
        self._add(self._pose + scale * _smooth_noise(self._rng, count, 5.0))

    def _turn(self) -> None:
        self._move(self._pose + np.array([0.0, 0.0, self._rng.uniform(-0.6, 0.6)]), self._rng.uniform(0.7, 1.4))
        self.rest(self._rng.uniform(0.2, 0.8))

    def _wander(self) -> None:
        for _ in range(int(self._rng.integers(1, 4))):
            self._drift(np.clip(self._pose[:2] + self._rng.uniform(-0.3, 0.3, 2), _LOW, _HIGH))

    def _come_into_sight(self) -> None:
        if self._pose[1] > 1.0:
            self._enter(self._rng.uniform(_LOW, _HIGH, 2))

    def _pause_towards(self, spot: Array) -> None:
        """Rest, move to a spot slowly or by way of out of sight, and rest again."""
        self.rest(self._rng.uniform(0.4, 0.7))
        far = float(np.linalg.norm(spot - self._pose[:2])) > 0.2
        if self._pose[1] > 1.0:
            self._enter(spot)
        elif far and self._rng.random() < 0.5:
            self._move(self._out_of_sight(self._pose), self._rng.uniform(0.45, 0.7))
            self.rest(self._rng.uniform(0.0, 0.3))
            self._enter(spot)
        else:
            self._drift(spot)
        self.rest(self._rng.uniform(0.4, 0.7))

    def _enter(self, spot: Array) -> None:
        self._pose = self._out_of_sight(np.array([*spot, self._rng.uniform(-0.3, 0.3)]))
        self._move(np.array([*spot, self._pose[2]]), self._rng.uniform(0.45, 0.7))

    def _drift(self, spot: Array) -> None:
        """Move slowly enough not to be a swipe."""
        distance = float(np.linalg.norm(spot - self._pose[:2]))
        self._move(
            np.array([*spot, self._rng.uniform(-0.3, 0.3)]),
            max(0.4, _PEAK_OVER_MEAN * distance / _DRIFT_PER_S) * self._rng.uniform(1.0, 1.2),
        )

    def _out_of_sight(self, pose: Array) -> Array:
        # Follow the arm's direction from the pose until the row is below the picture.
        return np.array([*(pose[:2] + self._arm * (_OUT_OF_SIGHT - pose[1]) / self._arm[1]), pose[2]])

    def _move(self, pose: Array, seconds: float) -> None:
        self._add(self._pose + _ease(round(seconds * _RATE_HZ))[:, None] * (pose - self._pose))

    def _add(self, piece: Array) -> None:
        if len(piece):
            self._pieces.append(piece)
            self._rows += len(piece)
            self._pose = piece[-1]


def _gesture_path(rng: np.random.Generator, label: str) -> Array:
    """Return a random path of a gesture as (N, 3) displacements from its start."""
    if label == "wave":
        return _wave_path(rng)
    if label.startswith("circle"):
        return _circle_path(rng, 1.0 if label == "circle_cw" else -1.0)
    return _swipe_path(rng, _DIRECTION_RAD[label])


def _swipe_path(rng: np.random.Generator, direction_rad: float) -> Array:
    progress = _ease(round(rng.uniform(0.8, 1.15) * _RATE_HZ))
    angle = direction_rad + rng.uniform(-0.22, 0.22)
    # Nobody swipes along a ruler: bend the path a little sideways.
    along, across = rng.uniform(0.42, 0.6) * progress, rng.uniform(-0.05, 0.05) * np.sin(math.pi * progress)
    x, y = along * math.cos(angle) - across * math.sin(angle), along * math.sin(angle) + across * math.cos(angle)
    return np.stack([x, y, rng.uniform(-0.35, 0.35) * progress], axis=1)


def _circle_path(rng: np.random.Generator, sense: float) -> Array:
    """Return a circle; `sense` is 1 for clockwise and -1 for counterclockwise."""
    turns = rng.uniform(1.0, 1.5)
    progress = _ease(round(turns * rng.uniform(0.8, 1.0) * _RATE_HZ))
    # Half eased, half uniform: a hand gets up to speed quickly and keeps it around the circle.
    angle = (
        rng.uniform(0, 2 * math.pi) + sense * 2 * math.pi * turns * (progress + np.linspace(0, 1, len(progress))) / 2
    )
    radius_x, radius_y = rng.uniform(0.14, 0.2) * rng.uniform(0.85, 1.15, 2)
    x, y = radius_x * np.cos(angle), radius_y * np.sin(angle)
    return np.stack([x - x[0], y - y[0], rng.uniform(-0.3, 0.3) * progress], axis=1)


def _wave_path(rng: np.random.Generator) -> Array:
    count = round(rng.uniform(1.0, 1.5) * _RATE_HZ)
    progress = np.linspace(0, 1, count)
    # The root of a half sine: swings have nearly full width except at the very ends.
    swing = np.sin(2 * math.pi * rng.uniform(1.9, 2.6) * count / _RATE_HZ * progress) * np.sqrt(
        np.sin(math.pi * progress).clip(0)
    )
    side = rng.choice((-1.0, 1.0))
    rise = rng.uniform(-0.04, 0.04) * _ease(count)
    # The wrist turns in the direction of the swing.
    return np.stack([side * rng.uniform(0.07, 0.12) * swing, rise, side * rng.uniform(0.2, 0.45) * swing], axis=1)


def _fitting_starts(rng: np.random.Generator, path: Array) -> Array:
    """Return two random starts, (2, 2), from which the whole path stays in the picture."""
    # A path that is wider than the range swaps the bounds; sort them for uniform().
    low, high = _LOW - path[:, :2].min(axis=0), _HIGH - path[:, :2].max(axis=0)
    return rng.uniform(np.minimum(low, high), np.maximum(low, high), (2, 2))


def _ease(count: int) -> Array:
    """Return the progress from 0 to 1 of a hand that starts and stops at rest.

    Source: the minimum-jerk model, T. Flash and N. Hogan, The Coordination of Arm Movements, J.
    Neurosci. 5 (1985).
    """
    u = np.linspace(0.0, 1.0, max(count, 2))
    return u**3 * (10 - 15 * u + 6 * u**2)


def _smooth_noise(rng: np.random.Generator, count: int, rate_hz: float) -> Array:
    """Return (count, 3) of unit noise that changes about `rate_hz` times per second."""
    knots = max(2, math.ceil(count / _RATE_HZ * rate_hz) + 1)
    values = rng.standard_normal((knots, 3))
    places = np.linspace(0, knots - 1, count)
    return np.stack([np.interp(places, np.arange(knots), column) for column in values.T], axis=1)
