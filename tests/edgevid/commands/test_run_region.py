"""`edgevid run` and the Python API on a region of the picture."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import edgevid
from edgevid import cli
from edgevid.bundle.framing import Framing
from edgevid.capture.source import ClosingSource
from edgevid.errors import DeploymentError, SourceError, UsageError
from edgevid.frames import Frame, Pixels
from edgevid.frames.cropping import Cropper
from edgevid.frames.region import Region
from edgevid.lane import Lane
from edgevid.outputs.web.region_file import RegionFile
from edgevid.pipeline import Pipeline
from tests.clips.videos import write_video
from tests.edgevid.capture.test_oriented import FakeCamera
from tests.models.bundles import features_manifest, window_manifest
from tests.streams import engine_for

BOX = (0.25, 0.125, 0.5, 0.75)
TRIANGLE = (0.3, 0.2, 0.7, 0.2, 0.5, 0.8)


class Pictures(ClosingSource):
    """Pictures of one's own, at the interval of the model that ships."""

    live = False
    name = "pictures"

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = pictures

    def frames(self) -> Iterator[Frame]:
        for index, pixels in enumerate(self.pictures):
            yield Frame(np.ascontiguousarray(pixels), "bgr", index * 100_000_000, index)


@pytest.fixture(scope="module")
def model() -> edgevid.Model:
    return edgevid.load(edgevid.DEMO)


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    return list(np.random.default_rng(1).integers(0, 256, (24, 120, 160, 3), np.uint8))


def scores(model: edgevid.Model, pictures: Sequence[Pixels], **options: object) -> list[list[float]]:
    return [each.scores for each in model.watch(Pictures(pictures), **options)]  # type: ignore[arg-type]


def test_a_model_sees_the_region_as_if_the_camera_showed_nothing_else(
    model: edgevid.Model, pictures: list[Pixels]
) -> None:
    cut = [each[15:105, 40:120] for each in pictures]
    wanted = scores(model, cut)
    assert wanted
    assert scores(model, pictures, region=BOX) == wanted == scores(model, pictures, region="40,15,80,90")
    assert scores(model, pictures) != wanted


def test_pictures_are_turned_and_flipped_before_the_region_is_cut(model: edgevid.Model, pictures: list[Pixels]) -> None:
    turned = [np.rot90(each, -1)[:, ::-1] for each in pictures]
    # A corner, so that no other order gives the same part.
    cut = [each[0:80, 0:60] for each in turned]
    assert scores(model, pictures, rotate=90, flip="horizontal", region=(0, 0, 60, 80)) == scores(model, cut)


def test_a_mask_blackens_the_rest_in_the_turned_picture(model: edgevid.Model, pictures: list[Pixels]) -> None:
    upside_down = [each[::-1, ::-1].copy() for each in pictures]
    for each in upside_down:
        each[:, 80:] = 0
    mask = Region(masks=[(0.0, 0.0, 0.5, 0.0, 0.5, 1.0, 0.0, 1.0)])
    assert scores(model, pictures, rotate=180, region=mask) == scores(model, upside_down)


def test_a_stream_and_a_clip_are_cut_as_a_run_is(model: edgevid.Model, pictures: list[Pixels], tmp_path: Path) -> None:
    region = Region(box=BOX, masks=[TRIANGLE])
    wanted = scores(model, pictures, region=region)
    with model.stream(region=region) as stream:
        pushed = [stream.push(each, t_s=index / 10) for index, each in enumerate(pictures)]
    assert [each.scores for each in pushed if each is not None] == wanted
    video = write_video(tmp_path / "clip.avi", count=60)
    assert model.classify(video, region=region).scores != model.classify(video).scores
    whole = Region(box=(0.0, 0.0, 1.0, 1.0))
    assert model.classify(video, region=whole).scores == model.classify(video).scores


