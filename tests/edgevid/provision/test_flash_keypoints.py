"""Cards for models over key points: they carry the networks that find them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgevid import bundle, cli
from edgevid.errors import DeploymentError
from edgevid.frames.keypoint_rows import KEYPOINTS, LAYOUTS, KeypointRows
from edgevid.frames.preprocess import InputSpec
from edgevid.keypoints import assets
from edgevid.keypoints.stage import make_tracker, network_files
from edgevid.provision import deployment, target, wheels
from edgevid.provision.device_files import check_bundle
from tests.edgevid.provision import official
from tests.edgevid.provision.deployments import write
from tests.models.bundles import bundle_for, features_manifest, tensor

POSE_FILES = {"pose_detection.tflite", "pose_landmark_full.tflite", "LICENSE"}


def pose_bundle(path: Path, **changes: Any) -> Path:
    """A bundle over the 132 numbers of a pose; its parts are no networks."""
    plain = features_manifest()
    encoder = dataclasses.replace(plain.parts[0], inputs=(tensor(1, 132, name="row", dtype="float32"),))
    fields: dict[str, Any] = {
        "input": InputSpec(kind="features", height=1, width=1, channels=132, color="none"),
        "parts": (encoder, *plain.parts[1:]),
        "keypoints": KeypointRows(kind="pose", normalise="hip"),
    }
    bundle.write(bundle_for(features_manifest(**(fields | changes))), path)
    return path


@pytest.fixture
def card(tmp_path: Path, house: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[target.Target, list[str]]:
    """A card of Trixie, and the words of the command that flashes it."""
    monkeypatch.setattr(wheels, "lock_path", lambda python: house / "lock.txt")
    (tmp_path / "bootfs").mkdir()
    folder = official.make_folder(tmp_path / "bootfs", "trixie")
    return target.open_target(folder), ["--to", str(folder), "--wheels", str(house), "--yes"]


@pytest.mark.usefixtures("keypoint_files")
def test_a_card_for_a_pose_carries_its_networks_and_the_service_finds_them(
    card: tuple[target.Target, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, words = card
    config = write(tmp_path, bundle=str(pose_bundle(tmp_path / "pose.edgevid")))
    assert cli.main(["flash", str(config), *words]) == 0
    assert "key points  3 files, for /opt/edgevid/keypoints" in capsys.readouterr().out
    written = {name for name in made.boot.files() if name.startswith("edgevid/keypoints/")}
    assert {Path(name).name for name in written} == POSE_FILES
    read = assets.reader()
    for name in POSE_FILES:
        assert made.boot.read(f"edgevid/keypoints/{name}") == read(name)
        assert f"keypoints/{name}\n" in made.boot.read("edgevid/SHA256SUMS").decode()
    assert "EDGEVID_KEYPOINTS=/opt/edgevid/keypoints\n" in made.boot.read("edgevid/edgevid.service").decode()


@pytest.mark.usefixtures("keypoint_files")
def test_a_card_for_a_model_of_pictures_carries_none(card: tuple[target.Target, list[str]], tmp_path: Path) -> None:
    made, words = card
    assert cli.main(["flash", str(write(tmp_path)), *words]) == 0
    assert not [name for name in made.boot.files() if "keypoints" in name]


def test_without_the_networks_nothing_is_written(
    card: tuple[target.Target, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, words = card
    before = made.boot.files()
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path / "none"))
    config = write(tmp_path, bundle=str(pose_bundle(tmp_path / "pose.edgevid")))
    assert cli.main(["flash", str(config), *words]) == 1
    assert "Run: edgevid fetch keypoints." in capsys.readouterr().err
    assert made.boot.files() == before


def test_rows_that_are_no_key_points_are_rejected_unless_run_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = str(pose_bundle(tmp_path / "rows.edgevid", keypoints=None))
    with pytest.raises(DeploymentError, match=r"or over their key points, .*, got one over features: .*name them in"):
        check_bundle(deployment.read(write(tmp_path, bundle=plain)))
    check_bundle(deployment.read(write(tmp_path, bundle=plain, run={"keypoints": "pose"})))
    # The rows of a hand have another length.
    config = write(tmp_path, bundle=plain, run={"keypoints": "hands"})
    assert cli.main(["flash", str(config), "--to", str(official.make_folder(tmp_path, "trixie"))]) == 2
    assert "which look like 'pose'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KEYPOINTS)
def test_the_files_of_a_layout_are_those_that_its_tracker_reads(keypoint_files: Path, kind: Any) -> None:
    for length in LAYOUTS[kind]:
        read: list[str] = []

        def watched(name: str, seen: list[str] = read) -> bytes:
            seen.append(name)
            return assets.reader(keypoint_files)(name)

        wanted = KeypointRows(kind=kind)
        make_tracker(wanted, length, read=watched)
        assert sorted(set(read)) == sorted(network_files(wanted, length)), length
