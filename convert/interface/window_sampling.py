"""Resolves the sampling of the window: the time between its frames, stated or the median of the clips."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from convert.clips import Clip
from convert.options import UNIFORM, Options, seconds
from convert.training_info import TrainingInfo
from edgevid.bundle.manifest import Window
from edgevid.frames.sampling import MIN_INTERVAL_S

# Rows of features have no time of their own; this is the default of training.
_ROW_INTERVAL_S = 0.1
# The step of clips of one frame, which have none of their own: 25 frames a second.
_DEFAULT_STEP_S = 0.04


def resolve_window(
    frames: int, clips: Sequence[Clip], options: Options, info: TrainingInfo | None
) -> tuple[Window, list[str]]:
    """Resolve the length and the sampling of the window.

    Args:
        frames: Length of the window.
        clips: The user's clips; with "uniform" sampling, their steps give the interval.
        options: Options of the conversion.
        info: Training metadata, if the model file has any.

    Returns:
        The window, and a note if its sampling is assumed.
    """
    interval = options.interval
    if interval is None and info is not None and info.window.frames == frames:
        return info.window, []
    if interval is not None and interval != UNIFORM:
        return Window(frames=frames, interval_s=seconds(interval)), []
    notes = (
        []
        if interval is not None
        else [
            "sampling assumed to be uniform, as in the usual tutorials; "
            "pass --interval SECONDS if training took frames a fixed time apart"
        ]
    )
    step_s = statistics.median(_uniform_step_s(clip, frames) for clip in clips)
    return Window(frames=frames, interval_s=round(step_s, 6), sampling="uniform"), notes


def row_interval_s(options: Options, info: TrainingInfo | None) -> float:
    """Return the time between two rows of features whose folder states none: one row is one frame of the window.

    Args:
        options: Options of the conversion.
        info: Training metadata, if the model file has any.
    """
    if options.interval is not None:
        return _ROW_INTERVAL_S if options.interval == UNIFORM else seconds(options.interval)
    return _ROW_INTERVAL_S if info is None else info.window.interval_s


def short_notes(window: Window, clips: Sequence[Clip]) -> list[str]:
    """Return a note on clips that hold less than a window: the last frame stands in for the rest."""
    short = [clip for clip in clips if _is_short(window, clip)]
    if not short:
        return []
    length = f"{window.frames} frames"
    if window.sampling != "uniform":
        length += f", {window.frames * window.interval_s:g} s"
    return [
        f"{len(short)} of {len(clips)} clips are shorter than the window ({length}), such as {short[0].ref.path}: "
        "their windows repeat frames, which training may not have done"
    ]


def _is_short(window: Window, clip: Clip) -> bool:
    if window.sampling == "uniform":
        return len(clip.frames) < window.frames
    # Half a frame's time is lost to rounding of the frame rate.
    return clip.duration_s < (window.frames - 0.5) * window.interval_s


def _uniform_step_s(clip: Clip, frames: int) -> float:
    count = len(clip.frames)
    step_s = clip.duration_s / count if count > 1 else _DEFAULT_STEP_S
    return max(step_s * max(count // frames, 1), MIN_INTERVAL_S)
