"""Rendering of the service's files: systemd unit, journal limits, account and udev rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevid.boards_and_cameras import Release, folder
from edgevid.provision.deployment import Deployment, Service
from edgevid.provision.templates import fill, toml

# -P: no module of the working folder, which the service may write, comes before the real one.
PROGRAM = "/opt/edgevid/current/bin/python -P -m edgevid.cli"
STATE_FOLDER, RUN_CONFIG = "/var/lib/edgevid", "/etc/edgevid/run.toml"
# Share of MemoryMax= at which systemd slows the service down before it kills it (MemoryHigh=).
_HIGH = 0.9
# systemd 254 and later back off by themselves, and Bookworm has 252.
# Source: systemd.service(5), RestartSteps=.
_STEPS, _LONGEST_S = 6, 300
_BACK_OFF = f"RestartSteps={_STEPS}\nRestartMaxDelaySec={_LONGEST_S}"
# For older releases: a pause before the program, twice as long after each restart. systemd expands
# `$` in a command line, so `$$` is the shell's own.
_PAUSE = (
    "ExecStartPre=/bin/sh -c '"
    "n=$$(systemctl show --property=NRestarts --value edgevid.service); n=$${{n:-0}}; "
    '[ "$$n" -le {steps} ] || n={steps}; '
    "s=$$(((1 << n) * {restart_s} - {restart_s})); "
    '[ "$$s" -le {longest_s} ] || s={longest_s}; '
    'exec sleep "$$s"\''
)
# The pause is part of the start, so TimeoutStartSec= counts it. This much is left for the program.
_START_S = 10
# journald.conf(5): one sync of unflushed messages each SyncIntervalSec, here 5 minutes.
_SYNCS_PER_HOUR = 12


def unit_files(deployment: Deployment, *, release: Release | None) -> dict[str, str]:
    """Render every file that systemd and udev read, and the options of the service.

    Args:
        deployment: The device.
        release: Release of the system; None renders a unit for every release.

    Returns:
        File name to text.
    """
    card = deployment.card
    return {
        "edgevid.service": _unit(deployment, release=release),
        "run.toml": run_toml(deployment),
        "journald.conf": fill(
            "systemd/journald.conf",
            storage=card.journal,
            journal_mib=card.journal_mib,
            writes=writes_sentence(deployment),
        ),
        "sysusers.conf": (folder() / "systemd/sysusers.conf").read_text(),
        "60-edgevid.rules": (folder() / "udev/60-edgevid.rules").read_text(),
        "edgevid-install.service": (folder() / "systemd/edgevid-install.service").read_text(),
    }


def writes_per_hour(deployment: Deployment) -> int:
    """Return how often per hour the running classifier causes a write to the card, at most.

    Only a persistent journal writes regularly. Slots are written when a bundle is changed.
    """
    return _SYNCS_PER_HOUR if deployment.card.journal == "persistent" else 0


def writes_sentence(deployment: Deployment) -> str:
    """Describe the writes to the card in words, with those of `[run]`."""
    count = writes_per_hour(deployment)
    outputs = [name for name in ("clips", "record") if name in deployment.run]
    return (f"at most {count} writes an hour" if count else "no writes to the card") + (
        f", besides {' and '.join(outputs)}" if outputs else ""
    )


def run_toml(deployment: Deployment) -> str:
    """Render `[run]` as the TOML file that `edgevid run --config` reads.

    The deployment's camera is the source, unless `[run]` names another one.
    """
    options = {"source": deployment.optics.source, **deployment.run}
    # TOML assigns a key after a table header to that table, so plain values come first.
    plain = {name: value for name, value in options.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in options.items() if isinstance(value, dict)}
    sections = [_pairs(plain), *(f"\n[{name}]\n{_pairs(inner)}" for name, inner in tables.items())]
    return "# Options of `edgevid run`, from the deployment.\n" + "".join(sections)


def _unit(deployment: Deployment, *, release: Release | None) -> str:
    service = deployment.service
    return fill(
        "systemd/edgevid.service",
        # A single % starts a specifier in a unit file.
        description=f"{deployment.optics.title} on {deployment.facts.model}".replace("%", "%%"),
        exec_start=f"{PROGRAM} run {STATE_FOLDER} --config {RUN_CONFIG}",
        restart_s=service.restart_s,
        restart_back_off=_BACK_OFF if release == "trixie" else _pause(service),
        start_limit_s=service.start_limit_s,
        watchdog_s=service.watchdog_s,
        memory_mib=service.memory_mib,
        memory_high_mib=int(service.memory_mib * _HIGH),
        cpu_percent=service.cpu_percent,
    )


def _pause(service: Service) -> str:
    longest_s = max(0, min(_LONGEST_S, service.start_limit_s - _START_S))
    return _PAUSE.format(steps=_STEPS, restart_s=service.restart_s, longest_s=longest_s)


def _pairs(table: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {toml(value, f'{name} in [run]')}\n" for name, value in table.items())
