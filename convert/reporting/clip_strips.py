"""Strips of frames from the clips on which a bundle differs most. Each picture is embedded in the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.reporting.answers import short_path, worst_clips
from convert.reporting.report import ConversionResult
from edgevid.frames import Array, Color, Pixels
from edgevid.frames.imaging import opencv

FRAMES = 8
_HEIGHT_PX = 112
_HEAT_PX = (800, 120)
_JPEG_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class ClipStrip:
    """Frames of one clip with the answers for it.

    Attributes:
        name: The clip.
        pictures: `data:` URLs in order of time.
        facts: Names and values to print below the pictures.
        right: Whether both models give the same class.
    """

    name: str
    pictures: Sequence[str]
    facts: Sequence[tuple[str, str]]
    right: bool


def strips(result: ConversionResult) -> list[ClipStrip]:
    """Return a strip for each clip in the report's "worst"; none without scores of a bundle."""
    scores = result.best.scores
    if scores is None:
        return []
    return [_strip(result, index, scores[index]) for index in worst_clips(result.examples, scores)]


def _strip(result: ConversionResult, index: int, scores: Array) -> ClipStrip:
    labels, trained, ref = result.job.contract.labels, result.examples.scores[index], result.clips.clips[index].ref
    answers = [
        ("trained model", _answer(labels, trained)),
        ("bundle", _answer(labels, scores)),
        ("largest difference", f"{np.abs(scores - trained).max():.3f}"),
    ]
    truth = [("truth", ref.label)] if ref.label is not None else []
    return ClipStrip(
        name=short_path(Path(ref.name)),
        pictures=pictures(result.examples.windows[index], result.job.contract.input.color),
        facts=[*truth, *answers],
        right=int(scores.argmax()) == int(trained.argmax()),
    )


def _answer(labels: Sequence[str], scores: Array) -> str:
    best = int(scores.argmax())
    return f"{labels[best]} {scores[best]:.2f}"


def pictures(window: Array, color: Color) -> list[str]:
    """Draw a window: `FRAMES` of its frames, or a heat map of its features with time from left to right.

    Args:
        window: (T, H, W, C) uint8 or (T, F) float32.
        color: Order of the channels.

    Returns:
        `data:` URLs of JPEG pictures.
    """
    if window.ndim != 4:
        return [data_url(_heat_map(window), _HEAT_PX)]
    places = np.linspace(0, len(window) - 1, min(FRAMES, len(window))).round().astype(int)
    return [data_url(_rgb(window[place], color)) for place in places]


def _rgb(frame: Pixels, color: Color) -> Pixels:
    if color == "gray":
        return frame.repeat(3, axis=-1)
    return frame[..., ::-1] if color == "bgr" else frame


def _heat_map(window: Array) -> Pixels:
    """Draw features over time, each scaled from its own minimum (light) to its own maximum (dark)."""
    rows = window.reshape(len(window), -1).T
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    # A constant feature has no span; dividing by 1 draws it light.
    share = (rows - low) / np.where(high > low, high - low, 1)
    paper, ink = np.array([244.0, 247.0, 250.0]), np.array([31.0, 78.0, 121.0])
    return np.asarray(paper + share[..., None] * (ink - paper), np.uint8)


def data_url(rgb: Pixels, size_px: tuple[int, int] | None = None) -> str:
    """Encode a picture as a `data:` URL of a JPEG.

    Args:
        rgb: (H, W, 3) uint8.
        size_px: (width, height) of a picture with a sharp cell for each pixel. None enlarges smoothly to a
            height of at least `_HEIGHT_PX`.
    """
    cv2 = opencv("pictures in a report")
    height, width = rgb.shape[:2]
    interpolation = cv2.INTER_NEAREST
    if size_px is None:
        scale = max(1.0, _HEIGHT_PX / height)
        size_px, interpolation = (round(width * scale), round(height * scale)), cv2.INTER_CUBIC
    # OpenCV encodes BGR.
    enlarged = cv2.resize(np.ascontiguousarray(rgb[..., ::-1]), size_px, interpolation=interpolation)
    _, packed = cv2.imencode(".jpg", enlarged, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(packed.tobytes()).decode()}"
