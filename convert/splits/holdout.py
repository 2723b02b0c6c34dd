"""Splits clips into training and held-out clips.

If the clips have groups, such as the person who is filmed, a whole group is held out. Otherwise the
held-out clips would show people the model was trained on, and their accuracy would be too high. A
list that states the split of its clips decides for itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipRef, ClipSet
from edgevid.errors import ClipsError, UsageError
from edgevid.frames import Array

# Random splits by group until one leaves every class in training.
_SPLITS = 64


def grouper(text: str) -> Callable[[Path], str]:
    """Return a function that extracts the group of a clip from its path.

    Args:
        text: "subject" for the file name up to its first "_", "none", or a regular expression with
            one group, which is searched in the file name.

    Returns:
        A function from a path to its group; "" for "none". It raises `ClipsError` if the
        expression does not match.

    Raises:
        UsageError: The text is no regular expression, or has not exactly one group.
    """
    if text == "none":
        return lambda _path: ""
    if text == "subject":
        return lambda path: path.stem.partition("_")[0]
    expected = "--group-by 'subject', 'none' or a regular expression with one group"
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(expected=expected, got=text, found=f"{text!r}: {error}") from error
    UsageError.unless(pattern.groups == 1, expected=expected, got=text, found=f"{text!r} with {pattern.groups} groups")
    return lambda path: _search(pattern, path)


def _search(pattern: re.Pattern[str], path: Path) -> str:
    match = pattern.search(path.name)
    if match is None:
        raise ClipsError(expected=f"{pattern.pattern!r} to match the name of every clip", found=str(path), path=path)
    return match[1]


def check_classes(clips: ClipSet) -> tuple[str, ...]:
    """Reject clips that no classifier can be trained on.

    Returns:
        The classes, sorted.

    Raises:
        ClipsError: A clip has no class, there is only one class, or a class has only one clip.
    """
    return check_references([clip.ref for clip in clips.clips])


def check_references(refs: Sequence[ClipRef]) -> tuple[str, ...]:
    """Reject clips, not yet decoded, that no classifier can be trained on.

    Returns:
        The classes, sorted.

    Raises:
        ClipsError: As for `check_classes`.
    """
    for ref in refs:
        if ref.label is None:
            raise ClipsError(
                expected="every clip in a folder of its class, <class>/<clip>",
                found=f"{ref.path} in none{_listed(ref)}",
                path=ref.path,
            )
    counts = Counter(str(ref.label) for ref in refs)
    labels = tuple(sorted(counts))
    if len(labels) < 2:
        raise ClipsError(expected="at least two classes of clips", got=labels, found=f"one: {labels[0]}")
    by_label = {str(ref.label): ref for ref in refs}
    single = [label for label in labels if counts[label] < 2]
    if single:
        raise ClipsError(
            expected="at least two clips of every class",
            got=single,
            found=f"one of {', '.join(single)}{_listed(by_label[single[0]])}",
            hint="Add clips, or remove the class.",
        )
    return labels


def split(clips: Sequence[Clip], *, fraction: float, seed: int) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Hold out the clips that their list keeps out of training, or else a random part.

    Args:
        clips: Labelled clips. Clips of one group stay together.
        fraction: Fraction of the groups to hold out, or of the clips if they have no groups; 0
            holds nothing out. Ignored if the list keeps clips out of training.
        seed: Seed of the random choice.

    Returns:
        The clips to train on, which show every class, and the held-out clips.

    Raises:
        ClipsError: There is only one group, or every choice removes a whole class from training.
    """
    if any(clip.ref.is_held_out for clip in clips):
        return _split_as_stated(clips)
    if fraction == 0:
        return tuple(clips), ()
    labels = np.array([clip.ref.label for clip in clips])
    groups = np.array([clip.ref.group for clip in clips])
    if any(groups):
        training, held_out = _split_by_group(labels, groups, fraction, seed)
    else:
        training, held_out = _split_by_class(labels, fraction, seed)
    return tuple(clips[index] for index in training), tuple(clips[index] for index in held_out)


def _split_as_stated(clips: Sequence[Clip]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return the clips to train on and those of the splits val and test."""
    training = tuple(clip for clip in clips if not clip.ref.is_held_out)
    held_out = tuple(clip for clip in clips if clip.ref.is_held_out)
    shown = {clip.ref.label for clip in training}
    missing = [clip.ref for clip in held_out if clip.ref.label not in shown]
    if missing:
        raise ClipsError(
            expected="every class among the clips of train",
            got=missing[0].label,
            found=f"{missing[0].label!r} in {missing[0].split} alone{_listed(missing[0])}",
        )
    return training, held_out


def _listed(ref: ClipRef) -> str:
    return f" ({ref.origin})" if ref.origin else ""


def _split_by_class(labels: Array, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of training and held-out clips; both show every class."""
    from sklearn.model_selection import StratifiedShuffleSplit

    classes = len(np.unique(labels))
    # scikit-learn wants at least one clip of each class on both sides.
    count = min(max(round(fraction * len(labels)), classes), len(labels) - classes)
    splitter = StratifiedShuffleSplit(1, test_size=count, random_state=seed)
    training, held_out = next(splitter.split(labels, labels))
    return training.tolist(), held_out.tolist()


def _split_by_group(labels: Array, groups: Array, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of training and held-out clips; no group is on both sides."""
    from sklearn.model_selection import GroupShuffleSplit

    names = np.unique(groups)
    if len(names) < 2:
        raise ClipsError(
            expected="at least two groups to hold one out",
            got=names[0],
            found=f"one: '{names[0]}'",
            hint="Name clips <subject>_..., or use --group-by none.",
        )
    count = min(max(round(fraction * len(names)), 1), len(names) - 1)
    splitter = GroupShuffleSplit(_SPLITS, test_size=count, random_state=seed)
    for training, held_out in splitter.split(labels, groups=groups):
        # A class may be shown by the held-out groups alone.
        if set(labels[training]) == set(labels):
            return training.tolist(), held_out.tolist()
    raise ClipsError(
        expected=f"every class in at least two of the {len(names)} groups",
        got=len(names),
        found="none that could be held out",
        hint="Use --group-by none.",
    )
