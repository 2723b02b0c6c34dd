"""One run: models, a source, outputs, the board and the supervisor, opened together and closed together.

`edgevid run`, `edgevid.run`, `LendsLane.watch` and `LendsLane.events` are all a `Session`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from edgevid.api.assembly import Assembled, Context, assemble
from edgevid.board import BoardSampler
from edgevid.capture import Policy, Source, open_source
from edgevid.errors import UsageError
from edgevid.lane import Lane, as_lanes
from edgevid.outputs.output import Output
from edgevid.pipeline import STALL_S, Pipeline
from edgevid.supervision.pace import Pacer, paces
from edgevid.supervision.supervisor import Supervisor, leave
from edgevid.supervision.systemd import Notifier
from edgevid.telemetry.telemetry import Telemetry
from edgevid.updates.slots import Slots
from edgevid.updates.trial import TrialPeriod

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

# How long a thread of an output may hold the interpreter's lock while the loop waits for it; Python's own 5 ms are longer than a frame's work.
_SWITCH_S = 0.0005


class LendsLane(Protocol):
    """What a session needs of a model; `edgevid.Model` is one."""

    @property
    def path(self) -> Path | None:
        """File or slots folder that it was read from."""
        ...

    def lent_lane(self) -> AbstractContextManager[Lane]:
        """Lend a fresh lane."""
        ...


class Session:
    """Runs models on a source.

        with Session([model], source="picamera2", outputs=[Mqtt("mqtt://broker.local")]) as session:
            session.run()
            print(session.summary())

    Args:
        models: One or several; each sees every frame once.
        source: As for `--source`, a path, or an open source of your own. Closed with the session.
        outputs: What `edgevid.api.outputs` declares, functions that take an event, or objects with the methods of `edgevid.Output`.
        policy: As for `--policy`: "live", "file", or the source's own kind where None.
        stall_s: Longest wait for a frame, in seconds.
        exit_when_stuck: End the process with exit code 75 when a frame is in hand for too long, so that its supervisor starts it again.
        board_root: Where `sys`, `proc` and `usr` of the board are.

    Attributes:
        pipeline: The loop; there from entering on.
        source: The open source; there from entering on.
        board: Sampled once a second.
    """

    pipeline: Pipeline
    source: Source

    def __init__(
        self,
        models: LendsLane | Sequence[LendsLane],
        *,
        source: str | Path | Source,
        outputs: Iterable[OutputLike] = (),
        policy: Policy | None = None,
        stall_s: float = STALL_S,
        exit_when_stuck: bool = False,
        board_root: Path = Path("/"),
    ) -> None:
        self.models = tuple(models) if isinstance(models, Sequence) else (models,)
        self.board = BoardSampler(board_root)
        self._wanted_source = source
        self._wanted_outputs = tuple(outputs)
        self._policy, self._stall_s = policy, stall_s
        self._exit_when_stuck = exit_when_stuck
        self._threaded = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open everything, or nothing.

        Raises:
            UsageError: A source, output or option is wrong.
            SourceError: The source cannot be opened.
            BackendError: The interpreter rejects a part.
        """
        with ExitStack() as stack:
            lanes = as_lanes([stack.enter_context(model.lent_lane()) for model in self.models])
            self.source = stack.enter_context(self._open_source(lanes))
            stack.enter_context(self.board)
            opened = self._assemble(lanes)
            self._threaded = opened.threaded
            outputs = [*opened.outputs, *self._trials()]
            self.pipeline = Pipeline(
                lanes, self.source, outputs, taps=opened.taps, policy=self._policy, stall_s=self._stall_s
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the source and give the engines back."""
        self._stack.close()

    def run(self, *, max_frames: int | None = None) -> Mapping[str, Telemetry]:
        """Run until the source ends, `stop` is called or `max_frames` were seen. Call it once.

        Args:
            max_frames: Frames of the source to look at; None for all.

        Returns:
            Telemetry by model. Outputs are closed.

        Raises:
            SourceStalled: The source delivered nothing for `stall_s`.
            SourceError: The source broke.
            ContractError: A frame is not of a model's kind.
            BackendError: The interpreter failed.
        """
        with _settled_heap(), _fast_switches() if self._threaded else ExitStack():
            for _ in self.steps(max_frames=max_frames):
                pass
        return self.telemetry

    def steps(self, *, max_frames: int | None = None) -> Generator[None]:
        """Do the same as `run`, and pause after every frame.

        Args:
            max_frames: As for `run`.

        Yields:
            Nothing, after each frame.
        """
        with self._supervisor(), closing(self.pipeline.steps(max_frames=max_frames)) as steps:
            yield from steps

    def stop(self) -> None:
        """End the run after the frame in hand. May be called from a signal handler or another thread."""
        self.pipeline.stop()

    @property
    def telemetry(self) -> Mapping[str, Telemetry]:
        """Latency and counts so far, by model."""
        return {lane.name: lane.telemetry for lane in self.pipeline.lanes}

    def summary(self) -> str:
        """Describe what each model cost and found, and how the board was.

        Returns:
            Lines of text; empty where no frame was seen.
        """
        self.board.stop()
        lines = [
            self._summary_of(model, lane)
            for model, lane in zip(self.models, self.pipeline.lanes, strict=True)
            if lane.telemetry.seen
        ]
        return "\n".join([*lines, self.board.history.as_text(), ""]) if self.pipeline.telemetry.seen else ""

    def _summary_of(self, model: LendsLane, lane: Lane) -> str:
        name = lane.name if model.path is None else model.path.name
        return f"{name} on {self.source.name}, {lane.engine.interpreter}, threads: {lane.engine.threads}\n{lane.telemetry.as_table()}"

    def _open_source(self, lanes: Sequence[Lane]) -> Source:
        wanted = self._wanted_source
        if isinstance(wanted, (str, Path)):
            return open_source(str(wanted), lanes[0].engine.bundle.manifest, policy=self._policy)
        if not callable(getattr(wanted, "frames", None)):
            raise UsageError(expected="a source: its address, a path, or an object with frames()", got=wanted)
        return wanted

    def _assemble(self, lanes: tuple[Lane, ...]) -> Assembled:
        live = self.source.live if self._policy is None else self._policy == "live"
        return assemble(self._wanted_outputs, Context(lanes=lanes, source=self.source, live=live, board=self.board))

    def _trials(self) -> list[Output]:
        """A bundle on trial in a device's slots confirms itself after its trial period."""
        folders = [Slots(model.path) for model in self.models if model.path is not None and model.path.is_dir()]
        trials = [(slots, state.trial) for slots in folders if (state := slots.state()) and state.trial]
        return [TrialPeriod(slots, period_s=trial.period_s) for slots, trial in trials]

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
    models: LendsLane | Sequence[LendsLane],
    *,
    source: str | Path | Source,
    outputs: Iterable[OutputLike] = (),
    policy: Policy | None = None,
    stall_s: float = STALL_S,
    max_frames: int | None = None,
    exit_when_stuck: bool = False,
    on_start: Callable[[Session], None] = lambda _session: None,
) -> Mapping[str, Telemetry]:
    """Run models on a source until it ends, as `edgevid run` does.

        edgevid.run([gestures, falls], source="picamera2", outputs=[edgevid.Mqtt("mqtt://broker.local"), my_function])

    Args:
        models: See `Session`.
        source: See `Session`.
        outputs: See `Session`.
        policy: See `Session`.
        stall_s: See `Session`.
        max_frames: Stop after so many frames of the source; None for its end.
        exit_when_stuck: See `Session`.
        on_start: Called with the session before the first frame; its `stop` may be called from any thread.

    Returns:
        Telemetry by model: latency by stage, frames, decisions, events, drops.

    Raises:
        EdgevidError: As for `Session`.
    """
    session = Session(
        models, source=source, outputs=outputs, policy=policy, stall_s=stall_s, exit_when_stuck=exit_when_stuck
    )
    with session:
        on_start(session)
        return session.run(max_frames=max_frames)


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Freeze the heap after start-up, so that collections skip what lives until the end: they stopped the loop for 13 ms on a server."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _fast_switches() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
