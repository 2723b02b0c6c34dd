"""Options of `edgevid run` that a service on a card cannot have, though its parser accepts them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.run_options import sources
from edgevid.errors import DeploymentError, UsageError

if TYPE_CHECKING:
    from edgevid.provision.deployment import Deployment

# Option to the package that it needs. The card's packages are those of the lock files.
_PACKAGES: Mapping[str, str] = {"page": "websockets", "mqtt": "paho-mqtt", "metrics": "prometheus-client"}
# The unit has no capabilities, and the kernel's default is 1024.
# Source: docs.kernel.org/networking/ip-sysctl.html, ip_unprivileged_port_start.
_FIRST_PORT = 1024
_WITHOUT_END = "because systemd starts the service again whenever it ends"


def check_service_options(args: argparse.Namespace, deployment: Deployment, *, on_card: bool) -> None:
    """Reject options that would stop the service, or fail at its first or second start.

    Args:
        args: The parsed `[run]`.
        deployment: The deployment.
        on_card: Whether the device has only what the card brings.

    Raises:
        DeploymentError: The message names the option and its legal values.
    """
    _check_once_only(args, deployment)
    _check_threads(args.threads, deployment)
    _check_path("clips", args.clips)
    _check_path("region-file", args.region_file)
    _check_camera(args.source, deployment)
    if on_card:
        _check_no_file(args.source)
        _check_delegate(args)
    _check_packages(args, deployment)
    try:
        sources.region(args)
        _check_addresses(args, deployment)
    except UsageError as error:
        raise DeploymentError(f"{error} It is in [run].", expected=error.expected, got=error.got) from error


def _check_once_only(args: argparse.Namespace, deployment: Deployment) -> None:
    DeploymentError.unless(
        args.max_frames is None,
        expected=f"[run] without max-frames, {_WITHOUT_END}",
        got=args.max_frames,
    )
    DeploymentError.unless(
        args.record is None,
        expected="[run] without record, whose file would exist at the second start",
        found=str(args.record),
        hint="Use clips.",
    )
    # The unit names the folder of slots, and the command line wins over the file.
    DeploymentError.unless(
        "bundles" not in deployment.run,
        expected="the bundle in `bundle` of the deployment",
        found="bundles in [run]",
    )


def _check_threads(threads: object, deployment: Deployment) -> None:
    cores = deployment.facts.cores
    if isinstance(threads, int) and threads > cores:
        raise DeploymentError(
            expected=f"[run] threads of at most {cores}, the cores of the board {deployment.board!r}", got=threads
        )


def _check_path(option: str, path: Path | None) -> None:
    from edgevid.provision.unit import STATE_FOLDER

    folder = Path(STATE_FOLDER)
    # The unit lets the service write to its own folder only. A relative path is inside it.
    DeploymentError.unless(
        path is None or os.path.normpath(folder / path).startswith(f"{folder}/"),
        expected=f"[run] {option} below {folder}, where the service may write",
        found=str(path),
    )


def _check_camera(source: str, deployment: Deployment) -> None:
    kind = source.partition("?")[0].partition(":")[0]
    is_csi = deployment.optics.interface == "csi"
    # install.sh makes the environment with picamera2 only for a CSI camera.
    DeploymentError.unless(
        kind != "picamera2" or is_csi,
        expected=f"a [run] source for the camera {deployment.camera!r}",
        found="picamera2, for CSI cameras",
        hint="Leave it out: the deployment's camera is the source.",
    )


def _check_no_file(source: str) -> None:
    kind, colon, _ = source.partition("?")[0].partition(":")
    is_file = kind in ("replay", "file") or (not colon and kind not in ("picamera2", "synthetic"))
    DeploymentError.unless(
        not is_file or kind.startswith("/dev/"),
        expected=f"a camera or a stream as [run] source, {_WITHOUT_END}",
        found="a file, which is not on the card",
    )


def _check_delegate(args: argparse.Namespace) -> None:
    DeploymentError.unless(
        args.delegate is None or args.delegate.kind in ("auto", "xnnpack"),
        expected="[run] delegate auto or xnnpack, because the card has no other library",
        found=args.delegate.kind if args.delegate else "",
        hint="auto uses an Edge TPU once its library is installed.",
    )


def _check_packages(args: argparse.Namespace, deployment: Deployment) -> None:
    from edgevid.provision.raspberry_pi_os import PYTHONS
    from edgevid.provision.wheels import lock_path, read_lock

    needed = {option: package for option, package in _PACKAGES.items() if getattr(args, option)}
    for release in deployment.facts.releases if needed else ():
        pins = {_normalized(pin.name) for pin in read_lock(lock_path(PYTHONS[release]))}
        for option, package in needed.items():
            DeploymentError.unless(
                package in pins,
                expected=f"{package} among the packages of a card with Python {PYTHONS[release]}, for [run] {option}",
                found="none",
                hint="Install edgevid again.",
            )


def _check_addresses(args: argparse.Namespace, deployment: Deployment) -> None:
    from edgevid.capture.address import check_password
    from edgevid.outputs.addresses import broker, endpoint, webhook_url

    check_password(args.source)
    ports = {name: endpoint(getattr(args, name)).port for name in ("page", "metrics") if getattr(args, name)}
    for name, port in ports.items():
        DeploymentError.unless(
            port >= _FIRST_PORT or port == 0,
            expected=f"[run] {name} with a port from {_FIRST_PORT}, which the service may open",
            got=port,
        )
    DeploymentError.unless(
        len(ports) < 2 or ports["page"] == 0 or ports["page"] != ports["metrics"],
        expected="different ports for page and metrics in [run]",
        got=next(iter(ports.values()), None),
    )
    # A file of certificates is on the device, and only there.
    if args.mqtt and not re.search(r"[?&]ca=", args.mqtt):
        broker(args.mqtt, {name: value for name, value in deployment.variables().items() if not name.endswith("_FILE")})
    if args.webhook:
        webhook_url(args.webhook)


def _normalized(name: str) -> str:
    """Normalize the name of a package. Source: packaging.python.org, name normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()
