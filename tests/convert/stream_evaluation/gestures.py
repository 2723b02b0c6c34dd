"""Rendered recordings of gestures, for the bundle that ships."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import cv2

from convert.recordings import Recording, TrueEvent, write_truth
from edgevid import bundle
from edgevid.bundle import Bundle
from edgevid.capture.synthetic import GestureSource

FPS = 20.0


def shipped() -> Bundle:
    """The bundle of the package."""
    return bundle.read(Path(str(files("edgevid") / "data" / "gestures.edgevid")))


def shipped_path() -> Path:
    """Its file."""
    return Path(str(files("edgevid") / "data" / "gestures.edgevid"))


def write_recordings(folder: Path, *, seeds: Sequence[int], seconds: float = 30.0) -> tuple[Recording, ...]:
    """Render videos and write their truth to `folder`/../events.csv.

    Args:
        folder: Made if missing.
        seeds: One recording each; even ones are of group "even", odd ones of "odd".
        seconds: Length of each.
    """
    folder.mkdir(exist_ok=True)
    recordings = tuple(_write(folder, seed, seconds) for seed in seeds)
    write_truth(folder.parent / "events.csv", recordings, folder=folder)
    return recordings


def _write(folder: Path, seed: int, seconds: float) -> Recording:
    path = folder / f"{seed}.avi"
    with GestureSource(seed=seed, duration_s=seconds, height_px=64, width_px=64) as source:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 64))
        for frame in source.frames():
            writer.write(cv2.cvtColor(frame.data, cv2.COLOR_RGB2BGR) if frame.color == "rgb" else frame.data)
        writer.release()
        truth = tuple(TrueEvent(each.label, round(each.start_s, 3), round(each.end_s, 3)) for each in source.truth)
    return Recording(path=path, events=truth, group="odd" if seed % 2 else "even")
