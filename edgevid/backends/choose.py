"""Choose the backend for a bundle. Only `auto` falls back to the CPU, and reports why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevid.backends.backend import Backend
from edgevid.backends.delegate_option import EDGETPU_LIBRARY, DelegateChoice, edgetpus
from edgevid.backends.edgetpu import EdgeTpu
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.errors import BackendError, DelegateError


@dataclass(frozen=True, kw_only=True)
class BackendChoice:
    """The backend that will run a bundle.

    Attributes:
        backend: The backend; None for the engine's default, LiteRT on the CPU.
        delegate: "xnnpack", "coral", or the external library's file name.
        reason: Reason for the choice of `auto`; empty if there was nothing to decide.
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
    """Open the backend for a delegate.

    Args:
        choice: The result of `parse_delegate`.
        bundle: The bundle to run.
        threads: Interpreter threads for parts on the CPU.
        lost: Called with the reason when a device that `auto` chose fails during the run.
        root: Folder with `sys` and `dev`.

    Raises:
        DelegateError: A delegate chosen by name could not be loaded, or the bundle has no twin.
    """
    if choice.kind == "xnnpack":
        return BackendChoice(backend=None, delegate="xnnpack")
    if choice.kind == "external":
        backend = LiteRt(threads=threads, library=choice.library, options=choice.options)
        return BackendChoice(backend=backend, delegate=Path(choice.library).name)
    if choice.kind == "coral":
        _check_twin(bundle)
        # Without `lost`, a failure ends the run: a caller that names a delegate measures it.
        return BackendChoice(backend=_edgetpu(bundle, choice, threads=threads, lost=None), delegate="coral")
    return _auto(bundle, threads=threads, lost=lost, root=root)


def _auto(bundle: Bundle, *, threads: int, lost: Callable[[str], None], root: Path) -> BackendChoice:
    has_twin, plugged = _has_twin(bundle), edgetpus(root)
    if not plugged:
        # On most machines: no reason is reported unless the bundle was made for an Edge TPU.
        reason = "no Edge TPU is plugged in" if has_twin else ""
        return BackendChoice(backend=None, delegate="xnnpack", reason=reason)
    if not has_twin:
        reason = "the bundle has no part for the Edge TPU"
        return BackendChoice(backend=None, delegate="xnnpack", reason=reason)
    try:
        backend = _edgetpu(bundle, DelegateChoice("coral", EDGETPU_LIBRARY), threads=threads, lost=lost)
        # Load now rather than in the engine, where a failure could no longer fall back to the CPU.
        backend.open()
    except BackendError as error:
        return BackendChoice(backend=None, delegate="xnnpack", reason=str(error))
    return BackendChoice(backend=backend, delegate="coral", reason=f"{plugged[0]} is plugged in")


def _edgetpu(bundle: Bundle, choice: DelegateChoice, *, threads: int, lost: Callable[[str], None] | None) -> EdgeTpu:
    tpu = LiteRt(threads=threads, library=choice.library, options=choice.options)
    return EdgeTpu(bundle, tpu=tpu, cpu=LiteRt(threads=threads), lost=lost)


def _has_twin(bundle: Bundle) -> bool:
    return any(part.edgetpu for part in bundle.manifest.parts)


def _check_twin(bundle: Bundle) -> None:
    if not _has_twin(bundle):
        raise DelegateError(
            expected="a bundle with a part compiled for the Edge TPU",
            got=bundle.manifest.name,
            found=f"{bundle.manifest.name!r} without one",
            hint="Convert it with one, or run it with --delegate xnnpack.",
        )
