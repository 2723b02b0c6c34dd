"""Every error edgevid raises on purpose.

Each class has two parents: `EdgevidError`, so that one `except` catches all of ours, and the builtin a Python programmer would expect,
so that code that never heard of edgevid still does the right thing. `exit_code` is what the command line returns for it.
"""

from __future__ import annotations

from pathlib import Path


class EdgevidError(Exception):
    """Base of every error that edgevid raises on purpose.

    Args:
        message: One sentence: what was expected, what was found, what to do.
        expected: The legal value or set, where there is one.
        got: What was found instead.
        path: The file concerned, where there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, expected: object = None, got: object = None, path: str | Path | None = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got
        self.path = Path(path) if path is not None else None


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
