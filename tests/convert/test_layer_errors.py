"""What is told of each layer's error, from the operators that the debugger measured."""

import numpy as np
import pytest

from convert.layer_errors import EXACT_DB, LayerError, blame, layer_of, rank


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("conv2d_4/Relu;conv2d_4/BiasAdd;conv2d_4/Conv2D", "conv2d_4"),
        ("td/relu/Relu6;td/bn/FusedBatchNormV3;td/conv/Conv2D", "td/conv"),
        ("lstm/lstm/mul_3", "lstm"),
        ("lstm/unstack;lstm/unstack1", "lstm"),
        ("PartitionedCall:0", "the output"),
    ],
)
def test_a_tensor_belongs_to_the_layer_that_carries_the_weights(tensor, layer):
    assert layer_of(tensor, output="the output") == layer


def row(tensor, operator="MUL", *, signal=100.0, noise=1.0):
    return {"operator": operator, "tensor": tensor, "signal": signal, "noise": noise, "product": signal, "stored": signal, "max_abs_error": noise}


def test_operators_of_one_kind_count_together_and_the_worst_kind_stands_for_the_layer():
    rows = [row("lstm/a"), row("lstm/b", noise=19.0), row("lstm/c", "ADD", noise=0.1), row("conv/d", "CONV_2D", noise=50.0), row("flat/e", noise=0.0)]
    worst, middle, best = rank("head", rows, output="out")
    assert (worst.layer, worst.snr_db) == ("conv", 3.01)
    assert (middle.layer, middle.operator, middle.operators, middle.snr_db, middle.max_abs_error) == ("lstm", "MUL", 3, 10.0, 19.0)
    assert (best.layer, best.snr_db) == ("flat", EXACT_DB)


def test_a_layer_that_answers_nothing_but_noise_has_no_signal():
    assert rank("head", [row("a/b", signal=0.0)], output="out")[0].snr_db == 0.0


def test_the_blame_names_the_worst_layers_of_all_parts():
    errors = [LayerError(part="head", layer=name, operator="ADD", operators=1, snr_db=db, cosine=1.0, max_abs_error=0.0) for name, db in (("a", 30), ("b", 4))]
    assert blame(errors, count=1) == "The layers that lose most in int8: b in the head (4.0 dB)."
    assert blame([]) == ""


@pytest.mark.tf
def test_the_layer_whose_grid_an_outlier_takes_is_the_worst(workshop):
    import tensorflow as tf

    from convert.split import PartFunction

    rng = np.random.default_rng(1)
    first, second = (tf.constant(rng.normal(0, 1, (16, 16)).astype(np.float32)) for _ in range(2))

    def function(x):
        with tf.name_scope("bounded"):
            bounded = tf.tanh(tf.clip_by_value(x, -1.0, 1.0) @ first)
        with tf.name_scope("spread"):
            return [bounded + x @ second]

    samples = rng.uniform(-1, 1, (32, 16)).astype(np.float32)
    samples[5] *= 60
    errors = workshop.converter.layer_errors(PartFunction("head", function, ((1, 16),)), [samples], output="sum")
    assert {error.layer for error in errors} == {"bounded", "spread", "sum"}
    by_layer = {error.layer: error.snr_db for error in errors}
    assert by_layer["bounded"] > min(by_layer.values()) + 6
    assert errors[0].layer != "bounded"
    assert 0.5 < errors[0].cosine < 0.9999
