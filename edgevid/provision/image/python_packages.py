"""The device's Python environment as files, installed on this machine from the device's wheels.

The files and their places are those that `python3 -m venv --without-pip` and pip leave when
install.sh of a flashed card runs. The device itself installs nothing.
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
# Minor versions of glibc 2 in the tags of aarch64 wheels, up to the release's own. Source: PEP 600
_GLIBC_2 = (17, 24, 26, 27, 28, 31, 34, 35, 36)
_PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in _GLIBC_2))
# --no-compile: `compile_folder` does it with the device's paths. --no-deps: the lock is complete.
_PIP_OPTIONS = (
    "--quiet --disable-pip-version-check --no-cache-dir --no-index --no-deps --no-compile "
    "--only-binary=:all: --require-hashes --implementation=cp"
).split()
_CONFIG = "home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n"
_PROGRAM = "#!/{home}/current/bin/python\nfrom edgevid.cli import main\n\nraise SystemExit(main())\n"


@dataclass(frozen=True, kw_only=True)
class Package:
    """An installed package.

    Attributes:
        name: Name in its metadata.
        version: Pinned version.
        license: Licence in its metadata; empty if it states none.
        file: File name of the wheel.
        sha256: Hash of the wheel, in hexadecimal.
    """

    name: str
    version: str
    license: str
    file: str
    sha256: str


def install(tree: Tree, found: Mapping[Pin, Path], scratch: Path, *, python: str, epoch_s: int) -> tuple[Package, ...]:
    """Add the Python environment to the device's files.

    Args:
        tree: Receives the files.
        found: The device's wheels by their pins, including edgevid's own.
        scratch: Folder for temporary files; it must exist until the tree is written.
        python: Python version of the device, as "3.11".
        epoch_s: Time of files, in seconds since 1970.

    Returns:
        The installed packages.

    Raises:
        FlashError: A wheel is missing, altered, or for another platform.
    """
    site = scratch / "site"
    # Only a flashed card installs, so only that one needs pip.
    _pip_install({pin: path for pin, path in found.items() if pin.name != "pip"}, site, scratch, python, epoch_s)
    # The folder's name is the one that install.sh derives from the same list of requirements.
    name = hashlib.sha256(requirements(found).encode()).hexdigest()[:12]
    folder = f"{HOME}/{name}"
    device_site = f"{folder}/lib/python{python}/site-packages"
    compile_folder(site, f"/{device_site}")
    tree.copy(site, device_site)
    tree.file(f"{folder}/pyvenv.cfg", _CONFIG.format(python=python))
    tree.link(f"{folder}/bin/python3", "/usr/bin/python3")
    tree.link(f"{folder}/bin/python", "python3")
    tree.file(f"{folder}/bin/edgevid", _PROGRAM.format(home=HOME), mode=0o755)
    # install.sh looks for this file to decide whether the folder is whole.
    tree.file(f"{folder}/complete", b"")
    tree.link(f"{HOME}/current", name)
    tree.link("usr/local/bin/edgevid", f"/{HOME}/current/bin/edgevid")
    return _packages(site, found)


def _pip_install(found: Mapping[Pin, Path], site: Path, scratch: Path, python: str, epoch_s: int) -> None:
    """Install wheels into a folder for the device's platform. pip verifies each hash once more."""
    house, lock = scratch / "wheels", scratch / "lock.txt"
    house.mkdir()
    # One folder for --find-links: the wheels come from several.
    for path in found.values():
        (house / path.name).symlink_to(path.resolve())
    lock.write_text(requirements(found))
    platform = (f"--python-version={python}", *(f"--platform={name}" for name in _PLATFORMS))
    sources = ("--find-links", house, "--requirement", lock, "--target", site)
    host_tools.run((sys.executable, "-P", "-m", "pip", "install", *_PIP_OPTIONS, *platform, *sources), epoch_s=epoch_s)
    # Scripts with the path of this machine's Python, and pip's note on how it was called.
    for path in [*(site / "bin").glob("*"), *site.glob("*.dist-info/REQUESTED")]:
        path.unlink()


def _packages(site: Path, found: Mapping[Pin, Path]) -> tuple[Package, ...]:
    """Describe the installed packages by their metadata, sorted by folder name."""
    pins = {_key(pin.name): (pin, path) for pin, path in found.items()}
    packages = []
    for path in sorted(site.glob("*.dist-info/METADATA")):
        metadata = HeaderParser().parsestr(path.read_text(encoding="utf-8"))
        pin, wheel = pins[_key(metadata["Name"])]
        # Older packages put the whole text of their licence into `License`. Its first line names it.
        stated = metadata["License-Expression"] or (metadata["License"] or "").strip().split("\n")[0]
        packages.append(
            Package(name=metadata["Name"], version=pin.version, license=stated, file=wheel.name, sha256=pin.sha256)
        )
    return tuple(packages)


def _key(name: str) -> str:
    """Normalize a name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
