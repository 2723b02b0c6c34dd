"""A legal deployment as TOML, which tests change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.repo.files import ROOT

SHIPPED = ROOT / "edgevid" / "data" / "gestures.edgevid"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHKb+1Z1VPFE9jl/if7jZFrPF2G3gmS1dPjZ7Xo5yWiI me@here"
HASH = "$6$saltsalt$" + "a" * 86


def table(**changes: Any) -> dict[str, Any]:
    """Return a Pi 4B with a USB camera. A change of None removes a key, and a table is merged."""
    base: dict[str, Any] = {
        "board": "4b",
        "camera": "uvc",
        "bundle": str(SHIPPED),
        "hostname": "porch",
        "timezone": "Europe/Zurich",
        "user": {"name": "pi", "ssh_keys": [KEY]},
        "wifi": {"ssid": "Home", "country": "CH", "password": "correct horse"},
        "run": {"threads": 2, "json": True},
    }
    for name, value in changes.items():
        merged = {**base.get(name, {}), **value} if isinstance(value, dict) else value
        base[name] = merged
    return {name: value for name, value in base.items() if value is not None}


def write(folder: Path, **changes: Any) -> Path:
    """Write the deployment of `table` to a file."""
    deployment = table(**changes)
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in deployment.items()
        if not isinstance(value, dict)
    ]
    for name, value in deployment.items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(item, ensure_ascii=False)}" for key, item in value.items())]
    path = folder / "device.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
