"""The clips on which a bundle differs most, as strips of the frames that the model saw, each a picture inside the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convert.reporting.report import ConversionResult, worst
from edgevid.frames import Array, Color, Pixels
from edgevid.frames.imaging import opencv

FRAMES = 8
_HEIGHT_PX = 112
_HEAT_PX = (800, 120)
_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class ClipStrip:
    """Frames of one clip with what was answered.

    Attributes:
        name: The clip.
        pictures: `data:` URLs, in order of time.
        facts: What is to be said of it: name and value.
        right: Whether the answers agree.
    """

    name: str
    pictures: Sequence[str]
    facts: Sequence[tuple[str, str]]
    right: bool


def strips(story: ConversionResult) -> list[ClipStrip]:
    """Show the worst clips of a conversion.

    Args:
        story: What happened.

    Returns:
        One strip a clip, as in the report's "worst"; none where nothing was answered.
    """
    shown = story.search.best_trial
    if shown.scores is None:
        return []
    return [_strip(story, index, shown.scores[index]) for index in worst(story.examples, shown.scores)]


def _strip(story: ConversionResult, index: int, given: Array) -> ClipStrip:
    labels, wanted, ref = story.job.contract.labels, story.examples.scores[index], story.clips.clips[index].ref
    answers = [
        ("trained model", _answer(labels, wanted)),
        ("bundle", _answer(labels, given)),
        ("largest difference", f"{np.abs(given - wanted).max():.3f}"),
    ]
    truth = [("truth", ref.label)] if ref.label is not None else []
    return ClipStrip(
        name="/".join(ref.path.parts[-2:]),
        pictures=pictures(story.examples.windows[index], story.job.contract.input.color),
        facts=[*truth, *answers],
        right=int(given.argmax()) == int(wanted.argmax()),
    )


def _answer(labels: Sequence[str], scores: Array) -> str:
    best = int(scores.argmax())
    return f"{labels[best]} {scores[best]:.2f}"


def pictures(window: Array, color: Color) -> list[str]:
    """Draw a window: `FRAMES` of its frames, or features as one picture with time from left to right.

    Args:
        window: (T, H, W, C) uint8 or (T, F) float32.
        color: Order of the channels.

    Returns:
        `data:` URLs of JPEG pictures.
    """
    if window.ndim != 4:
        return [data_url(_heat(window), _HEAT_PX)]
    places = np.linspace(0, len(window) - 1, min(FRAMES, len(window))).round().astype(int)
    return [data_url(_rgb(window[place], color)) for place in places]


def _rgb(frame: Pixels, color: Color) -> Pixels:
    if color == "gray":
        return frame.repeat(3, axis=-1)
    return frame[..., ::-1] if color == "bgr" else frame


def _heat(window: Array) -> Pixels:
    """Features over time, each from its own least (light) to its own greatest number (dark)."""
    rows = window.reshape(len(window), -1).T
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    share = (rows - low) / np.where(high > low, high - low, 1)
    paper, ink = np.array([244.0, 247.0, 250.0]), np.array([31.0, 78.0, 121.0])
    return np.asarray(paper + share[..., None] * (ink - paper), np.uint8)


def data_url(rgb: Pixels, size: tuple[int, int] | None = None) -> str:
    """Pack a picture into a page.

    Args:
        rgb: (H, W, 3) uint8.
        size: Width and height to draw it in, each number a sharp cell; None for smoothly at least `_HEIGHT_PX` high.

    Returns:
        A `data:` URL of a JPEG.
    """
    cv2 = opencv("pictures in a report")
    height, width = rgb.shape[:2]
    scale = max(1.0, _HEIGHT_PX / height)
    target, how = (
        (size, cv2.INTER_NEAREST) if size else ((round(width * scale), round(height * scale)), cv2.INTER_CUBIC)
    )
    enlarged = cv2.resize(np.ascontiguousarray(rgb[..., ::-1]), target, interpolation=how)
    _, packed = cv2.imencode(".jpg", enlarged, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(packed.tobytes()).decode()}"
