"""The packages of a device as wheels: aarch64, pinned versions, each checked against its hash.

`firmware_configs/wheels/<python>.txt` pins them. `pip download` fetches them once into a cache.
edgevid's own wheel is packed from the code that runs here, so the device runs the same code.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import edgevid
from edgevid.boards_and_cameras import folder
from edgevid.errors import FlashError
from edgevid.updates.slots import sha256

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
# No tag after the glibc of Bookworm, which is 2.36. pip compares tags literally, so all are listed.
_PLATFORMS = tuple(f"manylinux{tag}_aarch64" for tag in ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_34"))
_DOWNLOAD = "pip download --quiet --disable-pip-version-check --no-deps --require-hashes".split()
_DOWNLOAD_TIMEOUT_S = 1800
# The first date that a zip archive can hold; a fixed date keeps the bytes reproducible.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# Whole images need system tools and minutes of emulation, so no device builds them.
# The demo is a third of the wheel, and a device has a bundle of its own.
_WORKSTATION_ONLY = (
    "edgevid/commands/demo.py",
    "edgevid/data/",
    "edgevid/commands/provisioning/image.py",
    "edgevid/provision/image/",
    "edgevid/firmware_configs/image/",
    "edgevid/firmware_configs/rpi-image-gen/",
)


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pinned package.

    Attributes:
        name: Name of the distribution.
        version: Exact version.
        sha256: Hash of the wheel, in hexadecimal.
    """

    name: str
    version: str
    sha256: str

    @property
    def line(self) -> str:
        """The pin as a line of a requirements file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def lock_path(python: str) -> Path:
    """Return the lock file for a Python version, as "3.13"."""
    return folder() / "wheels" / f"{python}.txt"


def read_lock(path: Path) -> tuple[Pin, ...]:
    """Read the pins of a lock file.

    Raises:
        FlashError: A line is not a pin.
    """
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    matches = [_LINE.fullmatch(line) for line in lines]
    for line, match in zip(lines, matches, strict=True):
        if match is None:
            raise FlashError(expected=f"name==version --hash=sha256:... in {path}", got=line, path=path)
    return tuple(Pin(**match.groupdict()) for match in matches if match is not None)


def collect(python: str, *, wheelhouse: Path | None = None, lock: Path | None = None) -> dict[Pin, Path]:
    """Find every pinned wheel, and download missing ones into the cache.

    Args:
        python: Python version of the device, as "3.13".
        wheelhouse: Folder with all wheels, used in place of downloads and the cache.
        lock: Lock file to use in place of the one in `firmware_configs`.

    Returns:
        Pin to wheel. The hash of every wheel matches its pin.

    Raises:
        FlashError: A download failed, or a wheel with the pinned hash is missing.
    """
    pins = read_lock(lock or lock_path(python))
    house = wheelhouse or cache_folder(python)
    if wheelhouse is None and _missing(pins, house):
        _download(python, house, pins)
    missing = _missing(pins, house)
    if missing:
        names = ", ".join(f"{pin.name} {pin.version}" for pin in missing)
        raise FlashError(
            expected=f"the pinned wheels for Python {python} in {house}",
            got=missing,
            found=f"none with the pinned hash of {names}",
            path=house,
        )
    by_hash = _by_hash(house)
    return {pin: by_hash[pin.sha256] for pin in pins}


def cache_folder(python: str) -> Path:
    """Return the folder that keeps downloaded wheels.

    Source: XDG Base Directory Specification.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edgevid" / "wheels" / python


def pack(destination: Path) -> tuple[Pin, Path]:
    """Pack the device's half of the running edgevid into a wheel. The same files give the same bytes.

    Training, conversion, the demo and the building of images stay on the workstation.

    Args:
        destination: Folder for the wheel.

    Returns:
        The pin and the path of the wheel.

    Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    distribution = importlib.metadata.distribution("edgevid")
    version = distribution.version
    info = f"edgevid-{version}.dist-info"
    package = Path(edgevid.__file__).resolve().parent
    # In a checkout the data is next to the package; in a wheel it is inside.
    everything = {**_tree(package, "edgevid"), **_tree(folder(), "edgevid/firmware_configs")}
    files = {name: data for name, data in everything.items() if not name.startswith(_WORKSTATION_ONLY)}
    files[f"{info}/METADATA"] = (distribution.read_text("METADATA") or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: edgevid\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nedgevid = edgevid.cli:main\n"
    path = destination / f"edgevid-{version}-py3-none-any.whl"
    write_wheel(path, files, info=info)
    return Pin(name="edgevid", version=version, sha256=sha256(path)), path


def write_wheel(path: Path, files: Mapping[str, bytes], *, info: str, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a wheel.

    Args:
        path: The wheel.
        files: Name to content, without RECORD.
        info: Name of the `.dist-info` folder, which gets RECORD.
        compression: A constant of `zipfile`.
    """
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    rows.writerows((name, f"sha256={_urlsafe(data)}", len(data)) for name, data in sorted(files.items()))
    # RECORD lists itself without hash and size.
    rows.writerow((f"{info}/RECORD", "", ""))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [*sorted(files.items()), (f"{info}/RECORD", record.getvalue().encode())]:
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            # The upper half holds the Unix mode.
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compression)


def requirements(pins: Iterable[Pin]) -> str:
    """Return the pins as the text of a requirements file, sorted by name."""
    return "".join(f"{pin.line}\n" for pin in sorted(pins, key=lambda pin: pin.name))


def platform_options(python: str) -> list[str]:
    """Return the options of pip that select wheels for a device.

    Args:
        python: Python version of the device, as "3.13".
    """
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    return ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python, *platforms]


def _download(python: str, house: Path, pins: Iterable[Pin]) -> None:
    house.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lines:
        lines.write(requirements(pins))
        lines.flush()
        command = [sys.executable, "-P", "-m", *_DOWNLOAD, *platform_options(python)]
        command += ["--dest", str(house), "--requirement", lines.name]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FlashError(
            expected=f"pip to download the pinned wheels for Python {python}",
            found=reason,
            hint="Name a folder that has them with --wheels DIR.",
            path=house,
        )


def _missing(pins: Iterable[Pin], house: Path) -> list[Pin]:
    by_hash = _by_hash(house)
    return [pin for pin in pins if pin.sha256 not in by_hash]


def _by_hash(house: Path) -> dict[str, Path]:
    return {sha256(path): path for path in sorted(house.glob("*.whl"))}


def _tree(top: Path, name: str) -> dict[str, bytes]:
    paths = [path for path in sorted(top.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {f"{name}/{path.relative_to(top).as_posix()}": path.read_bytes() for path in paths}


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
