"""Training and held-out clips: whole groups apart where there are groups, so that no person is on both sides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipSet
from edgevid.errors import ClipsError, UsageError

_GROUP_BY = "Expected --group-by 'subject', 'none' or a regular expression with one group"
_TRIES = 64  # random splits looked at before it is said that none leaves every class in training


def grouper(text: str) -> Callable[[Path], str]:
    """Choose how the group of a clip is found from its path.

    Args:
        text: "subject" for the file's name up to its first "_", "none", or a regular expression with one group, searched in the file's name.

    Returns:
        A function from path to group; "" where there are no groups.

    Raises:
        UsageError: The text is no regular expression with one group.
    """
    if text == "none":
        return lambda _path: ""
    if text == "subject":
        return lambda path: path.stem.partition("_")[0]
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(expected=_GROUP_BY, got=text, found=f"{text!r}: {error}") from error
    if pattern.groups != 1:
        raise UsageError(expected=_GROUP_BY, got=text, found=f"{text!r} with {pattern.groups} groups")
    return lambda path: _matched(pattern, path)


def _matched(pattern: re.Pattern[str], path: Path) -> str:
    found = pattern.search(path.name)
    if found is None:
        raise ClipsError(expected=f"{pattern.pattern!r} to match the name of every clip", found=f"{path}", path=path)
    return found[1]


def check_classes(clips: ClipSet) -> tuple[str, ...]:
    """Refuse clips that no classifier can be trained on.

    Args:
        clips: What could be read.

    Returns:
        The classes, sorted.

    Raises:
        ClipsError: A clip has no class, there is one class only, or a class has a single clip.
    """
    for clip in clips.clips:
        if clip.ref.label is None:
            raise ClipsError(
                expected="every clip in a folder of its class, <class>/<clip>",
                found=f"{clip.ref.path} in none",
                path=clip.ref.path,
            )
    if len(clips.labels) < 2:
        raise ClipsError(expected="at least two classes of clips", got=clips.labels, found=f"one: {clips.labels[0]}")
    counts = Counter(clip.ref.label for clip in clips.clips)
    single = [label for label in clips.labels if counts[label] < 2]
    if single:
        raise ClipsError(
            expected="at least two clips of every class",
            got=single,
            found=f"one of {', '.join(single)}",
            hint="Add clips, or take the class out.",
        )
    return clips.labels


def split(clips: Sequence[Clip], *, fraction: float, seed: int) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Hold some clips out.

    Args:
        clips: Labelled clips; those with a group stay together.
        fraction: Of the groups, or of the clips where there are none; 0 holds nothing out.
        seed: Seed of the choice.

    Returns:
        Clips to train on, which show every class, and clips held out.

    Raises:
        ClipsError: There is one group only, or every choice takes a whole class away.
    """
    if fraction == 0:
        return tuple(clips), ()
    labels = np.array([clip.ref.label for clip in clips])
    groups = np.array([clip.ref.group for clip in clips])
    kept, held = _by_group(labels, groups, fraction, seed) if any(groups) else _by_class(labels, fraction, seed)
    return tuple(clips[place] for place in kept), tuple(clips[place] for place in held)


def _by_class(labels: np.ndarray, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    from sklearn.model_selection import StratifiedShuffleSplit

    classes = len(np.unique(labels))
    held = min(max(round(fraction * len(labels)), classes), len(labels) - classes)
    kept_places, held_places = next(StratifiedShuffleSplit(1, test_size=held, random_state=seed).split(labels, labels))
    return kept_places.tolist(), held_places.tolist()


def _by_group(labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    from sklearn.model_selection import GroupShuffleSplit

    names = np.unique(groups)
    if len(names) < 2:
        raise ClipsError(
            expected="at least two groups to hold one out",
            got=names[0],
            found=f"one: '{names[0]}'",
            hint="Name clips <subject>_..., or use --group-by none.",
        )
    held = min(max(round(fraction * len(names)), 1), len(names) - 1)
    for kept_places, held_places in GroupShuffleSplit(_TRIES, test_size=held, random_state=seed).split(
        labels, groups=groups
    ):
        if set(labels[kept_places]) == set(labels):
            return kept_places.tolist(), held_places.tolist()
    raise ClipsError(
        expected=f"every class in at least two of the {len(names)} groups",
        got=len(names),
        found="none that could be held out",
        hint="Use --group-by none.",
    )
