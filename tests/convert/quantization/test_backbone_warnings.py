"""Backbones that are known to lose accuracy in int8."""

import importlib
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.tf


def graph_of(*layers):
    return SimpleNamespace(calls=[SimpleNamespace(layer=layer) for layer in layers])


@pytest.mark.parametrize(
    ("framework", "application", "says"),
    [
        ("keras", "EfficientNetB0", "as in EfficientNet"),
        ("keras", "MobileNetV3Small", "as in MobileNetV3"),
        ("tf_keras", "MobileNetV3Small", "as in MobileNetV3"),
        ("keras", "MobileNetV2", ""),
    ],
)
def test_applications_are_told_from_their_layers(framework, application, says):
    from convert.quantization.backbone_warnings import warnings

    keras = importlib.import_module(framework)
    # Generated layer names count on from models that were built before.
    keras.layers.Multiply()([keras.Input((2,)), keras.Input((2,))])
    model = getattr(keras.applications, application)(weights=None, include_top=False, input_shape=(32, 32, 3))
    wrapped = keras.layers.TimeDistributed(model)
    found = warnings(graph_of(wrapped))
    assert len(found) == bool(says)
    assert all(says in each for each in found)
