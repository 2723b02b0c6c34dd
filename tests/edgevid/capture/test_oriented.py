"""Pictures that are turned or mirrored: `--rotate` and `--flip`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

import cv2  # after the skip

import edgevid
from edgevid import cli
from edgevid.capture import Orientation, Source, open_source, oriented
from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.capture.synthetic import GestureSource
from edgevid.errors import UsageError
from edgevid.frames import Frame, Pixels
from edgevid.frames.orientation import FLIPS, ROTATIONS, Flip, Rotation
from tests.clips.turned import write_turned
from tests.clips.videos import write_video
from tests.models.bundles import features_manifest, window_manifest
from tests.streams import Script

ALL = list(itertools.product(ROTATIONS, FLIPS))


def reference(picture: Pixels, rotate: int, flip: str) -> Pixels:
    """Turn clockwise, then flip, with NumPy alone."""
    turned = np.rot90(picture, -rotate // 90)
    turned = turned[:, ::-1] if flip in ("horizontal", "both") else turned
    return turned[::-1] if flip in ("vertical", "both") else turned


class Pictures(Script):
    """A file with some pictures, which share one buffer."""

    def __init__(self, *pictures: Pixels, color: str = "bgr") -> None:
        super().__init__([])
        self._pictures, self._color = pictures, color

    def frames(self) -> Iterator[Frame]:
        buffer = np.empty_like(self._pictures[0])
        for index, picture in enumerate(self._pictures):
            np.copyto(buffer, picture)
            yield Frame(buffer, self._color, 7_000 * index, 3 * index)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(4, 6), (7, 5), (48, 64), (1, 9), (33, 33)])
@pytest.mark.parametrize(("rotate", "flip"), ALL)
def test_each_rotation_and_flip_is_that_of_numpy(
    rotate: Rotation, flip: Flip, size: tuple[int, int], channels: int
) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, *size, channels), np.uint8))
    source = oriented(
        Pictures(*pictures, color="gray" if channels == 1 else "bgr"), Orientation(rotate=rotate, flip=flip)
    )
    seen = [(frame.data.copy(), frame.timestamp_ns, frame.index) for frame in source.frames()]
    assert [(stamp_ns, index) for _, stamp_ns, index in seen] == [(0, 0), (7_000, 3), (14_000, 6)]
    for (turned, *_), picture in zip(seen, pictures, strict=True):
        np.testing.assert_array_equal(turned, reference(picture, rotate, flip))


def test_an_upright_source_is_not_wrapped() -> None:
    source = Script([0])
    assert oriented(source, Orientation()) is source
    assert oriented(source, Orientation(rotate=180, flip="both")) is source


@pytest.mark.parametrize("values", [{"rotate": 45}, {"rotate": True}, {"rotate": "90"}, {"flip": "up"}])
def test_other_rotations_and_flips_are_rejected_with_the_legal_ones(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"0, 90, 180, 270|none, horizontal, vertical, both"):
        Orientation(**values)  # type: ignore[arg-type]


def folder_of_pictures(path: Path) -> Path:
    path.mkdir()
    cv2.imwrite(str(path / "f_1.png"), np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3))
    return path


def test_files_folders_recordings_and_rendered_streams_are_turned_alike(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.avi", count=3)
    video.with_suffix(".pts").write_text("# timestamp format v2\n0\n40\n80\n")
    for text in (str(video), str(folder_of_pictures(tmp_path / "shots")), f"replay:{video}", "synthetic:3"):
        with open_source(text, window_manifest(), policy="file") as plain:
            wanted = next(iter(plain.frames())).data.copy()
        with open_source(text, window_manifest(), policy="file", rotate=90, flip="vertical") as turned:
            frame = next(iter(turned.frames()))
            np.testing.assert_array_equal(frame.data, reference(wanted, 90, "vertical"))
            assert turned.name == plain.name


def test_the_rotation_that_a_phone_notes_in_its_file_is_applied_once(tmp_path: Path) -> None:
    path = str(write_turned(tmp_path / "phone.mp4"))

    def corner(rotate: Rotation) -> tuple[tuple[int, ...], list[int]]:
        with open_source(path, window_manifest(), rotate=rotate) as source:
            shapes, whites = [], []
            for frame in source.frames():
                data = frame.data
                bright = [int(data[y, x].mean() > 200) for y, x in ((3, 3), (3, -3), (-3, -3), (-3, 3))]
                shapes.append(data.shape)
                whites.append(bright)
        assert len(set(map(str, whites))) == len(set(shapes)) == 1
        return shapes[0], whites[0]

    # Stored with its corner at the top left; shown, and turned, clockwise from there.
    assert corner(0) == ((64, 48, 3), [0, 1, 0, 0])
    assert corner(90) == ((48, 64, 3), [0, 0, 1, 0])
    assert corner(270) == ((48, 64, 3), [1, 0, 0, 0])


class Camera(BufferedSource):
    """A live source that counts the buffers it lent."""

    live = reopens = True
    name = "camera"

    def __init__(self, opened: list[Camera]) -> None:
        super().__init__()
        self.lent = 0
        self.closed = False
        self._opened = opened
        opened.append(self)

    def frames(self) -> Iterator[Frame]:
        for index in range(4):
            if not self.wanted(index):
                continue
            self.lent += 1
            yield Frame(np.full((4, 6, 3), index, np.uint8), "bgr", index, index)

    def release(self, _frame: Frame) -> None:
        self.lent -= 1

    def reopen(self) -> Camera:
        return Camera(self._opened)

    def close(self) -> None:
        self.closed = True


def test_a_turned_camera_skips_unwanted_frames_releases_its_buffers_and_opens_again() -> None:
    opened: list[Camera] = []
    source = oriented(Camera(opened), Orientation(rotate=90))
    assert isinstance(source, BufferedSource)
    assert source.live
    assert source.reopens
    source.wanted = lambda stamp_ns: stamp_ns != 1
    frames = list(source.frames())
    assert [(frame.index, int(frame.data[0, 0, 0])) for frame in frames] == [(0, 0), (2, 2), (3, 3)]
    assert opened[0].lent == 0, "each buffer of the camera is free once its picture is turned"
    source.release(frames[0])
    again = source.reopen()
    assert next(iter(again.frames())).data.shape == (6, 4, 3)
    source.close()
    assert opened[0].closed


class FakeCamera(Camera):
    """Keeps what picamera2 would be asked for."""

    asked: dict[str, object]

    def __init__(self, number: int, **asked: object) -> None:
        super().__init__([])
        FakeCamera.asked = asked


@pytest.mark.parametrize(
    ("rotate", "flip", "size", "flips", "is_wrapped"),
    [
        (0, "none", (8, 6), {}, False),
        (180, "none", (8, 6), {"hflip": True, "vflip": True}, False),
        (0, "vertical", (8, 6), {"hflip": False, "vflip": True}, False),
        (180, "horizontal", (8, 6), {"hflip": False, "vflip": True}, False),
        (90, "horizontal", (6, 8), {}, True),
    ],
)
def test_the_isp_of_a_csi_camera_flips_and_the_processor_makes_quarter_turns(
    monkeypatch: pytest.MonkeyPatch,
    rotate: Rotation,
    flip: Flip,
    size: tuple[int, int],
    flips: dict[str, bool],
    is_wrapped: bool,
) -> None:
    monkeypatch.setattr("edgevid.capture.picamera.PiCamera", FakeCamera)
    source = open_source("picamera2", window_manifest(), rotate=rotate, flip=flip)
    assert (FakeCamera.asked["size_px"], FakeCamera.asked["options"]) == (size, flips)
    assert isinstance(source, FakeCamera) != is_wrapped


@pytest.mark.parametrize("options", ["hflip=1", "vflip=0&fps=30"])
def test_flips_in_the_address_and_as_options_contradict_each_other(options: str) -> None:
    with pytest.raises(UsageError, match="Expected either --rotate and --flip, or hflip and vflip"):
        open_source(f"picamera2:0?{options}", window_manifest(), flip="horizontal")


def test_features_are_not_turned(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(UsageError, match="Expected pictures to rotate or flip"):
        open_source(str(tmp_path / "rows.npy"), features_manifest(), rotate=90)
    with pytest.raises(UsageError, match="Expected pictures to rotate or flip"):
        list(open_source(str(tmp_path / "rows.npy"), window_manifest(), rotate=90).frames())


def test_a_source_of_ones_own_is_turned_by_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model = edgevid.load(edgevid.DEMO)
    plain = [decision.scores for decision in model.watch("synthetic:5", max_frames=60)]
    turned = [each.scores for each in model.watch("synthetic:5", max_frames=60, rotate=180)]
    spec = model.bundle.manifest.input

    def upside_down() -> Source:
        source = GestureSource(seed=5, height_px=spec.height, width_px=spec.width)
        return oriented(source, Orientation(rotate=180))

    again = [each.scores for each in model.watch(upside_down(), max_frames=60)]
    upright = [each.scores for each in model.watch(upside_down(), max_frames=60, flip="both")]
    assert again == turned != plain == upright


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rotate", "45"], "Expected a rotation in degrees, one of 0, 90, 180, 270, got '45'"),
        (["--flip", "up"], "'none', 'horizontal', 'vertical', 'both'"),
        (["--stream", "1"], "ffmpeg -i IN -map 0:v:1 -c copy OUT.mkv"),
    ],
)
def test_run_rejects_other_turns_and_the_streams_that_opencv_does_not_decode(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(edgevid.DEMO), "--source", "synthetic:1", *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
