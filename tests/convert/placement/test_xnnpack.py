"""Where operators run, as the interpreter tells."""

import numpy as np
import pytest

from convert.placement.xnnpack import Placement, describe, place
from tests.models.keras_models import cnn_rnn

pytestmark = pytest.mark.tf


def test_a_float_head_is_one_partition_and_everything_is_in_it(workshop):
    bundle = workshop.bundle("gru", lambda: cnn_rnn("gru"), recipe="int8+float")
    encoder = place("encoder", bundle.models["encoder.tflite"])
    assert (encoder.partitions, encoder.outside) == (1, {})
    assert encoder.delegated == sum(encoder.operators.values())


def test_an_operator_that_xnnpack_does_not_take_parts_the_graph(workshop):
    """An int8 CUMSUM-like operator between two that XNNPACK takes: two partitions, and its name."""
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    weights = tf.constant(np.random.default_rng(1).normal(0, 1, (8, 8)).astype(np.float32))
    part = PartFunction("head", lambda x: [tf.tanh(tf.cumsum(tf.tanh(x @ weights), axis=1) @ weights)], ((1, 8),))
    made = workshop.converter.convert(part, "float32", [np.zeros((0, 8), np.float32)])
    found = place("head", made.data)
    assert found.partitions == 2
    assert found.outside == {"CUMSUM": 1}
    assert found.delegated == sum(found.operators.values()) - 1


def test_a_person_is_told_in_one_line_a_part():
    lines = describe(
        [Placement(part="head", operators={"ADD": 3, "SOFTMAX": 1}, partitions=1, delegated=3, outside={"SOFTMAX": 1})]
    )
    assert lines == ["head: XNNPACK runs 3 of 4 operators in 1 partition; outside: 1 SOFTMAX"]
