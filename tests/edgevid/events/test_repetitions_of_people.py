"""Jumping jacks of real people, counted from how far their feet are apart in each picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgevid.capture.video_files import VideoFile
from edgevid.events.repetitions import RepetitionCounter
from edgevid.frames import Array
from tests.repo.files import ROOT

JACKS = ROOT.parent / "shared" / "data" / "weizmann" / "jack"
# Whole jumps from closed feet to closed feet, counted by eye; a half one at an end is none.
JUMPS = {"daria": 3, "denis": 2, "eli": 2, "ido": 2, "ira": 2, "lena": 4}
FEET_PX = 15
CHANGED, SEEN = 20, 3

pytestmark = pytest.mark.skipif(not JACKS.is_dir(), reason="the Weizmann clips are beside the repository only")


def feet_apart(pictures: Array) -> Array:
    """Return how wide what moves is, at the height of the feet, from 0 for closed to 1."""
    moving = np.abs(pictures - np.median(pictures, axis=0)) > CHANGED
    floor = int(np.flatnonzero(moving.sum(axis=(0, 2)) > SEEN)[-1])
    columns = moving[:, floor - FEET_PX + 1 : floor + 1].sum(axis=1) > 1
    widths = [np.ptp(np.flatnonzero(each)) if each.any() else 0 for each in columns]
    low, high = np.quantile(widths, (0.1, 0.9))
    return ((np.array(widths) - low) / (high - low)).clip(0, 1)


@pytest.mark.parametrize("person", JUMPS)
def test_jumping_jacks_are_counted(person: str) -> None:
    with VideoFile(JACKS / f"{person}_jack.avi") as source:
        frames = [(frame.timestamp_ns / 1e9, frame.data.mean(axis=2)) for frame in source.frames()]
    apart = feet_apart(np.stack([picture for _, picture in frames]))
    swing, cycle = (
        RepetitionCounter(["open"], ["open", "closed"]),
        RepetitionCounter(["closed", "open"], ["open", "closed"]),
    )
    for (t_s, _), share in zip(frames, apart.tolist(), strict=True):
        swing.update(t_s, [share, 1 - share])
        cycle.update(t_s, [share, 1 - share])
    assert cycle.count == JUMPS[person]
    assert swing.count == JUMPS[person]
