"""A graph runs on noise without holding every tensor at once."""

import weakref

import numpy as np
import pytest

from convert.execution import held_tensors, probe
from convert.graph.arguments import positional
from convert.graph.layer_graph import Call, LayerGraph, read_graph
from convert.passes import rewrite
from convert.rows import StoredArray
from tests.models.zoo import VIDEO, make

pytestmark = pytest.mark.tf
CALLS = 6


class Doubles:
    """A layer that counts how many of its answers somebody holds."""

    name = "doubles"
    trainable_weights = ()

    def __init__(self):
        self.answers, self.most_held = [], 0

    def __call__(self, tensor):
        answer = tensor * 2
        self.answers = [each for each in self.answers if each() is not None] + [weakref.ref(answer)]
        self.most_held = max(self.most_held, len(self.answers))
        return answer


def chain(layer):
    """Calls in a row, of which the last one also reads the first one's answer."""
    calls = [Call(layer, (at,), (at + 1,), positional((at,)), (1, 4)) for at in range(CALLS)]
    sums = Call(lambda first, last: first + last, (1, CALLS), (CALLS + 1,), positional((1, CALLS)), (1, 4))
    return LayerGraph((*calls, sums), 0, CALLS + 1, (4,))


def test_the_scores_on_noise_are_computed_with_the_tensors_that_a_later_call_reads():
    layer = Doubles()
    scores = probe.output_on_noise(chain(layer), (4,))
    values = probe.run_on_noise(chain(Doubles()), (4,))
    assert scores is not None
    assert values is not None
    np.testing.assert_array_equal(scores, values[0] * (2 + 2**CALLS))
    np.testing.assert_array_equal(scores, values[CALLS + 1])
    # The first one, the newest one, and that which it is computed from.
    assert layer.most_held <= 3


def test_the_scores_of_a_model_that_rejects_noise_are_none():
    graph = LayerGraph((Call(lambda _: 1 / 0, (0,), (1,), positional((0,)), (1, 4)),), 0, 1, (4,))
    assert probe.output_on_noise(graph, (4,)) is None
    assert probe.run_on_noise(graph, (4,)) is None


@pytest.mark.parametrize("name", ["taken apart", "in the batch"])
def test_a_model_is_rewritten_from_tensors_in_a_file_as_from_memory(name, monkeypatch):
    graph = read_graph(make(name, "keras"))
    expected = rewrite(graph, VIDEO)
    read, get = [], StoredArray.__getitem__
    monkeypatch.setattr(held_tensors, "MOST_HELD_BYTES", 0)
    monkeypatch.setattr(held_tensors, "_SMALL_BYTES", 0)
    monkeypatch.setattr(StoredArray, "__getitem__", lambda array, index: read.append(array) or get(array, index))
    rewritten = rewrite(graph, VIDEO)
    assert expected is not graph
    assert [call.kind for call in rewritten.calls] == [call.kind for call in expected.calls]
    assert read
