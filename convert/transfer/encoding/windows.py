"""Windows of clips, encoded once: the middle one as it is, and random ones that are varied.

Everything random about a window comes from a seed, the clip's content and the window's number. A
clip therefore has the same windows in every run, whatever other clips there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.clips import Clip, ClipRef, centre_window, random_window
from convert.clips.window_frames import varied_rows
from convert.training.augment import Augmentation, draw
from convert.transfer.cache import key_of
from convert.transfer.encoding.interpreter import OpenedEncoder
from convert.transfer.streams import Stream
from edgevid.bundle.manifest import Window
from edgevid.bundle.parts import Precision
from edgevid.errors import ModelError
from edgevid.frames import Array, Pixels
from edgevid.frames.preprocess import InputSpec
from edgevid.schema import to_json

_CHUNK_BYTES = 2**20
Way = tuple[Stream, Precision]
"""One encoder: what it sees, and its precision."""


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """The windows of each clip.

    Attributes:
        window: Window of the model.
        input: Input frames of the model.
        augmentation: Limits of the variation of all windows but the first.
        windows: Windows of a clip; the first is the middle one, unvaried.
        seed: Seed of starts and variations.
    """

    window: Window
    input: InputSpec
    augmentation: Augmentation
    windows: int
    seed: int

    def facts(self) -> dict[str, Any]:
        """Return what cached features depend on, as JSON can hold it."""
        augmentation = asdict(self.augmentation) | {"flip": dict(self.augmentation.flip)}
        return {
            "window": to_json(self.window),
            "input": to_json(self.input),
            "augmentation": augmentation,
            "windows": self.windows,
            "seed": self.seed,
        }

    def draw(self, clip: Clip, digest: str) -> Iterator[tuple[Pixels, str]]:
        """Yield each window of a clip, (T, H, W, C) uint8 or (T, F) float32, with the class that it shows.

        Rows vary in their start and speed alone.
        """
        label = str(clip.ref.label)
        yield centre_window(clip, self.window), label
        for number in range(1, self.windows):
            rng = np.random.default_rng((self.seed, number, int(digest[:16], 16)))
            variation = draw(self.augmentation, rng, label=label)
            if self.input.kind == "features":
                yield varied_rows(clip, self.window, rng, speed=variation.speed), label
                continue
            frames = variation.apply(random_window(clip, self.window, rng, speed=variation.speed))
            yield frames, self.augmentation.flip[label] if variation.mirrored else label


def clip_digest(ref: ClipRef, content: str) -> str:
    """Return the SHA-256 of a clip: of its content, its segment, its rate and what is seen of it.

    Args:
        ref: The clip.
        content: From `content_digest`, which many clips of one recording share.
    """
    seen = "" if ref.framing.is_plain else f" {ref.framing}"
    return hashlib.sha256(f"{content} {ref.segment} {ref.fps}{seen}".encode()).hexdigest()


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files.

    Raises:
        OSError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(f"/{file.relative_to(path)}/".encode())
        if file.is_file():
            _add(digest, file)
    return digest.hexdigest()


def _add(digest: Any, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)


def entry_key(plan: WindowPlan, *, clip: str, label: str, encoder: str, stream: Stream, precision: Precision) -> str:
    """Return the cache's key of one clip through one stream.

    Args:
        plan: The windows.
        clip: Digest of the clip's file.
        label: Class of the clip, on which mirroring depends.
        encoder: Digest of the encoder; for int8 that of the compiled file.
        stream: What the encoder sees.
        precision: Precision of the encoder.
    """
    facts = {"clip": clip, "label": label, "encoder": encoder, "stream": stream, "precision": precision}
    return key_of(plan.facts() | facts)


def encode_clip(
    clip: Clip, digest: str, plan: WindowPlan, encoders: Mapping[Way, OpenedEncoder]
) -> dict[Way, dict[str, Array]]:
    """Encode the windows of a clip.

    Args:
        clip: The decoded clip.
        digest: Digest of its file.
        plan: The windows.
        encoders: The encoders to run.

    Returns:
        For each encoder: "features" (W, T', F) float16, or float32 if they are too large for it, and
        "labels" (W,), the class that each window shows.

    Raises:
        ModelError: A feature is not a finite number.
    """
    if not encoders:
        return {}
    drawn = list(plan.draw(clip, digest))
    labels = np.array([label for _, label in drawn])
    return {
        way: {
            "features": packed(np.stack([encoder.encode(frames) for frames, _ in drawn]), clip.ref),
            "labels": labels,
        }
        for way, encoder in encoders.items()
    }


def packed(features: Array, ref: ClipRef) -> Array:
    """Return features in half of their space, if their size allows it.

    Args:
        features: Of any shape, float32.
        ref: What they are of.

    Raises:
        ModelError: A feature is not a finite number.
    """
    largest = float(np.abs(features).max())
    if not np.isfinite(largest):
        raise ModelError(expected="finite features", found=f"{largest} from the encoder on {ref.name}", path=ref.path)
    # Half precision keeps three digits, more than an int8 feature has, in half of the space.
    return features.astype(np.float16) if largest < float(np.finfo(np.float16).max) else features
