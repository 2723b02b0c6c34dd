"""Every template for every board, camera and release, checked by the programs that read it on a device."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from edgevid import boards_and_cameras, cli
from edgevid.commands import run
from edgevid.errors import DeploymentError, FlashError
from edgevid.provision import deployment, first_boot, unit
from edgevid.provision.templates import fill
from tests.edgevid.provision import config_txt, official
from tests.edgevid.provision.deployments import HASH, KEY, table
from tests.repo.files import ROOT

PAIRS = [
    (board.name, camera.name)
    for board, camera in itertools.product(boards_and_cameras.boards().values(), boards_and_cameras.cameras().values())
    if board.camera_ports or camera.interface == "usb"
]
CASES = [*itertools.product(PAIRS, ("bookworm", "trixie"))]
NASTY = {
    "wifi": {"ssid": 'Ca"fé $HOME `x` #1: {a}', "password": "pass'word\"$x"},
    "user": {"name": "pi", "ssh_keys": [f'{KEY} it\'s "mine" $HOME'], "password_hash": HASH},
    "environment": {"TOKEN": 'a"b\\c $x %h'},
}


def made(board: str, camera: str, **changes: object) -> deployment.Deployment:
    changes = {"service": {"memory_mib": 160}, **changes}
    return deployment.from_toml(deployment.Deployment, table(board=board, camera=camera, **changes), "device.toml")


def need(tool: str, package: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}: apt-get install {package}")


@pytest.mark.parametrize(("pair", "release"), CASES, ids=str)
def test_every_template_is_filled_for_every_board_and_camera(
    pair: tuple[str, str], release: boards_and_cameras.Release
) -> None:
    device = made(*pair)
    files = {
        **unit.unit_files(device, release=release),
        **first_boot.cloud_init(device, contents={}),
        **first_boot.firstrun(device),
    }
    assert {name: text for name, text in files.items() if "{{" in text or "None" in text} == {}
    assert "correct horse" not in "".join(files.values()), "the Wi-Fi password is derived, not written"


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_config_txt_loads_the_cameras_overlay_once_on_its_board_and_keeps_the_rest(pair: tuple[str, str]) -> None:
    device = made(*pair)
    text = first_boot.config_txt(device, official.CONFIG)
    assert first_boot.config_txt(device, text) == text, "flashing twice changes nothing more"
    before, after = config_txt.parse(official.CONFIG, device.facts), config_txt.parse(text, device.facts)
    overlay = device.optics.overlay
    assert after.overlays == [*before.overlays, *([overlay] if overlay else [])]
    changed = {name: value for name, value in after.values.items() if before.values.get(name) != value}
    assert changed == ({"camera_auto_detect": "0"} if overlay else {})
    assert after.unknown_sections == []


def test_another_camera_replaces_the_one_before_in_config_txt() -> None:
    text = first_boot.config_txt(
        made("5", "imx708", camera_port=1), first_boot.config_txt(made("5", "imx219"), official.CONFIG)
    )
    assert config_txt.parse(text, boards_and_cameras.board("5")).overlays == ["vc4-kms-v3d", "imx708,cam1"]


def test_sections_of_config_txt_are_for_their_boards() -> None:
    text = "gpu_mem=1\n[pi4]\ngpu_mem=4\ndtoverlay=four\n[pi5]\ngpu_mem=5\n[all]\ndtparam=x=1\n[strange]\na=1\n"
    four, five = (config_txt.parse(text, boards_and_cameras.board(name)) for name in ("4b", "5"))
    assert (four.values["gpu_mem"], four.overlays, five.values["gpu_mem"], five.overlays) == (
        "4",
        ["four,x=1"],
        "5",
        [],
    )
    assert four.unknown_sections == ["strange"]
    with pytest.raises(FlashError, match=r"line 1 of config\.txt"):
        config_txt.parse("what is this", boards_and_cameras.board("5"))


@pytest.mark.parametrize("has_firstrun", [True, False])
def test_cmdline_txt_stays_one_line_and_is_changed_once(has_firstrun: bool) -> None:
    device = made("4b", "uvc")
    line = first_boot.cmdline_txt(device, official.CMDLINE["bookworm"], has_firstrun=has_firstrun)
    assert first_boot.cmdline_txt(device, line, has_firstrun=has_firstrun) == line
    words = line.split()
    assert line.count("\n") == 1
    assert words[: len(official.CMDLINE["bookworm"].split())] == official.CMDLINE["bookworm"].split()
    assert ("cgroup_enable=memory" in words, "cfg80211.ieee80211_regdom=CH" in words) == (True, True)
    assert ("systemd.run=/boot/firmware/firstrun.sh" in words) == has_firstrun


def test_flashing_again_makes_a_read_only_root_writable_for_the_installation() -> None:
    before = f"{official.CMDLINE['trixie'].strip()} init={first_boot.OVERLAY_PROGRAM}\n"
    assert "init=" not in first_boot.cmdline_txt(made("4b", "uvc"), before, has_firstrun=False)
    assert "init=/usr/lib/raspberrypi-sys-mods/firstboot" in first_boot.cmdline_txt(
        made("4b", "uvc"), official.CMDLINE["bookworm"], has_firstrun=True
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"wifi": None}, {"wifi": {"password": "", "hidden": True}}, NASTY],
    ids=["plain", "ethernet", "open", "nasty"],
)
def test_user_data_passes_the_schema_of_cloud_init(changes: dict[str, object], tmp_path: Path) -> None:
    need("cloud-init", "cloud-init")
    path = tmp_path / "user-data"
    path.write_text(first_boot.cloud_init(made("4b", "uvc", **changes), contents={})["user-data"])
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout


def test_the_schema_of_cloud_init_sees_a_mistake(tmp_path: Path) -> None:
    need("cloud-init", "cloud-init")
    (tmp_path / "user-data").write_text("#cloud-config\nbootcmd: 3\n")
    command = ["cloud-init", "schema", "--config-file", str(tmp_path / "user-data")]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode != 0


def test_what_cloud_init_reads_says_what_the_deployment_says() -> None:
    yaml = pytest.importorskip("yaml")
    device = made("4b", "uvc", **NASTY)
    files = {name: yaml.safe_load(text) for name, text in first_boot.cloud_init(device, contents={}).items()}
    user = files["user-data"]["users"][0]
    assert (user["name"], user["passwd"], user["ssh_authorized_keys"], user["lock_passwd"]) == (
        "pi",
        HASH,
        list(device.user.ssh_keys),
        False,
    )
    assert (files["user-data"]["hostname"], files["user-data"]["timezone"], files["user-data"]["ssh_pwauth"]) == (
        "porch",
        "Europe/Zurich",
        False,
    )
    wifi = files["network-config"]["network"]["wifis"]["wlan0"]
    assert wifi["regulatory-domain"] == "CH"
    auth = {"key-management": "psk", "password": device.wifi.key()}
    assert wifi["access-points"] == {device.wifi.ssid: {"hidden": False, "auth": auth}}
    assert (
        "wifis"
        not in yaml.safe_load(first_boot.cloud_init(made("4b", "uvc", wifi=None), contents={})["network-config"])[
            "network"
        ]
    )
    assert files["meta-data"]["dsmode"] == "local"


def test_another_content_of_the_card_is_another_instance() -> None:
    def instance(**contents: bytes) -> str:
        return first_boot.cloud_init(made("4b", "uvc"), contents=contents)["meta-data"]

    assert instance(a=b"1") == instance(a=b"1") != instance(a=b"2")


def test_the_instance_id_is_a_slow_hash_because_it_outlives_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_boot._INSTANCE_ROUNDS >= 100_000
    before = first_boot.cloud_init(made("4b", "uvc"), contents={})["meta-data"]
    monkeypatch.setattr(first_boot, "_INSTANCE_ROUNDS", 1)
    assert first_boot.cloud_init(made("4b", "uvc"), contents={})["meta-data"] != before


def test_firstrun_is_a_script_that_shells_can_read_and_quotes_what_is_nasty(tmp_path: Path) -> None:
    device = made("4b", "uvc", **NASTY)
    script = tmp_path / "firstrun.sh"
    script.write_text(first_boot.firstrun(device)["firstrun.sh"])
    subprocess.run(["bash", "-n", str(script)], check=True)
    keys = next(line for line in script.read_text().splitlines() if line.startswith("printf"))
    result = subprocess.run(["bash", "-c", keys.partition(" >")[0]], capture_output=True, text=True, check=True)
    assert result.stdout == f"{device.user.ssh_keys[0]}\n"
    ssid = re.search(r"^ssid=(.*)$", script.read_text(), re.MULTILINE)
    assert bytes(map(int, ssid[1].strip(";").split(";"))).decode() == device.wifi.ssid


@pytest.mark.parametrize("name", ["install.sh", "first-boot.sh", "overlay-root.sh"])
def test_the_scripts_of_the_card_are_plain_sh(name: str, tmp_path: Path) -> None:
    read_only = fill("boot/read-only.sh", program=first_boot.OVERLAY_PROGRAM)
    values = (
        {"bundle": "a.edgevid", "trial_s": 120, "venv_options": "", "read_only": read_only}
        if name == "install.sh"
        else {}
    )
    (tmp_path / name).write_text(fill(f"boot/{name}", **values))
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", str(tmp_path / name)], check=True)


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with a stand-in for the program that the unit starts."""
    need("systemd-analyze", "systemd")
    root = tmp_path_factory.mktemp("root")
    program = root / "opt/edgevid/current/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return root


