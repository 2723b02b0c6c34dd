"""What a model sees of clips: a part, which the model carries and no one has to repeat."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgevid
from convert import EvaluateOptions, Options, TrainOptions, evaluate
from convert.clips import ClipRef, Reading, clip_frames, decode, decode_all, find_clips
from convert.commands.options import options_from
from convert.interface.contract import resolve_framing
from convert.options import FramingOptions
from convert.transfer.encoding.windows import clip_digest
from edgevid import bundle, cli
from edgevid.bundle.framing import PLAIN, Framing, FramingChoice
from edgevid.errors import AssetError, SourceError, UsageError
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.region import Region
from tests.convert.stream_evaluation.gestures import shipped
from tests.keypoint_files import write_person

LEFT = (0.0, 0.0, 0.5, 1.0)
SIDE_PX = 32
SPEC = InputSpec(height=12, width=12, channels=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips as pictures: "plain" ones, and "wide" ones with something else beside them."""
    root, random = tmp_path_factory.mktemp("framed"), np.random.default_rng(7)
    for label in ("circle_ccw", "wave"):
        for index in range(30):
            picture = random.integers(0, 256, (SIDE_PX, 2 * SIDE_PX, 3), np.uint8)
            for kind, width in (("wide", 2 * SIDE_PX), ("plain", SIDE_PX)):
                path = root / kind / label / "clip" / f"{index:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), picture[:, :width])
    return root


@pytest.fixture(scope="module")
def framed(folder: Path) -> Path:
    """The bundle that ships, as if its training had seen the left half."""
    original = shipped()
    manifest = dataclasses.replace(original.manifest, framing=Framing(box=LEFT))
    bundle.write(dataclasses.replace(original, manifest=manifest), folder / "left.edgevid")
    return folder / "left.edgevid"


