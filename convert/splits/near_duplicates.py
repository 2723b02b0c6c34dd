"""Finds clips that are nearly the same: copies, re-encoded or trimmed ones, in training and test.

A hash of a picture alone fails here: every clip of a fixed camera shows the same wall. So the
pictures are compared without what stands still in their clip: two people before one wall, who do
the same, differ in where and when they move. A clip that stands still is compared by its bytes
alone. `docs/explanation/decisions/0034-near-duplicate-clips.md` has the measurements behind the limits.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convert.clips import Clip, ClipRef
from edgevid.errors import ClipsError
from edgevid.frames import Array, Color, Frame
from edgevid.frames.preprocess import InputSpec, Preprocessor
from edgevid.units import NS_PER_S

# Pictures of 32x32 at 25 a second, from the first four seconds: copies that were trimmed by single
# frames still meet.
_SIDE_PX, _STEP_NS, _MOST = 32, NS_PER_S // 25, 100
_PICTURE = InputSpec(width=_SIDE_PX, height=_SIDE_PX, channels=1, color="gray", interpolation="area")
# Correlation of what moves, at the best shift in time. Different people before the same wall:
# 0.87 at most of 1770 pairs. Copies: 0.95 and more, unless their compression hides the motion.
LEAST_CORRELATION = 0.93
# Pairs with other pictures on average, or other places of motion, need no search over shifts.
_LEAST_LIKENESS, _LEAST_MAP_LIKENESS = 0.9, 0.75
# Share of the shorter clip that must meet the other one.
_LEAST_OVERLAP = 0.7
# A clip moves if that many of its 1024 places change by that many gray levels: more than noise, and
# more than a clock that the camera writes into every scene.
_MOVING_PLACES, _MOVING_LEVELS = 20, 2.0
# Every fourth picture of one clip meets each one of the other.
_STRIDE = 4


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of a clip.

    Attributes:
        ref: The clip.
        digest: SHA-256 of its decoded pictures.
        pictures: (N, 32, 32) uint8 gray, at most 100.
    """

    ref: ClipRef
    digest: str
    pictures: Array


@dataclass(frozen=True)
class DuplicatePair:
    """Two clips that are nearly the same.

    Attributes:
        first: A clip.
        second: A later one.
        likeness: Correlation of what moves; 1 for clips with the same pictures.
    """

    first: ClipRef
    second: ClipRef
    likeness: float

    @property
    def is_leak(self) -> bool:
        """Whether the list, or the groups, put the clips on two sides that must not know each other."""
        if self.first.split or self.second.split:
            return self.first.is_held_out != self.second.is_held_out
        return self.first.group != self.second.group

    def __str__(self) -> str:
        """Return both names, and how alike the clips are."""
        same = "the same" if self.likeness == 1 else f"{int(100 * self.likeness)} % alike"
        return f"{_described(self.first)} and {_described(self.second)} ({same})"


