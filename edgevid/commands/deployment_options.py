"""A deployment with its `[run]` checked by the very parser of `edgevid run`, so that both take the same words."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.errors import DeploymentError

if TYPE_CHECKING:
    from edgevid.provision.deployment import Deployment

_PREFIX = "error: "


def add_deployment(parser: argparse.ArgumentParser) -> None:
    """Declare the deployment as the first argument, `args.deployment`.

    Args:
        parser: A verb's.
    """
    parser.add_argument(
        "deployment",
        type=Path,
        metavar="DEPLOYMENT",
        help="the .toml file; examples are in firmware_configs/deployments",
    )


def read_deployment(path: Path) -> Deployment:
    """Read a deployment and check all of it that can be checked here.

    Args:
        path: The file.

    Returns:
        The deployment.

    Raises:
        DeploymentError: It asks for what is unknown or does not go together.
        BundleError: Its bundle is refused.
    """
    from edgevid.provision import deployment
    from edgevid.provision.payload import check_bundle

    found = deployment.read(path)
    # What is taken from variables must be there before anything else is done.
    found.variables()
    if found.wifi:
        found.wifi.psk()
    check_run(found)
    check_bundle(found)
    return found


def check_run(deployment: Deployment) -> None:
    """Refuse options that `edgevid run` would refuse on the device.

    Args:
        deployment: Whose `[run]`.

    Raises:
        DeploymentError: An option is unknown, has a value that it does not take, or asks for more threads than the board has cores.
    """
    from edgevid.commands import run
    from edgevid.commands.run_options import config
    from edgevid.provision.unit import STATE_FOLDER, run_toml

    parser = argparse.ArgumentParser(prog="edgevid run", exit_on_error=False)
    run.configure(parser)
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        path = Path(folder) / "[run]"
        path.write_text(run_toml(deployment), encoding="utf-8")
        try:
            args = parser.parse_args(config.expand([STATE_FOLDER, "--config", str(path)], parser))
        except (SystemExit, argparse.ArgumentError) as error:
            reason = said.getvalue().rpartition(_PREFIX)[2].strip() or str(error)
            raise DeploymentError(
                expected="options of edgevid run in [run]", found=reason, hint="See: edgevid run --help"
            ) from error
        except DeploymentError as error:
            raise DeploymentError(
                str(error).replace(str(path), "[run]"), expected=error.expected, got=error.got
            ) from error
    _refuse_threads(args.threads, deployment)
    for name in ("clips", "record"):
        _refuse_outside(name, getattr(args, name, None), Path(STATE_FOLDER))


def _refuse_threads(threads: object, deployment: Deployment) -> None:
    cores = deployment.facts.cores
    if isinstance(threads, int) and threads > cores:
        raise DeploymentError(
            expected=f"[run] threads of at most {cores}, the cores of the board {deployment.board!r}", got=threads
        )


def _refuse_outside(name: str, path: Path | None, folder: Path) -> None:
    """The unit lets the service write its own folder and nothing else; a relative path is below it."""
    if path is not None and not os.path.normpath(folder / path).startswith(f"{folder}/"):
        raise DeploymentError(
            expected=f"[run] {name} below {folder}, where the service may write", got=str(path), found=f"{path}"
        )
