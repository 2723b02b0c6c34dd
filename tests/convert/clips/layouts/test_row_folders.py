"""Sequences that are kept as folders of rows: each folder is one clip, in the order of its numbers."""

import numpy as np
import pytest

from convert.clips import decode, find_clips
from edgevid.errors import SourceError
from edgevid.frames.preprocess import InputSpec

SPEC = InputSpec(kind="features", height=1, width=1, channels=3, color="none")


def write_rows(folder, numbers, *, width=3):
    folder.mkdir(parents=True)
    for number in numbers:
        np.save(folder / f"{number}.npy", np.full(width, float(number)))
    return folder


def test_a_folder_of_rows_is_one_clip_of_its_class(tmp_path):
    for label in ("DAY", "GOOD"):
        for sequence in range(3):
            write_rows(tmp_path / label / str(sequence), range(12))
    refs = find_clips(tmp_path, kind="features")
    assert [(ref.path.relative_to(tmp_path).as_posix(), ref.label) for ref in refs] == [
        (f"{label}/{sequence}", label) for label in ("DAY", "GOOD") for sequence in range(3)
    ]
    clip = decode(refs[0], SPEC, interval_s=0.5)
    np.testing.assert_array_equal(clip.frames[:, 0], range(12))
    assert clip.timestamps_ns[1] == 5 * 10**8


def test_files_of_whole_sequences_stay_clips_however_deep_they_lie(tmp_path):
    (tmp_path / "wave" / "anna").mkdir(parents=True)
    np.save(tmp_path / "wave" / "anna" / "1.npy", np.zeros((5, 3)))
    write_rows(tmp_path / "rows", [0, 1])
    assert [ref.path.relative_to(tmp_path).as_posix() for ref in find_clips(tmp_path, kind="features")] == [
        "rows/0.npy",
        "rows/1.npy",
        "wave/anna/1.npy",
    ]


def test_a_folder_of_rows_with_a_gap_or_of_unlike_rows_is_refused(tmp_path):
    gap = write_rows(tmp_path / "a" / "gap", [0, 1, 3])
    unlike = write_rows(tmp_path / "a" / "unlike", [0])
    np.save(unlike / "1.npy", np.zeros(4))
    text = write_rows(tmp_path / "a" / "text", [0])
    np.save(text / "1.npy", np.array(["x"]))
    nan = write_rows(tmp_path / "a" / "nan", [0])
    np.save(nan / "1.npy", np.full(3, np.nan))
    reasons = {gap: "no 2.npy", unlike: "rows of one length", text: "row of features", nan: "finite features"}
    for ref in find_clips(tmp_path, kind="features"):
        with pytest.raises(SourceError, match=reasons[ref.path]):
            decode(ref, SPEC)
