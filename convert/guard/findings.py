"""Findings of the guard in a model file, and the error that reports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import ModelError

_MOST_NAMED = 3
_PHRASES = {
    "class": "the class {}",
    "function": "the function {}",
    "attribute": "the attribute {} of a tensor",
    "operator": "the operator {}",
    "constant": "{} called on constants alone",
    "code": "{}",
    "data": "{}",
}


@dataclass(frozen=True)
class Finding:
    """One thing in a file that is not allowed.

    Attributes:
        kind: A key of the phrases: "class", "function", "attribute", "operator", "constant", "code"
            or "data".
        name: Its name, or a phrase for "code" and "data".
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return _PHRASES[self.kind].format(self.name)


def unsafe_error(findings: Sequence[Finding], path: Path) -> ModelError:
    """Return the error for a file with something that is not allowed.

    Args:
        findings: At least one.
        path: The file or folder.
    """
    code = [each for each in findings if each.kind == "code"]
    if code:
        return ModelError(
            expected="a model without code",
            found=f"{code[0]} in {path}: loading it would run Python from the file",
            hint="Replace it by a built-in layer, or pass --allow-code if you trust the file.",
            path=path,
        )
    data = [each for each in findings if each.kind == "data"]
    if data:
        return ModelError(
            expected="a model whose weights are in its own file", found=f"{_listed(data)} in {path}", path=path
        )
    return ModelError(
        expected="classes, functions and operators that only compute",
        found=f"{_listed(findings)} in {path}",
        hint="If it is your own, pass the Python file that defines it: --custom-objects module.py. "
        "If you trust the file: --allow-code.",
        path=path,
    )


def _listed(findings: Sequence[Finding]) -> str:
    names = [str(each) for each in findings]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
