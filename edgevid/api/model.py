"""A loaded bundle that classifies clips, cameras and frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from edgevid import bundle as bundles
from edgevid.api.clip import Views, classify, opener
from edgevid.api.counted_start import begin
from edgevid.api.engines import AUTO, PooledEngine, Threads, choose_keypoints
from edgevid.api.framed_lanes import choose_framing, frame_lanes
from edgevid.api.notebook import as_html, describe
from edgevid.api.session import Session
from edgevid.api.stream import Colour, Stream
from edgevid.backends.delegate_option import DelegateChoice, parse_delegate
from edgevid.bundle import Bundle
from edgevid.bundle.framing import Follow
from edgevid.bundle.manifest import Window
from edgevid.capture import Flip, Policy, Rotation, Source
from edgevid.events.decide import Decision, Event
from edgevid.frames.keypoint_rows import KeypointRows, Keypoints
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.region import RegionLike
from edgevid.lane import Lane
from edgevid.outputs.collect import Newest
from edgevid.pipeline import STALL_S
from edgevid.updates.slots import Started

DEMO = Path(__file__).parents[1] / "data" / "gestures.edgevid"
"""The bundle that ships with edgevid: eight hand gestures, as the source "synthetic" draws them."""


def load(
    path: str | Path,
    *,
    threads: Threads = 1,
    delegate: str | DelegateChoice = AUTO,
    motion_gate: float | None = None,
    keypoints: KeypointRows | Keypoints | None = None,
) -> Model:
    """Read a bundle, check all of it, and load its parts.

    Args:
        path: An `.edgevid` file, or the folder where a device stores its bundles (see
            `edgevid activate`).
        threads: Number of interpreter threads, at least 1. "auto" measures the fastest number once
            on this machine and stores it.
        delegate: "auto", "xnnpack", "coral[,device=usb:0]" or the path of an external delegate.
        motion_gate: Run the encoder only when more than this share of the frame has changed since
            its last run, 0 to below 1. None runs it for every frame.
        keypoints: Key points of pictures for a model of rows: "pose", "hands", "holistic", or
            `KeypointRows` with a normalisation. None for those that the bundle names, if any.

    Returns:
        The model.

    Raises:
        UsageError: The file is missing, or an argument is not legal.
        BundleError: The bundle is rejected.
        BackendError: The interpreter rejects a part.
    """
    path = Path(path)
    started = begin(path) if path.is_dir() else None
    return Model(
        bundles.read(started.path if started else path, with_proof=False),
        path=path,
        threads=threads,
        delegate=delegate,
        motion_gate=motion_gate,
        keypoints=keypoints,
        started=started,
    )


class Model:
    """A checked bundle with its parts loaded. Use `edgevid.load` to create one.

        model = edgevid.load("action.edgevid")
        for event in model.events("picamera2"):
            print(event.label, event.start_s, event.end_s)

    Clips, streams and runs may be open at the same time: each has its own engine.

    Args:
        bundle: A checked bundle.
        path: The file or folder of the bundle; None for a bundle in memory.
        threads, delegate, motion_gate, keypoints: See `load`.
        started: The counted start, for a bundle from a device's folder.

    Attributes:
        bundle: The contents of the file.
        path: The path that was passed to `load`; None for a bundle in memory.
        started: The counted start, for a bundle from a device's folder; None for another one.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        path: Path | None = None,
        threads: Threads = 1,
        delegate: str | DelegateChoice = AUTO,
        motion_gate: float | None = None,
        keypoints: KeypointRows | Keypoints | None = None,
        started: Started | None = None,
    ) -> None:
        self.bundle = bundle
        self.path = path
        self.started = started
        self._delegate = parse_delegate(delegate) if isinstance(delegate, str) else delegate
        self._motion_gate = motion_gate
        self._keypoints = choose_keypoints(keypoints, bundle.manifest)
        self._lock = threading.Lock()
        first = self._open(threads)
        # With "auto", measure once: every other engine of this model uses the same number.
        self._threads = first.engine.threads
        self._idle = [first]
        # Reject a motion gate that the model cannot have now, not at the first frame.
        first.lane(self._motion_gate)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.bundle.manifest.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of the model, in the order of the scores."""
        return self.bundle.manifest.labels

    @property
    def window(self) -> Window:
        """The part of the past that a decision sees, as `frames` frames `interval_s` apart."""
        return self.bundle.manifest.window

    @property
    def interval_s(self) -> float:
        """Time between two frames of the window, in seconds."""
        return self.bundle.manifest.window.interval_s

    @property
    def input(self) -> InputSpec:
        """Size, colour, range and resize rule of the model's frames."""
        return self.bundle.manifest.input

    @property
    def report(self) -> Mapping[str, Any]:
        """The report of the conversion, as in `report.json` of the bundle."""
        return self.bundle.report

    def classify(
        self,
        clip: str | Path,
        *,
        views: Views = "centre",
        rotate: Rotation | None = None,
        flip: Flip | None = None,
        region: RegionLike = None,
        follow: Follow | None = None,
    ) -> Decision:
        """Classify a clip, as `edgevid evaluate` does.

        If the clip is shorter than the window, its last frame is repeated.

        Args:
            clip: A video file, a folder of pictures, or a `.npy` file of features.
            views: "centre" for the window in the middle of the clip, "all" for the mean over every
                window.
            rotate, flip, region, follow: See `Session`.

        Returns:
            A decision. Its `t_s` is the time of the last frame that the model saw; its `age_ms` is
            the processing time.

        Raises:
            UsageError: The clip is missing or is a camera, or `views` is not legal.
            SourceError: The clip cannot be read.
            ContractError: The clip does not fit the model's input.
        """
        choice = choose_framing(rotate=rotate, flip=flip, region=region, follow=follow)
        with self.lent_lane() as lane:
            turn = frame_lanes([lane], choice).orientation
            return classify(lane, opener(lane, clip, rotate=turn.rotate, flip=turn.flip), views=views)

    def watch(
        self,
        source: str | Path | Source,
        *,
        policy: Policy | None = None,
        stall_s: float = STALL_S,
        rotate: Rotation | None = None,
        flip: Flip | None = None,
        region: RegionLike = None,
        follow: Follow | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Decision]:
        """Run the model on a camera, a stream, a video or a folder of pictures.

        The source is closed when you leave the loop.

        Args:
            source: An address as for `edgevid run --source`, a path, or an open source of your own.
            policy: "live" drops frames while the loop is busy, "file" lets the source wait. None
                selects the source's own.
            stall_s: Longest wait for a frame, in seconds.
            rotate, flip, region, follow: See `Session`.
            max_frames: Stop after this many frames of the source; None runs to its end.

        Yields:
            A decision for each frame that is due, from the first full window on, with the events
            that ended since the last decision. No decision contains an event that is open when the
            source ends; use `events` to get that one too.

        Raises:
            EdgevidError: See `Session`.
        """
        newest = Newest()
        with (
            Session(
                self,
                source=source,
                outputs=[newest],
                policy=policy,
                stall_s=stall_s,
                rotate=rotate,
                flip=flip,
                region=region,
                follow=follow,
            ) as session,
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
        rotate: Rotation | None = None,
        flip: Flip | None = None,
        region: RegionLike = None,
        follow: Follow | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Event]:
        """Run the model on a source, for its events.

        The source is closed when you leave the loop.

        Args:
            source: See `watch`.
            started: Yield the start of each event as well, as soon as the event is certain. Such an
                event has `ended` False.
            policy, stall_s, max_frames: See `watch`.
            rotate, flip, region, follow: See `Session`.

        Yields:
            Each event when it ends. The one that is open when the source ends comes last.

        Raises:
            EdgevidError: See `Session`.
        """
        newest = Newest(starts=started)
        with (
            Session(
                self,
                source=source,
                outputs=[newest],
                policy=policy,
                stall_s=stall_s,
                rotate=rotate,
                flip=flip,
                region=region,
                follow=follow,
            ) as session,
            closing(session.steps(max_frames=max_frames)) as steps,
        ):
            for _ in steps:
                yield from newest.take_events()
            # The end of the source has ended the open event.
            yield from newest.take_events()

    def stream(self, *, colour: Colour = "bgr", region: RegionLike = None, follow: Follow | None = None) -> Stream:
        """Open a stream for frames that you push.

        Args:
            colour: Channel order of the frames: "bgr" as from OpenCV, or "rgb".
            region, follow: See `Session`. Pictures that the training turned are pushed turned.

        Returns:
            An open stream, to be used in a `with`.

        Raises:
            UsageError: `colour` or `region` is not legal.
            BackendError: The interpreter rejects a part.
        """
        # Nobody turns pushed pictures but the caller.
        choice = choose_framing(rotate=0, flip="none", region=region, follow=follow)
        pooled = self._borrow()
        try:
            lane = pooled.lane(self._motion_gate)
            frame_lanes([lane], choice)
            return Stream(lane, colour=colour, on_close=lambda: self._release(pooled))
        except BaseException:
            self._release(pooled)
            raise

    @contextmanager
    def lent_lane(self) -> Iterator[Lane]:
        """Lend a fresh lane: all that one stream needs, from sampler to telemetry.

        Yields:
            The lane. Its engine returns to the model when the context exits.
        """
        pooled = self._borrow()
        try:
            lane = pooled.lane(self._motion_gate)
            lane.telemetry.unsaved = self.started.unsaved if self.started else ""
            yield lane
        finally:
            self._release(pooled)

    def _borrow(self) -> PooledEngine:
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        # Outside of the lock, because loading an engine takes long.
        return idle or self._open(self._threads)

    def _open(self, threads: Threads) -> PooledEngine:
        return PooledEngine(self.bundle, threads=threads, delegate=self._delegate, keypoints=self._keypoints)

    def _release(self, pooled: PooledEngine) -> None:
        with self._lock:
            self._idle.append(pooled)

    def __repr__(self) -> str:
        """Return one line: name, classes, window, plan, precisions."""
        return f"<edgevid.Model {describe(self.bundle)}>"

    def _repr_html_(self) -> str:
        """Return the facts and the report's pictures for a notebook."""
        return as_html(self.bundle, path=self.path)
