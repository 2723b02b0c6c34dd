"""Delegates: values of the option, a real shared library that loads, rejects and fails, and the fallback to the CPU."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgevid import bundle, cli
from edgevid.backends import choose, delegate_option
from edgevid.backends.choose import choose_backend
from edgevid.backends.delegate_option import AUTO, XNNPACK, DelegateChoice, edgetpus, parse_delegate
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.errors import BackendError, DelegateError, UsageError
from edgevid.inference.engine import Engine
from tests.edgevid.backends.delegates import noop

__all__ = ["noop"]
SHIPPED = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))
USB = "sys/bus/usb/devices/1-1.2"


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return bundle.read(SHIPPED)


@pytest.fixture(scope="module")
def twinned(shipped: Bundle) -> Bundle:
    """The shipped bundle with its encoder once more as the Edge TPU's: the delegate of these tests takes any model."""
    encoder, head = shipped.manifest.parts
    twin = dataclasses.replace(encoder, edgetpu="encoder_edgetpu.tflite")
    manifest = dataclasses.replace(shipped.manifest, parts=(twin, head))
    return dataclasses.replace(
        shipped, manifest=manifest, models={**shipped.models, "encoder_edgetpu.tflite": shipped.models[encoder.file]}
    )


def plug_in(root: Path, *identity: str) -> Path:
    for name, text in zip(("idVendor", "idProduct"), identity, strict=True):
        (root / USB).mkdir(parents=True, exist_ok=True)
        (root / USB / name).write_text(f"{text}\n")
    return root


