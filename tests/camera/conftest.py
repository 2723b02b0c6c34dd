"""Skips the tests that boot a machine, which takes minutes, unless `-m boot` selects them."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "boot" in (config.option.markexpr or "").replace("not boot", ""):
        return
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("boot"):
            item.add_marker(pytest.mark.skip(reason="an emulated machine is booted by: make test-camera"))
