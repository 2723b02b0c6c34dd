"""The initrd of an image: busybox, kernel modules for the card, and a script that mounts the root.

This machine makes it within a second. Debian's own generator would have to run under emulation,
which takes longer than the rest of the build.
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import tempfile
from pathlib import Path, PurePosixPath

from edgevid import boards_and_cameras
from edgevid.errors import FlashError
from edgevid.provision.image import host_tools
from edgevid.provision.image.recipe import FOLDER, ImageRecipe
from edgevid.provision.image.tar_tree import Archive

# The programs that `firmware_configs/image/init` calls, and a few for its rescue shell.
APPLETS = ("sh", "mount", "umount", "switch_root", "insmod", "sleep", "cat", "findfs", "ls")


def kernel_release(archive: Archive) -> str:
    """Return the release of the only kernel in an image, as in `/usr/lib/modules`.

    Args:
        archive: The root file system.

    Raises:
        FlashError: There is no kernel, or more than one.
    """
    releases = sorted({PurePosixPath(name).parts[3] for name in archive.names("usr/lib/modules")})
    if len(releases) != 1:
        raise FlashError(expected="one kernel in the image", got=releases, found=", ".join(releases) or "none")
    return releases[0]


def load_order(archive: Archive, release: str, wanted: tuple[str, ...]) -> list[str]:
    """Resolve the dependencies of kernel modules.

    Args:
        archive: The root file system.
        release: Release of the kernel.
        wanted: Names of modules. Modules that are built into the kernel need no file.

    Returns:
        Paths below the release's folder, each after its dependencies.

    Raises:
        FlashError: The kernel does not have one of the modules.
    """
    folder = f"usr/lib/modules/{release}"
    lines = archive.read(f"{folder}/modules.dep").decode().splitlines()
    needs = {path: rest.split() for path, _, rest in (line.partition(":") for line in lines)}
    files = {module_name(path): path for path in needs}
    builtin = {module_name(path) for path in archive.read(f"{folder}/modules.builtin").decode().split()}
    order: dict[str, None] = {}
    for name in map(module_name, wanted):
        if name not in files and name not in builtin:
            raise FlashError(expected=f"the module {name} in the kernel {release}", got=name, found="none")
        if name in files:
            # modules.dep lists direct dependencies before their own, and the load order is the
            # reverse. Source: modules.dep(5)
            order |= dict.fromkeys([*reversed(needs[files[name]]), files[name]])
    return list(order)


def module_name(path: str) -> str:
    """Return the kernel's name of a module, in which a dash is an underscore."""
    return re.sub(r"\.ko(\.\w+)?$", "", PurePosixPath(path).name).replace("-", "_")


def make(archive: Archive, recipe: ImageRecipe, *, epoch_s: int) -> bytes:
    """Make the initrd. The same root file system gives the same bytes.

    Args:
        archive: The root file system.
        recipe: The Debian release and its list of modules.
        epoch_s: Modification time of all files, in seconds since 1970.

    Returns:
        A cpio archive, compressed with gzip.

    Raises:
        FlashError: A module or program is missing.
    """
    release = kernel_release(archive)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _fill(root, archive, release, load_order(archive, release, recipe.modules))
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
        for name in names:
            os.utime(root / name, (epoch_s, epoch_s), follow_symlinks=False)
        # --reproducible zeroes inode and device numbers, and +0 is root without a name look-up.
        command = ("cpio", "--quiet", "--create", "--format=newc", "--reproducible", "--owner=+0:+0", "--null")
        packed = host_tools.run(
            command, stdin="".join(f"{name}\0" for name in names).encode(), cwd=root, epoch_s=epoch_s
        )
    return gzip.compress(packed, compresslevel=6, mtime=0)


def _fill(root: Path, archive: Archive, release: str, modules: list[str]) -> None:
    for name in ("bin", "dev", "proc", "sys", "new", "lib/modules"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(archive.read("bin/busybox"))
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "init").write_bytes((boards_and_cameras.folder() / FOLDER / "init").read_bytes())
    order = []
    for path in modules:
        data = archive.read(f"usr/lib/modules/{release}/{path}")
        name = f"{module_name(path)}.ko"
        # busybox's insmod does not unpack xz.
        (root / "lib/modules" / name).write_bytes(lzma.decompress(data) if path.endswith(".xz") else data)
        order.append(name)
    (root / "lib/modules/order").write_text("".join(f"{name}\n" for name in order))
    # Fixed modes, whatever the umask of the build.
    for each in root.rglob("*"):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or each.parent.name == "bin" or each.name == "init" else 0o644)
