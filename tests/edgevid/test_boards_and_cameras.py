"""The boards and cameras in `firmware_configs`, and that a wheel has them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from edgevid import boards_and_cameras
from edgevid.errors import DeploymentError
from tests.repo.files import ROOT, repository_files

DATA = [path for path in repository_files() if path.parts[0] == "firmware_configs"]
# Facts with a common source -> the key of that source.
TOGETHER = {
    "throttle_c": "thermal",
    "limit_c": "thermal",
    "soft_limit_c": "thermal",
    "cpu": "soc",
    "cores": "soc",
    "ram_mib": "soc",
    "camera_pins": "camera_ports",
}


def test_the_boards_and_cameras_that_are_promised_are_there() -> None:
    assert {"zero-2-w", "3b-plus", "4b", "cm4", "5"} <= set(boards_and_cameras.boards())
    assert {"imx219", "imx477", "imx708", "ov5647", "uvc"} <= set(boards_and_cameras.cameras())


@pytest.mark.parametrize("board", boards_and_cameras.boards().values(), ids=lambda board: board.name)
def test_each_fact_of_a_board_has_its_source(board: boards_and_cameras.Board) -> None:
    facts = {item.name for item in dataclasses.fields(board)} - {"name", "sources"}
    assert {TOGETHER.get(fact, fact) for fact in facts} - set(board.sources) == set()
    assert all(board.sources.values())


def test_only_the_core_of_the_pi_5_has_int8_dot_products() -> None:
    assert {board.cpu for board in boards_and_cameras.boards().values() if board.dot_product} == {"Cortex-A76"}


@pytest.mark.parametrize("camera", boards_and_cameras.cameras().values(), ids=lambda camera: camera.name)
def test_each_camera_has_formats_and_each_csi_camera_an_overlay_and_modes(camera: boards_and_cameras.Camera) -> None:
    assert camera.formats
    assert camera.sources
    assert bool(camera.modes) == bool(camera.overlay) == (camera.interface == "csi")


def test_a_csi_camera_without_an_overlay_is_refused() -> None:
    imx219 = boards_and_cameras.camera("imx219")
    with pytest.raises(DeploymentError, match="Expected an overlay"):
        dataclasses.replace(imx219, overlay=None)
    with pytest.raises(DeploymentError, match="Expected no overlay"):
        dataclasses.replace(boards_and_cameras.camera("uvc"), overlay="uvc")


def test_an_unknown_board_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        DeploymentError,
        match=r"one of 3b, 3b-plus, 400, 4b, 5, cm4, zero-2-w, got 'zero2w'\. Did you mean 'zero-2-w'\?",
    ):
        boards_and_cameras.board("zero2w")


def test_the_data_holds_no_code() -> None:
    assert DATA
    assert {path.suffix for path in DATA} & {".py", ".pyc"} == set()
    for path in DATA:
        if path.suffix == ".toml":
            tomllib.loads((ROOT / path).read_text())


def test_a_wheel_holds_every_file_of_firmware_configs_byte_for_byte(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="needs hatchling, of the dev extra")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, timeout=120)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = {
            name.removeprefix("edgevid/"): wheel.read(name)
            for name in wheel.namelist()
            if name.startswith("edgevid/firmware_configs/")
        }
    assert inside == {path.as_posix(): (ROOT / path).read_bytes() for path in DATA}
