"""The scores of a bundle over a recording, by the device's own loop."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from convert.event_metrics.trace import ScoreTrace, Segment
from convert.watching.timed import check_length, open_recording
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.events.decide import Decision
from edgevid.inference.engine import Engine
from edgevid.lane import Lane
from edgevid.outputs.output import QuietOutput
from edgevid.pipeline import Pipeline


class Watch(Protocol):
    """Runs a model over what it sees of a recording."""

    def __call__(self, path: Path, framing: Framing = PLAIN) -> ScoreTrace:
        """Return the scores.

        Args:
            path: The recording.
            framing: What the model sees of its pictures.
        """
        ...


class _TraceOutput(QuietOutput):
    """Keeps times and scores, and where the decider began anew."""

    def __init__(self, lane: Lane) -> None:
        self._decider = lane.decider
        self.times_s: list[float] = []
        self.scores: list[np.ndarray] = []
        self.segments: list[Segment] = []

    def decided(self, decision: Decision) -> None:
        """Keep a decision."""
        began_s = self._decider.began_s
        assert began_s is not None
        if not self.segments or self.segments[-1].began_s != began_s:
            self.segments.append(Segment(len(self.times_s), began_s))
        self.times_s.append(decision.t_s)
        self.scores.append(np.asarray(decision.probabilities, np.float64))


def bundle_watch(engine: Engine, *, level: int = 0) -> Watch:
    """Return a watch that runs a bundle.

    Args:
        engine: Of the bundle; it restarts for each recording.
        level: Pace level, an index into `edgevid.supervision.pace.LEVELS`.
    """
    manifest = engine.bundle.manifest

    def watch(path: Path, framing: Framing = PLAIN) -> ScoreTrace:
        engine.restart()
        lane = Lane(engine)
        output = _TraceOutput(lane)
        with open_recording(path, manifest.input.kind, manifest.window, framing) as source:
            source.deliver_only(lane.sampler.wants)
            pipeline = Pipeline(lane, source, [output])
            pipeline.keep_pace(level)
            pipeline.run()
        taken, answers = lane.telemetry.taken, len(output.times_s)
        if level == 0:
            check_length(path, manifest.window, taken=taken, answers=answers, duration_s=source.duration_s)
        elif taken < manifest.window.frames:
            # The loop repeats the last frame of a short clip; a stream that goes on would not be answered.
            output = _TraceOutput(lane)
        return ScoreTrace(
            times_s=np.array(output.times_s, np.float64),
            scores=np.array(output.scores, np.float64).reshape(-1, len(manifest.labels)),
            segments=tuple(output.segments),
            duration_s=source.duration_s,
        )

    return watch
