"""Bring your own frames: from a program that already has a camera, a decoder or a network stream.

Buy: nothing; this one draws a hand as its frames.
Install: pip install edgevid
Run: python own_frames.py
"""

from collections.abc import Iterator

import numpy as np

import edgevid

model = edgevid.load(edgevid.DEMO)


def my_frames() -> Iterator[tuple[np.ndarray, float]]:
    """Replace this by your own: an (H, W, 3) uint8 picture of any size, and its time in seconds."""
    with edgevid.open_source("synthetic:3", model.bundle.manifest) as source:
        for frame in source.frames():
            yield frame.data, frame.timestamp_ns / 1e9
            if frame.timestamp_ns > 15e9:
                return


# OpenCV reads BGR, most other libraries RGB: state it, a swapped model answers wrongly without an error.
with model.stream(colour="rgb") as stream:
    for picture, time_s in my_frames():
        decision = stream.push(picture, t_s=time_s)
        if decision is None:  # the first window is not full yet, or the frame lies between two that the model takes
            continue
        if decision.started:
            print(
                f"{time_s:6.2f} s  {decision.started.label} started, "
                f"score {decision.scores[decision.started.label]:.2f}"
            )
        for event in decision.events:
            print(f"{time_s:6.2f} s  {event.label} ended after {event.end_s - event.start_s:.1f} s")
print(stream.telemetry.as_table())
