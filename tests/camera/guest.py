"""The emulated machine: built once, then booted with the working tree.

The machine has four disks:

- Debian trixie for amd64 with its own kernel. `build/camera-guest` keeps it until the list of packages changes.
- A plain tar with edgevid and the inner half of the tests, unpacked at the start.
- An empty disk, to which the machine writes a tar of its results.
- A card in a USB reader.

There is no network and no systemd: init.sh runs every check and switches off.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "camera-guest"
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}
# For the card in the reader.
TOOLS |= {"mformat": "mtools", "sfdisk": "fdisk", "mkfs.vfat": "dosfstools"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "python3",
    "udev",
    "kmod",
    "busybox-static",
    "linux-image-amd64",
    "python3-libcamera",
    "python3-prctl",
    "libglib2.0-0t64",
    "mtools",
    "e2fsprogs",
)
# The dependencies of picamera2, without two for previews and DNG files that have no wheels. inside.py puts stubs there.
WHEELS = (
    "ai-edge-litert==2.3.0",
    "numpy<2.5",
    "opencv-python-headless>=4.10",
    "av",
    "simplejpeg",
    "videodev2",
    "pillow",
    "piexif",
    "libarchive-c",
    "jsonschema",
    "tqdm",
)
PICAMERA2 = "picamera2==0.3.38"
PLATFORMS = (
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_34_x86_64",
)
# virtio_pci is built into the kernel. modules.dep lists the dependencies of these.
MODULES = ("virtio_blk", "ext4", "crc32c_generic")
IMAGE_MIB, ANSWER_MIB, MEMORY_MIB = 1600, 128, 1536
BOOT_LIMIT_S = 900
# From init.sh, after the last check.
LAST_WORDS = "== done at"

INITRD = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc
while read m; do insmod /lib/$m; done < /mods
mount -t ext4 -o rw /dev/vda /system || exec sh
mkdir -p /system/app; tar xf /dev/vdb -C /system/app
umount /proc; mount --move /dev /system/dev
exec switch_root /system /bin/sh /app/tests/camera/init.sh
"""


def missing_tools() -> str:
    """Return a message about missing tools, with the command to install them; empty if none is missing."""
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    packages += [] if KEYRING.exists() else ["debian-archive-keyring"]
    if packages:
        names = " ".join(packages)
        return f"Expected tools to emulate a machine, got none of {names}. Run: sudo apt-get install {names}"
    return "" if os.geteuid() == 0 else "Expected root, to unpack a system with its owners. Run: sudo make test-camera"


def image() -> Path:
    """Return the folder with `disk.img`, `vmlinuz` and `initrd`, and build them if the list of packages changed."""
    recipe = repr((PACKAGES, WHEELS, PICAMERA2, PLATFORMS, MODULES, IMAGE_MIB, INITRD))
    folder = CACHE / hashlib.sha256(recipe.encode()).hexdigest()[:12]
    if (folder / "disk.img").exists():
        return folder
    shutil.rmtree(CACHE, ignore_errors=True)
    tree = folder / "tree"
    tree.mkdir(parents=True)
    _bootstrap(tree)
    _wheels(tree / "opt" / "site")
    kernel = next((tree / "boot").glob("vmlinuz-*"))
    shutil.copy(kernel, folder / "vmlinuz")
    _initrd(tree, kernel.name.removeprefix("vmlinuz-"), folder / "initrd")
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(tree), str(folder / "new.img"), f"{IMAGE_MIB}M")
    shutil.rmtree(tree)
    (folder / "new.img").rename(folder / "disk.img")
    return folder


def boot(folder: Path, work: Path, *, card: Path, luggage: Path) -> tuple[str, Path]:
    """Boot the machine with this working tree.

    Args:
        folder: From `image`.
        work: Folder for disks and results.
        card: Disk in the USB reader.
        luggage: Folder with other files for the machine.

    Returns:
        The console output, and the folder with the results.

    Raises:
        RuntimeError: The machine ended before its checks did.
    """
    tests, answer = work / "tests.tar", work / "answer.img"
    _pack(tests, luggage)
    with answer.open("wb") as stream:
        stream.truncate(ANSWER_MIB << 20)
    disks = [f"file={folder / 'disk.img'},snapshot=on", f"file={tests},readonly=on", f"file={answer}"]
    drives = [word for disk in disks for word in ("-drive", f"format=raw,if=virtio,{disk}")]
    # One thread for both CPUs: with two, the kernel sometimes panics at boot ("Oops: int3") because one CPU runs
    # code that the other is patching.
    command = [
        "qemu-system-x86_64",
        "-accel",
        "tcg,thread=single",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        str(MEMORY_MIB),
        "-nographic",
        "-vga",
        "none",
    ]
    reader = f"if=none,id=card,format=raw,cache=writethrough,file={card}"
    command += ["-device", "qemu-xhci", "-drive", reader, "-device", "usb-storage,drive=card,removable=on"]
    command += ["-nic", "none", "-no-reboot", "-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd")]
    command += ["-append", "console=ttyS0 quiet panic=-1 mitigations=off", *drives]
    log = work / "console.txt"
    with log.open("wb") as stream:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, timeout=BOOT_LIMIT_S, check=True
        )
    console = log.read_text("utf-8", "replace")
    if LAST_WORDS not in console:
        raise RuntimeError(f"The machine ended before its checks did:\n{console}")
    found = work / "answer"
    with tarfile.open(answer, "r:", ignore_zeros=False) as archive:
        archive.extractall(found, filter="data")
    return console, found


