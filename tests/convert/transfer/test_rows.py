"""Rows of features as training data: key points, one file a clip or a frame, without an encoder."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")

import convert
from convert import TrainOptions
from convert.clips import Clip, ClipRef
from convert.clips.row_format import RowFormat, write_format
from convert.clips.window_frames import varied_rows
from convert.interface.input_frame import resolve_keypoints
from convert.interface.window_to_scores import arrange
from convert.splitting.split import split
from convert.training_info import read_info
from edgevid import bundle
from edgevid.bundle.manifest import Window
from edgevid.cli import main
from edgevid.errors import ClipsError, UsageError
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import InputSpec

pytestmark = pytest.mark.tf
CLASSES = ("bow", "still", "wave")
POSE = KeypointRows(kind="pose", normalise="hip")
ARM, HEAD = slice(12, 23), slice(0, 11)
FEW = ("--frames", "6", "--windows-per-clip", "2", "--folds", "groups", "--group-by", "subject")


def sequence(label: str, seed: int, *, count: int = 20) -> np.ndarray:
    """Rows of a person who waves, bows, or stands still, each a little otherwise: (count, 132)."""
    rng = np.random.default_rng(seed)
    points = np.tile(rng.normal(0, 0.002, (33, 4)) + 0.5, (count, 1, 1))
    beat = np.sin(np.arange(count) * 1.2 + rng.uniform(0, 6))
    if label != "still":
        points[:, ARM if label == "wave" else HEAD, 1] += 0.3 * beat[:, None]
    return (points + rng.normal(0, 0.002, points.shape)).reshape(count, 132).astype(np.float32)


def write_people(root: Path, *, per_frame: bool = False, interval_s: float | None = 0.1) -> Path:
    """Rows of two people, two clips of each class: an array a clip, or a file a frame."""
    for number, (label, who, clip) in enumerate(
        (label, who, clip) for label in CLASSES for who in ("ann", "bob") for clip in range(2)
    ):
        rows, path = sequence(label, number), root / label / f"{who}_{clip}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if per_frame:
            path.mkdir()
            for index, row in enumerate(rows):
                np.save(path / f"{index}.npy", row)
        else:
            np.save(path.with_suffix(".npy"), rows)
    write_format(root, RowFormat(keypoints=POSE, interval_s=interval_s))
    return root


def train(clips: Path, out: Path, **changes: Any) -> convert.TrainedModel:
    usual: dict[str, Any] = {"frames": 6, "windows_per_clip": 2, "group_by": "subject", "folds": 0}
    return convert.train(clips, out, options=TrainOptions(**(usual | changes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, and a model and a bundle of them."""
    root = tmp_path_factory.mktemp("rows")
    write_people(root / "rows")
    assert main(["train", str(root / "rows"), "-o", str(root / "m.keras"), *FEW]) == 0
    words = ["convert", str(root / "m.keras"), "--clips", str(root / "rows"), "-o", str(root / "m.edgevid")]
    assert main([*words, "--keypoints", "pose", "--normalise", "hip"]) == 0
    return root


def error_of(capsys: pytest.CaptureFixture[str], *words: object, code: int) -> str:
    capsys.readouterr()
    assert main([str(each) for each in words]) == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("edgevid: Expected ")
    return line


