"""Tuning: all settings or none, and back as they were."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.board.tuning import kept, reset, settings, tune
from edgevid.commands.tuning import show
from edgevid.errors import TuningError

POLICY = "sys/devices/system/cpu/cpufreq/policy0"
FILES = {
    f"{POLICY}/scaling_governor": "ondemand",
    f"{POLICY}/scaling_available_governors": "ondemand performance powersave",
    f"{POLICY}/scaling_min_freq": "600000",
    f"{POLICY}/cpuinfo_max_freq": "1800000",
    "proc/irq/9/smp_affinity_list": "0-3",
    "proc/irq/30/smp_affinity_list": "2",
    "proc/sys/kernel/random/boot_id": "first",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(show, "ROOT", tmp_path / "root")
    return tmp_path / "root"


def read(root: Path) -> dict[str, str]:
    return {name: (root / name).read_text().strip() for name in FILES}


def test_a_machine_is_tuned_and_set_as_it_was(root: Path, tmp_path: Path) -> None:
    changed = tune(tmp_path / "state", root)
    assert [each.path for each in changed] == [
        f"{POLICY}/scaling_governor", f"{POLICY}/scaling_min_freq", "proc/irq/9/smp_affinity_list",
    ]  # fmt: skip
    tuned = read(root)
    assert (tuned[f"{POLICY}/scaling_governor"], tuned[f"{POLICY}/scaling_min_freq"]) == ("performance", "1800000")
    assert tuned["proc/irq/9/smp_affinity_list"] == "0"
    # An interrupt of one core stays there.
    assert tuned["proc/irq/30/smp_affinity_list"] == "2"
    assert reset(tmp_path / "state", root) == 3
    assert read(root) == FILES
    assert reset(tmp_path / "state", root) == 0


def test_a_tuned_machine_is_not_tuned_again(root: Path, tmp_path: Path) -> None:
    tune(tmp_path, root)
    with pytest.raises(TuningError, match="not tuned yet"):
        tune(tmp_path, root)
    reset(tmp_path, root)
    assert read(root) == FILES


def test_a_boot_resets_everything_itself(root: Path, tmp_path: Path) -> None:
    tune(tmp_path, root)
    (root / "proc/sys/kernel/random/boot_id").write_text("second")
    assert kept(tmp_path, root) == {}
    assert reset(tmp_path, root) == 0


def refusing(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel refuse to change files of a name."""
    write = Path.write_text

    def refuse(path: Path, text: str, **options: object) -> int:
        if path.name == name:
            raise OSError(code, os.strerror(code))
        return write(path, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", refuse)


def test_if_one_setting_cannot_be_changed_none_is(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing("scaling_min_freq", errno.EACCES, monkeypatch)
    with pytest.raises(TuningError, match=r"scaling_min_freq to take 1800000, got Permission denied. Run it as root"):
        tune(tmp_path, root)
    assert read(root) == FILES
    assert kept(tmp_path, root) == {}


def test_an_interrupt_that_has_to_stay_is_left_out(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing("smp_affinity_list", errno.EIO, monkeypatch)
    assert [Path(each.path).name for each in tune(tmp_path, root)] == ["scaling_governor", "scaling_min_freq"]
    reset(tmp_path, root)
    assert read(root) == FILES


def test_a_device_that_was_unplugged_keeps_nothing_else_tuned(root: Path, tmp_path: Path) -> None:
    tune(tmp_path, root)
    (root / "proc/irq/9/smp_affinity_list").unlink()
    (root / "proc/irq/9").rmdir()
    reset(tmp_path, root)
    assert (root / f"{POLICY}/scaling_governor").read_text() == "ondemand"
    assert kept(tmp_path, root) == {}


@pytest.mark.parametrize("path", ["../victim", "/etc/passwd", f"{POLICY}/../x", "proc/irq/9/smp_affinity"])
def test_root_writes_nothing_but_settings(root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "tuned.json").write_text(json.dumps({"boot": "first", "before": {path: "0"}}))
    with pytest.raises(TuningError, match="none of the settings"):
        reset(tmp_path, root)
    assert not (tmp_path / "victim").exists()


def test_a_machine_without_settings_says_so(tmp_path: Path) -> None:
    assert settings(tmp_path) == []
    with pytest.raises(TuningError, match="none, as in a virtual machine"):
        tune(tmp_path, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"before": 1}', "{", "[" * 100_000])
def test_a_damaged_file_of_settings_is_one_line(root: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "tuned.json").write_text(text)
    with pytest.raises(TuningError, match="Boot the machine"):
        reset(tmp_path, root)


def test_the_commands_show_set_and_reset(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state", str(tmp_path)]
    assert cli.main(["tune", "show", *state]) == 0
    assert "tuned: no" in capsys.readouterr().out
    assert cli.main(["tune", "set", *state]) == 0
    assert "scaling_governor: ondemand -> performance" in capsys.readouterr().out
    assert cli.main(["tune", "show", *state]) == 0
    assert "tuned: yes" in capsys.readouterr().out
    assert cli.main(["tune", "reset", *state]) == 0
    assert capsys.readouterr().out == "3 settings as they were\n"
    assert read(root) == FILES
