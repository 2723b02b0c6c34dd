"""Passes share one run of the model on noise, and the model runs again only for a graph that one of them changed."""

import pytest

from convert.execution import probe
from convert.graph.layer_graph import LayerGraph, read_graph
from convert.passes import rewrite
from tests.models.zoo import VIDEO, make

pytestmark = pytest.mark.tf


@pytest.fixture
def runs(monkeypatch):
    """The graphs that were run on noise, in order."""
    graphs, run = [], probe.run_on_noise
    monkeypatch.setattr(probe, "run_on_noise", lambda graph, window: graphs.append(graph) or run(graph, window))
    return graphs


def test_a_probe_runs_each_graph_once(runs):
    first, second = LayerGraph((), 1, 1, (4,)), LayerGraph((), 2, 2, (4,))
    noise = probe.NoiseProbe((4,))
    assert runs == []
    assert noise.values(first) is noise.values(first)
    assert set(noise.values(second)) == {2}
    assert runs == [first, second]


def test_a_model_that_two_passes_probe_is_run_once(runs):
    graph = read_graph(make("taken apart", "keras"))
    assert rewrite(graph, VIDEO) is not graph
    assert runs == [graph]


def test_a_model_of_keras_layers_alone_is_not_run(runs):
    graph = read_graph(make("lstm", "keras"))
    assert rewrite(graph, VIDEO) is graph
    assert runs == []
