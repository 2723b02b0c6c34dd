"""Legal deployments, and the errors for illegal ones before anything is written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgevid import bundle, cli
from edgevid.commands.provisioning.deployment_options import read_deployment
from edgevid.errors import DeploymentError
from edgevid.provision import deployment
from edgevid.provision.secrets import check_password_hash, check_ssh_key, wifi_psk
from tests.edgevid.provision.deployments import HASH, KEY, write
from tests.models.bundles import bundle_for, features_manifest
from tests.repo.files import ROOT

EXAMPLES = sorted((ROOT / "firmware_configs" / "deployments").glob("*.toml"))

REFUSED = {
    "a board that is not there": (
        {"board": "4c"},
        "Expected a board, one of 3b, 3b-plus, 400, 4b, 5, cm4, zero-2-w, got '4c'.",
    ),
    "a camera that is not there": (
        {"camera": "imx999"},
        "Expected a camera, one of imx219, imx477, imx708, ov5647, uvc, got 'imx999'.",
    ),
    "a CSI camera on a board without a connector": (
        {"board": "400", "camera": "imx219"},
        "Expected a USB camera for the board '400'",
    ),
    "a connector that the board lacks": (
        {"camera": "imx219", "camera_port": 1},
        "Expected a camera_port of the board '4b', from 0 to 0, got 1.",
    ),
    "a connector for a USB camera": ({"camera_port": 0}, "Expected no camera_port for the camera 'uvc'"),
    "a time zone that is not there": (
        {"timezone": "Europe/Zuerich"},
        "Expected a time zone of the IANA database, as Europe/Zurich",
    ),
    "a hostname with a dot": ({"hostname": "a.b"}, "Expected a hostname"),
    "a key that is unknown": ({"hostnmae": "a"}, "Did you mean 'hostname'?"),
    "a key that is missing": ({"hostname": None}, "Expected hostname in device.toml, got none. Add it."),
    "an SSH key that is cut off": (
        {"user": {"ssh_keys": [KEY[:60]]}},
        "Expected a whole ssh-ed25519 key in ssh_keys, got a damaged one.",
    ),
    "an SSH key of another kind": ({"user": {"ssh_keys": ["ssh-dss AAAA me"]}}, "got 'ssh-dss'"),
    "a private key": ({"user": {"ssh_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}}, "got a private one"),
    "nobody who can log in": ({"user": {"ssh_keys": []}}, "nobody could log in"),
    "the service's own user": ({"user": {"name": "edgevid"}}, "Expected a user's name"),
    "a password in clear": (
        {"user": {"password_hash": "raspberry"}},
        "Expected password_hash as `openssl passwd -6` prints it",
    ),
    "a short Wi-Fi password": (
        {"wifi": {"password": "short"}},
        "Expected a Wi-Fi password of 8 to 63 ASCII characters",
    ),
    "a country in words": ({"wifi": {"country": "Switzerland"}}, "two capital letters"),
    "a variable that is not set": (
        {"wifi": {"password": "", "password_env": "NOT_SET_ANYWHERE"}},
        "Expected the variable NOT_SET_ANYWHERE",
    ),
    "more threads than cores": ({"run": {"threads": 5}}, "Expected [run] threads of at most 4"),
    "an option that run lacks": ({"run": {"thread": 2}}, "Expected a key of [run]"),
    "a value that an option does not take": (
        {"run": {"max_frames": 0}},
        "Expected options of edgevid run in [run], got argument --max-frames",
    ),
    "clips where the service may not write": (
        {"run": {"clips": "/home/pi/clips"}},
        "Expected [run] clips below /var/lib/edgevid, where the service may write",
    ),
    "clips that climb out": ({"run": {"clips": "../clips"}}, "Expected [run] clips below /var/lib/edgevid"),
    "more processor than there is": (
        {"service": {"cpu_percent": 500}},
        "Expected [service] cpu_percent of at most 400 on 4 cores",
    ),
    "more memory than the smallest board has": (
        {"board": "zero-2-w", "service": {"memory_mib": 400}},
        "Expected [service] memory_mib of at most 352",
    ),
    "a kept journal that is not kept": (
        {"card": {"journal": "persistent", "read_only_root": True}},
        "Set read_only_root = false to keep the journal on the card.",
    ),
    "a bundle that is not there": ({"bundle": "none.edgevid"}, "Expected a bundle file, got none at"),
    "a variable of two lines": ({"environment": {"TOKEN": "a\nb"}}, "Expected one line for TOKEN"),
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_example_deployment_is_legal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEVID_WIFI_PASSWORD", "EDGEVID_MQTT_PASSWORD"):
        monkeypatch.setenv(name, "correct horse")
    assert read_deployment(path).hostname.startswith("edgevid-")


@pytest.mark.parametrize("case", REFUSED)
def test_a_deployment_that_cannot_work_is_refused_before_anything_is_written(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, message = REFUSED[case]
    card = tmp_path / "card"
    card.mkdir()
    code = cli.main(["flash", str(write(tmp_path, **changes)), "--to", str(card), "--yes"])
    err = capsys.readouterr().err
    assert message in err
    assert (code, err.count("\n"), list(card.iterdir())) == (2, 1, [])


@pytest.mark.parametrize("secret", ["correct horse", "hunter22222"])
def test_no_message_and_no_repr_holds_a_password(tmp_path: Path, secret: str) -> None:
    found = deployment.read(write(tmp_path, wifi={"password": secret}, environment={"TOKEN": secret}))
    assert secret not in repr(found)
    with pytest.raises(DeploymentError) as caught:
        check_password_hash(secret)
    assert secret not in str(caught.value)


def test_the_key_of_a_network_is_that_of_the_standard() -> None:
    """Source: IEEE 802.11-2020, J.4.2, test vectors 1 and 2."""
    assert wifi_psk("IEEE", "password") == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert (
        wifi_psk("ThisIsASSID", "ThisIsAPassword") == "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
    )
    assert wifi_psk("any", "AB" * 32) == "ab" * 32


@pytest.mark.parametrize(
    "kind",
    [["ed25519"], ["rsa", "-b", "2048"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "521"]],
    ids=lambda kind: "".join(kind),
)
def test_real_keys_of_every_kind_are_taken_and_every_damage_is_seen(kind: list[str], tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", *kind, "-N", "", "-f", str(tmp_path / "key")], check=True)
    line = (tmp_path / "key.pub").read_text().strip()
    check_ssh_key(line)
    kind_of, blob, _ = line.split(None, 2)
    for damaged in (
        f"{kind_of} {blob[:-8]}",
        f"{kind_of} {blob[8:]}",
        f"{kind_of} {blob}AAAA",
        f"{kind_of} {'B' + blob[1:]}",
        blob,
        f"{line}\nssh-rsa",
    ):
        with pytest.raises(DeploymentError):
            check_ssh_key(damaged)


def test_a_short_rsa_key_is_refused(tmp_path: Path) -> None:
    made = subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(tmp_path / "key")],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("this ssh-keygen makes no short keys")
    with pytest.raises(DeploymentError, match="at least 2048 bits"):
        check_ssh_key((tmp_path / "key.pub").read_text().strip())


def test_hashes_of_the_kinds_that_raspberry_pi_os_knows_are_taken() -> None:
    for text in ("", HASH, "$y$j9T$abc$def", "$5$salt$abc"):
        check_password_hash(text)


def test_a_bundle_over_features_is_no_match_for_a_camera(tmp_path: Path) -> None:
    bundle.write(bundle_for(features_manifest()), tmp_path / "rows.edgevid")
    with pytest.raises(DeploymentError, match="over pictures, or over their key points, for the camera 'uvc'"):
        read_deployment(write(tmp_path, bundle="rows.edgevid"))


def test_a_variable_takes_its_value_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "abc def")
    found = deployment.read(write(tmp_path, environment={"MQTT_PASSWORD": "env:BROKER_PASSWORD", "LANG": "C"}))
    assert found.variables() == {"MQTT_PASSWORD": "abc def", "LANG": "C"}
