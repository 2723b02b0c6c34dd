"""Single-shot detectors: anchors, decoding and suppression of overlapping detections.

Source: MediaPipe 0.10.18, ssd_anchors_calculator.cc, tensors_to_detections_calculator.cc and
non_max_suppression_calculator.cc; the numbers from the graphs in its wheel, such as
mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevid.frames import Array, Pixels
from edgevid.keypoints.network import Network
from edgevid.keypoints.roi import Roi, whole

# `min_score_thresh`, `score_clipping_thresh` and `min_suppression_threshold` of both graphs.
_MIN_SCORE = 0.5
_SCORE_LIMIT = 100.0
_MOST_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class Detection:
    """A box and points of an object, in pixels of the picture.

    Attributes:
        box: (left, top, right, bottom).
        points: (N, 2), such as the centre of the hips.
        score: 0 to 1.
    """

    box: Array
    points: Array
    score: float


def anchors(size_px: int, strides: tuple[int, ...]) -> Array:
    """Return the centres of the anchors.

    Args:
        size_px: Side of the network's input.
        strides: One for each layer of the network. Layers of equal stride have their anchors together.

    Returns:
        (N, 2) float64, x and y in shares of the input. All anchors have the input's size.
    """
    cells = []
    for stride in dict.fromkeys(strides):
        side = -(-size_px // stride)
        centres = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        # Two anchors of a cell for each layer: aspect ratio 1, and the interpolated scale, by default 1.
        cells.append(np.repeat(grid, 2 * strides.count(stride), axis=0))
    return np.concatenate(cells)


class Detector:
    """Finds objects in whole pictures.

    Args:
        network: Its outputs are boxes with points, and scores.
        strides: Strides of its layers.
    """

    def __init__(self, network: Network, *, strides: tuple[int, ...]) -> None:
        self.network = network
        self._anchors = anchors(network.size_px, strides)

    def find(self, picture: Pixels, *, most: int, view: Roi | None = None) -> list[Detection]:
        """Return the objects in a picture, the surest first.

        Args:
            picture: (H, W, 3) uint8, RGB.
            most: How many to return at most.
            view: The square to look at; None for the whole picture.
        """
        view = view or whole(picture.shape)
        self.network.run(picture, view)
        logits = np.clip(self.network.output(1)[:, 0], -_SCORE_LIMIT, _SCORE_LIMIT)
        scores = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
        places = np.flatnonzero(scores >= _MIN_SCORE)
        places = places[np.argsort(-scores[places], kind="stable")]
        boxes, points = self._decode(self.network.output(0)[places], self._anchors[places])
        return [_placed(each, view) for each in suppress(boxes, points, scores[places], most=most)]

    def _decode(self, raw: Array, centres: Array) -> tuple[Array, Array]:
        """Return boxes (N, 4) as corners and points (N, P, 2), in shares of the network's input."""
        numbers = raw.astype(np.float64).reshape(len(raw), raw.shape[1] // 2, 2) / self.network.size_px
        middle, half = numbers[:, 0] + centres, numbers[:, 1] / 2
        return np.concatenate([middle - half, middle + half], axis=1), numbers[:, 2:] + centres[:, None]


def suppress(boxes: Array, points: Array, scores: Array, *, most: int) -> list[Detection]:
    """Merge detections that overlap into one, weighted by their scores.

    Args:
        boxes: (N, 4), the surest first.
        points: (N, P, 2).
        scores: (N,).
        most: How many to return at most.
    """
    found: list[Detection] = []
    while len(boxes) and len(found) < most:
        same = overlap(boxes, boxes[0]) > _MOST_OVERLAP
        # Also for a box without an area, which overlaps not even itself.
        same[0] = True
        weights = scores[same] / scores[same].sum()
        merged = Detection(weights @ boxes[same], np.einsum("n,npx->px", weights, points[same]), float(scores[0]))
        found.append(merged)
        boxes, points, scores = boxes[~same], points[~same], scores[~same]
    return found


def overlap(boxes: Array, box: Array) -> Array:
    """Return the intersection over union of boxes (N, 4) with one (4,), (N,)."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.clip(sides, 0.0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union = areas + (box[2:] - box[:2]).prod() - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _placed(found: Detection, view: Roi) -> Detection:
    """Return a detection in pixels of the picture."""
    # A turned view has no upright box: its corners are enough to tell where it lies.
    return Detection(view.to_picture(found.box.reshape(2, 2)).ravel(), view.to_picture(found.points), found.score)
