"""`edgevid train --mine`: false alarms in long recordings become background, and never those of held-out groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions, evaluate_streams, train
from convert.clips import ClipRef
from convert.training.fit import TrainedModel
from convert.transfer import stream_features
from convert.transfer.candidates import Chooser
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.library import ClipLibrary
from convert.transfer.stream_features import RecordedFeatures
from edgevid.cli import main
from edgevid.errors import EdgevidError, TruthError, UsageError
from tests.clips.moving import write_moving
from tests.clips.videos import CODECS
from tests.convert.transfer.encoders import save_encoder

pytestmark = pytest.mark.tf
STEPS = {"left": (0, -2), "right": (0, 2), "still": (0, 0), "up": (-2, 0)}
# No clip shows what goes up, so a head takes it for a class that moves.
DAY = (
    ("still", 4),
    ("up", 3),
    ("still", 4),
    ("left", 3),
    ("still", 4),
    ("up", 3),
    ("still", 4),
    ("right", 3),
    ("still", 4),
)
EVENTS = (("left", 11, 14), ("right", 25, 28))


def write_stream(path: Path, parts: Sequence[tuple[str, int]] = DAY) -> Path:
    """A video of a block that moves as it is told, at ten frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[".avi"]), 10.0, (32, 32))
    place = np.array([10, 12])
    for step in (STEPS[name] for name, seconds in parts for _ in range(10 * seconds)):
        place = (place + step) % 32
        frame = np.full((32, 32, 3), 40, np.uint8)
        frame[np.ix_((place[0] + np.arange(8)) % 32, (place[1] + np.arange(8)) % 32)] = 220
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of two subjects, an encoder, and a recording of each subject."""
    root = tmp_path_factory.mktemp("mining")
    write_moving(root / "clips", 6)
    save_encoder(root / "encoder.keras")
    (root / "streams").mkdir()
    rows = ["path,label,start_s,end_s,group"]
    for who in ("ann", "bob"):
        write_stream(root / "streams" / f"{who}_day.avi")
        rows += [f"{who}_day.avi,{label},{start_s},{end_s},{who}" for label, start_s, end_s in EVENTS]
    (root / "events.csv").write_text("\n".join(rows) + "\n")
    return root


def write_list(folder: Path, path: Path, *, held_out: str = "nobody") -> Path:
    """List the clips with their groups, and hold those of one subject out."""
    rows = [
        f"{clip},{clip.parent.name},{'val' if clip.name.startswith(held_out) else 'train'},{clip.name[:3]}"
        for clip in sorted((folder / "clips").rglob("*.avi"))
    ]
    path.write_text("path,label,split,group\n" + "\n".join(rows) + "\n")
    return path


def write_days(folder: Path) -> Path:
    """List the events of the recordings as clips."""
    rows = [
        f"streams/{who}_day.avi,{label},{start},{end},{who}" for who in ("ann", "bob") for label, start, end in EVENTS
    ]
    path = folder / "days.csv"
    path.write_text("path,label,start_s,end_s,group\n" + "\n".join(rows) + "\n")
    return path


def is_away_from_events(ref: ClipRef) -> bool:
    """Whether a clip is half a second away from each event at least."""
    part = ref.segment
    return part is not None and all(part.end_s <= start - 0.5 or part.start_s >= end + 0.5 for _, start, end in EVENTS)


def options(folder: Path, **changes: object) -> TrainOptions:
    usual: dict[str, object] = {
        "encoder": str(folder / "encoder.keras"),
        "streams": "frames",
        "head": "stats",
        "frames": 5,
        "augment": False,
        "group_by": "subject",
        "folds": 0,
        "cache": folder / "cache",
        "background": "still",
        "mine": folder / "streams",
        "truth": folder / "events.csv",
    }
    return TrainOptions(**(usual | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mined(folder: Path) -> TrainedModel:
    return train(folder / "clips", folder / "mined.keras", options=options(folder))


@pytest.fixture
def clips_mined(monkeypatch: pytest.MonkeyPatch) -> list[ClipRef]:
    """The false alarms that become clips, as they are encoded."""
    seen: list[ClipRef] = []
    read = ClipLibrary.read_more

    def spy(library: ClipLibrary, bank: FeatureBank, refs: Sequence[ClipRef]) -> FeatureBank:
        seen.extend(refs)
        return read(library, bank, refs)

    monkeypatch.setattr(ClipLibrary, "read_more", spy)
    return seen


def test_the_written_model_has_fewer_false_alarms_and_finds_as_many_events(folder: Path, mined: TrainedModel) -> None:
    del mined
    train(folder / "clips", folder / "plain.keras", options=options(folder, mine=None, truth=None))
    plain, better = (
        evaluate_streams(folder / f"{name}.keras", folder / "streams", folder / "events.csv").metrics
        for name in ("plain", "mined")
    )
    assert plain.false_alarms.spurious >= 8
    assert better.false_alarms.spurious <= plain.false_alarms.spurious / 3
    assert better.recall.hits >= plain.recall.hits


def test_each_round_says_how_many_false_alarms_an_hour_there_were(mined: TrainedModel) -> None:
    assert mined.transfer is not None
    rounds = mined.transfer.mining
    assert [each.number for each in rounds] == list(range(len(rounds)))
    assert 2 <= len(rounds) <= 3
    assert (rounds[0].watched.recordings, rounds[0].watched.events) == (2, 4)
    assert rounds[0].watched.hours == pytest.approx(64 / 3600, rel=0.02)
    assert rounds[0].watched.per_hour == pytest.approx(rounds[0].watched.false_alarms / rounds[0].watched.hours)
    assert rounds[0].mined >= 4
    assert rounds[-1].mined == 0
    assert rounds[-1].watched.false_alarms < rounds[0].watched.false_alarms / 2
    assert str(rounds[0]).startswith(f"before mining: {rounds[0].watched.false_alarms} false alarms in 0.0178 h: ")
    assert f"; {rounds[0].mined} become background" in str(rounds[0])
    assert rounds[0].kept_out is None


def test_only_what_is_away_from_every_event_becomes_background(folder: Path, clips_mined: list[ClipRef]) -> None:
    train(folder / "clips", folder / "again.keras", options=options(folder, mine_rounds=1))
    assert len(clips_mined) >= 4
    for ref in clips_mined:
        assert ref.label == "still"
        assert ref.segment is not None
        assert ref.segment.end_s - ref.segment.start_s >= 0.4
        assert is_away_from_events(ref)
    ups = [(4, 7), (18, 21)]
    near = [
        any(ref.segment.end_s > start and ref.segment.start_s < end for start, end in ups)
        for ref in clips_mined
        if ref.segment
    ]
    assert sum(near) >= len(near) / 2


def test_no_two_mined_clips_share_a_frame(folder: Path, clips_mined: list[ClipRef]) -> None:
    train(folder / "clips", folder / "again.keras", options=options(folder, mine_rounds=3))
    for who in ("ann", "bob"):
        parts = sorted(
            (ref.segment.start_s, ref.segment.end_s) for ref in clips_mined if ref.group == who and ref.segment
        )
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(parts))


def test_recordings_of_held_out_groups_are_watched_and_not_mined(folder: Path, clips_mined: list[ClipRef]) -> None:
    made = train(
        write_list(folder, folder / "split.csv", held_out="ann"),
        folder / "split.keras",
        options=options(folder, folds=None, group_by="none"),
    )
    assert {ref.group for ref in clips_mined} == {"bob"}
    assert made.transfer is not None
    first = made.transfer.mining[0]
    assert first.kept_out is not None
    assert (first.watched.recordings, first.kept_out.recordings) == (1, 1)
    assert "In recordings that are not mined, " in str(first)


def test_a_fold_learns_from_no_false_alarm_of_the_group_that_it_holds_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[list[ClipRef]] = []
    fit = Chooser.fit

    def spy(chooser: Chooser, candidate: object, clips: np.ndarray) -> object:
        learned.append([chooser._bank.refs[index] for index in clips])
        return fit(chooser, candidate, clips)  # type: ignore[arg-type]

    monkeypatch.setattr(Chooser, "fit", spy)
    made = train(folder / "clips", folder / "folds.keras", options=options(folder, folds="groups"))
    # The last heads are those of the folds, after their inner folds, which know no mined clip.
    mined_of = [{ref.group for ref in refs if ref.origin} for refs in learned]
    given_of = [{ref.group for ref in refs if not ref.origin} for refs in learned]
    folds = [(mined, given) for mined, given in zip(mined_of, given_of, strict=True) if mined and len(given) == 1]
    assert folds == [({"bob"}, {"bob"}), ({"ann"}, {"ann"})]
    assert made.cross_validation is not None
    assert made.cross_validation.score.clips == 18


def test_without_truth_the_segments_of_the_list_are_events(folder: Path, clips_mined: list[ClipRef]) -> None:
    made = train(
        write_days(folder), folder / "days.keras", options=options(folder, truth=None, group_by="none", mine_rounds=1)
    )
    assert made.transfer is not None
    assert made.transfer.mining[0].watched.events == 4
    assert all(is_away_from_events(ref) for ref in clips_mined)


def test_what_the_list_names_is_no_background_even_if_the_truth_does_not_name_it(
    folder: Path, tmp_path: Path, clips_mined: list[ClipRef]
) -> None:
    truth = tmp_path / "nothing.csv"
    truth.write_text("path,label,start_s,end_s,group\nann_day.avi,,,,ann\nbob_day.avi,,,,bob\n")
    made = train(
        write_days(folder),
        tmp_path / "days.keras",
        options=options(folder, truth=truth, group_by="none", mine_rounds=1),
    )
    assert made.transfer is not None
    first = made.transfer.mining[0].watched
    # It finds what it learned, for which the truth has nothing.
    assert (first.events, first.false_alarms >= 2) == (0, True)
    assert all(is_away_from_events(ref) for ref in clips_mined)


def test_a_second_run_reads_recordings_from_disk(
    folder: Path, mined: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> Callable[[Path], object]:
        raise AssertionError("a recording was encoded again")

    monkeypatch.setattr(stream_features, "keras_watch", fail)
    again = train(folder / "clips", folder / "again.keras", options=options(folder))
    assert again.transfer is not None and mined.transfer is not None
    assert again.transfer.mining == mined.transfer.mining


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Path, object]]]:
    """What heads answered to recordings, in order."""
    seen: list[tuple[Path, object]] = []
    answers = RecordedFeatures.answers

    def spy(features: RecordedFeatures, path: Path, head: object) -> object:
        trace = answers(features, path, head)  # type: ignore[arg-type]
        seen.append((path, trace))
        return trace

    monkeypatch.setattr(RecordedFeatures, "answers", spy)
    yield seen


@pytest.mark.parametrize("streams", ["frames", "differences", "frames,differences"])
def test_a_head_watches_the_frames_that_the_model_would_watch(
    folder: Path, traces: list[tuple[Path, object]], streams: str
) -> None:
    train(folder / "clips", folder / "watch.keras", options=options(folder, streams=streams))
    result = evaluate_streams(folder / "watch.keras", folder / "streams", folder / "events.csv")
    (path, last), each = traces[-1], result.recordings[-1]
    assert path.name == each.name
    np.testing.assert_array_equal(last.times_s, each.trace.times_s)  # type: ignore[attr-defined]
    # The encoder of the training is the device's, in int8.
    assert np.abs(last.scores - each.trace.scores).mean() < 0.05  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background": None}, r"--background LABEL with --mine"),
        ({"mine": None}, r"--mine DIR with options of its recordings, got '--truth'"),
        ({"mine_rounds": 0}, r"--mine-rounds of at least 1, got 0"),
        ({"encoder": "small", "streams": "auto", "head": "auto", "cache": None}, r"no --mine with --encoder small"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        options(folder, **changes)


def test_check_does_not_ignore_recordings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["train", str(folder / "clips"), "--check", "--encoder", str(folder / "encoder.keras")]
    assert main([*asked, "--background", "still", "--mine", str(folder / "streams")]) == 2
    assert "no --mine with --check" in capsys.readouterr().err.strip().splitlines()[-1]


def refused(folder: Path, kind: type[EdgevidError], message: str, **changes: object) -> None:
    with pytest.raises(kind, match=message):
        train(folder / "clips", folder / "none.keras", options=options(folder, **changes))
    assert not (folder / "none.keras").exists()


def test_recordings_that_cannot_be_mined_are_refused_before_anything_is_encoded(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "empty").mkdir()
    refused(folder, TruthError, r"recordings for --mine, got none in .*empty", mine=tmp_path / "empty", truth=None)
    refused(folder, TruthError, r"recordings apart from the clips.*a clip of 'left'", mine=folder / "clips", truth=None)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("path,label,start_s,end_s\nann_day.avi,lift,1,2\nbob_day.avi,,,\n")
    refused(folder, TruthError, r"labels of the model, one of left, right, still, got 'lift'", truth=wrong, cache=cache)
    assert not cache.exists()


def test_a_recording_whose_group_is_unknown_is_refused_where_groups_are_held_out(folder: Path, tmp_path: Path) -> None:
    clips = write_list(folder, tmp_path / "clips.csv")
    truth = tmp_path / "events.csv"
    truth.write_text("path,label,start_s,end_s\nann_day.avi,,,\nbob_day.avi,,,\n")
    with pytest.raises(TruthError, match=r"a group of each recording for --mine.*none of .*ann_day\.avi"):
        train(clips, tmp_path / "m.keras", options=options(folder, group_by="none", folds=2, truth=truth))


def test_recordings_of_held_out_groups_alone_are_refused(folder: Path, tmp_path: Path) -> None:
    clips = write_list(folder, tmp_path / "clips.csv", held_out="ann")
    truth = tmp_path / "events.csv"
    truth.write_text("path,label,start_s,end_s,group\nann_day.avi,,,,ann\nbob_day.avi,,,,ann\n")
    with pytest.raises(TruthError, match="a recording for --mine of another group and file than the held-out clips"):
        train(clips, tmp_path / "m.keras", options=options(folder, folds=None, group_by="none", truth=truth))
