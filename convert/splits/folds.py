"""Folds of clips, of which each is held out once, and intervals of what they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgevid.errors import ClipsError
from edgevid.frames import Array

Folds = int | Literal["groups"]
GROUPS: Literal["groups"] = "groups"
# 95 % of a normal distribution lie within this many standard deviations.
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Fold:
    """A split of clips.

    Attributes:
        training: Indices of the clips to fit to; they show every class.
        held_out: Indices of the clips to answer.
    """

    training: Array
    held_out: Array


def make_folds(labels: Sequence[str], groups: Sequence[str], folds: Folds, *, seed: int) -> tuple[Fold, ...]:
    """Split clips into folds; each clip is held out in exactly one.

    Args:
        labels: Class of each clip.
        groups: Group of each clip, which is held out as a whole; all "" for no groups.
        folds: Number of folds, or "groups" for one fold a group.
        seed: Seed of the random choice.

    Raises:
        ClipsError: There are too few clips or groups, or a class lies in one fold alone.
    """
    made = tuple(Fold(training, held_out) for training, held_out in _splits(labels, groups, folds, seed))
    for fold in made:
        missing = sorted(set(labels) - {labels[index] for index in fold.training})
        if missing:
            held = sorted({groups[index] for index in fold.held_out})
            raise ClipsError(
                expected="every class in at least two groups",
                got=missing,
                found=f"{', '.join(missing)} in {', '.join(held)} alone",
                hint="Use fewer folds, add clips of it from another group, or use --group-by none.",
            )
    return made


def first_of_each(labels: Sequence[str], clips: Array, count: int | None) -> Array:
    """Keep the first clips of each class, so that fewer clips are always among more of them.

    Args:
        labels: Class of each clip there is.
        clips: Indices of the clips to choose from.
        count: Clips of each class to keep; None for all.

    Returns:
        Ascending indices.
    """
    seen: Counter[str] = Counter()
    kept = []
    for index in clips:
        seen[labels[index]] += 1
        if count is None or seen[labels[index]] <= count:
            kept.append(index)
    return np.sort(np.array(kept, dtype=int))


def most_of_a_class(labels: Sequence[str], folds: Sequence[Fold]) -> int:
    """Return how many clips of one class are learned from at most, over all folds."""
    return max(max(Counter(labels[index] for index in fold.training).values()) for fold in folds)


def stated_fold(labels: Sequence[str], held_out: Array) -> Fold:
    """Return the split that a list of clips states.

    Args:
        labels: Class of each clip.
        held_out: (N,) bool, whether the list keeps a clip out of training.

    Raises:
        ClipsError: No clip is left to train on, or none of a class that is held out.
    """
    missing = sorted(set(labels) - {label for label, held in zip(labels, held_out, strict=True) if not held})
    if missing:
        raise ClipsError(
            expected="clips to train on of every class", got=missing, found=f"none of {', '.join(missing)}"
        )
    return Fold(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def _splits(labels: Sequence[str], groups: Sequence[str], folds: Folds, seed: int) -> Iterator[tuple[Array, Array]]:
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold

    nothing = np.zeros(len(labels))
    names = sorted(set(groups))
    if folds == "groups" or any(groups):
        least = 2 if folds == "groups" else folds
        if len(names) < least:
            raise ClipsError(
                expected=f"at least {least} groups to hold out",
                got=names,
                found=f"{len(names)}: {', '.join(map(repr, names))}",
                hint="Use fewer --folds, or another --group-by.",
            )
        if folds == "groups":
            return LeaveOneGroupOut().split(nothing, labels, groups)
    counts = Counter(labels)
    rarest = min(sorted(counts), key=lambda label: counts[label])
    if counts[rarest] < folds:
        raise ClipsError(
            expected=f"at least {folds} clips of every class for {folds} folds",
            got=counts[rarest],
            found=f"{counts[rarest]} of {rarest}",
            hint="Add clips, or use fewer --folds.",
        )
    if any(groups):
        return StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(nothing, labels, groups)
    return StratifiedKFold(folds, shuffle=True, random_state=seed).split(nothing, labels)


def interval(correct: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction.

    Args:
        correct: Clips with the correct answer.
        count: All clips, at least one.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.
    """
    from scipy.stats import binomtest

    found = binomtest(correct, count).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def paired_interval(gained: int, lost: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of the change of a fraction, over clips that were answered twice.

    Args:
        gained: Clips that only the second answer has right.
        lost: Clips that only the first answer has right.
        count: All clips, at least one.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched
        proportions", Statistics in Medicine 2005: half a clip is added to each of the four cases.
    """
    gain, loss, total = gained + 0.5, lost + 0.5, count + 2
    change = (gain - loss) / total
    spread = _NORMAL_95 * float(np.sqrt((gain + loss) / total - change**2) / np.sqrt(total))
    return max(change - spread, -1.0), min(change + spread, 1.0)
