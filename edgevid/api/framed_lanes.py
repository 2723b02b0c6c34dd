"""What the models of a stream see of its pictures: that of their training, or what the user chose."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from edgevid.bundle.framing import Follow, Framing, FramingChoice
from edgevid.errors import UsageError
from edgevid.frames.cropping import Cropper
from edgevid.frames.orientation import Flip, Orientation, Rotation
from edgevid.frames.region import Region, RegionLike, as_region
from edgevid.keypoints.person import PersonFollower
from edgevid.lane import Lane
from edgevid.outputs.web.region_file import RegionFile

# The command line prints what this logger gets, so every message begins with the program's name.
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FramedLanes:
    """How the pictures of a stream reach its models.

    Attributes:
        orientation: The turn, which is the same for all.
        cropper: Cuts the region of the first model.
        follower: Follows a person for the first model; None if it follows nobody.
        is_cut: Whether any model sees less than whole pictures, now or later.
    """

    orientation: Orientation
    cropper: Cropper
    follower: PersonFollower | None
    is_cut: bool


def choose_framing(
    *,
    rotate: Rotation | None = None,
    flip: Flip | None = None,
    region: RegionLike = None,
    file: RegionFile | None = None,
    follow: Follow | None = None,
) -> FramingChoice:
    """Return what a user chose, each None if nothing.

    Args:
        rotate: Degrees clockwise.
        flip: The flip after it.
        region: See `Session`.
        file: Keeps the region instead. Until there is such a file, the region is that of the training.
        follow: See `Session`.

    Raises:
        UsageError: A value is not legal, or there are a region and a file.
        DeploymentError: The file holds no region.
    """
    UsageError.unless(
        region is None or file is None,
        expected="either a region or a file that keeps it",
        found="both",
        hint="Write region and mask into the file.",
    )
    chosen = None if region is None else as_region(region)
    if file is not None and file.path.exists():
        chosen = file.read()
    return FramingChoice(rotate=rotate, flip=flip, region=chosen, follow=follow)


def frame_lanes(lanes: Sequence[Lane], choice: FramingChoice, *, may_move: bool = False) -> FramedLanes:
    """Let each model see what the user chose, or else what it saw in training.

    Args:
        lanes: The models; those with the same region share a cropper, and a follower.
        choice: The user's.
        may_move: Whether the region may change. It is one for all models then, and begins as the first's.

    Raises:
        UsageError: The trainings turned pictures in different ways and the user chose none of them, or a
            model takes no region or person to follow.
    """
    framings = [choice.over(lane.engine.bundle.manifest.framing) for lane in lanes]
    _check_turns(lanes, framings)
    croppers: dict[Region, Cropper] = {}
    followers: dict[Region, PersonFollower] = {}
    for lane, framing in zip(lanes, framings, strict=True):
        _announce(lane, choice)
        region = framings[0].region if may_move else framing.region
        cropper = croppers.setdefault(region, Cropper(region, may_move=may_move))
        follower = None
        if framing.follow == "person":
            follower = followers.setdefault(region, PersonFollower(threads=lane.engine.threads))
        lane.look_at(cropper, follower)
    is_cut = bool(followers) or not all(cropper.is_idle for cropper in croppers.values())
    return FramedLanes(framings[0].orientation, next(iter(croppers.values())), lanes[0].follower, is_cut)


def _check_turns(lanes: Sequence[Lane], framings: Sequence[Framing]) -> None:
    # The source turns pictures once for all.
    UsageError.unless(
        len({framing.orientation for framing in framings}) == 1,
        expected="models whose trainings turned pictures alike, or --rotate and --flip for all of them",
        found=", ".join(
            f"{lane.name!r} with --rotate {framing.rotate} --flip {framing.flip}"
            for lane, framing in zip(lanes, framings, strict=True)
        ),
    )


def _announce(lane: Lane, choice: FramingChoice) -> None:
    """Announce what the model sees because its training did."""
    used = choice.left_to(lane.engine.bundle.manifest.framing)
    if not used.is_plain:
        _log.info("edgevid: %s sees what its training saw: %s. Options that you give win.", lane.name, used)
