"""Words about groups whose clips cannot show whether a model knows new people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from convert.clips import ClipRef


def describe_groups(refs: Sequence[ClipRef]) -> tuple[str, ...]:
    """Describe groups that hold one class, and classes that one group alone shows.

    Args:
        refs: Labelled clips.

    Returns:
        At most two lines; none for clips without groups, and where every group holds one class, as
        the videos of a public set do.
    """
    labels: defaultdict[str, dict[str, ClipRef]] = defaultdict(dict)
    groups: defaultdict[str, dict[str, ClipRef]] = defaultdict(dict)
    for ref in refs:
        if ref.group:
            labels[ref.group].setdefault(ref.label or "", ref)
            groups[ref.label or ""].setdefault(ref.group, ref)
    single = {group: shown for group, shown in labels.items() if len(shown) == 1}
    alone = {label: shown for label, shown in groups.items() if len(shown) == 1}
    lines = []
    if single and len(single) < len(labels):
        group, shown = next(iter(single.items()))
        example = f"{group!r} {_where(shown)}"
        lines.append(f"{len(single)} of {len(labels)} groups hold one class only, such as {example}")
    if alone and len(labels) > 1:
        label, shown = next(iter(alone.items()))
        example = f"{label!r} {_where(shown)}"
        lines.append(f"{len(alone)} of {len(groups)} classes are in one group only, such as {example}: never held out")
    return tuple(lines)


def _where(shown: dict[str, ClipRef]) -> str:
    (ref,) = shown.values()
    return f"({ref.origin or ref.path})"
