"""Partitions and files of an image of a very small Debian, and equal bytes for equal input.

tests/boot boots an image of the whole Debian. These tests need the programs in `assemble.PROGRAMS`,
and mke2fs 1.47.1 or later; on Debian 12, scripts/newer_tools.sh build/tools unpacks a newer one:

    scripts/newer_tools.sh build/tools e2fsprogs libcom-err2 libext2fs2 libss2
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevid import boards_and_cameras, cli
from edgevid.errors import DeploymentError, FlashError, MissingDependency, UsageError
from edgevid.provision import boot_partition, deployment, wheels
from edgevid.provision.image import assemble, debian_base, disk, host_tools, initrd, recipe
from edgevid.provision.image.tar_tree import Archive, Tree, lay_over
from edgevid.updates.slots import Slots
from tests.boot import tools as boot_tools
from tests.boot.tools import environment
from tests.edgevid.provision import deployments
from tests.edgevid.provision.image import debian
from tests.edgevid.provision.repack import wheelhouse
from tests.repo.files import ROOT

BOOKWORM = recipe.recipe("bookworm")
# 40 MiB is the smallest boot partition that is still FAT32.
SMALL = dataclasses.replace(BOOKWORM, boot_mib=40, spare_mib=0, python=".".join(map(str, sys.version_info[:2])))
ROOT_AT_MIB = disk.FIRST_MIB + SMALL.boot_mib


@pytest.fixture(autouse=True)
def newer_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use newer programs in build/tools, if they were unpacked there."""
    for name in ("PATH", "LD_LIBRARY_PATH"):
        if name in environment():
            monkeypatch.setenv(name, environment()[name])
    try:
        host_tools.require_programs([*assemble.PROGRAMS, "xz"])
    except MissingDependency as error:
        pytest.skip(str(error))


