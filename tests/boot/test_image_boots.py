"""Two boots of an image from `edgevid image build`: kernel, systemd, cloud-init, service, camera, answers.

Run with `make test-boot`. The logs are in build/boot.
"""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from tests.boot.conftest import HOSTNAME, USER, Seen, answers_here, image_build
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot


def test_the_classifier_decides_after_power_on_without_anybodys_help(first: Seen):
    line = next(line for line in first.console.splitlines() if '"label": "' in line)
    decision = json.loads(line[line.index("{") :])
    assert decision["label"] in decision["scores"]
    print(line)


def test_first_boot_applies_the_deployment(first: Seen):
    assert first["hostname"].strip() == HOSTNAME
    name, groups = first["user"].splitlines()
    assert name == USER
    assert {"sudo", "video"} <= set(groups.split())
    assert first["timezone"].strip() == "Europe/Zurich"
    assert json.loads(first["cloud"])["v1"]["errors"] == []
    assert "DataSourceNoCloud [seed=/dev/vda1]" in json.loads(first["cloud"])["v1"]["datasource"]


def test_nothing_of_the_system_failed(first: Seen):
    assert first["failed"] == ""
    assert "ordering cycle" not in first.console
    assert first["warnings"] == ""


def test_the_service_runs_as_its_own_user_and_stays_up(first: Seen):
    told = dict(line.split("=", 1) for line in first["service"].splitlines())
    assert told["User"] == first["owner"].strip() == "edgevid"
    assert (told["ActiveState"], told["SubState"], told["NRestarts"]) == ("active", "running", "0")


def test_its_frames_come_from_the_kernels_camera(first: Seen):
    assert "/dev/video0" in first["camera"]
    assert len(first["decisions"].splitlines()) >= 1


def test_its_answers_to_the_golden_clip_are_those_of_this_machine_bit_for_bit(first: Seen):
    """Every output of the interpreter is equal. Probabilities are floats and differ between NumPy versions."""
    here, there = answers_here(), json.loads(first["golden"])
    assert there["machine"] == "aarch64"
    assert there["parts"] == here["parts"]
    assert np.abs(np.subtract(there["scores"], here["scores"])).max() < 1e-6
    assert json.loads(first["selftest"])["max_steps"] < 0.01


def test_the_root_file_system_takes_the_whole_card(first: Seen):
    assert int(first["root"].strip().rstrip("M")) > 3500


def test_a_second_boot_comes_back_and_sets_nothing_up_again(first: Seen, second: Seen):
    assert second["boot"] != first["boot"]
    assert second["identity"] == first["identity"]
    assert "config_users_groups" in first["done once"].replace("users-groups", "users_groups")
    assert second["done once"] == first["done once"]
    assert "Generating public/private" in first.console
    assert "Generating public/private" not in second.console
    assert (second["hostname"], second["failed"]) == (first["hostname"], "")
    assert "ActiveState=active" in second["service"]
    assert json.loads(second["selftest"])["max_steps"] < 0.01


def test_the_same_deployment_gives_the_same_card(card, deployment):
    again = BUILD / "again.img"
    made = image_build(deployment, again)
    listed = json.loads(card.with_name("card.rpi-imager-manifest").read_text())["os_list"][0]
    assert made["sha256"] == listed["extract_sha256"]
    assert subprocess.run(["cmp", str(card), str(again)], check=False).returncode == 0
    again.unlink()
