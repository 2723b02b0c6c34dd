"""Whether anything moves: a scene that stands still need not be encoded again.

Compared is the prepared frame, which is small, with the one that was encoded last, so that a slow change adds up until it counts. A pixel
has changed when one of its channels differs by more than a camera's noise; the scene has when enough pixels have.
"""

from __future__ import annotations

import numpy as np

from edgevid.errors import UsageError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec

# Levels of 255. After the resize to a model's size, noise of a small camera indoors stays at one to three levels of standard deviation.
NOISE = 16
SHARE = 0.002


class MotionGate:
    """Says of each prepared frame whether it shows what the model has seen already.

    Args:
        spec: The model's frames; pictures.
        lookback: Frames before the newest that the encoder also sees: after the last change it has to see that many still ones before its
            answer stands for a still scene.
        share: Share of the values of a frame that may differ, 0 to 1.
        noise: Difference up to which a value has not changed, in levels of 255.

    Raises:
        UsageError: The model takes no pictures, or the share is none.

    Attributes:
        share: See above.
    """

    def __init__(self, spec: InputSpec, *, lookback: int = 0, share: float = SHARE, noise: int = NOISE) -> None:
        if spec.kind != "frames":
            raise UsageError(expected="a model over pictures for a motion gate", found="one over feature vectors")
        if not 0.0 <= share < 1.0:
            raise UsageError(expected="a motion gate of 0 to below 1, the share of a frame that may change", got=share)
        shape = spec.shape
        self.share = share
        self._noise = np.uint8(noise)
        self._most = int(share * int(np.prod(shape)))
        self._lookback = lookback
        # Work space, so that nothing of a frame's size is allocated per frame.
        self._last = np.zeros(shape, np.uint8)
        self._higher = np.zeros(shape, np.uint8)
        self._lower = np.zeros(shape, np.uint8)
        self._changed = np.zeros(shape, np.bool_)
        self._encoded = 0

    def is_still(self, frame: Array) -> bool:
        """Compare a frame with the last one that had to be encoded; one that moves takes its place.

        Args:
            frame: `spec.shape` uint8, prepared.

        Returns:
            Whether the encoder may be left out for it.

        Cost: about 10 us for 112x112x3 on one x86 thread; allocates nothing of frame size.
        """
        if self._encoded and not self._moves(frame):
            self._encoded += 1
            return self._encoded > self._lookback + 1
        np.copyto(self._last, frame)
        self._encoded = 1
        return False

    def restart(self) -> None:
        """Forget what was seen, as after a gap in time."""
        self._encoded = 0

    def _moves(self, frame: Array) -> bool:
        # |a - b| of unsigned bytes, without leaving them: the higher of the two less the lower.
        np.maximum(frame, self._last, out=self._higher)
        np.minimum(frame, self._last, out=self._lower)
        np.subtract(self._higher, self._lower, out=self._higher)
        np.greater(self._higher, self._noise, out=self._changed)
        return int(np.count_nonzero(self._changed)) > self._most
