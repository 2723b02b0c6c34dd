"""What a model sees of the pictures of a clip or recording."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from edgevid.bundle.framing import Framing
from edgevid.capture.oriented import oriented
from edgevid.capture.source import ClosingSource
from edgevid.errors import UsageError
from edgevid.frames import Frame
from edgevid.frames.cropping import Cropper
from edgevid.keypoints.assets import folder, reader
from edgevid.keypoints.person import PersonFollower


class FramedFrames(ClosingSource):
    """Frames as a model sees them: turned, cut, and around a person.

    Args:
        frames: The frames of a clip or recording.
        framing: What is seen of their pictures.
        name: Name of the clip, for messages.
    """

    live = False

    def __init__(self, frames: Iterator[Frame], framing: Framing, *, name: str) -> None:
        self._frames, self._framing, self.name = frames, framing, name

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames.

        Yields:
            Frames with the time and the index of the original, each valid until the next.

        Raises:
            UsageError: They are rows of features.
            SourceError: The region does not fit the pictures.
            AssetError: The network that finds a person is missing or altered.
        """
        cropper, region = Cropper(self._framing.region), self._framing.region
        follower = _follower(folder()) if self._framing.follow == "person" else None
        if follower is not None:
            # Nobody is followed from one clip to the next.
            follower.restart()
        for frame in oriented(_Plain(self._frames, self.name), self._framing.orientation).frames():
            UsageError.unless(
                frame.color != "none", expected="pictures to turn or cut", found=f"rows of features in {self.name}"
            )
            part = cropper.crop(frame, region)
            yield part if follower is None else follower.crop(part)


class _Plain(ClosingSource):
    """A source of frames that are there."""

    live = False

    def __init__(self, frames: Iterator[Frame], name: str) -> None:
        self._frames, self.name = frames, name

    def frames(self) -> Iterator[Frame]:
        yield from self._frames


@cache
def _follower(networks: Path) -> PersonFollower:
    """Return the follower of all clips, one after the other: its network takes a while to load."""
    return PersonFollower(read=reader(networks))
