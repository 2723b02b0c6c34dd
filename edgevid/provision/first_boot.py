"""Rendering of the first-boot files: cloud-init or firstrun.sh, config.txt and cmdline.txt.

Sources: github.com/raspberrypi/rpi-imager, doc/os_customisation_formats.md and
src/customization_generator.cpp, for which release reads which format; github.com/RPi-Distro/pi-gen,
stage2/04-cloud-init, for the place where cloud-init looks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from edgevid.provision.deployment import Deployment
from edgevid.provision.network import connections, network_config
from edgevid.provision.templates import fill, shell, yaml

_BEGIN, _END = "# edgevid: begin", "# edgevid: end"
_FIRSTRUN = (
    "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target"
)
# Raspberry Pi's kernels start with the memory controller off, and MemoryMax= would have no effect.
# Source: github.com/raspberrypi/linux, "cgroup: Disable cgroup memory by default".
_CGROUP = "cgroup_enable=memory"
# The kernel starts this program in place of systemd if the root is read-only.
OVERLAY_PROGRAM = "/usr/local/lib/edgevid/overlay-root"
# No password hashes to this, so it locks the password. Source: shadow(5)
_LOCKED = "*"
_INSTANCE_ROUNDS = 200_000


def cloud_init(deployment: Deployment, *, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Render the three files of cloud-init.

    Args:
        deployment: The device.
        contents: Digests of the other files on the card, by path. They enter the instance ID.

    Returns:
        File name to text.
    """
    user = deployment.user
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
        "network-config": network_config(deployment.ethernet, deployment.wifi),
    }
    # cloud-init applies its files once per instance ID. A hash over the whole card makes it apply
    # them again after the card was flashed with anything else.
    card = hashlib.sha256()
    for name in sorted(contents):
        card.update(name.encode() + b"\0" + contents[name])
    for name, text in files.items():
        card.update(name.encode() + b"\0" + text.encode())
    # Slow on purpose: the ID stays on the card after the secrets have left it, and a fast hash would
    # let its finder try passwords.
    instance = hashlib.pbkdf2_hmac("sha256", card.digest(), b"edgevid", _INSTANCE_ROUNDS).hex()[:16]
    return {**files, "meta-data": fill("cloud-init/meta-data", instance=yaml(f"edgevid-{instance}"))}


def firstrun(deployment: Deployment) -> dict[str, str]:
    """Render firstrun.sh, for releases without cloud-init.

    Returns:
        File name to text.
    """
    user = deployment.user
    wired, wireless = connections(deployment.ethernet, deployment.wifi)
    text = fill(
        "firstrun/firstrun.sh",
        hostname=shell(deployment.hostname),
        timezone=shell(deployment.timezone),
        user=shell(user.name),
        password_hash=shell(user.password_hash or _LOCKED),
        ssh_keys=" ".join(map(shell, user.ssh_keys)) or "''",
        ethernet=wired,
        wifi=wireless,
    )
    return {"firstrun.sh": text}


def config_txt(deployment: Deployment, before: str) -> str:
    """Write the camera's overlay into config.txt, in a block between edgevid's own markers.

    Args:
        deployment: The device.
        before: Current text of the file.

    Returns:
        The new text. Everything outside the block is unchanged.
    """
    # Remove the block of an earlier flash, so that two runs give the text of one.
    rest = re.sub(rf"\n?{_BEGIN}.*?{_END}\n", "", before, flags=re.DOTALL).rstrip("\n")
    return f"{rest}\n\n{fill('boot/config.txt', camera=_camera_lines(deployment))}"


def cmdline_txt(deployment: Deployment, before: str, *, has_firstrun: bool) -> str:
    """Set the kernel parameters for memory limits, the radio and the first boot.

    Args:
        deployment: The device.
        before: Current text of the file, one line.
        has_firstrun: Whether the next boot runs firstrun.sh.

    Returns:
        The new line.
    """
    # Drop the words of an earlier flash, init= of a read-only root included: the installation needs a
    # writable root and adds the word again at its end.
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
    # With auto-detection on, the firmware would load overlays of its own choice as well.
    return f"camera_auto_detect=0\ndtoverlay={overlay}{port}"
