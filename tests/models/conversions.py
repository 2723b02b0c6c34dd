"""Bundles converted from small models, made once a test run and shared; the converter's child process too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import Window
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec


def stream(shape: tuple[int, ...], count: int, seed: int = 1) -> np.ndarray:
    """Frames that change smoothly from one to the next, as a camera's do, over the whole range of pixels."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 256, (count // 4 + 2, *shape))
    places = np.linspace(0, len(ends) - 1.001, count)
    low = places.astype(int)
    weight = (places - low).reshape(-1, *[1] * len(shape))
    return np.rint(ends[low] * (1 - weight) + ends[low + 1] * weight).astype(np.uint8)


class Workshop:
    """Builds bundles from Keras models in memory."""

    def __init__(self, converter: Any) -> None:
        self.converter = converter
        self._made: dict[tuple[str, str, str], Bundle] = {}

    def bundle(self, name: str, make: Any, *, plan: str = "window", recipe: str = "int8") -> Bundle:
        """Give the bundle of a model, made on the first call for this name, plan and recipe."""
        key = (name, plan, recipe)
        if key not in self._made:
            self._made[key] = self._build(make(), plan, recipe)
        return self._made[key]

    def _build(self, model: Any, plan: str, recipe: str) -> Bundle:
        from convert.precision.builder import Builder
        from convert.precision.recipes import RECIPES

        return Builder(self.job(model, plan=plan)).build(next(each for each in RECIPES if each.name == recipe))

    def job(self, model: Any, *, plan: str = "window") -> Any:
        """Give everything that stays the same while precisions are tried."""
        from convert.frameworks.tensorflow_setup import run_graphs_as_they_are
        from convert.graph.layer_graph import read_graph
        from convert.interface.contract import Contract
        from convert.precision.builder import BuildJob, choose_plan
        from convert.quantization.calibration import Calibration
        from convert.splitting.split import split
        from convert.verification.reference import Reference

        parts = split(read_graph(model))
        features = len(parts.frame_shape) == 1
        shape = (1, 1, *parts.frame_shape) if features else parts.frame_shape
        spec = InputSpec(
            kind="features" if features else "frames",
            height=shape[0],
            width=shape[1],
            channels=shape[2],
            color="none" if features else "rgb",
        )
        labels = tuple(f"class_{index}" for index in range(3))
        contract = Contract(
            labels, spec, Window(frames=parts.frames, interval_s=0.1), "softmax", DecisionRule(), False, ()
        )
        windows = np.stack([self.frames(spec, parts.frames, seed) for seed in range(16)])
        # As in a conversion.
        run_graphs_as_they_are()
        reference = Reference(model, parts, spec, "softmax")
        frames = self.frames(spec, parts.frames + 4, 99)
        scores = reference.scores(np.stack([frames[start : start + parts.frames] for start in range(5)]))
        golden = Golden(frames, scores, scores, "float Keras")
        return BuildJob(
            parts,
            choose_plan(parts, plan),
            contract,
            Calibration(windows, (0,)),
            self.converter,
            "small",
            golden,
        )

    @staticmethod
    def frames(spec: InputSpec, count: int, seed: int) -> np.ndarray:
        """Prepared frames for a specification."""
        frames = stream(spec.shape, count, seed)
        return frames if spec.kind == "frames" else (frames / 128.0 - 1.0).astype(np.float32)


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """A place to convert small models in; its child process serves the whole run."""
    from convert.quantization.converter import Converter

    with Converter() as converter:
        yield Workshop(converter)