def play(engine: Engine) -> list[np.ndarray]:
    engine.restart()
    answers = []
    for frame in engine.bundle.golden.frames:
        np.copyto(engine.input_buffer(), frame)
        scores = engine.step()
        if scores is not None:
            answers.append(scores.copy())
    return answers


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("auto", AUTO),
        ("xnnpack", XNNPACK),
        ("coral", DelegateChoice("coral", "libedgetpu.so.1")),
        ("coral,device=usb:1", DelegateChoice("coral", "libedgetpu.so.1", {"device": "usb:1"})),
        ("libother.so.2,a=b=c,d=", DelegateChoice("external", "libother.so.2", {"a": "b=c", "d": ""})),
    ],
)
def test_a_delegate_is_named_or_given_by_its_library(text: str, choice: DelegateChoice) -> None:
    assert parse_delegate(text) == choice


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cuda",
        "auto,device=usb",
        "xnnpack,threads=2",
        "coral,device",
        "coral,=usb",
        "coral,a=1,a=2",
        "/nowhere/libx.so",
        "./libx.so,a=b",
    ],
)
def test_anything_else_is_refused_with_the_legal_set(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_delegate(text)
    assert str(caught.value).startswith("Expected ")
    with pytest.raises(SystemExit) as left:
        cli.main(["bench", str(SHIPPED), "--delegate", text])
    assert left.value.code == 2
    assert "Expected " in capsys.readouterr().err


@pytest.mark.parametrize("identity", [("1a6e", "089a"), ("18d1", "9302")])
def test_an_edge_tpu_is_found_by_its_usb_identity(tmp_path: Path, identity: tuple[str, str]) -> None:
    assert edgetpus(tmp_path) == ()
    assert edgetpus(plug_in(tmp_path, *identity)) == ("usb 1-1.2",)
    assert edgetpus(plug_in(tmp_path, "046d", "0825")) == ()


def test_an_edge_tpu_is_found_by_its_device_node(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert edgetpus(tmp_path) == ("pci apex_0",)


def test_an_external_delegate_gets_its_options_and_leaves_the_answers_as_they_are(
    noop: Path, shipped: Bundle, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    chosen = choose_backend(parse_delegate(f"{noop},log={log},device=usb:0"), shipped)
    engine = Engine(shipped, backend=chosen.backend)
    assert chosen.delegate == "libedgetpu.so.1"
    assert engine.interpreter == f"{LiteRt().name} + libedgetpu.so.1"
    np.testing.assert_array_equal(play(engine), play(Engine(shipped)))
    assert lines(log) == [f"create log={log} device=usb:0", "prepare", "prepare"]


def test_a_delegate_is_given_back_with_its_engine(noop: Path, shipped: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "log"
    engine = Engine(shipped, backend=LiteRt(library=str(noop), options={"log": str(log)}))
    assert "destroy" not in lines(log)
    del engine
    assert lines(log)[-1] == "destroy"


def test_a_delegate_that_refuses_to_load_is_one_line_with_its_reason(noop: Path, shipped: Bundle) -> None:
    with pytest.raises(DelegateError, match="to load, got no such device") as caught:
        choose_backend(parse_delegate(f"{noop},fail=create"), shipped)
    assert "\n" not in str(caught.value)


def test_a_library_that_is_not_there_or_is_no_delegate_is_refused(shipped: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DelegateError, match="libnowhere"):
        choose_backend(parse_delegate("libnowhere.so.9"), shipped)
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(DelegateError, match=r"text\.so"):
        choose_backend(parse_delegate(str(tmp_path / "text.so")), shipped)
    with pytest.raises(DelegateError, match=r"libc\.so"):
        choose_backend(parse_delegate("libc.so.6"), shipped)


def test_a_delegate_that_refuses_the_model_is_not_passed_over(noop: Path, shipped: Bundle) -> None:
    chosen = choose_backend(parse_delegate(f"{noop},fail=prepare"), shipped)
    with pytest.raises(BackendError, match="not for this device"):
        Engine(shipped, backend=chosen.backend)


def test_a_device_that_fails_ends_the_run_where_it_was_asked_for_by_name(noop: Path, shipped: Bundle) -> None:
    chosen = choose_backend(parse_delegate(f"{noop},fail_after=5"), shipped)
    with pytest.raises(BackendError, match="the device is gone"):
        play(Engine(shipped, backend=chosen.backend))


def test_coral_by_name_needs_a_part_that_was_compiled_for_it(shipped: Bundle) -> None:
    with pytest.raises(DelegateError, match="compiled for the Edge TPU"):
        choose_backend(parse_delegate("coral"), shipped)


def test_coral_by_name_is_never_replaced_by_the_cpu(twinned: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegate_option, "EDGETPU_LIBRARY", "libnowhere.so.1")
    with pytest.raises(DelegateError, match="libnowhere"):
        choose_backend(parse_delegate("coral"), twinned)


def test_coral_by_name_ends_the_run_when_the_device_is_lost(noop: Path, twinned: Bundle) -> None:
    chosen = choose_backend(DelegateChoice("coral", str(noop), {"fail_after": "5"}), twinned)
    with pytest.raises(BackendError, match="the device is gone"):
        play(Engine(twinned, backend=chosen.backend))


def test_a_device_on_which_every_part_ran_is_lost_once(
    root: Path, twinned: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(monkeypatch, {"fail_after": "30"})
    encoder, head = twinned.manifest.parts
    manifest = dataclasses.replace(
        twinned.manifest, parts=(encoder, dataclasses.replace(head, edgetpu="head_edgetpu.tflite"))
    )
    both = dataclasses.replace(
        twinned, manifest=manifest, models={**twinned.models, "head_edgetpu.tflite": twinned.models[head.file]}
    )
    reasons: list[str] = []
    engine = Engine(both, backend=choose_backend(AUTO, both, root=root, lost=reasons.append).backend)
    for _ in range(4):
        again = play(engine)
    np.testing.assert_array_equal(again, play(Engine(both)))
    assert len(reasons) == 1


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noop: Path) -> Path:
    """A machine with an Edge TPU on its USB, whose driver is the delegate of these tests."""
    monkeypatch.setattr(choose, "EDGETPU_LIBRARY", str(noop))
    return plug_in(tmp_path, "1a6e", "089a")


def test_auto_takes_the_edge_tpu_for_the_parts_that_have_a_twin(root: Path, twinned: Bundle) -> None:
    chosen = choose_backend(AUTO, twinned, root=root)
    assert (chosen.delegate, chosen.reason) == ("coral", "usb 1-1.2 is plugged in")
    engine = Engine(twinned, backend=chosen.backend)
    assert engine.interpreter.endswith(" + libedgetpu.so.1")
    np.testing.assert_array_equal(play(engine), play(Engine(twinned)))


def test_auto_says_why_it_takes_the_cpu(
    root: Path, tmp_path: Path, twinned: Bundle, shipped: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_backend(AUTO, twinned, root=tmp_path / "bare").reason == "no Edge TPU is plugged in"
    assert choose_backend(AUTO, shipped, root=root).reason == "the bundle has no part for the Edge TPU"
    assert choose_backend(AUTO, shipped, root=tmp_path / "bare").reason == ""
    monkeypatch.setattr(choose, "EDGETPU_LIBRARY", "libnowhere.so.1")
    chosen = choose_backend(AUTO, twinned, root=root)
    assert (chosen.delegate, chosen.backend) == ("xnnpack", None)
    assert "libnowhere.so.1" in chosen.reason


@pytest.mark.parametrize("fault", ["create", "prepare"])
def test_auto_falls_back_where_the_device_cannot_be_opened(
    root: Path, noop: Path, twinned: Bundle, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(monkeypatch, {"fail": fault})
    chosen = choose_backend(AUTO, twinned, root=root)
    assert (chosen.delegate, chosen.backend) == ("xnnpack", None)
    assert "not for this device" in chosen.reason or "no such device" in chosen.reason


def faulty(monkeypatch: pytest.MonkeyPatch, options: dict[str, str]) -> None:
    """Inject a fault into the Edge TPU's library through its options."""
    monkeypatch.setattr(choose, "DelegateChoice", lambda kind, library: DelegateChoice(kind, library, options))


def test_a_device_that_is_pulled_out_costs_no_frame_and_is_told_once(
    root: Path, twinned: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    faulty(monkeypatch, {"fail_after": "4", "log": str(log)})
    reasons: list[str] = []
    chosen = choose_backend(AUTO, twinned, root=root, lost=reasons.append)
    engine, cpu = Engine(twinned, backend=chosen.backend), Engine(twinned)
    for _ in range(2):
        again = play(engine)
    np.testing.assert_array_equal(again, play(cpu))
    assert len(reasons) == 1
    assert "the device is gone" in reasons[0]
    assert engine.interpreter == LiteRt().name
    assert lines(log).count("invoke") == 5


def test_the_frame_on_which_the_device_fails_is_answered_by_the_cpu(
    root: Path, twinned: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(monkeypatch, {"fail_after": "0"})
    engine = Engine(twinned, backend=choose_backend(AUTO, twinned, root=root).backend)
    np.testing.assert_array_equal(play(engine), play(Engine(twinned)))


def test_the_commands_take_the_library_that_the_linker_finds(noop: Path, twinned: Bundle, tmp_path: Path) -> None:
    """Selftest on `coral` and on a bare library name, in a child: the linker reads its path once."""
    if twinned.golden.engine != LiteRt().name:
        pytest.skip(f"the golden answers are of {twinned.golden.engine}")
    where, log = tmp_path / "twinned.edgevid", tmp_path / "log"
    bundle.write(twinned, where)
    for delegate, used in ((f"coral,log={log}", 1), (f"libedgetpu.so.1,log={log}", 2)):
        log.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "edgevid.cli", "selftest", str(where), "--json", "--delegate", delegate],
            env={**os.environ, "LD_LIBRARY_PATH": str(noop.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["windows"] > 0
        assert json.loads(done.stdout)["engine"].endswith(" + libedgetpu.so.1")
        assert lines(log).count("prepare") == used


def test_selftest_on_a_delegate_that_answers_otherwise_fails_with_3(
    noop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operators that are claimed and not computed leave nonsense in the outputs."""
    assert cli.main(["selftest", str(SHIPPED), "--delegate", f"{noop},fail_after=1000000"]) == 3
    assert "libedgetpu.so.1" in capsys.readouterr().err


def test_a_run_says_that_the_device_was_lost_in_its_log_and_its_summary_and_goes_on(
    root: Path, twinned: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "twinned.edgevid"
    bundle.write(twinned, where)
    monkeypatch.setattr(choose, "edgetpus", lambda _root: ("usb 1-1.2",))
    faulty(monkeypatch, {"fail_after": "60"})
    assert cli.main(["run", str(where), "--source", "synthetic:0", "--max-frames", "400"]) == 0
    out, err = capsys.readouterr()
    assert out
    assert "runs on the CPU: Expected encoder_edgetpu.tflite to run" in err
    assert "on the CPU in place of the accelerator: Expected encoder_edgetpu.tflite to run" in err
    assert err.count("runs on the CPU") == 1
