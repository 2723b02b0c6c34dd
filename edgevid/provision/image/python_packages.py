"""The device's Python environment as files: installed on this machine from wheels for the device, so that the device installs nothing.

It is what `python3 -m venv --without-pip` and pip leave there, at the same place as `install.sh` of the flashed card makes it.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from edgevid.provision.image import host_tools
from edgevid.provision.image.debian_base import compile_folder
from edgevid.provision.image.tar_tree import Tree
from edgevid.provision.wheels import Pin, requirements

HOME = "opt/edgevid"
# Oldest to newest, as wheels for aarch64 are tagged; each must not need a newer C library than the release has. Source: PEP 600
_GLIBC_2 = (17, 24, 26, 27, 28, 31, 34, 35, 36)
_CONFIG = "home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n"
_PROGRAM = "#!/{home}/current/bin/python\nfrom edgevid.cli import main\n\nraise SystemExit(main())\n"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that was installed.

    Attributes:
        name: As it calls itself.
        version: Its version.
        license: What it says of its licence; empty where it says nothing.
        file: The wheel.
        sha256: Of the wheel.
    """

    name: str
    version: str
    license: str
    file: str
    sha256: str


def install(tree: Tree, found: Mapping[Pin, Path], scratch: Path, *, python: str, epoch_s: int) -> tuple[Package, ...]:
    """Lay the environment into the device's files.

    Args:
        tree: Where to.
        found: The device's wheels by their pins, edgevid's own among them.
        scratch: A folder for files that are in the way afterwards.
        python: The device's, as "3.11".
        epoch_s: The time of files.

    Returns:
        What was installed.

    Raises:
        FlashError: A wheel is missing, altered, or not for the device.
    """
    site, lock = scratch / "site", requirements(found)
    _pip({pin: path for pin, path in found.items() if pin.name != "pip"}, site, scratch, python=python, epoch_s=epoch_s)
    name = hashlib.sha256(lock.encode()).hexdigest()[:12]
    folder = f"{HOME}/{name}"
    at = f"{folder}/lib/python{python}/site-packages"
    compile_folder(site, f"/{at}")
    tree.copy(site, at)
    tree.file(f"{folder}/pyvenv.cfg", _CONFIG.format(python=python))
    tree.link(f"{folder}/bin/python3", "/usr/bin/python3")
    tree.link(f"{folder}/bin/python", "python3")
    tree.file(f"{folder}/bin/edgevid", _PROGRAM.format(home=HOME), mode=0o755)
    tree.file(f"{folder}/complete", b"")
    tree.link(f"{HOME}/current", name)
    tree.link("usr/local/bin/edgevid", f"/{HOME}/current/bin/edgevid")
    return _packages(site, found)


def _pip(found: Mapping[Pin, Path], site: Path, scratch: Path, *, python: str, epoch_s: int) -> None:
    """Install for another machine; pip checks each hash once more."""
    shelf, lock = scratch / "wheels", scratch / "lock.txt"
    shelf.mkdir()
    for path in found.values():
        (shelf / path.name).symlink_to(path.resolve())
    lock.write_text(requirements(found))
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in _GLIBC_2]
    options = (
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--only-binary=:all:",
    )
    target: tuple[str | Path, ...] = (
        "--target",
        site,
        "--implementation=cp",
        f"--python-version={python}",
        "--platform=manylinux2014_aarch64",
        *platforms,
    )
    host_tools.run(
        (
            sys.executable,
            "-m",
            "pip",
            "install",
            *options,
            *target,
            "--find-links",
            shelf,
            "--require-hashes",
            "--requirement",
            lock,
        ),
        epoch_s=epoch_s,
    )
    # Programs that name this machine's Python, and what pip notes of the call.
    for path in [*(site / "bin").glob("*"), *site.glob("*.dist-info/REQUESTED")]:
        path.unlink()


def _packages(site: Path, found: Mapping[Pin, Path]) -> tuple[Package, ...]:
    """What is there, by what each says of itself."""
    pins = {_key(pin.name): (pin, path) for pin, path in found.items()}
    made = []
    for path in sorted(site.glob("*.dist-info/METADATA")):
        about = HeaderParser().parsestr(path.read_text(encoding="utf-8"))
        pin, wheel = pins[_key(about["Name"])]
        stated = about["License-Expression"] or (about["License"] or "").strip().split("\n")[0]
        made.append(
            Package(name=about["Name"], version=pin.version, license=stated, file=wheel.name, sha256=pin.sha256)
        )
    return tuple(made)


def _key(name: str) -> str:
    """Make spellings of a name equal. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
