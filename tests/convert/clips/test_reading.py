"""Options that say how clips are read."""

import pytest

from convert.clips import Reading
from edgevid.bundle.manifest import Window


@pytest.mark.parametrize(
    ("named", "classes", "label"),
    [(None, ("none", "rest"), "none"), (None, (), None), ("mine", ("none",), "mine")],
)
def test_background_clips_for_a_model_are_those_of_its_training(named, classes, label):
    reading = Reading(background=named, fps=5).for_model(classes, Window(frames=20, interval_s=0.2))
    assert (reading.background, reading.window_s, reading.fps) == (label, 4.0, 5)
