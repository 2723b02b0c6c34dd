"""Wheels repacked from installed distributions, for tests of an installation without a network."""

from __future__ import annotations

import importlib.metadata
import zipfile
from pathlib import Path

from edgevid.provision.wheels import Pin, requirements, write_wheel
from edgevid.updates.slots import sha256

DEVICE = (
    "ai-edge-litert",
    "numpy",
    "backports.strenum",
    "flatbuffers",
    "ml_dtypes",
    "protobuf",
    "tqdm",
    "typing_extensions",
    "pip",
)
# Files that pip adds; a wheel does not have them, or gets a new one.
_MADE_BY_INSTALLING = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def repack(name: str, folder: Path) -> Pin:
    """Pack the files in an installed distribution's RECORD into a wheel."""
    distribution = importlib.metadata.distribution(name)
    info = next(Path(str(file)).parts[0] for file in distribution.files if ".dist-info" in str(file))
    paths = [
        file
        for file in distribution.files
        if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in _MADE_BY_INSTALLING
    ]
    files = {str(file): Path(file.locate()).read_bytes() for file in paths if Path(file.locate()).is_file()}
    tags = [
        line.partition(": ")[2] for line in files[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag: ")
    ]
    path = folder / f"{info.removesuffix('.dist-info')}-{tags[-1]}.whl"
    write_wheel(path, files, info=info, compression=zipfile.ZIP_STORED)
    return Pin(name=name, version=distribution.version, sha256=sha256(path))


def wheelhouse(folder: Path, names: tuple[str, ...]) -> Path:
    """Fill a folder with wheels, and `lock.txt`, which pins them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock.txt").write_text(requirements(repack(name, folder) for name in names))
    return folder
