"""What a deployment adds to Debian.

On the root file system all that a flashed card would install at its first boot; on the boot partition the firmware, the kernel and what
cloud-init is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edgevid import firmware
from edgevid.provision import first_boot
from edgevid.provision.deployment import Deployment
from edgevid.provision.image import accounts, initrd
from edgevid.provision.image.recipe import FOLDER, ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree
from edgevid.provision.payload import check_bundle, payload
from edgevid.provision.raspberry_pi_os import System
from edgevid.provision.unit import STATE_FOLDER
from edgevid.updates.slots import Slots
from edgevid.updates.vetting import vet

# What a device makes for itself, what belongs to the boot partition, and what no two images would have alike.
LEFT_OUT = (
    "boot/*",
    "dev/*",
    "etc/.resolv.conf.systemd-resolved.bak",
    "etc/hostname",
    "etc/ssh/ssh_host_*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/lib/systemd/random-seed",
    "var/log/*",
    "var/tmp/*",
    "tmp/*",
)
_FIRMWARE, _KERNEL = "usr/lib/raspi-firmware", "vmlinuz"
_GROUPS = ("video", "render", "plugdev")
_UNITS = "etc/systemd/system"
# netplan writes files for systemd-networkd, which Debian does not start where nobody asks for it.
WANTED = ("multi-user.target.wants/systemd-networkd.service", "sockets.target.wants/systemd-networkd.socket")
# A device that is out of reach of any network starts as quickly as one that is not, and looks for no updates that would wear its card.
MASKED = (
    "systemd-networkd-wait-online.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_reap.service",
)


def root(tree: Tree, archive: Archive, deployment: Deployment, recipe: ImageRecipe) -> None:
    """Add what lies on the root file system, besides the Python environment.

    Args:
        tree: Where to.
        archive: The root file system as Debian left it.
        deployment: Whose.
        recipe: The release.

    Raises:
        EdgevidError: The bundle does not give its golden answers.
    """
    check_bundle(deployment)
    accounts.add(tree, archive, groups=_GROUPS)
    _system(tree)
    system = System(release=recipe.suite, first_boot="cloud-init", pythons=(recipe.python,), has_picamera=False)
    _service(tree, payload(deployment, system))
    _bundle(tree, deployment)


def boot(archive: Archive, deployment: Deployment, recipe: ImageRecipe, *, epoch_s: int) -> dict[str, bytes]:
    """Give the files of the boot partition.

    Args:
        archive: The root file system as Debian left it.
        deployment: Whose.
        recipe: Says which modules are needed.
        epoch_s: The time of files.

    Returns:
        Content by path.

    Raises:
        FlashError: A file is not among the packages.
    """
    release = initrd.kernel_release(archive)
    made = {
        PurePosixPath(name).relative_to(_FIRMWARE).as_posix(): archive.read(name) for name in archive.names(_FIRMWARE)
    }
    trees = f"usr/lib/linux-image-{release}/broadcom"
    made |= {name: archive.read(f"{trees}/{name}") for name in sorted(set(recipe.device_trees.values()))}
    made |= {
        _KERNEL: archive.read(f"boot/vmlinuz-{release}"),
        "initrd.img": initrd.make(archive, recipe, epoch_s=epoch_s),
    }
    made["edgevid/first-boot.sh"] = (firmware.folder() / "boot/first-boot.sh").read_bytes()
    texts = {
        "config.txt": first_boot.config_txt(deployment, _data("config.txt")),
        "cmdline.txt": first_boot.cmdline_txt(deployment, _data("cmdline.txt"), has_firstrun=False),
        **first_boot.cloud_init(deployment, contents={}),
    }
    return {**made, **{name: text.encode() for name, text in texts.items()}}


def _system(tree: Tree) -> None:
    tree.file("etc/fstab", _data("fstab"))
    tree.file("etc/hostname", "edgevid\n")
    # Empty, and not missing: systemd makes one at the first boot, and does not take it for a factory reset. Source: machine-id(5)
    tree.file("etc/machine-id", "")
    tree.file("etc/cloud/cloud.cfg.d/99_edgevid.cfg", _data("cloud.cfg"))
    tree.file("etc/apt/preferences.d/50-edgevid", _data("apt-preferences"))
    for path in WANTED:
        tree.link(f"{_UNITS}/{path}", f"/usr/lib/systemd/system/{PurePosixPath(path).name}")
    for name in MASKED:
        tree.link(f"{_UNITS}/{name}", "/dev/null")
    tree.folder("boot/firmware")
    tree.folder("var/log/journal", mode=0o2755)


def _service(tree: Tree, files: Mapping[str, str | bytes | Path]) -> None:
    tree.file("etc/sysusers.d/edgevid.conf", files["sysusers.conf"])
    tree.file("etc/udev/rules.d/60-edgevid.rules", files["60-edgevid.rules"])
    tree.file("etc/systemd/journald.conf.d/50-edgevid.conf", files["journald.conf"])
    tree.file(f"{_UNITS}/edgevid.service", files["edgevid.service"])
    tree.link(f"{_UNITS}/multi-user.target.wants/edgevid.service", f"/{_UNITS}/edgevid.service")
    tree.file("etc/edgevid/run.toml", files["run.toml"])
    if "environment" in files:
        tree.file("etc/edgevid/environment", files["environment"], mode=0o600)


def _bundle(tree: Tree, deployment: Deployment) -> None:
    """The bundle in the first of the device's slots, after its self-test on this machine."""
    state = STATE_FOLDER.lstrip("/")
    tree.folder(state, owner=accounts.OWNER)
    with tempfile.TemporaryDirectory() as folder:
        Slots(Path(folder), vet).activate(Path(deployment.bundle))
        for path in sorted(Path(folder).iterdir()):
            tree.file(f"{state}/{path.name}", path.read_bytes(), owner=accounts.OWNER)


def _data(name: str) -> str:
    return (firmware.folder() / FOLDER / name).read_text(encoding="utf-8")
