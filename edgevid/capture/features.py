"""Feature sequences, such as pose key points over time, from `.npy` files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgevid.bundle.npy import read_npy
from edgevid.capture.source import ClosingSource
from edgevid.errors import ContractError, SourceError
from edgevid.frames import Array, Frame
from edgevid.units import NS_PER_S


class FeatureFile(ClosingSource):
    """The rows of a (frames, features) array at a fixed interval.

    Args:
        path: A `.npy` file.
        interval_s: Time between two rows, in seconds.

    Raises:
        SourceError: The file holds no two-dimensional array of finite numbers.
    """

    live = False

    def __init__(self, path: str | Path, *, interval_s: float) -> None:
        self.name = str(path)
        self._interval_s = interval_s
        self._rows = read_features(Path(path))

    def frames(self) -> Iterator[Frame]:
        """Deliver each row.

        Yields:
            Frames (F,) float32, without a color.
        """
        for index, row in enumerate(self._rows):
            yield Frame(row, "none", round(index * self._interval_s * NS_PER_S), index)


def read_features(path: Path) -> Array:
    """Read a feature sequence.

    Args:
        path: A `.npy` file of shape (frames, features), any real dtype.

    Returns:
        The array (frames, features) as float32.

    Raises:
        SourceError: The file cannot be read, has another shape, is empty, or contains NaN or
            infinity.
    """
    try:
        rows = read_npy(path.read_bytes())
    except (OSError, ContractError) as error:
        raise SourceError(
            expected="a .npy array of (frames, features)",
            found=f"{path}, which cannot be read",
            hint=str(error),
            path=path,
        ) from error
    if rows.ndim != 2 or rows.size == 0 or not np.issubdtype(rows.dtype, np.number) or np.iscomplexobj(rows):
        raise SourceError(
            expected="a real array of shape (frames, features)",
            got=rows.shape,
            found=f"{rows.dtype} {rows.shape} in {path}",
            path=path,
        )
    # Numbers beyond float32 become infinity, which the next check rejects.
    with np.errstate(over="ignore"):
        features = rows.astype(np.float32)
    if not np.isfinite(features).all():
        raise SourceError(expected="finite features", found=f"NaN or infinity in {path}", path=path)
    return features
