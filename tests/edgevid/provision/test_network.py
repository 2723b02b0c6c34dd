"""Wi-Fi of each security, SSIDs of any characters and static addresses, up to the programs that read them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgevid import boards_and_cameras, cli
from edgevid.errors import DeploymentError
from edgevid.provision import deployment, first_boot
from edgevid.provision.image import recipe
from edgevid.provision.network import Wifi
from edgevid.provision.secrets import wifi_psk
from edgevid.provision.templates import keyfile, yaml
from tests.edgevid.provision import official
from tests.edgevid.provision.deployments import table, write

PASSWORD = "correct horse"
SSIDS = {
    "plain": "Home",
    "beyond the BMP": "caf\u00e9 \U0001f600",
    "a joined emoji": "\U0001f469\u200d\U0001f4bb net",
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "quotes": 'it\'s "mine" \\ $HOME `x` #1: {a}',
    "other keys": "password: 12345678",
}
# Security in the deployment: netplan's access point, and key-mgmt, pmf and psk of the keyfile.
KEY = wifi_psk("Home", PASSWORD)
SECURITY: dict[str, tuple[dict[str, Any], tuple[str | None, ...]]] = {
    "wpa2": ({"auth": {"key-management": "psk", "password": KEY}}, ("wpa-psk", "0", KEY)),
    "wpa2+wpa3": ({"password": PASSWORD}, ("wpa-psk", "2", PASSWORD)),
    "wpa3": ({"auth": {"key-management": "sae", "password": PASSWORD}}, ("sae", "3", PASSWORD)),
    "open": ({}, (None, None, None)),
}
STATIC = {"address": "192.168.1.20/24", "gateway": "192.168.1.1", "dns": ["192.168.1.1", "9.9.9.9"]}


def made(**changes: object) -> deployment.Deployment:
    return deployment.from_toml(deployment.Deployment, table(**changes), "device.toml")


def network_config(**changes: object) -> dict[str, Any]:
    loader = pytest.importorskip("yaml")
    return loader.safe_load(first_boot.cloud_init(made(**changes), contents={})["network-config"])["network"]


def keyfiles(tmp_path: Path, **changes: object) -> dict[str, configparser.ConfigParser]:
    """Run the commands of firstrun.sh that write the connections, below a folder."""
    script = first_boot.firstrun(made(**changes))["firstrun.sh"]
    folder = tmp_path / "connections"
    folder.mkdir()
    script = script.replace("/etc/NetworkManager/system-connections", str(folder))
    commands = re.findall(r"^install -m 600 .*?^CONNECTION$", script, re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-e", "-c", "\n".join(commands)], check=True)
    files = {}
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        files[path.name] = configparser.ConfigParser(interpolation=None)
        files[path.name].read(path)
    return files


@pytest.mark.parametrize("security", SECURITY)
def test_netplan_gets_the_handshake_of_each_security_and_the_password_only_for_wpa3(security: str) -> None:
    password = "" if security == "open" else PASSWORD
    wifi = {"security": security, "password": password}
    point = network_config(wifi=wifi)["wifis"]["wlan0"]["access-points"]["Home"]
    assert point == {"hidden": False, **SECURITY[security][0]}


@pytest.mark.parametrize("security", SECURITY)
def test_network_manager_gets_the_handshake_of_each_security(security: str, tmp_path: Path) -> None:
    password = "" if security == "open" else PASSWORD
    connection = keyfiles(tmp_path, wifi={"security": security, "password": password})["preconfigured.nmconnection"]
    section = connection["wifi-security"] if connection.has_section("wifi-security") else {}
    assert tuple(section.get(name) for name in ("key-mgmt", "pmf", "psk")) == SECURITY[security][1]


def test_without_security_a_password_means_wpa2_and_none_an_open_network() -> None:
    assert Wifi(ssid="a", country="CH", password=PASSWORD).kind == "wpa2"
    assert Wifi(ssid="a", country="CH").kind == "open"


@pytest.mark.parametrize(
    ("wifi", "message"),
    [
        ({"security": "wpa3", "password": "ab" * 32}, "a derived key, from which WPA3 cannot start"),
        ({"security": "wpa2+wpa3", "password": "ab" * 32}, "a derived key"),
        ({"security": "wpa3", "password": "short"}, "8 to 63 ASCII characters for a network with WPA3"),
        ({"security": "open"}, 'unless security is "open", got one with'),
        ({"security": "wpa2", "password": ""}, "got none with security = 'wpa2'"),
        ({"security": "wep"}, "one of open, wpa2, wpa2+wpa3, wpa3, got 'wep'"),
        ({"ssid": "two\nlines"}, "[wifi] ssid of 1 to 32 bytes in one line"),
        ({"ssid": "\U0001f600" * 9}, "[wifi] ssid of 1 to 32 bytes in one line"),
    ],
)
def test_flash_refuses_wifi_that_no_radio_can_join(
    wifi: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card").mkdir()
    assert cli.main(["flash", str(write(tmp_path, wifi=wifi)), "--to", str(tmp_path / "card"), "--yes"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert ("abab" in err, err.count("\n"), list((tmp_path / "card").iterdir())) == (False, 1, [])


@pytest.mark.parametrize("ssid", SSIDS.values(), ids=SSIDS)
@pytest.mark.parametrize("hidden", [True, False])
def test_any_ssid_reaches_netplan_and_network_manager_as_it_was_written(
    ssid: str, hidden: bool, tmp_path: Path
) -> None:
    wifi = {"ssid": ssid, "hidden": hidden}
    points = network_config(wifi=wifi)["wifis"]["wlan0"]["access-points"]
    assert {name: point["hidden"] for name, point in points.items()} == {ssid: hidden}
    section = keyfiles(tmp_path, wifi=wifi)["preconfigured.nmconnection"]["wifi"]
    assert bytes(map(int, section["ssid"].strip(";").split(";"))).decode() == ssid
    assert section["hidden"] == str(hidden).lower()


def test_yaml_is_ascii_and_reads_back_any_text() -> None:
    loader = pytest.importorskip("yaml")
    for text in [*SSIDS.values(), "\x7f\x85\u2028\ufeff", '\\ud83d "\\U0001f600']:
        assert yaml(text).isascii()
        assert loader.safe_load(yaml(text)) == text


def test_a_keyfile_keeps_backslashes_and_spaces_at_the_start() -> None:
    assert keyfile("  a\\b c") == "\\s\\sa\\\\b c"


def test_static_addresses_reach_netplan_for_each_interface() -> None:
    found = network_config(ethernet=STATIC, wifi={**STATIC, "address": "192.168.1.21/24"})
    common = {
        "dhcp4": False,
        "routes": [{"to": "default", "via": "192.168.1.1"}],
        "nameservers": {"addresses": STATIC["dns"]},
        "optional": True,
    }
    assert found["ethernets"]["eth0"] == {**common, "addresses": ["192.168.1.20/24"]}
    wlan0 = found["wifis"]["wlan0"]
    assert {name: wlan0[name] for name in (*common, "addresses")} == {**common, "addresses": ["192.168.1.21/24"]}


def test_without_an_address_each_interface_asks_dhcp() -> None:
    found = network_config()
    assert found["ethernets"]["eth0"] == {"dhcp4": True, "optional": True}
    assert found["wifis"]["wlan0"]["dhcp4"] is True


def test_static_addresses_reach_network_manager_for_each_interface(tmp_path: Path) -> None:
    files = keyfiles(tmp_path, ethernet=STATIC, wifi={**STATIC, "address": "192.168.1.21/24"})
    assert dict(files["edgevid-eth0.nmconnection"]["ipv4"]) == {
        "method": "manual",
        "address1": "192.168.1.20/24,192.168.1.1",
        "dns": "192.168.1.1;9.9.9.9;",
    }
    assert files["edgevid-eth0.nmconnection"]["connection"]["interface-name"] == "eth0"
    assert files["preconfigured.nmconnection"]["ipv4"]["address1"] == "192.168.1.21/24,192.168.1.1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"address": "192.168.1.20"}, "such as 192.168.1.20/24, got '192.168.1.20'"),
        ({"address": "192.168.1.20/255.255.255.0"}, "length of its prefix"),
        ({"address": "192.168.1.0/24"}, "length of its prefix"),
        ({"address": "192.168.1.255/24"}, "length of its prefix"),
        ({"address": "127.0.0.1/8"}, "length of its prefix"),
        ({"address": "fe80::1/64"}, "length of its prefix"),
        ({"gateway": "192.168.2.1"}, "gateway as another address of 192.168.1.0/24"),
        ({"gateway": "192.168.1.20"}, "gateway as another address"),
        ({"gateway": "router"}, "gateway as an IPv4 address"),
        ({"dns": ["dns.example"]}, "dns as an IPv4 address"),
        ({"address": ""}, "address with gateway or dns, got none"),
    ],
)
@pytest.mark.parametrize("name", ["ethernet", "wifi"])
def test_a_static_address_that_reaches_nothing_is_refused(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DeploymentError, match=re.escape(message)) as caught:
        made(**{name: {**STATIC, **changes}})
    assert f"[{name}]" in str(caught.value)


def test_two_interfaces_cannot_have_one_address() -> None:
    with pytest.raises(DeploymentError, match=r"another address in \[ethernet\] than in \[wifi\], got '192"):
        made(ethernet=STATIC, wifi=STATIC)


def test_an_image_refuses_the_security_that_its_netplan_does_not_know() -> None:
    bookworm = recipe.recipe("bookworm")
    recipe.check(bookworm, made(wifi={"security": "wpa2+wpa3"}))
    with pytest.raises(DeploymentError, match="one of open, wpa2, wpa2\\+wpa3, got 'wpa3'"):
        recipe.check(bookworm, made(wifi={"security": "wpa3"}))


@pytest.mark.parametrize(
    ("security", "words"), [("wpa3", "the Wi-Fi password itself, which WPA3 needs"), ("wpa2", "the Wi-Fi key,")]
)
def test_the_plan_names_the_network_and_where_its_secret_goes(
    security: str,
    words: str,
    tmp_path: Path,
    house: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgevid.provision.wheels.lock_path", lambda python: house / "lock.txt")
    card = official.make_folder(tmp_path / "bootfs", "trixie")
    config = write(tmp_path, wifi={"security": security, "hidden": True}, ethernet={"address": "10.0.0.2/8"})
    cli.main(["flash", str(config), "--to", str(card), "--wheels", str(house)])
    out = capsys.readouterr().out
    assert f"Wi-Fi 'Home' (CH, {security}, hidden) by DHCP, Ethernet 10.0.0.2/8" in out
    assert f"{words}" in out
    assert "then for root only (0600) on the second" in out
    assert "[ethernet] has an address and no dns" in out
    assert PASSWORD not in out


def first_boot_in(root: Path) -> None:
    """Run first-boot.sh below a folder, on an image that has nothing to install."""
    text = (boards_and_cameras.folder() / "boot/first-boot.sh").read_text()
    for place in ("/boot/firmware", "/etc/netplan"):
        text = text.replace(place, f"{root}{place}")
    subprocess.run(["sh", "-c", text, "first-boot.sh"], check=True)


@pytest.mark.parametrize("security", ["wpa2", "wpa2+wpa3", "wpa3"])
def test_the_first_boot_removes_the_wifi_secret_from_the_fat_once_the_root_has_it(
    security: str, tmp_path: Path
) -> None:
    loader = pytest.importorskip("yaml")
    wifi = {"security": security, "ssid": "password: 12345678"}
    files = first_boot.cloud_init(made(wifi=wifi), contents={})
    config, copied = tmp_path / "boot/firmware/network-config", tmp_path / "etc/netplan/50-cloud-init.yaml"
    for path in (config, copied):
        path.parent.mkdir(parents=True)
    config.write_text(files["network-config"])
    first_boot_in(tmp_path)
    assert config.read_text() == files["network-config"], "nothing has copied it yet"
    copied.write_text(files["network-config"])
    copied.chmod(0o644)
    for _ in range(2):
        first_boot_in(tmp_path)
        assert copied.stat().st_mode & 0o777 == 0o600
        points = loader.safe_load(config.read_text())["network"]["wifis"]["wlan0"]["access-points"]
        assert points == {"password: 12345678": {"hidden": False}}
    assert PASSWORD in copied.read_text() or security == "wpa2"


def test_cloud_init_and_netplan_take_every_network(tmp_path: Path) -> None:
    """cloud-init renders what it reads for netplan, which generates the files of its two services."""
    generate = shutil.which("generate", path="/usr/libexec/netplan:/usr/lib/netplan:/lib/netplan")
    if generate is None or shutil.which("cloud-init") is None:
        pytest.skip("needs: apt-get install netplan.io cloud-init")
    for number, ssid in enumerate(SSIDS.values()):
        wifi = {"ssid": ssid, "security": "wpa2+wpa3", "hidden": True}
        text = first_boot.cloud_init(made(wifi=wifi, ethernet=STATIC), contents={})["network-config"]
        root = tmp_path / str(number)
        (root / "etc/netplan").mkdir(parents=True)
        (root / "in.yaml").write_text(text)
        convert = ["cloud-init", "devel", "net-convert", "--kind", "yaml", "--output-kind", "netplan", "-D", "debian"]
        subprocess.run([*convert, "-p", str(root / "in.yaml"), "-d", str(root)], check=True, capture_output=True)
        subprocess.run([generate, "--root-dir", str(root)], check=True, capture_output=True)
        joined = (root / "run/netplan/wpa-wlan0.conf").read_text()
        assert f'ssid="{ssid}"' in joined
        assert "scan_ssid=1" in joined
        wired = (root / "run/systemd/network/10-netplan-eth0.network").read_text()
        assert {"Address=192.168.1.20/24", "Gateway=192.168.1.1", "DNS=9.9.9.9"} <= set(wired.splitlines())
