"""Exported functions whose recurrent layers are loops: unrolled, they are the same functions without a loop."""

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.models.zoo import framework

pytestmark = pytest.mark.tf


def frames(k, layers):
    inputs = k.Input((3, 12, 12, 3))
    x = layers.TimeDistributed(layers.Flatten())(layers.TimeDistributed(layers.Conv2D(2, 3, strides=4))(inputs))
    return inputs, layers.Bidirectional(layers.GRU(3))(x)


def masked(k, layers):
    inputs = k.Input((None, 4))
    return inputs, layers.LSTM(3)(layers.GRU(4, return_sequences=True, reset_after=False)(layers.Masking()(inputs)))


def two_inputs(k, layers):
    right, left = k.Input((3, 4), name="right"), k.Input((3, 6), name="left")
    return [right, left], layers.Concatenate()([layers.SimpleRNN(3)(right), layers.LSTM(3, activation="relu")(left)])


MODELS = {"frames": (frames, {}), "a mask, any length": (masked, {"frames": 3}), "two inputs": (two_inputs, {})}


def exported(name, k, folder):
    """A model, and its export loaded and taken apart."""
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    k.utils.set_random_seed(6)
    build, options = MODELS[name]
    inputs, x = build(k, k.layers)
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(x))
    model.export(str(folder / "exported"), **({"verbose": False} if k.__name__ == "keras" else {}))
    arranged = arrange(load(folder / "exported").model, **options)
    return arranged, split(arranged.graph).whole


@pytest.mark.parametrize(
    ("name", "used"), [("frames", "keras"), ("a mask, any length", "tf_keras"), ("two inputs", "keras")]
)
def test_an_exported_loop_over_time_is_unrolled(name, used, tmp_path, workshop):
    import tensorflow as tf

    arranged, whole = exported(name, framework(used), tmp_path)
    window = np.random.default_rng(0).random(whole.input_shapes[0]).astype(np.float32)
    window[:, 1] = 0.0
    expected = np.asarray(arranged.ask(window))
    assert np.ptp(expected) > 1e-3
    traced = tf.function(whole.function, autograph=False).get_concrete_function(tf.TensorSpec(window.shape))
    np.testing.assert_allclose(traced(tf.constant(window))[0], expected, atol=1e-6)
    operators = {operator.type for operator in traced.graph.get_operations()}
    assert not {each for each in operators if "While" in each or "List" in each or "Call" in each}
    if name == "frames":
        windows = np.random.default_rng(1).random((24, *window.shape[1:])).astype(np.float32)
        made = workshop.converter.convert(whole, "int8", [windows])
        np.testing.assert_allclose(given(made, windows[:8]), arranged.ask(windows[:8]), atol=0.1)


def given(made, windows):
    """What a converted part gives for windows."""
    from edgevid.backends.litert import LiteRt
    from edgevid.quant import dequantize, quantize

    model = LiteRt().load(made.part, made.data)
    answers = []
    for window in windows:
        model.write(0, quantize(window[None], made.part.inputs[0].params))
        model.invoke()
        answers.append(dequantize(model.read(0)[0].copy(), made.part.outputs[0].params))
    return np.stack(answers)


def test_a_loop_whose_end_depends_on_the_window_is_refused(tmp_path):
    import tensorflow as tf

    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    class Until(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 5, 4), tf.float32)])
        def run(self, window):
            total = tf.reduce_sum(window, axis=1)
            return {"scores": tf.while_loop(lambda x: tf.reduce_max(x) > 1.0, lambda x: [x / 2.0], [total])[0]}

    module = Until()
    tf.saved_model.save(module, str(tmp_path / "until"), signatures={"serving_default": module.run})
    arranged = arrange(load(tmp_path / "until").model)
    with pytest.raises(ModelError, match="static trip count"):
        tf.function(split(arranged.graph).whole.function, autograph=False).get_concrete_function(
            tf.TensorSpec((1, 5, 4))
        )
