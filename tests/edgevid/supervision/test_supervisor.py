"""The supervisor: notifications only after progress, the pace, and the exit from a call that hangs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.board import BoardSampler
from edgevid.bundle.manifest import DecisionRule, Window
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.supervision.pace import PacePolicy, Pacer
from edgevid.supervision.pulse import Pulse
from edgevid.supervision.supervisor import STUCK_EXIT_CODE, Supervisor
from edgevid.supervision.systemd import Notifier
from edgevid.telemetry.thread_faults import thread_faults
from tests.boards import PI_4B
from tests.edgevid.backends.delegates import noop
from tests.edgevid.outputs.sinks import until
from tests.models.bundles import bundle_for, window_manifest
from tests.streams import Script, answer, encode, engine_for

__all__ = ["noop"]
SHIPPED = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))
S = 1_000_000_000
SHARP = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0.1, cooldown_s=0, background=("none",))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end of the line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        yield end


def received(manager: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages


def notifier(manager: socket.socket) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "10000000"})


class Left(Exception):
    """The process would have ended."""


def leave() -> None:
    raise Left


def supervised(manager: socket.socket, **options: object) -> tuple[Pipeline, Supervisor]:
    pipeline = Pipeline(engine_for(), Script([]), [Collector()])
    return pipeline, Supervisor(pipeline, notifier=notifier(manager), leave=leave, **options)


def work(pipeline: Pipeline, *, frames: int, busy_s: float) -> None:
    """Let the loop have taken some frames since the last look."""
    pipeline.pulse.frames += frames
    pipeline.pulse.busy_ns += round(busy_s * S)
    pipeline.telemetry.taken += frames
    pipeline.telemetry.seen += frames


def test_ready_is_said_once_after_the_first_frame(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager)
    supervisor.tick(1 * S)
    assert "READY=1" not in received(manager)
    work(pipeline, frames=1, busy_s=0.01)
    supervisor.tick(2 * S)
    work(pipeline, frames=1, busy_s=0.01)
    supervisor.tick(3 * S)
    assert received(manager).count("READY=1") == 1


def test_a_sign_of_life_is_given_only_where_frames_went_through(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager)
    for second, frames in enumerate([10, 0, 0, 7, 0], start=1):
        if frames:
            work(pipeline, frames=frames, busy_s=0.1)
        supervisor.tick(second * S)
        assert ("WATCHDOG=1" in received(manager)) == bool(frames)


def test_a_camera_that_is_being_opened_again_is_at_work(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager)
    pipeline._feed.connected = False
    supervisor.tick(1 * S)
    messages = received(manager)
    assert "WATCHDOG=1" in messages
    assert any("opening it again" in message for message in messages)


def test_a_frame_that_is_in_hand_for_too_long_ends_the_process(
    manager: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline, supervisor = supervised(manager, stuck_s=8.0)
    work(pipeline, frames=5, busy_s=0.1)
    pipeline.pulse.frame_started(100 * S)
    supervisor.tick(107 * S)
    with pytest.raises(Left):
        supervisor.tick(109 * S)
    assert "WATCHDOG=1" not in received(manager)[-1:]
    assert "most recent call first" in capfd.readouterr().err


def test_before_the_process_ends_the_open_event_is_given_out_and_the_outputs_are_closed() -> None:
    class Closing(Collector):
        closed = threading.Event()

        def close(self) -> None:
            self.closed.set()

    class Hangs:
        until = threading.Event()

        def saw(self, frame: Frame) -> None:
            if frame.index == 12:
                self.until.wait(30)

    collector, tap, left = Closing(), Hangs(), threading.Event()
    pipeline = Pipeline(engine_for(window_manifest(decision=SHARP)), Script([1] * 20), [collector], taps=[tap])
    with Supervisor(pipeline, stuck_s=0.2, tick_s=0.02, leave=left.set):
        loop = threading.Thread(target=pipeline.run)
        loop.start()
        assert left.wait(20)
        assert collector.closed.is_set()
        assert [event.label for event in collector.starts] == [event.label for event in collector.events] == ["wave"]
        tap.until.set()
        loop.join(20)


def test_the_first_frames_have_more_time_only_while_they_compute(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks once a second at the first frame; what counts is the processor time of the loop's thread."""

    def found_after_s(share: float | None) -> int:
        used_ns = iter(range(0, 100 * S, round(share * S))) if share else None
        monkeypatch.setattr(Pulse, "processor_ns", lambda _: next(used_ns) if used_ns else share)
        pipeline, supervisor = supervised(manager, stuck_s=8.0)
        pipeline.pulse.frame_started(100 * S)
        for second in range(1, 100):
            try:
                supervisor.tick((100 + second) * S)
            except Left:
                return second
        return 100

    assert found_after_s(0) <= 10, "in a driver"
    assert found_after_s(0.01) <= 10, "in a driver that looks now and then"
    assert found_after_s(0.9) == 61, "a slow model"
    assert found_after_s(0.2) == 61, "a slow model next to other programs"
    assert found_after_s(None) == 61, "where nobody knows"


