"""What an image is made of: the data of `firmware_configs/image`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from edgevid import firmware
from edgevid.choices import build, legal, read_toml
from edgevid.errors import DeploymentError
from edgevid.firmware import Release
from edgevid.provision.deployment import Deployment

FOLDER = "image"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A release of Debian, as an image for boards.

    Attributes:
        suite: The release.
        python: Its Python, as "3.11".
        components: Of the archive.
        packages: What is installed besides what is essential.
        left_out: Patterns of paths that are not unpacked.
        kept: Patterns of paths that are, although they are left out by another.
        modules: Kernel modules for the time before the root file system.
        boot_mib: Size of the boot partition.
        spare_mib: Free space in the root file system before the first boot, which makes it as large as the card.
        device_trees: The file of each board that starts from it.
        sources: Where the facts are from.
    """

    suite: Release
    python: str
    components: tuple[str, ...]
    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]
    modules: tuple[str, ...]
    boot_mib: int
    spare_mib: int
    device_trees: Mapping[str, str]
    sources: Mapping[str, str]


@cache
def recipes() -> Mapping[str, Recipe]:
    """Give the releases of which an image can be made.

    Returns:
        By the name of the release.
    """
    paths = sorted((firmware.folder() / FOLDER).glob("*.toml"))
    return {path.stem: build(Recipe, read_toml(path), f"{FOLDER}/{path.name}") for path in paths}


def recipe(suite: str) -> Recipe:
    """Give one of them.

    Args:
        suite: The release.

    Returns:
        Its recipe.

    Raises:
        DeploymentError: There is none.
    """
    return recipes()[legal(suite, recipes(), "a release for an image")]


def check(made_of: Recipe, deployment: Deployment) -> None:
    """Refuse what would not start, or not see.

    Args:
        made_of: The release.
        deployment: What the device shall be.

    Raises:
        DeploymentError: Debian's kernel has no device tree for the board or no driver for the camera, or Debian lacks what is asked for.
    """
    board, camera = deployment.facts, deployment.optics
    if board.name not in made_of.device_trees:
        known = ", ".join(made_of.device_trees)
        raise DeploymentError(
            f"Expected a board that Debian {made_of.suite} starts on, one of {known}, got {board.name!r}. Use edgevid flash with Raspberry Pi OS.",
            expected=tuple(made_of.device_trees),
            got=board.name,
        )
    if camera.interface != "usb":
        raise DeploymentError(
            f"Expected a USB camera: Debian's kernel has no driver for {camera.title} on its ribbon cable. Use edgevid flash with Raspberry Pi OS.",
            expected="usb",
            got=camera.interface,
        )
    if deployment.card.read_only_root:
        raise DeploymentError(
            "Expected [card] read_only_root = false: what sets up an image of Debian at its first boot must be kept. Use edgevid flash with Raspberry Pi OS.",
            expected=False,
            got=True,
        )
