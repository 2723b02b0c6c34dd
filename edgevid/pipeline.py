"""The main path: a source's frames become decisions and events. Read `Pipeline` first.

    source -> sampler -> preprocess -> engine -> decision -> decider -> events -> outputs

Time is the sensor's. A gap in it restarts the window and ends the open event: what is on both sides of a hole was never trained as one
clip. Per frame nothing of a frame's size is allocated; the frame goes from the source's buffer into the engine's slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from time import monotonic_ns

from edgevid.capture.feed import FrameFeed
from edgevid.capture.source import Source
from edgevid.decide import Decider, Decision, Event
from edgevid.engine import Engine
from edgevid.errors import UsageError
from edgevid.frame import Array, Frame
from edgevid.outputs.output import Output
from edgevid.preprocess import Preprocessor
from edgevid.sampling import IntervalSampler, Sample
from edgevid.telemetry import Telemetry

STALL_S = 10.0
_NS_PER_S = 1e9
_NS_PER_MS = 1e6


class Pipeline:
    """One model on one stream.

        with open_source("clip.mp4", bundle.manifest) as source:
            telemetry = Pipeline(Engine(bundle), source, [Collector()]).run()

    Args:
        engine: Runs the model.
        source: Open; the caller closes it.
        outputs: Take decisions and events, in this order.
        stall_s: Longest wait for a frame, in seconds.

    Attributes:
        telemetry: Latency and counts so far.
    """

    def __init__(self, engine: Engine, source: Source, outputs: Sequence[Output] = (), *, stall_s: float = STALL_S) -> None:
        if not stall_s > 0:
            raise UsageError(f"Expected a longest wait above 0 s, got {stall_s!r}.", expected="> 0", got=stall_s)
        manifest = engine.bundle.manifest
        self.telemetry = Telemetry()
        self._engine = engine
        self._live = source.live
        self._outputs = tuple(outputs)
        self._feed = FrameFeed(source, stall_s=stall_s)
        self._sampler = IntervalSampler(manifest.window.interval_s)
        self._preprocessor = Preprocessor(manifest.input)
        self._decider = Decider(manifest.labels, manifest.decision)
        self._next_index: int | None = None

    def run(self, *, max_frames: int | None = None) -> Telemetry:
        """Take frames until the source ends, `stop` is called or `max_frames` were seen. Call it once.

        Args:
            max_frames: Frames of the source to look at; None for all.

        Returns:
            The run's telemetry. Outputs are closed, the source is not.

        Raises:
            SourceStalled: The source gave nothing for `stall_s`.
            SourceError: The source broke.
            ContractError: A frame is not of the model's kind.
            BackendError: The interpreter failed.
        """
        try:
            with closing(self._feed.frames()) as frames:
                for frame in frames:
                    self._look_at(frame)
                    if self.telemetry.seen == max_frames:
                        break
        finally:
            self._finish()
        return self.telemetry

    def stop(self) -> None:
        """End the run after the frame in hand. May be called from a signal handler or another thread."""
        self._feed.stop()

    def _look_at(self, frame: Frame) -> None:
        """Take the frame if it is due."""
        arrived_ns = monotonic_ns()
        self._count(frame)
        sample = self._sampler.offer(frame.timestamp_ns)
        if sample is Sample.RESTART:
            self._restart()
        if sample is not Sample.SKIP:
            self._take(frame, arrived_ns)

    def _take(self, frame: Frame, arrived_ns: int) -> None:
        """Bring one frame through the model, and its answer to the outputs."""
        engine, telemetry = self._engine, self.telemetry
        self._preprocessor.write(frame, engine.slot())
        telemetry.preprocess.record(monotonic_ns() - arrived_ns)
        scores = engine.step()
        if scores is not None:
            self._answer(frame, scores, arrived_ns)
        self._record(monotonic_ns() - arrived_ns)

    def _answer(self, frame: Frame, scores: Array, arrived_ns: int) -> None:
        """Turn scores into a decision and perhaps the end of an event, and give both out."""
        answered_ns = monotonic_ns()
        age_ns = answered_ns - (frame.timestamp_ns if self._live else arrived_ns)
        values: list[float] = scores.tolist()
        score = max(values)
        decision = Decision(frame.timestamp_ns / _NS_PER_S, self._decider.labels[values.index(score)], score, scores, age_ns / _NS_PER_MS)
        ended = self._decider.update(decision.t_s, values)
        decided_ns = monotonic_ns()
        for output in self._outputs:
            output.decided(decision, self._decider.ongoing)
        self._give_out(ended)
        self.telemetry.decisions += 1
        self.telemetry.age.record(age_ns)
        self.telemetry.decide.record(decided_ns - answered_ns)
        self.telemetry.emit.record(monotonic_ns() - decided_ns)

    def _give_out(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.telemetry.events += 1
            for output in self._outputs:
                output.ended(event)

    def _restart(self) -> None:
        self.telemetry.gaps = self._sampler.gaps
        self._engine.restart()
        self._give_out(self._decider.flush())

    def _finish(self) -> None:
        """End the open event and close the outputs, whatever ended the run."""
        self._give_out(self._decider.flush())
        for output in self._outputs:
            output.close()

    def _count(self, frame: Frame) -> None:
        telemetry = self.telemetry
        telemetry.seen += 1
        if self._next_index is not None:
            telemetry.drops["source"] += max(0, frame.index - self._next_index)
        self._next_index = frame.index + 1

    def _record(self, total_ns: int) -> None:
        engine, telemetry = self._engine, self.telemetry
        if engine.encode_ns:
            telemetry.encode.record(engine.encode_ns)
        if engine.head_ns:
            telemetry.head.record(engine.head_ns)
        telemetry.outside.record(total_ns - engine.encode_ns - engine.head_ns)
        telemetry.total.record(total_ns)
        telemetry.taken += 1
