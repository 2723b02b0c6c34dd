"""Options of [run] that the service of a card cannot have, and passwords that stay off the card's files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.commands import run
from edgevid.commands.provisioning.deployment_options import read_deployment
from edgevid.commands.run_options import config
from edgevid.errors import DeploymentError
from edgevid.provision import deployment, device_files, flash, raspberry_pi_os, target, unit, wheels
from tests.edgevid.provision import official
from tests.edgevid.provision.deployments import table, write
from tests.repo.files import ROOT

REFUSED = {
    "a port that only root may open": ({"page": ":80"}, "[run] page with a port from 1024, which the service may open"),
    "a low port of the metrics": ({"metrics": "localhost:443"}, "[run] metrics with a port from 1024"),
    "one port for two servers": (
        {"page": ":8080", "metrics": "localhost:8080"},
        "different ports for page and metrics",
    ),
    "an address without a port": ({"page": "8080"}, "Expected HOST:PORT, such as localhost:8080"),
    "a broker of another scheme": ({"mqtt": "http://broker"}, "mqtt[s]://"),
    "a webhook without a host": ({"webhook": "https://"}, "http[s]://HOST[:PORT]/PATH"),
    "a webhook with a slash in its password": (
        {"webhook": "https://me:12/34@host/"},
        "Expected a webhook URL without @ after the host, got one with it.",
    ),
    "a stream with a slash in its password": (
        {"source": "rtsp://me:pa/ss@camera/1"},
        "Expected an address without @ after the host, got one with it.",
    ),
    "an end after some frames": ({"max-frames": 100}, "[run] without max-frames, because systemd starts"),
    "a recording": ({"record": "seen.avi"}, "whose file would exist at the second start"),
    "two regions": (
        {"region": "0.1,0.1,0.8,0.8", "region-file": "region.toml"},
        "Expected either --region and --mask, or --region-file, got both. Write them into region.toml. It is in [run].",
    ),
    "a region that is none": ({"region": "0,0,4,4"}, "got argument --region: Expected a region with a width"),
    "a region file where the service may not write": (
        {"region-file": "/etc/edgevid/region.toml"},
        "Expected [run] region-file below /var/lib/edgevid, where the service may write",
    ),
    "other bundles": ({"bundles": "a.edgevid"}, "the bundle in `bundle` of the deployment"),
    "a CSI camera that the deployment lacks": ({"source": "picamera2"}, "a [run] source for the camera 'uvc'"),
    "a file": ({"source": "clip.mp4"}, "a file, which is not on the card"),
    "a recording to replay": ({"source": "replay:seen.avi"}, "a file, which is not on the card"),
    "a library that the card lacks": ({"delegate": "coral"}, "[run] delegate auto or xnnpack"),
    "a variable that the service lacks": (
        {"source": "rtsp://me:${CAMERA_PASSWORD}@camera/1"},
        "Expected the variable CAMERA_PASSWORD, which [run] names, got none",
    ),
}
LEGAL = [
    {"page": ":8080", "metrics": ":9464", "mqtt": "mqtt://broker.local/gate"},
    {"page": "localhost:0", "metrics": "localhost:0"},
    {"mqtt": "mqtts://broker/x?ca=/etc/ssl/own.pem"},
    {"source": "rtsp://camera/1", "delegate": "auto"},
    {"source": "v4l2:/dev/video2?fps=15"},
    {"source": "synthetic:7", "clips": "clips"},
    {"region": "0.25,0.1,0.5,0.8", "mask": ["0.1,0.2,0.9,0.2,0.5,0.9"], "rotate": 90},
    {"region-file": "/var/lib/edgevid/region.toml", "page": ":8080"},
]


@pytest.mark.parametrize("case", REFUSED)
def test_flash_refuses_an_option_of_run_that_would_stop_the_service(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, message = REFUSED[case]
    card = tmp_path / "card"
    card.mkdir()
    code = cli.main(["flash", str(write(tmp_path, run=options)), "--to", str(card), "--yes"])
    err = capsys.readouterr().err
    assert message in err
    assert (code, err.count("\n"), list(card.iterdir())) == (2, 1, [])


@pytest.mark.parametrize("options", [{"delegate": "coral"}, {"source": "replay:seen.avi"}], ids=str)
def test_a_device_that_runs_may_have_the_files_and_libraries_that_a_card_lacks(
    options: dict[str, object], tmp_path: Path
) -> None:
    read_deployment(write(tmp_path, run=options), on_card=False)
    with pytest.raises(DeploymentError, match="card"):
        read_deployment(write(tmp_path, run=options))


@pytest.mark.parametrize("options", LEGAL, ids=str)
def test_flash_accepts_what_the_service_can_run(options: dict[str, object], tmp_path: Path) -> None:
    read_deployment(write(tmp_path, run=options))


@pytest.mark.parametrize(
    ("option", "value", "package"),
    [
        ("page", ":8080", "websockets"),
        ("mqtt", "mqtt://broker", "paho-mqtt"),
        ("metrics", ":9464", "prometheus_client"),
    ],
)
def test_flash_refuses_an_output_whose_package_is_not_on_the_card(
    option: str, value: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = [pin for pin in wheels.read_lock(wheels.lock_path("3.13")) if pin.name != package]
    (tmp_path / "lock.txt").write_text(wheels.requirements(pins))
    monkeypatch.setattr(wheels, "lock_path", lambda python: tmp_path / "lock.txt")
    read_deployment(write(tmp_path))
    with pytest.raises(
        DeploymentError, match=rf"among the packages of a card with Python 3\.\d+, for \[run\] {option}"
    ):
        read_deployment(write(tmp_path, run={option: value}))


@pytest.mark.parametrize("line", ["when = 2026-01-01", "when = 07:32:00", "[run.outputs.deep]\na = 1", "stall = inf"])
def test_a_value_of_run_that_is_no_option_is_one_line(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, run=None)
    path.write_text(f"{path.read_text()}[run]\n{line}\n")
    assert cli.main(["flash", str(path), "--to", str(tmp_path), "--yes"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("edgevid: Expected a text, a number, true or false for ")
    assert err.count("\n") == 1


PASSWORD = "pa55-of-the-camera"
SOURCE = "rtsp://me:${CAMERA_PASSWORD}@camera/1"


def test_a_variable_in_run_keeps_the_password_out_of_run_toml_and_reaches_the_run(tmp_path: Path) -> None:
    path = write(tmp_path, run={"source": SOURCE}, environment={"CAMERA_PASSWORD": PASSWORD})
    device = read_deployment(path)
    system = raspberry_pi_os.System(release="trixie", first_boot="cloud-init", pythons=("3.13",), has_picamera=True)
    files = device_files.device_files(device, system)
    holding = [name for name, text in files.items() if not isinstance(text, Path) and PASSWORD in str(text)]
    assert holding == ["environment"]
    (tmp_path / "run.toml").write_text(unit.run_toml(device))
    words = config.expand(
        ["--config", str(tmp_path / "run.toml")], run.OPTIONS, environment={"CAMERA_PASSWORD": PASSWORD}
    )
    assert f"--source=rtsp://me:{PASSWORD}@camera/1" in words


def test_run_reads_the_variable_from_its_environment_or_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text(
        'source = "synthetic:${SEED}"\nbundles = "none.edgevid"\n[outputs]\nclips = "c"\n'
    )
    monkeypatch.setenv("SEED", "7")
    assert "--source=synthetic:7" in config.expand(["--config", str(tmp_path / "run.toml")], run.OPTIONS)
    monkeypatch.delenv("SEED")
    assert cli.main(["run", "--config", str(tmp_path / "run.toml")]) == 2
    assert "Expected the variable SEED, which" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run_options", "is_warned"),
    [
        ({"source": "rtsp://me:secret@camera/1"}, True),
        ({"source": "rtsp://me:sec/ret@camera/1"}, True),
        ({"source": "http://camera/video?user=me&password=secret"}, True),
        ({"webhook": "https://hooks.example/services/T0123456789ABCDEFGHIJ"}, True),
        ({"outputs": {"webhook": "https://me:secret@hooks.example/"}}, True),
        ({"source": SOURCE}, False),
        ({"source": "http://@camera:8080/a@b"}, False),
        ({"mqtt": "mqtt://broker.local/gate"}, False),
    ],
    ids=str,
)
def test_the_plan_warns_of_a_password_in_run_and_not_of_a_variable(
    run_options: dict[str, object], is_warned: bool, tmp_path: Path, house: Path
) -> None:
    card = target.open_target(official.make_folder(tmp_path / "bootfs", "trixie"))
    changes = {"run": run_options, "environment": {"CAMERA_PASSWORD": PASSWORD}}
    device = deployment.from_toml(deployment.Deployment, table(**changes), "device.toml")
    with flash.plan(device, card, wheelhouse=house, lock=house / "lock.txt") as made:
        assert any("Write ${NAME} in its place" in warning for warning in made.warnings) is is_warned
        assert "secret" not in "".join(made.warnings)


def test_the_trial_of_the_deployment_reaches_the_installer_and_has_limits() -> None:
    device = deployment.from_toml(deployment.Deployment, table(service={"trial_s": 77}), "device.toml")
    system = raspberry_pi_os.System(release="trixie", first_boot="cloud-init", pythons=("3.13",), has_picamera=True)
    assert "--trial-s 77\n" in device_files.device_files(device, system)["install.sh"]
    for value in (0, -1, 86_401):
        with pytest.raises(DeploymentError, match=r"\[service\] trial_s from 1 to 86400"):
            deployment.Service(trial_s=value)


def test_the_examples_use_no_option_that_a_service_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEVID_WIFI_PASSWORD", "EDGEVID_MQTT_PASSWORD"):
        monkeypatch.setenv(name, "correct horse")
    for path in sorted((ROOT / "firmware_configs/deployments").glob("*.toml")):
        read_deployment(path)


def test_the_installer_removes_the_environment_from_the_fat_before_anything_can_fail(tmp_path: Path) -> None:
    """Run the step of install.sh that installs files, which comes before the bundle's self-test."""
    text = (ROOT / "firmware_configs/boot/install.sh").read_text()
    step = text[text.index("install_files() {") : text.index("# The bundle must pass")]
    card, root = tmp_path / "card", tmp_path / "root"
    card.mkdir()
    for name in ("sysusers.conf", "60-edgevid.rules", "journald.conf", "edgevid.service", "run.toml", "environment"):
        (card / name).write_text(name)
    script = f"set -eu\nhere={card}\nroot={root}\nsystemd-sysusers() {{ :; }}\n{step}\ninstall_files\n"
    for _ in range(2):
        subprocess.run(["sh", "-c", script.replace("systemd-sysusers", "sysusers")], check=True)
    kept = root / "etc/edgevid/environment"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("environment", 0o600)
    assert not (card / "environment").exists()
