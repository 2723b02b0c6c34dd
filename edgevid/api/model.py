"""A bundle as a program sees it: answers for clips, cameras and frames."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from edgevid import bundle as bundles
from edgevid.api.clip import Views, classify
from edgevid.api.engines import AUTO, Threads, open_engine
from edgevid.api.presentation import as_html, describe
from edgevid.api.session import Session
from edgevid.api.stream import Colour, Stream
from edgevid.backends.delegates import DelegateChoice, parse_delegate
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Window
from edgevid.capture import Policy, Source, open_source
from edgevid.events.decide import Decision, Event
from edgevid.frames.preprocess import InputSpec
from edgevid.lane import Lane
from edgevid.outputs.collect import Newest
from edgevid.pipeline import STALL_S
from edgevid.telemetry.telemetry import Telemetry
from edgevid.updates.slots import Slots

_log = logging.getLogger(__name__)
DEMO = Path(__file__).parents[1] / "data" / "gestures.edgevid"
"""The bundle that ships with edgevid: eight hand gestures, as the source "synthetic" draws them."""


def load(
    path: str | Path, *, threads: Threads = 1, delegate: str | DelegateChoice = AUTO, motion_gate: float | None = None
) -> Model:
    """Read a bundle, check all of it, and load its parts.

    Args:
        path: An `.edgevid` file, or the folder in which a device keeps its slots (see `edgevid activate`).
        threads: As for `--threads`: interpreter threads, or "auto" to measure once on this machine.
        delegate: As for `--delegate`: "auto", "xnnpack", "coral" or the path of an external delegate.
        motion_gate: As for `--motion-gate`: run the encoder only when more than this share of the frame has changed; None to run it always.

    Returns:
        The model.

    Raises:
        UsageError: There is no such file, or an option is wrong.
        BundleError: The bundle is rejected.
        BackendError: The interpreter rejects a part.
    """
    path = Path(path)
    return Model(
        bundles.read(_in_service(path)), path=path, threads=threads, delegate=delegate, motion_gate=motion_gate
    )


class Model:
    """A checked bundle whose parts are loaded.

        model = edgevid.load("action.edgevid")
        for event in model.events("picamera2"):
            print(event.label, event.start_s, event.end_s)

    Clips, streams and runs may be open at the same time; each has an engine of its own.

    Args:
        bundle: A checked bundle.
        path: Where it was read from.
        threads: See `load`.
        delegate: See `load`.
        motion_gate: See `load`.

    Attributes:
        bundle: Everything the file holds.
        path: As given to `load`; None for a bundle in memory.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        path: Path | None = None,
        threads: Threads = 1,
        delegate: str | DelegateChoice = AUTO,
        motion_gate: float | None = None,
    ) -> None:
        self.bundle = bundle
        self.path = path
        self._delegate = parse_delegate(delegate) if isinstance(delegate, str) else delegate
        self._motion_gate = motion_gate
        self._lock = threading.Lock()
        first = _LentEngine(self.bundle, threads=threads, delegate=self._delegate)
        # Measured once; every other engine of this model takes the same.
        self._threads = first.engine.threads
        self._idle = [first]
        # A motion gate that the model cannot have is rejected now, not with the first frame.
        first.lane(self._motion_gate)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.bundle.manifest.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Its classes, in the order of the scores."""
        return self.bundle.manifest.labels

    @property
    def window(self) -> Window:
        """How much of the past a decision sees: `frames`, `interval_s` apart."""
        return self.bundle.manifest.window

    @property
    def interval_s(self) -> float:
        """Time between two frames of the window, in seconds."""
        return self.bundle.manifest.window.interval_s

    @property
    def input(self) -> InputSpec:
        """What the model expects of one frame: size, colour, range, resize rule."""
        return self.bundle.manifest.input

    @property
    def report(self) -> Mapping[str, Any]:
        """The proof of the conversion, as `report.json` of the bundle holds it."""
        return self.bundle.report

    def classify(self, clip: str | Path, *, views: Views = "centre") -> Decision:
        """Answer once for a clip, as `edgevid evaluate` does. A clip shorter than the window holds its last frame.

        Args:
            clip: A video file, a folder of pictures, or a `.npy` file of features.
            views: "centre" for the window in the middle of the clip, "all" for the mean over every window of it.

        Returns:
            The decision; its `t_s` is the time of the last frame that it saw, its `age_ms` the time that it took.

        Raises:
            UsageError: There is no such clip, it is a camera, or `views` is not legal.
            SourceError: The clip cannot be read.
            ContractError: Its frames are not of the model's kind.
        """
        with self.lent_lane() as lane:
            return classify(lane, lambda: open_source(str(clip), self.bundle.manifest), views=views)

    def watch(
        self,
        source: str | Path | Source,
        *,
        policy: Policy | None = None,
        stall_s: float = STALL_S,
        max_frames: int | None = None,
    ) -> Iterator[Decision]:
        """Watch a camera, a stream, a video or a folder of pictures. The source is closed when the loop is left.

        Args:
            source: As for `edgevid run --source`, a path, or an open source of your own.
            policy: As for `--policy`: "live" drops frames that the loop is too slow for, "file" lets the source wait; the source's kind where None.
            stall_s: Longest wait for a frame, in seconds.
            max_frames: Stop after so many frames of the source; None for its end.

        Yields:
            A decision for each frame that the model takes, from the first full window on, with the events that have ended since the last one. An event that
            is open when the source ends is in none of them; `events` yields it.

        Raises:
            EdgevidError: See `edgevid.api.session.Session`.
        """
        newest = Newest()
        with (
            Session(self, source=source, outputs=[newest], policy=policy, stall_s=stall_s) as session,
            closing(session.steps(max_frames=max_frames)) as steps,
        ):
            for _ in steps:
                if (decision := newest.take_decision()) is not None:
                    yield decision

    def events(
        self,
        source: str | Path | Source,
        *,
        started: bool = False,
        policy: Policy | None = None,
        stall_s: float = STALL_S,
        max_frames: int | None = None,
    ) -> Iterator[Event]:
        """Watch a source for events. The source is closed when the loop is left.

        Args:
            source: See `watch`.
            started: Yield the start of each event too, as soon as it is sure to count; such an event has `ended` False.
            policy: See `watch`.
            stall_s: See `watch`.
            max_frames: See `watch`.

        Yields:
            Each event as it ends; the one that is open when the source ends comes last.

        Raises:
            EdgevidError: See `edgevid.api.session.Session`.
        """
        newest = Newest(starts=started)
        with (
            Session(self, source=source, outputs=[newest], policy=policy, stall_s=stall_s) as session,
            closing(session.steps(max_frames=max_frames)) as steps,
        ):
            for _ in steps:
                yield from newest.take_events()
            # The end of the source ended the open event.
            yield from newest.take_events()

    def stream(self, *, colour: Colour = "bgr") -> Stream:
        """Start a stream of frames that you push.

        Args:
            colour: Channel order of the frames: "bgr" as OpenCV reads them, or "rgb".

        Returns:
            An open stream, to be used in a `with`.

        Raises:
            UsageError: `colour` is not legal.
            BackendError: The interpreter rejects a part.
        """
        runner = self._borrow()
        try:
            return Stream(runner.lane(self._motion_gate), colour=colour, on_close=lambda: self._give_back(runner))
        except BaseException:
            self._give_back(runner)
            raise

    @contextmanager
    def lent_lane(self) -> Iterator[Lane]:
        """Lend the model's way through one stream: sampler, preprocessing, engine, rule and telemetry.

        Yields:
            A fresh lane; its engine is lent again afterwards.
        """
        runner = self._borrow()
        try:
            yield runner.lane(self._motion_gate)
        finally:
            self._give_back(runner)

    def _borrow(self) -> _LentEngine:
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        return idle or _LentEngine(self.bundle, threads=self._threads, delegate=self._delegate)

    def _give_back(self, runner: _LentEngine) -> None:
        with self._lock:
            self._idle.append(runner)

    def __repr__(self) -> str:
        """One line: name, classes, window, plan, precisions."""
        return f"<edgevid.Model {describe(self.bundle)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the facts, and the report's pictures."""
        return as_html(self.bundle, path=self.path)


class _LentEngine:
    """An engine, lent to one stream after another, and why it runs on the CPU where it should not."""

    def __init__(self, bundle: Bundle, *, threads: Threads, delegate: DelegateChoice) -> None:
        self._reason = ""
        self._telemetry: Telemetry | None = None
        self.engine = open_engine(bundle, threads=threads, delegate=delegate, on_fallback=self._fell_back)

    def lane(self, motion_gate: float | None) -> Lane:
        self.engine.restart()
        self._telemetry = Telemetry()
        self._telemetry.fallback = self._reason
        return Lane(self.engine, telemetry=self._telemetry, motion_gate=motion_gate)

    def _fell_back(self, reason: str) -> None:
        self._reason = reason
        if self._telemetry is not None:
            self._telemetry.fallback = reason


def _in_service(path: Path) -> Path:
    """The bundle that a device's folder has in service; a start of one on trial is counted before anything of it is read."""
    if not path.is_dir():
        return path
    started = Slots(path).begin()
    if started.message:
        _log.warning("edgevid: %s: %s", started.path, started.message)
    return started.path