def test_the_loop_tells_how_much_processor_time_it_used() -> None:
    pulse = Pulse()
    assert pulse.processor_ns() is None
    pulse.loop_started()
    before_ns = pulse.processor_ns()
    while pulse.processor_ns() < before_ns + 20_000_000:  # ends only where computing counts
        pass
    after_ns = pulse.processor_ns()
    time.sleep(0.2)
    assert pulse.processor_ns() - after_ns < 100_000_000


def test_a_slow_model_has_more_time(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager, stuck_s=8.0)
    work(pipeline, frames=9, busy_s=1)
    pipeline.telemetry.total.record(3 * S)
    pipeline.pulse.frame_started(100 * S)
    supervisor.tick(129 * S)
    with pytest.raises(Left):
        supervisor.tick(131 * S)


def test_a_loop_that_waits_for_a_frame_is_not_stuck(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager)
    pipeline.pulse.frame_started(1 * S)
    pipeline.pulse.frame_done(2 * S)
    supervisor.tick(10_000 * S)
    assert pipeline.pulse.busy_ns == S


def seconds(pipeline: Pipeline, supervisor: Supervisor, count: int, *, load: float, start_s: int) -> list[int]:
    """Tick once a second while frames take `load` of the training interval; return all levels."""
    levels = []
    for second in range(start_s, start_s + count):
        frames = round(10 / pipeline.lanes[0].slowdown)
        work(pipeline, frames=frames, busy_s=frames * load * 0.1)
        supervisor.tick(second * S)
        pipeline._change_pace(pipeline._wanted_level)
        levels.append(pipeline.telemetry.pace_level)
    return levels