def test_people_who_were_held_out_are_answered_and_a_page_tells_of_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "training.html"
    command = ["train", str(folder / "rows"), "-o", str(tmp_path / "m.keras"), *FEW, "--report", str(page), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == 1.0
    assert sorted(found["groups"]) == ["ann", "bob"]
    # Nothing is known of int8 before the conversion, and nothing was encoded.
    assert (found["int8"], found["cosine"], found["encoder"]) == (None, None, "rows of 132")
    text = page.read_text(encoding="utf-8")
    assert "The head reads rows of 132, without an encoder." in text
    assert "Right on 12 of 12 clips" in text


def test_the_model_states_its_key_points_and_the_bundle_too(folder: Path) -> None:
    info = read_info(folder / "m.keras")
    assert info is not None
    assert (info.keypoints, info.window.interval_s, info.input.shape) == (POSE, 0.1, (132,))
    manifest = bundle.read(folder / "m.edgevid").manifest
    assert (manifest.keypoints, manifest.labels) == (POSE, CLASSES)


def test_model_and_bundle_are_evaluated_and_run_on_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("m.keras", "m.edgevid"):
        capsys.readouterr()
        assert main(["evaluate", str(folder / name), str(folder / "rows"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0
    assert main(["run", str(folder / "m.edgevid"), "--source", str(folder / "rows" / "wave" / "ann_0.npy")]) == 0
    assert "wave" in capsys.readouterr().out


def test_a_file_a_frame_and_a_list_of_files_give_the_same_model(folder: Path, tmp_path: Path) -> None:
    write_people(tmp_path / "MP_Data", per_frame=True)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("path", "label", "group"))
        for path in sorted((folder / "rows").rglob("*.npy")):
            lines.writerow((path, path.parent.name, path.name[:3]))
    # Without variation: windows are varied by the content of the files.
    made = [
        train(clips, tmp_path / "m.keras", windows_per_clip=1, head="stats")
        for clips in (folder / "rows", tmp_path / "MP_Data", tmp_path / "list.csv")
    ]
    first = made[0].model.get_weights()
    for other in made[1:]:
        for mine, theirs in zip(first, other.model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)
        assert other.info.keypoints == made[0].info.keypoints or other is made[2]


@pytest.mark.parametrize("streams", ["differences", "frames,differences"])
def test_differences_of_rows_stream_frame_by_frame(folder: Path, tmp_path: Path, streams: str) -> None:
    made = train(folder / "rows", tmp_path / "m.keras", head="mean", streams=streams, windows_per_clip=1)
    parts = split(arrange(made.model).graph)
    assert (parts.frames, parts.frame_shape, parts.lookback) == (6, (132,), 1)
    rows = np.stack([sequence("wave", 50)[:6], sequence("bow", 51)[:6]])
    assert np.asarray(made.model(rows)).shape == (2, 3)


def test_rows_of_another_rate_are_taken_at_the_interval_of_the_window(folder: Path, tmp_path: Path) -> None:
    # Every row twice, half as far apart: at the window's interval they are the same rows.
    write_people(tmp_path / "rows", interval_s=0.05)
    for path in (tmp_path / "rows").rglob("*.npy"):
        np.save(path, np.repeat(np.load(path), 2, axis=0))
    assert convert.evaluate(folder / "m.edgevid", tmp_path / "rows").accuracy == 1.0
    dense = train(tmp_path / "rows", tmp_path / "m.keras", windows_per_clip=1, head="mean")
    plain = train(folder / "rows", tmp_path / "n.keras", windows_per_clip=1, head="mean")
    # The middle windows may begin one row apart, no more.
    for mine, theirs in zip(dense.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.15)


def test_rows_vary_in_start_and_speed_and_a_point_that_is_not_seen_is_mixed_with_none() -> None:
    rows = np.arange(1, 41, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    rows[:, 1] = np.repeat([7.0, 0.0], [10, 30])
    clip = Clip(ClipRef(Path("x.npy"), "wave"), rows, np.arange(40) * 100_000_000)
    window = Window(frames=8, interval_s=0.1)
    for seed in range(20):
        varied = varied_rows(clip, window, np.random.default_rng(seed), speed=1.1)
        assert np.diff(varied[:, 0]) == pytest.approx(np.full(7, 1.1), abs=1e-4)
        assert set(varied[:, 1].round(4)) <= {0.0, 7.0}
    short = varied_rows(Clip(clip.ref, rows[:3], clip.timestamps_ns[:3]), window, np.random.default_rng(0), speed=1.0)
    assert short[:, 0].tolist() == pytest.approx([1, 2, 3, 3, 3, 3, 3, 3])
    single = varied_rows(Clip(clip.ref, rows[:1], clip.timestamps_ns[:1]), window, np.random.default_rng(0), speed=1.0)
    assert (single == rows[0]).all()


def test_key_points_of_another_kind_are_rejected_wherever_they_meet(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = KeypointRows(kind="pose", normalise="box")
    spec = InputSpec(kind="features", height=1, width=1, channels=132, color="none")
    info = read_info(folder / "m.keras")
    assert resolve_keypoints(spec, convert.Options(), info, POSE) == POSE
    assert resolve_keypoints(spec, convert.Options(keypoints="pose", normalise="hip"), info, None) == POSE
    with pytest.raises(UsageError, match=r"as in training \(pose, normalised by hip\), got pose\. Leave --keypoints"):
        resolve_keypoints(spec, convert.Options(keypoints="pose"), info, None)
    with pytest.raises(ClipsError, match=r"pose, normalised by hip, got rows of pose, normalised by box\."):
        resolve_keypoints(spec, convert.Options(), info, box)
    write_people(tmp_path / "box")
    write_format(tmp_path / "box", RowFormat(keypoints=box, interval_s=0.1))
    line = error_of(capsys, "evaluate", folder / "m.edgevid", tmp_path / "box", code=1)
    assert "got rows of pose, normalised by box." in line
    write_format(tmp_path / "box", RowFormat(keypoints=POSE, interval_s=0.2))
    line = error_of(capsys, "evaluate", folder / "m.edgevid", tmp_path / "box", code=2)
    assert "--interval of at least 0.2" in line


def broken(root: Path, change: str) -> Path:
    """A folder of rows with one fault."""
    write_people(root)
    first = root / "bow" / "ann_0.npy"
    if change == "width":
        np.save(first, np.zeros((20, 126), np.float32))
    elif change == "video":
        (root / "bow" / "clip.mp4").write_bytes(b"video")
    elif change == "rows.json":
        (root / "rows.json").write_text('{"interval_s": -1}')
    elif change == "slow":
        write_format(root, RowFormat(keypoints=POSE, interval_s=0.2))
    else:
        for path in root.rglob("*.npy"):
            np.save(path, np.full((20, 132), np.nan) if change == "nan" else np.zeros((0, 132)))
    return root


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("width", 1, "rows of one length, got 126 in"),
        ("video", 1, "not both, got"),
        ("rows.json", 1, "rows.json as edgevid keypoints writes it"),
        ("slow", 2, "--interval of at least 0.2, the time between two rows of"),
        ("nan", 1, "NaN or infinity in"),
        ("empty", 1, "(0, 132) in"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_one_line_in_training_and_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, code: int, message: str
) -> None:
    root = broken(tmp_path / "rows", change)
    assert message in error_of(capsys, "train", root, "-o", tmp_path / "m.keras", code=code)
    assert not (tmp_path / "m.keras").exists()
    if change in ("nan", "empty"):
        assert main(["train", str(root), "--check"]) == 1
        assert message in capsys.readouterr().out
    else:
        assert message in error_of(capsys, "train", root, "--check", code=1)


def test_a_list_of_videos_and_rows_names_a_line_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.csv").write_text("path,label\na.mp4,left\nb.npy,right\n")
    line = error_of(capsys, "train", tmp_path / "l.csv", "-o", tmp_path / "m.keras", code=1)
    assert "a.mp4 in line 2 and " in line
    assert "b.npy in line 3. Keep them apart" in line


def test_a_frame_that_is_missing_in_a_sequence_skips_it_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "rows", per_frame=True, interval_s=None)
    (tmp_path / "rows" / "bow" / "ann_0" / "7.npy").unlink()
    words = ["train", str(tmp_path / "rows"), "-o", str(tmp_path / "m.keras"), "--frames", "6", "--folds", "0"]
    assert main(words) == 0
    err = capsys.readouterr().err
    assert "rows without a gap, got no 7.npy in" in err
    assert "Skipped 1 of 12 clips." in err
    assert "0.1 s are assumed between two rows" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--encoder", "efficientnet-lite0"),
        ("--flip", "all"),
        ("--color", "gray"),
        ("--size", "32"),
        ("--resize", "crop"),
        ("--fps", "25"),
        ("--epochs", "3"),
        ("--cache", "x"),
        ("--mine", "x", "--background", "still"),
    ],
)
def test_options_that_mean_nothing_for_rows_are_rejected(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    line = error_of(capsys, "train", folder / "rows", "-o", tmp_path / "m.keras", *words, code=2)
    assert f"Expected no {words[0]} with rows of features" in line


def test_clips_in_which_nobody_is_seen_are_counted_and_are_no_copies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "rows")
    for path in (tmp_path / "rows" / "still").iterdir():
        np.save(path, np.zeros((20, 132), np.float32))
    assert main(["train", str(tmp_path / "rows"), "--check", "--group-by", "subject", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "4 of 12 clips show nobody, such as" in found["warnings"][0]
    assert found["near_duplicates"] == []
    assert train(tmp_path / "rows", tmp_path / "m.keras", folds=2).cross_validation is not None


def test_copies_of_rows_in_two_groups_are_rejected_with_both_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_people(tmp_path / "rows")
    (root / "bow" / "cy_9.npy").write_bytes((root / "bow" / "ann_0.npy").read_bytes())
    line = error_of(capsys, "train", root, "-o", tmp_path / "m.keras", *FEW[:-4], "--group-by", "subject", code=1)
    assert "ann_0.npy in 'ann' and" in line