class Fingerprinter:
    """Takes the fingerprint of a clip frame by frame, so that no frame is held.

    Args:
        ref: The clip.
    """

    def __init__(self, ref: ClipRef) -> None:
        self._ref = ref
        self._digest = hashlib.sha256()
        self._shrink = Preprocessor(_PICTURE)
        self._pictures: list[Array] = []
        self._first_ns = 0

    def add(self, frame: Frame) -> None:
        """Add a frame to the fingerprint.

        Args:
            frame: The next frame of the clip.

        Raises:
            ContractError: The frame has no legal shape.
        """
        self._digest.update(np.ascontiguousarray(frame.data).data)
        if frame.color == "none":
            return
        if not self._pictures:
            self._first_ns = frame.timestamp_ns
        steps = (frame.timestamp_ns - self._first_ns + _STEP_NS // 2) // _STEP_NS
        missing = min(steps + 1, _MOST) - len(self._pictures)
        if missing > 0:
            picture = np.empty(_PICTURE.shape, np.uint8)
            self._shrink.write(frame, picture)
            # A slow clip shows a picture for several steps.
            self._pictures += [picture[:, :, 0]] * missing

    def finish(self) -> Fingerprint:
        """Return the fingerprint."""
        empty = np.zeros((0, _SIDE_PX, _SIDE_PX), np.uint8)
        return Fingerprint(self._ref, self._digest.hexdigest(), np.stack(self._pictures) if self._pictures else empty)


def fingerprint(clip: Clip, color: Color) -> Fingerprint:
    """Compute the fingerprint of a decoded clip.

    Args:
        clip: The clip.
        color: Channel order of its frames.
    """
    taken = Fingerprinter(clip.ref)
    for index, (frame, stamp_ns) in enumerate(zip(clip.frames, clip.timestamps_ns.tolist(), strict=True)):
        taken.add(Frame(frame, color, stamp_ns, index))
    return taken.finish()


def find_near_duplicates(fingerprints: Sequence[Fingerprint]) -> list[DuplicatePair]:
    """Find the pairs of clips that are nearly the same and may come apart in a split.

    Args:
        fingerprints: One for each clip. Two clips of one group stay together and are not compared,
            nor are two that the list puts on the same side.

    Returns:
        Pairs in the order of the clips.

    Cost: milliseconds for each pair that shows the same place and motion there; two products of
        1024 numbers for each other pair.
    """
    pairs = [*_same(fingerprints), *_alike(fingerprints)]
    order = {id(each.ref): place for place, each in enumerate(fingerprints)}
    return sorted(pairs, key=lambda pair: (order[id(pair.first)], order[id(pair.second)]))


def near_duplicates_of(clips: Sequence[Clip], color: Color) -> list[DuplicatePair]:
    """Find the pairs of decoded clips that are nearly the same and may come apart in a split.

    Args:
        clips: Clips with frames of pixels.
        color: Channel order of the frames.
    """
    return find_near_duplicates([fingerprint(clip, color) for clip in clips])


def check_no_leak(pairs: Sequence[DuplicatePair]) -> None:
    """Reject clips that are nearly the same on two sides of a split.

    Args:
        pairs: Pairs from `find_near_duplicates`.

    Raises:
        ClipsError: A pair lies in two groups, or in training and test.
    """
    leaks = [pair for pair in pairs if pair.is_leak]
    if leaks:
        more = f" and {len(leaks) - 1} more pairs" if len(leaks) > 1 else ""
        raise ClipsError(
            expected="different clips in different groups and splits",
            found=f"{leaks[0]}{more}",
            hint="Remove one of each pair or put them into one group; --allow-duplicates keeps them.",
            path=leaks[0].first.path,
        )


def describe_pairs(pairs: Sequence[DuplicatePair]) -> tuple[str, ...]:
    """Return one line about pairs that are nearly the same; none without such pairs.

    Args:
        pairs: Pairs from `find_near_duplicates`.
    """
    if not pairs:
        return ()
    more = f", and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
    return (f"nearly the same clips may be held out from each other: {pairs[0]}{more}",)


@dataclass(frozen=True)
class _Motion:
    """What moves in a clip: its pictures without their mean over time."""

    frames: Array
    mean: Array
    places: Array

    @classmethod
    def of(cls, pictures: Array) -> _Motion:
        if not len(pictures):
            return cls(np.zeros((0, 1)), np.zeros(1), np.zeros(1))
        flat = pictures.reshape(len(pictures), -1).astype(np.float32)
        # Without each picture's mean: a lamp or the exposure changes all pixels alike in any clip.
        flat -= flat.mean(axis=1, keepdims=True)
        mean = flat.mean(axis=0)
        moving = flat - mean
        return cls(moving, mean, moving.std(axis=0))

    @property
    def moves(self) -> bool:
        return int((self.places >= _MOVING_LEVELS).sum()) >= _MOVING_PLACES


def _same(fingerprints: Sequence[Fingerprint]) -> Iterator[DuplicatePair]:
    """Find the pairs with the same pictures."""
    by_digest: defaultdict[str, list[ClipRef]] = defaultdict(list)
    for each in fingerprints:
        by_digest[each.digest].append(each.ref)
    for refs in by_digest.values():
        for first, second in combinations(refs, 2):
            if _may_come_apart(first, second):
                yield DuplicatePair(first, second, 1.0)


def _alike(fingerprints: Sequence[Fingerprint]) -> Iterator[DuplicatePair]:
    """Find the pairs with the same motion and other pictures."""
    # Of each clip, two pictures are held as numbers; what moves, as bytes: it takes a hundred times
    # as much.
    clips = list[Fingerprint]()
    means, maps = (np.empty((len(fingerprints), _SIDE_PX**2), np.float32) for _ in range(2))
    for each in fingerprints:
        motion = _Motion.of(each.pictures)
        if motion.moves:
            means[len(clips)], maps[len(clips)] = _unit(motion.mean), _unit(motion.places)
            clips.append(each)
    means, maps = means[: len(clips)], maps[: len(clips)]
    for index, first in enumerate(clips):
        rest = slice(index + 1, None)
        is_near = (means[rest] @ means[index] > _LEAST_LIKENESS) & (maps[rest] @ maps[index] > _LEAST_MAP_LIKENESS)
        for other in np.flatnonzero(is_near) + index + 1:
            second = clips[other]
            if first.digest == second.digest or not _may_come_apart(first.ref, second.ref):
                continue
            likeness = _best_correlation(_Motion.of(first.pictures).frames, _Motion.of(second.pictures).frames)
            if likeness >= LEAST_CORRELATION:
                yield DuplicatePair(first.ref, second.ref, min(likeness, 0.999))


def _may_come_apart(first: ClipRef, second: ClipRef) -> bool:
    if first.split or second.split:
        return first.is_held_out != second.is_held_out
    return first.group != second.group or not first.group


def _unit(values: Array) -> Array:
    """Return values without their mean, of length 1 as a vector."""
    centred = values - values.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def _best_correlation(first: Array, second: Array) -> float:
    """Return the correlation of two clips' motion at the shift in time where it is highest."""
    places = np.arange(0, len(first), _STRIDE)
    products = first[places] @ second.T
    energies = np.square(first[places]).sum(1)[:, None], np.square(second).sum(1)[None]
    shifts = (np.arange(len(second)) - places[:, None] + len(first)).ravel()
    # Sums along each diagonal: the pictures that meet at one shift.
    product, *energy = (
        np.bincount(shifts, np.broadcast_to(part, products.shape).ravel()) for part in (products, *energies)
    )
    is_long = np.bincount(shifts) * _STRIDE >= _LEAST_OVERLAP * min(len(first), len(second))
    return float((product[is_long] / np.sqrt(energy[0][is_long] * energy[1][is_long] + 1e-6)).max(initial=0.0))


def _described(ref: ClipRef) -> str:
    side = ref.split or ref.group
    return f"{ref.name} in {side!r}" if side else ref.name