class Seen:
    """Keeps the frames that a tap gets."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def saw(self, frame: Frame) -> None:
        self.shapes.append(frame.data.shape)


def test_another_region_begins_a_new_window_and_taps_see_whole_pictures() -> None:
    lane, cropper, seen = Lane(engine_for()), Cropper(Region(box=(0, 0, 8, 8)), may_move=True), Seen()
    lane.look_at(cropper)
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 16:] = 2
    labels: list[tuple[int, str]] = []

    class Labels(edgevid.QuietOutput):
        def decided(self, decision: edgevid.Decision) -> None:
            labels.append((round(decision.t_s * 10), decision.label))

    pipeline = Pipeline(lane, Pictures([pixels] * 14), [Labels()], taps=[seen])
    for number, _ in enumerate(pipeline.steps()):
        if number == 6:
            cropper.region = Region(box=(16, 0, 8, 8))
    names = lane.engine.bundle.manifest.labels
    # Seven frames with windows of four; the seven after the move give their first answer at the fourth.
    assert labels == [*((at, names[0]) for at in range(3, 7)), *((at, names[2]) for at in range(10, 14))]
    assert set(seen.shapes) == {(16, 32, 3)}


def test_several_models_see_the_same_region(pictures: list[Pixels]) -> None:
    first, second = edgevid.load(edgevid.DEMO), edgevid.load(edgevid.DEMO)
    second.bundle = first.bundle
    wanted = scores(first, [each[15:105, 40:120] for each in pictures])
    lanes = []
    for name, each in (("a", first), ("b", second)):
        with each.lent_lane() as lane:
            lane.name = name
            lanes.append(lane)
    cropper = Cropper(Region(box=BOX))
    for lane in lanes:
        lane.look_at(cropper)
    collected = edgevid.Collector()
    Pipeline(lanes, Pictures(pictures), [collected]).run()
    for name in ("a", "b"):
        assert [each.scores for each in collected.decisions if each.model == name] == wanted


def test_the_command_and_a_configuration_file_take_region_and_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["run", str(edgevid.DEMO), "--source", "synthetic:5", "--max-frames", "40", "--json"]
    outputs = []
    config = tmp_path / "run.toml"
    config.write_text('region = "0.1,0.1,0.8,0.8"\nmask = ["0.1,0.1,0.9,0.1,0.5,0.9"]\n')
    kept = tmp_path / "region.toml"
    RegionFile(kept).write(Region(box=(0.1, 0.1, 0.8, 0.8), masks=[(0.1, 0.1, 0.9, 0.1, 0.5, 0.9)]))
    for words in (
        ["--region", "0.1,0.1,0.8,0.8", "--mask", "0.1,0.1,0.9,0.1,0.5,0.9"],
        ["--config", str(config)],
        ["--region-file", str(kept)],
        ["--region-file", str(tmp_path / "none.toml")],
        [],
    ):
        assert cli.main([*base, *words]) == 0
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        outputs.append([each["scores"] for each in lines if "scores" in each])
    assert outputs[0] == outputs[1] == outputs[2] != outputs[3] == outputs[4]


REJECTED = {
    "no numbers": (["--region", "left"], "Expected numbers of at least 0 with commas between them"),
    "no width": (["--region", "0.5,0.5,0,0.5"], "Expected a region with a width and a height above 0"),
    "few pixels": (["--region", "0,0,4,4"], "Expected a region with a width and a height of at least 8 px"),
    "outside": (["--region", "0.5,0.5,0.75,0.5"], "Expected a region inside of the picture"),
    "a line": (["--mask", "0,0,1,1"], "Expected a mask x1,y1,x2,y2,x3,y3"),
    "another kind of file": (["--region-file", "region.txt"], "Expected an output file *.toml"),
    "no folder": (["--region-file", "none/region.toml"], "Expected a folder to write region.toml into"),
    "both": (
        ["--region-file", "region.toml", "--region", "0.1,0.1,0.8,0.8"],
        "Expected either --region and --mask, or --region-file, got both. Write them into region.toml.",
    ),
}


@pytest.mark.parametrize(("words", "message"), REJECTED.values(), ids=list(REJECTED))
def test_a_wrong_region_is_one_line_and_a_wrong_call(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(["run", str(edgevid.DEMO), "--source", "synthetic:1", *words])
    except SystemExit as ended:
        code = ended.code
    lines = [line for line in capsys.readouterr().err.splitlines() if "Expected" in line]
    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize("policy", ["file", "live"])
def test_a_region_outside_of_the_cameras_picture_ends_the_run_at_the_first_frame(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--source", "synthetic:1", "--policy", policy, "--region", "600,0,100,100"]
    assert cli.main(["run", str(edgevid.DEMO), *words]) == 1
    err = capsys.readouterr().err
    assert err.count("Expected") == 1
    assert "Expected a region inside of the pictures of " in err
    assert "from this source, got 600,0,100,100." in err


CONTENTS = {
    "no TOML": ("region = ", DeploymentError, "Expected TOML in"),
    "another key": ('regions = "0,0,9,9"', DeploymentError, "Expected a key of"),
    "another type": ("region = [0, 0, 9, 9]", DeploymentError, "Expected a text for"),
    "an illegal region": ('region = "0,0,9"', UsageError, "Expected a region x,y,width,height"),
    "an illegal mask": ('mask = ["0,0,9,9"]', UsageError, "Expected a mask x1,y1"),
}


@pytest.mark.parametrize(("content", "error", "message"), CONTENTS.values(), ids=list(CONTENTS))
def test_a_file_with_no_region_is_rejected(content: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    path = tmp_path / "region.toml"
    path.write_text(content)
    with pytest.raises(error, match=message):
        RegionFile(path).read()
    assert cli.main(["run", str(edgevid.DEMO), "--source", "synthetic:1", "--region-file", str(path)]) == 2


@pytest.mark.parametrize(
    "region",
    [
        Region(),
        Region(box=(1, 2, 30, 40)),
        Region(masks=[TRIANGLE, (0, 0, 9, 0, 0, 9)]),
        Region(box=BOX, masks=[BOX * 2]),
    ],
)
def test_a_file_gives_back_what_was_saved(region: Region, tmp_path: Path) -> None:
    file = RegionFile(tmp_path / "region.toml")
    assert file.read() == Region()
    file.write(Region(box=(9, 9, 9, 9)))
    file.write(region)
    assert file.read() == region
    assert [each.name for each in tmp_path.iterdir()] == ["region.toml"]


def test_rows_of_features_have_no_region(tmp_path: Path) -> None:
    lane = Lane(engine_for(features_manifest()))
    lane.look_at(Cropper())
    for cropper in (Cropper(Region(box=BOX)), Cropper(may_move=True)):
        with pytest.raises(UsageError, match=r"Expected pictures for a region, got .* a model of features"):
            lane.look_at(cropper)


@pytest.mark.parametrize(
    ("rotate", "size"), [(0, (640, 480)), (90, (480, 640)), (180, (640, 480))], ids=["upright", "quarter", "half"]
)
def test_a_csi_camera_delivers_whole_pictures_for_a_region(
    rotate: edgevid.capture.Rotation, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevid.capture.picamera.PiCamera", FakeCamera)
    edgevid.open_source("picamera2", window_manifest(), rotate=rotate, is_cut=True)
    assert (FakeCamera.asked["size_px"], FakeCamera.asked["keep_aspect"]) == (size, True)


def test_a_csi_camera_delivers_whole_pictures_for_key_points_turned_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevid.capture.picamera.PiCamera", FakeCamera)
    edgevid.open_source("picamera2", features_manifest(), rotate=90, has_keypoints=True)
    assert (FakeCamera.asked["size_px"], FakeCamera.asked["keep_aspect"]) == ((480, 640), True)
    with pytest.raises(UsageError, match="or --keypoints, got a camera without them"):
        edgevid.open_source("picamera2", features_manifest())


def test_a_session_asks_for_whole_pictures_only_where_a_region_may_be_cut(
    model: edgevid.Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def opened(_text: str, _manifest: object, *, is_cut: bool, **_options: object) -> Pictures:
        asked.append(is_cut)
        return Pictures([])

    monkeypatch.setattr("edgevid.api.session.open_source", opened)
    for options in ({}, {"region": BOX}, {"region_file": tmp_path / "region.toml"}):
        with edgevid.Session(model, source="any", **options):  # type: ignore[arg-type]
            pass
    assert asked == [False, True, True]
    with pytest.raises(UsageError, match="Expected either a region or a file that keeps it, got both"):
        edgevid.Session(model, source="any", region=BOX, region_file=tmp_path / "region.toml")


def test_an_open_stream_names_a_region_that_its_frames_do_not_have(model: edgevid.Model) -> None:
    with (
        model.stream(region=(100, 0, 100, 100)) as stream,
        pytest.raises(SourceError, match="inside of the pictures of 160x120 px"),
    ):
        stream.push(np.zeros((120, 160, 3), np.uint8), t_s=0.0)


def framed(name: str, framing: Framing) -> edgevid.Model:
    """The model that ships, as if its training had seen a part."""
    original = edgevid.load(edgevid.DEMO).bundle
    manifest = dataclasses.replace(original.manifest, name=name, framing=framing)
    return edgevid.Model(dataclasses.replace(original, manifest=manifest))


def test_a_model_sees_what_its_training_saw_unless_somebody_chose_otherwise(pictures: list[Pixels]) -> None:
    model = framed("cut", Framing(rotate=90, flip="horizontal", box=BOX))
    plain = edgevid.load(edgevid.DEMO)
    assert scores(model, pictures) == scores(plain, pictures, rotate=90, flip="horizontal", region=BOX)
    # Each option by itself.
    assert scores(model, pictures, rotate=0) == scores(plain, pictures, flip="horizontal", region=BOX)
    whole = {"rotate": 0, "flip": "none", "region": Region()}
    assert scores(model, pictures, **whole) == scores(plain, pictures)
    # Nobody turns pushed pictures but who pushes them.
    with model.stream() as stream:
        pushed = [stream.push(each, t_s=index / 10) for index, each in enumerate(pictures)]
    assert [each.scores for each in pushed if each is not None] == scores(plain, pictures, region=BOX)


def test_models_of_one_run_each_see_the_part_of_their_training(pictures: list[Pixels]) -> None:
    models = [framed("left", Framing(box=(0.0, 0.0, 0.5, 1.0))), framed("all", Framing())]
    seen = edgevid.Collector()
    edgevid.run(models, source=Pictures(pictures), outputs=[seen])
    plain = edgevid.load(edgevid.DEMO)
    for name, region in (("left", (0.0, 0.0, 0.5, 1.0)), ("all", Region())):
        assert [each.scores for each in seen.decisions if each.model == name] == scores(plain, pictures, region=region)
    with edgevid.Session(models, source=Pictures(pictures), region=BOX) as session:
        first, second = session.pipeline.lanes
        assert first.cropper is second.cropper is not None


def test_models_whose_trainings_turned_pictures_in_two_ways_need_a_word(pictures: list[Pixels]) -> None:
    models = [framed("turned", Framing(rotate=90)), framed("upright", Framing())]
    message = r"turned pictures alike.* got 'turned' with --rotate 90 --flip none, 'upright' with --rotate 0"
    with pytest.raises(UsageError, match=message), edgevid.Session(models, source=Pictures(pictures)):
        pass
    with edgevid.Session(models, source=Pictures(pictures), rotate=180):
        pass


def test_a_file_that_is_not_there_yet_begins_with_the_region_of_the_training(
    pictures: list[Pixels], tmp_path: Path
) -> None:
    models = [framed("left", Framing(box=BOX)), framed("all", Framing())]
    path = tmp_path / "region.toml"
    for saved, wanted in ((None, BOX), (Region(), None), (Region(box=(0, 0, 9, 9)), (0, 0, 9, 9))):
        if saved is not None:
            RegionFile(path).write(saved)
        with edgevid.Session(models, source=Pictures(pictures), region_file=path) as session:
            croppers = [lane.cropper for lane in session.pipeline.lanes]
            assert croppers[0] is croppers[1]
            assert croppers[0] is not None
            assert croppers[0].region.box == wanted
