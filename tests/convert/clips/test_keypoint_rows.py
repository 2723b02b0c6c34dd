"""`edgevid keypoints`: one file of rows for each clip, and nothing that was there before is touched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convert.clips import ClipRef, Segment, clip_frames, find_clips
from convert.clips.keypoint_rows import write_rows
from convert.clips.row_format import keypoints_of, write_format, written_format
from edgevid import cli
from edgevid.errors import ClipsError
from edgevid.frames.keypoint_rows import KeypointRows
from tests.keypoint_files import write_person


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    write_person(tmp_path / "clips" / "left" / "ann.avi", count=5)
    write_person(tmp_path / "clips" / "right" / "ann.avi", count=4, step_px=-2)
    return tmp_path / "clips"


@pytest.mark.usefixtures("keypoint_files")
def test_each_clip_becomes_a_file_of_rows(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clips / "right" / "note.avi").write_bytes(b"no video")
    assert cli.main(["keypoints", str(clips), "-o", str(tmp_path / "rows")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 clips, 9 rows of 132, 0.1 s apart; somebody is seen in 100.0% of them\n")
    assert "left out" in err
    rows = np.load(tmp_path / "rows" / "left" / "ann.npy")
    assert (rows.shape, rows.dtype) == ((5, 132), np.float32)
    # She drifts to the right by 2 of 256 pixels a frame; the nose is the first point, and smoothing lags.
    assert rows[-1, 0] - rows[0, 0] == pytest.approx(8 / 256, abs=0.01)
    # Both clips begin with one picture: nobody is followed from one clip to the next.
    assert np.array_equal(rows[0], np.load(tmp_path / "rows" / "right" / "ann.npy")[0])
    assert sorted(path.name for path in (tmp_path / "rows").rglob("*.npy")) == ["ann.npy", "ann.npy"]
    assert json.loads((tmp_path / "rows" / "rows.json").read_text()) == {
        "keypoints": {"kind": "pose", "normalise": "none"},
        "interval_s": 0.1,
    }


@pytest.mark.usefixtures("keypoint_files")
def test_rows_are_as_far_apart_as_asked_and_of_the_layout_asked(clips: Path, tmp_path: Path) -> None:
    words = ["--interval", "0.2", "--length", "66", "--normalise", "hip"]
    assert cli.main(["keypoints", str(clips), "-o", str(tmp_path / "rows"), *words]) == 0
    rows = np.load(tmp_path / "rows" / "left" / "ann.npy")
    assert rows.shape == (3, 66)
    assert rows.reshape(3, 33, 2)[:, 23:25].mean(axis=1) == pytest.approx(np.zeros((3, 2)), abs=1e-5)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    message = capsys.readouterr().err
    assert message.startswith("edgevid: Expected ")
    assert message.count("\n") == 1
    return message


def test_what_cannot_be_done_is_one_line_each(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path / "none"))
    out = str(tmp_path / "rows")
    assert cli.main(["keypoints", str(clips), "-o", out]) == 1
    assert "Run: edgevid fetch keypoints." in error_of(capsys)
    assert cli.main(["keypoints", str(clips), "-o", out, "--length", "63"]) == 2
    assert "which look like 'hands' (one hand: 21 points x, y, z)" in error_of(capsys)
    assert cli.main(["keypoints", str(clips), "-o", out, "--points", "hands", "--normalise", "hip"]) == 2
    assert "for the normalisation 'hip'" in error_of(capsys)
    (tmp_path / "rows").mkdir()
    assert cli.main(["keypoints", str(clips), "-o", out]) == 2
    assert "a new folder" in error_of(capsys)


def places(refs: list[ClipRef], root: Path) -> list[str]:
    """The files that clips would have: nothing can be read, and the error comes last."""
    from convert.clips.keypoint_rows import _places

    return [str(path.relative_to("out")) for path in _places(refs, root, Path("out")).values()]


def test_files_are_named_for_class_clip_and_segment(tmp_path: Path) -> None:
    refs = [
        ClipRef(tmp_path / "wave" / "a.mp4", "wave"),
        ClipRef(tmp_path / "wave" / "ann" / "a.mp4", "wave"),
        ClipRef(tmp_path / "b.mp4"),
        ClipRef(tmp_path / "c.mp4", "wave", segment=Segment(1.5, 3.0)),
        ClipRef(Path("elsewhere") / "d.v2.mp4", "rest"),
    ]
    assert places(refs, tmp_path) == ["wave/a.npy", "wave/ann_a.npy", "b.npy", "wave/c_1.5-3.npy", "rest/d.v2.npy"]


def test_two_clips_of_one_name_are_rejected_before_any_is_read(tmp_path: Path) -> None:
    refs = [ClipRef(tmp_path / "wave" / name, "wave") for name in ("a.mp4", "a.avi")]
    with pytest.raises(ClipsError, match=r"a\.mp4 and .*a\.avi\. Rename one of them\."):
        write_rows(refs, tmp_path, tmp_path / "out", stage=None, length=132)  # type: ignore[arg-type]


def test_rows_state_one_time_between_them_or_that_of_each_clip(tmp_path: Path) -> None:
    pose = KeypointRows(kind="pose")
    near = written_format(pose, {"a.npy": 0.0333, "b.npy": 0.03334, "c.npy": 0.0}, None)
    assert (near.interval_s, near.intervals_s) == (0.03334, None)
    # A sampler takes the nearest frames, so the mean of a few is near the interval.
    assert written_format(pose, {"a.npy": 0.0965, "b.npy": 0.104}, 0.1).interval_s == 0.1
    far = written_format(pose, {"wave/a.npy": 0.04, "wave/b.npy": 0.1}, 0.04)
    assert (far.interval_s, dict(far.intervals_s or {})) == (None, {"wave/a.npy": 0.04, "wave/b.npy": 0.1})
    write_format(tmp_path, far)
    for name in ("a", "b", "c"):
        (tmp_path / "wave").mkdir(exist_ok=True)
        np.save(tmp_path / "wave" / f"{name}.npy", np.zeros((3, 4), np.float32))
    refs = find_clips(tmp_path, kind="features")
    assert [ref.fps for ref in refs] == [pytest.approx(25), pytest.approx(10), None]
    stamps = [[frame.timestamp_ns for frame in clip_frames(ref, "features", interval_s=0.5)] for ref in refs]
    assert [each[1] for each in stamps] == [40_000_000, 100_000_000, 500_000_000]


def test_two_folders_that_state_other_points_are_rejected(tmp_path: Path) -> None:
    refs = []
    for kind in ("pose", "hands"):
        folder = tmp_path / kind / "rows" / "wave"
        folder.mkdir(parents=True)
        write_format(folder.parent, written_format(KeypointRows(kind=kind), {}, 0.1))
        refs.append(ClipRef(folder / "a.npy", "wave"))
    with pytest.raises(ClipsError, match=r"rows of one kind, got pose in .* and hands in "):
        keypoints_of(refs)
