"""A folder of clips with a quota: the oldest clips are deleted for a new one.

A clip is a pair of files, `NAME.avi` and `NAME.json`. Both are written as `.NAME.*.part`, flushed
to the disk and renamed, the video last. A video with its final name is therefore complete and has
its description, however the process ended. Incomplete files are deleted at the next start.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.errors import OutputError, UsageError

# Only files with such names are ever deleted: 000001_20261121T101530.250Z_gestures_wave, or
# 000001_t000012.300_gestures_wave for a source without a clock. The number orders them: a board
# without a battery starts with a wrong date, which is later set back or forth.
_NAME = re.compile(r"(?:(\d{6,})_)?(?:\d{8}T\d{6}\.\d{3}Z|t\d+\.\d{3})_[A-Za-z0-9_-]+")
# Other programs, and the system's logs, need room on the same disk.
RESERVE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ClipPaths:
    """The files of one clip.

    Attributes:
        video: Final name of the video.
        video_part: Name of the video while it is written.
        text: Final name of the description.
        text_part: Name of the description while it is written.
    """

    video: Path
    video_part: Path
    text: Path
    text_part: Path


class ClipFolder:
    """A folder of clips.

    Args:
        folder: Created if it does not exist.
        quota_bytes: The most that all clips take.
        reserve_bytes: The least that stays free on the disk.

    Attributes:
        folder: See above.
        removed: The number of clips deleted for new ones.

    Raises:
        UsageError: The folder cannot be created or written.
    """

    def __init__(self, folder: Path, *, quota_bytes: int, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.folder = folder
        self._quota_bytes, self._reserve_bytes = quota_bytes, reserve_bytes
        self.removed = self._last = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Write a file: permissions do not cover network mounts and read-only disks.
            probe = folder / ".edgevid.part"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise UsageError(
                expected="a folder for clips that can be written", found=f"{folder}: {error.strerror}", path=folder
            ) from error
        self._clean()

    def slot(self, name: str) -> ClipPaths:
        """Return file names for a new clip, with a number above those of all others.

        Args:
            name: Time, model and label, joined by _.
        """
        self._last = max([self._last, *map(_number, self.clips())]) + 1
        stem = f"{self._last:06d}_{name}"
        return ClipPaths(
            video=self.folder / f"{stem}.avi",
            video_part=self.folder / f".{stem}.avi.part",
            text=self.folder / f"{stem}.json",
            text_part=self.folder / f".{stem}.json.part",
        )

    def make_room(self, wanted_bytes: int) -> None:
        """Delete the oldest clips until one more fits into the quota.

        Args:
            wanted_bytes: The largest size of the new clip.

        Raises:
            OutputError: The disk is full of other files.
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
                found=_mib(free_bytes),
                hint="Free some space; the clip was dropped.",
            )

    def keep(self, slot: ClipPaths) -> None:
        """Flush the files of a complete clip and give them their final names.

        Args:
            slot: Both parts are written and closed.
        """
        for part in (slot.video_part, slot.text_part):
            atomic.flush(part)
        # The video last: without its description it would not be a complete clip.
        atomic.put(slot.text_part, slot.text, durable=False)
        atomic.put(slot.video_part, slot.video, durable=False)

    def discard(self, slot: ClipPaths) -> None:
        """Delete the files of an incomplete clip, as far as they exist."""
        for path in (slot.video_part, slot.text_part):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def clips(self) -> list[Path]:
        """Return the videos of all clips, oldest first."""
        found = [path for path in self.folder.glob("*.avi") if _NAME.fullmatch(path.stem)]
        return sorted(found, key=lambda path: (_number(path), path.name))

    def _clean(self) -> None:
        """Delete incomplete files of an earlier process: parts, and texts without a video."""
        for path in self.folder.glob(".*.part"):
            if _NAME.fullmatch(path.name.removeprefix(".").rsplit(".", 2)[0]):
                path.unlink(missing_ok=True)
        for path in self.folder.glob("*.json"):
            if _NAME.fullmatch(path.stem) and not path.with_suffix(".avi").exists():
                path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # another process deleted it
        return 0


def _number(path: Path) -> int:
    """Return the number of a clip; 0 for one without, which is older than all others."""
    match = _NAME.fullmatch(path.stem)
    return int(match[1] or 0) if match else 0


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
