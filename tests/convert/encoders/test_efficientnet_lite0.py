import numpy as np
import pytest

pytest.importorskip("keras")

from convert.encoders import efficientnet_lite0
from edgevid.errors import ModelError

pytestmark = pytest.mark.tf


def tensors_of(model):
    """Random tensors by the checkpoint's names."""
    rng = np.random.default_rng(0)
    named = {}
    for layer, names in efficientnet_lite0._names():
        for name, weights in zip(names, model.get_layer(layer).get_weights(), strict=True):
            shape = weights.shape
            if len(shape) == 4:
                is_depthwise = "depthwise" in name
                shape = (shape[2], 1, *shape[:2]) if is_depthwise else (shape[3], shape[2], *shape[:2])
            named[name] = rng.uniform(0.1, 1.0, shape).astype(np.float32)
    return named


def test_the_network_has_the_number_of_weights_of_the_published_one():
    # 4,652,008 trainable and not with the classifier of 1000 classes, which has 1,281,000.
    model = efficientnet_lite0.build(64)
    assert model.count_params() == 3_413_024
    assert model.output_shape == (None, efficientnet_lite0.FEATURES)


def test_kernels_are_transposed_and_each_goes_to_its_layer():
    model = efficientnet_lite0.build(64)
    named = tensors_of(model)
    efficientnet_lite0.set_weights(model, named)
    kernel = named["_blocks.3._depthwise_conv.weight"]
    np.testing.assert_array_equal(model.get_layer("block3_depthwise").get_weights()[0][1, 2, 5, 0], kernel[5, 0, 1, 2])
    kernel = named["_conv_head.weight"]
    np.testing.assert_array_equal(model.get_layer("head").get_weights()[0][0, 0, 7, 9], kernel[9, 7, 0, 0])
    np.testing.assert_array_equal(
        model.get_layer("block3_project_norm").get_weights()[3], named["_blocks.3._bn2.running_var"]
    )


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_a_tensor_that_does_not_fit_is_named_with_its_layer(damage):
    model = efficientnet_lite0.build(64)
    named = tensors_of(model)
    if damage == "missing":
        del named["_conv_stem.weight"]
    else:
        named["_conv_stem.weight"] = np.zeros((32, 3, 5, 5), np.float32)
    with pytest.raises(ModelError, match="stem"):
        efficientnet_lite0.set_weights(model, named)
