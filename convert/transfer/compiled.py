"""A frozen encoder as a `.tflite` file, so that clips are encoded as on the device and fast."""

from __future__ import annotations

import keras

from convert.clips import ClipSet
from convert.encoders.frame_encoder import FrameEncoder
from convert.frameworks.temporal_statistics import TemporalStatistics
from convert.interface.window_to_scores import arrange
from convert.quantization.calibration import choose, frame_samples
from convert.quantization.converter import ConvertedPart, Converter
from convert.splitting.split import Split, split
from convert.transfer.encoding.interpreter import CompiledEncoder
from convert.transfer.streams import Streams, video_encoder
from edgevid.bundle.manifest import Window
from edgevid.bundle.parts import Precision
from edgevid.errors import ModelError


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
