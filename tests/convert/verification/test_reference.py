"""The float model gives the same answers in a graph, in parts and in eager execution."""

import numpy as np
import pytest

from tests.models.conversions import Workshop
from tests.models.keras_models import FRAMES, cnn_rnn
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
PUBLIC = ROOT.parent / "shared" / "models" / "public"


def reference_of(model, spec=None):
    from convert.frameworks.tensorflow_setup import run_graphs_as_they_are
    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split
    from convert.verification.reference import Reference
    from edgevid.frames.preprocess import InputSpec

    # As in a conversion.
    run_graphs_as_they_are()
    parts = split(read_graph(model))
    height, width, channels = parts.frame_shape
    spec = InputSpec(height=height, width=width, channels=channels, color="rgb")
    return Reference(model, parts, spec, "softmax"), spec, parts


@pytest.mark.parametrize("head", ["lstm", "bilstm", "attention"])
def test_graph_parts_and_eager_execution_give_one_answer(head):
    model = cnn_rnn(head)
    reference, spec, _ = reference_of(model)
    windows = np.stack([Workshop.frames(spec, FRAMES, seed) for seed in range(11)])
    eager = np.asarray(model(windows / np.float32(255)))
    np.testing.assert_allclose(reference.scores(windows), eager, atol=1e-5)
    np.testing.assert_allclose(reference.split_scores(windows), eager, atol=1e-5)


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public models are not next to this checkout")
def test_a_public_bilstm_that_the_graph_remapper_breaks_is_read_right():
    from convert.loading.load import load

    model = load(PUBLIC / "lrcn_bilstm_keras3.8.h5").model
    reference, _, parts = reference_of(model)
    windows = np.random.default_rng(0).integers(0, 256, (3, parts.frames, *parts.frame_shape)).astype(np.uint8)
    windows = (windows * np.random.default_rng(1).random((3, parts.frames, 1, 1, 3))).astype(np.uint8)
    np.testing.assert_allclose(reference.scores(windows), np.asarray(model(windows / np.float32(255))), atol=1e-4)
