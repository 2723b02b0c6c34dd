"""`edgevid.run` from a program: outputs as data, as functions, and as objects of the program."""

from __future__ import annotations

import dataclasses
import logging
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import edgevid
from edgevid import bundle
from edgevid.api.outputs import OutputLike
from edgevid.errors import OutputError, SourceError, UsageError
from tests.clips.videos import write_video
from tests.edgevid.outputs.sinks import until
from tests.servers.broker import Mosquitto, free_port, listening, needs_mosquitto
from tests.servers.receiver import Receiver

SHIPPED = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
FRAMES = 300


@pytest.fixture(scope="module")
def model() -> edgevid.Model:
    return edgevid.load(SHIPPED)


def expected(model: edgevid.Model) -> list[edgevid.Event]:
    return list(model.events("synthetic:3", max_frames=FRAMES))


def plain(events: list[edgevid.Event]) -> list[tuple[str, float, bool]]:
    return [(each.label, each.start_s, each.ended) for each in events]


def test_a_function_is_called_with_each_event_in_another_thread(model: edgevid.Model) -> None:
    events: list[edgevid.Event] = []
    threads: set[str] = set()

    def mine(event: edgevid.Event) -> None:
        events.append(event)
        threads.add(threading.current_thread().name)

    telemetry = edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=[mine])
    assert plain(events) == plain(expected(model))
    assert threading.current_thread().name not in threads
    assert telemetry["gestures"].events == len(events)


def test_a_function_that_asks_for_starts_gets_them(model: edgevid.Model) -> None:
    events: list[edgevid.Event] = []
    edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=[edgevid.OnEvent(events.append, starts=True)])
    assert plain(events) == plain(list(model.events("synthetic:3", started=True, max_frames=FRAMES)))


def test_a_function_that_fails_is_logged_and_the_run_goes_on(
    model: edgevid.Model, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[edgevid.Event] = []

    def mine(event: edgevid.Event) -> None:
        events.append(event)
        raise ZeroDivisionError("my fault")

    with caplog.at_level(logging.ERROR, logger="edgevid"):
        edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=[mine])
    assert len(events) == len(expected(model))
    assert "mine failed on an event of swipe_up" in caplog.text
    assert "ZeroDivisionError: my fault" in caplog.text


def test_a_slow_function_does_not_hold_up_the_model(model: edgevid.Model) -> None:
    def slow(_event: edgevid.Event) -> None:
        time.sleep(0.5)

    began_s = time.monotonic()
    took_s: list[float] = []

    class Watch(edgevid.QuietOutput):
        def close(self) -> None:
            took_s.append(time.monotonic() - began_s)

    edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=[Watch(), slow])
    assert len(expected(model)) >= 3
    assert took_s


def test_an_output_of_ones_own_is_called_in_the_loop_and_one_that_sees_frames_gets_them(model: edgevid.Model) -> None:
    class Mine(edgevid.Collector):
        seen = 0
        threads: set[int]

        def saw(self, _frame: edgevid.Frame) -> None:
            self.seen += 1

        def decided(self, decision: edgevid.Decision) -> None:
            super().decided(decision)
            self.threads = {threading.get_ident()}

    mine = Mine()
    edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=[mine])
    assert mine.seen == FRAMES
    assert mine.threads == {threading.get_ident()}
    assert plain(mine.events) == plain(expected(model))


def test_two_models_see_each_frame_once_and_their_events_have_their_names(model: edgevid.Model, tmp_path: Path) -> None:
    from dataclasses import replace

    from edgevid.bundle import read, write

    bundle = read(SHIPPED)
    write(replace(bundle, manifest=replace(bundle.manifest, name="other")), tmp_path / "other.edgevid")
    both = edgevid.Collector()
    telemetry = edgevid.run(
        [model, edgevid.load(tmp_path / "other.edgevid")], source="synthetic:3", max_frames=FRAMES, outputs=[both]
    )
    assert list(telemetry) == ["gestures", "other"]
    assert [telemetry[name].seen for name in telemetry] == [FRAMES, FRAMES]
    assert [event.label for event in both.events if event.model == "other"] == [
        event.label for event in expected(model)
    ]


