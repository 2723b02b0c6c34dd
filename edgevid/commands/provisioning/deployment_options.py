"""Reads a deployment and checks its `[run]` with the parser of `edgevid run`."""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.errors import DeploymentError

if TYPE_CHECKING:
    from edgevid.provision.deployment import Deployment

# argparse prefixes its messages with the program's name and this.
_PREFIX = "error: "


def add_deployment(parser: argparse.ArgumentParser) -> None:
    """Add the deployment as the first argument, `args.deployment`."""
    parser.add_argument(
        "deployment",
        type=Path,
        metavar="DEPLOYMENT",
        help="a .toml file; see the examples in firmware_configs/deployments",
    )


def read_deployment(path: Path, *, on_card: bool = True) -> Deployment:
    """Read a deployment and check everything that can be checked before anything is written.

    Args:
        path: The `.toml` file.
        on_card: Whether it is for a new card, and not for a device that may have more libraries and files.

    Returns:
        The deployment.

    Raises:
        DeploymentError: A value is unknown, or two values contradict each other.
        BundleError: Its bundle is rejected.
    """
    from edgevid.provision import deployment
    from edgevid.provision.device_files import check_bundle

    read = deployment.read(path)
    # Both look up environment variables, which must be set now rather than after minutes of work.
    read.variables()
    if read.wifi:
        read.wifi.key()
    check_run(read, on_card=on_card)
    check_bundle(read)
    return read


def networks_for(deployment: Deployment) -> dict[str, bytes]:
    """Return the networks that find the key points of a deployment's bundle, by file name; none for pictures.

    Args:
        deployment: The deployment.

    Raises:
        UsageError: The bundle does not take the key points that `[run]` names.
        AssetError: A network is missing or altered.
    """
    from edgevid import bundle
    from edgevid.api.engines import choose_keypoints
    from edgevid.frames.keypoint_rows import KeypointRows
    from edgevid.keypoints.assets import LICENSE, reader
    from edgevid.keypoints.stage import network_files

    options, manifest = _parse_run(deployment), bundle.read(deployment.bundle).manifest
    stated = options.keypoints and KeypointRows(kind=options.keypoints, normalise=options.normalise)
    wanted = choose_keypoints(stated, manifest)
    if wanted is None:
        return {}
    read = reader()
    return {name: read(name) for name in (*network_files(wanted, manifest.input.channels), LICENSE)}


def check_run(deployment: Deployment, *, on_card: bool) -> None:
    """Reject options in `[run]` that `edgevid run` would reject on the device.

    Args:
        deployment: The deployment with that `[run]`.
        on_card: As for `read_deployment`.

    Raises:
        DeploymentError: An option is unknown or has an illegal value, or a service cannot have it.
    """
    from edgevid.commands.provisioning.service_options import check_service_options

    check_service_options(_parse_run(deployment), deployment, on_card=on_card)


def _parse_run(deployment: Deployment) -> argparse.Namespace:
    from edgevid.commands import run
    from edgevid.commands.run_options import config
    from edgevid.provision.unit import STATE_FOLDER, run_toml

    parser = argparse.ArgumentParser(prog="edgevid run", exit_on_error=False)
    run.configure(parser)
    # argparse prints some errors and exits even with `exit_on_error=False` (bpo-41255).
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(printed):
        # The file that the device will read, by a name that explains itself in messages.
        path = Path(folder) / "[run]"
        path.write_text(run_toml(deployment), encoding="utf-8")
        try:
            words = [STATE_FOLDER, "--config", str(path)]
            return parser.parse_args(config.expand(words, run.OPTIONS, environment=deployment.variables()))
        except (SystemExit, argparse.ArgumentError) as error:
            reason = printed.getvalue().rpartition(_PREFIX)[2].strip() or str(error)
            raise DeploymentError(
                expected="options of edgevid run in [run]", found=reason, hint="See: edgevid run --help"
            ) from error
        except DeploymentError as error:
            raise DeploymentError(
                str(error).replace(str(path), "[run]"), expected=error.expected, got=error.got
            ) from error
