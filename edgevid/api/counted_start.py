"""Counts the start of a bundle that a device stores, and reports what the count changed."""

from __future__ import annotations

import logging
from pathlib import Path

from edgevid.updates.slots import Slots, Started

_log = logging.getLogger(__name__)


def begin(folder: Path) -> Started:
    """Count a start in the folder of a device.

    Args:
        folder: The folder where a device stores its bundles.

    Raises:
        SlotsError: No bundle is in service.
    """
    # Before anything of the bundle is read, so that a crash counts too.
    started = Slots(folder).begin()
    if started.message:
        _log.warning("edgevid: %s: %s", started.path, started.message)
    return started
