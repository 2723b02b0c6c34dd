"""The layout of one frame's features in a row of numbers, between encoder and head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.graph.masks import as_numbers, from_numbers, with_mask

Tensor = Any


class FeatureLayout:
    """Packs the tensors that leave the prefix into rows, and unpacks rows again.

    A row holds each tensor in turn, followed by its mask if it has one. Shapes and masks are only known from
    running the encoder: `pack` records them, and `unpack` needs them.

    Args:
        tensors: Numbers of the tensors, in the order of the row.
    """

    def __init__(self, tensors: Sequence[int]) -> None:
        self._tensors = tuple(tensors)
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._masked: set[int] = set()
        self._boolean: set[int] = set()

    @property
    def has_masks(self) -> bool:
        """Whether a row holds a mask."""
        return bool(self._masked)

    def pack(self, tensor: int, values: Tensor, mask: Tensor) -> list[Tensor]:
        """Flatten one tensor of one frame.

        Args:
            tensor: Its number.
            values: (1, 1, ...).
            mask: (1, 1) booleans, or None.

        Returns:
            Pieces of the row, each (1, numbers) float32.
        """
        import tensorflow as tf

        self._shapes[tensor] = tuple(int(size) for size in values.shape[2:])
        if mask is not None:
            self._masked.add(tensor)
        if values.dtype == tf.bool:
            self._boolean.add(tensor)
            values = as_numbers(values)
        flat = tf.reshape(values, (1, math.prod(self._shapes[tensor])))
        return [flat] if mask is None else [flat, as_numbers(mask)]

    def unpack(self, rows: Tensor) -> dict[int, Tensor]:
        """Restore the tensors of several frames.

        Args:
            rows: (B, T, F).

        Returns:
            Tensors (B, T, ...) by number, with their masks.
        """
        import tensorflow as tf

        pieces = iter(_pieces(rows, self._sizes()))
        tensors: dict[int, Tensor] = {}
        for tensor in self._tensors:
            piece = next(pieces)
            values = tf.reshape(piece, (int(piece.shape[0]), int(piece.shape[1]), *self._shapes[tensor]))
            values = from_numbers(values) if tensor in self._boolean else values
            mask = from_numbers(next(pieces)[..., 0]) if tensor in self._masked else None
            tensors[tensor] = with_mask(values, mask)
        return tensors

    def _sizes(self) -> list[int]:
        """Return the length of each piece of a row."""
        return [
            size
            for tensor in self._tensors
            for size in (math.prod(self._shapes[tensor]), *([1] if tensor in self._masked else []))
        ]


def _pieces(rows: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Cut rows (B, T, F) into pieces of the given sizes along F."""
    import tensorflow as tf

    if len(sizes) == 1:
        return [rows]
    # TensorFlow's quantiser gives a tensor that is split or sliced the range of one of its pieces, which clips
    # the others. So slice a product in which all other pieces are zero: it has the range of its piece, and the
    # rows keep theirs.
    places, cut = np.arange(sum(sizes)), []
    for end, size in zip(itertools.accumulate(sizes), sizes, strict=True):
        selected = tf.constant((places >= end - size) & (places < end), tf.float32)
        cut.append(tf.slice(rows * selected, (0, 0, end - size), (-1, -1, size)))
    return cut
