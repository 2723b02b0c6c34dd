"""Do the pages state the measured numbers?

    python benchmarks/pages.py [--check]

A page marks the lines that come from a results file, and holds their template in a comment:

    <!-- numbers: benchmarks/results/startup.json
    `import edgevid` takes {numbers[import_s][p50]:.2f} s.
    -->
    `import edgevid` takes 0.12 s.
    <!-- /numbers -->

The template is a format string of Python for the JSON of the file. This script rewrites the lines
between the comments. With --check, it writes nothing, prints each page that differs, and exits
with 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from edgevid import atomic

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- numbers: (?P<file>\S+)\n(?P<template>.*?)-->\n.*?<!-- /numbers -->", re.DOTALL)


def pages(root: Path = ROOT) -> list[Path]:
    """List the pages that may contain numbers: Markdown files in the root and in `docs/`.

    Args:
        root: Root of the repository.
    """
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])


def filled(text: str, root: Path = ROOT) -> str:
    """Fill the marked blocks of a page with the numbers of their results files.

    Args:
        text: The page.
        root: Folder to which the paths of results files are relative.

    Returns:
        The page with new blocks.

    Raises:
        FileNotFoundError: A results file is missing.
        KeyError: A template names a number that its file does not contain.
    """

    def block(match: re.Match[str]) -> str:
        result = json.loads((root / match["file"]).read_text())
        lines = match["template"].format(**result)
        return f"<!-- numbers: {match['file']}\n{match['template']}-->\n{lines}<!-- /numbers -->"

    return BLOCK.sub(block, text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args().check
    stale = {page: text for page in pages() if (text := filled(page.read_text())) != page.read_text()}
    for page, text in stale.items():
        print(f"{page.relative_to(ROOT)} {'differs from its results' if check else 'written'}")
        if not check:
            atomic.write(page, [text.encode()], durable=False)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
