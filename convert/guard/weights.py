"""Checks the containers of weights: HDF5 files, and the zip archive of a `.keras` file.

HDF5 can refer to other files: external links, external storage, virtual datasets. Reading such a
dataset would read any file of this machine into the weights. And a dataset may claim a size that the
file does not hold.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from convert.guard.findings import Finding

# Keras writes weights uncompressed, and users who compress them reach factors of ten. A dataset of
# zeros may reach a thousand in HDF5.
_MAX_MEMBER_RATIO, _MAX_DATASET_RATIO = 100, 1000
_FREE_BYTES = 2**20


def hdf5_findings(path: Path) -> list[Finding]:
    """Return what in an HDF5 file is not inside of it.

    Args:
        path: An HDF5 file.

    Raises:
        OSError: HDF5 cannot read the file.
    """
    import h5py

    with h5py.File(path, "r") as file:
        return list(_of_group(file, h5py))


def archive_findings(path: Path) -> list[Finding]:
    """Return what in the archive of a `.keras` file is not plain weights and descriptions.

    Args:
        path: A zip file.

    Raises:
        OSError: HDF5 cannot read a member.
        zipfile.BadZipFile: The archive is damaged.
    """
    import h5py

    found = []
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="edgevid-guard-") as folder:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
                found.append(Finding("data", f"a member outside of the archive ({member.filename})"))
            elif member.file_size > _MAX_MEMBER_RATIO * member.compress_size + _FREE_BYTES:
                found.append(Finding("data", f"a member of {member.file_size} bytes ({member.filename})"))
            elif name.suffix == ".npz":
                found.append(Finding("data", f"weights in another format ({member.filename})"))
            elif name.suffix == ".h5":
                target = Path(folder) / "weights.h5"
                with archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                with h5py.File(target, "r") as file:
                    found += _of_group(file, h5py)
    return found


def _of_group(root: Any, h5py: Any) -> Iterator[Finding]:
    # By links, which `visititems` would follow or skip; each object once, since hard links may form
    # a circle.
    left, seen = [root], set()
    while left:
        group = left.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield Finding("data", f"a link to {getattr(link, 'filename', 'another place')} ({group.name}/{name})")
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                left.append(item)
            elif isinstance(item, h5py.Dataset):
                yield from _of_dataset(item)


def _of_dataset(dataset: Any) -> Iterator[Finding]:
    if dataset.external:
        yield Finding("data", f"a dataset stored in {dataset.external[0][0]} ({dataset.name})")
    elif dataset.is_virtual:
        yield Finding("data", f"a dataset composed of other files ({dataset.name})")
    elif dataset.nbytes > _MAX_DATASET_RATIO * dataset.id.get_storage_size() + _FREE_BYTES:
        yield Finding("data", f"a dataset of {dataset.nbytes} bytes that the file does not hold ({dataset.name})")
