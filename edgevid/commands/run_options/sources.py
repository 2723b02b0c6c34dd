"""`--source`, where the frames come from, and the options that go with it."""

from __future__ import annotations

from edgevid.capture.open import POLICIES, SOURCES_HELP
from edgevid.commands.options import Option, positive_int, positive_seconds

OPTIONS: tuple[Option, ...] = (
    Option(name="--source", required=True, metavar="SOURCE", help=SOURCES_HELP),
    Option(
        name="--policy",
        choices=POLICIES,
        help="live: take the newest frame, drop and count older ones, and open a broken camera again. "
        "file: take every frame, while the source waits "
        "(default: live for cameras, streams and replay:FILE, else file)",
    ),
    Option(
        name="--max-frames",
        type=positive_int,
        metavar="N",
        help="stop after N frames of the source (default: at its end)",
    ),
    Option(
        name="--stall",
        type=positive_seconds,
        default=10.0,
        metavar="SECONDS",
        help="longest wait for a frame. After it a camera is opened again; any other source fails (default: 10)",
    ),
)
