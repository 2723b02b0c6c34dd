"""The newest frame wins, and a broken camera is opened again."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from edgevid.bundle.manifest import Window
from edgevid.capture.feeds.buffers import BufferedSource, Buffers
from edgevid.capture.feeds.live_feed import MAX_HANGS, LiveFeed
from edgevid.capture.source import ClosingSource
from edgevid.errors import SourceError, SourceStalled
from edgevid.frames import Frame
from edgevid.outputs.collect import Collector
from edgevid.outputs.output import PickyTap, Tap
from edgevid.pipeline import Pipeline
from tests.models.bundles import window_manifest
from tests.servers.network_cameras import wait_until
from tests.streams import Script, engine_for


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevid.capture.feeds.live_feed.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("edgevid.capture.feeds.live_feed.LONGEST_PAUSE_S", 0.02)


class Camera(ClosingSource):
    """Delivers a frame whenever the test allows one, in buffers that it reuses."""

    name = "camera"
    live = True

    def __init__(self, *, hangs: int = 0, reopens: bool = True) -> None:
        self.go = threading.Semaphore(0)
        self.owned: list[np.ndarray] = []
        self.given = 0
        self.closed = 0
        self.opened: list[Camera] = []
        self.fault: Exception | None = None
        self.stuck = threading.Event()
        self.reopens = reopens
        self._hangs = hangs
        self._buffers = Buffers()

    def frames(self) -> Iterator[Frame]:
        if self._hangs:
            self.stuck.wait(30)
        while self.go.acquire():
            if self.fault:
                raise self.fault
            buffer = self._buffers.take((4, 4, 3))
            if not any(buffer is each for each in self.owned):
                self.owned.append(buffer)
            buffer.fill(self.given)
            self.given += 1
            yield Frame(buffer, "rgb", time.monotonic_ns(), self.given - 1)

    def release(self, frame: Frame) -> None:
        self._buffers.give(frame.data)

    def show(self, count: int) -> None:
        for _ in range(count):
            self.go.release()

    def reopen(self) -> Camera:
        camera = Camera(hangs=max(0, self._hangs - 1))
        camera.opened = self.opened
        self.opened.append(camera)
        return camera

    def close(self) -> None:
        self.closed += 1


def test_the_newest_frame_is_given_and_the_older_ones_are_counted() -> None:
    camera = Camera()
    feed = LiveFeed(camera, stall_s=5)
    frames = feed.frames()
    camera.show(1)
    held = next(frames)
    camera.show(9)
    wait_until(lambda: camera.given == 10 and feed.late == 8)
    assert held.data[0, 0, 0] == 0, "the frame in hand was written over"
    assert next(frames).data[0, 0, 0] == 9
    assert feed.late == 8
    assert len(camera.owned) == 3, "what was dropped is written into again"
    camera.fault, camera.reopens = SourceError("Expected a frame, the cable is out."), False
    camera.show(1)
    with pytest.raises(SourceError, match="cable"):
        next(frames)


def test_drops_are_counted_by_cause() -> None:
    all_given = threading.Event()

    class Slow(Collector):
        def decided(self, *_args: object) -> None:
            assert all_given.wait(20)

    class Lossy(Script):
        """A driver that loses every second frame. It waits for the loop to take the first four, a full window."""

        live = True

        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                yield dataclasses.replace(frame, index=frame.index * 2)
                if frame.index < 3:
                    wait_until(lambda: pipeline.telemetry.taken > frame.index)  # noqa: B023  # it is called at once
                elif frame.index == 3:
                    wait_until(lambda: pipeline.pulse.frames == 3 and pipeline.pulse.began_ns)
            all_given.set()

    pipeline = Pipeline(engine_for(), Lossy([1] * 20), [Slow()])
    telemetry = pipeline.run()
    assert telemetry.seen == 5
    assert telemetry.drops == {"source": 19, "late": 15}


def test_a_camera_that_breaks_is_closed_and_opened_again() -> None:
    camera = Camera()
    feed = LiveFeed(camera, stall_s=5)
    frames = feed.frames()
    camera.show(1)
    next(frames)
    camera.fault = SourceError("Expected a frame, the cable is out.")
    camera.show(1)
    wait_until(lambda: camera.opened and feed.connected)
    assert camera.closed == 1
    camera.opened[0].show(1)
    assert next(frames).index == 0
    frames.close()
    assert feed.reconnects == 1


def test_a_camera_that_hangs_is_left_behind_and_opened_again() -> None:
    camera = Camera(hangs=1)
    feed = LiveFeed(camera, stall_s=0.5)
    threading.Thread(target=lambda: (wait_until(lambda: camera.opened), camera.opened[0].show(1))).start()
    frames = feed.frames()
    assert next(frames).index == 0
    assert feed.reconnects == 1
    assert camera.closed == 0, "closing a camera in which a thread hangs may crash"
    camera.show(1)
    camera.stuck.set()
    wait_until(lambda: camera.closed == 1)
    frames.close()


def test_a_camera_that_hangs_again_and_again_ends_the_run() -> None:
    camera = Camera(hangs=1000)
    with pytest.raises(SourceStalled, match=r"camera within 0\.05 s"):
        next(LiveFeed(camera, stall_s=0.05).frames())
    assert len(camera.opened) == MAX_HANGS
    for each in (camera, *camera.opened):
        each.stuck.set()


def test_a_live_source_that_cannot_be_opened_again_ends_the_run_when_it_ends() -> None:
    class Ending(Script):
        live = True

    assert [frame.index for frame in LiveFeed(Ending([1]), stall_s=5).frames()] == [0]


def test_stop_ends_the_frames_while_the_camera_is_away() -> None:
    camera = Camera()
    feed = LiveFeed(camera, stall_s=5)
    camera.fault = SourceError("Expected a frame, the cable is out.")
    camera.reopen = lambda: (_ for _ in ()).throw(SourceError("still out"))  # type: ignore[method-assign]
    camera.show(1)
    threading.Timer(0.2, feed.stop).start()
    assert list(feed.frames()) == []


def test_a_buffer_is_used_again_only_for_a_picture_of_its_size() -> None:
    buffers = Buffers()
    first = buffers.take((2, 2, 3))
    buffers.give(first)
    assert buffers.take((2, 2, 3)) is first
    buffers.give(first)
    assert buffers.take((4, 4, 3)).shape == (4, 4, 3)
    assert not np.shares_memory(buffers.take((2, 2, 3)), first)


class Choosy(BufferedSource):
    """A camera with 30 frames per second that decodes only wanted frames, and waits for the loop to see each.

    Args:
        count: Frames.
        lost: Those that the driver lost.
    """

    name = "choosy"
    live = True

    def __init__(self, count: int, *, lost: Sequence[int] = ()) -> None:
        super().__init__()
        self.decoded: list[int] = []
        self._indices = [index for index in range(count) if index not in lost]
        self._seen = threading.Semaphore(0)

    def frames(self) -> Iterator[Frame]:
        for index in self._indices:
            stamp_ns = round(index / 30 * 1e9)
            if not self.wanted(stamp_ns):
                continue
            self.decoded.append(index)
            buffer = self._buffers.take((6, 8, 3))
            buffer.fill(index % 3)
            yield Frame(buffer, "rgb", stamp_ns, index)
            assert self._seen.acquire(timeout=20)

    def release(self, frame: Frame) -> None:
        super().release(frame)
        self._seen.release()


def watched(
    camera: Choosy, *, interval_s: float = 0.1, taps: Sequence[Tap] = (), wants_all: bool = False
) -> tuple[list[tuple[float, ...]], Pipeline]:
    collector = Collector()
    pipeline = Pipeline(
        engine_for(window_manifest(window=Window(frames=4, interval_s=interval_s))), camera, [collector], taps=taps
    )
    if wants_all:
        pipeline._feed._reader._wanted = lambda _ns: True
    pipeline.run()
    return [(each.t_s, *each.probabilities) for each in collector.decisions], pipeline


def test_a_camera_decodes_only_the_frames_that_are_due_and_the_answers_are_the_same() -> None:
    thrifty, eager = Choosy(92, lost=[40, 50]), Choosy(92, lost=[40, 50])
    answers, pipeline = watched(thrifty)
    assert thrifty.decoded[:12] == list(range(0, 36, 3))
    assert len(thrifty.decoded) == pipeline.telemetry.taken == 31
    every, whole = watched(eager, wants_all=True)
    assert len(eager.decoded) == 90
    assert answers == every
    # Passed frames count as seen and skipped. Only the driver's losses count as lost.
    assert (pipeline.telemetry.seen, pipeline.telemetry.skipped) == (
        thrifty.decoded[-1] + 1 - 2,
        thrifty.decoded[-1] + 1 - 2 - 31,
    )
    assert pipeline.telemetry.drops == whole.telemetry.drops == {"source": 2, "late": 0}


def test_a_tap_that_looks_at_every_frame_has_every_frame_decoded() -> None:
    class Looks:
        seen = 0

        def saw(self, frame: Frame) -> None:
            self.seen += 1

    looks, camera = Looks(), Choosy(60)
    watched(camera, taps=[looks])
    assert looks.seen == len(camera.decoded) == 60


def test_a_tap_that_looks_now_and_then_has_those_decoded_that_it_wants() -> None:
    class Tenth:
        seen: list[int]

        def wants(self, timestamp_ns: int) -> bool:
            return round(timestamp_ns * 30 / 1e9) % 10 == 1

        def saw(self, frame: Frame) -> None:
            self.seen.append(frame.index)

    tenth, camera = Tenth(), Choosy(60)
    tenth.seen = []
    watched(camera, taps=[tenth])
    assert camera.decoded == sorted({*range(0, 60, 3), *range(1, 60, 10)})
    assert tenth.seen == camera.decoded


def test_a_model_that_takes_a_frame_rarely_still_sees_the_camera_live() -> None:
    """Otherwise a model with a long interval would make the stream look stalled."""
    camera = Choosy(181)
    _, pipeline = watched(camera, interval_s=2.0)
    assert np.diff(camera.decoded).max() <= 15
    assert pipeline.telemetry.taken == 4


def test_pictures_for_people_want_the_frames_that_they_copy() -> None:
    pytest.importorskip("cv2")
    from edgevid.outputs.video.jpeg_ring import JpegRing
    from edgevid.outputs.video.pictures import Pictures

    pictures = Pictures(JpegRing(room_bytes=2**20, pictures=4), fps=10)
    assert isinstance(pictures, PickyTap)
    frames = [Frame(np.zeros((8, 8, 3), np.uint8), "rgb", round(1e9 + index / 30 * 1e9), index) for index in range(30)]
    assert not any(pictures.wants(frame.timestamp_ns) for frame in frames), "nobody looks"
    pictures.add_viewer()
    copied = []
    for frame in frames:
        wanted = pictures.wants(frame.timestamp_ns)
        pictures.saw(frame)
        if not pictures._free.is_set():
            copied.append(frame.index)
            pictures._free.set()
        assert wanted == (frame.index in copied)
    assert copied == list(range(0, 30, 3))
