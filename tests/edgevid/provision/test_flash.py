"""Flashing of images in the official layout and of mounted partitions, and targets that must never be written.

See `official` for the images: none of them is an official one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevid import boards_and_cameras, bundle, cli
from edgevid.errors import DeploymentError, FlashError, UsageError
from edgevid.provision import boot_partition, deployment, flash, raspberry_pi_os, target, wheels
from edgevid.updates.slots import sha256
from tests.edgevid.provision import config_txt, official
from tests.edgevid.provision.deployments import KEY, SHIPPED, write

PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return one image of each kind; tests write to copies of them."""
    folder = tmp_path_factory.mktemp("official")
    return {kind: official.make_image(folder / f"{kind.replace(' ', '-')}.img", kind) for kind in official.FIRST_BOOT}


@pytest.fixture(params=official.FIRST_BOOT)
def image(request: pytest.FixtureRequest, originals: dict[str, Path], tmp_path: Path) -> tuple[str, Path]:
    """A fresh copy of each kind of image."""
    return request.param, fresh(originals[request.param], tmp_path)


def fresh(original: Path, folder: Path) -> Path:
    path = folder / original.name
    subprocess.run(["cp", "--sparse=always", str(original), str(path)], check=True)
    return path


def flashed(config: Path, to: Path, house: Path) -> target.Target:
    card = target.open_target(to)
    with flash.plan(deployment.read(config), card, wheelhouse=house, lock=house / "lock.txt") as made:
        flash.write(made)
    return card


def test_an_image_is_known_by_looking_at_it(image: tuple[str, Path]) -> None:
    kind, path = image
    card = target.open_target(path)
    system = raspberry_pi_os.detect(card, card.boot.files())
    release = kind.partition(" ")[0]
    assert (system.release, system.first_boot, system.has_picamera) == (release, official.FIRST_BOOT[kind], True)
    assert system.pythons == ({"bookworm": "3.11", "trixie": "3.13"}[release],)


def test_a_flashed_image_holds_everything_that_the_first_boot_needs(
    image: tuple[str, Path], tmp_path: Path, house: Path
) -> None:
    kind, path = image
    before = path.read_bytes()
    card = flashed(write(tmp_path, camera="imx219", environment={"TOKEN": "t-0-k-e-n"}), path, house)
    files, python = card.boot.files(), "3.11" if kind == "bookworm" else "3.13"
    assert {
        "edgevid/install.sh",
        "edgevid/edgevid.service",
        "edgevid/gestures.edgevid",
        "edgevid/run.toml",
        f"edgevid/wheels/{python}.txt",
    } <= files
    assert ("firstrun.sh" in files) == (official.FIRST_BOOT[kind] == "firstrun")
    assert config_txt.parse(card.boot.read("config.txt").decode(), boards_and_cameras.board("4b")).overlays == [
        "vc4-kms-v3d",
        "imx219",
    ]
    assert (b"systemd.run=" in card.boot.read("cmdline.txt")) == (official.FIRST_BOOT[kind] == "firstrun")
    assert card.boot.read("kernel8.img") == b"stands for kernel8.img\n", "what is not ours stays"
    start = card.root.start_bytes
    assert path.read_bytes()[start:] == before[start:], "the root partition is not touched"
    assert PASSWORD.encode() not in path.read_bytes()


