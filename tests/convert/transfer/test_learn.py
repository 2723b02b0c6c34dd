import json
import zipfile

import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions, convert_model, train
from convert.clips import to_real
from convert.loading.load import load
from convert.training_info import read_info
from convert.transfer.cache import SUFFIX
from convert.transfer.candidates import Chooser
from edgevid.cli import main
from edgevid.errors import ClipsError, UsageError
from tests.clips.moving import CLASSES, write_moving
from tests.convert.transfer.encoders import save_encoder

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of two subjects, and an encoder."""
    root = tmp_path_factory.mktemp("learn")
    write_moving(root / "clips", 6)
    save_encoder(root / "encoder.keras")
    return root


def options(folder, **changes):
    usual = {
        "encoder": str(folder / "encoder.keras"),
        "frames": 5,
        "windows_per_clip": 2,
        "augment": False,
        "group_by": "subject",
        "folds": "groups",
        "cache": folder / "cache",
    }
    return TrainOptions(**(usual | changes))


@pytest.fixture(scope="module")
def trained(folder):
    return train(folder / "clips", folder / "m.keras", options=options(folder))


def test_held_out_subjects_are_answered_by_a_head_that_never_saw_them(trained):
    measured = trained.cross_validation
    assert measured is not None
    assert set(measured.groups) == {"ann", "bob"}
    assert [fold.groups for fold in measured.folds] == [("ann",), ("bob",)]
    assert measured.score.clips == 18
    assert trained.evaluation == measured.evaluation
    assert measured.int8 is not None


def test_a_head_that_cannot_see_motion_is_not_chosen_where_only_motion_tells(trained):
    # A single picture of a block could be of any class.
    assert trained.transfer is not None
    losses = trained.transfer.losses
    assert losses["differences + stats"] < losses["frames + mean"]
    # The mean over frames has no motion in it, so it is never as good as the best.
    assert (trained.transfer.streams, trained.transfer.head) != (("frames",), "mean")


def test_the_written_model_carries_all_that_the_conversion_needs(folder, trained):
    info = read_info(folder / "m.keras")
    assert info == trained.info
    assert info.labels == CLASSES
    assert info.input.shape == (32, 32, 3)
    loaded = load(folder / "m.keras").model
    windows = to_real(np.random.default_rng(0).integers(0, 256, (2, 5, 32, 32, 3)).astype(np.uint8), info.input)
    np.testing.assert_allclose(np.asarray(loaded(windows)), np.asarray(trained.model(windows)), atol=1e-6)


def test_a_second_run_reads_all_features_from_disk_and_gives_the_same_model(folder, trained):
    again = train(folder / "clips", folder / "again.keras", options=options(folder))
    assert again.transfer is not None
    assert (again.transfer.cached, again.transfer.encoded) == (18, 0)
    for first, second in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_run_without_a_cache_gives_the_same_model_to_the_last_bit(folder, trained):
    again = train(folder / "clips", folder / "again.keras", options=options(folder, cache=folder / "other"))
    assert again.transfer is not None
    assert again.transfer.encoded == 18
    for first, second in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_torn_files_of_a_killed_run_are_encoded_again(folder, trained):
    assert trained.transfer is not None
    for path in sorted((folder / "cache").glob(f"*{SUFFIX}")):
        path.write_bytes(path.read_bytes()[:-50])
    again = train(folder / "clips", folder / "again.keras", options=options(folder))
    assert again.transfer is not None
    assert again.transfer.damaged > 0
    assert again.transfer.encoded == 18


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["frames", "differences", "frames,differences"])
def test_each_choice_of_streams_converts_within_its_budget(folder, trained, streams):
    del trained
    part = options(folder, streams=streams, folds=0, region=(0.0, 0.0, 1.0, 0.9) if streams == "frames" else None)
    made = train(folder / "clips", folder / "s.keras", options=part)
    assert made.cross_validation is None
    assert made.transfer is not None
    # The features of whole pictures are on disk, and must not be taken for those of a part.
    assert made.transfer.encoded == (18 if part.region else 0)
    result = convert_model(folder / "s.keras", folder / "clips", folder / "s.edgevid")
    assert result.path.exists()
    assert result.manifest.framing == part.framing
    note = "pictures are seen as in training: --region 0.0,0.0,1.0,0.9"
    assert (note in result.report["notes"]) == (part.region is not None)


def test_a_clip_that_cannot_be_read_is_named_and_the_others_are_used(folder, tmp_path):
    write_moving(tmp_path / "clips", 4)
    (tmp_path / "clips" / "left" / "ann_broken.avi").write_bytes(b"RIFF no video")
    seen = []
    made = train(
        tmp_path / "clips",
        tmp_path / "m.keras",
        options=options(folder, group_by="none", folds=2),
        on_clips=seen.append,
    )
    assert [path.name for path, _ in seen[0].skipped] == ["ann_broken.avi"]
    assert made.cross_validation is not None
    assert made.cross_validation.score.clips == 12


def test_folds_that_cannot_be_made_are_refused_before_anything_is_encoded(folder, tmp_path):
    with pytest.raises(ClipsError, match="5 groups"):
        train(folder / "clips", tmp_path / "m.keras", options=options(folder, folds=5, cache=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_the_command_prints_what_acceptance_reads(folder, trained, tmp_path, capsys):
    del trained
    command = ["train", folder / "clips", "-o", tmp_path / "m.keras", "--encoder", folder / "encoder.keras"]
    more = ["--frames", "5", "--windows-per-clip", "2", "--no-augment", "--cache", folder / "cache"]
    assert main([str(each) for each in (*command, *more, "--folds", "2", "--group-by", r"^([a-z]+)_", "--json")]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["low"] <= printed["accuracy"] <= printed["high"]
    assert [set(fold) >= {"accuracy", "low", "high", "groups", "method"} for fold in printed["folds"]] == [True, True]
    assert set(printed["groups"]) == {"ann", "bob"}
    assert printed["seconds"] > 0
    assert printed["cached"] == 18
    assert "Wrote" in err
    assert zipfile.is_zipfile(tmp_path / "m.keras")


def test_the_command_prints_the_worst_group_first_and_what_was_chosen(folder, trained, tmp_path, capsys):
    command = ["train", folder / "clips", "-o", tmp_path / "m.keras", "--encoder", folder / "encoder.keras"]
    more = ["--frames", "5", "--windows-per-clip", "2", "--no-augment", "--cache", folder / "cache"]
    assert main([str(each) for each in (*command, *more, "--folds", "groups", "--group-by", "subject")]) == 0
    out = capsys.readouterr().out
    worst = next(iter(trained.cross_validation.groups))
    assert out.index(worst) < out.index(next(name for name in ("ann", "bob") if name != worst))
    assert "held-out accuracy" in out
    assert "log loss on inner folds" in out
    assert f"chosen: {','.join(trained.transfer.streams)} + {trained.transfer.head}" in out


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"epochs": 3}, "--epochs"),
        ({"size": (32, 32)}, "--size"),
        ({"streams": "frames", "encoder": "small"}, "--streams"),
        ({"head": "gru", "encoder": "small"}, "--head"),
        ({"folds": 1}, "folds"),
        ({"loss": "last", "head": "stats"}, "--loss"),
        ({"encoder": "efficientnet-lite0", "range": (0.0, 255.0)}, "--range"),
        ({"folds": "groups", "group_by": "none"}, "--group-by"),
        ({"folds": 0, "learning_curve": True}, "--learning-curve on"),
        ({"folds": None, "learning_curve": True, "encoder": "small", "cache": None}, "--learning-curve on"),
    ],
)
def test_options_of_the_other_kind_of_encoder_are_refused(folder, changes, word):
    with pytest.raises(UsageError, match=word):
        options(folder, **changes)


@pytest.mark.parametrize("changes", [{"streams": "sound"}, {"head": "linear"}, {"streams": "frames,frames"}])
def test_unknown_streams_and_heads_are_refused(folder, tmp_path, changes):
    with pytest.raises(UsageError):
        train(folder / "clips", tmp_path / "m.keras", options=options(folder, **changes))


def listed(folder, path, rows):
    """A list with a split; `rows` maps a clip to it."""
    lines = [f"{folder / 'clips' / name},{name.partition('/')[0]},{split}" for name, split in rows.items()]
    path.write_text("\n".join(["path,label,split", *lines, ""]))
    return path


def test_a_stated_split_is_the_one_fold_and_its_test_clips_are_not_learned(folder, trained, tmp_path):
    del trained
    names = sorted(str(path.relative_to(folder / "clips")) for path in (folder / "clips").rglob("*.avi"))
    held = {name: "test" if "ann" in name else "train" for name in names}
    free = options(folder, group_by="none", folds=None)
    stated = train(listed(folder, tmp_path / "s.csv", held), tmp_path / "s.keras", options=free)
    assert stated.cross_validation is not None
    assert len(stated.cross_validation.folds) == 1
    assert stated.cross_validation.score.clips == 9
    # All clips calibrate the encoder's grids in both runs; only who is learned from differs.
    reverse = {name: "train" if split == "test" else "test" for name, split in held.items()}
    other = train(listed(folder, tmp_path / "r.csv", reverse), tmp_path / "r.keras", options=free)
    weights = [each.model.get_weights()[-2] for each in (stated, other)]
    assert not np.array_equal(*weights)


def test_folds_beside_a_stated_split_are_refused(folder, tmp_path):
    names = ["left/ann_1.avi", "left/bob_0.avi", "right/ann_1.avi", "right/bob_0.avi"]
    rows = {name: "test" if "ann" in name else "train" for name in names}
    rows |= {"left/bob_2.avi": "train", "right/bob_2.avi": "train"}
    with pytest.raises(UsageError, match="states its split"):
        train(
            listed(folder, tmp_path / "s.csv", rows),
            tmp_path / "m.keras",
            options=options(folder, group_by="none", folds=2),
        )


def test_copies_in_two_groups_are_refused_with_both_names(folder, tmp_path):
    root = write_moving(tmp_path / "clips", 6)
    (root / "left" / "cy_9.avi").write_bytes((root / "left" / "ann_1.avi").read_bytes())
    with pytest.raises(ClipsError, match=r"ann_1\.avi.*cy_9\.avi"):
        train(root, tmp_path / "m.keras", options=options(folder, folds=2))
    assert not (tmp_path / "m.keras").exists()
    made = train(root, tmp_path / "m.keras", options=options(folder, folds=2, allow_duplicates=True))
    assert made.cross_validation is not None


def test_unreadable_clips_are_counted_beside_all_and_short_ones_named(folder, tmp_path, capsys):
    root = write_moving(tmp_path / "clips", 3)
    (root / "left" / "ann_broken.avi").write_bytes(b"RIFF no video")
    command = ["train", root, "-o", tmp_path / "m.keras", "--encoder", folder / "encoder.keras", "--frames", "20"]
    more = ["--windows-per-clip", "2", "--cache", tmp_path / "cache"]
    for _ in ("encoded", "from the cache"):
        assert main([str(each) for each in (*command, *more)]) == 0
        err = capsys.readouterr().err
        assert "Skipped 1 of 10 clips." in err
        assert "9 of 9 clips are shorter than the window." in err


def test_a_class_without_a_readable_clip_is_an_error(folder, tmp_path):
    root = write_moving(tmp_path / "clips", 3)
    for path in (root / "right").iterdir():
        path.write_bytes(b"RIFF no video")
    with pytest.raises(ClipsError, match=r"none of right.*right/"):
        train(root, tmp_path / "m.keras", options=options(folder, group_by="none", folds=2))


def test_a_listed_file_that_is_gone_is_skipped_with_its_line(folder, tmp_path):
    rows = [f"{folder / 'clips' / label / f'{who}.avi'},{label}" for label in CLASSES for who in ("ann_1", "bob_0")]
    (tmp_path / "l.csv").write_text("\n".join(["path,label", *rows, "gone.avi,left", ""]))
    seen = []
    free = options(folder, group_by="none", folds=2)
    train(tmp_path / "l.csv", tmp_path / "m.keras", options=free, on_clips=seen.append)
    assert [path.name for path, _ in seen[0].skipped] == ["gone.avi"]
    assert "line 8" in seen[0].skipped[0][1]


@pytest.mark.parametrize(("group_by", "folds"), [("subject", 2), ("none", 5)])
def test_without_a_number_there_are_as_many_folds_as_groups_or_clips_allow(folder, trained, tmp_path, group_by, folds):
    del trained
    made = train(folder / "clips", tmp_path / "m.keras", options=options(folder, group_by=group_by, folds=None))
    assert made.cross_validation is not None
    assert len(made.cross_validation.folds) == folds


def test_a_report_has_the_learning_curve_and_the_answers_of_the_result(folder, trained, tmp_path):
    del trained
    page = tmp_path / "training.html"
    made = train(folder / "clips", tmp_path / "m.keras", options=options(folder, report=page))
    curve = made.cross_validation.curve
    # Six clips a class are nine of a fold's eighteen, three of each class.
    assert [each.clips_per_class for each in curve.points] == [2, 3]
    assert curve.points[-1].score == made.cross_validation.score
    text = page.read_text(encoding="utf-8")
    correct = sum(each.answer == each.truth for each in made.evaluation.predictions)
    assert f"Right on {correct} of 18 clips" in text
    assert text.count('<img alt="frame ') >= 5 * 5
    assert "edgevid train" not in text


def test_fewer_clips_of_each_class_are_learned_from_in_each_fold(folder, trained, monkeypatch):
    assert trained.cross_validation.curve is None
    counts, real = [], Chooser.choose

    def watched(chooser, clips):
        counts.append(len(clips))
        return real(chooser, clips)

    monkeypatch.setattr(Chooser, "choose", watched)
    made = train(folder / "clips", folder / "c.keras", options=options(folder, learning_curve=True, head="mean"))
    # All clips, two folds of three clips of each class, and the same with two of each.
    assert counts == [18, 9, 9, 6, 6]
    fewest = made.cross_validation.curve.points[0]
    assert (fewest.clips_per_class, fewest.score.clips) == (2, 18)


def test_a_head_that_learns_by_epochs_has_a_history_and_a_linear_one_none(folder, trained):
    assert trained.history == ()
    made = train(folder / "clips", folder / "g.keras", options=options(folder, head="gru", streams="frames", folds=0))
    assert [epoch.number for epoch in made.history] == list(range(1, made.history[0].of + 1))
    assert made.history[-1].loss < made.history[0].loss


def test_the_command_writes_the_page_with_its_own_line_and_the_curve_as_json(folder, trained, tmp_path, capsys):
    del trained
    page = tmp_path / "training.html"
    command = ["train", folder / "clips", "-o", tmp_path / "m.keras", "--encoder", folder / "encoder.keras"]
    more = ["--frames", "5", "--windows-per-clip", "2", "--no-augment", "--cache", folder / "cache", "--head", "stats"]
    last = ["--folds", "groups", "--group-by", "subject", "--report", page, "--json"]
    assert main([str(each) for each in (*command, *more, *last)]) == 0
    out, err = capsys.readouterr()
    curve = json.loads(out)["learning_curve"]
    assert [each["clips_per_class"] for each in curve["points"]] == [2, 3]
    assert curve["points"][-1]["accuracy"] == json.loads(out)["accuracy"]
    assert (curve["last"]["before"], curve["last"]["after"]) == (2, 3)
    assert (curve["ten_more"]["before"], curve["ten_more"]["after"]) == (3, 13)
    assert f"and {page}" in err
    assert page.exists()
