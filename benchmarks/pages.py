"""Do the pages say the numbers that were measured?

    python benchmarks/pages.py [--check]

A page marks what comes from a results file, and keeps the template beside it in the comment:

    <!-- numbers: benchmarks/results/startup.json
    `import edgevid` takes {numbers[import_s][p50]:.2f} s.
    -->
    `import edgevid` takes 0.12 s.
    <!-- /numbers -->

The template is Python's format language over the file's JSON. This program writes the lines between the comments again; with --check it
writes nothing, names each page that differs, and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from edgevid import atomic

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- numbers: (?P<file>\S+)\n(?P<template>.*?)-->\n(?P<shown>.*?)<!-- /numbers -->", re.DOTALL)


def pages(root: Path = ROOT) -> list[Path]:
    """List the pages that may show numbers.

    Args:
        root: The repository.

    Returns:
        Markdown files at the top and under `docs/`.
    """
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])


def filled(text: str, root: Path = ROOT) -> str:
    """Write each marked block of a page again.

    Args:
        text: The page.
        root: What the paths of results files are relative to.

    Returns:
        The page with the numbers of the results files.

    Raises:
        FileNotFoundError: A results file is not there.
        KeyError: A template names a number that its file does not have.
    """

    def block(found: re.Match[str]) -> str:
        result = json.loads((root / found["file"]).read_text())
        shown = found["template"].format(**result)
        return f"<!-- numbers: {found['file']}\n{found['template']}-->\n{shown}<!-- /numbers -->"

    return BLOCK.sub(block, text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a page differs")
    check = parser.parse_args().check
    stale = {page: text for page in pages() if (text := filled(page.read_text())) != page.read_text()}
    for page, text in stale.items():
        print(f"{page.relative_to(ROOT)} {'differs from its results' if check else 'written'}")
        if not check:
            atomic.write(page, [text.encode()], durable=False)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
