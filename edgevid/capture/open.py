"""From what a person writes after `--source` to a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgevid.capture.source import Source
from edgevid.errors import UsageError
from edgevid.manifest import Manifest

SOURCES_HELP = "a video FILE (.avi .mp4 .mkv .webm), a DIR of pictures, a .npy FILE of features, or 'synthetic[:SEED]'"


def open_source(text: str, manifest: Manifest) -> Source:
    """Open the source that a person named.

    Args:
        text: See `SOURCES_HELP`.
        manifest: The model's; gives the time between pictures of a folder, and the size of synthetic frames.

    Returns:
        An open source, to be used in a `with`.

    Raises:
        UsageError: Nothing of that name, or of no known kind.
        SourceError: It is there and cannot be read.
    """
    if text.partition(":")[0] == "synthetic":
        return _synthetic(text.partition(":")[2], manifest)
    path = Path(text)
    if not path.exists():
        raise UsageError(f"Expected a source: {SOURCES_HELP}; got {text!r}, which is none of these.", got=text, path=path)
    return _opener(path)(path, manifest)


def _opener(path: Path) -> Callable[[Path, Manifest], Source]:
    if path.is_dir():
        return _pictures
    return _features if path.suffix.lower() == ".npy" else _video


def _pictures(path: Path, manifest: Manifest) -> Source:
    from edgevid.capture.opencv import PictureFolder

    return PictureFolder(path, interval_s=manifest.window.interval_s)


def _features(path: Path, manifest: Manifest) -> Source:
    from edgevid.capture.features import FeatureFile

    return FeatureFile(path, interval_s=manifest.window.interval_s)


def _video(path: Path, manifest: Manifest) -> Source:
    from edgevid.capture.opencv import VideoFile

    return VideoFile(path)


def _synthetic(seed: str, manifest: Manifest) -> Source:
    from edgevid.capture.synthetic import GestureSource

    if seed and not seed.isdecimal():
        raise UsageError(f"Expected synthetic:SEED with a whole number, got {seed!r}.", got=seed)
    return GestureSource(seed=int(seed or 0), height_px=manifest.input.height, width_px=manifest.input.width)
