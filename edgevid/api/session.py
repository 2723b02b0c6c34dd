"""One run: models, source, outputs, board and supervisor, which open and close together.

The command `edgevid run`, `edgevid.run`, `Model.watch` and `Model.events` all use a `Session`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from edgevid.api.counting import add_counters
from edgevid.api.framed_lanes import FramedLanes, choose_framing, frame_lanes
from edgevid.api.open_outputs import Context, RunOutputs, assemble
from edgevid.api.process_settings import frozen_heap, short_switch_interval
from edgevid.board import BoardSampler
from edgevid.bundle.framing import Follow
from edgevid.capture import Flip, Policy, Rotation, Source, open_source, oriented
from edgevid.capture.features import FeatureFile
from edgevid.errors import UsageError
from edgevid.frames.region import RegionLike
from edgevid.lane import Lane, as_lanes
from edgevid.outputs.output import Output
from edgevid.outputs.web.region_control import RegionControl
from edgevid.outputs.web.region_file import RegionFile
from edgevid.pipeline import STALL_S, Pipeline
from edgevid.supervision.pace import Pacer, paces
from edgevid.supervision.supervisor import Supervisor, leave
from edgevid.supervision.systemd import Notifier
from edgevid.telemetry.environment import opencv_difference
from edgevid.telemetry.telemetry import Telemetry
from edgevid.updates.slots import Slots, Started
from edgevid.updates.trial import TrialPeriod

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

_log = logging.getLogger(__name__)


class LaneProvider(Protocol):
    """The part of `edgevid.Model` that a session uses."""

    @property
    def path(self) -> Path | None:
        """The file or folder of the bundle; None for a bundle in memory."""
        ...

    @property
    def started(self) -> Started | None:
        """The start that was counted in a device's folder; None for another bundle."""
        ...

    def lent_lane(self) -> AbstractContextManager[Lane]:
        """Lend a fresh lane, until the context exits."""
        ...


