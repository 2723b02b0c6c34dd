"""Each row of the page of supported layers has the answers of the trained model.

In float to 1e-5 at every step; in int8 the stream and the window agree bit for bit.
"""

import numpy as np
import pytest

from edgevid.inference.engine import Engine
from tests.models.conversions import Workshop
from tests.models.zoo import BOTH, ZOO, clip, make

pytestmark = pytest.mark.tf
TOLERANCE = 1e-5
EACH = [(name, framework) for name, specimen in ZOO.items() for framework in specimen.frameworks]
# Rows that tests/parity/test_stream_equals_window.py holds to the bit already.
COVERED = {
    "LSTM",
    "GRU",
    "GRU with reset_after=False",
    "SimpleRNN",
    "stacks of recurrent layers",
    "Bidirectional",
    "Conv1D and pooling over time",
    "MultiHeadAttention",
    "ConvLSTM2D",
}
IN_INT8 = {specimen.row: name for name, specimen in reversed(ZOO.items()) if specimen.row not in COVERED}


def parts_of(model):
    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split

    return split(read_graph(model))


def features_of(parts, window):
    seen, shape = parts.lookback + 1, parts.encoder.input_shapes[0]
    return [
        np.asarray(parts.encoder.function(window[0, start : start + seen].reshape(shape))[0])
        for start in range(parts.frames - parts.lookback)
    ]


@pytest.mark.parametrize(("name", "framework"), EACH)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_the_parts_give_the_trained_models_answer(name, framework):
    from convert.splitting.stepping import last_answer

    model, window = make(name, framework), clip(name)
    parts, expected = parts_of(model), np.asarray(model(window, training=False))
    assert np.ptp(expected) > 0.01 and expected.max() < 0.99, "an answer that says nothing proves nothing"
    assert ("stack" if parts.encoder is None else "window") == ZOO[name].plan
    assert (parts.step is not None) == ZOO[name].step
    np.testing.assert_allclose(parts.whole.function(window)[0], expected, atol=TOLERANCE)
    if parts.encoder is not None:
        np.testing.assert_allclose(
            last_answer(parts.head, parts.head.function, np.concatenate(features_of(parts, window))),
            expected,
            atol=TOLERANCE,
        )


@pytest.mark.parametrize("name", [name for name, specimen in ZOO.items() if specimen.step])
def test_stepping_gives_the_windows_answer_at_every_length(name):
    framework = BOTH[list(ZOO).index(name) % 2]
    model, window = make(name, framework), clip(name)
    parts = parts_of(model)
    states = [np.zeros(shape, np.float32) for shape in parts.step.input_shapes[1:]]
    for length, feature in enumerate(features_of(parts, window), start=1):
        scores, *states = parts.step.function(feature, *states)
        shorter = make(name, framework, frames=length, weights=model.get_weights())
        np.testing.assert_allclose(
            scores, shorter(window[:, :length], training=False), atol=TOLERANCE, err_msg=f"after {length} frames"
        )


def test_a_head_whose_features_the_quantiser_would_cut_off_is_refused_in_int8(workshop, monkeypatch):
    import tensorflow as tf

    from convert.splitting import features
    from edgevid.errors import ConversionError

    monkeypatch.setattr(features, "_pieces", lambda rows, sizes: tf.split(rows, sizes, axis=-1))
    with pytest.raises(ConversionError, match="calibrate input 0 of the head"):
        workshop.bundle("two streams, split", lambda: make("two streams", "keras"))


@pytest.mark.parametrize("name", IN_INT8.values())
def test_in_int8_the_stream_equals_the_window_and_nearly_the_trained_model(name, workshop):
    from convert.verification.stages import window_scores

    framework, plan = BOTH[list(ZOO).index(name) % 2], ZOO[name].plan
    bundle = workshop.bundle(f"zoo {name}", lambda: make(name, framework), plan=plan)
    length = bundle.manifest.window.frames
    frames = Workshop.frames(bundle.manifest.input, 2 * length + 1, seed=7)
    engine = Engine(bundle)
    streamed = [np.copyto(engine.input_buffer(), frame) or engine.step() for frame in frames]
    windows = np.stack([frames[end - length : end] for end in range(length, len(frames) + 1)])
    np.testing.assert_array_equal(np.stack(streamed[length - 1 :]), window_scores(bundle, windows))
    real = windows / np.float32(255) if bundle.manifest.input.kind == "frames" else windows
    trained = np.asarray(make(name, framework)(real.astype(np.float32), training=False))
    assert np.abs(np.stack(streamed[length - 1 :]) - trained).max() < ZOO[name].int8_error
