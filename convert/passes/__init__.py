"""Rewrite a graph so that the splitter finds the work that belongs to single frames.

A pass is a function from a graph and a probe to a graph. It returns the same object if it finds nothing to rewrite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convert.execution.probe import NoiseProbe
from convert.graph.layer_graph import LayerGraph
from convert.passes.exported_function import inline_exported_function
from convert.passes.frame_branches import merge_frame_branches
from convert.passes.time_in_batch import unfold_time

Pass = Callable[[LayerGraph, NoiseProbe], LayerGraph]

# Inlining comes first: the other two passes look among the operators that it uncovers.
PASSES: tuple[Pass, ...] = (inline_exported_function, unfold_time, merge_frame_branches)


def rewrite(graph: LayerGraph, window: Sequence[int]) -> LayerGraph:
    """Apply every pass of `PASSES` in order.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Returns:
        A graph of the same computation; the same object if no pass changed it.
    """
    probe = NoiseProbe(window)
    for each in PASSES:
        graph = each(graph, probe)
    return graph
