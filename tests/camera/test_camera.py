"""Our camera sources on a real kernel's camera and on the real picamera2, with the shipped model.

`inside.py` runs in the emulated machine and records observations, and these tests evaluate them. Both
cameras, vivid's and libcamera's, show colour bars. Run with `make test-camera`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevid
from edgevid import bundle
from edgevid.capture.recording import read_times_ns
from edgevid.capture.source import ClosingSource
from edgevid.commands.demo import BUNDLE
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.provision import target
from tests.camera import card, guest

pytestmark = pytest.mark.boot
# White, yellow, cyan, green, magenta, red, blue, black, as red, green and blue: the bars of both cameras.
BARS = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
SHIPPED = Path(edgevid.__file__).parent / "data" / BUNDLE


@pytest.fixture(scope="session")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boot the machine and return the folder with its results. pytest shows its console if a test fails."""
    missing = guest.missing_tools()
    if missing:
        pytest.exit(missing, returncode=2)
    work = tmp_path_factory.mktemp("guest")
    console, found = guest.boot(
        guest.image(), work, card=card.make(work / "card.img"), luggage=card.luggage(work / "luggage")
    )
    print(console)
    return found


def said(answer: Path, check: str) -> dict[str, Any]:
    found = json.loads((answer / f"{check}.json").read_text())
    assert "error" not in found, found["error"]
    return found


class Seen(ClosingSource):
    """A source of the machine's frames at the model's interval."""

    live = False
    name = "seen"

    def __init__(self, path: Path) -> None:
        with np.load(path) as kept:
            self.pictures, self.stamps_ns, self.color = kept["frames"], kept["stamps_ns"], str(kept["color"])

    def frames(self) -> Iterator[Frame]:
        interval_s = bundle.read(SHIPPED).manifest.window.interval_s
        for index, picture in enumerate(self.pictures):
            yield Frame(picture, self.color, round(index * interval_s * 1e9), index)


def answers_here(seen: Seen) -> list[list[float]]:
    collector = Collector()
    Pipeline(Engine(bundle.read(SHIPPED)), seen, [collector]).run()
    return [list(decision.probabilities) for decision in collector.decisions]


@pytest.mark.parametrize("check", ["v4l2", "picamera"])
def test_the_model_answers_there_as_it_does_here_on_the_same_frames(answer: Path, check: str) -> None:
    told = said(answer, check)
    here = answers_here(Seen(answer / f"{check}.npz"))
    assert len(here) >= 10
    assert [one["scores"] for one in told["answers"]] == here
    # Still bars are not a gesture. libcamera's bars move to the left, as some gestures do.
    assert check == "picamera" or {one["label"] for one in told["answers"]} == {"none"}


def test_a_v4l2_camera_gives_its_frames_with_the_drivers_times(answer: Path) -> None:
    told = said(answer, "v4l2")
    assert told["name"] == "v4l2:/dev/video0"
    assert told["time_base"] == "sensor"
    stamps_ms = np.diff(Seen(answer / "v4l2.npz").stamps_ns[1:]) / 1e6
    # Frames that the loop or the driver dropped leave a whole multiple of the camera's interval.
    assert (stamps_ms > 0).all()
    assert np.median(stamps_ms[stamps_ms < 60]) == pytest.approx(40, abs=8)
    assert told["telemetry"]["frames"]["seen"] == 90
    assert told["live_answers"] >= 1


def test_a_v4l2_cameras_colours_are_right(answer: Path) -> None:
    # vivid's first pattern, "75% Colorbar": white, yellow, cyan, green, magenta, red, blue, black. Text covers the
    # upper left, so look at a row near the bottom.
    picture = Seen(answer / "v4l2.npz").pictures[-1]
    assert picture.shape == (180, 320, 3)
    colors = picture[150, 20::40].astype(int)
    assert (colors > 110).astype(int).tolist() == [[blue, green, red] for red, green, blue in BARS]


def test_a_camera_that_is_pulled_out_and_put_back_goes_on(answer: Path) -> None:
    told = said(answer, "unplug")
    moments = told["moments"]
    assert moments["device_gone"]
    assert moments["noticed_s"] < 10
    assert moments["back_s"] < 10
    assert moments["seen_after"] >= 20
    assert told["telemetry"]["frames"]["reconnects"] >= 1
    assert told["telemetry"]["frames"]["gaps"] >= 1


def test_picamera2s_frames_have_the_cameras_colours(answer: Path) -> None:
    told = said(answer, "picamera")
    assert told["name"] == "picamera2:0"
    seen = Seen(answer / "picamera.npz")
    assert seen.color == "rgb"
    assert seen.pictures.shape[1:] == (480, 640, 3)
    # libcamera's bars move to the left, so the row may begin with any bar. The order is fixed.
    row = (seen.pictures[-1][240] > 128).astype(int).tolist()
    # If a bar begins at an odd pixel, that pixel shares its chroma with the bar before it: neither's colour.
    bars = [tuple(color) for color, pixels in itertools.groupby(row) if len(list(pixels)) > 2]
    assert len(bars) in (8, 9)
    first = BARS.index(bars[0])
    assert bars[:8] == [*BARS[first:], *BARS[:first]]


