"""The work of `.tflite` files, against counts by hand."""

import dataclasses

import numpy as np
import pytest

from convert.placement.operation_counts import count, parts_work
from convert.tflite_file import FileTensor, Operator, TfliteFile, read_tflite
from edgevid.commands.demo import shipped_bundle
from edgevid.prediction.published import models
from edgevid.prediction.work import Work

WEIGHTS = np.zeros(1, np.int8)


def file_of(kind, inputs, output, options=None, constants=(1,)):
    """Return a file of one operator whose inputs at the places `constants` are in the file."""
    tensors = tuple(
        FileTensor(str(place), shape, "int8", constant=WEIGHTS if place in constants else None)
        for place, shape in enumerate((*inputs, output))
    )
    last = len(inputs)
    operator = Operator(kind, False, 1, tuple(range(last)), (last,), options or {})
    return TfliteFile((operator,), tensors, (0,), (last,))


@pytest.mark.parametrize(
    ("file", "work"),
    [
        # 4 x 4 x 8 outputs, each of 3 x 3 x 3 products.
        (
            file_of("CONV_2D", [(1, 8, 8, 3), (8, 3, 3, 3), (8,)], (1, 4, 4, 8), constants=(1, 2)),
            Work(convolution=128 * 27, moved=192 + 128, weights=216),
        ),
        (
            file_of("DEPTHWISE_CONV_2D", [(1, 4, 4, 8), (1, 3, 3, 8)], (1, 4, 4, 8)),
            Work(depthwise=128 * 9, moved=256, weights=72),
        ),
        (file_of("FULLY_CONNECTED", [(1, 128), (5, 128)], (1, 5)), Work(dense=640, moved=133, weights=640)),
        (
            file_of("TRANSPOSE_CONV", [(4,), (6, 2, 2, 3), (1, 4, 4, 3)], (1, 8, 8, 6), constants=(0, 1)),
            Work(convolution=48 * 24, moved=48 + 384, weights=72),
        ),
        (
            file_of("CONV_3D", [(1, 4, 8, 8, 3), (2, 3, 3, 3, 7)], (1, 3, 6, 6, 7)),
            Work(convolution=756 * 54, moved=768 + 756, weights=378),
        ),
        (file_of("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), constants=()), Work(dense=120, moved=24 + 40 + 30)),
        (
            file_of("BATCH_MATMUL", [(2, 4, 3), (2, 4, 5)], (2, 3, 5), {"adjX": True}, constants=()),
            Work(dense=120, moved=24 + 40 + 30),
        ),
        (
            file_of(
                "UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 10, 6), (4, 6), (4, 4), (4,)], (1, 10, 4), constants=(1, 2, 3)
            ),
            Work(dense=400, moved=60 + 40, weights=40),
        ),
        (file_of("ADD", [(1, 7), (1, 7)], (1, 7), constants=()), Work(moved=21)),
        (file_of("RESHAPE", [(1, 4, 4, 8), (2,)], (1, 128)), Work()),
    ],
    ids=lambda value: value.operators[0].kind if isinstance(value, TfliteFile) else "",
)
def test_one_operator_counts_as_by_hand(file, work):
    assert count(file) == work


@pytest.mark.tf
def test_a_converted_model_counts_as_by_hand():
    """Convolution, depthwise, dense: the converter's own operators, with fused activations."""
    import keras
    import tensorflow as tf
    from keras import layers

    frame = keras.Input((8, 8, 3), batch_size=1)
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu")(frame)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Dense(5)(layers.Flatten()(x))
    content = tf.lite.TFLiteConverter.from_keras_model(keras.Model(frame, x)).convert()
    found = count(read_tflite(content))
    assert (found.convolution, found.depthwise, found.dense) == (4 * 4 * 8 * 27, 4 * 4 * 8 * 9, 128 * 5)
    assert found.weights == 216 + 72 + 640
    assert found.moved == (192 + 128) + (128 + 128) + (128 + 5)


@pytest.mark.tf
def test_the_shipped_bundle_has_the_work_of_its_layers():
    """The encoder convolves; the recurrent step is dense, and as precise as the manifest says."""
    encoder, head = parts_work(shipped_bundle())
    assert encoder.work.convolution > 100_000
    assert head.work.dense > 0
    assert head.work.convolution == 0
    assert [each.precision for each in (encoder, head)] == [part.precision for part in shipped_bundle().manifest.parts]


@pytest.mark.tf
def test_the_stored_work_of_a_published_model_is_that_of_the_script(tmp_path, monkeypatch):
    from scripts import speed_models

    monkeypatch.setattr(speed_models, "OUT", tmp_path / "models.toml")
    monkeypatch.setattr(speed_models, "MODELS", {"squeezenet": speed_models.squeezenet})
    speed_models.main()
    text = (tmp_path / "models.toml").read_text()
    for name, number in dataclasses.asdict(models().work["squeezenet"]).items():
        assert f"\n{name} = {number}\n" in text + "\n"