def build(folder: Path, out: str, **changes: object) -> assemble.BuiltImage:
    """Build an image of the small Debian."""
    folder.mkdir(exist_ok=True)
    house = wheelhouse(folder / "house", ("flatbuffers",))
    own, packed = wheels.pack(folder)
    pinned = {own: packed, **wheels.collect("3.11", wheelhouse=house, lock=house / "lock.txt")}
    config = deployment.read(deployments.write(folder, **changes))
    made_from, networks = debian.write(folder / "debian.tar"), {"pose.tflite": b"a network"}
    return assemble.assemble(config, SMALL, folder / out, wheels=pinned, debian=made_from, networks=networks)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> assemble.BuiltImage:
    """An image for tests that only read it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "LD_LIBRARY_PATH"):
            if name in environment():
                patch.setenv(name, environment()[name])
        try:
            host_tools.require_programs([*assemble.PROGRAMS, "xz"])
        except MissingDependency as error:
            pytest.skip(str(error))
        return build(tmp_path_factory.mktemp("image"), "card.img", environment={"MQTT_PASSWORD": 'a "quoted" secret'})


@pytest.fixture
def root(made: assemble.BuiltImage) -> Callable[[str], str]:
    """Return a function that runs a debugfs command on the root file system."""

    def ask(command: str) -> str:
        at = f"{made.image}?offset={ROOT_AT_MIB * disk.MIB}"
        done = subprocess.run(
            ["debugfs", "-R", command, at], capture_output=True, text=True, check=True, env=host_tools.environment(0)
        )
        return done.stdout

    return ask


def boot(made: assemble.BuiltImage) -> boot_partition.FatPartition:
    return boot_partition.FatPartition(made.image, boot_partition.boot_and_root(made.image)[0])


def test_the_card_has_a_boot_and_a_root_partition_as_raspberry_pi_os_has(made):
    first, second = boot_partition.boot_and_root(made.image)
    assert (first.start_bytes, first.size_bytes) == (4 * disk.MIB, SMALL.boot_mib * disk.MIB)
    assert second.start_bytes == ROOT_AT_MIB * disk.MIB
    assert second.start_bytes + second.size_bytes == made.image.stat().st_size == made.bytes


def test_the_root_file_system_is_clean(made):
    at = f"{made.image}?offset={ROOT_AT_MIB * disk.MIB}"
    done = subprocess.run(
        ["e2fsck", "-fn", at], capture_output=True, text=True, check=False, env=host_tools.environment(0)
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_networks_of_key_points_are_where_the_service_looks_for_them(root):
    assert "EDGEVID_KEYPOINTS=/opt/edgevid/keypoints\n" in root("cat /etc/systemd/system/edgevid.service")
    assert root("cat /opt/edgevid/keypoints/pose.tflite") == "a network"


def test_the_firmware_finds_what_config_txt_names(made):
    config = boot(made).read("config.txt").decode()
    named = [
        re.search(r"^kernel=(\S+)", config, re.MULTILINE)[1],
        re.search(r"^initramfs (\S+)", config, re.MULTILINE)[1],
    ]
    assert (
        set(named) | {"start4.elf", "bootcode.bin", "user-data", "meta-data", "network-config", "cmdline.txt"}
        <= boot(made).files()
    )
    assert boot(made).read("vmlinuz") == b"stands for a kernel"


@pytest.mark.parametrize("board", sorted(BOOKWORM.device_trees))
def test_each_board_finds_its_device_tree(made, board):
    assert BOOKWORM.device_trees[board] in boot(made).files()
    assert board in boards_and_cameras.boards()


def test_the_kernel_is_told_of_the_root_partition_by_the_label_that_it_has(made, root):
    assert f"root=LABEL={disk.ROOT_LABEL} " in boot(made).read("cmdline.txt").decode()
    assert f"LABEL={disk.ROOT_LABEL} / " in root("cat /etc/fstab")
    assert disk.ROOT_LABEL in root("show_super_stats -h")


def test_cloud_init_looks_for_the_label_that_the_boot_partition_has(made, root):
    label = subprocess.run(
        ["mlabel", "-s", "-i", f"{made.image}@@4M", "::"],
        capture_output=True,
        text=True,
        check=True,
        env=host_tools.environment(0),
    ).stdout
    assert disk.BOOT_LABEL in label
    assert f"fs_label: {disk.BOOT_LABEL}\n" in root("cat /etc/cloud/cloud.cfg.d/99_edgevid.cfg")
    assert f"LABEL={disk.BOOT_LABEL} /boot/firmware " in root("cat /etc/fstab")


def test_the_deployment_is_told_to_cloud_init(made):
    user_data = boot(made).read("user-data").decode()
    assert 'hostname: "porch"' in user_data
    assert deployments.KEY in user_data


def test_the_service_starts_by_itself_as_the_user_that_is_there(root):
    assert 'Fast link dest: "/etc/systemd/system/edgevid.service"' in root(
        "stat /etc/systemd/system/multi-user.target.wants/edgevid.service"
    )
    unit = root("cat /etc/systemd/system/edgevid.service")
    assert "User=edgevid\n" in unit
    assert re.search(r"^edgevid:x:900:900:", root("cat /etc/passwd"), re.MULTILINE)
    assert "video:x:44:someone,edgevid\n" in root("cat /etc/group")
    assert "render:x:106:edgevid\n" in root("cat /etc/group")


def test_the_program_of_the_unit_is_there(root):
    program = re.search(r"^ExecStart=(\S+)", root("cat /etc/systemd/system/edgevid.service"), re.MULTILINE)[1]
    assert program == "/opt/edgevid/current/bin/python"
    assert 'Fast link dest: "python3"' in root(f"stat {_followed(root, program)}")
    assert "edgevid.cli" in root(f"cat {_followed(root, '/opt/edgevid/current/bin/edgevid')}")


def _followed(root, path):
    """Resolve the link `current`, which debugfs does not follow."""
    home = re.search(r'Fast link dest: "(\w+)"', root("stat /opt/edgevid/current"))[1]
    return path.replace("current", home)


def test_installed_packages_are_compiled_for_a_device_that_may_not_write_there(root):
    site = _followed(root, f"/opt/edgevid/current/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages")
    names = root(f"ls -p {site}/edgevid/__pycache__")
    assert "cli.cpython-" in names
    assert str(Path.home()) not in root(f"cat {site}/edgevid-0.1.0.dist-info/RECORD")


def test_the_bundle_is_in_service_in_a_slot_of_the_services_own(made, root, tmp_path):
    for name in ("a.edgevid", "state.json"):
        status = root(f"stat /var/lib/edgevid/{name}")
        assert re.search(r"User:\s+900\s+Group:\s+900", status), status
        root(f"dump /var/lib/edgevid/{name} {tmp_path / name}")
    assert Slots(tmp_path).current().read_bytes() == deployments.SHIPPED.read_bytes()


def test_every_file_that_a_flashed_card_installs_is_at_the_same_place(root):
    script = (boards_and_cameras.folder() / "boot/install.sh").read_text()
    installed = re.findall(r'install -D -m (\d+) "\$here/[^"]+" "\$root(/[^"]+)"', script)
    assert len(installed) >= 5
    for mode, path in installed:
        assert f"Mode:  0{mode}" in root(f"stat {path}"), path


def test_secrets_are_readable_for_root_only(made, root):
    assert made.image.stat().st_mode & 0o777 == 0o600
    assert "Mode:  0600" in root("stat /etc/edgevid/environment")
    assert 'a \\"quoted\\" secret' in root("cat /etc/edgevid/environment")


@pytest.mark.parametrize(
    "path", ["/etc/ssh/ssh_host_ed25519_key", "/var/log/dpkg.log", f"/boot/vmlinuz-{debian.RELEASE}", "/dev/console"]
)
def test_nothing_is_in_the_image_that_no_two_devices_may_share_or_that_says_when_it_was_built(root, path):
    assert "Inode:" in root("stat /etc/ssh/ssh_config")
    assert "Inode:" not in root(f"stat {path}")


def test_the_machine_id_is_empty_so_that_each_device_makes_its_own(root):
    assert "Size: 0" in root("stat /etc/machine-id")


def test_the_files_of_debian_keep_their_owners_and_modes(root):
    assert re.search(r"Mode:\s+0640", root("stat /etc/shadow"))
    assert re.search(r"User:\s+0\s+Group:\s+42", root("stat /etc/shadow"))
    assert 'Fast link dest: "usr/bin"' in root("stat /bin")


def test_the_same_input_gives_the_same_bytes(made, tmp_path):
    again = build(tmp_path / "elsewhere", "card.img", environment={"MQTT_PASSWORD": 'a "quoted" secret'})
    assert again.sha256 == made.sha256
    assert again.image.read_bytes() == made.image.read_bytes()
    assert again.sbom.read_bytes() == made.sbom.read_bytes()
    assert again.manifest.read_bytes() == made.manifest.read_bytes()


def test_another_hostname_is_another_card(made, tmp_path):
    again = build(tmp_path / "other", "card.img", hostname="garden", environment={"MQTT_PASSWORD": 'a "quoted" secret'})
    assert again.sha256 != made.sha256


def test_a_packed_image_is_the_image(tmp_path):
    packed = build(tmp_path / "packed", "card.img.xz")
    raw = lzma.decompress(packed.image.read_bytes())
    assert len(raw) == packed.bytes
    assert hashlib.sha256(raw).hexdigest() == packed.sha256
    entry = json.loads(packed.manifest.read_text())["os_list"][0]
    assert entry["image_download_size"] == packed.image.stat().st_size == packed.packed_bytes
    assert entry["image_download_sha256"] == hashlib.sha256(packed.image.read_bytes()).hexdigest()
    assert sorted(path.name for path in packed.image.parent.glob("card*")) == [
        "card.img.xz",
        "card.rpi-imager-manifest",
        "card.spdx.json",
    ]


def test_imager_is_told_all_that_its_schema_requires(made):
    entry = json.loads(made.manifest.read_text())["os_list"][0]
    # Source: github.com/raspberrypi/rpi-imager, doc/json-schema/os-list-schema.json, "required".
    assert {
        "name",
        "description",
        "icon",
        "url",
        "extract_size",
        "extract_sha256",
        "image_download_size",
        "release_date",
    } <= set(entry)
    assert entry["init_format"] == "cloudinit"
    assert (entry["extract_size"], entry["extract_sha256"]) == (made.bytes, made.sha256)
    assert entry["devices"] == ["pi3-64bit", "pi4-64bit"]


def test_the_list_of_parts_names_every_package_wheel_and_the_bundle(made):
    listed = json.loads(made.sbom.read_text())
    assert listed["spdxVersion"] == "SPDX-2.3"
    by_name = {package["name"]: package for package in listed["packages"]}
    assert {"busybox-static", "base-files", "edgevid", "flatbuffers", "gestures.edgevid", "card"} == set(by_name)
    assert (
        by_name["busybox-static"]["externalRefs"][0]["referenceLocator"]
        == "pkg:deb/debian/busybox-static@1%3A1.35.0-4%2Bb1?arch=arm64&distro=debian-bookworm"
    )
    identities = [package["SPDXID"] for package in listed["packages"]]
    assert len(set(identities)) == len(identities)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identity) for identity in identities)
    contained = {
        each["relatedSpdxElement"] for each in listed["relationships"] if each["relationshipType"] == "CONTAINS"
    }
    assert contained == set(identities) - {"SPDXRef-Image"}


def test_modules_are_loaded_after_those_that_they_need(tmp_path):
    with Archive(debian.write(tmp_path / "debian.tar")) as archive:
        order = [Path(path).stem for path in initrd.load_order(archive, debian.RELEASE, BOOKWORM.modules)]
    assert order.index("mmc_core") < order.index("mmc_block")
    assert {"jbd2", "crc16"} <= set(order[: order.index("ext4")])
    assert len(order) == len(set(order))


def test_a_module_that_the_kernel_does_not_have_is_refused(tmp_path):
    with (
        Archive(debian.write(tmp_path / "debian.tar")) as archive,
        pytest.raises(FlashError, match="Expected the module warp_drive"),
    ):
        initrd.load_order(archive, debian.RELEASE, ("warp_drive",))


def test_the_initrd_has_what_the_script_calls(tmp_path):
    with Archive(debian.write(tmp_path / "debian.tar")) as archive:
        packed = initrd.make(archive, BOOKWORM, epoch_s=0)
        again = initrd.make(archive, BOOKWORM, epoch_s=0)
    assert packed == again
    names = (
        subprocess.run(["cpio", "--quiet", "-t"], input=gzip.decompress(packed), capture_output=True, check=True)
        .stdout.decode()
        .split()
    )
    script = (boards_and_cameras.folder() / "image/init").read_text()
    assert {"init", "bin/busybox", "lib/modules/order", "lib/modules/ext4.ko"} <= set(names)
    called = {
        applet
        for applet in ("mount", "umount", "insmod", "sleep", "cat", "findfs", "switch_root", "sh")
        if re.search(rf"\b{applet}\b", script)
    }
    assert {f"bin/{applet}" for applet in called} <= set(names)


def test_a_file_behind_a_link_of_debian_is_refused(tmp_path):
    tree = Tree()
    tree.file("lib/edgevid/file", "text")
    with pytest.raises(FlashError, match="Expected a folder at /lib of the device, got a symbolic link"):
        lay_over(debian.write(tmp_path / "debian.tar"), tree, tmp_path / "out.tar", epoch_s=0)


def test_a_number_of_an_account_that_is_taken_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(debian.FILES, "etc/passwd", "other:x:900:900::/:/bin/sh\n")
    with pytest.raises(FlashError, match="Expected the number 900 to be free"):
        build(tmp_path, "card.img")


def test_a_failure_leaves_no_image_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "FEATURES", "warp_drive")
    with pytest.raises(FlashError, match="Expected mke2fs to succeed"):
        build(tmp_path, "card.img")
    assert [
        path.name for path in tmp_path.iterdir() if "card" in path.name or path.name.startswith(".edgevid-image")
    ] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"board": "5"}, "Expected a board that Debian bookworm starts on, one of 3b, .*got '5'. Use edgevid flash"),
        ({"card": {"read_only_root": True}}, "Expected .card. read_only_root = false"),
        (
            {"user": {"ssh_keys": [f"{deployments.KEY.rpartition(' ')[0]} replace@me"]}},
            "Expected your own key in .user. ssh_keys, the line of .*id_ed25519",
        ),
        (
            {"camera": "imx708"},
            "Expected a USB camera, got .*, for which Debian's kernel has no driver. Use edgevid flash",
        ),
    ],
)
def test_what_debian_cannot_do_is_refused_before_anything_is_built(tmp_path, changes, message):
    config = deployment.read(deployments.write(tmp_path, **changes))
    with pytest.raises(DeploymentError, match=message):
        assemble.check(config, BOOKWORM, tmp_path / "card.img")


def test_a_name_that_does_not_say_what_it_is_is_refused(tmp_path):
    config = deployment.read(deployments.write(tmp_path))
    with pytest.raises(UsageError, match=r"ending in .img.xz or .img, got card.zip"):
        assemble.check(config, BOOKWORM, tmp_path / "card.zip")


def test_a_missing_program_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(host_tools.shutil, "which", lambda name, path: None if name in ("cpio", "mcopy") else name)
    with pytest.raises(
        MissingDependency, match=r"Expected the programs mcopy, cpio, got none. Run: apt-get install cpio mtools"
    ):
        host_tools.require_programs(["sfdisk", "mcopy", "cpio"])


def test_a_mke2fs_that_reads_no_tar_is_refused(monkeypatch):
    old = subprocess.CompletedProcess([], 0, "", "mke2fs 1.47.0 (5-Feb-2023)\n")
    monkeypatch.setattr(host_tools.subprocess, "run", lambda *_, **__: old)
    with pytest.raises(MissingDependency, match=r"Expected mke2fs 1.47.1 or later, which reads a tar, got 1.47.0"):
        host_tools.require_programs(["mke2fs"])


def test_another_list_of_packages_is_another_tar(tmp_path):
    more = dataclasses.replace(BOOKWORM, packages=(*BOOKWORM.packages, "htop"))
    assert debian_base.path(more, tmp_path) != debian_base.path(BOOKWORM, tmp_path)
    assert debian_base.path(
        dataclasses.replace(BOOKWORM, packages=tuple(reversed(BOOKWORM.packages))), tmp_path
    ) == debian_base.path(BOOKWORM, tmp_path)


def test_a_tar_that_is_there_is_not_bootstrapped_again(tmp_path):
    debian_base.path(BOOKWORM, tmp_path).write_bytes(b"kept")
    assert debian_base.bootstrap(BOOKWORM, tmp_path, epoch_s=0).read_bytes() == b"kept"


def test_a_release_that_nobody_knows_is_refused(tmp_path, capsys):
    code = cli.main(
        ["image", "build", str(deployments.write(tmp_path)), "-o", str(tmp_path / "card.img"), "--suite", "sarge"]
    )
    assert code == 2
    assert "Expected a release for an image, one of bookworm, got 'sarge'" in capsys.readouterr().err


def test_cloud_init_takes_what_the_image_sets_for_it(tmp_path):
    if shutil.which("cloud-init") is None:
        pytest.skip("needs cloud-init: apt-get install cloud-init")
    path = tmp_path / "cloud.cfg"
    path.write_text("#cloud-config\n" + (boards_and_cameras.folder() / "image/cloud.cfg").read_text())
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "Valid" in done.stdout) == (0, True), done.stdout + done.stderr


def test_an_image_that_cannot_get_its_name_leaves_no_description_behind(tmp_path):
    scratch = tmp_path / ".scratch"
    scratch.mkdir()
    (scratch / "card.xz").write_bytes(b"image")
    # A rename onto a folder fails.
    (tmp_path / "card.img.xz").mkdir()
    with pytest.raises(IsADirectoryError):
        assemble._publish(
            tmp_path / "card.img.xz", scratch / "card.xz", {}, {}, raw_bytes=5, raw_sha256="", installed=()
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [".scratch", "card.img.xz"]


def test_a_bootstrap_needs_the_program_that_mmdebstrap_only_recommends(tmp_path, monkeypatch):
    (tmp_path / "mmdebstrap").write_text("#!/bin/sh\n")
    (tmp_path / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host_tools, "_SYSTEM_FOLDERS", ())
    with pytest.raises(MissingDependency, match=r"the programs arch-test, got none\. Run: apt-get install arch-test"):
        debian_base.bootstrap(recipe.recipe("bookworm"), tmp_path / "cache", epoch_s=0)
    assert boot_tools.PACKAGES["arch-test"] == "arch-test"


def test_the_registration_of_an_emulator_that_is_missing_says_what_to_install(tmp_path):
    if host_tools.BINFMT.exists():
        pytest.skip("an emulator is registered here")
    done = subprocess.run(
        ["sh", str(ROOT / "scripts/emulate_aarch64.sh"), ""], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "Expected QEMU's user emulator for aarch64, got none. Run: apt-get install qemu-user\n",
    )
