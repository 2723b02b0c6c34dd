r"""Renames the weights of a `.keras` file that other releases of Keras 2 wrote.

Keras 2.13 and 2.14 keep the layers of a model under `_layer_checkpoint_dependencies`, where tf_keras
expects `layers`, and 2.13 skips a number after each layer with weights. On Windows, 2.15 and older
wrote `layers\lstm\cell` as one name. Source: `saving_lib.py` of each release; keras-team/keras#18528.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MEMBER = "model.weights.h5"
_OLD, _NEW = "_layer_checkpoint_dependencies", "layers"
_NUMBERED = re.compile(r"(.+?)(?:_(\d+))?")


def with_plain_names(path: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Rename the weights of a `.keras` file in a copy.

    Args:
        path: The file; one of another kind stays as it is.
        folder: The folder of the copy.

    Returns:
        The copy, or the file itself if its names are right; and the name of the repair, if any.
    """
    if not zipfile.is_zipfile(path):
        return path, ()
    with zipfile.ZipFile(path) as archive:
        if _MEMBER not in archive.namelist():
            return path, ()
        old = Path(archive.extract(_MEMBER, folder))
    names = _groups(old)
    if not any("\\" in name or _OLD in name for name in names):
        return path, ()
    new, target = folder / "renamed.h5", folder / "renamed.keras"
    _rewrite(old, new, _plain(names))
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            if member.filename == _MEMBER:
                copy.write(new, _MEMBER)
                continue
            with source.open(member) as data, copy.open(member.filename, "w", force_zip64=True) as out:
                shutil.copyfileobj(data, out)
    return target, ("weights renamed",)


def _groups(path: Path) -> list[str]:
    """Return the names of all groups of weights, in the order of the file."""
    import h5py

    names: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Group) else None)
    return [name for name in names if name.rpartition("/")[2] == "vars"]


def _plain(names: Iterable[str]) -> dict[str, str]:
    """Return the name that tf_keras expects of each group."""
    parts = {name: name.replace("\\", "/").split("/") for name in names}
    # Children of a list of layers, by the path of the list.
    lists: dict[tuple[str, ...], set[str]] = {}
    for path in parts.values():
        for place, part in enumerate(path[:-1]):
            if part == _OLD:
                lists.setdefault(tuple(path[: place + 1]), set()).add(path[place + 1])
    renumbered = {place: _renumbered(children) for place, children in lists.items()}
    return {name: "/".join(_renamed(path, renumbered)) for name, path in parts.items()}


def _renamed(path: list[str], renumbered: dict[tuple[str, ...], dict[str, str]]) -> list[str]:
    return [
        _NEW if part == _OLD else renumbered.get(tuple(path[:place]), {}).get(part, part)
        for place, part in enumerate(path)
    ]


def _renumbered(children: Iterable[str]) -> dict[str, str]:
    """Return consecutive names of layers: lstm, lstm_2 become lstm, lstm_1."""
    found: dict[str, list[tuple[int, str]]] = {}
    for child in children:
        match = _NUMBERED.fullmatch(child)
        kind, number = (match[1], int(match[2] or 0)) if match else (child, 0)
        found.setdefault(kind, []).append((number, child))
    return {
        child: kind if place == 0 else f"{kind}_{place}"
        for kind, numbered in found.items()
        for place, (_, child) in enumerate(sorted(numbered))
    }


def _rewrite(old: Path, new: Path, names: dict[str, str]) -> None:
    import h5py

    with h5py.File(old, "r") as source, h5py.File(new, "w") as target:
        for name, plain in names.items():
            _copy(source[name], target.require_group(plain))


def _copy(source: Any, target: Any) -> None:
    for name in source:
        source.copy(name, target)
