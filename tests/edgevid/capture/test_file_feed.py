"""The feed of the policy "file", which reads its source in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edgevid.capture.feeds.file_feed import FrameFeed
from edgevid.errors import SourceStalled
from edgevid.frames import Frame
from tests.streams import Script


class Asked(Script):
    """Counts its requested frames."""

    asked = 0

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            self.asked += 1
            yield frame


def test_the_frames_are_those_of_the_source_in_order() -> None:
    assert [frame.index for frame in FrameFeed(Script([0] * 5), stall_s=5).frames()] == [0, 1, 2, 3, 4]


def test_a_frame_is_asked_for_only_when_it_is_wanted() -> None:
    source = Asked([0] * 5)
    frames = FrameFeed(source, stall_s=5).frames()
    assert source.asked == 0
    for count in range(1, 6):
        next(frames)
        assert source.asked == count


def test_the_thread_is_gone_when_the_frames_are_left() -> None:
    before = threading.active_count()
    frames = FrameFeed(Script([0] * 5), stall_s=5).frames()
    next(frames)
    assert threading.active_count() == before + 1
    frames.close()
    assert threading.active_count() == before


def test_stop_before_the_first_frame_gives_none() -> None:
    feed = FrameFeed(Script([0] * 5), stall_s=5)
    feed.stop()
    assert list(feed.frames()) == []


def test_a_source_that_gives_nothing_is_a_stall_and_one_that_ends_is_not() -> None:
    forever = threading.Event()

    class Stuck(Script):
        def frames(self) -> Iterator[Frame]:
            forever.wait(30)
            yield from super().frames()

    assert list(FrameFeed(Script([]), stall_s=0.05).frames()) == []
    with pytest.raises(SourceStalled) as caught:
        threading.Timer(0.3, forever.set).start()
        next(FrameFeed(Stuck([]), stall_s=0.05).frames())
    assert isinstance(caught.value, TimeoutError)
