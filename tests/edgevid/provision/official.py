"""Images in the layout of Raspberry Pi OS Lite (64-bit): an MBR, a FAT32 `bootfs` and an ext4 `rootfs`.

NO OFFICIAL IMAGE IS USED: the tests download none. File names, config.txt, cmdline.txt and
the seed of cloud-init are those of github.com/RPi-Distro/pi-gen. Kernels and device trees are
placeholders of a few bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgevid import boards_and_cameras

MIB = 2**20
TOOLS = {
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
}
SEED = {
    "user-data": "#cloud-config\n# nothing is set up\n",
    "meta-data": "dsmode: local\ninstance_id: rpios-image\n",
    "network-config": "# nothing is set up\n",
}
CONFIG = """\
# For more options and information see
# http://rptl.io/configtxt
# Some settings may impact device functionality. See link above for details

#dtparam=i2c_arm=on
dtparam=audio=on

camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
arm_64bit=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[all]
"""
_ROOT = "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait"
CMDLINE = {"bookworm": f"{_ROOT} quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n", "trixie": f"{_ROOT} resize\n"}
FIRST_BOOT = {"bookworm": "firstrun", "trixie": "cloud-init", "trixie without cloud-init": "firstrun"}


def need_tools() -> None:
    """Skip if a tool is missing, and name the packages to install."""
    os.environ["PATH"] = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    if missing:
        pytest.skip(f"needs: apt-get install {' '.join(sorted(missing))}")


def boot_files(kind: str) -> dict[str, bytes]:
    """Return the files of a boot partition. `kind` is a key of `FIRST_BOOT`."""
    release = kind.partition(" ")[0]
    names = [
        "bootcode.bin",
        "start4.elf",
        "fixup4.dat",
        "kernel8.img",
        "kernel_2712.img",
        "initramfs8",
        "initramfs_2712",
        "LICENCE.broadcom",
    ]
    names += [tree for board in boards_and_cameras.boards().values() for tree in board.device_trees]
    names += [
        f"overlays/{camera.overlay}.dtbo" for camera in boards_and_cameras.cameras().values() if camera.overlay
    ] + ["overlays/vc4-kms-v3d.dtbo"]
    files = {name: f"stands for {name}\n".encode() for name in names}
    files["config.txt"], files["cmdline.txt"] = CONFIG.encode(), CMDLINE[release].encode()
    files["issue.txt"] = b"Raspberry Pi reference 2025-11-24\nGenerated using pi-gen, stage2\n"
    return {**files, **({name: text.encode() for name, text in SEED.items()} if kind == "trixie" else {})}


def make_folder(folder: Path, kind: str) -> Path:
    """Write the files of a boot partition into a folder, as if it were mounted."""
    for name, data in boot_files(kind).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def make_image(path: Path, kind: str, *, fat_mib: int = 256, root_mib: int = 16) -> Path:
    """Write a sparse image file, without root or a loop device."""
    need_tools()
    tree = make_folder(path.with_suffix(".boot"), kind)
    root = path.with_suffix(".root")
    (root / "usr/lib/python3/dist-packages/picamera2").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text(
        f'PRETTY_NAME="Debian GNU/Linux"\nVERSION_CODENAME={kind.partition(" ")[0]}\nID=debian\n'
    )
    (root / "usr/lib/python3/dist-packages/picamera2/__init__.py").write_text("# stands for picamera2\n")
    with path.open("wb") as file:
        file.truncate((4 + fat_mib + root_mib) * MIB)
    table = (
        "label: dos\nlabel-id: 0x4e639091\n"
        f"start=4MiB,size={fat_mib}MiB,type=c\nstart={4 + fat_mib}MiB,size={root_mib}MiB,type=83\n"
    )
    subprocess.run(["sfdisk", "--quiet", str(path)], input=table, text=True, check=True)
    subprocess.run(["mformat", "-i", f"{path}@@4M", "-T", str(fat_mib * 2048), "-F", "-v", "bootfs", "::"], check=True)
    subprocess.run(["mcopy", "-s", "-Q", "-i", f"{path}@@4M", *map(str, tree.iterdir()), "::"], check=True)
    place = ["-E", f"offset={(4 + fat_mib) * MIB}", "-d", str(root), str(path), f"{root_mib}M"]
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "rootfs", *place], check=True, stderr=subprocess.DEVNULL)
    return path
