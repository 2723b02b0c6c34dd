"""A Debian of two dozen small files, as a tar like mmdebstrap's, from which tests build images quickly."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

RELEASE = "6.1.0-test-arm64"
MODULES = f"usr/lib/modules/{RELEASE}"
EPOCH_S = 1700000000
STATUS = """Package: busybox-static
Status: install ok installed
Maintainer: Someone <someone@debian.example>
Architecture: arm64
Version: 1:1.35.0-4+b1

Package: removed
Status: deinstall ok config-files
Architecture: arm64
Version: 1

Package: base-files
Status: install ok installed
Maintainer: Someone <someone@debian.example>
Architecture: arm64
Version: 12.4
"""
FILES = {
    "usr/bin/busybox": "stands for busybox",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nshadow:x:42:\nvideo:x:44:someone\nplugdev:x:46:\nrender:x:106:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\nshadow:*::\nvideo:*::someone\nplugdev:*::\nrender:!::\n",
    "etc/hostname": "the builder's",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ssh/ssh_host_ed25519_key": "a secret that no two devices may share",
    "etc/ssh/ssh_config": "Host *\n",
    "var/lib/dpkg/status": STATUS,
    "var/log/dpkg.log": "when it was built",
    "usr/share/doc/base-files/copyright": "stands for a licence\n",
    f"boot/vmlinuz-{RELEASE}": "stands for a kernel",
    "usr/lib/raspi-firmware/start4.elf": "stands for start4.elf",
    "usr/lib/raspi-firmware/bootcode.bin": "stands for bootcode.bin",
    f"{MODULES}/modules.dep": (
        "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\n"
        "kernel/fs/jbd2/jbd2.ko:\nkernel/lib/crc16.ko:\n"
        "kernel/drivers/mmc/core/mmc_block.ko: kernel/drivers/mmc/core/mmc_core.ko\n"
        "kernel/drivers/mmc/core/mmc_core.ko:\n"
        "kernel/drivers/mmc/host/sdhci-iproc.ko: kernel/drivers/mmc/core/mmc_core.ko\n"
        "kernel/drivers/mmc/host/bcm2835.ko:\n"
    ),
    f"{MODULES}/modules.builtin": "\n".join(
        f"kernel/drivers/{name}.ko"
        for name in ("bcm2835-dma", "usb-storage", "uas", "crc32c_generic", "virtio_pci", "virtio_mmio", "virtio_blk")
    ),
    **{
        f"usr/lib/linux-image-{RELEASE}/broadcom/{name}.dtb": f"stands for {name}"
        for name in ("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-zero-2-w")
    },
    **{
        f"usr/lib/linux-image-{RELEASE}/broadcom/{name}.dtb": f"stands for {name}"
        for name in ("bcm2711-rpi-4-b", "bcm2711-rpi-400", "bcm2711-rpi-cm4-io")
    },
    **{
        f"{MODULES}/kernel/{path}.ko": f"stands for {path}"
        for path in (
            "fs/ext4/ext4",
            "fs/jbd2/jbd2",
            "lib/crc16",
            "drivers/mmc/core/mmc_block",
            "drivers/mmc/core/mmc_core",
            "drivers/mmc/host/sdhci-iproc",
        )
    },
    f"{MODULES}/kernel/drivers/mmc/host/bcm2835.ko": "stands for bcm2835",
}
MODES = {
    "etc/shadow": (0o640, 42),
    "etc/gshadow": (0o640, 42),
    "etc/ssh/ssh_host_ed25519_key": (0o600, 0),
    "usr/bin/busybox": (0o755, 0),
}
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf"}


def write(path: Path) -> Path:
    """Write the tar, with names as mmdebstrap writes them (`./etc/passwd`)."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        console = tarfile.TarInfo("./dev/console")
        console.type, console.devmajor, console.devminor = tarfile.CHRTYPE, 5, 1
        folders = sorted(
            {
                str(above)
                for name in [*FILES, *LINKS, "dev/console"]
                for above in Path(name).parents
                if str(above) != "."
            }
        )
        for name in folders:
            folder = tarfile.TarInfo(f"./{name}")
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, EPOCH_S
            archive.addfile(folder)
        archive.addfile(console)
        for name, target in LINKS.items():
            link = tarfile.TarInfo(f"./{name}")
            link.type, link.linkname, link.mtime = tarfile.SYMTYPE, target, EPOCH_S
            archive.addfile(link)
        for name, text in FILES.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mtime = len(text.encode()), EPOCH_S
            info.mode, info.gid = MODES.get(name, (0o644, 0))
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
