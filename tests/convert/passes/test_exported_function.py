"""Exported functions, which hold no layers: what they do to each frame is found, and run once a frame."""

import numpy as np
import pytest

from edgevid.cli import main
from tests.clips.clip_folders import write_folder
from tests.models.keras_models import CLASSES, FRAME, FRAMES, cnn_rnn
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf


def export(model, path):
    model.export(str(path), **({"verbose": False} if type(model).__module__.startswith("keras") else {}))
    return path


def opened(path):
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    arranged = arrange(load(path).model)
    return arranged, split(arranged.graph)


def operators(part):
    import tensorflow as tf

    traced = tf.function(part.function, autograph=False).get_concrete_function(*map(tf.TensorSpec, part.input_shapes))
    return [operator.type for operator in traced.graph.get_operations()]


def in_parts(parts, window):
    features = np.stack([parts.encoder.function(window[:, at])[0] for at in range(parts.frames)], axis=1)
    return parts.head.function(features)[0]


def windows(seed=0):
    return np.random.default_rng(seed).random((1, FRAMES, *FRAME)).astype(np.float32)


# Keras 3 takes a window apart for TimeDistributed, Keras 2 lays it into the batch.
@pytest.mark.parametrize(("used", "head"), [("keras", "bilstm"), ("tf_keras", "lstm_stack"), ("keras", "attention")])
def test_the_frames_of_an_exported_function_are_encoded_once(used, head, tmp_path):
    model = cnn_rnn(head, framework=used)
    _, parts = opened(export(model, tmp_path / "exported"))
    assert parts.encoder is not None
    assert operators(parts.encoder).count("Conv2D") == 1
    assert "StridedSlice" not in operators(parts.encoder), (
        "XNNPACK leaves slices to the interpreter: they cost four times the rest"
    )
    assert "Conv2D" not in operators(parts.head)
    assert parts.head.input_shapes == ((1, FRAMES, 64),) or head == "attention"
    for seed in range(2):
        np.testing.assert_allclose(in_parts(parts, windows(seed)), model(windows(seed)), atol=1e-5)


@pytest.mark.parametrize("used", BOTH)
def test_frames_that_an_export_mixes_before_they_are_encoded_stay_together(used, tmp_path):
    k = framework(used)
    k.utils.set_random_seed(3)
    inputs = k.Input((FRAMES, *FRAME))
    mixed = k.layers.Conv3D(3, (2, 1, 1), padding="same")(inputs)
    frames = k.layers.TimeDistributed(k.layers.Flatten())(k.layers.TimeDistributed(k.layers.Conv2D(2, 3))(mixed))
    model = k.Model(inputs, k.layers.Dense(CLASSES, activation="softmax")(k.layers.LSTM(4)(frames)))
    _, parts = opened(export(model, tmp_path / "exported"))
    assert parts.encoder is None
    np.testing.assert_allclose(parts.whole.function(windows())[0], model(windows()), atol=1e-5)


def test_a_function_of_too_many_operators_is_run_whole(tmp_path, monkeypatch):
    from convert.passes import exported_function

    model = cnn_rnn("gru")
    export(model, tmp_path / "exported")
    monkeypatch.setattr(exported_function, "MOST_OPERATORS", 20)
    _, parts = opened(tmp_path / "exported")
    assert parts.encoder is None
    np.testing.assert_allclose(parts.whole.function(windows())[0], model(windows()), atol=1e-5)


@pytest.mark.slow
def test_a_class_whose_file_is_gone_converts_to_int8_in_full(tmp_path, capsys):
    """Keras 2 keeps such a model as functions only; its description names a class that nobody has."""
    from convert import Options, convert_model

    k = framework("tf_keras")
    k.utils.set_random_seed(3)

    class Watcher(k.Model):
        def __init__(self):
            super().__init__()
            self.frames = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, strides=2, activation="relu"))
            self.normal = k.layers.TimeDistributed(k.layers.BatchNormalization())
            self.flat = k.layers.TimeDistributed(k.layers.Flatten())
            self.time = k.layers.GRU(6)
            self.scores = k.layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.scores(self.time(self.flat(self.normal(self.frames(x)))))

    model = Watcher()
    expected = np.asarray(model(windows()))
    model.save(tmp_path / "saved", save_format="tf")
    arranged, _ = opened(tmp_path / "saved")
    np.testing.assert_allclose(arranged.ask(windows()), expected, atol=1e-6)
    options = Options(interval=0.1, precision="int8", min_agreement=0.9, max_drop=100)
    done = convert_model(
        tmp_path / "saved", write_folder(tmp_path / "clips", each=3), tmp_path / "saved.edgevid", options=options
    )
    assert done.report["plan"] == "window"
    assert done.report["stages"][1]["max_abs_error"] < 1e-5
    assert done.report["agreement"] >= 0.9
    assert {part["part"]: part["operators"].get("CONV_2D") for part in done.report["placement"]} == {
        "encoder": 1,
        "head": None,
    }
    assert any("found by trying, and is run once a frame" in note for note in done.report["notes"])
    assert main(["selftest", str(tmp_path / "saved.edgevid")]) == 0
    assert "identical" in capsys.readouterr().out
