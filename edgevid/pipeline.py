"""The main path: a source's frames become decisions and events. Read `Pipeline` first.

    source -> taps -> for each model: sampler -> preprocess -> engine -> decision -> decider -> events -> outputs

Time is the sensor's. A gap in it restarts the window and ends the open event: what is on both sides of a hole was never trained as one
clip. Per frame nothing of a frame's size is allocated; the frame goes from the source's buffer into the engine's input buffer.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
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

STALL_S = 10.0
# A camera may spoil a frame when it is disturbed; one that spoils as many as this in a row is of another kind than the model's.
MAX_TORN = 30
_NS_PER_S = 1e9
_NS_PER_MS = 1e6


class Pipeline:
    """One model on one stream, or several.

        with open_source("clip.mp4", bundle.manifest) as source:
            telemetry = Pipeline(Engine(bundle), source, [Collector()]).run()

        Pipeline([Lane(gestures), Lane(falls)], camera, [JsonLines(sys.stdout, several=True)]).run()

    Args:
        models: An engine, or a lane for each of several; every one sees every frame once.
        source: Open; the caller closes it.
        outputs: Take decisions and events of all models, in this order.
        taps: Look at each frame before the models do.
        policy: "live" takes the newest frame and drops what it was too slow for; a camera that breaks is opened again. "file" lets the source
            wait and sees every frame. The source's own kind where None.
        stall_s: Longest wait for a frame, in seconds.

    Attributes:
        lanes: The models, each with its telemetry.
        telemetry: Latency and counts so far of the first model.
        pulse: The loop's sign of life.
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
        if not stall_s > 0:
            raise UsageError(expected="a longest wait above 0 s", got=stall_s)
        if policy not in (None, *POLICIES):
            raise UsageError(expected="a policy", choices=POLICIES, got=policy)
        self.lanes = as_lanes(models)
        self.telemetry = self.lanes[0].telemetry
        self._live = source.live
        self._outputs = tuple(outputs)
        self._taps = tuple(taps)
        self._wanting = [
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
            max_frames: Frames of the source to look at; None for all.

        Returns:
            The telemetry of the first model. Outputs are closed, the source is not.

        Raises:
            SourceStalled: The source delivered nothing for `stall_s`.
            SourceError: The source broke.
            ContractError: A frame is not of a model's kind.
            BackendError: The interpreter failed.
        """
        for _ in self.steps(max_frames=max_frames):
            pass
        return self.telemetry

    def steps(self, *, max_frames: int | None = None) -> Generator[None]:
        """Do the same as `run`, and pause after every frame. The pause is not counted as time that a frame is in hand.

        Args:
            max_frames: As for `run`.

        Yields:
            Nothing, after each frame. Closing the iterator ends the run.

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
        finally:
            self.pulse.loop_ended()
            self.close()

    def stop(self) -> None:
        """End the run after the frame in hand. May be called from a signal handler or another thread."""
        self._feed.stop()

    @property
    def live(self) -> bool:
        """Whether frames come whether or not the loop is ready for them."""
        return isinstance(self._feed, LiveFeed)

    @property
    def connected(self) -> bool:
        """Whether the source is open, as far as is known."""
        return self._feed.connected

    def keep_pace(self, level: int) -> None:
        """Give up as much as a level says, or take it back, from the next frame on. May be called from another thread.

        Args:
            level: Index into `edgevid.supervision.pace.LEVELS`.
        """
        self._wanted_level = level

    def close(self) -> None:
        """End the open events and close the outputs. `run` does it; the supervisor does it from another thread where the loop hangs."""
        for lane in self.lanes:
            self._give_out(lane, lane.decider.flush())
        for output in self._outputs:
            output.close()

    def process(self, frame: Frame, arrived_ns: int) -> None:
        """Show one frame to the taps and to each model for which it is due.

        Args:
            frame: Its buffer may change after the call.
            arrived_ns: When it arrived, on this machine's monotonic clock.

        Raises:
            ContractError: The frame is not of a model's kind.
            BackendError: The interpreter failed.
        """
        if self._wanted_level != self._level:
            self._change_pace(self._wanted_level)
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
            if sample is Sample.RESTART:
                self._restart(lane)
            if sample is not Sample.SKIP:
                self._take(lane, frame, arrived_ns)

    def _wants(self, timestamp_ns: int) -> bool:
        """Whether anybody here will look at a frame. Asked in the feed's thread."""
        return self._every_frame or any(wants(timestamp_ns) for wants in self._wanting)

    def _count_lost(self, frame: Frame) -> None:
        """Bring the counts of frames that did not come here up to date. Numbers that are missing were dropped by us, or by the source."""
        if self._next_index is not None:
            self._missing += max(0, frame.index - self._next_index)
        self._late, before = self._feed.late, self._passed
        self._passed = self._feed.passed
        for lane in self.lanes:
            drops = lane.telemetry.drops
            lane.telemetry.seen += self._passed - before
            lane.telemetry.reconnects = self._feed.reconnects
            drops["late"] = self._late
            drops["source"] = max(drops["source"], self._missing - self._late - self._passed)

    def _take(self, lane: Lane, frame: Frame, arrived_ns: int) -> None:
        """Bring one frame through one model, and its answer to the outputs."""
        engine, telemetry = lane.engine, lane.telemetry
        started_ns = monotonic_ns()
        if not self._prepare(lane, frame):
            return
        still = lane.gate is not None and lane.gate.is_still(engine.input_buffer())
        prepared_ns = monotonic_ns()
        wanted = lane.stride == 1 or lane.wants_answer()
        scores = engine.advance(answer=wanted, still=still)
        decide_ns = emit_ns = age_ns = NONE
        if scores is not None:
            decide_ns, emit_ns, age_ns = self._answer(lane, frame, scores, arrived_ns)
        if not wanted or still or lane.slowdown > 1:
            _count_spared(lane, answered=scores is not None, wanted=wanted, still=still)
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
        """Make the frame the model's. One that a live source spoilt is left out and counted; a source that gives nothing else is refused."""
        try:
            lane.preprocessor.write(frame, lane.engine.input_buffer())
        except ContractError:
            if not self.live or self._torn >= MAX_TORN:
                raise
            self._torn += 1
            lane.telemetry.drops["torn"] = lane.telemetry.drops.get("torn", 0) + 1
            return False
        self._torn = 0
        return True

    def _answer(self, lane: Lane, frame: Frame, scores: list[float], arrived_ns: int) -> tuple[int, int, int]:
        """Turn scores into a decision and perhaps the start or end of an event, and give them out; say how long both took, and the answer's age."""
        decider, engine = lane.decider, lane.engine
        answered_ns = monotonic_ns()
        age_ns = answered_ns - (frame.timestamp_ns if self._live else arrived_ns)
        if age_ns < 0:  # noqa: PLR1730  # a third of the price of max()
            age_ns = 0
        t_s, age_ms = frame.timestamp_ns / _NS_PER_S, age_ns / _NS_PER_MS
        label, score = decider.name(scores)
        values = _values(engine) if engine.values else NO_VALUES
        ended = decider.update(t_s, scores, age_ms=age_ms)
        started, ongoing = decider.started, decider.ongoing
        decision = Decision(
            t_s, label, score, scores, age_ms, decider.labels, lane.name, values, ended, started, ongoing
        )
        decided_ns = monotonic_ns()
        for output in self._outputs:
            output.decided(decision)
        if ended or started is not None:
            self._give_out(lane, ended, started)
        lane.telemetry.decisions += 1
        return decided_ns - answered_ns, monotonic_ns() - decided_ns, age_ns

    def _give_out(self, lane: Lane, ended: tuple[Event, ...], started: Event | None = None) -> None:
        for event in ended:
            lane.telemetry.events += 1
            for output in self._outputs:
                output.ended(event)
        if started is not None:
            for output in self._outputs:
                output.started(started)

    def _change_pace(self, level: int) -> None:
        self._level = level
        for lane in self.lanes:
            lane.keep_pace(LEVELS[level])
            lane.telemetry.pace_level = level
            lane.telemetry.pace_changes += 1

    def _restart(self, lane: Lane) -> None:
        lane.telemetry.gaps = lane.sampler.gaps
        lane.engine.restart()
        if lane.gate is not None:
            lane.gate.restart()
        self._give_out(lane, lane.decider.flush())


def _values(engine: Engine) -> Mapping[str, Sequence[float]]:
    """What a model gave beside its scores, by name; most models give nothing."""
    return {
        value.name: numbers.tolist()
        for value, numbers in zip(engine.bundle.manifest.values, engine.values, strict=True)
    }


def _count_spared(lane: Lane, *, answered: bool, wanted: bool, still: bool) -> None:
    """Count what was left out for a frame: its answer, its encoder, those that were due since the one before."""
    telemetry = lane.telemetry
    telemetry.unanswered += not (answered or wanted)
    telemetry.still += still
    if lane.slowdown > 1:
        telemetry.drops["pace"] = telemetry.drops.get("pace", 0) + lane.slowdown - 1
