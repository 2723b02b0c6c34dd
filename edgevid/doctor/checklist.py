"""All checks, in the order in which a person would ask."""

from __future__ import annotations

from edgevid.board import read_state
from edgevid.doctor import cameras, hardware, software
from edgevid.doctor.finding import Finding
from edgevid.doctor.machine import Host


def examine(machine: Host) -> tuple[Finding, ...]:
    """Look at everything.

    Args:
        machine: See `Host`.

    Returns:
        One finding for each check.
    """
    state = read_state(machine.root)
    of_machine = (
        software.python,
        software.interpreter,
        software.extras,
        software.delegates,
        cameras.cameras,
        cameras.permissions,
        hardware.board,
    )
    of_state = (hardware.temperature, hardware.throttling, hardware.governor, hardware.memory)
    return (
        *(check(machine) for check in of_machine),
        *(check(machine, state) for check in of_state),
        hardware.disk(machine),
        hardware.clock(machine),
    )
