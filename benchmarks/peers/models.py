"""Models of the comparison, with weights drawn from a seed, and the two halves that an expert would cut them into."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
CLASSES = 6
# Standard deviation of the logits over the clips: as decided as a trained model, and no more.
_SPREAD = 3.0


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        name: Key in the results, and the name of its folder.
        title: Name on the page.
        size: Height and width of a frame in pixels.
        frames: Frames of the window.
        encoder: Key of `ENCODERS`; "none" for a head over the frames themselves.
        head: Key of `HEADS`.
        source: File of a trained model to take in place of drawn weights.
        clips: Folder of clips for it; empty for rendered ones.
    """

    name: str
    title: str
    size: int
    frames: int
    encoder: str = "lrcn"
    head: str = "lstm"
    source: str = ""
    clips: str = ""

    @property
    def color(self) -> Literal["rgb", "bgr"]:
        """Order of the channels in training; public models got their frames from OpenCV."""
        return "bgr" if self.source else "rgb"

    @property
    def weights(self) -> str:
        """Where the weights come from, for the results."""
        return f"trained, {Path(self.source).name}" if self.source else "drawn, seed 0"


SUBJECTS = (
    Subject("lrcn20", "LRCN, 64x64, T=20", 64, 20),
    Subject("lrcn100", "LRCN, 64x64, T=100", 64, 100),
    Subject("mobilenet", "MobileNetV2-0.35 and LSTM, 112x112, T=16", 112, 16, "mobilenet"),
    Subject("lite0", "EfficientNet-Lite0 and GRU, 224x224, T=16", 224, 16, "lite0", "gru"),
    Subject("tcn", "CNN and TCN, 64x64, T=32", 64, 32, "lrcn", "tcn"),
    Subject("attention", "CNN and self-attention, 64x64, T=16", 64, 16, "lrcn", "attention"),
    Subject("convlstm", "ConvLSTM, 64x64, T=10", 64, 10, "none", "convlstm"),
)
OVER_FRAMES = tuple(Subject(f"lrcn{count}", f"LRCN, 64x64, T={count}", 64, count) for count in (8, 32, 128))
OVER_SIZE = tuple(
    Subject("lrcn20" if size == 64 else f"lrcn20_{size}", f"LRCN, {size}x{size}, T=20", size, 20)
    for size in (32, 64, 128)
)


def trained(path: Path, clips: str = "") -> Subject:
    """Return the subject of a trained LRCN, an HDF5 file with a sequence of layers.

    Args:
        path: The file.
        clips: Folder of clips; empty for rendered ones.
    """
    import h5py

    with h5py.File(path) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    _, frames, size = next(shape for each in layers if (shape := each["config"].get("batch_input_shape")))[:3]
    title = f"public LRCN, {size}x{size}, T={frames}"
    return Subject(path.stem, title, size, frames, source=str(path.resolve()), clips=clips)


def halves(path: str) -> Built:
    """Load a trained LRCN of tf_keras, and cut it before the first layer that is not applied to single frames."""
    import tf_keras as keras

    whole = keras.models.load_model(path, compile=False)
    layers = [layer for layer in whole.layers if not isinstance(layer, keras.layers.InputLayer)]
    cut = next(at for at, layer in enumerate(layers) if not isinstance(layer, keras.layers.TimeDistributed))
    frame = keras.Input(whole.input_shape[2:])
    encoder = keras.Model(frame, _in_turn([layer.layer for layer in layers[:cut]])(frame))
    features = keras.Input((whole.input_shape[1], *encoder.output_shape[1:]))
    return Built(whole, encoder, keras.Model(features, _in_turn(layers[cut:])(features)))


@dataclass(frozen=True)
class Built:
    """A model of tf_keras with its halves, which share its layers.

    Attributes:
        whole: (1, T, H, W, 3) in 0..1 to probabilities.
        encoder: (1, H, W, 3) to (1, F); None if no part of the model sees single frames.
        head: (1, T, F) to probabilities; None likewise.
        unrolled: The whole model and the head again without loops over time; None if they have none.
    """

    whole: Any
    encoder: Any | None = None
    head: Any | None = None
    unrolled: tuple[Any, Any] | None = None


