"""Run a Python block of a page as a reader would, in a folder with what the pages name.

    python -m tests.docs.run_block PAGE NUMBER FOLDER

A camera or stream that this machine does not have is replaced by the made-up video, which ends;
everything else is real.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import edgevid
from edgevid.api import model, session
from edgevid.capture import open_source
from edgevid.capture.synthetic import GestureSource
from tests.docs.pages import python_blocks

_NOT_HERE = ("picamera2", "v4l2:", "rtsp:")
_FRAMES = 120


class _Short(GestureSource):
    """A camera that is switched off after some seconds."""

    def frames(self) -> Iterator[Any]:
        for frame in super().frames():
            if frame.index == _FRAMES:
                return
            yield frame


def _open(text: str, manifest: Any, **options: Any) -> Any:
    if text.startswith(_NOT_HERE):
        return _Short(seed=3, height_px=manifest.input.height, width_px=manifest.input.width)
    return open_source(text, manifest, **options)


def main(page: str, number: str, folder: str) -> None:
    """Run one block."""
    block = python_blocks(Path(page).read_text())[int(number)]
    os.chdir(folder)
    shutil.copy(edgevid.DEMO, "action.edgevid")
    if "clips" in block:
        from tests.clips.moving import write_moving

        write_moving(Path("clips"), 6)
    model.open_source = session.open_source = _open  # type: ignore[assignment]
    names = {"frame": np.full((48, 48, 3), 90, np.uint8), "time_s": 0.0}
    exec(compile(block, f"{page}, block {number}", "exec"), names)


if __name__ == "__main__":
    main(*sys.argv[1:])
