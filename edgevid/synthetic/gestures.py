"""Plans how a hand moves: seven gestures, and everything between them that is none.

Motion alone decides the class. The same hand in the same places occurs in every class, and hands that rest, tremble, turn, wander, drift,
come and go belong to none of the gestures. Directions are those of the picture: left is towards its first column.
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

# Poses are planned this densely and interpolated between; the fastest motion turns through a tenth of a circle in this time.
_RATE_HZ = 100
_LOW, _HIGH = 0.2, 0.8
_OUT_OF_SIGHT = 1.45
# Drifting hands stay below half the speed at which the slowest swipe passes its middle.
_DRIFT_PER_S = 0.4
# No gesture with its pause takes less.
_LEAST_S = 1.8
_DIRECTION_RAD = {"swipe_right": 0.0, "swipe_down": math.pi / 2, "swipe_left": math.pi, "swipe_up": -math.pi / 2}


@dataclass(frozen=True, slots=True)
class Gesture:
    """One gesture of a stream, as it was really made.

    Attributes:
        label: One of `GESTURES`.
        start_s: When the hand began it.
        end_s: When it was done.
    """

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Track:
    """Where a hand is at every moment of a stream.

    Attributes:
        poses: (N, 3) float64, a hundred rows a second: palm's column and row as fractions of the picture, turn of the hand in radians.
        truth: The gestures in it, in order.
    """

    poses: Array
    truth: tuple[Gesture, ...]

    @property
    def duration_s(self) -> float:
        """Length of the plan."""
        return len(self.poses) / _RATE_HZ

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Give the pose at a moment.

        Args:
            t_s: Time since the start; beyond the ends, the pose there.

        Returns:
            Column and row as fractions of the picture, and the turn in radians.
        """
        place = min(max(t_s * _RATE_HZ, 0.0), len(self.poses) - 1.0)
        before = int(place)
        here, there = self.poses[before], self.poses[min(before + 1, len(self.poses) - 1)]
        x, y, turn = here + (place - before) * (there - here)
        return float(x), float(y), float(turn)

    def cut(self, start_s: float, duration_s: float) -> Track:
        """Take a stretch of the track.

        Args:
            start_s: Where it begins.
            duration_s: How long it is.

        Returns:
            The stretch, with its own time from 0; its truth holds what is left of each gesture in it.
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
    """String gestures together, with pauses of more than a second in which the hand does what is none of them.

    Args:
        rng: Draws everything; the same state gives the same track.
        labels: What happens, each of `LABELS`; "none" is one idle act.
        arm_rad: Direction in which the arm leaves the picture, from straight down; the hand comes and goes that way.

    Returns:
        The track. It begins and ends with a pause.

    Raises:
        UsageError: A label is none of `LABELS`.
    """
    for label in labels:
        if label not in LABELS:
            raise UsageError(expected=f"gestures, each one of {', '.join(LABELS)}", got=label)
    planner = _Planner(rng, arm_rad)
    for label in labels:
        planner.idle() if label == BACKGROUND else planner.gesture(label)
    planner.rest(rng.uniform(1.2, 2.0))
    return planner.track()


def plan_stream(rng: np.random.Generator, duration_s: float, *, arm_rad: float = 0.0) -> Track:
    """String gestures together for a time. Every gesture comes once before any comes again; idle acts lie between.

    Args:
        rng: Draws everything.
        duration_s: Length wanted, in seconds; the track is at least that long.
        arm_rad: As for `plan`.

    Returns:
        The track; its truth holds the gestures that end within the time.
    """
    labels: list[str] = []
    while len(labels) * _LEAST_S < duration_s + 2:
        for label in rng.permutation(GESTURES):
            labels += [BACKGROUND, str(label)] if rng.random() < 0.2 else [str(label)]
    track = plan(rng, labels, arm_rad=arm_rad)
    whole = tuple(gesture for gesture in track.truth if gesture.end_s <= duration_s)
    return Track(track.cut(0.0, duration_s).poses, whole)


class _Planner:
    """Grows a track piece by piece from where the hand is."""

    def __init__(self, rng: np.random.Generator, arm_rad: float) -> None:
        self._rng = rng
        self._arm = np.array([math.sin(arm_rad), math.cos(arm_rad)])
        self._pose = np.array([*rng.uniform(_LOW, _HIGH, 2), rng.uniform(-0.3, 0.3)])
        self._pieces: list[Array] = []
        self._rows = 0
        self._truth: list[Gesture] = []
        if rng.random() < 0.5:
            self._pose = self._out_of_sight(self._pose)

    def gesture(self, label: str) -> None:
        """Pause, be where the gesture can be made, make it."""
        path = _gesture_path(self._rng, label)
        starts = _fitting_starts(self._rng, path)
        # The nearer of two: a hand seldom crosses the whole picture to begin.
        self._pause_towards(min(starts, key=lambda spot: float(np.linalg.norm(spot - self._pose[:2]))))
        start_s = self._rows / _RATE_HZ
        self._add(self._pose + path)
        self._truth.append(Gesture(label, start_s, self._rows / _RATE_HZ))

    def idle(self) -> None:
        """Do one of the things that are no gesture."""
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
        """Join the pieces; a living hand is never quite still."""
        poses = np.concatenate(self._pieces)
        tremor = _smooth_noise(self._rng, len(poses), 6.0) * np.array([0.003, 0.003, 0.03])
        return Track(poses + tremor, tuple(self._truth))

    def _long_rest(self) -> None:
        self.rest(self._rng.uniform(1.0, 2.5))

    def _tremble(self) -> None:
        count = round(self._rng.uniform(1.0, 2.5) * _RATE_HZ)
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
        """Rest, get to a spot slowly or out of sight, rest."""
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
        """Go slowly; a minimum-jerk motion's greatest speed is 1.875 times its mean."""
        distance = float(np.linalg.norm(spot - self._pose[:2]))
        self._move(
            np.array([*spot, self._rng.uniform(-0.3, 0.3)]),
            max(0.4, 1.875 * distance / _DRIFT_PER_S) * self._rng.uniform(1.0, 1.2),
        )

    def _out_of_sight(self, pose: Array) -> Array:
        return np.array([*(pose[:2] + self._arm * (_OUT_OF_SIGHT - pose[1]) / self._arm[1]), pose[2]])

    def _move(self, pose: Array, seconds: float) -> None:
        self._add(self._pose + _ease(round(seconds * _RATE_HZ))[:, None] * (pose - self._pose))

    def _add(self, piece: Array) -> None:
        if len(piece):
            self._pieces.append(piece)
            self._rows += len(piece)
            self._pose = piece[-1]


