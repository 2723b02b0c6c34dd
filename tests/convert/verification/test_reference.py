"""The float model gives the same answers in a graph, in parts and in eager execution."""

import numpy as np
import pytest

from edgevid.bundle.manifest import Value
from edgevid.errors import VerificationFailed
from edgevid.frames.preprocess import InputSpec
from tests.models.conversions import Workshop
from tests.models.keras_models import FRAMES, cnn_rnn
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
PUBLIC = ROOT.parent / "shared" / "models" / "public"


def reference_of(model, spec=None, parts_of=None):
    from convert.frameworks.tensorflow_setup import run_graphs_as_they_are
    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split
    from convert.verification.reference import Reference

    # As in a conversion.
    run_graphs_as_they_are()
    parts = split(read_graph(parts_of or model))
    if spec is None:
        height, width, channels = parts.frame_shape
        spec = InputSpec(height=height, width=width, channels=channels, color="rgb")
    return Reference(model, parts, spec, "softmax"), spec, parts


@pytest.mark.parametrize("head", ["lstm", "bilstm", "attention"])
def test_graph_parts_and_eager_execution_give_one_answer(head):
    model = cnn_rnn(head)
    reference, spec, _ = reference_of(model)
    windows = np.stack([Workshop.frames(spec, FRAMES, seed) for seed in range(11)])
    eager = np.asarray(model(windows / np.float32(255)))
    np.testing.assert_allclose(reference.scores(windows), eager, atol=1e-5)
    np.testing.assert_allclose(reference.split_scores(windows), eager, atol=1e-5)


@pytest.mark.parametrize("head", ["lstm", "attention", "motion", "stack"])
def test_a_stream_is_answered_as_each_of_its_windows(head):
    """47 frames are three pieces of 16, with a lookback of one frame they are not."""
    model = cnn_rnn("gru" if head in ("motion", "stack") else head, motion=head == "motion")
    reference, spec, parts = reference_of(model)
    if head == "stack":
        from convert.verification.reference import Reference

        reference = Reference(model, parts.as_stack(), spec, "softmax")
    frames = Workshop.frames(spec, 47, 5)
    windows = np.stack([frames[first : first + FRAMES] for first in range(47 - FRAMES + 1)])
    by_parts = reference.split_stream_scores(frames, FRAMES)
    np.testing.assert_allclose(by_parts, reference.scores(windows), atol=1e-5)


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public models are not next to this checkout")
def test_a_public_bilstm_that_the_graph_remapper_breaks_is_read_right():
    from convert.loading.load import load

    model = load(PUBLIC / "lrcn_bilstm_keras3.8.h5").model
    reference, _, parts = reference_of(model)
    windows = np.random.default_rng(0).integers(0, 256, (3, parts.frames, *parts.frame_shape)).astype(np.uint8)
    windows = (windows * np.random.default_rng(1).random((3, parts.frames, 1, 1, 3))).astype(np.uint8)
    np.testing.assert_allclose(reference.scores(windows), np.asarray(model(windows / np.float32(255))), atol=1e-4)


UNSTABLE_FRAMES, FEATURES = 60, 12


def relu_lstm(*, recurrent):
    """A model with a relu LSTM, whose initial recurrent weights are multiplied."""
    import keras as k

    k.utils.set_random_seed(2)
    inputs = k.Input((UNSTABLE_FRAMES, FEATURES))
    lstm = k.layers.LSTM(24, activation="relu")
    wide = k.initializers.RandomNormal(stddev=2.0)
    features = k.layers.LayerNormalization()(lstm(inputs))
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax", kernel_initializer=wide)(features))
    kernel, between, bias = lstm.get_weights()
    lstm.set_weights([kernel, between * recurrent, bias])
    return model


def split_stages(model, parts_of=None):
    """Measure the float stages of a model over features, with its own parts or those of another model."""
    from convert.verification.examples import Examples, float_stages

    spec = InputSpec(kind="features", height=1, width=1, channels=FEATURES, color="none")
    reference, _, parts = reference_of(model, spec, parts_of=parts_of)
    windows = np.random.default_rng(5).normal(size=(16, UNSTABLE_FRAMES, FEATURES)).astype(np.float32)
    return list(float_stages(reference, parts, Examples(windows, reference.scores(windows), None), ()))


def test_a_relu_lstm_that_rounding_moves_is_called_unstable():
    model = relu_lstm(recurrent=4)
    with pytest.raises(VerificationFailed, match=r"an unstable one: .* move its own probabilities by [0-9.]+"):
        split_stages(model)


def test_a_misread_layer_of_a_stable_relu_lstm_is_blamed():
    assert split_stages(relu_lstm(recurrent=1))[1].max_abs_error < 1e-4
    with pytest.raises(VerificationFailed, match="a layer was misread"):
        split_stages(relu_lstm(recurrent=1), parts_of=relu_lstm(recurrent=2))


class Regression:
    """The other outputs of a model and its parts, by hand."""

    def __init__(self, split, rounding):
        self.split, self.rounding = split, rounding

    def split_values(self, windows):
        return [np.full((len(windows), 1), self.split, np.float32)]

    def value_rounding(self, windows):
        return [self.rounding]


@pytest.mark.parametrize(("rounding", "says"), [(0.5, "move its own 'angle' by 0.5"), (1e-6, "a layer was misread")])
def test_a_value_of_an_unstable_model_is_rejected_for_the_model(rounding, says):
    from convert.verification.value_drift import check_split_values

    windows = np.zeros((2, 4, 3), np.float32)
    value = Value(name="angle", size=1)
    with pytest.raises(VerificationFailed, match=says):
        check_split_values(Regression(0.8, rounding), [value], windows, [np.zeros((2, 1), np.float32)])