def analyze(root: Path, files: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on our units, together with the targets and units of this machine."""
    folder = root / "units"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        # systemd-analyze checks that the started program exists.
        (folder / name).write_text(text.replace("/opt/edgevid", f"{root}/opt/edgevid"))
    environment = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin", "SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run(
        ["systemd-analyze", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def units(**changes: object) -> dict[str, str]:
    files = unit.unit_files(made("4b", "uvc", **changes), release="bookworm")
    return {name: text for name, text in files.items() if name.endswith(".service")}


@pytest.mark.parametrize("name", ["edgevid.service", "edgevid-install.service"])
def test_systemd_finds_no_fault_in_the_units(name: str, systemd: Path) -> None:
    done = analyze(systemd, units(), "verify", "--man=no", f"./{name}")
    about_ours = [line for line in done.stderr.splitlines() if "edgevid" in line]
    assert (about_ours, done.returncode) == ([], 0), done.stderr


# Everything that a boot starts, as one transaction: systemd looks for cycles within a transaction only.
BOOT = (
    "[Unit]\nRequires=multi-user.target\n"
    "Wants=cloud-init.target cloud-final.service edgevid.service edgevid-install.service\n"
)


def boot(root: Path, files: dict[str, str]) -> str:
    """Return the messages of systemd for a boot with our units enabled."""
    wants = {"multi-user.target.d/wants.conf": "[Unit]\nWants=edgevid.service edgevid-install.service\n"}
    (root / "units/multi-user.target.d").mkdir(parents=True, exist_ok=True)
    return analyze(root, {**files, **wants, "boot.target": BOOT}, "verify", "--man=no", "./boot.target").stderr


def test_a_boot_that_wants_our_units_has_no_ordering_cycle_and_one_after_cloud_init_would(systemd: Path) -> None:
    need("cloud-init", "cloud-init")
    good = units()
    assert "cycle" not in boot(systemd, good)
    wrong = good["edgevid.service"].replace("After=network.target", "After=network.target cloud-final.service")
    assert "cycle" in boot(systemd, {**good, "edgevid.service": wrong})


def test_the_exposure_of_the_service_is_ok_or_better(systemd: Path) -> None:
    done = analyze(systemd, units(), "security", "--offline=yes", "--no-pager", "edgevid.service")
    level = re.search(r"Overall exposure level for edgevid.service: ([\d.]+) (\w+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) < 5
    assert level[2] == "OK"


def test_the_unit_has_its_own_user_limits_and_a_watchdog() -> None:
    text = units(service={"memory_mib": 200, "cpu_percent": 150, "watchdog_s": 20, "restart_s": 7})["edgevid.service"]
    for line in (
        "User=edgevid",
        "SupplementaryGroups=video render plugdev",
        "Type=notify",
        "WatchdogSec=20",
        "Restart=always",
        "RestartSec=7",
    ):
        assert f"\n{line}\n" in text
    for line in (
        "MemoryMax=200M",
        "CPUQuota=150%",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "WantedBy=multi-user.target",
        "StateDirectory=edgevid",
    ):
        assert f"\n{line}\n" in text
    assert "cloud-final" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def test_restarts_back_off_by_systemd_itself_where_it_can() -> None:
    text = unit.unit_files(made("4b", "uvc"), release="trixie")["edgevid.service"]
    assert "RestartMaxDelaySec=300" in text
    assert "ExecStartPre" not in text


@pytest.mark.parametrize(
    ("restarts", "pause_s"), [("0", 0), ("1", 5), ("2", 15), ("3", 35), ("4", 75), ("5", 110), ("900", 110), ("", 0)]
)
def test_restarts_back_off_on_a_systemd_that_cannot_within_the_time_of_a_start(
    restarts: str, pause_s: int, tmp_path: Path
) -> None:
    text = unit.unit_files(made("4b", "uvc"), release="bookworm")["edgevid.service"]
    assert "RestartMaxDelaySec" not in text
    line = re.search(r"(?m)^ExecStartPre=(.*)$", text)[1].replace("$$", "$")
    for name, program in {"systemctl": f'echo "{restarts}"', "sleep": 'echo "$1"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        shlex.split(line), env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pause_s


def test_the_journal_is_bounded_and_its_writes_are_stated() -> None:
    volatile, persistent = (
        made("4b", "uvc", card={"journal": kind, "journal_mib": 40}) for kind in ("volatile", "persistent")
    )
    assert (unit.writes_per_hour(volatile), unit.writes_per_hour(persistent)) == (0, 12)
    assert unit.writes_sentence(made("4b", "uvc", run={"clips": "clips"})) == "no writes to the card, besides clips"
    assert "Storage=volatile" in unit.unit_files(volatile, release=None)["journald.conf"]
    assert "SystemMaxUse=40M" in unit.unit_files(persistent, release=None)["journald.conf"]


def test_run_toml_is_read_by_run_as_the_deployment_says(tmp_path: Path) -> None:
    device = made("5", "imx708", run={"threads": 3, "json": True, "source": None})
    device = dataclasses.replace(device, run={name: value for name, value in device.run.items() if value is not None})
    path = tmp_path / "run.toml"
    path.write_text(unit.run_toml(device))
    assert tomllib.loads(path.read_text())["source"] == "picamera2"
    parser = cli.verb_parser("run")
    args = parser.parse_args(run.expand([str(tmp_path), "--config", str(path)], parser))
    assert (args.threads, args.json, args.source) == (3, True, "picamera2")


def test_sysusers_makes_the_user_and_its_groups(tmp_path: Path) -> None:
    need("systemd-sysusers", "systemd")
    (tmp_path / "etc").mkdir()
    conf = tmp_path / "edgevid.conf"
    shutil.copy(ROOT / "firmware_configs/systemd/sysusers.conf", conf)
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(conf)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"systemd-sysusers cannot write a root here: {done.stderr.strip()}")
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert {name for name, members in groups.items() if "edgevid" in members} == {"video", "render", "plugdev"}
    assert "/usr/sbin/nologin" in (tmp_path / "etc/passwd").read_text()


def test_udev_finds_no_fault_in_the_rules() -> None:
    rules = ROOT / "firmware_configs/udev/60-edgevid.rules"
    for line in rules.read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r'[\w{}]+(==|=|\+=)"[^"]*"(, [\w{}]+(==|=|\+=)"[^"]*")*', line), line
    need("udevadm", "udev")
    help_text = subprocess.run(["udevadm", "--help"], capture_output=True, text=True, check=False).stdout
    if "verify" not in help_text:
        pytest.skip("udevadm verify came with systemd 254")
    subprocess.run(["udevadm", "verify", str(rules)], check=True)


def test_a_place_without_a_value_and_a_value_without_a_place_are_errors() -> None:
    for values in ({}, {"instance": "a", "more": "b"}):
        with pytest.raises(DeploymentError, match="Expected the placeholders"):
            fill("cloud-init/meta-data", **values)
