"""Energy: the regulator's rails, the kernel's sensors and a meter's log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgevid.bench.measuring.energy import Meter, open_meter, pmic_w
from edgevid.errors import UsageError

# The form of `vcgencmd pmic_read_adc` on a Raspberry Pi 5, after github.com/jfikar/RPi5-power.
PMIC = """3V7_WL_SW_A current(0)=0.10000000A
3V3_SYS_A current(1)=0.20000000A
VDD_CORE_A current(7)=2.00000000A
3V7_WL_SW_V volt(8)=3.70000000V
3V3_SYS_V volt(9)=3.30000000V
VDD_CORE_V volt(15)=0.90000000V
EXT5V_V volt(24)=5.10000000V
"""


def test_the_power_of_a_pi_5_is_the_sum_of_rails_with_current_and_voltage() -> None:
    assert pmic_w(PMIC) == pytest.approx(0.1 * 3.7 + 0.2 * 3.3 + 2.0 * 0.9)
    with pytest.raises(ValueError, match="no rail"):
        pmic_w("vc_gencmd_read_response returned -1")


def vcgencmd(root: Path) -> None:
    program = root / "usr/bin/vcgencmd"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{PMIC}END\n")
    program.chmod(0o755)


def test_the_firmwares_tool_is_read_while_idle_and_while_measuring(tmp_path: Path) -> None:
    vcgencmd(tmp_path)
    with open_meter("pmic", 1.2, root=tmp_path) as meter:
        time.sleep(1.2)
        meter.measured(0, 1.1)
    energy = meter.energy(0, answers=10)
    assert energy.mean_w == pytest.approx(2.83)
    assert energy.idle_w == (pytest.approx(2.83), pytest.approx(2.83))
    assert energy.j_per_answer == pytest.approx(2.83 * 1.1 / 10)
    assert energy.j_per_answer_above_idle == pytest.approx(0, abs=1e-3)
    assert "not USB" in energy.sees


def test_a_sensor_of_the_kernel_is_found_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/hwmon/hwmon3"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina219\n")
    (folder / "power1_input").write_text("2500000\n")
    with open_meter("hwmon:ina219", 0.6, root=tmp_path) as meter:
        pass
    assert {w for _, w in meter.readings} == {2.5}
    (folder / "power1_input").unlink()
    (folder / "in1_input").write_text("5000\n")
    (folder / "curr1_input").write_text("300\n")
    with open_meter("hwmon:ina219", 0.6, root=tmp_path) as meter:
        pass
    assert {w for _, w in meter.readings} == {1.5}


def test_a_log_is_matched_by_its_times(tmp_path: Path) -> None:
    log = tmp_path / "meter.csv"
    log.write_text("time_s,power_w\n" + "".join(f"{100 + t},{3 if t < 10 or t >= 20 else 5}\n" for t in range(30)))
    meter = Meter("csv", None, log, 9.0)
    meter._idle = [(100.0, 109.0), (120.0, 129.0)]
    meter._measured = {0: [(110.0, 119.0)], 1: [(100.0, 109.0)]}
    energy = meter.energy(0, answers=9)
    assert (energy.idle_w, energy.mean_w, energy.hz) == ((3.0, 3.0), 5.0, 1.0)
    assert energy.j_per_answer_above_idle == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "words"), [("time,w\n1,2\n", "columns time_s and power_w"), ("time_s,power_w\n1,x\n", "numbers in line 2")]
)
def test_a_log_that_is_none_is_rejected(tmp_path: Path, text: str, words: str) -> None:
    log = tmp_path / "meter.csv"
    log.write_text(text)
    with pytest.raises(UsageError, match=words):
        Meter("csv", None, log, 1.0).energy(0, answers=1)


@pytest.mark.parametrize("sensor", ["pmic", "hwmon:none", "csv:none.csv", "watts", ""])
def test_a_sensor_that_is_not_there_is_rejected(tmp_path: Path, sensor: str) -> None:
    with pytest.raises(UsageError), open_meter(sensor, 0.1, root=tmp_path):
        pytest.fail("opened")


def test_a_sensor_that_stops_is_no_energy(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/hwmon/hwmon3"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina219\n")
    (folder / "power1_input").write_text("broken\n")
    with open_meter("hwmon:ina219", 0.6, root=tmp_path) as meter:
        pass
    with pytest.raises(UsageError, match="readings of hwmon while idle"):
        meter.energy(0, answers=1)
