"""The frames of a clip on disk, whatever it is kept as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from convert.clips.clip import ClipRef
from convert.clips.framed import FramedFrames
from convert.clips.layouts.picture_folders import ClipPictures
from convert.clips.layouts.row_folders import RowFolder
from convert.clips.reading import ASSUMED_PICTURES_PER_S
from edgevid.capture.features import FeatureFile
from edgevid.capture.source import Source
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError
from edgevid.frames import Frame
from edgevid.frames.preprocess import Kind
from edgevid.units import NS_PER_S

# The header's length may be that of the sound, or rounded: search for the last frame from here on.
_TAIL_S = 2.0
# People write times with one or two decimals, and round them up.
ROUNDING_S = 0.1


def clip_frames(ref: ClipRef, kind: Kind, *, interval_s: float = 0.1) -> Iterator[Frame]:
    """Decode the frames of a clip; of a segment, only those of its seconds.

    Args:
        ref: The clip.
        kind: Kind of its frames.
        interval_s: Time between two rows of features, where the clip states none.

    Yields:
        Frames that may share one buffer. The times of a segment begin with 0 at its first frame.

    Raises:
        SourceError: The file cannot be read, or ends before the segment does, or the region does not fit
            its pictures.
        UsageError: Rows of features should be turned or cut.
        AssetError: The network that finds a person is missing or altered.
    """
    with _open(ref, kind, interval_s) as source:
        frames = source.frames() if ref.segment is None else _segment(source, ref)
        yield from frames if ref.framing.is_plain else FramedFrames(frames, ref.framing, name=ref.name).frames()


def length_s(ref: ClipRef, kind: Kind = "frames", *, interval_s: float = 0.1) -> float:
    """Measure the whole file of a clip, up to the end of its last frame.

    Args:
        ref: A clip; its segment is ignored.
        kind: As for `clip_frames`.
        interval_s: As for `clip_frames`.

    Raises:
        SourceError: The file cannot be read.
    """
    with _open(ref, kind, interval_s) as source:
        if isinstance(source, ClipPictures):
            return len(source.files) / (ref.fps or ASSUMED_PICTURES_PER_S)
        if isinstance(source, VideoFile):
            source.seek(max(source.nominal_s - _TAIL_S, 0.0))
        first_ns, last_ns, count = None, 0, 0
        for frame in source.frames():
            first_ns = frame.timestamp_ns if first_ns is None else first_ns
            last_ns, count = frame.timestamp_ns, count + 1
    usual_ns = (last_ns - (first_ns or 0)) / (count - 1) if count > 1 else 0.0
    return (last_ns + usual_ns) / NS_PER_S


def _open(ref: ClipRef, kind: Kind, interval_s: float) -> Source:
    if kind == "features":
        rows = RowFolder if ref.path.is_dir() else FeatureFile
        return rows(ref.path, interval_s=1 / ref.fps if ref.fps else interval_s)
    if ref.path.is_dir():
        return ClipPictures(ref.path, interval_s=1 / (ref.fps or ASSUMED_PICTURES_PER_S))
    return VideoFile(ref.path)


def _segment(source: Source, ref: ClipRef) -> Iterator[Frame]:
    assert ref.segment is not None
    start_ns, end_ns = (round(time_s * NS_PER_S) for time_s in (ref.segment.start_s, ref.segment.end_s))
    if isinstance(source, VideoFile):
        source.seek(ref.segment.start_s)
    first_ns, last_ns, count = -1, -1, 0
    for frame in source.frames():
        before_ns, last_ns = last_ns, frame.timestamp_ns
        if last_ns >= end_ns:
            break
        if last_ns >= start_ns:
            first_ns = last_ns if count == 0 else first_ns
            yield replace(frame, timestamp_ns=last_ns - first_ns, index=count)
            count += 1
    else:
        # The last frame is shown for as long as the one before it.
        after_ns = last_ns + max(last_ns - before_ns, 0)
        if count == 0 or after_ns + ROUNDING_S * NS_PER_S < end_ns:
            raise _too_short(ref, after_ns)
    if count == 0:
        raise SourceError(expected=f"frames in {ref.segment} of {ref.path}", found="none", path=ref.path)


def _too_short(ref: ClipRef, end_ns: int) -> SourceError:
    return SourceError(
        expected=f"a segment within the {end_ns / NS_PER_S:.3f} s of {ref.path}", found=str(ref.segment), path=ref.path
    )
