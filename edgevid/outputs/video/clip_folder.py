"""A folder of clips that never takes more room than it may: the oldest clip makes room for a new one.

A clip is two files of one name, `.avi` and `.json`. Both are written as `.NAME.part`, brought to the disk, and renamed, the video last: so a
video that is there is whole and has its description, whatever ended the process. What an end left half-written is removed at the next start.
Only files with names of the shelf's form are ever removed.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.errors import OutputError, UsageError

# As 20261121T101530.250Z_gestures_wave, or t000012.300_gestures_wave for a stream without a clock; "_2" and so on for a second of one name.
_NAME = re.compile(r"(?:\d{8}T\d{6}\.\d{3}Z|t\d+\.\d{3})_[A-Za-z0-9_-]+")
# A disk that is filled to its last byte breaks more than clips.
RESERVE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ClipPaths:
    """Where one clip is written.

    Attributes:
        video: Its final name.
        video_part: Where it is written.
        text: Final name of its description.
        text_part: Where that is written.
    """

    video: Path
    video_part: Path
    text: Path
    text_part: Path


class ClipFolder:
    """The folder.

    Args:
        folder: Made if it is not there.
        quota_bytes: Most that clips take.
        reserve_bytes: What is left free on the disk.

    Raises:
        UsageError: The folder cannot be made or written.
    """

    def __init__(self, folder: Path, *, quota_bytes: int, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.folder = folder
        self._quota_bytes, self._reserve_bytes = quota_bytes, reserve_bytes
        self.removed = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".edgevid.part"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise UsageError(
                expected="a folder for clips that can be written", found=f"{folder}: {error.strerror}", path=folder
            ) from error
        self._clean()

    def slot(self, name: str) -> ClipPaths:
        """Find names for a new clip.

        Args:
            name: Time, model and label, joined by _.

        Returns:
            Names that nothing has yet.
        """
        count, free = 1, name
        while any(path.exists() for path in (self.folder / f"{free}.avi", self.folder / f".{free}.avi.part")):
            count += 1
            free = f"{name}_{count}"
        return ClipPaths(
            *(self.folder / file for file in (f"{free}.avi", f".{free}.avi.part", f"{free}.json", f".{free}.json.part"))
        )

    def make_room(self, wanted_bytes: int) -> None:
        """Remove the oldest clips until there is room for one more.

        Args:
            wanted_bytes: How large it may become.

        Raises:
            OutputError: The disk is full, of other things than clips.
        """
        clips = self.clips()
        sizes = {video: _size(video) + _size(video.with_suffix(".json")) for video in clips}
        while clips and sum(sizes[video] for video in clips) + wanted_bytes > self._quota_bytes:
            oldest = clips.pop(0)
            for path in (oldest, oldest.with_suffix(".json")):
                path.unlink(missing_ok=True)
            self.removed += 1
        disk = os.statvfs(self.folder)
        free_bytes = disk.f_bavail * disk.f_frsize
        if free_bytes < wanted_bytes + self._reserve_bytes:
            raise OutputError(
                expected=f"{_mib(wanted_bytes + self._reserve_bytes)} free for a clip in {self.folder}",
                found=f"{_mib(free_bytes)}",
                hint="It was dropped.",
            )

    def keep(self, slot: ClipPaths) -> None:
        """Give a finished clip its names.

        Args:
            slot: Both parts are written.
        """
        for part in (slot.video_part, slot.text_part):
            atomic.flush(part)
        atomic.put(slot.text_part, slot.text, durable=False)
        atomic.put(slot.video_part, slot.video, durable=False)

    def discard(self, slot: ClipPaths) -> None:
        """Remove what there is of a clip that will not be finished.

        Args:
            slot: Its names.
        """
        for path in (slot.video_part, slot.text_part):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def clips(self) -> list[Path]:
        """List the clips.

        Returns:
            Videos, oldest first.
        """
        found = [path for path in self.folder.glob("*.avi") if _NAME.fullmatch(path.stem)]
        return sorted(found, key=lambda path: (_changed_ns(path), path.name))

    def _clean(self) -> None:
        """Remove what an earlier process left half-written."""
        parts = [
            path
            for path in self.folder.glob(".*.part")
            if _NAME.fullmatch(path.name.removeprefix(".").rsplit(".", 2)[0])
        ]
        alone = [
            path
            for path in self.folder.glob("*.json")
            if _NAME.fullmatch(path.stem) and not path.with_suffix(".avi").exists()
        ]
        for path in parts + alone:
            path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # removed by somebody else meanwhile
        return 0


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