def build(subject: Subject, pixels: Array, windows: Array) -> Built:
    """Draw the weights of a model, and shift its normalisation and last layer to what it will see.

    Drawn weights alone give every clip the same answer, so that agreement would say nothing.

    Args:
        subject: The model.
        pixels: Frames, (N, H, W, 3) uint8.
        windows: Windows, (N, T, H, W, 3) uint8.
    """
    import tf_keras as keras

    keras.utils.set_random_seed(0)
    encoder = _encoder(keras, subject, pixels)
    head = HEADS[subject.head](keras, False)
    inside = keras.Input((subject.frames, *(encoder.output_shape[1:] if encoder else (subject.size,) * 2 + (3,))))
    logits = keras.layers.Dense(CLASSES)
    before = keras.Model(inside, head(inside))
    logits.build(before.output_shape)
    features = windows / np.float32(255.0)
    if encoder:
        features = np.stack([encoder.predict(window, verbose=0) for window in features])
    _decide(logits, before.predict(features, verbose=0, batch_size=4))
    softmax = keras.layers.Activation("softmax")

    def wrapped(run: Callable[[Any], Any]) -> tuple[Any, Any]:
        frames = keras.Input((subject.frames, subject.size, subject.size, 3))
        rows = keras.layers.TimeDistributed(encoder)(frames) if encoder else frames
        return keras.Model(frames, softmax(logits(run(rows)))), keras.Model(inside, softmax(logits(run(inside))))

    whole, alone = wrapped(head)
    if not encoder:
        return Built(whole)
    # The converter fuses an LSTM over time. It crashes on any other loop in int8 (tensorflow#75140).
    loops = HEADS[subject.head](keras, True) if subject.head == "gru" else None
    unrolled = wrapped(loops) if loops else None
    if unrolled:
        unrolled[1].set_weights(alone.get_weights())
    return Built(whole, encoder, alone, unrolled)


def _encoder(keras: Any, subject: Subject, pixels: Array) -> Any | None:
    if subject.encoder == "none":
        return None
    encoder = ENCODERS[subject.encoder](keras, subject.size)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    values = pixels / np.float32(255.0)
    # With a momentum of 0, one pass in training replaces the statistics by those of the frames.
    encoder(values, training=True)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            _rescale(layer, keras.Model(encoder.input, layer.output).predict(values, verbose=0))
    return encoder


def _rescale(layer: Any, outputs: Array) -> None:
    """Rescale a layer so that its outputs have a mean square of 1: drawn ones fade with depth, trained ones do not.

    Source: D. Mishkin and J. Matas, All you need is a good init, ICLR 2016.
    """
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel / np.sqrt(np.mean(np.square(outputs))), bias])


def _decide(dense: Any, inputs: Array) -> None:
    """Point the last layer along the directions in which its inputs vary most, both ways, as learnt classes would be.

    Args:
        dense: The layer.
        inputs: What it sees in the windows, (N, F).
    """
    middle = inputs.mean(axis=0)
    _, lengths, directions = np.linalg.svd(inputs - middle, full_matrices=False)
    deviations = np.maximum(lengths / np.sqrt(len(inputs)), 1e-6)
    half = (directions / deviations[:, None])[: CLASSES // 2].T * _SPREAD
    kernel = np.concatenate([half, -half], axis=1)
    dense.set_weights([kernel, -middle @ kernel])


def _lrcn(keras: Any, size: int) -> Any:
    """Build the CNN of the commonest public LRCN."""
    layers = keras.layers
    frame = value = keras.Input((size, size, 3))
    for channels, pool in ((16, 4), (32, 4), (64, 2), (64, 2)):
        value = layers.Conv2D(channels, 3, padding="same", activation="relu")(value)
        value = layers.MaxPooling2D(min(pool, value.shape[1]))(value)
    return keras.Model(frame, layers.Flatten()(value), name="encoder")


def _mobilenet(keras: Any, size: int) -> Any:
    return keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )


