"""The layout for this machine: measured, never guessed from a name."""

from __future__ import annotations

import numpy as np
import pytest

from convert.progress import Silent
from tests.convert.quantization.test_space_to_depth import CASES, split_model

pytestmark = pytest.mark.tf


class Noting(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        self.lines.append(text)


def test_a_layout_must_save_3_percent() -> None:
    from convert.quantization.layout_choice import AS_TRAINED, fastest

    assert fastest({AS_TRAINED: 1.0, "for x": 0.98}) == AS_TRAINED
    assert fastest({AS_TRAINED: 1.0, "for x": 0.9, "for y": 0.8}) == "for y"
    assert fastest({AS_TRAINED: 1.0, "for x": 1.7}) == AS_TRAINED


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["as trained", "packed"])
def test_the_measured_layout_is_taken_whatever_the_processor_is_called(slow, monkeypatch) -> None:
    from convert.quantization import layout_choice, space_to_depth
    from convert.quantization.converter import Converter

    model, parts = split_model(CASES["rgb 3x3"])
    monkeypatch.setattr(space_to_depth, "host_core", lambda: "x86 with AMX")
    monkeypatch.setattr(
        layout_choice,
        "_measure",
        lambda rounds: {name: 2.0 if (name == "as trained") == (slow == "as trained") else 1.0 for name in rounds},
    )
    with Converter() as converter:
        chosen = layout_choice.arrange(parts, model, "host", converter, Silent())
    assert (chosen is parts) == (slow == "packed")


def test_every_candidate_is_really_timed_and_told() -> None:
    from convert.quantization.converter import Converter
    from convert.quantization.layout_choice import arrange
    from tests.convert.quantization.test_space_to_depth import answers

    model, parts = split_model(CASES["rgb 3x3"])
    progress = Noting()
    with Converter() as converter:
        chosen = arrange(parts, model, "host", converter, progress)
    (line,) = progress.lines
    assert line.count(" ms") == line.split(": ")[1].count("groups of ") + 1 >= 3
    frame = np.random.default_rng(0).uniform(0, 1, parts.encoder.input_shapes[0]).astype(np.float32)
    np.testing.assert_allclose(answers(chosen.encoder, frame), answers(parts.encoder, frame), atol=1e-5)
