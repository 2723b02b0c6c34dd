"""One model's way through a stream. Several models on one source have a lane each, and each sees every frame once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from edgevid.bundle.manifest import Manifest
from edgevid.errors import UsageError
from edgevid.events.decide import Decider
from edgevid.frames.motion import MotionGate
from edgevid.frames.preprocess import InputSpec, Preprocessor, SharedPreprocessor
from edgevid.frames.sampling import IntervalSampler
from edgevid.inference.engine import Engine
from edgevid.supervision.pace import Pace
from edgevid.telemetry.telemetry import Telemetry


class Lane:
    """What one model needs to go from frames to events: which frames it takes, how they are prepared, its engine and its rule.

    Args:
        engine: Runs the model.
        name: Tells its decisions from those of other models; the manifest's name where None.
        telemetry: To count in; a new one where None.
        motion_gate: Share of a frame that has to change for the encoder to run again; None to run it for every frame.

    Raises:
        UsageError: A motion gate is asked for and the model has no encoder over pictures.

    Attributes:
        name: See above.
        engine: See above.
        sampler: Picks frames at the training interval.
        preprocessor: Makes them the model's; shared by the lanes of a pipeline that want frames alike.
        decider: Turns its scores into events.
        telemetry: Latency and counts of this model.
        gate: Says which frames show a scene that stands still; None where every frame is encoded.
        stride: An answer is wanted after so many frames that are taken.
        slowdown: How many training intervals lie between two frames that are taken; 1 unless the device cannot keep up.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str | None = None,
        telemetry: Telemetry | None = None,
        motion_gate: float | None = None,
    ) -> None:
        manifest = engine.bundle.manifest
        self.name = manifest.name if name is None else name
        self.engine = engine
        self.sampler = IntervalSampler(manifest.window.interval_s)
        self.preprocessor: Preprocessor | SharedPreprocessor = Preprocessor(manifest.input)
        self.decider = Decider(manifest.labels, manifest.decision, model=self.name)
        self.telemetry = telemetry or Telemetry()
        self.gate = None if motion_gate is None else _gate(manifest, motion_gate)
        self.slowdown = 1
        self.stride = 1
        self._unanswered = 0

    def keep_pace(self, pace: Pace) -> None:
        """Answer and take frames as often as a level says.

        Args:
            pace: The level. Where the time between frames changes, the next one begins a new window.
        """
        # What keeps a state answers every frame: the answer costs nothing more.
        self.stride = 1 if self.engine.keeps_state else pace.stride
        if pace.slowdown != self.slowdown:
            self.slowdown = pace.slowdown
            self.sampler.slow_down(pace.slowdown)

    def wants_answer(self) -> bool:
        """Say whether the frame in hand is one that gets an answer, and count it."""
        self._unanswered += 1
        if self._unanswered < self.stride:
            return False
        self._unanswered = 0
        return True


def _gate(manifest: Manifest, share: float) -> MotionGate:
    if manifest.plan == "stack":
        raise UsageError(
            expected="a model with an encoder for a motion gate",
            got=manifest.plan,
            found=f"{manifest.name!r}, which runs as a whole (plan 'stack')",
        )
    return MotionGate(manifest.input, lookback=manifest.lookback, share=share)


def as_lanes(models: Engine | Lane | Sequence[Lane]) -> tuple[Lane, ...]:
    """Give one model, or several, as lanes.

    Args:
        models: An engine stands for a lane of its own.

    Returns:
        At least one lane.

    Raises:
        UsageError: None is given, or two have one name.
    """
    lanes = (Lane(models),) if isinstance(models, Engine) else (models,) if isinstance(models, Lane) else tuple(models)
    names = [lane.name for lane in lanes]
    if not lanes or len(set(names)) < len(names):
        raise UsageError(expected="at least one model, each with a name of its own", got=names, found=f"{names}")
    _share_preparation(lanes)
    return lanes


def _share_preparation(lanes: Iterable[Lane]) -> None:
    """Let lanes that want frames of one size, cut and colour have each prepared once."""
    alike: dict[InputSpec, list[Lane]] = {}
    for lane in lanes:
        # What pixels stand for is settled when they are quantised.
        alike.setdefault(dataclasses.replace(lane.engine.bundle.manifest.input, range=(0.0, 1.0)), []).append(lane)
    for spec, group in alike.items():
        if len(group) > 1:
            shared = SharedPreprocessor(spec)
            for lane in group:
                lane.preprocessor = shared