class Session:
    """Runs models on a source.

        with Session([model], source="picamera2", outputs=[Mqtt("mqtt://broker.local")]) as session:
            session.run()
            print(session.summary())

    Args:
        models: One model or several with different names. Each sees every frame once.
        source: An address as for `edgevid run --source`, a path, or an open source, which is closed.
        outputs: Outputs such as `edgevid.Mqtt` and `edgevid.Clips`, functions that take an event,
            or objects with the methods of `edgevid.Output`.
        policy: "live" drops frames while the loop is busy, "file" lets the source wait. None
            selects the source's own.
        stall_s: Longest wait for a frame, in seconds.
        rotate: Degrees clockwise by which every picture is turned: 0, 90, 180 or 270. None for this, and
            for the next three, does what the training of each model did.
        flip: "horizontal" swaps left and right after that, "vertical" top and bottom, "both", or "none".
        region: What the models see of the turned pictures: an `edgevid.Region`, or a rectangle such as
            "0.25,0.1,0.5,0.8". `edgevid.Region()` is all of them. Outputs see whole pictures.
        follow: "person" shows the models a square around a person in the region, "none" all of it.
        region_file: A TOML file that holds the region instead. Viewers of the page may change it.
        count: Repetitions to count, each a class or phases with commas between, such as "up,down".
            `Decision.counts` has the running counts; see `edgevid.count`.
        exit_when_stuck: End the process with exit code 75 if a frame takes too long, so that systemd,
            for example, starts it again. Use it only if the process has nothing else to do.
        board_root: The folder of the board's `sys`, `proc` and `usr`.

    Attributes:
        pipeline: The loop; set while the session is open.
        source: The open source; set while the session is open.
        board: The board's state, sampled once a second.
    """

    pipeline: Pipeline
    source: Source

    def __init__(
        self,
        models: LaneProvider | Sequence[LaneProvider],
        *,
        source: str | Path | Source,
        outputs: Iterable[OutputLike] = (),
        policy: Policy | None = None,
        stall_s: float = STALL_S,
        rotate: Rotation | None = None,
        flip: Flip | None = None,
        region: RegionLike = None,
        follow: Follow | None = None,
        region_file: str | Path | None = None,
        count: Iterable[str] = (),
        exit_when_stuck: bool = False,
        board_root: Path = Path("/"),
    ) -> None:
        self.models = tuple(models) if isinstance(models, Sequence) else (models,)
        self.board = BoardSampler(board_root)
        self._wanted_source = source
        self._region_file = None if region_file is None else RegionFile(Path(region_file))
        self._choice = choose_framing(rotate=rotate, flip=flip, region=region, file=self._region_file, follow=follow)
        self._wanted_outputs = tuple(outputs)
        self._count = (count,) if isinstance(count, str) else tuple(count)
        self._policy, self._stall_s = policy, stall_s
        self._exit_when_stuck = exit_when_stuck
        self._threaded = False
        self._opened: tuple[Output, ...] = ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open everything. If a step fails, close what was opened before it.

        Raises:
            UsageError: A source, output or argument is not legal.
            SourceError: The source cannot be opened.
            BackendError: The interpreter rejects a part.
        """
        with ExitStack() as stack:
            lanes = as_lanes([stack.enter_context(model.lent_lane()) for model in self.models])
            framed = frame_lanes(lanes, self._choice, may_move=self._region_file is not None)
            add_counters(lanes, self._count)
            self.source = stack.enter_context(self._open_source(lanes, framed))
            self._open_networks(lanes)
            self._warn_of_other_opencv(lanes)
            stack.enter_context(self.board)
            opened = self._assemble(lanes, framed)
            self._threaded = opened.threaded
            # Last, so that an answer counts for the trial only after every output has accepted it.
            with ExitStack() as closing:
                for output in opened.outputs:
                    closing.callback(output.close)
                outputs = [*opened.outputs, *self._trials()]
                self._opened = tuple(outputs)
                self.pipeline = Pipeline(
                    lanes, self.source, outputs, taps=opened.taps, policy=self._policy, stall_s=self._stall_s
                )
                # The pipeline closes them when it runs.
                closing.pop_all()
            # From here on `__exit__` closes them.
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the source and return the engines to their models."""
        self._stack.close()

    def run(self, *, max_frames: int | None = None) -> Mapping[str, Telemetry]:
        """Run until the source ends, `stop` is called or `max_frames` is reached. Call it once.

        Args:
            max_frames: Number of frames of the source; None for all.

        Returns:
            Telemetry by name of the model. The outputs are closed.

        Raises:
            SourceStalled: The source delivered nothing for `stall_s`.
            SourceError: The source failed.
            ContractError: A frame does not fit the input of a model.
            BackendError: The interpreter failed.
        """
        with frozen_heap(), short_switch_interval() if self._threaded else ExitStack():
            for _ in self.steps(max_frames=max_frames):
                pass
        return self.telemetry

    def steps(self, *, max_frames: int | None = None) -> Generator[None]:
        """Run as `run` does, but yield after every frame.

        Args:
            max_frames: Number of frames of the source; None for all.

        Yields:
            None, after each frame. Closing the iterator ends the run.
        """
        with self._supervisor(), closing(self.pipeline.steps(max_frames=max_frames)) as steps:
            yield from steps

    def stop(self) -> None:
        """End after the current frame. May be called from a signal handler or another thread."""
        self.pipeline.stop()

    @property
    def telemetry(self) -> Mapping[str, Telemetry]:
        """Latency and counts so far, by name of the model."""
        return {lane.name: lane.telemetry for lane in self.pipeline.lanes}

    @property
    def failures(self) -> tuple[str, ...]:
        """Why each output that cannot go on ended before the run, such as a recording on a full disk."""
        from edgevid.outputs.timeline.recorder import TimelineRecorder
        from edgevid.recorder import Recorder

        recorders = (each for each in self._opened if isinstance(each, (Recorder, TimelineRecorder)))
        return tuple(each.problem for each in recorders if each.problem)

    def summary(self) -> str:
        """Summarise the run: latency and counts of each model, and the state of the board.

        Returns:
            Lines of text; empty if there was no frame.
        """
        self.board.stop()
        lanes = zip(self.models, self.pipeline.lanes, strict=True)
        lines = [self._summary_of(model, lane) for model, lane in lanes if lane.telemetry.seen]
        return "\n".join([*lines, self.board.history.as_text(), ""]) if self.pipeline.telemetry.seen else ""

    def _summary_of(self, model: LaneProvider, lane: Lane) -> str:
        name = lane.name if model.path is None else model.path.name
        heading = f"{name} on {self.source.name}, {lane.engine.interpreter}, threads: {lane.engine.threads}"
        table = lane.telemetry.as_table() if lane.stage is None else lane.stage.summary(lane.telemetry)
        return "\n".join(filter(None, [heading, table, "" if lane.follower is None else lane.follower.as_table()]))

    def _open_source(self, lanes: Sequence[Lane], framed: FramedLanes) -> Source:
        wanted, turn = self._wanted_source, framed.orientation
        if isinstance(wanted, (str, Path)):
            manifest = lanes[0].engine.bundle.manifest
            return open_source(
                str(wanted),
                manifest,
                policy=self._policy,
                rotate=turn.rotate,
                flip=turn.flip,
                is_cut=framed.is_cut,
                has_keypoints=lanes[0].stage is not None,
            )
        if not callable(getattr(wanted, "frames", None)):
            raise UsageError(expected="a source: its address, a path, or an object with frames()", got=wanted)
        return oriented(wanted, turn)

    def _open_networks(self, lanes: Sequence[Lane]) -> None:
        """Load the networks of key points before the first frame, which would wait for them."""
        for lane in lanes:
            if lane.follower is not None:
                lane.follower.open()
            # A file of rows needs none, and a device may have none.
            if lane.stage is not None and not isinstance(self.source, FeatureFile):
                lane.stage.open()

    def _warn_of_other_opencv(self, lanes: Sequence[Lane]) -> None:
        if not getattr(self.source, "decodes_video", False):
            return
        for lane in lanes:
            difference = opencv_difference(lane.engine.bundle.manifest.versions)
            if difference:
                _log.warning("%s: %s", lane.name, difference)

    def _assemble(self, lanes: tuple[Lane, ...], framed: FramedLanes) -> RunOutputs:
        live = self.source.live if self._policy is None else self._policy == "live"
        control = RegionControl(framed.cropper, self._region_file, follower=framed.follower)
        region = control if lanes[0].sees_pictures else None
        context = Context(lanes=lanes, source=self.source, live=live, board=self.board, region=region)
        return assemble(self._wanted_outputs, context)

    def _trials(self) -> list[Output]:
        """Return an output for each bundle on trial, which confirms it after the trial period."""
        # Not the state on the card: it may name a trial although the active bundle runs, because
        # the start could not be counted.
        starts = [(model.path, model.started) for model in self.models if model.path and model.started]
        return [
            TrialPeriod(Slots(path), period_s=started.trial.period_s, sha256=started.sha256)
            for path, started in starts
            if started.trial is not None
        ]

    def _supervisor(self) -> Supervisor:
        levels = paces(keeps_state=all(lane.engine.keeps_state for lane in self.pipeline.lanes))
        pacer = Pacer(levels=levels) if self.pipeline.live else None
        return Supervisor(
            self.pipeline,
            board=self.board,
            notifier=Notifier(),
            pacer=pacer,
            leave=leave if self._exit_when_stuck else None,
        )


