"""The argument parser of each verb as a function without arguments, as sphinx-argparse wants it: `parsers.run()`.

Help texts are plain text for a terminal. Here their paragraphs are escaped for reStructuredText,
and indented lines become code.
"""

from __future__ import annotations

import argparse
import re
from functools import partial

from edgevid.cli import VERBS, verb_parser


def as_rst(text: str) -> str:
    """Turn a help text into reStructuredText: paragraphs stay, a run of indented lines becomes a literal block."""
    lines: list[str] = []
    inside = False
    for line in text.strip().splitlines():
        is_indented = line.startswith("  ")
        if is_indented and not inside:
            lines += ["", "::", ""]
        elif inside and not is_indented:
            lines.append("")
        inside = is_indented or (inside and not line.strip())
        lines.append(f"    {line}" if is_indented else re.sub(r"([\\*`|_<>])", r"\\\1", line))
    return "\n".join(lines)


def documented(verb: str) -> argparse.ArgumentParser:
    """Return the parser of a verb, with its texts as reStructuredText."""
    parser = verb_parser(verb)
    parser.description = as_rst(parser.description or "")
    parser.epilog = as_rst(parser.epilog or "")
    return parser


globals().update({name.replace("-", "_").replace(" ", "_"): partial(documented, name) for name in VERBS})
