"""All checks in the order of the report: software, cameras, board."""

from __future__ import annotations

from edgevid.board import read_state
from edgevid.doctor import cameras, hardware, software
from edgevid.doctor.finding import Finding
from edgevid.doctor.machine import Host


def examine(host: Host) -> tuple[Finding, ...]:
    """Run all checks; return one finding for each."""
    # One reading, so that the findings agree with each other.
    state = read_state(host.root)
    return (
        software.python(host),
        software.interpreter(host),
        software.extras(host),
        software.delegates(host),
        cameras.cameras(host),
        cameras.permissions(host),
        hardware.board(host),
        hardware.temperature(host, state),
        hardware.throttling(state),
        hardware.governor(state),
        hardware.memory(state),
        hardware.disk(host),
        hardware.clock(host),
    )
