"""Layers compute something else inside the block, and are as before after it."""

import pytest

from convert.frameworks.layer_calls import replace_calls


class Doubling:
    def call(self, x):
        return 2 * x

    def __setattr__(self, name, value):
        raise AssertionError("Keras would track what is assigned")

    __delattr__ = None


def test_a_layer_computes_something_else_inside_the_block_only():
    layer, other = Doubling(), Doubling()
    with replace_calls({layer: lambda x: 10 * x}):
        assert (layer.call(1), other.call(1)) == (10, 2)
    assert layer.call(1) == 2
    assert vars(layer) == {}


def test_a_layer_is_restored_after_an_error():
    layer = Doubling()
    with pytest.raises(ZeroDivisionError), replace_calls({layer: lambda x: x / 0}):
        layer.call(1)
    assert layer.call(1) == 2
