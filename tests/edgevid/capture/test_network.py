"""Streams from real servers on this machine."""

from __future__ import annotations

import itertools
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgevid.capture import open_source
from edgevid.capture.feeds.live_feed import LiveFeed
from edgevid.errors import SourceError, UsageError
from tests.models.bundles import window_manifest

pytest.importorskip("cv2")

from edgevid.capture.network import NetworkStream  # after the skip
from tests.clips.videos import level
from tests.servers.network_cameras import MjpegServer, rtsp_server, wait_until

DEBIAN_PYTHON = "/usr/bin/python3"
GST = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; "
    "Gst.init(None); assert Gst.ElementFactory.find('rtpjpegpay')"
)


def read(source: NetworkStream, count: int) -> list[tuple[int, int]]:
    """Read frames as fast as they come, as (time, gray)."""
    seen = []
    for frame in source.frames():
        seen.append((frame.timestamp_ns, int(frame.data[5, 5, 0])))
        source.release(frame)
        if len(seen) == count:
            break
    return seen


def test_a_cameras_frames_come_in_order_stamped_with_their_arrival() -> None:
    with MjpegServer() as server, NetworkStream(f"http://{server.address}/video") as source:
        before_ns = time.monotonic_ns()
        seen = read(source, 10)
    # OpenCV has read some frames to detect their format, and delivers those first.
    assert all(abs(gray - level(index)) <= 5 for index, (_, gray) in enumerate(seen))
    stamps = [stamp for stamp, _ in seen]
    assert stamps == sorted(stamps)
    assert before_ns < stamps[0]
    assert source.live
    assert source.time_base == "arrival"


def test_a_frame_that_is_being_looked_at_is_not_written_over() -> None:
    with MjpegServer(fps=200) as server, NetworkStream(f"http://{server.address}/video") as source:
        frames = source.frames()
        held = next(frames)
        before = held.data.copy()
        for _ in range(8):
            source.release(next(frames))
        assert (held.data == before).all()


def test_a_frame_that_nobody_wants_is_counted_and_not_brought_to_bgr() -> None:
    retrieved = []
    with MjpegServer(fps=200) as server, NetworkStream(f"http://{server.address}/video") as source:
        retrieve = source._decoder.retrieve
        source._decoder.retrieve = lambda buffer: retrieved.append(1) or retrieve(buffer)
        asked = itertools.count()
        source.wanted = lambda _ns: next(asked) % 3 == 0
        frames = source.frames()
        seen = [(frame.index, int(frame.data[5, 5, 0])) for frame in itertools.islice(frames, 6)]
    assert [index for index, _ in seen] == [0, 3, 6, 9, 12, 15]
    assert all(abs(gray - level(index)) <= 5 for index, gray in seen)
    assert len(retrieved) == 6


def test_a_stream_that_breaks_off_is_an_error_and_the_feed_connects_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgevid.capture.feeds.live_feed.FIRST_PAUSE_S", 0.01)
    caplog.set_level(logging.WARNING)
    with MjpegServer(per_connection=40, fps=200) as server:
        with NetworkStream(f"http://{server.address}/video") as source, pytest.raises(SourceError, match="broke off"):
            read(source, 1000)
        with NetworkStream(f"http://{server.address}/video") as source:
            feed = LiveFeed(source, stall_s=10)
            frames = feed.frames()
            while feed.reconnects < 2:
                next(frames)
            frames.close()
    assert server.connections >= 4
    assert "is open again" in caplog.text


def test_a_server_that_is_away_is_tried_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevid.capture.feeds.live_feed.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("edgevid.capture.feeds.live_feed.LONGEST_PAUSE_S", 0.05)
    with MjpegServer(fps=100) as server, NetworkStream(f"http://{server.address}/video") as source:
        feed = LiveFeed(source, stall_s=0.3)
        frames = feed.frames()
        next(frames)
        server.open.clear()
        wait_until(lambda: not feed.connected)
        time.sleep(0.5)
        assert feed.reconnects == 0
        server.open.set()
        wait_until(lambda: feed.connected)
        assert next(frames) is not None
        frames.close()
    assert feed.reconnects == 1


