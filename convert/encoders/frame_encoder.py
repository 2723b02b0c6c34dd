"""Encoders of one frame that a video classifier can be built on, by the words of `--encoder`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convert.encoders import packaged_weights
from convert.graph.layer_graph import read_graph
from convert.interface.input_frame import BYTES
from convert.interface.pixel_range import takes_bytes
from convert.loading.load import load
from edgevid.errors import ModelError, UsageError
from edgevid.frames.preprocess import InputSpec, ResizeRule

LITE0 = "efficientnet-lite0"
LITE0_SIZE_PX = 224
# The last block looks at a 32nd of the picture in each direction; below two of its pixels a side, it
# sees mostly padding.
_SMALLEST_PX, _LARGEST_PX = 64, 512
# Pixels 0 and 255 as (x - 127) / 128, with which the weights were trained. The int8 grid of a pixel
# is then exact: scale 1/128, zero point -1.
_LITE0_RANGE = (-127 / 128, 1.0)


@dataclass(frozen=True, eq=False)
class FrameEncoder:
    """A frozen network from one frame to features.

    Attributes:
        name: As in `--encoder`, with the size of a frame.
        model: Maps (B, H, W, C) float32 in `input.range` to (B, F) features.
        input: Input frames of the network; features if it is the one of rows.
        digest: SHA-256 of structure and weights, the key of its cached features.
    """

    name: str
    model: keras.Model
    input: InputSpec
    digest: str

    @property
    def features(self) -> int:
        """Length of a feature vector."""
        return int(self.model.output_shape[-1])


@dataclass(frozen=True)
class EncoderChoice:
    """The words of `--encoder`, parsed.

    Attributes:
        name: "efficientnet-lite0", or "file".
        size_px: Height and width of a frame for efficientnet-lite0.
        path: The file, for "file".
    """

    name: str
    size_px: int = LITE0_SIZE_PX
    path: Path | None = None


def parse_encoder(text: str) -> EncoderChoice:
    """Parse the words of `--encoder`.

    Args:
        text: "efficientnet-lite0", "efficientnet-lite0@SIZE", or the path of a `.keras` file.

    Raises:
        UsageError: The text is none of them, or the size is out of range.
    """
    name, at, size = text.partition("@")
    if name == LITE0:
        wanted = int(size) if size.isdecimal() else (-1 if at else LITE0_SIZE_PX)
        UsageError.unless(
            _SMALLEST_PX <= wanted <= _LARGEST_PX,
            expected=f"{LITE0}@SIZE with a size of {_SMALLEST_PX} to {_LARGEST_PX} pixels",
            got=text,
        )
        return EncoderChoice(LITE0, wanted)
    UsageError.unless(
        Path(text).suffix == ".keras",
        expected=f"an encoder: small, {LITE0}, {LITE0}@SIZE, or a .keras file",
        got=text,
    )
    return EncoderChoice("file", path=Path(text))


def open_encoder(
    choice: EncoderChoice, *, resize: ResizeRule, pixel_range: tuple[float, float] | None = None
) -> FrameEncoder:
    """Build or load an encoder with its weights.

    Args:
        choice: From `parse_encoder`.
        resize: Adapts frames of other aspect ratios.
        pixel_range: Pixels 0 and 255 in the training of a file's network; None to infer them from its
            first layers.

    Raises:
        UsageError: The package of weights is not installed, or the file is missing.
        ModelError: The weights are altered, or the file holds no encoder of one frame.
    """
    if choice.path is not None:
        return _from_file(choice.path, resize, pixel_range)
    model = packaged_weights.load(choice.size_px)
    spec = InputSpec(height=choice.size_px, width=choice.size_px, channels=3, range=_LITE0_RANGE, resize=resize)
    return _frozen(f"{LITE0}@{choice.size_px}", model, spec)


def rows_as_features(width: int) -> FrameEncoder:
    """Return the encoder of rows, which are features already: it changes nothing.

    Args:
        width: Numbers in a row.
    """
    rows = keras.Input((width,), name="row")
    spec = InputSpec(kind="features", height=1, width=1, channels=width, color="none")
    return FrameEncoder(f"rows of {width}", keras.Model(rows, rows), spec, digest="")


def _from_file(path: Path, resize: ResizeRule, pixel_range: tuple[float, float] | None) -> FrameEncoder:
    UsageError.unless(path.is_file(), expected="a .keras file with an encoder", got=path, found=f"nothing at {path}")
    model = load(path).model
    _reject(model, path)
    height, width, channels = model.input_shape[1:]
    if len(model.output_shape) == 4:
        pooled = keras.layers.GlobalAveragePooling2D(name="pool")(model.output)
        model = keras.Model(model.input, pooled, name=model.name)
    spec = InputSpec(
        height=height,
        width=width,
        channels=channels,
        color="gray" if channels == 1 else "rgb",
        range=pixel_range or (BYTES if takes_bytes(read_graph(model)) else (0.0, 1.0)),
        resize=resize,
    )
    return _frozen(f"{path.name}@{height}x{width}", model, spec)


def _reject(model: Any, path: Path) -> None:
    """Reject a model that is no encoder of one frame in Keras 3."""
    if not isinstance(model, keras.Model):
        raise ModelError(
            expected="an encoder that Keras 3 can load",
            found=f"one of Keras 2: {path}",
            path=path,
            hint="Load it with tf_keras, build the same network in Keras 3, and copy the weights.",
        )
    shapes = (model.input_shape, model.output_shape)
    is_one_to_one = all(isinstance(shape, tuple) for shape in shapes)
    if not (
        is_one_to_one
        and len(model.input_shape) == 4
        and len(model.output_shape) in (2, 4)
        and None not in (*model.input_shape[1:], model.output_shape[-1])
        and model.input_shape[-1] in (1, 3)
    ):
        raise ModelError(
            expected="an encoder from one frame (H, W, 1 or 3) to one vector or map of features",
            got=shapes,
            found=f"{shapes[0]} to {shapes[1]}: {path}",
            path=path,
        )
    if getattr(getattr(model.layers[-1], "activation", None), "__name__", "") in ("softmax", "sigmoid"):
        raise ModelError(
            expected="an encoder that ends in features",
            found=f"class scores of layer {model.layers[-1].name!r}: {path}",
            path=path,
            hint="Save the model without its classifier, as with include_top=False.",
        )


def _frozen(name: str, model: keras.Model, spec: InputSpec) -> FrameEncoder:
    model.trainable = False
    return FrameEncoder(name, model, spec, digest_of(model))


def digest_of(model: keras.Model) -> str:
    """Return the SHA-256 of a network's structure and weights."""
    digest = hashlib.sha256(model.to_json().encode())
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).data)
    return digest.hexdigest()