def _bootstrap(tree: Path) -> None:
    tar = tree.with_suffix(".tar")
    options = [
        "--variant=minbase",
        "--mode=root",
        "--format=tar",
        "--architectures=amd64",
        "--aptopt=Apt::Install-Recommends false",
    ]
    options += ["--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/bin/py3compile"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "man", "locale")]
    _run(
        "mmdebstrap",
        "--quiet",
        *options,
        f"--include={','.join(PACKAGES)}",
        "trixie",
        str(tar),
        MIRROR,
        env={"INITRD": "No"},
    )
    # mmdebstrap writes a tar, not a folder: an aborted run could leave this machine's /dev mounted in a folder
    # that is removed next.
    _run("tar", "-xf", str(tar), "-C", str(tree))
    tar.unlink()


def _wheels(site: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site)]
    foreign = [
        "--only-binary=:all:",
        "--implementation=cp",
        "--python-version=3.13",
        *(f"--platform={each}" for each in PLATFORMS),
    ]
    _run(*pip, *foreign, *WHEELS)
    _run(*pip, "--no-deps", "--upgrade", *foreign, PICAMERA2)


def _initrd(tree: Path, version: str, out: Path) -> None:
    """Write an initrd with a few kernel modules, busybox, and a script that mounts the disks."""
    modules = tree / "lib" / "modules" / version
    files = [("init", INITRD.encode(), 0o755), ("bin/busybox", (tree / "bin" / "busybox").read_bytes(), 0o755)]
    order = list(_with_dependencies(modules))
    for path in order:
        data = (modules / path).read_bytes()
        files.append((f"lib/{_module_name(path)}.ko", lzma.decompress(data) if path.endswith(".xz") else data, 0o644))
    files.append(("mods", "".join(f"{_module_name(path)}.ko\n" for path in order).encode(), 0o644))
    out.write_bytes(cpio(files))


def _module_name(path: str) -> str:
    return Path(path).name.partition(".ko")[0]


def _with_dependencies(modules: Path) -> Iterator[str]:
    """Yield the paths of `MODULES` and their dependencies, each after its own dependencies."""
    needs = dict(line.split(":", 1) for line in (modules / "modules.dep").read_text().splitlines())
    by_name = {_module_name(path): path for path in needs}
    seen: set[str] = set()
    for name in MODULES:
        path = by_name.get(name)
        # modules.dep lists direct dependencies before their own.
        for each in [*reversed(needs[path].split()), path] if path else ():
            if each not in seen:
                seen.add(each)
                yield each


def cpio(files: list[tuple[str, bytes, int]]) -> bytes:
    """Return a cpio archive in the "newc" format.

    Args:
        files: Name, content and mode of each file; their folders are added.

    Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst
    """
    folders = {str(parent) for name, _, _ in files for parent in Path(name).parents if str(parent) != "."} | {
        "dev",
        "proc",
        "system",
    }
    entries = [(name, b"", 0o040755) for name in sorted(folders)] + [
        (name, data, 0o100000 | mode) for name, data, mode in files
    ]
    out = io.BytesIO()
    for number, (name, data, mode) in enumerate([*entries, ("TRAILER!!!", b"", 0)], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out.write(("070701" + "".join(f"{field:08x}" for field in fields)).encode() + name.encode() + b"\0")
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


def _pack(out: Path, luggage: Path) -> None:
    """Pack the tested code: the package, its data, and the inner half of the tests."""
    with tarfile.open(out, "w") as archive:
        for path in [
            *sorted((ROOT / "edgevid").rglob("*")),
            *sorted((ROOT / "tests" / "camera").glob("*")),
            ROOT / "tests" / "__init__.py",
        ]:
            if path.is_file() and "__pycache__" not in path.parts:
                archive.add(path, path.relative_to(ROOT))
        if (ROOT / "firmware_configs").is_dir():
            archive.add(ROOT / "firmware_configs", "firmware_configs")
        for path in sorted(luggage.iterdir()):
            archive.add(path, path.name)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
