"""The programs of this machine that make an image.

The error for a missing program names the command that installs it.
"""

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
    # mmdebstrap only recommends it, and cannot bootstrap another architecture without it.
    "arch-test": "arch-test",
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
# Debian leaves these out of the PATH of an ordinary user, who may run the programs in them.
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")


def environment(epoch_s: int) -> dict[str, str]:
    """Return the environment in which the same call writes the same bytes.

    Args:
        epoch_s: Time of files, in seconds since 1970.

    Returns:
        Name to value.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    fixed = {
        "LC_ALL": "C.UTF-8",
        # FAT stores local times.
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch_s),
        # No settings of this machine or its user.
        "MTOOLSRC": os.devnull,
        "MTOOLS_SKIP_CHECK": "1",
    }
    return {**os.environ, **fixed, "PATH": path, "MKE2FS_CONFIG": os.devnull}


def require_programs(programs: Sequence[str]) -> None:
    """Check that programs are installed, and that mke2fs is new enough.

    Args:
        programs: Keys of `PACKAGES`.

    Raises:
        MissingDependency: A program is missing or too old.
    """
    path = environment(0)["PATH"]
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        raise MissingDependency(
            expected=f"the programs {', '.join(missing)}", found="none", hint=f"Run: apt-get install {packages}"
        )
    if "mke2fs" in programs:
        _require_new_mke2fs()


def require_emulation() -> None:
    """Check that the kernel can start programs for aarch64.

    Raises:
        MissingDependency: No emulator is registered.
    """
    if os.uname().machine != "aarch64" and not (BINFMT.exists() and "enabled" in BINFMT.read_text()):
        raise MissingDependency(
            expected="aarch64 programs to run here through QEMU 10 or later",
            found="none registered",
            hint="Run: apt-get install qemu-user-binfmt "
            "(on Debian 12: apt-get install -t bookworm-backports qemu-user-binfmt)",
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
        command: The program and its arguments.
        epoch_s: Time of files, in seconds since 1970.
        stdin: Standard input.
        stdout: File for the standard output, in place of the return value.
        cwd: Working folder.

    Returns:
        The standard output; empty if `stdout` received it.

    Raises:
        FlashError: The program failed. The message ends with its last lines.
    """
    words = [str(word) for word in command]
    result = subprocess.run(
        words,
        env=environment(epoch_s),
        input=stdin,
        cwd=cwd,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if result.returncode != 0:
        last_lines = result.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise FlashError(
            expected=f"{Path(str(command[0])).name} to succeed",
            got=result.returncode,
            found=f"exit code {result.returncode}: {' / '.join(last_lines)}",
        )
    return result.stdout or b""


def _require_new_mke2fs() -> None:
    # mke2fs prints its version to standard error.
    output = subprocess.run(["mke2fs", "-V"], env=environment(0), capture_output=True, text=True, check=False).stderr
    match = re.search(r"mke2fs (\d+)\.(\d+)\.?(\d+)?", output)
    version = tuple(int(part or 0) for part in match.groups()) if match else ()
    if version < MKE2FS_LEAST:
        least, got = (".".join(map(str, each)) for each in (MKE2FS_LEAST, version))
        raise MissingDependency(
            expected=f"mke2fs {least} or later, which reads a tar",
            got=got,
            found=got or "an unknown version",
            # mke2fs loads libarchive at run time, so the package is not a dependency.
            hint="Run: apt-get install e2fsprogs libarchive13t64 "
            "(on Debian 12: apt-get install -t bookworm-backports e2fsprogs && apt-get install libarchive13)",
        )
