"""Small valid things to test with: manifests of each plan and a whole bundle whose `.tflite` parts are fake bytes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import STATES, Manifest, Value, Window
from edgevid.bundle.parts import Part, Tensor
from edgevid.bundle.states import states_bytes
from edgevid.events.rule import DecisionRule
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import Dtype

LABELS = ("none", "wave", "swipe")
FEATURES = 5
PIXEL_SCALE = 1 / 255


def tensor(*shape: int, name: str = "x", dtype: Dtype = "int8", scale: float = 0.05, zero_point: int = 3) -> Tensor:
    """A tensor; those that are not quantised get the one grid they may have."""
    if dtype in ("float32", "int32", "int64"):
        scale, zero_point = 1.0, 0
    return Tensor(name=name, shape=shape, dtype=dtype, scale=scale, zero_point=zero_point)


def pixels(*shape: int) -> Tensor:
    """An int8 input of pixels that were divided by 255."""
    return tensor(*shape, name="frame", scale=PIXEL_SCALE, zero_point=-128)


def scores(count: int = len(LABELS)) -> Tensor:
    """The last part's output."""
    return tensor(1, count, name="scores", scale=1 / 256, zero_point=-128)


def window_manifest(**changes: Any) -> Manifest:
    """Plan "window": four frames of 6x8 pixels, five features each, three labels."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "plan": "window",
        "labels": LABELS,
        "window": Window(frames=4, interval_s=0.1),
        "input": InputSpec(height=6, width=8, channels=3),
        "parts": (
            Part(
                role="encoder",
                file="encoder.tflite",
                precision="int8",
                inputs=(pixels(1, 6, 8, 3),),
                outputs=(tensor(1, FEATURES, name="features"),),
            ),
            Part(
                role="head",
                file="head.tflite",
                precision="int8",
                inputs=(tensor(1, 4, FEATURES, name="window"),),
                outputs=(scores(),),
            ),
        ),
        "decision": DecisionRule(background=("none",)),
        "versions": {"edgevid": "0.1.0"},
        "provenance": {"source": "tiny.keras"},
    }
    return Manifest(**{**fields, **changes})


def flight_manifest(**changes: Any) -> Manifest:
    """Plan "window" whose head advances all four windows in flight each frame, with one state of seven units each."""
    state = tensor(1, 4, 7, name="h", dtype="int16", zero_point=0)
    scores_of_each = dataclasses.replace(scores(), shape=(1, 4, len(LABELS)))
    head = Part(
        role="head",
        file="head.tflite",
        precision="int8",
        inputs=(tensor(1, FEATURES, name="feature"), state),
        outputs=(scores_of_each, state),
    )
    return window_manifest(**{"parts": (window_manifest().part("encoder"), head), **changes})


def stateful_manifest(**changes: Any) -> Manifest:
    """Plan "stateful": one step with two states of seven units."""
    states = (tensor(1, 7, name="h", dtype="int16", zero_point=0), tensor(1, 7, name="c", dtype="int16", zero_point=0))
    encoder = window_manifest().part("encoder")
    step = Part(
        role="step",
        file="step.tflite",
        precision="int8",
        inputs=(tensor(1, FEATURES, name="feature"), *states),
        outputs=(scores(), *states),
    )
    return window_manifest(**{"plan": "stateful", "parts": (encoder, step), **changes})


def one_step_manifest(*, initial_states: str = "", **changes: Any) -> Manifest:
    """Plan "stateful" in one part, as others make it: a frame with an axis of time, a vector, and a count."""
    states = (tensor(2, 7, name="h", dtype="float32"), tensor(1, name="count", dtype="int32"))
    frame = dataclasses.replace(pixels(1, 1, 6, 8, 3), name="image")
    step = Part(
        role="step",
        file="step.tflite",
        precision="int8",
        inputs=(frame, *states),
        outputs=(dataclasses.replace(scores(), shape=(1, 1, len(LABELS))), *states),
        initial_states=initial_states,
    )
    return window_manifest(**{"plan": "stateful", "parts": (step,), **changes})


def started_manifest(**changes: Any) -> Manifest:
    """The same, with states that do not start at zero."""
    return one_step_manifest(**{"initial_states": STATES, **changes})


def stack_manifest(**changes: Any) -> Manifest:
    """Plan "stack": the whole model over all four frames."""
    whole = Part(
        role="whole",
        file="whole.tflite",
        precision="float32",
        inputs=(tensor(1, 4, 6, 8, 3, name="clip", dtype="float32"),),
        outputs=(scores(),),
    )
    return window_manifest(**{"plan": "stack", "parts": (whole,), **changes})


def features_manifest(**changes: Any) -> Manifest:
    """Plan "window" over rows of nine numbers instead of pictures."""
    head = window_manifest().part("head")
    encoder = Part(
        role="encoder",
        file="encoder.tflite",
        precision="float32",
        inputs=(tensor(1, 9, name="row", dtype="float32"),),
        outputs=(tensor(1, FEATURES, name="features"),),
    )
    spec = InputSpec(kind="features", height=1, width=1, channels=9, color="none")
    return window_manifest(**{"input": spec, "parts": (encoder, head), **changes})


def twin_manifest(**changes: Any) -> Manifest:
    """Plan "window" with an encoder that has a twin for the Edge TPU."""
    encoder, head = window_manifest().parts
    return window_manifest(
        **{"parts": (dataclasses.replace(encoder, edgetpu="encoder_edgetpu.tflite"), head), **changes}
    )


def values_manifest(**changes: Any) -> Manifest:
    """Plan "window" with a box of four corners and a speed beside the scores, the speed in float."""
    encoder, head = window_manifest().parts
    beside = (tensor(1, 4, name="box", scale=0.5, zero_point=0), tensor(1, 1, name="speed", dtype="float32"))
    values = (Value(name="box", size=4), Value(name="speed", size=1))
    return window_manifest(
        **{"parts": (encoder, dataclasses.replace(head, outputs=(*head.outputs, *beside))), "values": values, **changes}
    )


def golden_for(manifest: Manifest, *, extra: int = 3) -> Golden:
    """Golden vectors of the right shapes, `extra` frames longer than the window; the numbers mean nothing."""
    rng = np.random.default_rng(7)
    count = manifest.window.frames + extra
    frames = rng.integers(0, 256, (count, *manifest.input.shape)).astype(manifest.input.dtype)
    raw = rng.random((extra + 1, len(manifest.labels))).astype(np.float32)
    answers = raw / raw.sum(axis=1, keepdims=True)
    values = (
        rng.random((extra + 1, sum(value.size for value in manifest.values))).astype(np.float32)
        if manifest.values
        else None
    )
    return Golden(frames, answers, answers + np.float32(0.001), "fake 1.0", values)


def states_of(part: Part) -> list[Array]:
    """Initial states of the right shapes: all ones in the first, twos in the second."""
    return [np.full(each.shape, 1 + index, each.dtype) for index, each in enumerate(part.states_before)]


def bundle_for(manifest: Manifest, **changes: Any) -> Bundle:
    """A bundle around a manifest, with bytes in place of each `.tflite` file."""
    models = {file: f"TFL3 {file} ".encode() * 40 for file in manifest.files}
    models |= {part.initial_states: states_bytes(states_of(part)) for part in manifest.parts if part.initial_states}
    return dataclasses.replace(
        Bundle(manifest, models, golden_for(manifest), {"agreement": 1.0, "clips": 3}), **changes
    )


def tiny_bundle(**changes: Any) -> Bundle:
    """A bundle of plan "window"; `changes` are fields of `Bundle`."""
    return bundle_for(window_manifest(), **changes)
