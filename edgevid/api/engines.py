"""Open the engine of a bundle: choose threads and delegate, and report a fallback to the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from edgevid.backends.choose import choose_backend
from edgevid.backends.delegate_option import DelegateChoice, parse_delegate
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Manifest
from edgevid.errors import ContractError, UsageError
from edgevid.frames.keypoint_rows import KeypointRows, Keypoints
from edgevid.inference.engine import Engine
from edgevid.inference.threads import choose_threads
from edgevid.keypoints.stage import KeypointStage
from edgevid.lane import Lane
from edgevid.telemetry.telemetry import Telemetry

Threads = int | Literal["auto"]
AUTO: Literal["auto"] = "auto"
# The command line prints what this logger gets, so every message begins with the program's name.
_log = logging.getLogger(__name__)


def open_engine(
    bundle: Bundle,
    *,
    threads: Threads = 1,
    delegate: str | DelegateChoice = AUTO,
    on_fallback: Callable[[str], None] = lambda _reason: None,
) -> Engine:
    """Load the parts of a bundle.

    Args:
        bundle: A checked bundle.
        threads: Number of interpreter threads, at least 1. "auto" measures the fastest number once
            on this machine and stores it.
        delegate: As for `--delegate`: "auto", "xnnpack", "coral[,device=usb:0]" or the path of an
            external delegate.
        on_fallback: Called with the reason if the CPU runs a bundle that has Edge TPU parts, now or
            after the device fails. The reason is also logged.

    Returns:
        An engine; its `threads` and `interpreter` report the choice.

    Raises:
        UsageError: `threads` or `delegate` is not legal.
        DelegateError: A delegate that was requested by name could not be loaded.
        BackendError: The interpreter rejects a part.
    """
    choice = parse_delegate(delegate) if isinstance(delegate, str) else delegate
    if threads != AUTO and (not isinstance(threads, int) or threads < 1):
        raise UsageError(expected="threads of at least 1 or 'auto'", got=threads)
    count = _measured_threads(bundle, choice) if threads == AUTO else threads

    def report_fallback(reason: str) -> None:
        _log.warning("edgevid: %s runs on the CPU: %s", bundle.manifest.name, reason)
        on_fallback(reason)

    return _engine(bundle, choice, threads=count, on_fallback=report_fallback)


def _engine(
    bundle: Bundle, choice: DelegateChoice, *, threads: int, on_fallback: Callable[[str], None] = lambda _reason: None
) -> Engine:
    # The CPU without a search for devices: on request, or for a bundle without Edge TPU parts.
    if choice.kind == "xnnpack" or (choice.kind == "auto" and not any(part.edgetpu for part in bundle.manifest.parts)):
        return Engine(bundle, threads=threads)
    chosen = choose_backend(choice, bundle, threads=threads, lost=on_fallback)
    if chosen.reason and chosen.backend is None:
        on_fallback(chosen.reason)
    return Engine(bundle, threads=threads, backend=chosen.backend)


def _measured_threads(bundle: Bundle, delegate: DelegateChoice) -> int:
    choice = choose_threads(lambda threads: _engine(bundle, delegate, threads=threads))
    if choice.measured:
        times = ", ".join(f"{count}: {ms:.2f} ms" for count, ms in choice.ms.items())
        where = f"stored in {choice.kept}" if choice.kept else "not stored, because its folder cannot be written"
        _log.info(
            "edgevid: %s: threads: %d, by measurement (%s); %s", bundle.manifest.name, choice.threads, times, where
        )
    return choice.threads


def choose_keypoints(wanted: KeypointRows | Keypoints | None, manifest: Manifest) -> KeypointRows | None:
    """Return the key points that were asked for, else those of the bundle.

    Args:
        wanted: Those that were asked for, of no normalisation if there is only their kind; None for none.
        manifest: The manifest of the bundle.

    Raises:
        ContractError: There are no such key points.
        UsageError: The model does not take them.
    """
    if wanted is None:
        return manifest.keypoints
    if not isinstance(wanted, KeypointRows):
        wanted = KeypointRows(kind=wanted)
    if manifest.input.kind != "features":
        raise UsageError(
            expected="a model of rows of numbers for key points", found=f"{manifest.name!r}, a model of pictures"
        )
    try:
        wanted.check(manifest.input.channels, whose=repr(manifest.name))
    except ContractError as error:
        raise UsageError(str(error), expected=error.expected, got=error.got) from error
    return wanted


class PooledEngine:
    """An engine that serves one stream after another, and the reason why it fell back to the CPU.

    Args:
        bundle: See `open_engine`.
        threads: See `open_engine`.
        delegate: See `open_engine`.
        keypoints: Key points of pictures that make the rows of the model; None for none.

    Attributes:
        engine: The engine.

    Raises:
        ContractError: The model takes other rows.
    """

    def __init__(
        self, bundle: Bundle, *, threads: Threads, delegate: DelegateChoice, keypoints: KeypointRows | None = None
    ) -> None:
        self._reason = ""
        self._telemetry: Telemetry | None = None
        self.engine = open_engine(bundle, threads=threads, delegate=delegate, on_fallback=self._fell_back)
        length = bundle.manifest.input.channels
        # Its networks are loaded once and serve one stream after another, as the engine does.
        self._stage = KeypointStage(keypoints, length, threads=self.engine.threads) if keypoints else None

    def lane(self, motion_gate: float | None) -> Lane:
        """Return a fresh lane for the next stream.

        Args:
            motion_gate: See `Lane`.

        Raises:
            UsageError: See `Lane`.
        """
        self.engine.restart()
        self._telemetry = Telemetry()
        # The engine fell back once; each stream from then on reports it.
        self._telemetry.fallback = self._reason
        lane = Lane(self.engine, telemetry=self._telemetry, motion_gate=motion_gate)
        if self._stage is not None:
            self._stage.restart()
            lane.find_keypoints(self._stage)
        return lane

    def _fell_back(self, reason: str) -> None:
        self._reason = reason
        if self._telemetry is not None:
            self._telemetry.fallback = reason