@needs_mosquitto
def test_every_output_of_the_command_line_can_be_stated_by_a_program(
    model: edgevid.Model, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    broker, first, second = Mosquitto(tmp_path), Receiver(), Receiver()
    request.addfinalizer(broker.stop)
    broker.start()
    port = free_port()
    served: list[str] = []

    def scrape(_session: edgevid.Session) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            served.append(answer.read().decode()[:60])

    outputs: list[OutputLike] = [
        edgevid.Page(f"127.0.0.1:{port}"),
        edgevid.Mqtt(f"mqtt://127.0.0.1:{broker.port}/hall"),
        edgevid.Webhook(first.url, token="a-secret-word"),
        edgevid.Webhook(second.url),
        edgevid.Metrics(f"127.0.0.1:{free_port()}"),
        edgevid.Clips(tmp_path / "clips"),
        edgevid.Record(tmp_path / "seen.avi"),
    ]
    with listening(broker.port) as listener:
        edgevid.run(model, source="synthetic:3", max_frames=FRAMES, outputs=outputs, on_start=scrape)
        until(lambda: listener.on("hall/status")[-1:] == ["offline"])
        assert [each["event"] for each in listener.on("hall/gestures/event/end")] == [
            event.label for event in expected(model)
        ]
    assert "<!doctype html>" in served[0].lower()
    for receiver in (first, second):
        assert [body["event"] for body, _ in receiver.received if body["phase"] == "end"] == [
            event.label for event in expected(model)
        ]
    assert {headers.get("Authorization") for _, headers in first.received} == {"Bearer a-secret-word"}
    assert {headers.get("Authorization") for _, headers in second.received} == {None}
    assert len(list((tmp_path / "clips").glob("*.json"))) == len(expected(model))
    assert (tmp_path / "seen.avi").stat().st_size > 0
    first.close()
    second.close()


def test_outputs_show_no_secret(tmp_path: Path) -> None:
    stated = [
        edgevid.Mqtt("mqtt://me:pass-word@host", password="pass-word"),
        edgevid.Webhook("https://host/pass-word", token="pass-word"),
        edgevid.Page(":1", token="pass-word"),
    ]
    assert "pass-word" not in repr(stated)


@pytest.mark.parametrize(
    ("outputs", "error", "says"),
    [
        ([3], UsageError, "an output, one of Page, Mqtt"),
        ([edgevid.Collector], UsageError, "an output"),
        ([edgevid.Page("localhost:0"), edgevid.Page("localhost:0")], UsageError, "at most one Page"),
        ([edgevid.Mqtt("http://x")], UsageError, "mqtt"),
        ([edgevid.Metrics("localhost")], UsageError, "HOST:PORT"),
    ],
    ids=["a number", "a class", "two pages", "an address of another kind", "no port"],
)
def test_what_is_no_output_is_rejected_before_the_first_frame(
    model: edgevid.Model, outputs: list[OutputLike], error: type[Exception], says: str
) -> None:
    closed: list[bool] = []

    class Mine(edgevid.QuietOutput):
        def close(self) -> None:
            closed.append(True)

    with pytest.raises(error, match=says):
        edgevid.run(model, source="synthetic:3", outputs=[*outputs, Mine()], max_frames=10)


def test_outputs_that_were_opened_are_closed_where_a_later_one_cannot_be(model: edgevid.Model, tmp_path: Path) -> None:
    closed = []

    class Closing(edgevid.QuietOutput):
        def close(self) -> None:
            closed.append(self)

    with pytest.raises(UsageError, match="folder to record into"):
        edgevid.run(model, source="synthetic:3", outputs=[Closing(), edgevid.Record(tmp_path / "none" / "seen.avi")])
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("outputs", "options"),
    [
        ([edgevid.Webhook("no url")], {}),
        ([edgevid.Record("no folder/seen.avi")], {}),
        ([], {"stall_s": float("nan")}),
    ],
    ids=["before the threads start", "after the threads have started", "after all outputs are open"],
)
def test_ports_are_free_again_after_a_run_that_could_not_begin(
    model: edgevid.Model, outputs: list[OutputLike], options: dict[str, float]
) -> None:
    ports = [free_port(), free_port()]
    servers = [edgevid.Metrics(f"127.0.0.1:{ports[0]}"), edgevid.Page(f"127.0.0.1:{ports[1]}")]
    with pytest.raises(UsageError):
        edgevid.run(model, source="synthetic:3", outputs=[*servers, *outputs], **options)  # type: ignore[arg-type]
    for port in ports:
        # Without SO_REUSEADDR: the kernel refuses while anyone listens.
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", port))


