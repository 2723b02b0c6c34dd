"""The exceptions that edgevid raises on purpose.

Each class has two parents. `EdgevidError` lets one `except` catch them all. The builtin parent lets
code that does not know edgevid handle the error by its kind. `exit_code` is the exit code of the
command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final


class _Nothing:
    """Sentinel for an omitted value; None is a legal one."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


class EdgevidError(Exception):
    """Base class of all errors of edgevid. The message is one line, built from the fields.

        raise UsageError(expected="a policy", choices=("live", "file"), got="fast", hint="Omit it for the default.")
        # Expected a policy, one of live, file, got 'fast'. Omit it for the default.

    Args:
        message: The whole line; replaces the line that the fields make.
        expected: The legal input, in words.
        choices: The legal values, if they can be listed.
        got: The illegal value; the message shows its `repr`.
        found: Words that the message shows in place of `got`.
        hint: What to do, in whole sentences.
        path: The file concerned, if any.
    """

    exit_code = 1

    def __init__(
        self,
        message: str = "",
        *,
        expected: str = "",
        choices: Iterable[object] = (),
        got: object = NOTHING,
        found: str = "",
        hint: str = "",
        path: str | Path | None = None,
    ) -> None:
        choices = tuple(choices)
        shown = found or ("" if got is NOTHING else _shown(got))
        super().__init__(message or _one_line(expected, choices, shown, hint.strip()))
        # Set after super().__init__: ImportError has a `path` too and would reset it to None.
        self.expected, self.choices, self.got, self.hint = expected, choices, got, hint.strip()
        self.path = Path(path) if path is not None else None

    @classmethod
    def unless(
        cls,
        is_legal: bool,
        *,
        expected: str,
        choices: Iterable[object] = (),
        got: object = NOTHING,
        found: str = "",
        hint: str = "",
    ) -> None:
        """Raise this error unless a condition holds.

        The other arguments are those of the class.
        """
        if not is_legal:
            raise cls(expected=expected, choices=choices, got=got, found=found, hint=hint)


def _shown(got: object) -> str:
    try:
        return repr(got)
    except RecursionError:
        return f"a {type(got).__name__} that is nested too deeply"


def _one_line(expected: str, choices: tuple[object, ...], got: str, hint: str) -> str:
    listed = f", one of {', '.join(map(str, choices))}" if choices else ""
    line = f"Expected {expected}{listed}{', got ' if got else ''}{got}"
    return f"{line if line.endswith(('.', '!', '?')) else line + '.'} {hint}".rstrip()


class UsageError(EdgevidError, ValueError):
    """A command or call is wrong: an unknown choice, a missing option, a missing file."""

    exit_code = 2


class MissingDependency(EdgevidError, ImportError):  # type: ignore[misc]  # both have a `path`
    """The call needs an optional package that is not installed."""

    exit_code = 2


class ContractError(EdgevidError, ValueError):
    """An array has another shape, dtype or range than the callee documents."""


class BundleError(EdgevidError, ValueError):
    """A bundle is unusable; `docs/reference/bundle-format.md` lists every reason."""


class BundleTruncated(BundleError):
    """The file ends early, is not a zip archive, or has bytes before or after the archive."""


class BundleAltered(BundleError):
    """A member has another size or SHA-256 than the manifest lists."""


class BundleMemberRefused(BundleError):
    """A member is unlisted, missing, compressed, oversized or duplicate, or its name is not plain."""


class BundleVersionUnknown(BundleError):
    """The bundle has a format version that this reader does not support."""


class ManifestInvalid(BundleError):
    """The manifest, or a member that it describes, is unreadable, incomplete or has an illegal value."""


class PartsDoNotJoin(BundleError):
    """The tensors of two parts, or of a part and the manifest, do not match."""


class BackendError(EdgevidError, RuntimeError):
    """The interpreter rejected a model or failed on it."""


class DelegateError(BackendError):
    """A requested delegate could not be loaded."""


class SelftestFailed(EdgevidError, ArithmeticError):
    """This machine does not reproduce the golden outputs of a bundle."""

    exit_code = 3


class SourceError(EdgevidError, OSError):
    """A camera, file or stream cannot be opened or read."""


class SourceStalled(SourceError, TimeoutError):
    """A source stopped delivering frames without ending."""


class AssetError(EdgevidError, OSError):
    """A file that edgevid does not ship, such as a network of the key points, is missing or altered."""


class OutputError(EdgevidError, OSError):
    """An output cannot deliver now: its receiver is unreachable, or its address or file is in use."""


class OutputRefused(OutputError):
    """The receiver of an output rejected an item for good; a retry is pointless."""


class ClipsError(EdgevidError, ValueError):
    """A folder of clips is unusable for the command."""


class TruthError(EdgevidError, ValueError):
    """The truth of recordings is wrong, contradicts itself, or does not match their folder."""


class ResultInvalid(EdgevidError, ValueError):
    """A result of a benchmark is damaged, edited, or of another version."""


class TuningError(EdgevidError, OSError):
    """A setting of the machine cannot be changed."""


class ModelError(EdgevidError, ValueError):
    """A trained model cannot be loaded, or edgevid cannot convert its kind."""


class ConversionError(EdgevidError, RuntimeError):
    """The conversion failed."""


class ConverterCrashed(ConversionError):
    """The TensorFlow converter's process died; the message names the part and the cause."""


class VerificationFailed(EdgevidError, ArithmeticError):
    """The converted model differs from the trained one by more than the stated budget."""

    exit_code = 3


class DeploymentError(EdgevidError, ValueError):
    """A deployment, or another file of `firmware_configs`, has an unknown or inconsistent setting."""

    exit_code = 2


class FlashError(EdgevidError, OSError):
    """A card, an image or a boot partition is unsuitable or could not be written."""


class SlotsError(EdgevidError, RuntimeError):
    """A device's bundle slots cannot be used or changed as requested."""


class DeployError(EdgevidError, OSError):
    """Another machine is unreachable, or rejected a bundle."""
