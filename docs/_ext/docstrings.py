"""Shows indented examples in docstrings as Python code: the docstrings themselves stay plain text."""

from __future__ import annotations

from typing import Any


def mark_code(lines: list[str]) -> list[str]:
    """Insert a code directive before each indented block that follows a paragraph and a blank line.

    Sections such as `Args:` are no such block: their first entry follows the heading without a blank line.
    """
    marked: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        is_indented = line.startswith("    ")
        after_blank = number > 1 and not lines[number - 1].strip() and not lines[number - 2].startswith(" ")
        if is_indented and not inside and after_blank:
            marked += [".. code-block:: python", ""]
            inside = True
        elif line.strip() and not is_indented:
            inside = False
        marked.append(line)
    return marked


def _process(_app: Any, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    lines[:] = mark_code(lines)


def setup(app: Any) -> dict[str, bool]:
    """Run before napoleon, which turns sections into fields."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
