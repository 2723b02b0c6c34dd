"""The range of pixels by a model's first layers, and the kind of scores by its last ones."""

from types import SimpleNamespace

import pytest

from edgevid.errors import ModelError

pytestmark = pytest.mark.tf
FRAMEWORKS = ("keras", "tf_keras")


def build(framework):
    import keras
    import tf_keras

    return {"keras": keras, "tf_keras": tf_keras}[framework]


def graph_of(framework, body, shape=(4, 8)):
    from convert.graph.layer_graph import read_graph

    k = build(framework)
    inputs = k.Input(shape)
    return read_graph(k.Model(inputs, body(k, k.layers, inputs)))


def mean(k, x):
    import tensorflow as tf

    return k.ops.mean(x, axis=1) if k.__name__ == "keras" else tf.reduce_mean(x, axis=1)


OUTPUTS = {
    "softmax": (lambda k, L, x: L.Dense(3, activation="softmax")(L.LSTM(2)(x)), "softmax"),
    "softmax as a layer": (lambda k, L, x: L.Softmax()(L.Dense(3)(L.LSTM(2)(x))), "softmax"),
    "softmax as an activation layer": (lambda k, L, x: L.Activation("softmax")(L.Dense(3)(L.LSTM(2)(x))), "softmax"),
    "softmax in a Lambda layer": (lambda k, L, x: L.Lambda(k.activations.softmax)(L.Dense(3)(L.LSTM(2)(x))), "softmax"),
    "the mean of softmaxes as an operator": (lambda k, L, x: mean(k, L.Dense(3, activation="softmax")(x)), "softmax"),
    "logits of an operator": (lambda k, L, x: L.Dense(3)(L.LSTM(2)(x)) * 40.0 - 9.0, "logits"),
    "softmax as an operator": (lambda k, L, x: k.activations.softmax(L.Dense(3)(L.LSTM(2)(x))), "softmax"),
    "softmax, then nothing": (
        lambda k, L, x: L.Activation("linear")(L.Dropout(0.1)(L.Dense(3, activation="softmax")(L.LSTM(2)(x)))),
        "softmax",
    ),
    "softmax of each frame, then the mean": (
        lambda k, L, x: L.GlobalAveragePooling1D()(L.Dense(3, activation="softmax")(x)),
        "softmax",
    ),
    "logits": (lambda k, L, x: L.Dense(3)(L.LSTM(2)(x)), "logits"),
    "softmax, then logits": (lambda k, L, x: L.Dense(3)(L.Dense(3, activation="softmax")(L.LSTM(2)(x))), "logits"),
    "sigmoids": (lambda k, L, x: L.Dense(3, activation="sigmoid")(L.LSTM(2)(x)), "sigmoid"),
    "one sigmoid": (lambda k, L, x: L.Dense(1, activation="sigmoid")(L.LSTM(2)(x)), "sigmoid"),
    "one sigmoid as an operator": (lambda k, L, x: k.activations.sigmoid(L.Dense(1)(L.LSTM(2)(x))), "sigmoid"),
    "one logit": (lambda k, L, x: L.Dense(1)(L.LSTM(2)(x)), "sigmoid_logits"),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("case", OUTPUTS)
def test_the_kind_of_the_outputs_is_read_from_the_last_layers(case, framework):
    from convert.interface.scores import scores_of

    body, kind = OUTPUTS[case]
    assert scores_of(graph_of(framework, body)) == (kind, 1 if "one" in case else 3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_last_layer_that_is_called_twice_is_read_too(framework):
    from convert.interface.scores import scores_of

    def body(_k, layers, x):
        shared, features = layers.Dense(3, activation="softmax"), layers.LSTM(3)(x)
        return shared(shared(features))

    assert scores_of(graph_of(framework, body)) == ("softmax", 3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_answer_for_every_frame_is_no_classifier(framework):
    from convert.interface.scores import scores_of

    with pytest.raises(ModelError, match=r"\(classes\), got \(4, 3\) from 'answers'"):
        scores_of(graph_of(framework, lambda k, L, x: L.Dense(3, activation="softmax", name="answers")(x)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_output_with_an_axis_of_one_is_read_from_the_layer_before_its_adapter(framework):
    """A trial on noise would read these logits, all of them 0.5, as probabilities."""
    from convert.interface.scores import scores_of
    from convert.interface.window_to_scores import arrange

    k = build(framework)
    inputs = k.Input((4, 8))
    hidden = k.layers.Reshape((1, 2))(k.layers.LSTM(2)(inputs))
    layer = k.layers.Dense(3, kernel_initializer="zeros", bias_initializer=k.initializers.Constant(0.5))
    assert scores_of(arrange(k.Model(inputs, layer(hidden))).graph) == ("logits", 3)


def encoder(k, first):
    return k.Sequential([k.Input((8, 8, 3)), *first, k.layers.GlobalAveragePooling2D()])


def augmentation(k):
    return k.Sequential(
        [k.Input((8, 8, 3)), k.layers.RandomFlip("horizontal"), k.layers.RandomRotation(0.1), k.layers.Resizing(6, 6)]
    )


def submodel(k):
    pixels = k.Input((8, 8, 3))
    return k.Model(pixels, k.layers.GlobalAveragePooling2D()(k.applications.resnet50.preprocess_input(pixels)))


INPUTS = {
    "rescaling": (lambda k, L, x: L.Rescaling(1 / 255)(x), True),
    "rescaling of each frame": (lambda k, L, x: L.TimeDistributed(L.Rescaling(1 / 127.5, offset=-1))(x), True),
    "rescaling in a nested model": (
        lambda k, L, x: L.TimeDistributed(encoder(k, [L.Rescaling(1 / 255), L.Conv2D(2, 3)]))(x),
        True,
    ),
    "flips and crops of training before it": (
        lambda k, L, x: L.Rescaling(1 / 255)(L.TimeDistributed(augmentation(k))(x)),
        True,
    ),
    "flips and crops alone": (lambda k, L, x: L.TimeDistributed(augmentation(k))(x), False),
    "an operator": (lambda k, L, x: x / 127.5 - 1.0, True),
    "an operator that multiplies": (lambda k, L, x: x * 0.00392, True),
    "the mean of ImageNet taken off": (lambda k, L, x: k.applications.vgg16.preprocess_input(x), True),
    "the same in a nested model": (lambda k, L, x: L.TimeDistributed(submodel(k))(x), True),
    "a normalisation of bytes": (
        lambda k, L, x: L.Normalization(mean=[123.0, 116.0, 103.0], variance=[3000.0] * 3)(x),
        True,
    ),
    "a normalisation of zero to one": (
        lambda k, L, x: L.Normalization(mean=[0.5, 0.5, 0.4], variance=[0.1] * 3)(x),
        False,
    ),
    "half taken off": (lambda k, L, x: (x[..., ::-1] - 0.5) * 2.0, False),
    "a rescaling of zero to one": (lambda k, L, x: L.Rescaling(2.0, offset=-1)(x), False),
    "a convolution": (lambda k, L, x: L.TimeDistributed(L.Conv2D(2, 3))(x), False),
    "a nested model without": (lambda k, L, x: L.TimeDistributed(encoder(k, [L.Conv2D(2, 3)]))(x), False),
    "scaled pixels beside plain ones": (lambda k, L, x: L.Concatenate()([x, L.Rescaling(1 / 255)(x)]), False),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_conversion_of_the_axes_keeps_the_range_of_pixels(framework):
    from convert.interface.pixel_range import takes_bytes
    from convert.interface.window_to_scores import arrange

    k = build(framework)
    inputs = k.Input((3, 4, 16, 16))
    hidden = k.layers.Flatten()(k.layers.Rescaling(1 / 255)(inputs))
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(hidden))
    assert takes_bytes(arrange(model, axes="c,t,h,w").graph)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("case", INPUTS)
def test_a_model_that_scales_pixels_itself_is_recognised(case, framework):
    from convert.interface.pixel_range import takes_bytes

    body, expected = INPUTS[case]
    assert takes_bytes(graph_of(framework, body, (4, 8, 8, 3))) is expected


def test_an_exported_function_runs_on_one_window_of_noise_at_a_time(tmp_path, monkeypatch):
    import numpy as np
    import tensorflow as tf

    from convert.loading.saved_model import SignatureModel

    module = tf.Module()
    module.serve = tf.function(
        lambda window: {"output": tf.nn.softmax(tf.reduce_mean(window, 1))},
        input_signature=[tf.TensorSpec((None, 4, 6))],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.serve})
    model, drawn, make = SignatureModel(tmp_path / "model"), [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: _Noise(make(seed), drawn))
    answers = model.answers_on_noise()
    assert drawn == [(1, 4, 6)] * 8
    assert answers.shape == (8, 6)
    assert len(np.unique(answers, axis=0)) == 8


def test_a_tflite_file_runs_on_one_window_of_noise_at_a_time(monkeypatch):
    import numpy as np

    from convert.prebuilt import TfliteModel

    seen = []
    monkeypatch.setattr(TfliteModel, "__init__", lambda model: None)
    monkeypatch.setattr(TfliteModel, "__call__", lambda _, windows: seen.append(windows) or windows[:, 0])
    model = TfliteModel()
    model._part = SimpleNamespace(inputs=[SimpleNamespace(shape=(1, 4, 6))])
    assert model.answers_on_noise().shape == (8, 6)
    assert [each.shape for each in seen] == [(1, 4, 6)] * 8
    assert len(np.unique(np.concatenate(seen), axis=0)) == 8


class _Noise:
    """A generator that lists the shapes that are drawn from it."""

    def __init__(self, generator, drawn):
        self._generator, self._drawn = generator, drawn

    def random(self, shape, dtype):
        self._drawn.append(shape)
        return self._generator.random(shape, dtype)
