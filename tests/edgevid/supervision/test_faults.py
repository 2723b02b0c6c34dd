"""Faults, one by one and in random order: the run goes on, every event that was announced ends, and nothing hangs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgevid import cli
from edgevid.capture.feeds import live_feed
from edgevid.errors import ContractError
from edgevid.events.rule import DecisionRule
from edgevid.outputs.collect import Collector
from edgevid.pipeline import MAX_TORN, Pipeline
from edgevid.supervision.pace import LEVELS
from tests.models.bundles import window_manifest
from tests.streams import engine_for
from tests.weather import FAULTS, TORN, Script, Weather

SHARP = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0.1, cooldown_s=0, background=("none",))
SHIPPED = str(resources.files("edgevid") / "data" / "gestures.edgevid")
# A machine that is busy may be slow to give a frame; only where a camera hangs is the wait for it cut short.
STALL_S, SHORT_STALL_S = 60.0, 0.5


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "FIRST_PAUSE_S", 0.01)


def classes(count: int) -> list[int]:
    """Ten frames of nothing, then ten of a gesture, in turns."""
    return [(0, 1, 0, 2)[index // 10 % 4] for index in range(count)]


def run(faults: dict[int, str], *, frames: int = 100) -> tuple[Collector, Pipeline]:
    script = Script(classes(frames), faults)
    collector = Collector()
    stall_s = SHORT_STALL_S if "hangs" in faults.values() else STALL_S
    pipeline = Pipeline(engine_for(window_manifest(decision=SHARP)), Weather(script), [collector], stall_s=stall_s)
    script.over = pipeline.stop
    before = threading.active_count()
    pipeline.run()
    script.hung.set()
    until_s = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < until_s:
        time.sleep(0.01)
    assert threading.active_count() == before
    return collector, pipeline


def announced_and_ended(collector: Collector) -> None:
    """Each start has its end, in order, and no end comes unannounced."""
    assert [(event.label, event.start_s) for event in collector.starts] == [
        (event.label, event.start_s) for event in collector.events
    ]
    assert all(event.end_s >= event.start_s for event in collector.events)


def test_without_a_fault_every_gesture_is_an_event() -> None:
    collector, pipeline = run({})
    assert [event.label for event in collector.events] == ["wave", "swipe", "wave", "swipe", "wave"]
    announced_and_ended(collector)
    assert pipeline.telemetry.seen == 100
    assert not any(pipeline.telemetry.drops.values())


@pytest.mark.parametrize("place", [15, 25], ids=["within an event", "between two"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_costs_little(fault: str, place: int) -> None:
    collector, pipeline = run({place: fault})
    announced_and_ended(collector)
    telemetry = pipeline.telemetry
    assert len(collector.events) in (5, 6)
    assert {event.label for event in collector.events} == {"wave", "swipe"}
    assert telemetry.seen >= 99
    assert telemetry.drops.get("torn", 0) == (fault in TORN)
    if fault == "hangs":  # a machine that is busy may seem to hang once more
        assert telemetry.reconnects >= 1
        return
    assert telemetry.reconnects == (fault == "unplugged")
    assert telemetry.gaps == (fault in ("unplugged", "backwards", "the clock jumps"))


@pytest.mark.parametrize("seed", range(6))
def test_faults_in_random_order_never_end_the_run(seed: int) -> None:
    rng = random.Random(seed)
    places = rng.sample(range(5, 395), 40)
    kinds = [rng.choice([fault for fault in FAULTS if fault not in ("none", "hangs")]) for _ in places]
    # A hang costs real time, and only three in a row are forgiven.
    kinds[:2] = ["hangs", "hangs"]
    collector, pipeline = run(dict(zip(places, kinds, strict=True)), frames=400)
    announced_and_ended(collector)
    assert len(collector.events) >= 5
    assert pipeline.telemetry.reconnects >= sum(kind in ("unplugged", "hangs") for kind in kinds)
    assert pipeline.telemetry.seen >= 400 - pipeline.telemetry.reconnects - 1


def test_a_pace_that_changes_in_the_middle_of_faults_loses_no_event() -> None:
    rng = random.Random(7)
    script = Script(
        classes(400), {place: rng.choice(["unplugged", "backwards", *TORN]) for place in rng.sample(range(5, 395), 15)}
    )

    class Changing(Collector):
        def decided(self, decision) -> None:
            super().decided(decision)
            if rng.random() < 0.1:
                pipeline.keep_pace(rng.randrange(len(LEVELS)))

    collector = Changing()
    pipeline = Pipeline(engine_for(window_manifest(decision=SHARP)), Weather(script), [collector], stall_s=STALL_S)
    script.over = pipeline.stop
    pipeline.run()
    script.hung.set()
    announced_and_ended(collector)
    assert pipeline.telemetry.pace_changes > 3


def test_a_camera_that_gives_nothing_but_torn_frames_is_refused() -> None:
    collector = Collector()
    script = Script(classes(200), dict.fromkeys(range(50, 200), "torn to a row"))
    pipeline = Pipeline(engine_for(window_manifest(decision=SHARP)), Weather(script), [collector], stall_s=STALL_S)
    with pytest.raises(ContractError, match="Expected a picture"):
        pipeline.run()
    script.hung.set()
    announced_and_ended(collector)
    assert pipeline.telemetry.drops["torn"] == MAX_TORN


def test_torn_frames_that_are_not_in_a_row_are_forgiven_for_ever() -> None:
    torn = range(20, 200, 2)
    assert len(torn) > 2 * MAX_TORN
    collector, pipeline = run(dict.fromkeys(torn, "torn to a row"), frames=220)
    announced_and_ended(collector)
    assert pipeline.telemetry.drops["torn"] == len(torn)


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "edgevid.cli", "run", SHIPPED, "--json", *options]


@pytest.mark.parametrize("delay_s", np.random.default_rng(5).uniform(0.0, 2.5, 6).round(2).tolist())
def test_asked_to_end_at_any_moment_it_ends_with_whole_lines(delay_s: float) -> None:
    process = subprocess.Popen(
        command("--source", "synthetic:3", "--policy", "live"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    # Before the handler is there, Python itself ends, and has said nothing.
    assert process.returncode == 0 or (process.returncode == -signal.SIGTERM and not out), err
    assert out == b"" or out.endswith(b"\n")
    assert all(json.loads(line) for line in out.splitlines())


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://user:secret@127.0.0.1:1/x",
        "http://user:secret@127.0.0.1:1/x?token=secret",
        "rtsp://user:secret@",
        "rtps://user:secret@host/x?token=secret",
        "nowhere//user:secret@host",
    ],
)
def test_a_source_that_cannot_be_had_shows_no_password(
    source: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "deployment.toml").write_text(f"source = {json.dumps(source)}\n")
    for argv in (
        ["--source", source],
        ["--config", str(tmp_path / "deployment.toml")],
        ["--source", source, "--config"],
    ):
        assert cli.main(["run", SHIPPED, *argv]) in (1, 2)
    out, err = capfd.readouterr()
    assert "Expected" in err
    assert "secret" not in out + err


def test_the_service_needs_no_root() -> None:
    """A whole run as a user without privileges; without root, all other tests are this one."""
    if os.geteuid() != 0:
        pytest.skip("this is not root already")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    if (
        subprocess.run(
            [*nobody, sys.executable, "-c", "import edgevid"], env=environment, capture_output=True, check=False
        ).returncode
        != 0
    ):
        pytest.skip("another user may not read this environment")
    options = ["--source", "synthetic:3", "--max-frames", "200", "--threads", "auto"]
    done = subprocess.run(
        [*nobody, *command(*options)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"event"')
    assert "its folder cannot be written" in done.stderr


def test_a_full_disk_under_standard_output_is_one_line_and_a_code() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("--source", "synthetic:3", "--max-frames", "200"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr.splitlines()[-1]