def _gesture_path(rng: np.random.Generator, label: str) -> Array:
    """Draw a gesture as (N, 3) displacements from its start."""
    if label == "wave":
        return _wave_path(rng)
    return (
        _circle_path(rng, 1.0 if label == "circle_cw" else -1.0)
        if label.startswith("circle")
        else _swipe_path(rng, _DIRECTION_RAD[label])
    )


def _swipe_path(rng: np.random.Generator, direction_rad: float) -> Array:
    progress = _ease(round(rng.uniform(0.8, 1.15) * _RATE_HZ))
    angle = direction_rad + rng.uniform(-0.22, 0.22)
    along, across = rng.uniform(0.42, 0.6) * progress, rng.uniform(-0.05, 0.05) * np.sin(math.pi * progress)
    x, y = along * math.cos(angle) - across * math.sin(angle), along * math.sin(angle) + across * math.cos(angle)
    return np.stack([x, y, rng.uniform(-0.35, 0.35) * progress], axis=1)


def _circle_path(rng: np.random.Generator, sense: float) -> Array:
    """Rows count downwards, so that an angle that grows goes round clockwise."""
    turns = rng.uniform(1.0, 1.5)
    progress = _ease(round(turns * rng.uniform(0.8, 1.0) * _RATE_HZ))
    # Half eased and half even: a hand comes up to speed soon and keeps it round the circle.
    angle = (
        rng.uniform(0, 2 * math.pi) + sense * 2 * math.pi * turns * (progress + np.linspace(0, 1, len(progress))) / 2
    )
    radius_x, radius_y = rng.uniform(0.14, 0.2) * rng.uniform(0.85, 1.15, 2)
    x, y = radius_x * np.cos(angle), radius_y * np.sin(angle)
    return np.stack([x - x[0], y - y[0], rng.uniform(-0.3, 0.3) * progress], axis=1)


def _wave_path(rng: np.random.Generator) -> Array:
    count = round(rng.uniform(1.0, 1.5) * _RATE_HZ)
    progress = np.linspace(0, 1, count)
    swing = np.sin(2 * math.pi * rng.uniform(1.9, 2.6) * count / _RATE_HZ * progress) * np.sqrt(
        np.sin(math.pi * progress).clip(0)
    )
    side = rng.choice((-1.0, 1.0))
    rise = rng.uniform(-0.04, 0.04) * _ease(count)
    return np.stack([side * rng.uniform(0.07, 0.12) * swing, rise, side * rng.uniform(0.2, 0.45) * swing], axis=1)


def _fitting_starts(rng: np.random.Generator, path: Array) -> Array:
    """Draw two starts, (2, 2), from which the whole path lies in the picture."""
    low, high = _LOW - path[:, :2].min(axis=0), _HIGH - path[:, :2].max(axis=0)
    return rng.uniform(np.minimum(low, high), np.maximum(low, high), (2, 2))


def _ease(count: int) -> Array:
    """Progress from 0 to 1 of a hand that starts and stops at rest.

    Source: the minimum-jerk model, T. Flash and N. Hogan, The Coordination of Arm Movements, J. Neurosci. 5 (1985).
    """
    u = np.linspace(0.0, 1.0, max(count, 2))
    return u**3 * (10 - 15 * u + 6 * u**2)


def _smooth_noise(rng: np.random.Generator, count: int, rate_hz: float) -> Array:
    """Draw (count, 3) of unit noise that changes about `rate_hz` times a second."""
    knots = max(2, math.ceil(count / _RATE_HZ * rate_hz) + 1)
    values = rng.standard_normal((knots, 3))
    places = np.linspace(0, knots - 1, count)
    return np.stack([np.interp(places, np.arange(knots), column) for column in values.T], axis=1)
