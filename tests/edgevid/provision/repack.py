"""Wheels of what is installed here, so that an installation without a network can be tested without one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

from edgevid.provision.wheels import Pin, requirements, write_wheel

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
_MADE_BY_INSTALLING = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def repack(name: str, folder: Path) -> Pin:
    """A wheel of an installed distribution, with the files that its RECORD lists."""
    found = importlib.metadata.distribution(name)
    info = next(Path(str(file)).parts[0] for file in found.files if ".dist-info" in str(file))
    paths = [
        file
        for file in found.files
        if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in _MADE_BY_INSTALLING
    ]
    files = {str(file): Path(file.locate()).read_bytes() for file in paths if Path(file.locate()).is_file()}
    tags = [
        line.partition(": ")[2] for line in files[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag: ")
    ]
    path = folder / f"{info.removesuffix('.dist-info')}-{tags[-1]}.whl"
    write_wheel(path, files, info=info, compression=zipfile.ZIP_STORED)
    return Pin(name=name, version=found.version, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def wheelhouse(folder: Path, names: tuple[str, ...]) -> Path:
    """A folder with wheels and `lock.txt`, which pins them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock.txt").write_text(requirements(repack(name, folder) for name in names))
    return folder
