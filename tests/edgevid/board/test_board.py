"""What a board tells, read from trees of files that are written from the kernel's and the firmware's documentation."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgevid.board import BoardHistory, BoardSampler, identify, read_state
from edgevid.board.throttling import parse
from edgevid.boards_and_cameras import boards
from edgevid.telemetry.thread_faults import thread_faults
from tests.boards import PI_3B_PLUS, PI_4B, PI_5, TREES, ZERO_2_W, Tree
from tests.edgevid.outputs.sinks import until


@pytest.mark.parametrize(
    ("tree", "temperature_c", "clock_mhz", "clock_max_mhz", "fan_rpm", "available_mib"),
    [
        (PI_3B_PLUS, 52.6, 600, 1400, None, 691),
        (PI_4B, 58.4, 1500, 1500, None, 2844),
        (PI_5, 61.7, 2400, 2400, 2870, 6046),
        (ZERO_2_W, 44.0, 1000, 1000, None, 319),
    ],
    ids=TREES,
)
def test_a_board_tells_heat_clock_fan_and_memory(
    tmp_path: Path,
    tree: Tree,
    temperature_c: float,
    clock_mhz: int,
    clock_max_mhz: int,
    fan_rpm: int | None,
    available_mib: int,
) -> None:
    found = read_state(tree.plant(tmp_path))
    assert (found.temperature_c, found.clock_mhz, found.clock_max_mhz, found.governor) == (
        temperature_c,
        clock_mhz,
        clock_max_mhz,
        "ondemand",
    )
    assert (found.fan_rpm, found.memory_available_mib) == (fan_rpm, available_mib)
    assert found.throttling is not None
    assert (found.throttling.bits, found.throttling.told_by) == (0, "firmware")


@pytest.mark.parametrize(
    ("tree", "cpu", "soft_limit_c", "dot_product"),
    [
        (PI_3B_PLUS, "Cortex-A53", 60, False),
        (PI_4B, "Cortex-A72", None, False),
        (PI_5, "Cortex-A76", None, True),
        (ZERO_2_W, "Cortex-A53", None, False),
    ],
    ids=TREES,
)
def test_a_board_is_known_by_the_longest_model_that_fits(
    tmp_path: Path, tree: Tree, cpu: str, soft_limit_c: int | None, dot_product: bool
) -> None:
    board = identify(tree.plant(tmp_path))
    assert board is not None
    assert tree.model.startswith(board.model)
    assert (board.cpu, board.soft_limit_c, board.dot_product, board.throttle_c, board.limit_c) == (
        cpu,
        soft_limit_c,
        dot_product,
        80,
        85,
    )


def test_a_3b_and_a_3b_plus_are_not_the_same_board(tmp_path: Path) -> None:
    plain = identify(PI_3B_PLUS.but(model="Raspberry Pi 3 Model B Rev 1.2").plant(tmp_path))
    assert plain is not None
    assert (plain.model, plain.soft_limit_c) == ("Raspberry Pi 3 Model B", None)


def test_an_unknown_board_is_none_and_every_known_one_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert identify(tmp_path) is None
    assert identify(PI_4B.but(model="Orange Pi 5").plant(tmp_path)) is None
    assert len({board.model for board in boards().values()}) == len(boards())


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert set(read_state(tmp_path).as_json().values()) == {None}


@pytest.mark.parametrize(
    ("bits", "now", "happened"),
    [
        (0x0, (), ()),
        (0x50005, ("under_voltage", "throttled"), ("under_voltage", "throttled")),
        (0x80008, ("soft_limit",), ("soft_limit",)),
        (0x20002, ("capped",), ("capped",)),
        (0xF0000, (), ("under_voltage", "capped", "throttled", "soft_limit")),
        (0x4, ("throttled",), ()),
    ],
    ids=["quiet", "weak supply", "soft limit", "capped", "all before", "hot"],
)
@pytest.mark.parametrize("told_by", ["firmware", "vcgencmd"])
def test_each_bit_of_the_firmware_has_its_meaning_now_and_since_the_start(
    tmp_path: Path, bits: int, now: tuple[str, ...], happened: tuple[str, ...], told_by: str
) -> None:
    tree = PI_4B.but(
        throttled=bits, firmware=PI_4B.firmware if told_by == "firmware" else None, vcgencmd=told_by == "vcgencmd"
    )
    throttling = read_state(tree.plant(tmp_path)).throttling
    assert throttling is not None
    assert (throttling.now, throttling.happened, throttling.told_by) == (now, happened, told_by)
    assert throttling.is_slowed_by_heat == ("throttled" in now)


def test_where_only_the_kernels_alarm_is_there_it_tells_of_under_voltage(tmp_path: Path) -> None:
    throttling = read_state(PI_4B.but(throttled=0x50005, firmware=None).plant(tmp_path)).throttling
    assert throttling is not None
    assert (throttling.told_by, throttling.now, throttling.happened) == ("hwmon", ("under_voltage",), ())


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\nexit 255\n", "#!/bin/sh\necho VCHI initialization failed\n", "not a program"]
)
def test_a_tool_that_fails_is_a_board_that_does_not_tell(tmp_path: Path, script: str) -> None:
    PI_4B.but(firmware=None, vcgencmd=True).plant(tmp_path)
    (tmp_path / "usr/bin/vcgencmd").write_text(script)
    throttling = read_state(tmp_path).throttling
    assert throttling is not None
    assert throttling.told_by == "hwmon"


def test_text_that_is_no_number_is_no_reading() -> None:
    assert parse("throttled=0x50005", "vcgencmd") == parse("50005\n", "vcgencmd")
    assert parse("error=1 error_msg", "vcgencmd") is None
    assert parse("", "firmware") is None


def test_a_sensor_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    PI_4B.plant(tmp_path)
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").write_text("")
    assert read_state(tmp_path).temperature_c is None


def test_the_processors_zone_is_taken_before_others(tmp_path: Path) -> None:
    zones = {
        "sys/class/thermal/thermal_zone0/type": "acpitz\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    }
    PI_4B.but(celsius=20, more={**zones, "sys/class/thermal/thermal_zone1/temp": "71500\n"}).plant(tmp_path)
    assert read_state(tmp_path).temperature_c == 71.5


def history(*trees: Tree, root: Path) -> BoardHistory:
    gathered = BoardHistory()
    for tree in trees:
        gathered.add(read_state(tree.plant(root)))
    return gathered


def test_a_run_says_how_hot_it_was_before_after_and_at_most(tmp_path: Path) -> None:
    found = history(PI_4B.but(celsius=50), PI_4B.but(celsius=78.5), PI_4B.but(celsius=70), root=tmp_path)
    assert "50.0 °C before, 70.0 °C after, 78.5 °C at most" in found.as_text()
    assert "throttled during the run: no" in found.as_text()
    assert "SLOWED" not in found.as_text()
    assert (found.as_json()["peak_c"], found.as_json()["throttled_during"]) == (78.5, [])


def test_a_run_that_was_throttled_says_so_in_capitals(tmp_path: Path) -> None:
    found = history(PI_4B, PI_4B.but(throttled=0x40004), PI_4B.but(throttled=0x40000), root=tmp_path)
    assert found.throttled == ("throttled",)
    assert "THESE FIGURES ARE OF A SLOWED BOARD" in found.as_text()
    assert found.as_json()["throttled_during"] == ["throttled"]


def test_throttling_between_two_looks_is_seen_by_its_history_bit(tmp_path: Path) -> None:
    assert history(PI_4B, PI_4B.but(throttled=0x10000), root=tmp_path).throttled == ("under_voltage",)


def test_what_happened_before_the_run_is_told_apart_from_the_run(tmp_path: Path) -> None:
    found = history(PI_4B.but(throttled=0x50000), PI_4B.but(throttled=0x50000), root=tmp_path)
    assert found.throttled == ()
    assert "since the board's start: the supply is too weak, the cores are throttled" in found.as_text()


def test_a_board_that_does_not_tell_is_not_called_unthrottled(tmp_path: Path) -> None:
    found = BoardHistory()
    assert found.as_text() == "board: not sampled"
    found.add(read_state(tmp_path))
    assert found.as_json()["throttled_during"] is None
    assert found.as_text() == "board: temperature unknown, clock unknown, throttling unknown"


def test_the_sampler_looks_at_once_in_between_and_at_the_end(tmp_path: Path) -> None:
    PI_5.but(celsius=50).plant(tmp_path)
    before = threading.active_count()
    with BoardSampler(tmp_path, interval_s=0.01) as board:
        assert board.state is not None
        assert board.state.temperature_c == 50
        PI_5.but(celsius=81, throttled=0x40004).plant(tmp_path)
        seen = board.history.samples
        for _ in range(500):
            if board.history.samples > seen + 1:
                break
            threading.Event().wait(0.01)
        PI_5.but(celsius=60, throttled=0x40000).plant(tmp_path)
    assert threading.active_count() == before
    assert "50.0 °C before, 60.0 °C after, 81.0 °C at most, fan 2870 RPM" in board.history.as_text()
    assert board.history.throttled == ("throttled",)


def test_the_sampler_runs_the_firmwares_tool_only_now_and_then(tmp_path: Path) -> None:
    PI_4B.but(firmware=None, vcgencmd=True, throttled=0x50005).plant(tmp_path)
    tool, asked = tmp_path / "usr/bin/vcgencmd", tmp_path / "asked"
    tool.write_text(f"{tool.read_text()}echo >> {asked}\n")
    board = BoardSampler(tmp_path)
    for _ in range(10):
        board.sample()
        assert board.state is not None
        assert board.state.throttling is not None
        assert board.state.throttling.told_by == "vcgencmd"
    assert len(asked.read_text().splitlines()) == 2


def test_the_samplers_thread_outlives_a_sample_that_fails_and_reports_no_stale_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    PI_5.but(celsius=50).plant(tmp_path)
    faults = thread_faults().get("board", 0)
    with BoardSampler(tmp_path, interval_s=0.01) as board:
        assert board.facts()["temperature_c"] == 50
        (tmp_path / "proc/meminfo").write_text("MemAvailable:   much kB\n")
        until(lambda: thread_faults()["board"] > faults + 2)
        assert board.facts() == {}
        PI_5.but(celsius=60).plant(tmp_path)
        until(lambda: board.facts().get("temperature_c") == 60)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2, "one line for many equal faults, and one for their end"
    assert said[0].startswith("edgevid: a turn of the thread board failed: ValueError")
    assert said[1] == "edgevid: the thread board works again."
