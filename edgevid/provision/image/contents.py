"""The deployment's part of an image.

On the root file system these are the files that a flashed card would install at its first boot. On
the boot partition they are the firmware, the kernel and the files of cloud-init.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from edgevid import boards_and_cameras
from edgevid.provision import first_boot
from edgevid.provision.deployment import Deployment
from edgevid.provision.device_files import NETWORKS_FOLDER, NO_NETWORKS, Networks, check_bundle, device_files
from edgevid.provision.image import accounts, initrd
from edgevid.provision.image.recipe import FOLDER, ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree
from edgevid.provision.raspberry_pi_os import System
from edgevid.provision.unit import STATE_FOLDER
from edgevid.updates.slots import Slots
from edgevid.updates.vetting import vet

# Patterns of paths to omit: secrets and identities that each device makes for itself, files of the
# boot partition, and caches and logs that differ from one bootstrap to the next.
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
# netplan writes files for systemd-networkd, which Debian does not enable by default.
WANTED = ("multi-user.target.wants/systemd-networkd.service", "sockets.target.wants/systemd-networkd.socket")
# The first would delay the boot of a device without a network. The others would wear its card with
# updates and maintenance.
MASKED = (
    "systemd-networkd-wait-online.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_reap.service",
)


def add_root_files(
    tree: Tree,
    archive: Archive,
    deployment: Deployment,
    recipe: ImageRecipe,
    *,
    networks: Networks = NO_NETWORKS,
) -> None:
    """Add the files of the root file system, except for the Python environment.

    Args:
        tree: Receives the files.
        archive: The root file system as Debian left it.
        deployment: The device.
        recipe: The Debian release.
        networks: The networks of the bundle's key points.

    Raises:
        EdgevidError: The bundle does not give its golden answers.
    """
    check_bundle(deployment)
    accounts.add(tree, archive, groups=_GROUPS)
    _add_system(tree)
    system = System(release=recipe.suite, first_boot="cloud-init", pythons=(recipe.python,), has_picamera=False)
    _add_service(tree, device_files(deployment, system))
    _add_bundle(tree, deployment)
    for name, content in networks.items():
        tree.file(f"opt/edgevid/{NETWORKS_FOLDER}/{name}", content)


def boot_files(archive: Archive, deployment: Deployment, recipe: ImageRecipe, *, epoch_s: int) -> dict[str, bytes]:
    """Return the files of the boot partition.

    Args:
        archive: The root file system as Debian left it.
        deployment: The device.
        recipe: The Debian release.
        epoch_s: Modification time of the files in the initrd, in seconds since 1970.

    Returns:
        Path to content.

    Raises:
        FlashError: A file is missing in Debian's packages.
    """
    release = initrd.kernel_release(archive)
    files = {
        PurePosixPath(name).relative_to(_FIRMWARE).as_posix(): archive.read(name) for name in archive.names(_FIRMWARE)
    }
    trees = f"usr/lib/linux-image-{release}/broadcom"
    files |= {name: archive.read(f"{trees}/{name}") for name in sorted(set(recipe.device_trees.values()))}
    files |= {
        _KERNEL: archive.read(f"boot/vmlinuz-{release}"),
        "initrd.img": initrd.make(archive, recipe, epoch_s=epoch_s),
    }
    # user-data starts it at each boot. Without install.sh next to it, it does nothing.
    files["edgevid/first-boot.sh"] = (boards_and_cameras.folder() / "boot/first-boot.sh").read_bytes()
    texts = {
        "config.txt": first_boot.config_txt(deployment, _data("config.txt")),
        "cmdline.txt": first_boot.cmdline_txt(deployment, _data("cmdline.txt"), has_firstrun=False),
        **first_boot.cloud_init(deployment, contents={}),
    }
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def _add_system(tree: Tree) -> None:
    tree.file("etc/fstab", _data("fstab"))
    tree.file("etc/hostname", "edgevid\n")
    # Empty, not missing: systemd generates an ID at the first boot either way, but treats a missing
    # file as a factory reset. Source: machine-id(5)
    tree.file("etc/machine-id", "")
    tree.file("etc/cloud/cloud.cfg.d/99_edgevid.cfg", _data("cloud.cfg"))
    tree.file("etc/apt/preferences.d/50-edgevid", _data("apt-preferences"))
    for path in WANTED:
        tree.link(f"{_UNITS}/{path}", f"/usr/lib/systemd/system/{PurePosixPath(path).name}")
    for name in MASKED:
        tree.link(f"{_UNITS}/{name}", "/dev/null")
    # The mount point in fstab. `LEFT_OUT` omits the content of /boot and /var/log.
    tree.folder("boot/firmware")
    # Set-GID, as systemd-journald expects of a persistent journal.
    tree.folder("var/log/journal", mode=0o2755)


def _add_service(tree: Tree, files: Mapping[str, str | bytes | Path]) -> None:
    tree.file("etc/sysusers.d/edgevid.conf", files["sysusers.conf"])
    tree.file("etc/udev/rules.d/60-edgevid.rules", files["60-edgevid.rules"])
    tree.file("etc/systemd/journald.conf.d/50-edgevid.conf", files["journald.conf"])
    tree.file(f"{_UNITS}/edgevid.service", files["edgevid.service"])
    # The link of `systemctl enable`.
    tree.link(f"{_UNITS}/multi-user.target.wants/edgevid.service", f"/{_UNITS}/edgevid.service")
    tree.file("etc/edgevid/run.toml", files["run.toml"])
    if "environment" in files:
        # Secrets: systemd reads the file as root and passes the variables on.
        tree.file("etc/edgevid/environment", files["environment"], mode=0o600)


def _add_bundle(tree: Tree, deployment: Deployment) -> None:
    """Add the bundle in the device's first slot, after its self-test on this machine."""
    state = STATE_FOLDER.lstrip("/")
    tree.folder(state, owner=accounts.OWNER)
    with tempfile.TemporaryDirectory() as folder:
        check = partial(vet, memory_mib=deployment.service.memory_mib)
        Slots(Path(folder), check).activate(Path(deployment.bundle))
        # Without the locks, which the device creates with its own modes.
        for path in sorted(Path(folder).glob("[!.]*")):
            # Read now: the folder is gone when the tar is written.
            tree.file(f"{state}/{path.name}", path.read_bytes(), owner=accounts.OWNER)


def _data(name: str) -> str:
    return (boards_and_cameras.folder() / FOLDER / name).read_text(encoding="utf-8")