def test_a_password_is_used_and_never_shown(tmp_path: Path) -> None:
    """Check the output of a whole process: FFmpeg writes to standard error by itself."""
    script = """
import sys
from edgevid.capture.network import NetworkStream
from edgevid.errors import SourceError
good, bad, gone = sys.argv[1:]
with NetworkStream(good) as source:
    print(source.name, next(source.frames()).data.shape)
for url in (bad, gone):
    try:
        NetworkStream(url, timeout_ms=2000)
    except SourceError as error:
        print(error)
"""
    talkative = {**os.environ, "OPENCV_LOG_LEVEL": "VERBOSE", "OPENCV_VIDEOIO_DEBUG": "1"}
    with MjpegServer(password="geheim") as server:
        urls = [
            f"http://cam:geheim@{server.address}/video?token=geheim",
            f"http://cam:geheim2@{server.address}/video",
            "rtsp://cam:geheim@127.0.0.1:9/x?a=geheim",
        ]
        done = subprocess.run(
            [sys.executable, "-c", script, *urls],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=talkative,
        )
    assert f"http://{server.address} (48, 64, 3)" in done.stdout
    assert done.stdout.count("none that opens") == 2
    assert "geheim" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "address",
    ["rtsp://cam:gehe/im@host/1", "rtsp://cam:12/geheim@host", "http://cam:1?geheim@host", "udp://cam:1#geheim@host"],
)
def test_a_password_that_a_parser_would_cut_is_rejected_before_any_connection(address: str) -> None:
    with pytest.raises(UsageError, match=r"without @ after the host, got one with it\. .* %2F for a slash") as caught:
        open_source(address, window_manifest())
    assert not re.search("gehe|cam|12", str(caught.value))


def test_a_camera_may_have_an_at_in_its_path_behind_one_before_the_host() -> None:
    with MjpegServer() as server, NetworkStream(f"http://@{server.address}/video/p@th") as source:
        assert next(source.frames()).data.shape == (48, 64, 3)


def test_a_wrong_address_is_a_usage_error_without_its_password() -> None:
    for text in ("http://", "rtsp://cam:geheim@/x", "rtsp://cam:geheim@[::1/x"):
        with pytest.raises(UsageError, match="Expected an address") as caught:
            open_source(text, window_manifest())
        assert "geheim" not in str(caught.value)


@pytest.mark.skipif(
    not Path(DEBIAN_PYTHON).exists()
    or subprocess.run([DEBIAN_PYTHON, "-c", GST], capture_output=True, check=False).returncode != 0,
    reason=(
        "GStreamer's RTSP server is not installed: apt-get install python3-gi "
        "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good"
    ),
)
def test_an_rtsp_camera_with_a_password_gives_frames_with_the_senders_intervals() -> None:
    with rtsp_server(DEBIAN_PYTHON, password="geheim") as address:
        with NetworkStream(f"rtsp://cam:geheim@{address}/camera") as source:
            stamps = [stamp for stamp, _ in read(source, 60)]
            now_ns = time.monotonic_ns()
            assert source.name == f"rtsp://{address}"
            assert source.time_base == "stream"
        with pytest.raises(SourceError, match="none that opens"):
            NetworkStream(f"rtsp://cam:wrong@{address}/camera", timeout_ms=3000)
    # The first frames arrive in a burst. From then on the steps are the camera's own 40 ms, however busy
    # this machine is, except where a frame comes faster than any before.
    steps = [after - before for before, after in itertools.pairwise(stamps[25:])]
    assert sum(abs(step - 40e6) < 1e6 for step in steps) >= len(steps) - 5
    assert all(stamp <= now_ns for stamp in stamps)


def test_a_cameras_password_that_goes_over_plain_http_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    for url in ("http://cam:geheim@host.invalid/video", "http://host.invalid/video", "http://cam:geheim@127.0.0.1:9/x"):
        with pytest.raises(SourceError):
            NetworkStream(url, timeout_ms=500)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "goes to http://host.invalid unencrypted" in said
    assert "geheim" not in said
