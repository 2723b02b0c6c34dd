"""The main path: frames of a source become decisions and events. Read `Pipeline` first.

    source -> taps -> for each model: sampler -> region -> preprocess -> engine -> decision -> decider
    -> events -> outputs

All times are sensor times. The loop allocates nothing of a frame's size: the preprocessor writes
from the source's buffer into the engine's input buffer. Taps see whole pictures, models the region.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from threading import TIMEOUT_MAX
from time import monotonic_ns

from edgevid.capture.feeds.file_feed import FrameFeed
from edgevid.capture.feeds.live_feed import LiveFeed
from edgevid.capture.open import POLICIES, Policy
from edgevid.capture.source import Source
from edgevid.errors import ContractError, UsageError
from edgevid.events.decide import NO_VALUES, Decision, Event
from edgevid.frames import Frame
from edgevid.frames.sampling import Sample
from edgevid.inference.engine import Engine
from edgevid.lane import Lane, as_lanes
from edgevid.outputs.output import Output, PickyTap, Tap
from edgevid.supervision.pace import LEVELS
from edgevid.supervision.pulse import Pulse
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import Telemetry
from edgevid.units import NS_PER_MS, NS_PER_S

STALL_S = 10.0
# A disturbed camera delivers a torn frame now and then. This many in a row mean a camera of another
# size or format than the model's.
MAX_TORN = 30


class Pipeline:
    """Runs one or several models on one stream.

        with open_source("clip.mp4", bundle.manifest) as source:
            telemetry = Pipeline(Engine(bundle), source, [Collector()]).run()

        Pipeline([Lane(gestures), Lane(falls)], camera, [JsonLines(sys.stdout, several=True)]).run()

    Args:
        models: An engine, or one lane per model. Every model sees every frame once.
        source: An open source; the caller closes it.
        outputs: Receive the decisions and events of all models, in this order. The pipeline closes them.
        taps: See each frame before the models do.
        policy: "live" takes the newest frame, drops frames that arrive too late and reopens a
            camera that fails. "file" processes every frame and lets the source wait. None for the
            source's own kind.
        stall_s: Longest wait for a frame in seconds, above 0 and not infinite.

    Raises:
        UsageError: If the policy is unknown, `stall_s` is not legal, or two lanes have the same name.

    Attributes:
        lanes: One per model, each with its telemetry.
        telemetry: Telemetry of the first model.
        pulse: Heartbeat of the loop, for a supervisor.
    """

    def __init__(
        self,
        models: Engine | Lane | Sequence[Lane],
        source: Source,
        outputs: Sequence[Output] = (),
        *,
        taps: Sequence[Tap] = (),
        policy: Policy | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        if not 0 < stall_s < TIMEOUT_MAX:
            raise UsageError(expected="a stall limit above 0 s and not infinite", got=stall_s)
        if policy not in (None, *POLICIES):
            raise UsageError(expected="a policy", choices=POLICIES, got=policy)
        self.lanes = as_lanes(models)
        self.telemetry = self.lanes[0].telemetry
        self._live, self._name = source.live, source.name
        self._is_stopped = False
        self._outputs = tuple(outputs)
        self._taps = tuple(taps)
        # The feed asks these before it decodes a frame: it skips frames that nobody will look at.
        self._predicates = [
            *(lane.sampler.wants for lane in self.lanes),
            *(tap.wants for tap in taps if isinstance(tap, PickyTap)),
        ]
        self._every_frame = not all(isinstance(tap, PickyTap) for tap in taps)
        live = source.live if policy is None else policy == "live"
        self._feed = (
            LiveFeed(source, stall_s=stall_s, wanted=self._wants) if live else FrameFeed(source, stall_s=stall_s)
        )
        self._next_index: int | None = None
        self._missing = self._late = self._passed = 0
        self.pulse = Pulse()
        self._level = self._wanted_level = 0
        self._torn = 0

    def run(self, *, max_frames: int | None = None) -> Telemetry:
        """Process frames until the source ends, `stop` is called or `max_frames` were seen. Call it once.

        Args:
            max_frames: Number of source frames to process; None for all.

        Returns:
            The telemetry of the first model. The outputs are closed, the source is not.

        Raises:
            SourceStalled: If the source delivers nothing for `stall_s`.
            SourceError: If the source fails.
            ContractError: If a model cannot take the frames.
            BackendError: If the interpreter fails.
        """
        for _ in self.steps(max_frames=max_frames):
            pass
        return self.telemetry

    def steps(self, *, max_frames: int | None = None) -> Generator[None]:
        """Run like `run`, but pause after each frame. The pause does not count as processing time.

        Args:
            max_frames: Number of source frames to process; None for all.

        Yields:
            None after each frame. Closing the iterator ends the run.

        Raises:
            EdgevidError: As for `run`.
        """
        self.pulse.loop_started()
        try:
            with closing(self._feed.frames()) as frames:
                for frame in frames:
                    arrived_ns = monotonic_ns()
                    self.pulse.frame_started(arrived_ns)
                    self.process(frame, arrived_ns)
                    self.pulse.frame_done(monotonic_ns())
                    yield
                    if max_frames is not None and self.telemetry.seen >= max_frames:
                        break
                else:
                    self._fill_short_windows()
        finally:
            self.pulse.loop_ended()
            self.close()

    def stop(self) -> None:
        """End the run after the current frame. Signal handlers and other threads may call it."""
        self._is_stopped = True
        self._feed.stop()

    @property
    def live(self) -> bool:
        """Whether the source delivers at its own pace, ready or not."""
        return isinstance(self._feed, LiveFeed)

    @property
    def connected(self) -> bool:
        """Whether the source is open, as of the last read."""
        return self._feed.connected

    def keep_pace(self, level: int) -> None:
        """Set the pace level from the next frame on. Other threads may call it.

        Args:
            level: Index into `edgevid.supervision.pace.LEVELS`; 0 for full quality.
        """
        self._wanted_level = level

    def close(self) -> None:
        """End the open events and close the outputs.

        `run` calls it. If the loop hangs, the supervisor calls it from another thread.
        """
        for lane in self.lanes:
            self._emit_events(lane, lane.decider.flush())
        for output in self._outputs:
            output.close()

    def process(self, frame: Frame, arrived_ns: int) -> None:
        """Pass one frame to the taps, and to each model whose sampler takes it.

        Args:
            frame: Its buffer may change after the call.
            arrived_ns: Arrival time on this machine's monotonic clock.

        Raises:
            ContractError: If a model cannot take the frame.
            BackendError: If the interpreter fails.
        """
        if self._wanted_level != self._level:
            self._change_pace(self._wanted_level)
        # Rare, so the counts cost nothing on a stream without losses.
        if (
            frame.index != self._next_index
            or self._feed.late != self._late
            or self._feed.reconnects != self.telemetry.reconnects
        ):
            self._count_lost(frame)
        self._next_index = frame.index + 1
        for tap in self._taps:
            tap.saw(frame)
        for lane in self.lanes:
            lane.telemetry.saw(arrived_ns)
            sample = lane.sampler.offer(frame.timestamp_ns)
            # Training saw no clip with a hole in it, or of two places: a gap or another region restarts
            # the window and ends the open event.
            if sample is Sample.RESTART or lane.has_moved():
                self._restart(lane)
            if sample is not Sample.SKIP:
                lane.saw(frame.timestamp_ns)
                lane.watch_rate(frame.timestamp_ns, is_late=self._late > 0)
                self._process_lane(lane, frame, arrived_ns)

    def _wants(self, timestamp_ns: int) -> bool:
        """Return whether a model or tap will look at a frame. Called in the feed's thread."""
        return self._every_frame or any(wants(timestamp_ns) for wants in self._predicates)

    def _count_lost(self, frame: Frame) -> None:
        """Update the counters of lost frames. A gap in frame indices is a drop by the feed or by the source."""
        if self._next_index is not None:
            self._missing += max(0, frame.index - self._next_index)
        self._late, before = self._feed.late, self._passed
        self._passed = self._feed.passed
        for lane in self.lanes:
            drops = lane.telemetry.drops
            lane.telemetry.seen += self._passed - before
            lane.telemetry.reconnects = self._feed.reconnects
            drops["late"] = self._late
            # The feed's own counters may be ahead of the current frame; the total never goes down.
            drops["source"] = max(drops["source"], self._missing - self._late - self._passed)

    def _process_lane(self, lane: Lane, frame: Frame, arrived_ns: int) -> None:
        """Run one model on a frame and pass its answer to the outputs."""
        engine, telemetry = lane.engine, lane.telemetry
        started_ns = monotonic_ns()
        if not self._prepare(lane, frame):
            return
        still = lane.gate is not None and lane.gate.is_still(engine.input_buffer())
        if not self.live and telemetry.decisions == 0:
            lane.keep_last(frame)
        prepared_ns = monotonic_ns()
        wanted = lane.stride == 1 or lane.wants_answer()
        scores = engine.advance(answer=wanted, still=still)
        decide_ns = emit_ns = age_ns = NONE
        if scores is not None:
            decide_ns, emit_ns, age_ns = self._answer(lane, frame, scores, arrived_ns)
        if not wanted or still or lane.slowdown > 1:
            lane.count_savings(answered=scores is not None, wanted=wanted, still=still)
        total_ns = monotonic_ns() - started_ns
        encode_ns, head_ns = engine.encode_ns, engine.head_ns
        outside_ns = total_ns - encode_ns - head_ns
        late_ns = lane.sampler.late_ns
        telemetry.note(
            prepared_ns - started_ns,
            encode_ns or NONE,
            head_ns or NONE,
            decide_ns,
            emit_ns,
            outside_ns,
            total_ns,
            age_ns,
            late_ns,
        )
        telemetry.taken += 1

    def _prepare(self, lane: Lane, frame: Frame) -> bool:
        """Write the frame into the engine's input; return False for a torn frame of a live source."""
        try:
            lane.prepare(frame)
        except ContractError:
            # A file cannot tear frames; there the mismatch is permanent.
            if not self.live or self._torn >= MAX_TORN:
                raise
            self._torn += 1
            lane.telemetry.drops["torn"] = lane.telemetry.drops.get("torn", 0) + 1
            return False
        self._torn = 0
        return True

    def _answer(self, lane: Lane, frame: Frame, scores: list[float], arrived_ns: int) -> tuple[int, int, int]:
        """Decide and emit; return the time for each and the age of the answer, in nanoseconds."""
        decider, engine = lane.decider, lane.engine
        answered_ns = monotonic_ns()
        # Only a live source stamps frames on this machine's clock.
        age_ns = answered_ns - (frame.timestamp_ns if self._live else arrived_ns)
        if age_ns < 0:  # noqa: PLR1730  # max() takes three times as long
            age_ns = 0
        t_s, age_ms = frame.timestamp_ns / NS_PER_S, age_ns / NS_PER_MS
        label, score = decider.name(scores)
        values = _extra_values(engine) if engine.values else NO_VALUES
        ended = decider.update(t_s, scores, age_ms=age_ms)
        started, ongoing = decider.started, decider.ongoing
        decision = Decision(
            t_s, label, score, scores, age_ms, decider.labels, lane.name, values, ended, started, ongoing
        )
        if lane.counters:
            decision.counts = lane.count(t_s, scores)
        decided_ns = monotonic_ns()
        for output in self._outputs:
            output.decided(decision)
        if ended or started is not None:
            self._emit_events(lane, ended, started)
        lane.telemetry.decisions += 1
        return decided_ns - answered_ns, monotonic_ns() - decided_ns, age_ns

    def _emit_events(self, lane: Lane, ended: tuple[Event, ...], started: Event | None = None) -> None:
        for event in ended:
            lane.telemetry.events += 1
            for output in self._outputs:
                output.ended(event)
        if started is not None:
            for output in self._outputs:
                output.started(started)

    def _fill_short_windows(self) -> None:
        """Answer a clip that ended before the first window was full, as `edgevid evaluate` does."""
        for lane in () if self.live or self._is_stopped else self.lanes:
            if (filled := lane.fill_window(self._name)) is not None:
                self._answer(lane, *filled, monotonic_ns())

    def _change_pace(self, level: int) -> None:
        self._level = level
        for lane in self.lanes:
            lane.keep_pace(LEVELS[level])
            lane.telemetry.pace_level = level
            lane.telemetry.pace_changes += 1

    def _restart(self, lane: Lane) -> None:
        lane.telemetry.gaps = lane.sampler.gaps
        self._emit_events(lane, lane.restart())


def _extra_values(engine: Engine) -> Mapping[str, Sequence[float]]:
    """Return the newest values of the outputs besides the scores, by name."""
    return {
        value.name: numbers.tolist()
        for value, numbers in zip(engine.bundle.manifest.values, engine.values, strict=True)
    }
