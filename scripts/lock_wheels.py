"""Pin a device's packages and the hashes of their aarch64 wheels in `firmware_configs/wheels`.

    python scripts/lock_wheels.py

Run it to move to newer versions. It queries the package index and keeps no downloads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from edgevid.provision.wheels import platform_options

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("opencv", "mqtt", "metrics", "web")
# Bookworm's picamera2 and simplejpeg were built for NumPy 1 and run in edgevid's process.
BOUNDS = {"3.11": ["numpy<2"], "3.13": []}
# --target, because pip requires it for a foreign platform. --dry-run writes nothing there.
PIP_INSTALL = "pip install --quiet --dry-run --ignore-installed --report - --target unused".split()
HEADING = (
    "# Pinned packages of a device with Python {python}, and the hashes of their aarch64 wheels.\n"
    "# Written by scripts/lock_wheels.py.\n"
    "# For: {requirements}\n"
)


def main() -> None:
    """Write a lock file for each Python."""
    for python in BOUNDS:
        wanted = device_requirements(python)
        heading = HEADING.format(python=python, requirements="; ".join(wanted))
        lines = "".join(f"{line}\n" for line in sorted(locked(wanted, python)))
        (ROOT / "firmware_configs/wheels" / f"{python}.txt").write_text(heading + lines)


def device_requirements(python: str) -> list[str]:
    """Return what a device needs, from `pyproject.toml` and `BOUNDS`. A test holds the lock files against it.

    Args:
        python: Python version of the device, as "3.13".
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in EXTRAS for each in project["optional-dependencies"].get(extra, [])]
    # install.sh runs pip from its wheel: Raspberry Pi OS may not have it.
    return [*project["dependencies"], *extras, "pip", *BOUNDS[python]]


def locked(requirements: list[str], python: str) -> list[str]:
    """Resolve requirements for the device's platform.

    Args:
        requirements: As in `pip install`.
        python: Python version of the device, as "3.13".

    Returns:
        A line of the lock file for each package.
    """
    command = [sys.executable, "-P", "-m", *PIP_INSTALL, *platform_options(python), *requirements]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(result.stderr)
    lines = []
    for item in json.loads(result.stdout)["install"]:
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        lines.append(f"{name}=={version} --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}")
    return lines


if __name__ == "__main__":
    main()
