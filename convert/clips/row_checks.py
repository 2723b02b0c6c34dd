"""Checks of clips of rows: whether they fit together, and the window of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convert.clips.clip import ClipRef
from edgevid.errors import ClipsError, UsageError
from edgevid.frames.keypoint_rows import KeypointRows

# A time between rows that is so little longer than the window's is the same: a mean of whole frames.
_SLACK = 1.02


def check_row_lengths(first: Mapping[int, ClipRef]) -> None:
    """Reject rows of several lengths.

    Args:
        first: The first clip with rows of each length.

    Raises:
        ClipsError: There are several.
    """
    if len(first) > 1:
        found = " and ".join(f"{length} in {ref.name}" for length, ref in list(first.items())[:2])
        raise ClipsError(
            expected="rows of one length", found=found, hint="Write all of them with one edgevid keypoints --length."
        )


def check_row_intervals(refs: Sequence[ClipRef], interval_s: float) -> None:
    """Reject rows that are further apart than the frames of the window, which would repeat them.

    Args:
        refs: Clips of rows.
        interval_s: Time between two frames of the window.

    Raises:
        UsageError: A clip states a longer time between its rows.
    """
    slowest = min((ref for ref in refs if ref.fps), key=lambda ref: ref.fps or 0.0, default=None)
    if slowest is not None and slowest.fps is not None and 1 / slowest.fps > interval_s * _SLACK:
        raise UsageError(
            expected=f"--interval of at least {1 / slowest.fps:g}, the time between two rows of {slowest.name}",
            got=interval_s,
        )


def check_keypoints(wanted: KeypointRows | None, stated: KeypointRows | None) -> None:
    """Reject rows of other key points than a model takes.

    Args:
        wanted: The model's; None for other rows.
        stated: Those of the rows; None if they state none.

    Raises:
        ClipsError: They differ.
    """
    if wanted is not None and stated is not None and wanted != stated:
        raise ClipsError(expected=f"clips of the model's key points, {wanted}", found=f"rows of {stated}")


def interval_notes(refs: Sequence[ClipRef], interval_s: float) -> tuple[str, ...]:
    """Return a line on rows that do not state how far they are apart; none if all do.

    Args:
        refs: Clips of rows.
        interval_s: The time that is assumed.
    """
    unknown = [ref for ref in refs if not ref.fps]
    if not unknown:
        return ()
    return (
        f"{interval_s:g} s are assumed between two rows, such as those of {unknown[0].name}: "
        "state --interval if they were taken at another rate",
    )


def describe_empty(empty: Sequence[ClipRef], clips: int) -> tuple[str, ...]:
    """Return a line on clips of which all rows are zeros; none without such clips.

    Args:
        empty: Clips in which nobody is seen.
        clips: Number of all clips.
    """
    return (f"{len(empty)} of {clips} clips show nobody, such as {empty[0].name}",) if empty else ()