def test_a_late_loop_gives_something_up_says_so_and_takes_it_back(
    manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline, supervisor = supervised(manager, pacer=Pacer())
    assert set(seconds(pipeline, supervisor, 10, load=0.5, start_s=1)) == {0}
    received(manager)
    late = seconds(pipeline, supervisor, 5, load=1.6, start_s=11)
    assert any(message.startswith("STATUS=pace level 1 of 3") for message in received(manager))
    late += seconds(pipeline, supervisor, 15, load=1.6, start_s=16)
    assert sorted(set(late)) == [0, 1, 2]
    assert "processing a frame takes 160% of the time between two" in caplog.text
    assert seconds(pipeline, supervisor, 90, load=0.2, start_s=31)[-1] == 0


def test_without_frames_the_pace_stays_as_it_is(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager, pacer=Pacer())
    seconds(pipeline, supervisor, 10, load=1.6, start_s=1)
    level = pipeline.telemetry.pace_level
    for second in range(11, 100):
        supervisor.tick(second * S)
    assert pipeline._wanted_level == level


def test_a_throttled_board_slows_the_pace_even_of_a_loop_that_keeps_up(
    manager: socket.socket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = BoardSampler(PI_4B.but(throttled=0x80008).plant(tmp_path))
    board.sample()
    pipeline, supervisor = supervised(manager, pacer=Pacer(), board=board)
    assert set(seconds(pipeline, supervisor, 40, load=0.3, start_s=1)) == {0}
    PI_4B.but(throttled=0x40004, celsius=82).plant(tmp_path)
    board.sample()
    assert seconds(pipeline, supervisor, 5, load=0.3, start_s=41)[-1] == 1
    assert "the board is throttled" in caplog.text
    assert "82 °C" in supervisor.status()


def test_a_live_run_that_is_too_slow_ends_at_a_pace_that_it_can_keep(caplog: pytest.LogCaptureFixture) -> None:
    """Real threads and a real clock: frames 20 ms apart, and a model that takes 35 ms for each."""

    class Camera(Script):
        live = True

        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.02)
                yield dataclasses.replace(frame, timestamp_ns=time.monotonic_ns())
                if pipeline.telemetry.pace_level >= 2:
                    return

    def slow(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        time.sleep(0.035)
        return encode(inputs)

    manifest = window_manifest(decision=SHARP, window=Window(frames=4, interval_s=0.02))
    collector = Collector()
    pipeline = Pipeline(
        Engine(bundle_for(manifest), backend=Fake({"encoder": slow, "head": answer})), Camera([1] * 2000), [collector]
    )
    policy = PacePolicy(late_for_s=0.2, settle_s=0.3)
    with Supervisor(pipeline, pacer=Pacer(policy), tick_s=0.1):
        telemetry = pipeline.run()
    assert telemetry.pace_level >= 2
    assert telemetry.unanswered
    assert "pace level 2 of 3" in caplog.text
    assert [event.start_s for event in collector.starts] == [event.start_s for event in collector.events]


def test_a_file_is_never_late(manager: socket.socket) -> None:
    pipeline, supervisor = supervised(manager, pacer=None)
    assert set(seconds(pipeline, supervisor, 30, load=5.0, start_s=1)) == {0}


def test_the_thread_is_gone_after_the_run_and_systemd_is_told(manager: socket.socket) -> None:
    before = threading.active_count()
    pipeline = Pipeline(engine_for(), Script([1] * 8), [Collector()])
    with Supervisor(pipeline, notifier=notifier(manager), tick_s=0.01):
        pipeline.run()
    assert threading.active_count() == before
    assert received(manager)[-1] == "STOPPING=1"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "edgevid.cli", "run", str(SHIPPED), *arguments]


def test_an_inference_that_hangs_on_the_first_frame_is_found_as_soon_as_any_other(noop: Path) -> None:
    options = ["--source", "synthetic:0", "--json", "--delegate", f"{noop},hang_after=0"]
    done = subprocess.run(command(*options), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == STUCK_EXIT_CODE
    assert done.stdout == ""
    found = re.search(r"in progress for (\d+) s", done.stderr)
    assert found, done.stderr
    assert int(found[1]) < 30, "not after the minute that a model has that computes"


def test_an_inference_that_hangs_ends_the_process_with_its_own_code_and_nothing_announced_is_lost(
    noop: Path, manager: socket.socket
) -> None:
    """The real interpreter in a driver that never returns, in a real process, as systemd would have started it."""
    environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    options = ["--source", "synthetic:0", "--json", "--delegate", f"{noop},hang_after=60"]
    done = subprocess.run(command(*options), env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == STUCK_EXIT_CODE
    assert "in progress for" in done.stderr
    assert "invoke" in done.stderr, "the trace of where it hangs"
    assert all(json.loads(line) for line in done.stdout.splitlines())
    messages = received(manager)
    assert "READY=1" in messages
    assert messages[-1].startswith("STATUS=a frame hangs")


def test_a_service_tells_systemd_that_it_is_ready_alive_and_stopping(manager: socket.socket, tmp_path: Path) -> None:
    """A real process that is asked to end in the middle of a stream."""
    environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    process = subprocess.Popen(
        command("--source", "synthetic:0", "--json"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    lines = process.stdout.read().splitlines()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert all(json.loads(line) for line in lines)
    assert received(manager)[-1] == "STOPPING=1"


def test_the_supervisors_thread_outlives_a_tick_that_fails(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, supervisor = supervised(manager, tick_s=0.01)
    monkeypatch.setattr(pipeline._feed, "connected", False)
    status, before = supervisor.status, thread_faults().get("supervisor", 0)
    monkeypatch.setattr(supervisor, "status", lambda: "" if thread_faults()["supervisor"] > before + 2 else 1 / 0)
    supervisor._leave = None
    with supervisor:
        until(lambda: supervisor._ticks > 0)
    assert status()
    assert thread_faults()["supervisor"] == before + 3
