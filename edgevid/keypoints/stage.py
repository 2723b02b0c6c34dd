"""The stage between a camera and a model of rows: it finds the key points of each frame that the model takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgevid.errors import ContractError
from edgevid.frames import Array, Frame
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import check_picture
from edgevid.keypoints.assets import reader
from edgevid.keypoints.body import Body
from edgevid.keypoints.network import RgbPicture, times_table
from edgevid.keypoints.rows import RowMaker, has_face, is_one_hand

if TYPE_CHECKING:
    from edgevid.keypoints.body import Tracker
    from edgevid.telemetry.telemetry import Telemetry


_DIGITS = 4
# In place of "cut, resize, colour" in the table of a run.
_PREPROCESS = "key points, by the networks below"


@dataclass(frozen=True, slots=True)
class Seen:
    """The key points of one picture.

    Attributes:
        body: The points.
        width_px: Width of what was looked at: the picture, or a region of it.
        height_px: Its height.
    """

    body: Body
    width_px: int
    height_px: int

    def shares(self) -> dict[str, list[list[float]] | None]:
        """Return "pose", "left" and "right": x and y in shares of the picture, of the pose also the visibility.

        The 468 points of a face have no lines between them that a page would draw.
        """
        body = self.body
        return {
            "pose": self._shares(body.pose, body.visibility),
            "left": self._shares(body.left),
            "right": self._shares(body.right),
        }

    def _shares(self, points: Array | None, visibility: Array | None = None) -> list[list[float]] | None:
        if points is None:
            return None
        columns = [points[:, 0] / self.width_px, points[:, 1] / self.height_px]
        shares = np.stack([*columns, *([] if visibility is None else [visibility])], axis=1)
        rounded: list[list[float]] = shares.round(_DIGITS).tolist()
        return rounded


class KeypointStage:
    """Turns frames into rows of key points; takes the place of a preprocessor.

    Frames that are rows already, such as those of a `.npy` file, pass as they are. The networks are
    read from the cache when `open` is called, or with the first picture.

    Args:
        wanted: The key points and their normalisation.
        length: Numbers in a row of the model's input.
        threads: Interpreter threads.
        read: Returns the file of a network by its name; None for the user's cache.

    Raises:
        ContractError: The model takes other rows.

    Attributes:
        seen: The points in the newest picture; None before it. Another thread may read it.
    """

    def __init__(
        self, wanted: KeypointRows, length: int, *, threads: int = 1, read: Callable[[str], bytes] | None = None
    ) -> None:
        self._wanted, self._length, self._threads, self._read = wanted, length, threads, read
        self._rows = RowMaker(wanted, length)
        self._tracker: Tracker | None = None
        self._rgb = RgbPicture()
        self.seen: Seen | None = None

    def open(self) -> Tracker:
        """Load the networks, if they are not.

        Returns:
            The tracker.

        Raises:
            AssetError: A file is missing or altered.
            BackendError: The interpreter rejects a file.
            MissingDependency: OpenCV is not installed.
        """
        if self._tracker is None:
            self._tracker = make_tracker(self._wanted, self._length, read=self._read or reader(), threads=self._threads)
        return self._tracker

    def write(self, frame: Frame, out: Array) -> None:
        """Fill `out` with the row of a frame.

        Args:
            frame: A picture of any size with color rgb, bgr or gray; or a row with color "none".
            out: (length,) float32, contiguous; owned by the caller.

        Raises:
            ContractError: The frame is neither.
            AssetError: A file is missing or altered.

        Cost: that of the networks. Nothing of the picture's size is allocated after the first of a size.
        """
        if frame.color == "none":
            ContractError.unless(
                frame.data.shape == out.shape, expected=f"features of shape {out.shape}", got=frame.data.shape
            )
            np.copyto(out, frame.data)
            return
        check_picture(frame)
        body = self.open().process(self._rgb.of(frame))
        self._rows.write(body, frame.data.shape, out)
        self.seen = Seen(body, width_px=frame.data.shape[1], height_px=frame.data.shape[0])

    def restart(self) -> None:
        """Forget who was followed, as after a gap."""
        if self._tracker is not None:
            self._tracker.reset()

    def as_table(self, *, model_ms: float | None = None) -> str:
        """Return how often each network ran and how long it took, without a final newline; empty before it.

        Args:
            model_ms: Median time of the model on a row, for the ratio of each network to it.
        """
        if self._tracker is None:
            return ""
        times = {name: each.times for name, each in self._tracker.networks.items()}
        return times_table("key points", times, model_ms=model_ms)

    def summary(self, telemetry: Telemetry) -> str:
        """Return the table of a run, and below it that of the networks, beside the model's own time.

        Args:
            telemetry: Of the model whose rows the stage makes.
        """
        stages = telemetry.stages()
        model_ms = sum(stages[name].p50_ms for name in ("encode", "head") if name in stages)
        networks = self.as_table(model_ms=model_ms)
        return telemetry.as_table(preprocess=_PREPROCESS) + (f"\n{networks}" if networks else "")


def network_files(wanted: KeypointRows, length: int) -> tuple[str, ...]:
    """Return the files that the tracker for rows of a layout reads.

    Args:
        wanted: The key points.
        length: Numbers in a row.
    """
    from edgevid.keypoints import hands, holistic, pose

    if wanted.kind != "holistic":
        return pose.FILES if wanted.kind == "pose" else hands.FILES
    face = holistic.FACE_FILES if has_face(length) else ()
    return (*pose.FILES, hands.FILES[1], holistic.RECROP, *face)


def make_tracker(wanted: KeypointRows, length: int, *, read: Callable[[str], bytes], threads: int = 1) -> Tracker:
    """Return the tracker for rows of a layout.

    Args:
        wanted: The key points.
        length: Numbers in a row.
        read: Returns the file of a network by its name.
        threads: Interpreter threads.

    Raises:
        AssetError: A file is missing or altered.
        BackendError: The interpreter rejects a file.
        MissingDependency: OpenCV is not installed.
    """
    from edgevid.keypoints.hands import HandTracker
    from edgevid.keypoints.holistic import HolisticTracker
    from edgevid.keypoints.pose import PoseTracker

    if wanted.kind == "pose":
        return PoseTracker(read, threads=threads)
    if wanted.kind == "hands":
        return HandTracker(read, most=1 if is_one_hand(length) else 2, threads=threads)
    return HolisticTracker(read, has_face=has_face(length), threads=threads)