def test_a_clip_is_decoded_as_one_that_shows_nothing_else(folder: Path) -> None:
    wide, plain = (folder / kind / "wave" / "clip" for kind in ("wide", "plain"))
    part = decode(ClipRef(wide, framing=Framing(box=LEFT)), SPEC)
    np.testing.assert_array_equal(part.frames, decode(ClipRef(plain), SPEC).frames)
    assert not np.array_equal(part.frames, decode(ClipRef(wide), SPEC).frames)
    turned = Framing(rotate=90, flip="horizontal", box=LEFT, masks=((0.0, 0.0, 0.5, 0.0, 0.5, 0.5, 0.0, 0.5),))
    first, seen = (next(iter(clip_frames(ClipRef(wide, framing=each), "frames"))) for each in (PLAIN, turned))
    wanted = np.rot90(first.data, -1)[:, ::-1][:, : SIDE_PX // 2].copy()
    wanted[SIDE_PX:] = 0
    np.testing.assert_array_equal(seen.data, wanted)


def test_all_clips_of_a_folder_have_the_part_that_was_asked_for(folder: Path) -> None:
    framing = Framing(box=LEFT)
    assert {ref.framing for ref in find_clips(folder / "wide", reading=Reading(framing=framing))} == {framing}
    assert {ref.framing for ref in find_clips(folder / "wide")} == {PLAIN}


def test_features_on_disk_are_of_one_part_alone(folder: Path) -> None:
    framings = [
        PLAIN,
        Framing(box=LEFT),
        Framing(box=(0.5, 0.0, 0.5, 1.0)),
        Framing(box=LEFT, masks=((0.0, 0.0, 1.0, 0.0, 1.0, 1.0),)),
        Framing(rotate=90),
        Framing(flip="both"),
        Framing(follow="person"),
    ]
    digests = {clip_digest(ClipRef(folder, framing=each), "content") for each in framings}
    assert len(digests) == len(framings)


@pytest.mark.slow
def test_evaluation_needs_no_option_and_an_option_wins(folder: Path, framed: Path) -> None:
    def scores(kind: str, **chosen: object) -> list[tuple[float, ...]]:
        options = EvaluateOptions(fps=10.0, **chosen)  # type: ignore[arg-type]
        return [tuple(each.scores) for each in evaluate(framed, folder / kind, options=options).predictions]

    whole = (0.0, 0.0, 1.0, 1.0)
    assert scores("wide") == scores("plain", region=whole) != scores("wide", region=whole)
    # Nothing is recorded by a measurement, so pixels are legal.
    assert scores("wide", region=(0, 0, SIDE_PX, SIDE_PX)) == scores("wide")


def test_the_command_says_what_is_seen_as_in_training(
    folder: Path, framed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(framed), str(folder / "wide"), "--fps", "10"]
    for more, is_said in (([], True), (["--region", "0.0,0.0,0.5,1.0"], False)):
        assert cli.main([*words, *more]) == 0
        said = "pictures are seen as in training: --region 0.0,0.0,0.5,1.0" in capsys.readouterr().err
        assert said == is_said


def test_each_option_that_is_given_wins_over_that_of_the_training() -> None:
    trained = Framing(rotate=90, box=LEFT, masks=((0.0, 0.0, 1.0, 0.0, 1.0, 1.0),), follow="person")
    assert FramingOptions().framing.over(trained) == trained
    assert FramingOptions(rotate=0, follow="none").framing.over(trained) == Framing(box=LEFT, masks=trained.masks)
    assert FramingOptions(region=(0.0, 0.0, 1.0, 1.0)).framing.over(trained).masks == ()
    assert FramingOptions(mask=trained.masks).framing.over(trained).box is None
    assert FramingOptions(flip="both").framing.left_to(trained) == trained
    chosen = FramingChoice(rotate=180, flip="none", region=Region(), follow="none")
    assert chosen.left_to(trained) == PLAIN
    assert resolve_framing(Options(), None) == PLAIN
    assert str(trained) == "--rotate 90 --region 0.0,0.0,0.5,1.0 --mask 0.0,0.0,1.0,0.0,1.0,1.0 --follow person"


@pytest.mark.parametrize("kind", [Options, EvaluateOptions, FramingOptions])
def test_the_words_of_a_command_become_its_options(kind: type[FramingOptions]) -> None:
    import argparse

    from convert.commands.stream_options import add_framing

    parser = argparse.ArgumentParser()
    add_framing(parser)
    words = ["--rotate", "270", "--flip", "vertical", "--region", "0.1,0.1,0.8,0.8", "--mask", "0,0,9,0,0,9"]
    framing = options_from(parser.parse_args([*words, "--follow", "person"]), kind).framing.over(PLAIN)
    assert framing == Framing(
        rotate=270, flip="vertical", box=(0.1, 0.1, 0.8, 0.8), masks=((0, 0, 9, 0, 0, 9),), follow="person"
    )
    assert options_from(parser.parse_args([]), kind).framing.over(framing) == framing


def test_a_training_takes_no_pixels_which_another_camera_has_more_or_fewer_of() -> None:
    assert TrainOptions(region=LEFT).framing == Framing(box=LEFT)
    for pixels in ({"region": (0, 0, 32, 32)}, {"mask": ((0, 0, 9, 0, 0, 9),)}):
        with pytest.raises(UsageError, match=r"Expected shares of the picture in .* which are pixels. Write them with"):
            TrainOptions(**pixels)  # type: ignore[arg-type]


def test_rows_and_pictures_that_are_too_small_have_no_part(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(UsageError, match="Expected pictures to turn or cut, got rows of features"):
        next(iter(clip_frames(ClipRef(tmp_path / "rows.npy", framing=Framing(box=LEFT)), "features")))
    small = ClipRef(folder / "plain" / "wave" / "clip", framing=Framing(box=(0.0, 0.0, 0.1, 1.0)))
    with pytest.raises(SourceError, match="Expected a region of at least 8 px a side"):
        next(iter(clip_frames(small, "frames")))


@pytest.mark.usefixtures("keypoint_files")
def test_a_person_is_followed_in_clips_as_on_the_device(tmp_path: Path) -> None:
    person = Framing(follow="person")
    manifest = dataclasses.replace(shipped().manifest, framing=person)
    bundle.write(dataclasses.replace(shipped(), manifest=manifest), tmp_path / "person.edgevid")
    video = write_person(tmp_path / "clips" / "wave" / "clip.avi", count=30, step_px=4)
    (evaluated,) = evaluate(tmp_path / "person.edgevid", tmp_path / "clips").predictions
    model = edgevid.load(tmp_path / "person.edgevid")
    assert model.classify(video).probabilities == pytest.approx(evaluated.scores, abs=1e-6)
    assert model.classify(video, follow="none").scores != model.classify(video).scores
    shapes = [each.data.shape for each in clip_frames(ClipRef(video, framing=person), "frames")]
    assert all(height == width for height, width, _ in shapes)
    again = [each.data.shape for each in clip_frames(ClipRef(video, framing=person), "frames")]
    assert again == shapes


def test_a_network_that_is_missing_ends_the_work_and_names_its_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path))
    clip = ClipRef(folder / "wide" / "wave" / "clip", "wave", framing=Framing(follow="person"))
    # Not a clip to skip: all would be.
    with pytest.raises(AssetError, match=r"pose_detection.tflite.* Run: edgevid fetch keypoints."):
        decode_all([clip], SPEC)
