"""Rows of key points: the layouts of numbers that public models take, and how they are normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgevid.errors import ContractError

Keypoints = Literal["pose", "hands", "holistic"]
Normalise = Literal["none", "hip", "box", "wrist"]
KEYPOINTS: tuple[Keypoints, ...] = get_args(Keypoints)
NORMALISE: tuple[Normalise, ...] = get_args(Normalise)

# Numbers in a row: what they are, in this order.
LAYOUTS: dict[Keypoints, dict[int, str]] = {
    "pose": {
        132: "33 points x, y, z, visibility",
        99: "33 points x, y, z",
        66: "33 points x, y",
    },
    "hands": {
        126: "left hand, right hand: 21 points x, y, z each",
        84: "left hand, right hand: 21 points x, y each",
        63: "one hand: 21 points x, y, z",
        42: "one hand: 21 points x, y",
    },
    "holistic": {
        258: "pose: 33 points x, y, z, visibility; left hand, right hand: 21 points x, y, z each",
        1662: "pose: 33 points x, y, z, visibility; face: 468 points x, y, z; left hand, right hand: 21 each",
        1629: "pose: 33 points x, y, z; face: 468 points x, y, z; left hand, right hand: 21 each",
        225: "pose: 33 points x, y, z; left hand, right hand: 21 points x, y, z each",
    },
}
# Rows of other public models, which are not computed here.
OTHERS: dict[int, str] = {
    1404: "468 points of MediaPipe's face mesh",
    51: "17 points of MoveNet or COCO: y, x, score",
    34: "17 points of MoveNet or COCO: x, y",
    36: "18 points of OpenPose: x, y",
    54: "18 points of OpenPose: x, y, score",
    50: "25 points of OpenPose: x, y",
    75: "25 points of OpenPose or Kinect: x, y, z",
}
# What each normalisation needs to see.
_POINTS_FOR: dict[Normalise, tuple[Keypoints, ...]] = {
    "none": KEYPOINTS,
    "box": KEYPOINTS,
    "hip": ("pose", "holistic"),
    "wrist": ("hands",),
}


def looks_like(length: int) -> str:
    """Return what rows of a length are known to be, in words; empty if they are not known."""
    for kind, layouts in LAYOUTS.items():
        if length in layouts:
            return f"{kind!r} ({layouts[length]})"
    return OTHERS.get(length, "")


@dataclass(frozen=True, kw_only=True)
class KeypointRows:
    """The rows of key points that a model takes. The length of its rows says which layout of `LAYOUTS`.

    Attributes:
        kind: "pose", "hands" or "holistic".
        normalise: "none" for shares of the picture, "hip", "box" or "wrist".

    Raises:
        ContractError: A value is not legal, or the normalisation needs points that these key points lack.
    """

    kind: Keypoints
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        ContractError.unless(self.kind in KEYPOINTS, expected="key points", choices=KEYPOINTS, got=self.kind)
        ContractError.unless(
            self.normalise in NORMALISE, expected="a normalisation of key points", choices=NORMALISE, got=self.normalise
        )
        legal = _POINTS_FOR[self.normalise]
        ContractError.unless(
            self.kind in legal,
            expected=f"key points {' or '.join(legal)} for the normalisation {self.normalise!r}",
            got=self.kind,
        )

    def __str__(self) -> str:
        """Return both in words, as in "pose, normalised by hip"."""
        return self.kind if self.normalise == "none" else f"{self.kind}, normalised by {self.normalise}"

    def check(self, length: int, *, whose: str = "a model") -> None:
        """Reject a model of other rows.

        Args:
            length: Numbers in its rows.
            whose: The model, for the message.

        Raises:
            ContractError: There is no such layout of these key points.
        """
        known, likely = LAYOUTS[self.kind], looks_like(length)
        ContractError.unless(
            length in known,
            expected=f"rows of {', '.join(map(str, known))} numbers for key points {self.kind!r}",
            found=f"{whose} with rows of {length}" + (f", which look like {likely}" if likely else ""),
        )
