"""From a choice of delegate to what runs a bundle. Only `auto` may take something else than was named, and it says what and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevid.backends.backend import Backend
from edgevid.backends.delegates import EDGETPU_LIBRARY, DelegateChoice, edgetpus
from edgevid.backends.edgetpu import EdgeTpu
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.errors import BackendError, DelegateError


@dataclass(frozen=True, kw_only=True)
class BackendChoice:
    """What will run a bundle.

    Attributes:
        backend: It; None for the engine's own, the CPU.
        delegate: "xnnpack", "coral", or the external library's file name.
        reason: Why `auto` took it, where there was something to decide; empty otherwise.
    """

    backend: Backend | None
    delegate: str
    reason: str = ""


def choose_backend(
    choice: DelegateChoice,
    bundle: Bundle,
    *,
    threads: int = 1,
    lost: Callable[[str], None] = lambda _reason: None,
    root: Path = Path("/"),
) -> BackendChoice:
    """Open what was asked for.

    Args:
        choice: From `parse_delegate`.
        bundle: To be run.
        threads: Interpreter threads, for what runs on the CPU.
        lost: Called with the reason when `auto` falls back from a device that fails while running.
        root: Where `sys` and `dev` lie.

    Returns:
        What will run the bundle.

    Raises:
        DelegateError: What was asked for by name cannot be had.
    """
    if choice.kind == "xnnpack":
        return BackendChoice(backend=None, delegate="xnnpack")
    if choice.kind == "external":
        backend = LiteRt(threads=threads, library=choice.library, options=choice.options)
        return BackendChoice(backend=backend, delegate=Path(choice.library).name)
    if choice.kind == "coral":
        _refuse_without_twin(bundle)
        return BackendChoice(backend=_edgetpu(bundle, choice, threads=threads, lost=None), delegate="coral")
    return _auto(bundle, threads=threads, lost=lost, root=root)


def _auto(bundle: Bundle, *, threads: int, lost: Callable[[str], None], root: Path) -> BackendChoice:
    has_twin, plugged = any(part.edgetpu for part in bundle.manifest.parts), edgetpus(root)
    if not has_twin or not plugged:
        reason = (
            "the bundle has no part for the Edge TPU" if plugged else "no Edge TPU is plugged in" if has_twin else ""
        )
        return BackendChoice(backend=None, delegate="xnnpack", reason=reason)
    try:
        backend = _edgetpu(bundle, DelegateChoice("coral", EDGETPU_LIBRARY), threads=threads, lost=lost)
        backend.open()
    except BackendError as error:
        return BackendChoice(backend=None, delegate="xnnpack", reason=str(error))
    return BackendChoice(backend=backend, delegate="coral", reason=f"{plugged[0]} is plugged in")


def _edgetpu(bundle: Bundle, choice: DelegateChoice, *, threads: int, lost: Callable[[str], None] | None) -> EdgeTpu:
    tpu = LiteRt(threads=threads, library=choice.library, options=choice.options)
    return EdgeTpu(bundle, tpu=tpu, cpu=LiteRt(threads=threads), lost=lost)


def _refuse_without_twin(bundle: Bundle) -> None:
    if not any(part.edgetpu for part in bundle.manifest.parts):
        raise DelegateError(
            expected="a bundle with a part compiled for the Edge TPU",
            got=bundle.manifest.name,
            found=f"{bundle.manifest.name!r} without one",
            hint="Convert it with one, or run it with --delegate xnnpack.",
        )
