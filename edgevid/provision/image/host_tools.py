"""The programs of this machine that make an image; a missing one is named with the command that installs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from edgevid.errors import FlashError, MissingDependency

PACKAGES: Mapping[str, str] = {
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "xz": "xz-utils",
}
# The first mke2fs that reads a tar and takes its times from it. Source: e2fsprogs' release notes.
MKE2FS_LEAST = (1, 47, 1)
BINFMT = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
_SUPERUSERS = ("/usr/sbin", "/sbin")


def environment(epoch_s: int) -> dict[str, str]:
    """Give the environment in which the same call writes the same bytes.

    Args:
        epoch_s: The time that files get, in seconds since 1970.

    Returns:
        Variables.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SUPERUSERS))
    fixed = {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch_s),
        "MTOOLSRC": os.devnull,
        "MTOOLS_SKIP_CHECK": "1",
    }
    return {**os.environ, **fixed, "PATH": path, "MKE2FS_CONFIG": os.devnull}


def need(programs: Sequence[str]) -> None:
    """Refuse to begin without a program.

    Args:
        programs: Keys of `PACKAGES`.

    Raises:
        MissingDependency: One is not there, or is too old.
    """
    path = environment(0)["PATH"]
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        raise MissingDependency(
            expected=f"the programs {', '.join(missing)}", found="none", hint=f"Run: apt-get install {packages}"
        )
    if "mke2fs" in programs:
        _need_mke2fs()


def need_emulation() -> None:
    """Refuse to bootstrap where the kernel does not know what to do with a program for aarch64.

    Raises:
        MissingDependency: Nothing is registered.
    """
    if os.uname().machine != "aarch64" and not (BINFMT.exists() and "enabled" in BINFMT.read_text()):
        raise MissingDependency(
            expected="aarch64 programs to run here through QEMU 10 or later",
            found="none registered",
            hint="Run: apt-get install qemu-user-binfmt (on Debian 12: apt-get install -t bookworm-backports qemu-user-binfmt)",
        )


def run(
    command: Sequence[str | Path],
    *,
    epoch_s: int,
    stdin: bytes | None = None,
    stdout: IO[bytes] | None = None,
    cwd: Path | None = None,
) -> bytes:
    """Run a program.

    Args:
        command: And its arguments.
        epoch_s: The time that files get.
        stdin: What it reads.
        stdout: Where it writes, instead of into memory.
        cwd: Where it runs.

    Returns:
        What it wrote to standard output, where it was not sent elsewhere.

    Raises:
        FlashError: It failed; the message ends with what it said last.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env=environment(epoch_s),
        input=stdin,
        cwd=cwd,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise FlashError(
            expected=f"{Path(str(command[0])).name} to succeed",
            got=done.returncode,
            found=f"exit code {done.returncode}: {' / '.join(said)}",
        )
    return done.stdout or b""


def _need_mke2fs() -> None:
    told = subprocess.run(["mke2fs", "-V"], env=environment(0), capture_output=True, text=True, check=False).stderr
    found = re.search(r"mke2fs (\d+)\.(\d+)\.?(\d+)?", told)
    version = tuple(int(part or 0) for part in found.groups()) if found else ()
    if version < MKE2FS_LEAST:
        least, got = (".".join(map(str, each)) for each in (MKE2FS_LEAST, version))
        raise MissingDependency(
            expected=f"mke2fs {least} or later, which reads a tar",
            got=got,
            found=f"{got}",
            hint="Run: apt-get install e2fsprogs libarchive13t64 (on Debian 12: apt-get install -t bookworm-backports e2fsprogs && apt-get install libarchive13)",
        )
