"""`edgevid run` with outputs, as a person would call it: a process of its own, a real broker, a real receiver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import resources
from pathlib import Path

import pytest

from edgevid import cli
from tests.edgevid.outputs.sinks import decision, until
from tests.repo.files import ROOT
from tests.servers.broker import Mosquitto, free_port, listening, needs_mosquitto
from tests.servers.receiver import Receiver

BUNDLE = str(resources.files("edgevid") / "data" / "gestures.edgevid")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "edgevid.cli", "run", BUNDLE, *arguments]


@needs_mosquitto
def test_one_run_with_every_output_tells_each_of_the_same_events(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    broker, receiver = Mosquitto(tmp_path), Receiver()
    request.addfinalizer(broker.stop)
    broker.start()
    with listening(broker.port) as listener:
        done = subprocess.run(
            command(
                *("--source", "synthetic:3", "--max-frames", "300", "--json"),
                *("--mqtt", f"mqtt://127.0.0.1:{broker.port}/hall", "--webhook", receiver.url),
                *("--clips", str(tmp_path / "clips"), "--metrics", f"127.0.0.1:{free_port()}"),
            ),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        events = [each["event"] for each in objects if "event" in each]
        assert len(events) >= 3
        until(lambda: listener.on("hall/status")[-1:] == ["offline"])
        assert [each["event"] for each in listener.on("hall/gestures/event/end")] == events
    assert [body["event"] for body, _ in receiver.received if body["phase"] == "end"] == events
    clips = sorted((tmp_path / "clips").glob("*.json"))
    assert [json.loads(path.read_text())["event"] for path in clips] == events
    assert "not delivered" not in done.stderr
    broker.stop()
    receiver.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_an_event_ends_the_run_and_delivers_the_end_of_the_event(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    receiver = Receiver()
    request.addfinalizer(receiver.close)
    process = subprocess.Popen(
        command("--source", "synthetic:3", "--policy", "live", "--webhook", receiver.url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    until(lambda: len(receiver.received) % 2 == 1)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    phases = [(body["id"], body["phase"]) for body, _ in receiver.received]
    started = [name for name, phase in phases if phase == "start"]
    assert phases == [(name, phase) for name in started for phase in ("start", "end")]


def test_a_run_that_nohup_started_ignores_the_end_of_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which a child inherits
    try:
        process = subprocess.Popen(
            command("--source", "synthetic:3", "--max-frames", "100", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    printed, said = process.communicate()
    assert process.returncode == 0, said.decode()
    assert max(json.loads(line).get("t_s", 0) for line in printed.splitlines()) > 3


def test_a_terminated_live_run_ends_in_a_bounded_time_although_its_outputs_and_its_reader_hang() -> None:
    """Nobody reads standard output until its pipe is full, and the broker is away."""
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        command(
            "--source",
            "synthetic:3",
            "--policy",
            "live",
            "--json",
            "--mqtt",
            "mqtt://127.0.0.1:1/hall",
            "--webhook",
            "http://127.0.0.1:1/x",
        ),
        stdout=write_end,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    os.close(write_end)
    os.set_blocking(read_end, False)
    filler = os.open(f"/proc/{process.pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(filler, b"x" * 65536)
    except BlockingIOError:
        pass
    assert process.stderr is not None
    while "webhook" not in process.stderr.readline():
        pass
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "decisions" in errors
    os.close(filler)
    os.close(read_end)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mqtt", "http://localhost"], "mqtt[s]://"),
        (["--mqtt", "mqtt://me:pass-word@:1"], "mqtt[s]://"),
        (["--mqtt", "mqtt://localhost/a/#"], "without #"),
        (["--mqtt", "mqtt://localhost/a/+"], "without +"),
        (["--mqtt", "mqtt://localhost/a?colour=red"], "discovery or ca"),
        (["--mqtt", "mqtts://localhost/a?ca=/nowhere.pem"], "can be read"),
        (["--webhook", "ftp://localhost/x"], "http[s]://"),
        (["--webhook", "http://me:pass-word@"], "http[s]://"),
        (["--webhook", "https://me:12/pass-word@host/"], "%2F for a slash. Write %40 for an @"),
        (["--webhook", "https://me/pass-word@host/"], "without @ after the host"),
        (["--webhook", "https://me:12?pass-word@host/"], "without @ after the host"),
        (["--webhook", "https://me:12#pass-word@host/"], "without @ after the host"),
        (["--webhook", "https://host/pass-word@host/"], "without @ after the host"),
        (["--metrics", "localhost"], "HOST:PORT"),
        (["--metrics", "localhost:99999"], "HOST:PORT"),
        (["--metrics", "192.0.2.1:9464"], "free address"),
        (["--clips", "/dev/null/clips"], "folder for clips"),
        (["--clips", "clips", "--clips-mib", "1"], "--clips-mib"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_what_cannot_be_is_refused_in_one_line_that_shows_no_secret(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", BUNDLE, "--source", "synthetic", "--max-frames", "1", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("edgevid: Expected")
    assert err.count("\n") == 1
    assert says in err
    assert "pass-word" not in err


def test_a_reader_that_goes_away_ends_a_live_run_quietly() -> None:
    process = subprocess.Popen(
        command("--source", "synthetic:3", "--policy", "live", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_what_a_slow_reader_of_standard_output_costs_is_in_the_metrics_and_on_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody reads, so the oldest decisions are dropped. Drops of other outputs are reported in the same way."""
    import io
    import urllib.request

    from edgevid.api import open_outputs
    from edgevid.api.model import load
    from edgevid.api.open_outputs import Context, assemble
    from edgevid.board import BoardSampler
    from edgevid.capture.noise import NoiseSource
    from edgevid.commands.run import GROUPS
    from edgevid.outputs.delivery.fanout import FanOut

    class NobodyReads(io.StringIO):
        """A pipe that is full."""

        reader = threading.Event()

        def write(self, text: str) -> int:
            self.reader.wait(20)
            return len(text)

    monkeypatch.setattr(open_outputs, "_STDOUT_DECISIONS", 8)
    monkeypatch.setattr(sys, "stdout", pipe := NobodyReads())
    model, ports = load(BUNDLE), (free_port(), free_port())
    served_at = ["--page", f"localhost:{ports[0]}", "--metrics", f"localhost:{ports[1]}"]
    words = [
        BUNDLE,
        "--source",
        "synthetic",
        "--policy",
        "live",
        "--json",
        *served_at,
        "--record",
        str(tmp_path / "seen.avi"),
    ]
    options = cli.verb_parser("run").parse_args(words)
    source = NoiseSource(model.bundle.manifest, count=1)
    with model.lent_lane() as lane:
        context = Context(lanes=(lane,), source=source, live=True, board=BoardSampler(tmp_path))
        opened = assemble([output for group in GROUPS for output in group.outputs(options)], context)
    everything = [output for output in opened.outputs if isinstance(output, FanOut)]
    for number in range(30):
        for output in opened.outputs:
            output.decided(decision(float(number), model=model.name))
        if number == 0:  # the first one is in hand
            until(
                lambda: next(
                    report.waiting == 0
                    for output in everything
                    for report in output.reports()
                    if report.name == "stdout"
                )
            )
    with urllib.request.urlopen(f"http://localhost:{ports[1]}/metrics", timeout=20) as answer:
        served = answer.read().decode()
    assert 'edgevid_output_dropped_total{cause="full",output="stdout"} 21.0' in served
    assert 'edgevid_output_waiting{output="stdout"} 8.0' in served
    assert 'edgevid_output_up{output="record"} 1.0' in served
    page = next(
        member
        for output in opened.outputs
        if isinstance(output, FanOut)
        for member in output._members
        if member.name == "page"
    )
    told = {each["name"]: each for each in json.loads(page._hub.vitals(viewers=0))["outputs"]}
    assert told["stdout"]["dropped"] == {"full": 21}
    pipe.reader.set()
    for output in opened.outputs:
        output.close()
