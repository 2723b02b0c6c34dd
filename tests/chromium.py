"""Debian's Chromium without a display, for pages: what it says on its console, and what it makes of them."""

import re
import subprocess
import tempfile
from pathlib import Path

from tests.browser import CHROMIUM, FLAGS, needs_chromium

__all__ = ["needs_chromium", "visit"]


def visit(page: Path, *, width_px: int = 1200) -> tuple[str, list[str]]:
    """Open a page with a fresh profile; give its DOM after loading, and the lines of its console."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM,
            *FLAGS,
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            f"--window-size={width_px},2000",
            "--dump-dom",
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r"CONSOLE[^\n]*", done.stderr)