# Expansion, channels, blocks, stride and kernel of each stage of EfficientNet-B0.
_STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5))
_LAST_STAGES = ((6, 192, 4, 2, 5), (6, 320, 1, 1, 3))


def _lite0(keras: Any, size: int) -> Any:
    """Build EfficientNet-Lite0: the B0 without squeezing, with ReLU6 and a fixed stem and top."""
    frame = keras.Input((size, size, 3))
    value = _convolved(keras, frame, 32, kernel=3, stride=2)
    for expansion, channels, blocks, stride, kernel in (*_STAGES, *_LAST_STAGES):
        for block in range(blocks):
            value = _inverted(keras, value, expansion, channels, kernel=kernel, stride=1 if block else stride)
    value = _convolved(keras, value, 1280, kernel=1)
    return keras.Model(frame, keras.layers.GlobalAveragePooling2D()(value), name="encoder")


def _convolved(keras: Any, value: Any, channels: int, *, kernel: int, stride: int = 1, active: bool = True) -> Any:
    layers = keras.layers
    value = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False)(value)
    value = layers.BatchNormalization()(value)
    return layers.ReLU(6.0)(value) if active else value


def _inverted(keras: Any, value: Any, expansion: int, channels: int, *, kernel: int, stride: int) -> Any:
    layers, given = keras.layers, value
    if expansion > 1:
        value = _convolved(keras, value, value.shape[-1] * expansion, kernel=1)
    value = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)(value)
    value = layers.ReLU(6.0)(layers.BatchNormalization()(value))
    value = _convolved(keras, value, channels, kernel=1, active=False)
    return layers.Add()([given, value]) if stride == 1 and given.shape[-1] == channels else value


def _in_turn(layers: Sequence[Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        for layer in layers:
            value = layer(value)
        return value

    return run


def _lstm(keras: Any, _unroll: bool) -> Callable[[Any], Any]:
    return _in_turn([keras.layers.LSTM(32)])


def _gru(keras: Any, unroll: bool) -> Callable[[Any], Any]:
    return _in_turn([keras.layers.GRU(64, unroll=unroll)])


def _tcn(keras: Any, _unroll: bool) -> Callable[[Any], Any]:
    """Three residual, causal, dilated convolutions; the newest step decides."""
    layers = keras.layers
    first = layers.Dense(32)
    convolutions = [layers.Conv1D(32, 3, dilation_rate=rate, padding="causal", activation="relu") for rate in (1, 2, 4)]

    def run(value: Any) -> Any:
        value = first(value)
        for convolution in convolutions:
            value = layers.Add()([value, convolution(value)])
        return value[:, -1]

    return run


def _attention(keras: Any, _unroll: bool) -> Callable[[Any], Any]:
    layers = keras.layers
    attend, pool = layers.MultiHeadAttention(num_heads=2, key_dim=16), layers.GlobalAveragePooling1D()
    return lambda value: pool(layers.Add()([value, attend(value, value)]))


def _convlstm(keras: Any, _unroll: bool) -> Callable[[Any], Any]:
    layers = keras.layers
    pool = (1, 4, 4)
    return _in_turn(
        [
            layers.ConvLSTM2D(4, 3, activation="tanh", return_sequences=True),
            layers.MaxPooling3D(pool, padding="same"),
            layers.ConvLSTM2D(8, 3, activation="tanh", return_sequences=True),
            layers.MaxPooling3D(pool, padding="same"),
            layers.Flatten(),
        ]
    )


ENCODERS: dict[str, Callable[[Any, int], Any]] = {"lrcn": _lrcn, "mobilenet": _mobilenet, "lite0": _lite0}
HEADS: dict[str, Callable[[Any, bool], Callable[[Any], Any]]] = {
    "lstm": _lstm,
    "gru": _gru,
    "tcn": _tcn,
    "attention": _attention,
    "convlstm": _convlstm,
}
