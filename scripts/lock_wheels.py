"""Pins the packages of a device, with the hashes of their aarch64 wheels, in `firmware_configs/wheels/<python>.txt`.

Run it to move to newer versions: `python scripts/lock_wheels.py`. It asks the package index and downloads nothing to keep.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("opencv", "mqtt", "metrics", "web")
# picamera2 and simplejpeg of Bookworm's apt were built for NumPy 1, and share the process with ours. OpenCV from 4.12 on needs NumPy 2, and
# 4.11 gives frames of a V4L2 camera that need no conversion as one flat row (opencv#27166, mended in 4.12).
BOUNDS = {"3.11": ["numpy<2", "opencv-python-headless<4.11"], "3.13": []}
PLATFORMS = [f"manylinux{tag}_aarch64" for tag in ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_34")]


def main() -> None:
    """Write a lock file for each Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in EXTRAS for each in project["optional-dependencies"].get(extra, [])),
        "pip",
    ]
    for python, bounds in BOUNDS.items():
        lines = "".join(f"{line}\n" for line in sorted(locked([*wanted, *bounds], python)))
        heading = f"# Packages of a device with Python {python}, and the hashes of their wheels for aarch64. Made by scripts/lock_wheels.py.\n"
        (ROOT / "firmware_configs/wheels" / f"{python}.txt").write_text(heading + lines)


def locked(requirements: list[str], python: str) -> list[str]:
    """Resolve requirements for the device's platform; one line a package."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--ignore-installed",
        "--report",
        "-",
        "--target",
        "unused",
    ]
    command += [
        "--only-binary",
        ":all:",
        "--implementation",
        "cp",
        "--python-version",
        python,
        *platforms,
        *requirements,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    found = []
    for item in json.loads(done.stdout)["install"]:
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        found.append(f"{name}=={version} --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}")
    return found


if __name__ == "__main__":
    main()
