"""What the boot partition tells Raspberry Pi OS at its first start: cloud-init's files, or firstrun.sh, and the changes to config.txt and cmdline.txt.

Source: github.com/raspberrypi/rpi-imager, doc/os_customisation_formats.md and src/customization_generator.cpp, for which release takes which;
github.com/RPi-Distro/pi-gen, stage2/04-cloud-init, for where cloud-init looks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from edgevid.provision.deployment import Deployment
from edgevid.provision.templates import fill, shell, yaml

_BEGIN, _END = "# edgevid: begin", "# edgevid: end"
_FIRSTRUN = (
    "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
)
# Raspberry Pi's kernels come with the memory controller off, and MemoryMax= would do nothing.
# Source: github.com/raspberrypi/linux, "cgroup: Disable cgroup memory by default".
_CGROUP = "cgroup_enable=memory"
# Started in place of systemd where the root is read-only; the installation itself needs a root that is not.
OVERLAY_PROGRAM = "/usr/local/lib/edgevid/overlay-root"
_LOCKED = "*"


def cloud_init(deployment: Deployment, *, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Render the three files of cloud-init.

    Args:
        deployment: Whose.
        contents: What else is written: another content is another instance, which cloud-init applies again.

    Returns:
        File name to text.
    """
    user, card = deployment.user, hashlib.sha256()
    for name in sorted(contents):
        card.update(name.encode() + b"\0" + contents[name])
    files = {
        "user-data": fill(
            "cloud-init/user-data",
            hostname=yaml(deployment.hostname),
            timezone=yaml(deployment.timezone),
            user=yaml(user.name),
            lock_passwd=yaml(not user.password_hash),
            passwd=f"    passwd: {yaml(user.password_hash)}" if user.password_hash else "",
            ssh_keys=yaml(user.ssh_keys),
        ),
        "network-config": fill("cloud-init/network-config", wifi=_netplan_wifi(deployment)),
    }
    for name, text in files.items():
        card.update(name.encode() + b"\0" + text.encode())
    return {**files, "meta-data": fill("cloud-init/meta-data", instance=yaml(f"edgevid-{card.hexdigest()[:16]}"))}


def firstrun(deployment: Deployment) -> dict[str, str]:
    """Render firstrun.sh, for releases without cloud-init.

    Args:
        deployment: Whose.

    Returns:
        File name to text.
    """
    user = deployment.user
    text = fill(
        "firstrun/firstrun.sh",
        hostname=shell(deployment.hostname),
        timezone=shell(deployment.timezone),
        user=shell(user.name),
        password_hash=shell(user.password_hash or _LOCKED),
        ssh_keys=" ".join(map(shell, user.ssh_keys)) or "''",
        wifi=_network_manager_wifi(deployment),
    )
    return {"firstrun.sh": text}


def config_txt(deployment: Deployment, before: str) -> str:
    """Change config.txt: the camera's overlay in a block of ours; the rest stays as it was.

    Args:
        deployment: Whose camera.
        before: The file's text.

    Returns:
        The new text; what is changed twice is changed once.
    """
    rest = re.sub(rf"\n?{_BEGIN}.*?{_END}\n", "", before, flags=re.DOTALL).rstrip("\n")
    return f"{rest}\n\n{fill('boot/config.txt', camera=_camera_lines(deployment))}"


def cmdline_txt(deployment: Deployment, before: str, *, has_firstrun: bool) -> str:
    """Change cmdline.txt: the memory controller, the radio's country, and firstrun.sh where there is no cloud-init; a root to write to.

    Args:
        deployment: Whose.
        before: The file's text, one line.
        has_firstrun: Whether firstrun.sh shall be started once.

    Returns:
        The new line; what is added twice is added once.
    """
    ours = ("systemd.run", "systemd.unit=", "cgroup_enable=memory", "cfg80211.", f"init={OVERLAY_PROGRAM}")
    words = [word for word in before.split() if not word.startswith(ours)]
    words.append(_CGROUP)
    if deployment.wifi:
        words.append(f"cfg80211.ieee80211_regdom={deployment.wifi.country}")
    return " ".join([*words, *([_FIRSTRUN] if has_firstrun else [])]) + "\n"


def _camera_lines(deployment: Deployment) -> str:
    overlay = deployment.optics.overlay
    if overlay is None:
        return "# A USB camera needs nothing here."
    port = "" if deployment.camera_port is None else f",cam{deployment.camera_port}"
    return f"camera_auto_detect=0\ndtoverlay={overlay}{port}"


def _netplan_wifi(deployment: Deployment) -> str:
    wifi = deployment.wifi
    if wifi is None:
        return ""
    psk = wifi.psk()
    # Given like this, and not below `auth:`, netplan offers WPA2 and WPA3. Source: github.com/canonical/netplan, src/parse.c.
    password = f"          password: {yaml(psk)}" if psk else ""
    return fill(
        "cloud-init/wifi", country=yaml(wifi.country), ssid=yaml(wifi.ssid), hidden=yaml(wifi.hidden), password=password
    ).rstrip("\n")


def _network_manager_wifi(deployment: Deployment) -> str:
    wifi = deployment.wifi
    if wifi is None:
        return ""
    psk = wifi.psk()
    # A keyfile takes a text with other characters as its bytes. Source: nm-settings-keyfile(5), "ssid".
    ssid = "".join(f"{byte};" for byte in wifi.ssid.encode())
    security = f"\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={psk}\n" if psk else ""
    return fill(
        "firstrun/wifi", country=shell(wifi.country), ssid=ssid, hidden=yaml(wifi.hidden), security=security
    ).rstrip("\n")