def test_only_frames_that_are_due_are_decoded_with_the_same_times(answer: Path) -> None:
    told = said(answer, "thrift")
    print({name: (each["processor_s"], each["retrieved"]) for name, each in told.items()})
    for name, each in told.items():
        assert 75 <= each["grabbed"] <= 80
        assert each["retrieved"] == len(each["given"])
        assert each["time_base"] == "sensor"
        if name == "due":
            # Of 75 frames at 40 ms, with one due every 150 ms, every third or fourth is decoded, or a later one if
            # the emulated processor dropped some. Never two for one due time.
            assert 15 <= each["retrieved"] <= 30
            stamps_ns = np.array([stamp_ns for _, stamp_ns in each["given"]])
            assert (np.diff((stamps_ns - stamps_ns[0] + 1_000_000) // 150_000_000) >= 1).all()
            assert np.median(np.diff([index for index, _ in each["given"]])) >= 3
        else:
            assert each["retrieved"] == each["grabbed"]


def test_what_is_asked_of_picamera2_is_what_it_makes_of_it(answer: Path) -> None:
    told = said(answer, "settings")
    wanted = {
        "rgb": ("main", ["BGR888"], [[112, 112]], True, {"FrameDurationLimits": [33333, 33333]}, [False, False]),
        "bgr": ("main", ["RGB888"], [[160, 120]], False, {"ExposureTime": 8000.0}, [True, False]),
        "yuv": (
            "lores",
            ["XBGR8888", "YUV420"],
            [[112, 112]] * 2,
            True,
            {"AnalogueGain": 2.0, "FrameDurationLimits": [66667, 66667]},
            [False, True],
        ),
        "nv12": ("main", ["NV12"], [[128, 96]], True, {}, [False, False]),
    }
    for name, (stream, formats, sizes, keeps_aspect, controls, flips) in wanted.items():
        made = told[name]
        assert made["stream"] == stream
        assert [each.partition("-")[0] for each in made["formats"][: len(formats)]] == formats
        assert made["sizes"][: len(sizes)] == sizes
        assert made[stream]["preserve_ar"] == keeps_aspect
        assert {key: made["controls"].get(key) for key in controls} == controls
        assert made["flips"] == flips
        assert made["buffer_count"] >= 4


def test_rows_that_picamera2_gives_with_padding_become_the_picture(answer: Path) -> None:
    import cv2

    said(answer, "settings")
    with np.load(answer / "settings.npz") as pictures:
        for name, ((width, height), stride, code) in {
            "rgb": ((112, 112), 384, None),
            "bgr": ((160, 120), 480, None),
            "yuv": ((112, 112), 128, cv2.COLOR_YUV2RGB_I420),
            "nv12": ((128, 96), 192, cv2.COLOR_YUV2BGR_NV12),
        }.items():
            rows = height if code is None else height * 3 // 2
            memory = np.random.default_rng(stride).integers(0, 256, rows * stride, np.uint8).reshape(rows, stride)
            if code is None:
                picture = memory[:, : width * 3].reshape(height, width, 3)
            elif name == "nv12":
                picture = cv2.cvtColor(np.ascontiguousarray(memory[:, :width]), code)
            else:  # chroma rows are half as long, each with half of the padding
                luma, chroma = memory[:height, :width], memory[height:].reshape(height, stride // 2)[:, : width // 2]
                picture = cv2.cvtColor(np.concatenate([luma, chroma.reshape(height // 2, width)]), code)
            np.testing.assert_array_equal(pictures[name], picture, err_msg=name)


def test_what_a_camera_does_not_take_is_one_clear_line(answer: Path) -> None:
    refusals = said(answer, "settings")["refused"]
    print(refusals)
    for text in refusals.values():
        assert text.startswith("Expected picamera2:0 to take its settings")
        assert "\n" not in text
    assert "it gives NV12 in place of BGR888" in refusals["format"]
    assert "it gives 640x480 px" in refusals["odd size"]
    assert "AnalogueGain is not advertised" in refusals["control"]


def test_a_picamera2_whose_thread_died_is_opened_again(answer: Path) -> None:
    told = said(answer, "stuck")
    assert told["reconnects"] >= 1
    assert told["again_after_s"] < 20


def test_the_command_runs_on_a_camera_and_records_it(answer: Path) -> None:
    told = said(answer, "command")
    assert told["returncode"] == 0, told["stderr"]
    decisions = [json.loads(line) for line in told["stdout"].splitlines()]
    assert all(decision["label"] == "none" for decision in decisions)
    assert "60 seen" in told["stderr"]
    assert 1 <= len(read_times_ns(answer / "seen.pts")) <= 60


def test_a_card_in_a_usb_reader_is_flashed_and_what_is_no_card_is_refused(answer: Path) -> None:
    told = said(answer, "flash")
    assert told["facts"] == {"removable": "1", "size": str((card.CARD_GIB << 30) // 512)}
    assert (told["what"], told["release"]) == ("the card /dev/sda", "trixie")
    boot = target.open_target(answer.parent / "card.img").boot
    assert {path: hashlib.sha256(boot.read(path)).hexdigest() for path in told["files"]} == told["files"]
    assert "user-data" in told["files"]
    own = {"its own root": "vda, mounted at /.", "another disk of its own": "vdb, which is a disk of this machine"}
    expected = {"mounted": "sda, mounted at /mnt.", "partition": "Expected a whole card, got the partition sda1", **own}
    assert {name: message in told["refused"][name] for name, message in expected.items()} == dict.fromkeys(
        expected, True
    )
