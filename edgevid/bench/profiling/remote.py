"""Profile on another machine over ssh."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgevid.bench.profiling.profile import Profile
from edgevid.bench.remote import bytes_of, no_result, run_there
from edgevid.errors import ManifestInvalid
from edgevid.schema import from_json
from edgevid.updates.remote import Device

_FILE = "profile.json"


def profile_remotely(device: Device, bundle: Path, arguments: Sequence[str], *, leave_service: bool = False) -> Profile:
    """Profile a bundle on a device.

    Args:
        device: The device.
        bundle: The bundle to send and time; its copy is removed.
        arguments: Options of `edgevid bench profile`.
        leave_service: Whether the device's service keeps running, which takes time from the operators.

    Raises:
        DeployError: The device cannot be reached, or what came back is no profile.
    """
    with tempfile.TemporaryDirectory(prefix="edgevid-") as folder:
        words = ["profile", "{bundle}", *arguments]
        run_there(device, bundle, words, _FILE, Path(folder), leave_service=leave_service)
        text = bytes_of(Path(folder) / _FILE, device)
    try:
        return from_json(Profile, json.loads(text), "profile")
    except (ValueError, ManifestInvalid) as error:
        raise no_result(device) from error
