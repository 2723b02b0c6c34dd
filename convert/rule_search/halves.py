"""Two parts of recordings: one to choose a rule on, one to state what it is worth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevid.errors import TruthError
from edgevid.events.timeline import Interval


@dataclass(frozen=True, slots=True)
class Halves:
    """Indices of recordings.

    Attributes:
        chosen_on: Those to choose the rule on.
        checked_on: Those that it is checked on; no group is in both.
        by: What was kept together: "groups" or "recordings".
    """

    chosen_on: tuple[int, ...]
    checked_on: tuple[int, ...]
    by: str


class Grouped(Protocol):
    """A recording with a group and events."""

    @property
    def group(self) -> str:
        """What must stay together."""
        ...

    @property
    def truth(self) -> Sequence[Interval]:
        """What happens."""
        ...


def halve(recordings: Sequence[Grouped]) -> Halves:
    """Split recordings by group into two parts with about as many events of each class.

    Recordings without a group are groups of their own, if there are no two groups.

    Args:
        recordings: The recordings with their truth.

    Raises:
        TruthError: There is only one, or a part would have no events.
    """
    by_groups = len({each.group for each in recordings}) > 1
    units: defaultdict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(recordings):
        # A recording without a group does not belong to the others without one.
        units[f"group {each.group}" if by_groups and each.group else f"recording {index}"].append(index)
    TruthError.unless(
        len(units) > 1,
        expected="at least two recordings or groups: a rule is chosen on some and checked on the others",
        got=len(units),
        found="one",
        hint="Record a second time, best of another person or day.",
    )
    counts = {
        name: Counter(event.label for index in unit for event in recordings[index].truth)
        for name, unit in units.items()
    }
    parts: tuple[list[int], list[int]] = ([], [])
    totals: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    # The largest first, so that the small ones even out what they leave.
    for name in sorted(units, key=lambda each: (-counts[each].total(), each)):
        smaller = int(_imbalance(totals[0] + counts[name], totals[1]) > _imbalance(totals[0], totals[1] + counts[name]))
        if not counts[name]:
            smaller = int(len(parts[1]) < len(parts[0]))
        parts[smaller].extend(units[name])
        totals[smaller].update(counts[name])
    _check_events(totals)
    return Halves(tuple(sorted(parts[0])), tuple(sorted(parts[1])), "groups" if by_groups else "recordings")


def _imbalance(one: Counter[str], other: Counter[str]) -> int:
    return sum((one[label] - other[label]) ** 2 for label in {*one, *other}) + (one.total() - other.total()) ** 2


def _check_events(totals: tuple[Counter[str], Counter[str]]) -> None:
    TruthError.unless(
        all(total.total() for total in totals),
        expected="events in at least two recordings or groups",
        got=None,
        found="none" if not (totals[0] or totals[1]) else "events in one alone",
        hint="Record what should be found, and state it in the truth.",
    )