def run(
    models: LaneProvider | Sequence[LaneProvider],
    *,
    source: str | Path | Source,
    outputs: Iterable[OutputLike] = (),
    policy: Policy | None = None,
    stall_s: float = STALL_S,
    rotate: Rotation | None = None,
    flip: Flip | None = None,
    region: RegionLike = None,
    follow: Follow | None = None,
    region_file: str | Path | None = None,
    count: Iterable[str] = (),
    max_frames: int | None = None,
    exit_when_stuck: bool = False,
    on_start: Callable[[Session], None] = lambda _session: None,
) -> Mapping[str, Telemetry]:
    """Run models on a source until it ends, as `edgevid run` does.

        edgevid.run([gestures, falls], source="picamera2",
        outputs=[edgevid.Mqtt("mqtt://broker.local"), my_function])

    Args:
        models, source, outputs, policy, stall_s: See `Session`.
        rotate, flip, region, follow, region_file, count, exit_when_stuck: See `Session`.
        max_frames: Stop after this many frames of the source; None runs to its end.
        on_start: Called with the session before the first frame. Use it to keep the session: any
            thread may call its `stop`.

    Returns:
        Telemetry by name of the model: latency by stage, frames, decisions, events, drops.

    Raises:
        EdgevidError: See `Session` and its `run`.
    """
    session = Session(
        models,
        source=source,
        outputs=outputs,
        policy=policy,
        stall_s=stall_s,
        rotate=rotate,
        flip=flip,
        region=region,
        follow=follow,
        region_file=region_file,
        count=count,
        exit_when_stuck=exit_when_stuck,
    )
    with session:
        on_start(session)
        return session.run(max_frames=max_frames)
