"""A conversion holds a few windows at a time, however many clips there are."""

import numpy as np
import pytest

from tests.clips.clip_folders import write_folder
from tests.convert.watched_rows import HeldArrays
from tests.models.keras_models import FRAMES, cnn_rnn

pytestmark = pytest.mark.tf
CLIPS_PER_CLASS = 8
# The threads of the float model read one each; the samples hold one, and so does whoever compares.
MOST_HELD = 4 + 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    write_folder(folder / "clips", each=CLIPS_PER_CLASS)
    cnn_rnn("lstm").save(folder / "model.keras")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["window", "stack"])
def test_a_conversion_reads_windows_from_disk_and_holds_few_of_them(place, monkeypatch, plan):
    import convert.clips
    import convert.verification.reference
    from convert import Options, convert_model
    from convert.rows import StoredArray

    windows = HeldArrays()
    read = StoredArray.__getitem__

    def watched(array, index):
        found = read(array, index)
        return windows.see(found) if len(found) == FRAMES and found.dtype == np.uint8 else found

    # All clips are on disk, and the float model runs one window at a time.
    monkeypatch.setattr(convert.clips.decoding, "MOST_HELD_BYTES", 0)
    monkeypatch.setattr(convert.verification.reference, "BATCH_BYTES", 1)
    monkeypatch.setattr(StoredArray, "__getitem__", watched)
    options = Options(interval=0.1, precision="int8", plan=plan, min_agreement=0, max_drop=100)
    done = convert_model(place / "model.keras", place / "clips", place / f"{plan}.edgevid", options=options)
    clips = done.report["clips"]
    assert clips == 3 * CLIPS_PER_CLASS
    # The float model, its parts, the bundle's whole window and its stream each read every clip again.
    assert windows.made >= 3 * clips
    assert windows.most_held <= MOST_HELD
