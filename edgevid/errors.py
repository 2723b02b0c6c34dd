"""Every error edgevid raises on purpose.

Each class has two parents: `EdgevidError`, so that one `except` catches all of ours, and the builtin a Python programmer would expect,
so that code that never heard of edgevid still does the right thing. `exit_code` is what the command line returns for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final


class _Nothing:
    """Stands for a value that was not given, since None may be one."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


class EdgevidError(Exception):
    """Base of every error that edgevid raises on purpose. Its message is one line, built from what was expected and what was found.

        raise UsageError(expected="a policy", choices=("live", "file"), got="fast", hint="Leave it out for the source's own.")
        # Expected a policy, one of live, file, got 'fast'. Leave it out for the source's own.

    Args:
        message: The whole line, where it is not of this form, such as another error's.
        expected: What is legal, in words.
        choices: The legal values, where they can be listed.
        got: The value found instead; shown by its `repr`.
        found: What was found instead, in words; takes the place of the value in the message.
        hint: What to do, as whole sentences.
        path: The file concerned, where there is one.
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
        shown = found or ("" if got is NOTHING else repr(got))
        super().__init__(message or _one_line(expected, choices, shown, hint.strip()))
        # After the builtin parents, some of which have a path of their own.
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
        """Raise this error where a value is not legal.

        Args:
            is_legal: Whether it is.
            expected: See the class.
            choices: See the class.
            got: See the class.
            found: See the class.
            hint: See the class.
        """
        if not is_legal:
            raise cls(expected=expected, choices=choices, got=got, found=found, hint=hint)


def _one_line(expected: str, choices: tuple[object, ...], got: str, hint: str) -> str:
    listed = f", one of {', '.join(map(str, choices))}" if choices else ""
    line = f"Expected {expected}{listed}{', got ' if got else ''}{got}"
    return f"{line if line.endswith(('.', '!', '?')) else line + '.'} {hint}".rstrip()


class UsageError(EdgevidError, ValueError):
    """The command or call itself is wrong: an unknown choice, a missing option, a path that is not there."""

    exit_code = 2


class MissingDependency(EdgevidError, ImportError):  # type: ignore[misc]  # both have a `path`
    """An optional package is needed for what was asked and is not installed."""

    exit_code = 2


class ContractError(EdgevidError, ValueError):
    """An array does not have the shape, dtype or range that the callee documents."""


class BundleError(EdgevidError, ValueError):
    """A bundle cannot be used; `docs/bundle-format.md` lists every refusal."""


class BundleTruncated(BundleError):
    """The file ends early, is no zip archive at all, or has bytes before or behind the archive."""


class BundleAltered(BundleError):
    """A member's size or SHA-256 is not what the manifest says."""


class BundleMemberRefused(BundleError):
    """A member is unlisted, missing, compressed, oversized, doubled, or has a path that leaves the bundle."""


class BundleVersionUnknown(BundleError):
    """The bundle was written by a format version that this reader does not know."""


class ManifestInvalid(BundleError):
    """The manifest, or a member that it describes, is not readable, lacks something, or holds an illegal value."""


class PartsDoNotJoin(BundleError):
    """The tensors of two parts, or a part and the manifest, do not fit together."""


class BackendError(EdgevidError, RuntimeError):
    """The interpreter refused a model or failed on it."""


class DelegateError(BackendError):
    """A delegate that was asked for could not be loaded."""


class SelftestFailed(EdgevidError, ArithmeticError):
    """This machine does not give the golden outputs that the bundle carries."""

    exit_code = 3


class SourceError(EdgevidError, OSError):
    """A camera, file or stream cannot be opened or read."""


class SourceStalled(SourceError, TimeoutError):
    """A source stopped giving frames without saying that it ended."""


class OutputError(EdgevidError, OSError):
    """An output cannot give out what it was given, now: its other side is away, or its place is taken."""


class OutputRefused(OutputError):
    """The other side of an output will never take what it was given."""


class ClipsError(EdgevidError, ValueError):
    """A folder of clips cannot be used for what was asked."""


class ModelError(EdgevidError, ValueError):
    """A trained model cannot be loaded or is not of a kind that can be converted."""


class ConversionError(EdgevidError, RuntimeError):
    """The conversion could not be carried out."""


class ConverterCrashed(ConversionError):
    """The TensorFlow converter's process died; the message says on which part and how."""


class VerificationFailed(EdgevidError, ArithmeticError):
    """The converted model does not answer as the trained one does, within the stated budget."""

    exit_code = 3


class DeploymentError(EdgevidError, ValueError):
    """A deployment, or another file under `firmware_configs`, asks for what is unknown or does not go together."""

    exit_code = 2


class FlashError(EdgevidError, OSError):
    """A card, an image or a boot partition is not what it must be, or could not be written."""


class SlotsError(EdgevidError, RuntimeError):
    """The bundles that a device keeps cannot be used or changed as asked."""


class DeployError(EdgevidError, OSError):
    """Another machine could not be reached, or refused a bundle."""