def test_too_little_room_for_clips_is_rejected_when_it_is_stated() -> None:
    with pytest.raises(UsageError, match="at least 64"):
        edgevid.Clips("clips", mib=1)


def test_what_is_no_source_is_rejected(model: edgevid.Model) -> None:
    with pytest.raises(UsageError, match="Expected a source"):
        edgevid.run(model, source=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Expected a source"):
        list(model.watch("nothing-of-this-kind"))


def test_a_session_can_be_stopped_from_another_thread_and_tells_what_it_saw(model: edgevid.Model) -> None:
    with edgevid.Session(model, source="synthetic:3", policy="live") as session:
        threading.Timer(1.0, session.stop).start()
        telemetry = session.run()
        summary = session.summary()
    assert 0 < telemetry["gestures"].seen < 100
    assert summary.startswith("gestures.edgevid on synthetic:3")
    assert "board:" in summary


def test_an_output_that_raises_in_the_loop_ends_the_run_and_closes_the_source(model: edgevid.Model) -> None:
    from edgevid.capture.synthetic import GestureSource

    class Camera(GestureSource):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    class Broken(edgevid.QuietOutput):
        def decided(self, _decision: edgevid.Decision) -> None:
            raise OutputError("gone")

    camera = Camera(seed=3, height_px=48, width_px=48)
    with pytest.raises(OutputError, match="gone"):
        edgevid.run(model, source=camera, outputs=[Broken()])
    assert camera.closed == 1


def test_a_process_of_ones_own_is_not_ended_where_a_frame_hangs(
    model: edgevid.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`edgevid run` exits with code 75 there; a program has to ask for it."""
    from edgevid.supervision import supervisor as supervise

    monkeypatch.setattr(supervise, "STUCK_S", 0.01)
    session = edgevid.Session(model, source="synthetic:3")
    with session, session._supervisor() as supervisor:
        session.pipeline.pulse.loop_started()
        session.pipeline.pulse.frame_started(1)
        supervisor.tick(10**12)
        assert supervisor._leave is None


def test_a_source_that_breaks_raises_through_the_loop(model: edgevid.Model) -> None:
    from edgevid.capture.synthetic import GestureSource

    class Broken(GestureSource):
        def frames(self):  # type: ignore[no-untyped-def]
            yield from ()
            raise SourceError("unplugged")

    with pytest.raises(SourceError, match="unplugged"):
        list(model.events(Broken(seed=3, height_px=48, width_px=48)))


def test_an_encoder_that_fails_ends_the_recording_and_neither_the_run_nor_its_end(
    model: edgevid.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_writer: object, _frame: object) -> None:
        raise RuntimeError("a fault of the encoder")

    monkeypatch.setattr("edgevid.capture.recording.RecordingWriter.write", fail)
    with edgevid.Session(model, source="synthetic:3", outputs=[edgevid.Record(tmp_path / "seen.avi")]) as session:
        telemetry = session.run(max_frames=30)
    assert telemetry["gestures"].seen == 30


@pytest.fixture
def of_opencv_3(tmp_path: Path) -> edgevid.Model:
    made = bundle.read(SHIPPED)
    versions = {"opencv-python-headless": "3.4.18.65"}
    path = tmp_path / "old.edgevid"
    bundle.write(dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, versions=versions)), path)
    return edgevid.load(path)


def test_a_video_run_by_another_opencv_than_the_bundles_is_warned_of(
    of_opencv_3: edgevid.Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cv2")
    video = write_video(tmp_path / "clip.avi")
    for source in (str(video), f"file://{video}"):
        caplog.clear()
        edgevid.run(of_opencv_3, source=source, policy="live", max_frames=2)
        assert "gestures: Expected OpenCV 3.4, which made the bundle" in caplog.text


def test_frames_that_opencv_does_not_decode_need_no_release_of_it(
    of_opencv_3: edgevid.Model, caplog: pytest.LogCaptureFixture
) -> None:
    edgevid.run(of_opencv_3, source="synthetic:3", max_frames=2)
    assert "OpenCV" not in caplog.text
