"""The packages that a device installs without a network: wheels for its processor, of pinned versions, each checked against its hash.

`firmware_configs/wheels/<python>.txt` pins them; `pip download` brings them once and a cache keeps them. edgevid itself is packed from what is
installed here, so that the device runs the very code that flashed it.
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
from edgevid.errors import FlashError
from edgevid.firmware import folder

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
_PLATFORMS = tuple(f"manylinux{tag}_aarch64" for tag in ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_34"))
_LIMIT_S = 1800
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# What builds whole images needs root's tools and minutes of emulation: no device does that.
_WORKSTATION_ONLY = (
    "edgevid/commands/image.py",
    "edgevid/provision/image/",
    "edgevid/firmware_configs/image/",
    "edgevid/firmware_configs/rpi-image-gen/",
)
_SKIPPED = ("__pycache__",)


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One package.

    Attributes:
        name: Its name.
        version: Its version.
        sha256: Of its wheel.
    """

    name: str
    version: str
    sha256: str

    @property
    def line(self) -> str:
        """As pip reads it."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def lock_path(python: str) -> Path:
    """Give the file that pins the packages for a Python, as "3.13"."""
    return folder() / "wheels" / f"{python}.txt"


def read_lock(path: Path) -> tuple[Pin, ...]:
    """Read pins.

    Args:
        path: Of a lock file.

    Returns:
        Every pin.

    Raises:
        FlashError: A line is none.
    """
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    for line, match in zip(lines, found, strict=True):
        if match is None:
            raise FlashError(expected=f"name==version --hash=sha256:... in {path}", got=line, path=path)
    return tuple(Pin(**match.groupdict()) for match in found if match is not None)


def collect(python: str, *, wheelhouse: Path | None = None, lock: Path | None = None) -> dict[Pin, Path]:
    """Bring every pinned wheel together.

    Args:
        python: The device's, as "3.13".
        wheelhouse: A folder with the wheels; they are downloaded and kept where None.
        lock: The pins; those of `firmware_configs` where None.

    Returns:
        Pin to wheel; every hash was checked.

    Raises:
        FlashError: A wheel is missing, or has another hash.
    """
    pins = read_lock(lock or lock_path(python))
    place = wheelhouse or cache_folder(python)
    if wheelhouse is None and _missing(pins, place):
        _download(python, place, pins)
    missing = _missing(pins, place)
    if missing:
        names = ", ".join(f"{pin.name} {pin.version}" for pin in missing)
        raise FlashError(
            expected=f"the pinned wheels for Python {python} in {place}",
            got=missing,
            found=f"none with the pinned hash of {names}",
            path=place,
        )
    by_hash = _by_hash(place)
    return {pin: by_hash[pin.sha256] for pin in pins}


def cache_folder(python: str) -> Path:
    """Give the folder in which downloaded wheels are kept.

    Source: XDG Base Directory Specification.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edgevid" / "wheels" / python


def pack(goal: Path) -> tuple[Pin, Path]:
    """Pack the device's half of edgevid, as it is installed here, into a wheel; the same files give the same bytes.

    Training, conversion and the building of images stay on the workstation.

    Args:
        goal: The folder to put it in.

    Returns:
        Its pin and its path.

    Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    found = importlib.metadata.distribution("edgevid")
    version = found.version
    info = f"edgevid-{version}.dist-info"
    package = Path(edgevid.__file__).resolve().parent
    everything = {**_tree(package, "edgevid"), **_tree(folder(), "edgevid/firmware_configs")}
    files = {name: data for name, data in everything.items() if not name.startswith(_WORKSTATION_ONLY)}
    files[f"{info}/METADATA"] = (found.read_text("METADATA") or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: edgevid\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nedgevid = edgevid.cli:main\n"
    path = goal / f"edgevid-{version}-py3-none-any.whl"
    write_wheel(path, files, info=info)
    return Pin(name="edgevid", version=version, sha256=hashlib.sha256(path.read_bytes()).hexdigest()), path


def write_wheel(path: Path, files: Mapping[str, bytes], *, info: str, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a wheel.

    Args:
        path: Where to.
        files: Name to content.
        info: The `.dist-info` folder, into which RECORD goes.
        compression: As in `zipfile`.
    """
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    rows.writerows((name, f"sha256={_urlsafe(data)}", len(data)) for name, data in sorted(files.items()))
    rows.writerow((f"{info}/RECORD", "", ""))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [*sorted(files.items()), (f"{info}/RECORD", record.getvalue().encode())]:
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compression)


def requirements(pins: Iterable[Pin]) -> str:
    """Write what the device installs, as pip reads it."""
    return "".join(f"{pin.line}\n" for pin in sorted(pins, key=lambda pin: pin.name))


def _download(python: str, place: Path, pins: Iterable[Pin]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lines:
        lines.write(requirements(pins))
        lines.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ]
        command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python, *platforms]
        command += ["--dest", str(place), "--requirement", lines.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FlashError(
            expected=f"pip to download the pinned wheels for Python {python}",
            found=f"{reason}",
            hint="Give them with --wheels DIR.",
            path=place,
        )


def _missing(pins: Iterable[Pin], place: Path) -> list[Pin]:
    there = _by_hash(place)
    return [pin for pin in pins if pin.sha256 not in there]


def _by_hash(place: Path) -> dict[str, Path]:
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(place.glob("*.whl"))}


def _tree(top: Path, name: str) -> dict[str, bytes]:
    paths = [path for path in sorted(top.rglob("*")) if path.is_file() and not set(_SKIPPED) & set(path.parts)]
    return {f"{name}/{path.relative_to(top).as_posix()}": path.read_bytes() for path in paths}


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