def test_what_lies_on_the_card_passes_its_own_check_and_names_what_it_installs(
    image: tuple[str, Path], tmp_path: Path, house: Path
) -> None:
    _, path = image
    card = flashed(write(tmp_path), path, house)
    subprocess.run(["mcopy", "-s", "-n", "-i", f"{path}@@4M", "::edgevid", str(tmp_path / "out")], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", check=True)
    lock = next(name for name in card.boot.files() if name.startswith("edgevid/wheels/") and name.endswith(".txt"))
    wanted = {line.partition("sha256:")[2] for line in card.boot.read(lock).decode().splitlines()}
    on_card = {sha256(wheel) for wheel in (tmp_path / "out/wheels").glob("*.whl")}
    assert wanted == on_card
    assert len(on_card) == 3


def test_flashing_twice_leaves_what_flashing_once_does(image: tuple[str, Path], tmp_path: Path, house: Path) -> None:
    _, path = image
    config = write(tmp_path, camera="imx708")
    card = flashed(config, path, house)
    first = [card.boot.read(name) for name in ("config.txt", "cmdline.txt")]
    flashed(config, path, house)
    assert [card.boot.read(name) for name in ("config.txt", "cmdline.txt")] == first


def test_a_mounted_partition_is_flashed_like_an_image_and_gets_wheels_for_every_python_it_may_have(
    tmp_path: Path, house: Path
) -> None:
    (tmp_path / "bootfs").mkdir()
    folder = official.make_folder(tmp_path / "bootfs", "bookworm")
    card = flashed(write(tmp_path), folder, house)
    assert {"edgevid/wheels/3.11.txt", "edgevid/wheels/3.13.txt"} <= card.boot.files()
    assert not list(folder.rglob("*.new"))


def test_the_command_shows_the_plan_and_writes_only_with_yes(
    originals: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    house: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = fresh(originals["trixie"], tmp_path)
    monkeypatch.setattr(wheels, "lock_path", lambda python: house / "lock.txt")
    before = sha256(path)
    command = ["flash", str(write(tmp_path)), "--to", str(path), "--wheels", str(house)]
    assert cli.main(command) == UsageError.exit_code
    out, err = capsys.readouterr()
    assert "Raspberry Pi OS trixie, set up by cloud-init" in out
    assert "Expected --yes to write this plan, got none. Nothing was written." in err
    assert sha256(path) == before
    assert cli.main([*command, "--yes", "--json"]) == 0
    out, err = capsys.readouterr()
    plan = json.loads(out)
    assert (plan["release"], plan["first_boot"], plan["writes_per_hour"]) == ("trixie", "cloud-init", 0)
    assert "is written and read back. Write it to a card" in err
    assert PASSWORD not in out + err


@pytest.mark.parametrize(("kind", "last"), [("trixie", "user-data"), ("bookworm", "cmdline.txt")])
def test_triggers_are_written_last_so_that_a_card_pulled_out_half_way_boots_as_before(
    kind: str, last: str, tmp_path: Path, house: Path
) -> None:
    written: list[str] = []
    card = target.open_target(official.make_folder(tmp_path / kind, kind))
    with flash.plan(deployment.read(write(tmp_path)), card, wheelhouse=house, lock=house / "lock.txt") as made:
        flash.write(made, progress=lambda path, _size: written.append(path))
    assert written[-1] == last
    ours = [path.startswith("edgevid/") for path in written]
    assert ours == sorted(ours, reverse=True)


def test_a_card_that_gives_back_other_bytes_is_named(tmp_path: Path, house: Path) -> None:
    folder = official.make_folder(tmp_path / "bootfs", "trixie")

    class Worn(boot_partition.MountedPartition):
        def write(self, path: str, source: Path) -> None:
            super().write(path, source)
            if path.endswith(".service"):
                (folder / path).write_bytes(source.read_bytes()[:-1] + b"?")

    card = target.Target(what="a worn card", boot=Worn(folder))
    plan = flash.plan(deployment.read(write(tmp_path)), card, wheelhouse=house, lock=house / "lock.txt")
    with (
        plan as made,
        pytest.raises(FlashError, match=r"Expected edgevid/edgevid\.service on a worn card as it was written"),
    ):
        flash.write(made)


def test_a_write_that_fails_half_way_is_one_error_and_leaves_no_file(tmp_path: Path) -> None:
    folder = official.make_folder(tmp_path / "bootfs", "trixie")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (tmp_path / "big").write_bytes(bytes(100_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses to let a file grow further, as on a full card.
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    try:
        with pytest.raises(FlashError, match=r"Expected to write config\.txt to .*, got File too large"):
            boot_partition.MountedPartition(folder).write("config.txt", tmp_path / "big")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def spoil(folder: Path, *, remove: str = "", add: str = "") -> Path:
    if remove:
        (folder / remove).unlink()
    if add:
        (folder / add).write_bytes(b"x")
    return folder


def test_a_card_with_the_examples_key_only_is_refused_for_nobody_could_log_in(tmp_path: Path, house: Path) -> None:
    folder = official.make_folder(tmp_path / "bootfs", "trixie")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shipped = deployment.read(boards_and_cameras.folder() / "deployments/usb-camera-4b.toml")
    with pytest.raises(
        DeploymentError, match=r"Expected your own key in \[user\] ssh_keys, the line of ~/\.ssh/id_ed25519\.pub, got"
    ):
        flashed(write(tmp_path, user={"ssh_keys": list(shipped.user.ssh_keys)}), folder, house)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    flashed(write(tmp_path, user={"ssh_keys": [*shipped.user.ssh_keys, KEY]}), folder, house)


MISFITS = {
    "no Raspberry Pi OS": ({"remove": "config.txt"}, {}, "got no config.txt"),
    "the 32-bit one": ({"add": "kernel7l.img"}, {}, "got the 32-bit one"),
    "no kernel for the board": (
        {"remove": "bcm2712-rpi-5-b.dtb"},
        {"board": "5"},
        "Expected a system for the board '5', got one for 3b",
    ),
    "no overlay for the camera": (
        {"remove": "overlays/imx708.dtbo"},
        {"camera": "imx708"},
        "Expected the overlay imx708.dtbo",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_system_that_does_not_fit_is_refused_before_anything_is_written(
    case: str, tmp_path: Path, house: Path
) -> None:
    change, deployed, message = MISFITS[case]
    folder = spoil(official.make_folder(tmp_path / "bootfs", "trixie"), **change)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(FlashError) as caught:
        flashed(write(tmp_path, **deployed), folder, house)
    assert message in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_bundle_too_large_for_the_card_is_refused_before_anything_is_written(tmp_path: Path, house: Path) -> None:
    path = official.make_image(tmp_path / "small.img", "trixie", fat_mib=48)
    before = path.read_bytes()
    with pytest.raises(
        FlashError, match=r"Expected \d+ MiB of room on the image .* got \d+ MiB\. Use .* The largest file is edgevid/"
    ):
        flashed(write(tmp_path), path, house)
    assert path.read_bytes() == before


def test_a_target_that_is_no_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(bytes(4096))
    (tmp_path / "a.img.xz").write_bytes(b"x")
    for name, message in {
        "none.img": "got nothing at",
        "a.img": "got none in",
        "a.img.xz": "Run: xz --decompress",
    }.items():
        with pytest.raises((FlashError, UsageError), match=message):
            target.open_target(tmp_path / name)


def test_a_disk_with_another_layout_is_refused(tmp_path: Path) -> None:
    official.need_tools()
    path = tmp_path / "data.img"
    path.write_bytes(bytes(8 * official.MIB))
    subprocess.run(["sfdisk", "--quiet", str(path)], input="label: dos\nstart=1MiB,type=83\n", text=True, check=True)
    with pytest.raises(FlashError, match="got the types 0x83"):
        target.open_target(path)


def disk(
    root: Path,
    name: str,
    *,
    removable: str = "1",
    gib: float = 32,
    partition: bool = False,
    mounted: str = "",
    bus: str = "pci",
) -> Path:
    """Write sysfs and mountinfo of a machine with one disk."""
    place = root / "sys/devices" / bus / name
    (place / f"{name}1").mkdir(parents=True)
    (place / f"{name}1/partition").write_text("1\n")
    (place / "dev").write_text("8:0\n")
    (place / "removable").write_text(f"{removable}\n")
    (place / "size").write_text(f"{int(gib * 2**30 / 512)}\n")
    if partition:
        (place / "partition").write_text("1\n")
    (root / "sys/class/block").mkdir(parents=True)
    (root / "sys/class/block" / name).symlink_to(place)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(
        f"22 1 8:1 / {mounted} rw - ext4 /dev/{name}1 rw\n" if mounted else "1 1 0:1 / /dev rw - devtmpfs dev rw\n"
    )
    return root


DISKS = {
    "a card": ({}, None),
    "a card in a reader of its own": ({"name": "mmcblk0", "removable": "0"}, None),
    "a USB reader that says nothing": ({"removable": "0", "bus": "pci/usb1"}, None),
    "a disk of this machine": ({"removable": "0"}, "which is a disk of this machine"),
    "a partition": ({"partition": True}, "Expected a whole card, got the partition"),
    "the disk of the root": ({"mounted": "/"}, "mounted at /"),
    "a card that is mounted": ({"mounted": "/media/me/bootfs"}, "mounted at /media/me/bootfs"),
    "a backup disk": ({"gib": 4000}, "Expected a card of 4 to 1024 GiB"),
    "a reader without a card": ({"gib": 0}, "got sda with 0.0 GiB"),
}


@pytest.mark.parametrize("case", DISKS)
def test_only_a_card_that_can_be_taken_out_and_is_not_in_use_is_written(case: str, tmp_path: Path) -> None:
    facts, message = DISKS[case]
    name = str(facts.pop("name", "sda")) if "name" in facts else "sda"
    machine = disk(tmp_path, name, **facts)
    if message is None:
        target.check_card(name, machine=machine)
        return
    with pytest.raises(FlashError) as caught:
        target.check_card(name, machine=machine)
    assert message in str(caught.value)


def test_a_real_block_device_of_this_machine_is_refused() -> None:
    devices = (
        [Path("/dev") / path.name for path in Path("/sys/class/block").iterdir()]
        if Path("/sys/class/block").is_dir()
        else []
    )
    block_devices = [device for device in devices if device.is_block_device()]
    if not block_devices:
        pytest.skip("no block device is visible here")
    with pytest.raises(FlashError):
        target.open_target(block_devices[0])


@pytest.fixture
def loop(originals: dict[str, Path], tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A loop device of a card's size in the official layout, and the file behind it."""
    path = fresh(originals["trixie"], tmp_path)
    os.truncate(path, 4 * 2**30)
    done = subprocess.run(["losetup", "--find", "--show", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device can be made here: {done.stderr.strip()}")
    device = Path(done.stdout.strip())
    yield device, path
    subprocess.run(["losetup", "--detach", str(device)], check=True)


def test_a_block_device_of_the_kernel_is_written_like_a_card(
    loop: tuple[Path, Path], tmp_path: Path, house: Path
) -> None:
    """A fake sysfs reports the loop device as removable. tests/camera flashes a card on an emulated USB port."""
    device, path = loop
    with pytest.raises(FlashError, match="which is a disk of this machine"):
        target.open_target(device)
    card = target.open_target(device, machine=disk(tmp_path / "machine", device.name, gib=4))
    assert card.what == f"the card {device}"
    with flash.plan(deployment.read(write(tmp_path)), card, wheelhouse=house, lock=house / "lock.txt") as made:
        assert made.system.release == "trixie"
        flash.write(made)
        written = {name: source.read_bytes() for name, source in made.files.items()}
    behind = target.open_target(path).boot
    assert {name: behind.read(name) for name in written} == written


def test_this_machines_own_boot_partition_is_not_flashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(target, "_OWN_BOOT", (str(tmp_path),))
    with pytest.raises(FlashError, match="Run: edgevid install-service"):
        target.open_target(tmp_path)


def test_the_first_boot_installs_without_a_network_and_puts_the_bundle_into_service(
    tmp_path: Path, device_house: Path
) -> None:
    """Run a card's install.sh below a folder, with wheels for this machine's processor."""
    folder = official.make_folder(tmp_path / "bootfs", "trixie")
    card, version = target.open_target(folder), "{}.{}".format(*sys.version_info)
    house = device_house
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raspberry_pi_os, "PYTHONS", {"trixie": version})
        config = write(tmp_path, environment={"TOKEN": "t"}, card={"read_only_root": True})
        lock, networks = house / "lock.txt", {"pose.tflite": b"a network", "LICENSE": b"its license"}
        with flash.plan(deployment.read(config), card, wheelhouse=house, lock=lock, networks=networks) as made:
            flash.write(made)
    (folder / "edgevid/wheels/pip-1.0-py3-none-any.whl").write_bytes(b"left by an earlier flash")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "boot/firmware").mkdir(parents=True)
    shutil.copy(folder / "cmdline.txt", root / "boot/firmware/cmdline.txt")
    environment = {
        **os.environ,
        "EDGEVID_ROOT": str(root),
        "EDGEVID_PYTHON": sys.executable,
        "PIP_INDEX_URL": "http://127.0.0.1:1/",
        "PIP_NO_INDEX": "1",
    }
    for _ in range(2):  # the second run must change nothing
        done = subprocess.run(
            ["sh", str(folder / "edgevid/install.sh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    log = (folder / "edgevid/first-boot.log").read_text()
    assert "exit code 0" in log
    assert (root / "etc/systemd/system/multi-user.target.wants/edgevid.service").is_symlink()
    assert (root / "etc/edgevid/environment").stat().st_mode & 0o777 == 0o600
    assert not (folder / "edgevid/environment").exists(), "the installer removes secrets from the FAT"
    state = json.loads((root / "var/lib/edgevid/state.json").read_text())
    assert state["slots"]["a"]["name"] == "gestures.edgevid"
    assert (root / "var/lib/edgevid/a.edgevid").stat().st_uid != 0
    assert (root / "usr/local/bin/edgevid").readlink() == Path("/opt/edgevid/current/bin/edgevid"), (
        "a person who logs in finds the command"
    )
    found = {path.name: path.read_bytes() for path in (root / "opt/edgevid/keypoints").iterdir()}
    assert found == {"pose.tflite": b"a network", "LICENSE": b"its license"}
    assert (root / "usr/local/lib/edgevid/overlay-root").stat().st_mode & 0o777 == 0o755
    assert (root / "boot/firmware/cmdline.txt").read_text().split().count(
        "init=/usr/local/lib/edgevid/overlay-root"
    ) == 1
    run = [
        str(root / "opt/edgevid/current/bin/python"),
        "-m",
        "edgevid.cli",
        "run",
        str(root / "var/lib/edgevid"),
        "--config",
        str(root / "etc/edgevid/run.toml"),
    ]
    result = subprocess.run(
        [*run, "--source", "synthetic:7", "--max-frames", "60"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[0])["scores"]


def test_a_card_that_was_flashed_again_is_installed_again_and_one_that_was_not_is_left_alone(tmp_path: Path) -> None:
    """Run first-boot.sh in a folder, with a systemctl that records its arguments."""
    text = (boards_and_cameras.folder() / "boot/first-boot.sh").read_text()
    for place in ("/boot/firmware", "/opt/edgevid", "/etc/systemd"):
        text = text.replace(place, f"{tmp_path}{place}")
        (tmp_path / place[1:] / "edgevid").mkdir(parents=True)
    (tmp_path / "etc/systemd/system").mkdir()
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    (tmp_path / "systemctl").chmod(0o755)
    card = tmp_path / "boot/firmware/edgevid"
    (card / "edgevid-install.service").write_text("[Service]\n")

    def asked(*words: str) -> str:
        (tmp_path / "asked").write_text("")
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", text, "first-boot.sh", *words], env=environment, check=False)
        return (tmp_path / "asked").read_text()

    (card / "SHA256SUMS").write_text("first\n")
    assert asked() == "", "an image that was built whole has no installer"
    (card / "install.sh").write_text("exit 0\n")
    assert "start --no-block" in asked()
    assert "start --no-block" not in asked("later")
    assert "enable" in asked("later")
    shutil.copy(card / "SHA256SUMS", tmp_path / "opt/edgevid/installed")
    assert asked() == ""
    (card / "SHA256SUMS").write_text("second\n")
    assert "start --no-block" in asked()


def test_a_password_in_an_address_of_run_is_said_to_be_in_clear(tmp_path: Path, house: Path) -> None:
    card = target.open_target(official.make_folder(tmp_path / "bootfs", "trixie"))
    config = write(tmp_path, run={"source": "rtsp://me:secret@camera/1"})
    with flash.plan(deployment.read(config), card, wheelhouse=house, lock=house / "lock.txt") as made:
        assert ["in clear on the boot partition" in warning for warning in made.warnings] == [True]
        assert "secret" not in "".join(made.warnings)


@pytest.mark.parametrize(
    ("run", "millions", "expected"),
    [
        ({"threads": 1}, 1, ""),
        ({"threads": 1}, 1_000_000, "the board will not keep the model's rate, by prediction: "),
        ({"threads": "auto"}, 1_000_000, "the board will not keep the model's rate, by prediction: "),
        ({"threads": 1, "delegate": "edgetpu"}, 1_000_000, ""),
    ],
    ids=["fast", "slow", "auto", "edgetpu"],
)
def test_a_model_that_the_board_is_too_slow_for_is_said_in_the_plan(
    run: dict[str, Any], millions: int, expected: str, tmp_path: Path, house: Path
) -> None:
    model = bundle.read(SHIPPED)
    work = {"convolution": millions * 10**6, "depthwise": 0, "dense": 0, "moved": 0, "weights": 0}
    report = {"placement": [{"part": part.role, "work": work} for part in model.manifest.parts]}
    bundle.write(dataclasses.replace(model, report=report), tmp_path / "heavy.edgevid")
    config = write(tmp_path, bundle="heavy.edgevid", run=run)
    card = target.open_target(official.make_folder(tmp_path / "bootfs", "trixie"))
    with flash.plan(deployment.read(config), card, wheelhouse=house, lock=house / "lock.txt") as made:
        found = [warning for warning in made.warnings if "by prediction" in warning]
    assert len(found) == bool(expected)
    assert all(each.startswith(expected) for each in found)


def test_a_card_whose_files_were_changed_installs_nothing(tmp_path: Path, house: Path) -> None:
    folder = official.make_folder(tmp_path / "bootfs", "trixie")
    flashed(write(tmp_path), folder, house)
    (folder / "edgevid/edgevid.service").write_text("[Service]\nExecStart=/bin/true\n")
    environment = {**os.environ, "EDGEVID_ROOT": str(tmp_path / "root"), "EDGEVID_PYTHON": sys.executable}
    done = subprocess.run(
        ["sh", str(folder / "edgevid/install.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    # Not "Flash the card again" alone: that is the end of other messages as well.
    assert "Expected the files that were flashed in" in done.stdout
    assert not (tmp_path / "root/opt").exists()
