"""A frozen encoder as a `.tflite` file, so that clips are encoded as on the device and fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from convert.clips import ClipSet
from convert.encoders.frame_encoder import FrameEncoder
from convert.frameworks.temporal_statistics import TemporalStatistics
from convert.interface.window_to_scores import arrange
from convert.quantization.calibration import choose, frame_samples
from convert.quantization.converter import ConvertedPart, Converter
from convert.splitting.split import Split, split
from convert.transfer.streams import Streams, video_encoder
from edgevid.backends.litert import LiteRt
from edgevid.bundle.manifest import Window
from edgevid.bundle.parts import Part, Precision
from edgevid.errors import ModelError
from edgevid.frames import Array, Pixels
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.model_input import input_quantizer
from edgevid.quant import dequantize


@dataclass(frozen=True, eq=False)
class CompiledEncoder:
    """An encoder that runs in the device's interpreter.

    Attributes:
        part: Its tensors.
        data: The `.tflite` file.
        input: The pixels of a frame.
        seen_frames: Neighbouring frames that one feature vector depends on.
    """

    part: Part
    data: bytes
    input: InputSpec
    seen_frames: int

    def open(self, *, threads: int = 1) -> OpenedEncoder:
        """Load the file into an interpreter."""
        return OpenedEncoder(self, LiteRt(threads=threads).load(self.part, self.data))


class OpenedEncoder:
    """An interpreter with an encoder.

    Args:
        compiled: The encoder.
        model: The interpreter.
    """

    def __init__(self, compiled: CompiledEncoder, model: Any) -> None:
        self._compiled, self._model = compiled, model
        self._store = input_quantizer(compiled.input, compiled.part.inputs[0].params)

    def encode(self, window: Pixels) -> Array:
        """Encode a window.

        Args:
            window: (T, H, W, C) uint8.

        Returns:
            (T - seen_frames + 1, F) float32.
        """
        entered, left = self._compiled.part.inputs[0], self._compiled.part.outputs[0]
        stored = np.empty(window.shape, entered.params.dtype)
        for frame, out in zip(window, stored, strict=True):
            self._store(frame, out)
        features = []
        for first in range(len(window) - self._compiled.seen_frames + 1):
            self._model.write(0, stored[first : first + self._compiled.seen_frames].reshape(entered.shape))
            self._model.invoke()
            features.append(dequantize(self._model.read(0), left.params)[0])
        return np.stack(features)


def compile_encoder(
    encoder: FrameEncoder,
    streams: Streams,
    *,
    window: Window,
    precision: Precision,
    clips: ClipSet,
    converter: Converter,
) -> CompiledEncoder:
    """Convert an encoder as `edgevid convert` will convert it within the model.

    Args:
        encoder: Encoder of one frame.
        streams: What it sees.
        window: Window of the model.
        precision: "int8" or "float32".
        clips: Clips to calibrate with, without their labels.
        converter: A started converter.

    Raises:
        ModelError: The encoder cannot be split from the model.
        ConversionError: TensorFlow rejected the encoder.
    """
    parts = _split(encoder, streams, window)
    if parts.encoder is None:
        raise ModelError(expected="an encoder that treats each frame by itself", found=parts.not_causal)
    seen_frames = parts.lookback + 1
    samples = frame_samples(choose(clips.clips, window), encoder.input, seen_frames)
    made: ConvertedPart = converter.convert(parts.encoder, precision, [samples])
    return CompiledEncoder(made.part, made.data, encoder.input, seen_frames)


def _split(encoder: FrameEncoder, streams: Streams, window: Window) -> Split:
    """Split the encoder from a head that stands for any other."""
    frames, features = video_encoder(encoder, streams, frames=window.frames)
    scores = keras.layers.Dense(2, activation="softmax")(TemporalStatistics()(features))
    return split(arrange(keras.Model(frames, scores)).graph)
