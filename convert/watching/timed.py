"""A recording as a source that measures its own length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from convert.clips.framed import FramedFrames
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.capture import features, video_files
from edgevid.capture.source import ClosingSource, Source
from edgevid.errors import TruthError, UsageError
from edgevid.frames import Frame
from edgevid.frames.preprocess import Kind
from edgevid.units import NS_PER_S


class TimedSource(ClosingSource):
    """Passes the frames of another source on, and notes their times.

    Args:
        source: Any source; it is closed with this one.
        framing: What is passed on of its pictures.
    """

    live = False

    def __init__(self, source: Source, framing: Framing = PLAIN) -> None:
        self._source, self._framing = source, framing
        self._video = source if isinstance(source, video_files.VideoFile) else None
        self.name = source.name
        self.decodes_video = isinstance(source, video_files.VideoFile)
        self._first_ns = self._last_ns = self._count = 0

    def deliver_only(self, wanted: Callable[[int], bool]) -> None:
        """Leave out frames of a video that nobody looks at. Their times are noted all the same.

        Args:
            wanted: Predicate over a frame's time in nanoseconds.
        """
        if self._video is None:
            return

        def note(timestamp_ns: int) -> bool:
            is_wanted = wanted(timestamp_ns)
            if not is_wanted:
                self._note(timestamp_ns)
            return is_wanted

        self._video.wanted = note

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames of the source.

        Yields:
            Frames, as the source does, or the part of them that the model sees.
        """
        timed = self._timed()
        yield from timed if self._framing.is_plain else FramedFrames(timed, self._framing, name=self.name).frames()

    def _timed(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            self._note(frame.timestamp_ns)
            yield frame

    def _note(self, timestamp_ns: int) -> None:
        if self._count == 0:
            self._first_ns = timestamp_ns
        self._last_ns = timestamp_ns
        self._count += 1

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    @property
    def duration_s(self) -> float:
        """Time from 0 to the end of the last frame so far, in seconds."""
        usual_ns = (self._last_ns - self._first_ns) / (self._count - 1) if self._count > 1 else 0.0
        return (self._last_ns + usual_ns) / NS_PER_S


def open_recording(path: Path, kind: Kind, window: Window, framing: Framing = PLAIN) -> TimedSource:
    """Open a recording.

    Args:
        path: A video, or a file of feature rows.
        kind: Kind of the model's frames.
        window: The model's; rows of features have its interval.
        framing: What the model sees of its pictures.

    Raises:
        UsageError: Rows of features should be turned or cut.
        SourceError: The file cannot be read.
    """
    if kind == "features":
        UsageError.unless(
            framing.is_plain, expected="pictures to turn or cut", found=f"a model of features, and rows in {path}"
        )
        return TimedSource(features.FeatureFile(path, interval_s=window.interval_s))
    return TimedSource(video_files.VideoFile(path), framing)


def check_length(path: Path, window: Window, *, taken: int, answers: int, duration_s: float) -> None:
    """Reject a recording without a whole window.

    Args:
        path: The recording.
        window: The model's.
        taken: Frames of it that the sampler took.
        answers: Answers of the model.
        duration_s: Length of the recording.

    Raises:
        TruthError: It is shorter than a window, or has gaps that leave none whole.
    """
    TruthError.unless(
        taken >= window.frames,
        expected=f"recordings of at least one window, {window.frames} frames {window.interval_s:g} s apart",
        got=taken,
        found=f"{taken} such frames in {path}",
        hint="Leave it out of the folder and of the truth.",
    )
    TruthError.unless(
        answers > 0 and duration_s > 0,
        expected=f"recordings with a frame every {window.interval_s:g} s for at least one window",
        got=answers,
        found=f"gaps that leave no window whole in {path}",
        hint="Record it at a higher rate, or leave it out of the folder and of the truth.",
    )
