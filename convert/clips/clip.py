"""Clips on disk, and decoded clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from convert.rows import StoredArray
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.frames import Array
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.units import NS_PER_S

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class Segment:
    """A part of a recording.

    Attributes:
        start_s: Time of its first frame in the recording.
        end_s: Time of the first frame after it.
    """

    start_s: float
    end_s: float

    def __str__(self) -> str:
        """Return the two times, as in "12.5-15 s"."""
        return f"{self.start_s:g}-{self.end_s:g} s"


@dataclass(frozen=True)
class ClipRef:
    """A clip on disk.

    Attributes:
        path: The video, the `.npy` file, or the folder of pictures or rows.
        label: The class that the clip shows, or None.
        group: Clips of one group stay together in training or test, such as those of one person; ""
            for none.
        segment: The part of the file that is the clip; None for the whole file.
        split: "train", "val" or "test" if the list of clips states it, else "".
        origin: The line of a list that names the clip, as in "line 4 of clips.csv", else "".
        fps: Pictures per second in a folder of pictures, or rows per second where their folder states it;
            None for files with times of their own, and for rows whose interval is unknown.
        framing: What is seen of its pictures.
    """

    path: Path
    label: str | None = None
    group: str = ""
    segment: Segment | None = None
    split: str = ""
    origin: str = ""
    fps: float | None = None
    framing: Framing = PLAIN

    @property
    def name(self) -> str:
        """Path of the clip for people, with the times of its segment."""
        return str(self.path) if self.segment is None else f"{self.path} ({self.segment})"

    @property
    def is_held_out(self) -> bool:
        """Whether the list of clips keeps the clip out of training."""
        return self.split in (VAL, TEST)

    def unreadable(self, error: Exception) -> tuple[Path, str]:
        """Return path and reason for the list of clips that cannot be read."""
        return self.path, f"{self.origin}: {error}" if self.origin else str(error)


@dataclass(frozen=True)
class Clip:
    """A decoded clip.

    Attributes:
        ref: The file that was decoded.
        frames: (N, *frame) prepared frames, uint8 pixels or float32 features; in a file if they are
            many.
        timestamps_ns: (N,) int64, ascending.
    """

    ref: ClipRef
    frames: Array | StoredArray
    timestamps_ns: Array

    @property
    def duration_s(self) -> float:
        """Time from the first frame to the end of the last one."""
        count = len(self.timestamps_ns)
        # A file has no end for its last frame; it is shown for as long as the average one.
        return float(self.timestamps_ns[-1] - self.timestamps_ns[0]) / NS_PER_S * count / max(count - 1, 1)


@dataclass(frozen=True)
class ClipSet:
    """The decoded clips of a folder.

    Attributes:
        clips: In the order of their paths.
        skipped: Path and reason of each clip that could not be read, and of each file that is none.
        notes: Assumptions about the clips, one line each.
        keypoints: The key points that the folders of rows state; None if they state none.
    """

    clips: tuple[Clip, ...]
    skipped: tuple[tuple[Path, str], ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    keypoints: KeypointRows | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of the clips, sorted; empty if a clip has no class."""
        found = {clip.ref.label for clip in self.clips}
        return () if None in found else tuple(sorted(label for label in found if label is not None))
