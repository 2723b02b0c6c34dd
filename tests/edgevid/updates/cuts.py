"""A model of a card that loses power: unflushed writes are lost, in whole or in part.

`Recorder` notes every write, flush, rename and removal below a folder. For each moment between two
of them, `after_cuts` builds the folders that a journalling file system may show afterwards. A file
holds its flushed bytes and all, none or half of the rest; an unflushed rename has happened or not.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest


class Recorder:
    """Notes what a process does to a folder, by wrapping the calls of `os` that do it."""

    def __init__(self, folder: Path, *, blind_to_flushes_of: str = "") -> None:
        self.before = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.steps: list[tuple[str, str, bytes]] = []
        self._blind = blind_to_flushes_of
        self._names: dict[int, str] = {}

    @contextmanager
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name in ("open", "write", "fsync", "replace", "unlink"):
                patch.setattr(os, name, partial(getattr(self, f"_{name}"), getattr(os, name)))
            yield

    def _open(self, call, path, flags, *rest, **named):
        handle = call(path, flags, *rest, **named)
        self._names[handle] = "/" if flags & os.O_DIRECTORY else Path(path).name
        if flags & os.O_CREAT:
            self.steps.append(("create", Path(path).name, b""))
        return handle

    def _write(self, call, handle, data):
        self.steps.append(("write", self._names[handle], bytes(data)))
        return call(handle, data)

    def _fsync(self, call, handle):
        if self._names[handle] != self._blind:
            self.steps.append(("fsync", self._names[handle], b""))
        return call(handle)

    def _replace(self, call, old, new):
        self.steps.append(("rename", Path(old).name, Path(new).name.encode()))
        return call(old, new)

    def _unlink(self, call, path, *rest, **named):
        done = call(path, *rest, **named)
        self.steps.append(("unlink", Path(path).name, b""))
        return done


class Card:
    """Inodes with flushed and unflushed bytes, and names of which the latest changes are pending."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.inodes: list[list[bytes]] = [[data, b""] for data in files.values()]
        self.names = {name: number for number, name in enumerate(files)}
        self.flushed_names = dict(self.names)
        self.pending: list[tuple[str, str]] = []

    def do(self, step: tuple[str, str, bytes]) -> None:
        kind, name, data = step
        if kind == "create":
            self.inodes.append([b"", b""])
            self.names[name] = len(self.inodes) - 1
        elif kind == "write":
            self.inodes[self.names[name]][1] += data
        elif kind == "fsync" and name == "/":
            self.flushed_names, self.pending = dict(self.names), []
        elif kind == "fsync":
            inode = self.inodes[self.names[name]]
            inode[0], inode[1] = inode[0] + inode[1], b""
        elif kind == "rename":
            self.names[data.decode()] = self.names.pop(name)
            self.pending.append((name, data.decode()))
        else:
            self.names.pop(name, None)

    def after_cut(self) -> Iterator[dict[str, bytes]]:
        for names, part in itertools.product((self.flushed_names, self.names), (0.0, 0.5, 1.0)):
            yield {
                name: kept + rest[: int(len(rest) * part)]
                for name, (kept, rest) in ((name, self.inodes[at]) for name, at in names.items())
            }


def after_cuts(recorder: Recorder, folder: Path, *, only_last: bool = False) -> Iterator[Path]:
    """Every folder that may be found after a power cut.

    Args:
        recorder: What was done.
        folder: Made anew for each.
        only_last: Cut once, after all that was done.

    Yields:
        The folder.
    """
    card = Card(recorder.before)
    for number, step in enumerate(recorder.steps, 1):
        card.do(step)
        if only_last and number < len(recorder.steps):
            continue
        for files in card.after_cut():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, data in files.items():
                (folder / name).write_bytes(data)
            yield folder
