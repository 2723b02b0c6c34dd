from __future__ import annotations

from pathlib import Path

import pytest

from edgevid.capture.address import Value
from edgevid.capture.v4l2 import check_mode
from edgevid.errors import SourceError

DEVICE = Path("/dev/video0")
YUYV, MJPG = (int.from_bytes(name, "little") for name in (b"YUYV", b"MJPG"))


@pytest.mark.parametrize(
    ("wanted", "fourcc", "fps"),
    [
        ({}, YUYV, 5.0),
        ({"format": "YUYV", "fps": 30.0}, YUYV, 29.97),
        ({"format": "MJPG"}, MJPG, 10.0),
        ({"fps": 30.0}, YUYV, 0.0),
        ({"fps": 30.0}, YUYV, -1.0),
    ],
)
def test_a_v4l2_driver_may_round_its_rate_and_choose_what_nobody_asked_for(
    wanted: dict[str, Value], fourcc: int, fps: float
) -> None:
    check_mode(wanted, fourcc=fourcc, fps=fps, path=DEVICE)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"format": "MJPG"}, "Expected format MJPG from /dev/video0, got YUYV. Use format=YUYV, or leave it out."),
        ({"fps": 30.0}, "Expected 30 frames a second from /dev/video0, got 15. Use fps=15, or another size or format"),
    ],
)
def test_a_v4l2_driver_that_ignores_its_format_or_rate_is_an_error_with_the_one_it_uses(
    wanted: dict[str, Value], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        check_mode(wanted, fourcc=YUYV, fps=15.0, path=DEVICE)
    assert str(caught.value).startswith(message)
