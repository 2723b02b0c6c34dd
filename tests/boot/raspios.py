"""A bootable card in the layout of Raspberry Pi OS Lite (64-bit), for `edgevid flash` and then QEMU.

NO OFFICIAL IMAGE: the tests download none. Debian's packages, the same as of `edgevid image build`,
stand for Raspberry Pi's. The layout is the official one: an MBR, a FAT with config.txt, cmdline.txt,
kernel8.img, initramfs8 and cloud-init's seed, and an ext4 root whose cloud-init reads that seed from
/boot/firmware.
Source: github.com/RPi-Distro/pi-gen, stage1/00-boot-files and stage2/04-cloud-init
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgevid import boards_and_cameras
from edgevid.provision.image import contents, disk, initrd
from edgevid.provision.image.recipe import ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree, lay_over
from tests.boot.tools import environment
from tests.edgevid.provision.official import CONFIG, SEED

# The boot partition has the size of the official images. The spare room is for the packages of the first boot.
BOOT_MIB, SPARE_MIB = 512, 1280
IDENTITY = disk.DiskIdentity(disk="4e639091", volume="4e639091", root="4e639091-0000-4000-8000-000000000002")
CMDLINE = "console=serial0,115200 console=tty1 root=LABEL=rootfs rootfstype=ext4 fsck.repair=yes rootwait"
FSTAB = "PARTUUID=4e639091-01 /boot/firmware vfat defaults 0 2\nPARTUUID=4e639091-02 / ext4 defaults,noatime 0 1\n"
# Raspberry Pi OS has NetworkManager for wired networks, and a service of its own for host keys. These replace both.
NETWORK = "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"
HOST_KEY = """\
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c "[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f \
/etc/ssh/ssh_host_ed25519_key"
"""
CLOUD = """\
datasource_list: [NoCloud, None]
datasource: {NoCloud: {seedfrom: "file:///boot/firmware/"}}
ssh_genkeytypes: [ed25519]
cloud_init_modules: [bootcmd, set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, timezone, runcmd]
cloud_final_modules: [scripts-user]
"""
MOUNTED_FIRST = "[Unit]\nRequiresMountsFor=/boot/firmware\n"
UNITS = "etc/systemd/system"
# Stand-ins for raspi-config and userconf-pi, packages of Raspberry Pi's archive, as far as firstrun.sh uses them.
RASPI_CONFIG = """\
#!/bin/sh
case "$2" in
  do_hostname) echo "$3" >/etc/hostname; echo "127.0.1.1 $3" >>/etc/hosts ;;
  do_change_timezone) echo "$3" >/etc/timezone; ln -sfn "/usr/share/zoneinfo/$3" /etc/localtime ;;
esac
"""
USERCONF = """\
#!/bin/sh
useradd --create-home --shell /bin/bash --groups sudo,video,plugdev,adm,systemd-journal "$1"
usermod --password "$2" "$1"
echo "$1 ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/010_user
"""


def make(out: Path, debian: Path, recipe: ImageRecipe, *, epoch_s: int) -> Path:
    """Write a card as Raspberry Pi Imager does, with the cloud-init seed of Trixie.

    Args:
        out: The card.
        debian: The tar from `debian_base.bootstrap`.
        recipe: The recipe of the tar.
        epoch_s: Time of files, in seconds since 1970.

    Returns:
        The card.
    """
    tar = out.with_suffix(".tar")
    with Archive(debian) as archive:
        boot = _boot(archive, recipe, epoch_s)
    used = lay_over(debian, _root(), tar, epoch_s=epoch_s, left_out=contents.LEFT_OUT)
    layout = disk.DiskLayout(boot_mib=BOOT_MIB, root_mib=disk.root_mib(used, SPARE_MIB))
    disk.write(out, layout, IDENTITY, boot=boot, root=tar, epoch_s=epoch_s)
    tar.unlink()
    return out


def without_cloud_init(card: Path) -> Path:
    """Remove the cloud-init seed from a card of `make`, as in Bookworm, and return the card.

    cloud-init itself stays installed; the caller disables it on the kernel's command line.
    """
    names = [f"::{name}" for name in SEED]
    subprocess.run(["mdel", "-i", f"{card}@@{disk.FIRST_MIB}M", *names], check=True, env=environment())
    return card


def _boot(archive: Archive, recipe: ImageRecipe, epoch_s: int) -> dict[str, bytes]:
    release = initrd.kernel_release(archive)
    trees = {name for board in boards_and_cameras.boards().values() for name in board.device_trees}
    folder = f"usr/lib/linux-image-{release}/broadcom"
    files = {name: archive.read(f"{folder}/{name}") for name in sorted(trees) if f"{folder}/{name}" in archive}
    files |= {
        "kernel8.img": archive.read(f"boot/vmlinuz-{release}"),
        "initramfs8": initrd.make(archive, recipe, epoch_s=epoch_s),
    }
    texts = {"config.txt": CONFIG, "cmdline.txt": f"{CMDLINE}\n", **SEED}
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def _root() -> Tree:
    tree = Tree()
    tree.file("etc/fstab", FSTAB)
    tree.file("etc/hostname", "raspberrypi\n")
    tree.file("etc/machine-id", "")
    tree.file("etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg", CLOUD)
    for unit in ("cloud-init-local", "cloud-init"):
        tree.file(f"{UNITS}/{unit}.service.d/41-rpi-firmware-mount.conf", MOUNTED_FIRST)
    tree.file("etc/systemd/network/80-wired.network", NETWORK)
    tree.file(f"{UNITS}/ssh.service.d/host-key.conf", HOST_KEY)
    for path in contents.WANTED:
        tree.link(f"{UNITS}/{path}", f"/usr/lib/systemd/system/{Path(path).name}")
    for name in contents.MASKED:
        tree.link(f"{UNITS}/{name}", "/dev/null")
    tree.file("usr/bin/raspi-config", RASPI_CONFIG, mode=0o755)
    tree.file("usr/lib/userconf-pi/userconf", USERCONF, mode=0o755)
    tree.folder("boot/firmware")
    return tree
