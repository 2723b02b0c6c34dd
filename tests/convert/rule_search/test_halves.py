"""The two parts of recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.recordings import Recording, TrueEvent
from convert.rule_search.halves import halve
from edgevid.errors import TruthError


def recording(number: int, labels: str = "", group: str = "") -> Recording:
    events = tuple(TrueEvent(label, 10.0 * place, 10.0 * place + 5) for place, label in enumerate(labels))
    return Recording(path=Path(f"{number}.mp4"), events=events, group=group)


def test_no_group_is_in_both_parts() -> None:
    recordings = [recording(number, "ab", group) for number, group in enumerate("xyxyz")]
    halves = halve(recordings)
    assert halves.by == "groups"
    assert sorted((*halves.chosen_on, *halves.checked_on)) == [0, 1, 2, 3, 4]
    one, other = ({recordings[index].group for index in half} for half in (halves.chosen_on, halves.checked_on))
    assert not one & other


def test_the_parts_have_about_as_many_events_of_each_class() -> None:
    halves = halve([recording(number, labels) for number, labels in enumerate(["aaaa", "bbbb", "aaa", "bbb"])])
    assert {frozenset(halves.chosen_on), frozenset(halves.checked_on)} in (
        {frozenset({0, 1}), frozenset({2, 3})},
        {frozenset({0, 3}), frozenset({1, 2})},
    )
    assert halves.by == "recordings"


def test_recordings_without_events_are_shared_out() -> None:
    halves = halve([recording(0, "a"), recording(1, "a"), recording(2), recording(3)])
    assert (len(halves.chosen_on), len(halves.checked_on)) == (2, 2)


def test_recordings_without_a_group_are_not_one_group() -> None:
    halves = halve([recording(0, "a", "x"), recording(1, "a"), recording(2, "a")])
    assert len(halves.chosen_on) + len(halves.checked_on) == 3
    assert halve([recording(0, "a", "x"), recording(1, "a", "x"), recording(2, "a")]).by == "groups"


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([recording(0, "ab")], "at least two recordings or groups"),
        ([recording(0, "a", "x"), recording(1, "b", "x")], None),
        ([recording(0), recording(1)], "events in at least two recordings or groups, got none"),
        ([recording(0, "aa"), recording(1)], "got events in one alone"),
    ],
    ids=["one recording", "one group is as good as none", "no event", "events in one"],
)
def test_parts_that_cannot_be_made_are_refused(recordings: list[Recording], message: str | None) -> None:
    if message is None:
        assert halve(recordings).by == "recordings"
        return
    with pytest.raises(TruthError, match=message):
        halve(recordings)
